"""Rows that stay in an HDF5 file and are read by slices, so that a data set may be larger than memory."""

import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .files import reading
from .h5gate import dataset_at
from .memory import require_memory
from .rows import Rows, beyond_float32, block_rows, check_shape, row_dtype

_CHUNK_CACHE_BYTES = 64 << 20  # chunks of more rows than a block are then inflated once and not once a block


class H5Rows(Rows):
    """An HDF5 dataset (n, ...) read by slices, from any thread.

    ``source`` is a file's path, with ``dataset`` the path inside it, or an open h5py dataset, which stays the caller's.
    A path is opened read-only on the first `read` of each process, and checked to be the dataset it was. Dtypes other
    than uint8, float32 and float64 are converted block by block; finding whether wide integers fit into float32 takes
    one pass on opening.
    """

    in_memory = False

    def __init__(self, source: Any, dataset: str = "", name: str = "", labels: Any = None) -> None:
        is_path = isinstance(source, str | Path)
        self._path: Path | None = Path(source) if is_path else None
        self._inner = dataset
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._file: Any = None
        self._dataset: Any = None if is_path else source
        name = name or (f"{source}:{dataset}" if is_path else "<array>")
        self.name = name
        self._stored: tuple[Any, Any] | None = None
        try:
            with reading(name, "an HDF5 dataset"):
                self._inspect(labels)
        except BaseException:
            self.close()
            raise

    def read(self, start: int, stop: int) -> np.ndarray:
        self._check_slice(start, stop)
        if self._pid != os.getpid():  # the other process's handle and lock are of no use here
            self._lock, self._pid, self._file = threading.Lock(), os.getpid(), None
            self._dataset = None if self._path else self._dataset
        with self._lock, reading(self.name, "an HDF5 dataset"), np.errstate(over="ignore"):
            block = self._open()[start:stop]
            return np.ascontiguousarray(block, dtype=self.dtype).reshape(stop - start, self.n_columns)

    def close(self) -> None:
        """Close the file, if it was opened here; a later `read` opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = self._dataset = None

    def _inspect(self, labels: Any) -> None:
        stored = self._open()
        check_shape(stored.shape, self.name)
        self._stored = (stored.shape, stored.dtype)
        n_columns = math.prod(stored.shape[1:])
        step = block_rows(n_columns)
        chunk = math.prod(stored.chunks or ()) * stored.dtype.itemsize
        require_memory(self.name, max(min(step, stored.shape[0]) * n_columns * 8, chunk))
        starts = range(0, stored.shape[0], step)
        dtype = row_dtype(
            stored.dtype, self.name, lambda: any(beyond_float32(stored[start : start + step]) for start in starts)
        )
        self._describe(self.name, stored.shape, dtype, labels)

    def _open(self) -> Any:
        if self._dataset is None:
            import h5py

            self._file = h5py.File(self._path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
            self._dataset = dataset_at(self._file, self._inner, self.name)
            if self._stored and (self._dataset.shape, self._dataset.dtype) != self._stored:
                raise DataError(f"{self.name}: expected {self._stored[0]} as before, found {self._dataset.shape}")
        return self._dataset

    def __getstate__(self) -> dict[str, Any]:
        if self._path is None:
            raise TypeError("rows of an open h5py dataset cannot be pickled; open them by the file's path")
        return {**self.__dict__, "_lock": None, "_file": None, "_dataset": None, "_pid": -1}
