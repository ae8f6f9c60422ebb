"""Rows of panels as vectors: the bits of the same loops in NumPy, one row after the other."""

import numpy as np
import pytest

from stacked.kernels._jit import jit
from stacked.kernels.engine.panels import PANEL
from stacked.kernels.engine.parts import add_part
from stacked.kernels.engine.products import add_bias, start_rows, sum_rows
from stacked.kernels.engine.rows import add_up

COUNTS = 0, 1, 2, 3, 20, 100


@jit
def _add_up(rows, n_rows, sums):
    add_up(rows, n_rows, sums)


def _rows(count, seed=0):
    """Numbers of very different sizes, whose sum depends on its order."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, PANEL)) * 10.0 ** rng.integers(-6, 6, (count, PANEL))).astype(np.float32)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_is_taken_row_by_row(count, dtype):
    rows = _rows(count + 2)
    found = rows[-1].astype(dtype)
    expected = found.copy()
    for row in rows[:count]:
        expected += row.astype(dtype)
    _add_up(rows, count, found)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("count", COUNTS)
def test_sums_of_all_rows(count):
    rows, found = _rows(count), np.zeros(PANEL, np.float32)
    expected = found.copy()
    for row in rows:
        expected += row
    sum_rows(rows, found)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("count", COUNTS)
def test_a_bias_is_added_to_every_row_or_written_there(count):
    rows, bias = _rows(count), _rows(1, 1)[0]
    added, started, kept = rows.copy(), rows.copy(), rows.copy()
    add_bias(bias, added)
    start_rows(bias, started)
    start_rows(bias[:0], kept)
    np.testing.assert_array_equal(added, rows + bias)
    np.testing.assert_array_equal(started, np.broadcast_to(bias, rows.shape))
    np.testing.assert_array_equal(kept, rows)


def test_some_rows_of_one_panel_are_added_and_no_others():
    part, out = (_rows(3 * 10, seed).reshape(3, 10, PANEL) for seed in range(2))
    expected = out.copy()
    expected[1, 2:7] += part[1, 2:7]
    add_part(part, 1, 2, 7, out)
    np.testing.assert_array_equal(out, expected)
