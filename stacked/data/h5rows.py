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

_CHUNK_CACHE_BYTES = 64 << 20  # plain chunks of more rows than a block are then read once and not once a block

_State = tuple[int, int, int, int]


def _state(status: os.stat_result) -> _State:
    """What tells a file from one that was written over it or put in its place."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class H5Rows(Rows):
    """An HDF5 dataset (n, ...) read by slices, from any thread.

    ``source`` is a file's path, with ``dataset`` the path inside it, or an open h5py dataset. That stays the caller's, with
    whatever filters and links it has: h5py reads it, and nothing here guards it. A path is opened read-only on the first
    `read` of each process, past the gate and the guard of compressed chunks. Its file must stay the one it was at first, by
    inode, size and time of modification: `DataError` from the first `read` after a change. Dtypes other than uint8, float32
    and float64 are converted block by block; finding whether wide integers fit into float32 takes one pass on opening.
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
        self._state: _State | None = None
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
            block = self._read_unchanged(start, stop)
            return np.ascontiguousarray(block, dtype=self.dtype).reshape(stop - start, self.n_columns)

    def close(self) -> None:
        """Close the file, if it was opened here; a later `read` opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = self._dataset = None

    def _read_unchanged(self, start: int, stop: int) -> np.ndarray:
        """Looks at the file after the rows are read: then what was read is what was there on opening."""
        try:
            block = self._open()[start:stop]
        except DataError:
            raise
        except Exception:
            self._check_unchanged()
            raise
        self._check_unchanged()
        return block

    def _check_unchanged(self) -> None:
        if self._path is None or self._state is None:
            return
        try:
            now = _state(self._path.stat())
        except FileNotFoundError:  # a removed file can be read as long as it is open
            now = self._state if self._file is None else _state(os.fstat(self._file.id.get_vfd_handle()))
        if now != self._state:
            raise DataError(
                f"{self.name}: expected the file that was opened, found that it changed while it was read; "
                "start again, and do not write to it meanwhile"
            )

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
        self._check_unchanged()
        self._describe(self.name, stored.shape, dtype, labels)

    def _open(self) -> Any:
        if self._dataset is None:
            import h5py

            from .h5table import table_of

            self._file = h5py.File(self._path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
            dataset = dataset_at(self._file, self._inner, self.name)
            if self._stored and (dataset.shape, dataset.dtype) != self._stored:
                raise DataError(f"{self.name}: expected {self._stored[0]} as before, found {dataset.shape}")
            self._state = self._state or _state(os.fstat(self._file.id.get_vfd_handle()))
            self._check_unchanged()
            self._dataset = table_of(dataset, self.name)
        return self._dataset

    def __getstate__(self) -> dict[str, Any]:
        if self._path is None:
            raise TypeError("rows of an open h5py dataset cannot be pickled; open them by the file's path")
        return {**self.__dict__, "_lock": None, "_file": None, "_dataset": None, "_pid": -1}
