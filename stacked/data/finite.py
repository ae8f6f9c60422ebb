"""Which values of a block of rows are there: all of them, but for the steps of NaN after the end of a sequence."""

from typing import NoReturn

import numpy as np

from ..errors import DataError
from .lengths import block_lengths
from .rows import Rows


def values_there(rows: Rows, block: np.ndarray, start: int, sequences: bool) -> np.ndarray | None:
    """Which values of a block (n, V) of the rows from ``start`` on are there, (n, V) bool, or None where all are.

    With ``sequences``, samples (T, D) may end in steps of NaN. `DataError` names the rows, and the first row and column (of a
    sequence its step and column), counted from 0, of any other value that is NaN or infinite.
    """
    if block.dtype.kind != "f" or sums_up(block) or np.isfinite(block).all():
        return None
    if not sequences or len(rows.sample_shape) != 2:
        _refuse_value(rows, block, start)
    n_steps, width = rows.sample_shape
    lengths = block_lengths(block, n_steps)
    there = np.repeat(np.arange(n_steps) < lengths[:, None], width, axis=1)
    _refuse_within(rows, block, start, lengths, there)
    return there


def sums_up(table: np.ndarray) -> bool:
    """Whether the sum is finite, which it is not if a number is not; one pass without a table of flags, and no warnings."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(table.sum(dtype=np.float64)))


def _refuse_value(rows: Rows, block: np.ndarray, start: int) -> NoReturn:
    row, column = _first(~np.isfinite(block))
    _refuse_early_end(rows, block[row : row + 1], start + row)
    raise DataError(
        f"{rows.name}: expected finite numbers, found {_called(block[row, column])} at row {start + row}, column {column}"
        " (counted from 0)"
    )


def _refuse_early_end(rows: Rows, row: np.ndarray, number: int) -> None:
    """`DataError` for a row (1, V) that is a sequence without a fault, but not one that goes on to the last step."""
    if len(rows.sample_shape) != 2:
        return
    n_steps, width = rows.sample_shape
    length = int(block_lengths(row, n_steps)[0])
    if 0 < length < n_steps and np.isfinite(row[0, : length * width]).all():
        raise DataError(
            f"{rows.name}: expected finite numbers, found row {number} to end after {length} of {n_steps} steps, NaN after"
            " it; for sequences of unequal length put a recurrent unit below all others: SequenceAutoencoder, in --layers G or L"
        )


def _refuse_within(rows: Rows, block: np.ndarray, start: int, lengths: np.ndarray, there: np.ndarray) -> None:
    """`DataError` for a sequence of no steps, and for the first value before an end that is not finite."""
    if lengths.min() == 0:
        raise DataError(
            f"{rows.name}: row {start + int(np.argmin(lengths))}: expected a step or more, found nothing but NaN"
        )
    bad = there & ~np.isfinite(block)
    if bad.any():
        row, column = _first(bad)
        step, own = divmod(column, rows.sample_shape[1])
        raise DataError(
            f"{rows.name}: expected finite numbers, found {_called(block[row, column])} at row {start + row}, step {step},"
            f" column {own} (counted from 0); only the steps after the end of a sequence may be NaN"
        )


def _first(flags: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmax(flags)), flags.shape)
    return int(row), int(column)


def _called(value: float) -> str:
    return "NaN" if np.isnan(value) else f"{value:+}"
