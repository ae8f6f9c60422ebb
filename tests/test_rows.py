"""Rows of panels as vectors: the bits of the same loops in NumPy, one row after the other; and products with few rows."""

import numpy as np
import pytest

from stacked.kernels._jit import jit
from stacked.kernels.engine.instructions import LANES
from stacked.kernels.engine.panels import PANEL, aligned_zeros
from stacked.kernels.engine.parts import add_part
from stacked.kernels.engine.products import (
    TURNING,
    add_bias,
    multiply_transposed,
    multiply_turned,
    start_rows,
    sum_rows,
    turns,
)
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


def _transposed(x, x_t, n_rows, begin, weight, bias):
    out, scratch = aligned_zeros(2, x_t.shape[0] * PANEL, PANEL), aligned_zeros(1, 2 * PANEL, PANEL)
    multiply_transposed(x, x_t, 0, n_rows, begin, x_t.shape[1], weight, 1, PANEL, bias, scratch, out)
    return out[1, :n_rows]


@pytest.mark.parametrize("begin", [0, PANEL])
@pytest.mark.parametrize("n_bias", [0, PANEL])
@pytest.mark.parametrize("n_rows", [1, 2, LANES, LANES + 1, PANEL + 2, 3 * PANEL + 4])
def test_products_with_turned_weights_are_the_same_bits(n_rows, n_bias, begin):
    n_panels, rng = 7, np.random.default_rng(n_rows)  # more than scratch takes at a time
    x, weight = aligned_zeros(n_panels, 4 * PANEL, PANEL), aligned_zeros(n_panels, 3 * PANEL, PANEL)
    x[:], weight[:] = rng.normal(size=x.shape), rng.normal(size=weight.shape)
    x_t = np.concatenate(list(x), axis=1).reshape(4, PANEL, -1).transpose(0, 2, 1).copy()
    bias = rng.normal(size=n_bias).astype(np.float32)
    expected = _transposed(x[:0], x_t, n_rows, begin, weight, bias)
    np.testing.assert_array_equal(_transposed(x, x_t, n_rows, begin, weight, bias), expected)
    for first in range(0, n_rows, PANEL):  # whether this CPU would turn them or not
        out, rows = aligned_zeros(2, 4 * PANEL, PANEL), min(PANEL, n_rows - first)
        scratch = aligned_zeros(1, 2 * PANEL + 1, PANEL)
        multiply_turned(x, first, rows, begin, x_t.shape[1], weight, 1, bias, scratch, out)
        np.testing.assert_array_equal(out[1, first : first + rows], expected[first : first + rows])


def test_few_rows_of_wide_vectors_are_turned():
    turned = [n for n in range(1, PANEL + 1) if turns.py_func(n)]
    assert all((-n) % LANES >= TURNING for n in turned) and LANES not in turned
    assert (20 in turned) == (LANES == 16)
