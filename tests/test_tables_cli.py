"""Tables at the command line: columns by options, the recipe in every command, names in CSV files, the standard input, resuming."""

import gc
import gzip
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from stacked import Autoencoder, StackedAutoencoder, load, open_data
from stacked.cli import COMMANDS, main
from stacked.cli.run import notes_of
from stacked.cli.table_flags import in_table_flags
from stacked.cli.table_options import NAMES, notes_of_table, table_of_notes
from stacked.data import TableRows
from stacked.training.checkpoint import Checkpointer, load_checkpoint

from .conftest import DATA
from .test_cli_boundary import misused, refused, run, run_well

WORK, SIZES = ("Private", "State", "?"), ("small", "large")
READERS = {"pretrain", "finetune", "encode", "reconstruct", "predict", "evaluate", "score"}
TRAIN = ("--unit", "autoencoder", "--epochs", 1, "--scaling", "minmax", "-q", "--seed", 0, "--batch-size", 20)


def people(n_rows, seed=0, extra="", columns=("age", "work", "size", "income")):
    """CSV of people with columns in any order."""
    rng = np.random.default_rng(seed)
    lines = [",".join(columns)]
    for _ in range(n_rows):
        row = {"age": rng.integers(20, 60), "work": rng.choice(WORK), "size": rng.choice(SIZES), "when": "2020-01-01"}
        row["income"] = ">50K" if row["age"] > 40 else "<=50K"
        lines.append(",".join(str(row[name]) for name in columns))
    return "\n".join(lines) + extra + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with tables of people and a stack and a classifier that were trained on one."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "train.csv").write_text(people(80))
    (folder / "test.csv").write_text(people(30, 1, columns=("when", "income", "size", "work", "age")))
    run_well(
        "pretrain",
        folder / "train.csv",
        "-o",
        folder / "model.h5",
        "--layers",
        "5-3",
        "--label-column",
        "income",
        *TRAIN,
    )
    run_well(
        "finetune",
        folder / "model.h5",
        folder / "train.csv",
        "-o",
        folder / "classifier.h5",
        "--classify",
        "-q",
        "--epochs",
        1,
    )
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_reads_data_takes_the_options(name):
    options = {param.name for param in main.get_command(None, name).params}
    assert (set(NAMES) <= options) == (name in READERS)


def test_the_recipe_is_in_the_model_and_in_info(home):
    recipe = load(home / "model.h5").table_
    assert recipe == open_data(home / "train.csv", label_column="income").table
    text = run_well("info", home / "model.h5").stdout
    assert (
        "table       3 columns (1 of numbers, 2 of text with 5 categories) become 6, by name: age, work, size\n" in text
    )
    assert json.loads(run_well("info", home / "model.h5", "--json").stdout)["input"]["table"] == recipe


def test_what_became_of_a_table_is_told_but_not_with_quiet(home, tmp_path):
    args = (
        "pretrain",
        home / "train.csv",
        "-o",
        tmp_path / "m.h5",
        "--layers",
        3,
        "--epochs",
        1,
        "--scaling",
        "minmax",
    )
    told = run_well(*args, "--label-column", "income").stderr
    gaps = sum(line.split(",")[1] == "?" for line in (home / "train.csv").read_text().splitlines())
    assert f"become 6; {gaps} gaps in 1 of them: the column's mean, or a category of its own\n" in told
    assert "become" not in run_well(*args, "--label-column", "income", "--quiet").stderr


def test_a_column_taken_for_labels_by_its_name_is_told_with_the_option_that_prevents_it(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,class\n" + "1,2,0\n3,4,1\n" * 20)
    args = ("pretrain", tmp_path / "a.csv", "-o", tmp_path / "m.h5", "--layers", 2, *TRAIN)
    (line,) = (line for line in run_well(*args).stderr.splitlines() if "labels" in line)
    assert line.endswith("column 'class' is taken for labels by its name; --label-column none keeps it among the data")
    assert "labels" not in run_well(*args, "--label-column", "none").stderr
    assert load(tmp_path / "m.h5").n_features_in_ == 3


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_commands_find_columns_by_name_and_write_names(home, tmp_path, command):
    model, data = load(home / "model.h5"), open_data(home / "test.csv", drop="when")
    run_well(command, home / "model.h5", home / "test.csv", "-o", tmp_path / "out.csv")
    expected = model.transform(data) if command == "encode" else model.reconstruct(data)
    header = {
        "encode": "code0,code1,code2",
        "reconstruct": "age,work=Private,work=State,work=missing,size=large,size=small",
    }
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == header[command]
    np.testing.assert_allclose(open_data(tmp_path / "out.csv").array, expected, rtol=1e-6)
    run_well(command, home / "model.h5", home / "test.csv", "-o", tmp_path / "bare.csv", "--no-header")
    assert (tmp_path / "bare.csv").read_text() == "".join((tmp_path / "out.csv").read_text().splitlines(True)[1:])
    run_well(command, home / "model.h5", home / "test.csv", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_codes_and_reconstructions_are_read_back(home, tmp_path):
    run_well("encode", home / "model.h5", home / "test.csv", "-o", tmp_path / "codes.csv")
    run_well("decode", home / "model.h5", tmp_path / "codes.csv", "-o", tmp_path / "decoded.csv")
    run_well("reconstruct", home / "model.h5", home / "test.csv", "-o", tmp_path / "r.csv")
    assert (tmp_path / "decoded.csv").read_text().splitlines()[0] == (tmp_path / "r.csv").read_text().splitlines()[0]
    found, expected = (open_data(tmp_path / name).array for name in ("decoded.csv", "r.csv"))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    run_well("encode", home / "model.h5", tmp_path / "r.csv", "-o", tmp_path / "again.npy")
    assert np.load(tmp_path / "again.npy").shape == (30, 3)


def test_names_that_would_be_read_as_numbers_are_not_written(tmp_path):
    (tmp_path / "a.csv").write_text("y,2020,2021\n" + "0,1,2\n1,4,3\n" * 20)
    run_well("pretrain", tmp_path / "a.csv", "-o", tmp_path / "m.h5", "--layers", 2, *TRAIN)
    run_well("reconstruct", tmp_path / "m.h5", tmp_path / "a.csv", "-o", tmp_path / "r.csv")
    assert open_data(tmp_path / "r.csv").n_rows == 40


def test_a_model_of_plain_numbers_writes_no_names(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((20, 4)))
    run_well("pretrain", tmp_path / "x.npy", "-o", tmp_path / "m.h5", "--layers", 2, *TRAIN)
    assert len(run_well("encode", tmp_path / "m.h5", tmp_path / "x.npy").stdout.splitlines()) == 20


def test_a_classifier_knows_the_column_of_labels(home):
    report = json.loads(run_well("evaluate", home / "classifier.h5", home / "test.csv", "--json").stdout)
    assert report["n_samples"] == 30 and report["n_features"] == 6 and report["classes"] == ["<=50K", ">50K"]
    assert set(run_well("predict", home / "classifier.h5", home / "test.csv").stdout.split()) <= {"<=50K", ">50K"}


def test_a_label_column_named_when_fine_tuning_is_remembered(home, tmp_path):
    data = home / "train.csv"
    run_well("pretrain", data, "-o", tmp_path / "m.h5", "--layers", 3, "--drop", "income, size", *TRAIN)
    assert load(tmp_path / "m.h5").table_["labels"] is None
    args = ("finetune", tmp_path / "m.h5", data, "-o", tmp_path / "c.h5", "--classify", "-q", "--epochs", 1)
    run_well(*args, "--label-column", "income")
    assert load(tmp_path / "c.h5").table_["labels"] == "income"
    assert "accuracy" in run_well("evaluate", tmp_path / "c.h5", home / "test.csv").stdout


def test_unknown_columns_are_usage_errors_that_list_what_there_is(home, tmp_path):
    there = "among age, work, size, income"
    train = ("pretrain", home / "train.csv", "-o", tmp_path / "m.h5", "--layers", 3)
    for flag in ("--drop", "--columns", "--label-column"):
        assert misused(*train, flag, "pay").endswith(f"expected columns that the table has, found no 'pay' {there}")
    assert misused("encode", home / "model.h5", home / "train.csv", "--drop", "pay").endswith(there)
    assert "expected a table with columns" in misused("pretrain", "digits", *train[2:], "--drop", "pay")
    assert "expected names of columns separated by commas" in misused(*train, "--drop", "a,,b")


def test_missing_columns_of_the_model_are_named(home, tmp_path):
    (tmp_path / "a.csv").write_text(people(5, columns=("age", "income")))
    line = refused("encode", home / "model.h5", tmp_path / "a.csv")
    assert line.endswith("expected the columns work, size as in the training, found age, income")


def test_advice_is_in_flags(home, tmp_path):
    line = refused("pretrain", home / "test.csv", "-o", tmp_path / "m.h5", "--layers", 3)
    assert line.endswith("turn them into numbers, or leave the column out with --drop when")
    assert in_table_flags("leave out with drop=['hours a week']") == "leave out with --drop 'hours a week'"


def test_names_from_a_configuration_file_and_names_with_commas(home, tmp_path):
    (tmp_path / "a.csv").write_text('"a, b",c,d\n' + "1,2,3\n4,5,6\n" * 20)
    (tmp_path / "c.toml").write_text('drop = ["a, b"]\ncolumns = ["d", "a, b"]\n')
    args = ("pretrain", tmp_path / "a.csv", "-o", tmp_path / "m.h5", "--layers", 2, *TRAIN)
    run_well(*args, "--config", tmp_path / "c.toml")
    assert [column["name"] for column in load(tmp_path / "m.h5").table_["columns"]] == ["d"]
    run_well(*args, "--drop", '"a, b",c', "--force")
    assert [column["name"] for column in load(tmp_path / "m.h5").table_["columns"]] == ["d"]


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def piped(content, *args):
    result = CliRunner().invoke(main, [str(arg) for arg in args], input=content)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """The folder of temporary files, of which none is left."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield
    gc.collect()
    assert list(folder.glob("stacked-stdin-*")) == []


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_table_from_the_standard_input(home, tmp_path, compress):
    run_well("encode", home / "model.h5", home / "test.csv", "-o", tmp_path / "a.npy")
    content = compress((home / "test.csv").read_bytes())
    assert piped(content, "encode", home / "model.h5", "-", "-o", tmp_path / "b.npy").exit_code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


def test_other_data_from_the_standard_input(tmp_path):
    import h5py

    array = np.random.default_rng(0).random((20, 4))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = array
    for content in (npy(array), (tmp_path / "a.h5").read_bytes()):
        out = tmp_path / "m.h5"
        assert piped(content, "pretrain", "-", "-o", out, "--layers", 2, *TRAIN).exit_code == 0
        assert load(out).n_features_in_ == 4 and load(out).table_ is None


def test_labels_from_the_standard_input(home, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((20, 4)))
    run_well("pretrain", tmp_path / "x.npy", "-o", tmp_path / "m.h5", "--layers", 2, *TRAIN)
    args = (
        "finetune",
        tmp_path / "m.h5",
        tmp_path / "x.npy",
        "-o",
        tmp_path / "c.h5",
        "--epochs",
        1,
        "-q",
        "--labels",
        "-",
    )
    assert piped(b"a\nb\n" * 10, *args).exit_code == 0
    assert list(load(tmp_path / "c.h5").classes_) == ["a", "b"]
    both = piped(b"1\n2\n", "finetune", tmp_path / "m.h5", "-", "-o", tmp_path / "d.h5", "--labels", "-")
    assert both.exit_code == 1 and "found both asked for" in both.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "<stdin>: expected data on the standard input, found none"),
        (b"\x00\x01", "<stdin>: "),
        (b"a,b\n1\n", "line 2:"),
    ],
)
def test_bad_data_on_the_standard_input(tmp_path, content, words):
    result = piped(content, "pretrain", "-", "-o", tmp_path / "m.h5", "--layers", 2)
    assert result.exit_code == 1 and words in result.output and not (tmp_path / "m.h5").exists()


def test_more_on_the_standard_input_than_there_is_room_for(tmp_path, monkeypatch):
    class Usage:
        free = 100

    monkeypatch.setattr("stacked.data.spool.shutil.disk_usage", lambda folder: Usage)
    result = piped(b"1,2\n" * 50, "pretrain", "-", "-o", tmp_path / "m.h5", "--layers", 2)
    assert result.exit_code == 1 and "has room twice, found more" in result.output


def unfinished(path, data, notes):
    """A run on a table that stands at the end of its first epoch."""

    def stop(record):
        raise KeyboardInterrupt

    rows = open_data(data, label_column="income", drop=["size"])
    model = StackedAutoencoder([Autoencoder(3, epochs=2, batch_size=20)], scaling="minmax", random_state=0)
    checkpointer = Checkpointer(path, 0, notes_of(rows, str(data), None, False) | notes)
    with pytest.raises(KeyboardInterrupt):
        model.pretrain(rows, callback=stop, checkpoint=checkpointer)
    checkpointer.flush()


def test_a_run_on_a_table_goes_on_with_the_same_columns(home, tmp_path):
    given = {"label_column": "income", "drop": ["size"], "columns": None}
    unfinished(tmp_path / "m.h5", home / "train.csv", notes_of_table(given))
    assert load_checkpoint(tmp_path / "m.h5").notes["table"] == {"label_column": "income", "drop": ["size"]}
    run_well("pretrain", "--resume", tmp_path / "m.h5", "-q")
    rows = open_data(home / "train.csv", label_column="income", drop=["size"])
    whole = StackedAutoencoder([Autoencoder(3, epochs=2, batch_size=20)], scaling="minmax", random_state=0).pretrain(
        rows
    )
    found = load(tmp_path / "m.h5")
    assert found.table_ == rows.table and np.array_equal(found.network_.params, whole.network_.params)
    assert "leave out --drop" in misused("pretrain", "--resume", tmp_path / "m.h5", "--drop", "size")


@pytest.mark.parametrize(
    "table", [3, {"rows": 1}, {"drop": "size"}, {"label_column": 3}, {"shape": "5x4"}, {"sequence_column": ["a"]}]
)
def test_notes_about_columns_that_are_none(home, tmp_path, table):
    assert table_of_notes({"table": table}) is None
    unfinished(tmp_path / "m.h5", home / "train.csv", {"table": table})
    assert "the checkpoint does not say what the data were" in refused("pretrain", "--resume", tmp_path / "m.h5")


def test_a_run_whose_data_came_from_the_standard_input(home, tmp_path):
    unfinished(
        tmp_path / "m.h5", home / "train.csv", {"data": "-", "table": {"label_column": "income", "drop": ["size"]}}
    )
    line = refused("pretrain", "--resume", tmp_path / "m.h5")
    assert line.endswith(f"came from the standard input; give them again: --resume {tmp_path}/m.h5 -")
    content = (home / "train.csv").read_bytes()
    assert piped(content, "pretrain", "--resume", tmp_path / "m.h5", "-", "-q").exit_code == 0


def test_samples_have_names_too(home, tmp_path):
    run_well(
        "pretrain",
        home / "train.csv",
        "-o",
        tmp_path / "m.h5",
        "--layers",
        3,
        "--drop",
        "income",
        "--unit",
        "rbm",
        *TRAIN[2:],
    )
    lines = run_well("sample", tmp_path / "m.h5", "-n", 2, "--steps", 2).stdout.splitlines()
    assert lines[0].startswith("age,work=Private") and len(lines) == 3
    assert len(run_well("sample", tmp_path / "m.h5", "-n", 2, "--steps", 2, "--no-header").stdout.splitlines()) == 2


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    """The two tables of adult without the test's first line and the dots behind its labels."""
    source, folder = DATA / "adult", tmp_path_factory.mktemp("adult")
    if not (source / "adult.data.gz").exists():
        pytest.skip(f"adult is not in {source}")
    (folder / "train.csv").write_bytes(gzip.decompress((source / "adult.data.gz").read_bytes()))
    test = gzip.decompress((source / "adult.test.gz").read_bytes()).split(b"\n", 1)[1]
    (folder / "test.csv").write_bytes(test.replace(b"K.\n", b"K\n"))
    return folder


def test_adult(adult):
    """8 columns of text, gaps in 3 of them, no header (adult.names)."""
    train = open_data(adult / "train.csv", label_column="15")
    assert isinstance(train, TableRows) and (train.n_rows, train.n_columns) == (
        32_561,
        6 + 7 + 8 + 16 + 14 + 6 + 5 + 2 + 41 + 3,
    )
    assert train.array[:, 1:10].sum(axis=1).tolist() == [1.0] * 32_561 and train.array[:, 9].sum() == 1836
    model_path = adult / "m.h5"
    run_well("pretrain", adult / "train.csv", "-o", model_path, "--layers", "20-5", "--label-column", 15, *TRAIN)
    run_well("finetune", model_path, adult / "train.csv", "-o", adult / "c.h5", "--classify", "--epochs", 1, "-q")
    report = json.loads(run_well("evaluate", adult / "c.h5", adult / "test.csv", "--json").stdout)
    assert report["n_samples"] == 16_281 and report["accuracy"] >= 0.76


def test_a_bad_table_ends_in_one_line_and_no_file(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2\n")
    assert "line 3: expected 2 cells, found 1" in refused(
        "pretrain", tmp_path / "a.csv", "-o", tmp_path / "m.h5", "--layers", 2
    )
    assert run("info", tmp_path / "m.h5").exit_code == 1
