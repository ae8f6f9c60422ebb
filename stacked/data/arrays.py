"""NumPy's .npy and .npz files, read without pickle and with their headers checked against the bytes that are there.

Members of an .npz are stored or deflated, as NumPy and SciPy write them: Python's other decompressors inflate all of what
they are given at once, whatever is asked of them.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ..errors import DataError
from ..text import one_line
from . import memory
from .files import MAX_DEFLATE_RATIO, check_declared, read_exactly, reading
from .keys import LENGTHS, VALUES, Shape, choose_data, choose_labels, holds_sequences, label_keys, listing
from .labels import optional_labels
from .rows import ArrayRows, Rows
from .sequences import sequence_rows

_METHODS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MAX_DEFLATE_RATIO}  # how many times they may inflate
_LONGEST_HEADER = 10_000  # NumPy's own limit, which it applies to what it has read already


class Header(NamedTuple):
    """What an .npy header declares."""

    shape: Shape
    dtype: np.dtype
    fortran: bool

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.shape} of {self.dtype}"


def read_npy(path: Path, name: str) -> np.ndarray:
    """The array of an .npy file; `DataError` when it is damaged, holds objects, or is not as long as it says."""
    with reading(name, "an .npy file"), path.open("rb") as stream:
        header = _read_header(stream, name)
        check_declared(name, path, stream.tell() + header.nbytes, header.nbytes, str(header))
        return _read_body(stream, header, name)


def open_npz(path: Path, key: str | None, name: str) -> Rows:
    """The rows of an .npz file: the array ``key``, or the one that `choose_data` finds, with the labels beside it.

    A file that SciPy's ``save_npz`` wrote gives `SparseRows`, one of ``values`` (S, D) and ``lengths`` (N,) sequences.
    """
    with _members(path, name) as members:
        if key is None and {"format", "shape", "data"} <= members.names:
            from .sparse import PARTS, rows_from_members

            return rows_from_members(members.arrays(members.names & PARTS), name)
        if key is None and holds_sequences(members.shapes()):
            key = VALUES
            rows = sequence_rows(ArrayRows(members.array(VALUES), name), members.array(LENGTHS), name)
        else:
            key = choose_data(members.shapes(), name) if key is None else key
            rows = ArrayRows(members.array(key), name)
        rows.labels = _labels_beside(members, key, rows.n_rows, name)
        return rows


def _labels_beside(members: "_Members", key: str, n_rows: int, name: str) -> np.ndarray | None:
    for candidate in label_keys(key):
        if candidate in members.names:
            shape = members.header(candidate).shape
            if shape[:1] == (n_rows,) and math.prod(shape) == n_rows:
                labels = optional_labels(members.array(candidate), n_rows, name)
                if labels is not None:
                    return labels
    return None


def read_npz_labels(path: Path, key: str | None, name: str) -> np.ndarray:
    """The array ``key`` of an .npz file, or its only column, or the one with a usual name for labels."""
    with _members(path, name) as members:
        return members.array(choose_labels(members.shapes(), name) if key is None else key)


class _Members:
    """The arrays of an open .npz file by key; headers are read alone, arrays only when asked for."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive, self._name = archive, name
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            key, _, suffix = info.filename.rpartition(".")
            if suffix == "npy":
                if key in self._infos:
                    raise DataError(f"{name}: expected one array called {one_line(key)!r}, found several")
                self._infos[key] = info

    @property
    def names(self) -> set[str]:
        return set(self._infos)

    def header(self, key: str) -> Header:
        with self._open(key) as stream:
            return _read_header(stream, self._named(key), refuse=False)

    def shapes(self) -> dict[str, Shape]:
        return {key: self.header(key).shape for key in self._infos}

    def array(self, key: str) -> np.ndarray:
        if key not in self._infos:
            raise DataError(f"{self._name}: expected an array called {key!r}, found {listing(self.shapes())}")
        info, name = self._infos[key], self._named(key)
        with self._open(key) as stream:
            header = _read_header(stream, name)
            declared = stream.tell() + header.nbytes
            if declared != info.file_size or declared > info.compress_size * _METHODS[info.compress_type]:
                raise DataError(
                    f"{name}: expected {declared} bytes for {header}, found {info.file_size} in the archive"
                )
            memory.require_memory(name, header.nbytes)
            return _read_body(stream, header, name)

    def arrays(self, keys: set[str]) -> dict[str, np.ndarray]:
        """Several at once, which fit into memory together."""
        memory.require_memory(self._name, sum(self.header(key).nbytes for key in keys))
        return {key: self.array(key) for key in sorted(keys)}

    def _open(self, key: str) -> IO[bytes]:
        info = self._infos[key]
        if info.compress_type not in _METHODS:
            raise DataError(
                f"{self._named(key)}: expected a stored or deflated member, found compression method "
                f"{info.compress_type}; numpy.savez_compressed writes what is read"
            )
        return self._archive.open(info)

    def _named(self, key: str) -> str:
        return f"{self._name} ({one_line(key)})"


@contextmanager
def _members(path: Path, name: str) -> Iterator[_Members]:
    with reading(name, "an .npz file"), zipfile.ZipFile(path) as archive:
        yield _Members(archive, name)


def _read_header(stream: IO[bytes], name: str, refuse: bool = True) -> Header:
    """The header at the start of the stream; `DataError` for damaged ones, and for objects if ``refuse``."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise DataError(f"{name}: expected .npy format version 1.0 or 2.0, found {version[0]}.{version[1]}")
    size = stream.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(size, "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"{name}: expected a header of at most {_LONGEST_HEADER} bytes, found one of {length}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 2 wrote numbers that are read all the same
        shape, fortran, dtype = readers[version](io.BytesIO(size + stream.read(length)))
    if any(size < 0 for size in shape):
        raise DataError(f"{name}: expected sizes of 0 or more, found shape {shape}")
    if refuse and (dtype.hasobject or dtype.kind not in "biufcUS"):
        raise DataError(f"{name}: expected an array of numbers or text, found dtype {dtype}")
    return Header(tuple(shape), dtype, fortran)


def _read_body(stream: IO[bytes], header: Header, name: str) -> np.ndarray:
    flat = read_exactly(stream, header.nbytes, name, str(header))
    if header.nbytes == 0:
        return np.empty(header.shape, header.dtype)
    return flat.view(header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
