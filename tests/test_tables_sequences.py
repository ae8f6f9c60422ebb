"""Tables whose rows are steps: a model remembers which column names the sequences, and which columns are those of a step."""

import json

import numpy as np
import pytest

from stacked import Autoencoder, DataError, SequenceAutoencoder, StackedClassifier, load, open_data
from stacked.data import open_data_for
from stacked.data.recipe import check_recipe
from stacked.errors import ModelFileError

from .test_cli_boundary import misused, refused, run_well

TRAIN = ("--layers", "G3", "--epochs", 1, "-q", "--threads", 1, "--seed", 0)
NAMES = ("run", "t", "p", "q", "kind")


def rows_of_runs(seed=0):
    """Steps of twelve sequences of 3 to 5 steps: their name, the step, two numbers, and a label that is the sequence's."""
    rng = np.random.default_rng(seed)
    return [
        (f"r{i}", t, *np.round(rng.random(2), 4), "odd" if i % 2 else "even")
        for i in range(12)
        for t in range(3 + i % 3)
    ]


def write(path, rows, names=NAMES, header=True, order=None):
    places = [NAMES.index(name) for name in (order or names)]
    lines = [",".join(str(row[at]) for at in places) for row in rows]
    path.write_text("\n".join([*([",".join(NAMES[at] for at in places)] if header else []), *lines]) + "\n")
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A table of steps, the same with its columns in another order and one more, and a model of p and q."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", rows_of_runs())
    write(tmp_path / "b.csv", rows_of_runs(), order=("q", "kind", "t", "run", "p"))
    run_well("pretrain", "a.csv", "-o", "m.h5", "--sequence-column", "run", "--columns", "p,q", *TRAIN)
    return tmp_path


def test_commands_find_the_column_and_those_of_a_step_again(home):
    run_well("encode", "m.h5", "a.csv", "-o", "given.npy", "--sequence-column", "run", "--columns", "q,p")
    for data in ("a.csv", "b.csv"):
        run_well("encode", "m.h5", data, "-o", "codes.npy")
        np.testing.assert_array_equal(np.load("codes.npy"), np.load("given.npy"))
        run_well("reconstruct", "m.h5", data, "-o", "r.npy")
        assert len(np.load("r.npy")) == 12 and np.isnan(np.load("r.npy")).any()
        report = json.loads(run_well("evaluate", "m.h5", data, "--json").stdout)
        assert report["n_samples"] == 12
        run_well("score", "m.h5", data, "-o", "s.npy")
    run_well("finetune", "m.h5", "b.csv", "-o", "t.h5", "--epochs", 1, "-q")
    assert load("t.h5").table_ == load("m.h5").table_


def test_what_a_file_and_info_say(home):
    table = json.loads(run_well("info", "m.h5", "--json").stdout)["input"]["table"]
    assert table["sequences"] == "run" and [column["name"] for column in table["columns"]] == ["p", "q"]
    assert "2 columns of numbers, by name: p, q; steps of sequences named by run" in run_well("info", "m.h5").stdout


def test_codes_and_scores_name_their_sequences(home):
    run_well("encode", "m.h5", "a.csv", "-o", "c.npy")
    run_well("encode", "m.h5", "a.csv", "-o", "c.csv")
    lines = [line.split(",") for line in (home / "c.csv").read_text().splitlines()]
    assert lines[0] == ["run", "code0", "code1", "code2"] and [line[0] for line in lines[1:]] == [
        f"r{i}" for i in range(12)
    ]
    np.testing.assert_allclose(np.float32([line[1:] for line in lines[1:]]), np.load("c.npy"))
    for given, names in (((), ["run", "score"]), (("--flag",), ["run", "score", "anomaly"])):
        lines = [line.split(",") for line in run_well("score", "m.h5", "a.csv", *given).stdout.splitlines()]
        assert lines[0] == names and lines[12][0] == "r11" and {len(line) for line in lines} == {len(names)}
    for command in ("encode", "score"):
        bare = run_well(command, "m.h5", "a.csv", "--no-header").stdout
        named = run_well(command, "m.h5", "a.csv").stdout.splitlines(keepends=True)
        assert bare == "".join(line.partition(",")[2] for line in named[1:])


def test_names_of_sequences_are_in_the_order_of_the_rows(tmp_path, monkeypatch):
    """Numbers, in runs that are broken, beside codes called as the column is, and a table without a header."""
    monkeypatch.chdir(tmp_path)
    rows = [(name, t, *np.round(np.random.default_rng(t).random(2), 3), "x") for t in range(3) for name in (20, 3, 100)]
    write(tmp_path / "a.csv", rows, ("run", "p", "q"))
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text().replace("run", "code1"))
    write(tmp_path / "b.csv", rows, ("p", "q", "run"), False)
    for data, column, header in (
        ("a.csv", "code1", "code1,code0,code1.1,code2"),
        ("b.csv", "3", "column3,code0,code1,code2"),
    ):
        run_well("pretrain", data, "-o", "m.h5", "--sequence-column", column, *TRAIN)
        lines = run_well("encode", "m.h5", data).stdout.splitlines()
        assert lines[0] == header and [line.partition(",")[0] for line in lines[1:]] == ["20", "3", "100"]
        run_well("encode", "m.h5", data, "-o", "c.csv")
        run_well("encode", "m.h5", data, "-o", "c.npy")
        for suffix in ("csv", "npy"):
            run_well("decode", "m.h5", f"c.{suffix}", "-o", f"{suffix}.npy")
        np.testing.assert_allclose(np.load("csv.npy"), np.load("npy.npy"), atol=1e-6)


def test_other_data_are_taken_as_they_are(home):
    rows = open_data("a.csv", sequence_column="run", columns=["p", "q"])
    padded = rows.read(0, 12)
    np.save("x.npy", padded.reshape(12, 5, 2))
    np.savetxt("flat.csv", np.nan_to_num(padded), delimiter=",")
    run_well("encode", "m.h5", "a.csv", "-o", "a.npy")
    run_well("encode", "m.h5", "x.npy", "-o", "b.npy")
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))
    run_well("encode", "m.h5", "flat.csv", "-o", "c.npy")
    assert np.load("c.npy").shape == (12, 3)
    assert len(run_well("encode", "m.h5", "x.npy").stdout.splitlines()) == 12  # nothing names these


def test_columns_that_are_missing_are_named(home):
    write(home / "c.csv", rows_of_runs(), names=("run", "t", "p"))
    assert "c.csv: expected the columns q as in the training, found run, t, p" in refused(
        "encode", "m.h5", "c.csv", "-o", "c.npy"
    )
    assert "found no 'id'" in misused("encode", "m.h5", "a.csv", "-o", "c.npy", "--sequence-column", "id")
    long = refused("encode", "m.h5", "a.csv", "-o", "c.npy", "--sequence-column", "kind")
    assert "expected sequences of at most 5 steps, the longest in the training, found 24" in long


def test_a_table_without_a_header_is_found_by_its_number_of_columns(tmp_path):
    train = open_data(write(tmp_path / "a.csv", rows_of_runs(), ("run", "p", "q"), False), sequence_column="1")
    assert train.table["sequences"] == "1" and not train.table["header"]
    again = open_data_for(train.table, tmp_path / "a.csv")
    np.testing.assert_array_equal(again.read(0, 12), train.read(0, 12))
    labelled = {**train.table, "labels": "4"}  # and of another table's labels, or a file's that nobody vouches for
    for recipe in (labelled, {**train.table, "labels": "kind"}):
        np.testing.assert_array_equal(open_data_for(recipe, tmp_path / "a.csv").read(0, 12), train.read(0, 12))
    (tmp_path / "flat.csv").write_text("1,2,3,4\n5,6,7,8\n")
    assert open_data_for(train.table, tmp_path / "flat.csv").sample_shape == (4,)


def test_a_table_without_a_header_of_which_columns_are_left_out_and_targets_of_another_width(tmp_path, monkeypatch):
    """What the commands print to do next works without naming the column again."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", rows_of_runs(), ("run", "p", "q"), False)
    wide = [line + ",9" for line in (tmp_path / "a.csv").read_text().splitlines()]
    (tmp_path / "a.csv").write_text("\n".join(wide) + "\n")
    write(tmp_path / "t.csv", rows_of_runs(), ("run", "p"), False)
    short = ("--epochs", 1, "--layers", "G3", "--sequence-column", "1", "--drop", "4")
    run_well("pretrain", "a.csv", "-o", "m.h5", *short)
    run_well("encode", "m.h5", "a.csv", "-o", "c.npy", "--drop", "4")
    run_well("encode", "m.h5", "a.csv", "-o", "d.npy")
    np.testing.assert_array_equal(np.load("c.npy"), np.load("d.npy"))
    run_well("pretrain", "a.csv", "-o", "n.h5", *short, "--target", "t.csv")
    run_well("evaluate", "n.h5", "a.csv", "--target", "t.csv")


def test_labels_are_found_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", rows_of_runs())
    rows = open_data("a.csv", sequence_column="run", columns=["p", "q"], label_column="kind")
    model = StackedClassifier([SequenceAutoencoder(3, epochs=1)], finetune_epochs=1, random_state=0).fit(
        rows, rows.labels
    )
    model.save("c.h5")
    again = open_data_for(load("c.h5").table_, "a.csv")
    assert list(again.labels) == list(rows.labels) and again.table == rows.table
    assert "accuracy" in run_well("evaluate", "c.h5", "a.csv").stdout


def test_targets_name_their_sequences_as_the_data_did(home):
    out = ("-o", "s.h5", "--target", "b.csv", "--sequence-column", "run", "--columns", "p,q")
    write(home / "b.csv", rows_of_runs(1), ("run", "q"))
    run_well("pretrain", "a.csv", *out, *TRAIN)
    report = json.loads(run_well("evaluate", "s.h5", "a.csv", "--target", "b.csv", "--json").stdout)
    assert report["n_samples"] == 12


def test_a_later_fit_on_arrays_forgets_the_table(home):
    rows = open_data("a.csv", sequence_column="run", columns=["p", "q"])
    unit = SequenceAutoencoder(3, epochs=1, random_state=0).fit(rows)
    assert unit.table_ == rows.table
    unit.fit(np.random.default_rng(0).random((10, 4, 2)).astype(np.float32))
    assert unit.table_ is None


def test_frames_are_taken_as_numbers(tmp_path):
    pandas = pytest.importorskip("pandas")
    write(tmp_path / "a.csv", [row for row in rows_of_runs() if row[1] < 3])
    rows = open_data(tmp_path / "a.csv", sequence_column="run", columns=["p", "q"])
    unit = Autoencoder(3, epochs=1, random_state=0).fit(rows)
    frame = pandas.DataFrame(rows.read(0, 12))
    np.testing.assert_array_equal(unit.transform(frame), unit.transform(rows))


NUMBER = {"name": "p", "kind": "number", "fill": 0.5}
RECIPE = {"header": True, "labels": None, "sequences": "run", "width": 2, "columns": [NUMBER]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequences": 1}, "expected sequences: the name of a column"),
        ({"width": 1}, "expected width: more columns than make up a step, found 1"),
        ({"width": 2.0}, "expected width"),
        ({"sequences": "p"}, "expected sequences: the name of a column that is none of the others, found 'p'"),
        (
            {"columns": [{"name": "p", "kind": "category", "categories": ["a"], "missing": False}]},
            "expected steps of nothing but numbers",
        ),
    ],
)
def test_recipes_that_are_none(change, message):
    assert check_recipe(dict(RECIPE)) == RECIPE
    with pytest.raises(DataError, match=message):
        check_recipe({**RECIPE, **change})


def test_a_file_whose_steps_do_not_fit_is_refused(home):
    model = load("m.h5")
    model.table_ = {**RECIPE, "width": 4, "columns": [{**NUMBER, "name": name} for name in "abc"]}
    with pytest.raises(ModelFileError, match=r"/input@table: expected columns that become 10 .* found 3"):
        model.save("n.h5")
