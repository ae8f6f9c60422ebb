"""Tables of text: how much memory they take, which cell is named, and which dtype they become."""

import tracemalloc

import numpy as np
import pytest

from stacked.data import BLOCK_ROWS, open_data
from stacked.errors import DataError


def test_a_wide_table_is_not_kept_as_text(tmp_path):
    """1.6 MB in float32, once in blocks and once whole, beside a line and a block of it; as text and floats 40 MB."""
    n_rows, width = 20, 20_000
    line = ",".join(f"{j % 7}.5" for j in range(width))
    (tmp_path / "wide.csv").write_text(f"{line}\n" * n_rows)
    tracemalloc.start()
    try:
        rows = open_data(tmp_path / "wide.csv")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows.array.shape == (n_rows, width) and rows.dtype == np.float32
    assert peak < 12 << 20, peak


def test_long_labels_are_bounded_before_numpy_gives_each_the_room_of_the_longest(tmp_path, monkeypatch):
    monkeypatch.setattr("stacked.data.memory.available_memory", lambda: 50 << 20)
    (tmp_path / "a.csv").write_text("x,label\n1," + "a" * 100_000 + "\n" + "1,b\n" * 1000)
    with pytest.raises(DataError, match=r"a\.csv, column 'label': .* the memory available"):
        open_data(tmp_path / "a.csv")


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize("cell", ["word", "inf", "-inf", "+1e999", "1_000"])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_bad_cell_is_named_by_its_column_in_the_file(tmp_path, at, bad, cell, labelled):
    """Wherever the label column lies, and in whatever line; labels themselves are not numbers that must be finite."""
    header, line, wrong = ["a", "b", "c"], ["1", "2", "3"], ["4", "5", "6"]
    if labelled:
        header[at], line[at] = "label", "yes"
        wrong[at] = "no"
    wrong[bad] = cell
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, [header, *[line] * 1500, wrong, line])))
    if labelled and bad == at:
        assert open_data(tmp_path / "a.csv").labels[1500] == cell
        return
    with pytest.raises(DataError, match=f"line 1502, column {bad + 1}: expected a finite number, found") as caught:
        open_data(tmp_path / "a.csv")
    column = header[bad]
    remedy = f"; correct it, or leave the column out with drop=[{column!r}]"
    assert str(caught.value).endswith(f"found {cell!r}{remedy}")


def test_the_first_bad_cell_of_the_first_bad_column_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n3,inf\nword,4\n4,-inf\n")
    with pytest.raises(DataError, match=r"line 3, column 1: .* found 'word'"):
        open_data(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"line 2, column 2: .* found 'inf'"):
        open_data(tmp_path / "a.csv", drop="1")


@pytest.mark.parametrize("n_rows", [1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 7])
@pytest.mark.parametrize("inexact", [None, 0, -1])
def test_one_value_that_float32_does_not_hold_makes_all_float64(tmp_path, n_rows, inexact):
    table = np.random.default_rng(0).integers(0, 99, (n_rows, 3)).astype(float)
    if inexact is not None:
        table[inexact, 1] = 0.1
    (tmp_path / "a.csv").write_text("\n".join(",".join(map(repr, map(float, row))) for row in table))
    rows = open_data(tmp_path / "a.csv")
    assert rows.dtype == (np.float32 if inexact is None else np.float64)
    np.testing.assert_array_equal(rows.array, table)


def test_finite_values_whose_sum_is_not(tmp_path):
    (tmp_path / "a.csv").write_text("1e308,1e308\n1,2\n")
    np.testing.assert_array_equal(open_data(tmp_path / "a.csv").array, [[1e308, 1e308], [1, 2]])


def test_the_memory_for_a_block_and_its_copy_is_asked_for_by_the_first_line(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("stacked.data.memory.require_memory", lambda name, nbytes: asked.append(nbytes))
    (tmp_path / "a.csv").write_text("label,a,b,c\n" + "1,2,3,4\n" * 5)
    open_data(str(tmp_path / "a.csv"))
    assert asked == [2 * 8 * 1024 * 3]
