"""Rows: a read-only table of samples of any size, in memory or not, read by blocks.

Rows keep the dtype of their file where the kernels take it (uint8, float32, float64), so that 60,000 MNIST images cost
47 MB; what they do not take becomes the smallest of the three that holds every value exactly.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..errors import DataError
from .labels import as_labels, check_count
from .missing import refuse_masked

BLOCK_ROWS = 1024
MAX_DIMENSIONS = 8  # of a sample, in model files too
_BLOCK_CELLS = 1 << 22  # blocks of very wide rows are shorter, so that a block in float64 stays within 32 MiB
_FLOAT32_EXACT = 2**24  # float32 holds every integer up to here
_KEPT = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))


class NotNumericError(DataError, TypeError):
    """A cell of an object array is no number."""


class Rows(ABC):
    """Abstract table of samples, one a row.

    Attributes: ``name`` (what messages call it: the DATA it was opened from, or "<array>"), ``n_rows``, ``n_columns``,
    ``dtype`` (uint8, float32 or float64, native byte order), ``sample_shape`` (its product is ``n_columns``),
    ``labels`` ((n_rows,) int64 or unicode, or None), ``in_memory``, ``table`` (how the columns were made of a table's, see
    `recipe`, or None), ``sequence_names`` ((n_rows,) int64 or unicode, where a table's rows are steps, else None), and ``spool``,
    what keeps the file there as long as the rows are.

    Samples of two dimensions (T, D) may be sequences of T steps, of which a shorter one ends in steps of NaN: see `ragged`.
    """

    name: str
    n_rows: int
    n_columns: int
    dtype: np.dtype
    sample_shape: tuple[int, ...]
    labels: np.ndarray | None
    in_memory: bool = True
    table: dict[str, Any] | None = None
    sequence_names: np.ndarray | None = None
    spool: Any = None
    _ragged: bool | None = None
    _value_dtype: np.dtype | None = None

    def _describe(self, name: str, shape: tuple[int, ...], dtype: np.dtype, labels: Any) -> None:
        self.name, self.n_rows, self.sample_shape, self.dtype = name, shape[0], tuple(shape[1:]), dtype
        self.n_columns = math.prod(self.sample_shape)
        self.labels = None
        if labels is not None:
            self.labels = as_labels(labels, name)
            check_count(self.labels, self.n_rows, f"labels of {name}", name)

    @abstractmethod
    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop`` (excluded) as a C-contiguous (stop - start, n_columns) array of `dtype`.

        It may be a view of an array that somebody else owns: never write to it. `IndexError` outside the table.
        """

    def _check_slice(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.n_rows:
            raise IndexError(f"{self.name}: rows {start}:{stop} are not within 0:{self.n_rows}")

    def slices(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of the blocks that cover the table: `BLOCK_ROWS` rows, fewer where rows are very wide."""
        step = block_rows(self.n_columns)
        for start in range(0, self.n_rows, step):
            yield start, min(start + step, self.n_rows)

    @property
    def ragged(self) -> bool:
        """Whether samples are sequences some of which end early. All rows may have to be read for it, once."""
        if self._ragged is None:
            self._ragged = len(self.sample_shape) == 2 and self.dtype.kind == "f" and self._ends_early()
        return self._ragged

    def _ends_early(self) -> bool:
        return any(bool(np.isnan(self.read(start, stop)[:, -1]).any()) for start, stop in self.slices())

    @property
    def value_dtype(self) -> np.dtype:
        """The dtype that tells what values mean: uint8 for bytes that are read as floats to leave room for NaN, else `dtype`."""
        return self.dtype if self._value_dtype is None else self._value_dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all rows in `dtype`, dense."""
        return self.n_rows * self.n_columns * self.dtype.itemsize

    def close(self) -> None:  # noqa: B027 - rows in memory have nothing to close
        """Let go of the file, where there is one; a later `read` opens it again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.n_rows} x {self.sample_shape}, {self.dtype})"


class ArrayRows(Rows):
    """An array (n, ...) in memory. ``array`` is its (n_rows, n_columns) C-contiguous form.

    uint8, float32 and float64 C-contiguous arrays are not copied, so ``array`` is as writable as the caller's and must
    only be read. Other real dtypes are converted as `row_dtype` says. `DataError` when the array has fewer than two
    dimensions, no rows, no columns, or is not real.
    """

    def __init__(self, array: np.ndarray, name: str = "<array>", labels: Any = None) -> None:
        refuse_masked(array, name)
        array = np.asarray(array)
        if array.dtype.kind == "O":
            array = _from_objects(array, name)
        check_shape(array.shape, name)
        dtype = row_dtype(array.dtype, name, lambda: beyond_float32(array))
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes inf, which `summarize` reports
            self.array = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape[0], -1)
        self._describe(name, array.shape, dtype, labels)

    def read(self, start: int, stop: int) -> np.ndarray:
        self._check_slice(start, stop)
        return self.array[start:stop]


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """`DataError` unless there are at least two dimensions, one row and one column."""
    if len(shape) < 2:
        found = f"one of one dimension, {shape[0]:,} numbers" if shape else "a single number"
        raise DataError(
            f"{name}: expected an array (samples, columns), found {found}; reshape it: a single column is (n, 1), a single sample"
            " (1, n)"
        )
    if len(shape) > 1 + MAX_DIMENSIONS:
        raise DataError(f"{name}: expected samples of at most {MAX_DIMENSIONS} dimensions, found {len(shape) - 1}")
    if shape[0] == 0:
        raise DataError(f"{name}: expected a sample or more, found an array of shape {shape}")
    if math.prod(shape[1:]) == 0:
        raise DataError(f"{name}: expected a column or more, found an array of shape {shape}")


def block_rows(n_columns: int) -> int:
    """Rows that are read at once where the reader may choose: `BLOCK_ROWS`, fewer when they are very wide."""
    return max(1, min(BLOCK_ROWS, _BLOCK_CELLS // n_columns))


def row_dtype(dtype: np.dtype, name: str, beyond: Callable[[], bool]) -> np.dtype:
    """The dtype that rows stored as ``dtype`` are read in: uint8, float32 or float64.

    Those three stay; float16, booleans and 8- and 16-bit integers become float32; long double becomes float64; wider
    integers become float32, or float64 when ``beyond()`` says that a value exceeds 2**24. `DataError` for the rest.
    """
    native = dtype.newbyteorder("=")
    if native in _KEPT:
        return native
    if native.kind == "c":
        raise DataError(f"{name}: Complex data not supported: expected real numbers, found dtype {dtype}")
    if native.kind not in "biuf":
        raise DataError(f"{name}: expected real numbers, found dtype {dtype}")
    if native.itemsize <= 2:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if native.kind == "f" or beyond() else np.float32)


def beyond_float32(array: np.ndarray) -> bool:
    """Whether an integer array holds a value beyond 2**24 on either side."""
    return array.size > 0 and bool(int(array.max()) > _FLOAT32_EXACT or int(array.min()) < -_FLOAT32_EXACT)


def _from_objects(array: np.ndarray, name: str) -> np.ndarray:
    """An object array of numbers (what a table of mixed number types becomes) as float64."""
    if any(isinstance(cell, str | bytes) for cell in array.flat):
        raise DataError(f"{name}: expected real numbers, found text in an array of objects")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise NotNumericError(f"{name}: expected real numbers: {error}") from error
