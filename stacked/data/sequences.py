"""Sequences of unequal length whose steps lie one after another: rows of the longest one's length, NaN after the end of others."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from .lengths import check_lengths
from .memory import available_memory
from .missing import refuse_masked
from .rows import BLOCK_ROWS, ArrayRows, Rows


class SequenceRows(Rows):
    """Rows (N, T * D) of sequences whose steps (S, D) are other rows; ``lengths`` (N,) add up to S, and T is the longest.

    They are padded as they are read, in float32 or float64: bytes, too, become floats.
    """

    def __init__(self, steps: Rows, lengths: np.ndarray, name: str, labels: Any = None) -> None:
        self._steps, self._lengths = steps, check_lengths(lengths, steps.n_rows, name)
        self._ends = np.concatenate([[0], np.cumsum(self._lengths)])
        n_steps = int(self._lengths.max())
        self._padded = (n_steps, steps.n_columns)
        dtype = steps.dtype if steps.dtype.kind == "f" else np.dtype(np.float32)
        self._describe(name, (len(lengths), *self._padded), dtype, labels)
        self._check_memory(n_steps)
        self.in_memory, self._value_dtype = steps.in_memory, steps.dtype
        self._ragged = True if self._lengths.min() < n_steps else None

    def _check_memory(self, n_steps: int) -> None:
        block, available = min(BLOCK_ROWS, self.n_rows) * self.n_columns * self.dtype.itemsize, available_memory()
        if block > available:
            raise DataError(
                f"{self.name}: expected sequences of which {BLOCK_ROWS:,} fit in the {available / 2**30:.1f} GiB available, found"
                f" one of {n_steps:,} steps, to which all are padded; cut the long ones"
            )

    def read(self, start: int, stop: int) -> np.ndarray:
        self._check_slice(start, stop)
        steps = self._steps.read(int(self._ends[start]), int(self._ends[stop]))
        out = np.full((stop - start, *self._padded), np.nan, self.dtype)
        out[np.arange(self._padded[0]) < self._lengths[start:stop, None]] = steps
        return out.reshape(stop - start, self.n_columns)

    def close(self) -> None:
        self._steps.close()


def sequence_rows(steps: Rows, lengths: np.ndarray, name: str, labels: Any = None) -> Rows:
    """The rows of sequences, see `SequenceRows`; padded at once if they then take at most a quarter of the free memory."""
    rows = SequenceRows(steps, lengths, name, labels)
    if rows.nbytes > available_memory() // 4:
        return rows
    table = np.empty((rows.n_rows, *rows.sample_shape), rows.dtype)
    with rows:
        for start, stop in rows.slices():
            table[start:stop] = rows.read(start, stop).reshape(-1, *rows.sample_shape)
    kept = ArrayRows(table, name, rows.labels)
    kept._value_dtype, kept._ragged = rows.value_dtype, rows._ragged
    return kept


def is_list_of_samples(X: Any) -> bool:
    """Whether X is a list, a tuple or an array of objects each of which is a sample of two dimensions or more."""
    listed = isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1)
    if not listed or len(X) == 0:
        return False
    first = X[0]
    if isinstance(first, list | tuple):
        return len(first) > 0 and isinstance(first[0], list | tuple | np.ndarray)
    return getattr(first, "ndim", 0) >= 2


def rows_of_list(X: Sequence[Any], name: str) -> Rows:
    """Rows of a list of samples: arrays of one shape, or sequences (steps, numbers) of unequal length."""
    for sample in X:
        refuse_masked(sample, name)
    try:
        arrays = [np.asarray(sample) for sample in X]
    except ValueError as error:
        raise DataError(
            f"{name}: expected sequences, arrays (steps, numbers), found rows of different lengths"
        ) from error
    if len({array.shape for array in arrays}) == 1:
        return ArrayRows(np.stack(arrays), name)
    for number, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != arrays[0].shape[1] or not len(array):
            width = arrays[0].shape[1] if arrays[0].ndim == 2 else "numbers"
            raise DataError(
                f"{name}: sequence {number}: expected an array (steps, {width}) of a step or more, found shape {array.shape}"
            )
    lengths = np.array([len(array) for array in arrays])
    return sequence_rows(ArrayRows(np.concatenate(arrays), name), lengths, name)
