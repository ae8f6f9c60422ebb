"""Rows of the data set, in their file dtype, turned into minibatches of the model's precision.

uint8 images stay uint8 until here. The table travels as bytes plus a dtype code, so one compilation of a trainer
serves every dtype of data.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, intp, prange, typeof

from .._jit import jit, linked, parallel_jit
from .corruption import corrupt

UINT8, FLOAT32, FLOAT64 = range(3)
DTYPE_CODES = {"uint8": UINT8, "float32": FLOAT32, "float64": FLOAT64}


class Targets(NamedTuple):
    """A table of what the rows of another should be answered with, and what turns a raw value into that.

    Without rows the others should be answered with themselves.
    """

    bytes: np.ndarray  # (N, n_out * itemsize) uint8, C-contiguous
    dtype_code: int
    scale: float
    offset: float


class Samples(NamedTuple):
    """A table of N rows and what turns a raw value into the model's input: ``raw * scale + offset``.

    Beside it lie the fields of its `Targets` (Numba's parallel loops take no tuple in a tuple).
    """

    bytes: np.ndarray  # (N, V * itemsize) uint8, C-contiguous
    dtype_code: int
    scale: float
    offset: float
    target_bytes: np.ndarray
    target_code: int
    target_scale: float
    target_offset: float


class _Memory:
    """An array's memory under NumPy's array interface, declared writable."""

    def __init__(self, array: np.ndarray):
        self._array = array  # keeps the memory alive
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def declared_writable(array: np.ndarray) -> np.ndarray:
    """The array, or a view that does not say that it is read-only: Numba would compile a kernel that only reads it once more."""
    return array if array.flags.writeable else np.asarray(_Memory(array))


def as_targets(array: np.ndarray, scale: float = 1.0, offset: float = 0.0) -> Targets:
    """View of ``array`` (N, n_out), C-contiguous uint8, float32 or float64, as a `Targets` table; nothing is copied or written."""
    code = DTYPE_CODES[array.dtype.name]
    table = array.view(np.uint8).reshape(array.shape[0], array.shape[1] * array.itemsize)
    return Targets(declared_writable(table), code, float(scale), float(offset))


NO_TARGETS = as_targets(np.zeros((0, 1), np.uint8))


def as_samples(array: np.ndarray, scale: float = 1.0, offset: float = 0.0, targets: Targets = NO_TARGETS) -> Samples:
    """The same for ``array`` (N, V), as a `Samples` table; ``targets`` have as many rows, or none."""
    return Samples(*as_targets(array, scale, offset), *targets)


SAMPLES, TARGETS = typeof(as_samples(np.zeros((1, 1), np.uint8))), typeof(NO_TARGETS)


@jit
def load_row(samples, index, out):
    """out (V,) = row ``index`` of a table of samples or of targets, scaled."""
    row = samples.bytes[index]
    scale, offset = out.dtype.type(samples.scale), out.dtype.type(samples.offset)
    if samples.dtype_code == UINT8:
        for j in range(out.shape[0]):
            out[j] = out.dtype.type(row[j]) * scale + offset
    elif samples.dtype_code == FLOAT32:
        values32 = row.view(np.float32)
        for j in range(out.shape[0]):
            out[j] = out.dtype.type(np.float64(values32[j]) * samples.scale + samples.offset)
    else:
        values64 = row.view(np.float64)
        for j in range(out.shape[0]):
            out[j] = out.dtype.type(values64[j] * samples.scale + samples.offset)


@linked(SAMPLES, intp, float32[::1])
def load_packed(samples, index, out):
    """`load_row` in float32."""
    load_row(samples, index, out)


@jit
def has_targets(samples):
    """Whether the rows should be answered with other ones."""
    return samples.target_bytes.shape[0] > 0


@jit
def targets_of(samples):
    """The table of what the rows should be answered with."""
    return Targets(samples.target_bytes, samples.target_code, samples.target_scale, samples.target_offset)


@jit
def row_length(samples, index, n_channels):
    """Steps of ``n_channels`` numbers in row ``index`` before its trailing NaN; at least 1."""
    row = samples.bytes[index]
    if samples.dtype_code == UINT8:
        return row.shape[0] // n_channels
    if samples.dtype_code == FLOAT32:
        return _steps_before_nan(row.view(np.float32), n_channels)
    return _steps_before_nan(row.view(np.float64), n_channels)


@jit
def _steps_before_nan(row, n_channels):
    length = row.shape[0] // n_channels
    while length > 1 and np.isnan(row[(length - 1) * n_channels]):
        length -= 1
    return length


@jit
def end_row(row, n_channels):
    """Write 0 where a sequence ``row`` (T * n_channels,) has ended; its steps."""
    length = _steps_before_nan(row, n_channels)
    row[length * n_channels :] = 0
    return length


@jit
def end_emphasis(is_given, n, weights):
    """Weights (V,) of the losses of a sequence of ``n`` numbers: 1 unless they are given, and 0 where it has ended."""
    if not is_given:
        weights[:n] = 1
    weights[n:] = 0


@jit
def longest_first(samples, positions, n_channels, lengths):
    """The order (B,) of rows ``positions`` by their steps, the longest first, as they come if equal; lengths (B,) become theirs."""
    found = np.empty(positions.shape[0], np.int64)
    for r in range(positions.shape[0]):
        found[r] = -row_length(samples, positions[r], n_channels)
    order = np.argsort(found, kind="mergesort")
    for r in range(positions.shape[0]):
        lengths[r] = -found[order[r]]
    return order


@parallel_jit
def load_rows(samples, positions, out):
    """out (n, V) = rows ``positions`` (n,) of the table, scaled."""
    for r in prange(out.shape[0]):
        load_row(samples, positions[r], out[r])


@parallel_jit
def load_batch(samples, positions, row_ids, corruption, key, epoch, clean, corrupted):
    """Load a minibatch and its corrupted copy.

    positions (B,) int64: rows of the table; row_ids (B,) int64: their numbers in the whole data set, which key the noise, so
    that it is redrawn for every row of every epoch and does not depend on windows or batches. clean and corrupted
    (B, V) are overwritten; without corruption they may be one array.
    """
    for r in prange(clean.shape[0]):
        load_row(samples, positions[r], clean[r])
        corrupt(corruption, key, epoch, row_ids[r], clean[r], corrupted[r])
