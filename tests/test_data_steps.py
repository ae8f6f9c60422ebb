"""Tables whose rows look like steps are told of, and others are not, sorted ones neither."""

import gzip
import logging

import numpy as np
import pytest

from stacked import open_data
from stacked.data.steps import _Runs, column_of_runs
from stacked.data.tables import TextTable

from .conftest import DATA
from .test_cli_boundary import run_well

RNG = np.random.default_rng(0)


def lines(columns, header=None, n=None):
    n = len(columns[0]) if n is None else n
    return "\n".join([*([header] if header else []), *(",".join(str(c[i]) for c in columns) for i in range(n))]) + "\n"


def runs(values, steps=4):
    return [value for value in values for _ in range(steps)]


N = 120
NOISE = np.round(RNG.random(N), 3)
STEPS = {
    "a usual name": (lines([runs([7, 3, 9], 40), NOISE], "seq_id,x"), 0),
    "another place": (lines([NOISE, runs(["b", "a", "c"], 40)], "x,Trial No"), 1),
    "texts": (lines([runs([f"s{7 * i % 30}" for i in range(30)]), NOISE], "patient,x"), 0),
    "of different lengths": (
        lines([[i for i in range(24) for _ in range(2 + i % 6)], NOISE], "run,x", sum(2 + i % 6 for i in range(24))), 0
    ),
}  # fmt: skip
OTHERS = {
    "numbers": lines([NOISE, np.round(RNG.random(N), 3)], "x,y"),
    "a name for each row": lines([list(range(N)), NOISE], "id,x"),
    "few rows under a name": lines([runs(range(60), 2), NOISE], "id,x"),
    "a name that comes again": lines([runs([1, 2, 3, 1], 30), NOISE], "id,x"),
    "one sequence": lines([runs(["a"], N), NOISE], "id,x"),
    "sorted by a class": lines([runs(["a", "b", "c"], 40), NOISE], "species,x"),
    "sorted by texts": lines([runs([f"c{i}" for i in range(30)]), NOISE], "country,x"),
    "counted without a header": lines([runs(range(30)), NOISE]),
    "no whole numbers": lines([runs([i / 4 for i in range(30)]), NOISE], "id,x"),
    "sorted by labels": lines([runs(range(30)), NOISE], "label,x"),
    "sorted by a number": lines([runs(range(17, 47)), NOISE], "age,x"),
    "sorted by a size": lines([runs([i / 4 for i in range(30)]), NOISE], "size,x"),
    "a gap": lines([runs(["a", "", "c"], 40), NOISE], "id,x"),
    "nothing else": lines([runs(range(30))], "id"),
}


def told(path, caplog):
    caplog.clear()
    with caplog.at_level(logging.INFO, "stacked.tables"):
        open_data(path)
    return [record.getMessage() for record in caplog.records if "sequence_column" in record.getMessage()]


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_told_of(name, tmp_path):
    text, at = STEPS[name]
    (tmp_path / "a.csv").write_text(text)
    table = TextTable(tmp_path / "a.csv", "a.csv")
    assert column_of_runs(table, range(len(table.names))) == at


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not(name, tmp_path):
    (tmp_path / "a.csv").write_text(OTHERS[name])
    table = TextTable(tmp_path / "a.csv", "a.csv")
    assert column_of_runs(table, range(len(table.names))) is None


@pytest.mark.parametrize(("length", "at", "most"), [(100_000, None, 15_000), (10, 0, 30_000)])
def test_a_table_is_not_read_to_its_end(tmp_path, length, at, most):
    """Not with a column that never changes, nor with one that looks like names all along."""
    (tmp_path / "a.csv").write_text("id,x\n" + "".join(f"{i // length},1\n" for i in range(100_000)))
    table = TextTable(tmp_path / "a.csv", "a.csv")
    read, blocks = [], table.blocks
    table.blocks = lambda wanted: (read.append(len(block.lines)) or block for block in blocks(wanted))
    assert column_of_runs(table, [0, 1]) == at and sum(read) < most


@pytest.mark.parametrize(
    ("values", "are_names"),
    [([1.0, 2.0, 3.0], True), ([1.0, 2.0, np.inf], False), ([1.0, np.nan, 3.0], False), ([1.0, 2.5, 3.0], False)],
)
def test_a_column_of_floats_is_looked_at_as_one_of_texts(values, are_names):
    seen = _Runs(False)
    seen.see(np.array(runs(values, 20)))
    assert seen.name_sequences() == are_names


def test_what_is_said(tmp_path, caplog):
    path = tmp_path / "a.csv"
    path.write_text(lines([runs(["u", "v", "w"], 40), NOISE, NOISE[::-1]], "run id,p,q"))
    (line,) = told(path, caplog)
    assert line == (
        f"{path}: column 'run id' looks as if it named sequences, of which rows are steps: equal values stand together; if so,"
        " sequence_column='run id' reads them"
    )
    caplog.clear()
    open_data(path, sequence_column="run id")
    open_data(path, drop=["run id"])
    assert "sequence_column" not in caplog.text
    train = ("--layers", "2", "--epochs", "1", "-o", tmp_path / "m.h5")
    assert "if so, --sequence-column 'run id' reads them\n" in run_well("pretrain", path, *train).stderr
    assert "sequence" not in run_well("pretrain", path, *train, "-q").stderr


@pytest.mark.skipif(not (DATA / "adult").is_dir(), reason="the adult table is not here")
def test_adult_is_no_table_of_steps(tmp_path):
    (tmp_path / "a.csv").write_bytes(gzip.decompress((DATA / "adult" / "adult.data.gz").read_bytes()))
    table = TextTable(tmp_path / "a.csv", "a.csv")
    assert column_of_runs(table, range(len(table.names))) is None
