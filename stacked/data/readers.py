"""DATA: one word of the command line that names rows, or a column of labels, in any of the forms that are read.

A built-in name comes first, then a file or folder of exactly that name, then the longest existing one before a colon,
with the key behind it. What a file holds is told by its first bytes, tables of text by their suffix.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..text import one_line
from .arrays import open_npz, read_npy, read_npz_labels
from .builtin import BUILTIN_NAMES, is_builtin, open_builtin
from .files import SUPPORTED, exists, first_bytes, is_gzip, reading
from .hdf5 import open_hdf5, read_hdf5_labels
from .idx import is_idx, read_idx
from .images import open_images
from .labels import as_labels, check_count
from .rows import ArrayRows, Rows
from .tables import open_table, read_table_labels


class _Format(NamedTuple):
    """How a form is read: (path, key, name) -> rows, and -> a column; and in which of the two it takes a key."""

    rows: Callable[[Path, str | None, str], Rows]
    column: Callable[[Path, str | None, str], np.ndarray]
    keyed_rows: bool = False
    keyed_column: bool = False


def _images_column(path: Path, key: str | None, name: str) -> np.ndarray:
    return _labels_of(open_images(path, name))


_IDX = _Format(
    lambda path, key, name: ArrayRows(read_idx(path, name), name), lambda path, key, name: read_idx(path, name)
)
_NPY = _Format(
    lambda path, key, name: ArrayRows(read_npy(path, name), name), lambda path, key, name: read_npy(path, name)
)
_NPZ = _Format(open_npz, read_npz_labels, True, True)
_HDF5 = _Format(open_hdf5, read_hdf5_labels, True, True)
_TABLE = _Format(lambda path, key, name: open_table(path, name), read_table_labels, False, True)
_IMAGES = _Format(lambda path, key, name: open_images(path, name), _images_column)

_MAGIC = ((b"\x93NUMPY", _NPY), (b"PK\x03\x04", _NPZ), (b"PK\x05\x06", _NPZ), (b"\x89HDF\r\n\x1a\n", _HDF5))


def open_data(spec: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None) -> Rows:
    """Open DATA: IDX, .npy, .npz[:key], .h5[:/path], .csv, .tsv, a folder of images, a sparse .npz, or a built-in name.

    ``labels`` is another DATA that gives one column, integers or text, one a row; without it the rows have the labels
    that their own file carries, if any. Every expected failure is a `DataError` of one line that names the file, what
    was expected and what was found. HDF5 datasets beyond a quarter of the available memory are streamed, all other
    forms are loaded.
    """
    spec = os.fspath(spec)
    name = spec if spec.isprintable() else one_line(spec)
    if is_builtin(spec):
        rows = open_builtin(name)
    else:
        path, key = _locate(spec, name)
        rows = _format(path, key, name, for_rows=True).rows(path, key, name)
    if labels is not None:
        try:
            rows.labels = _open_labels(os.fspath(labels), rows)
        except BaseException:
            rows.close()
            raise
    return rows


def _open_labels(spec: str, rows: Rows) -> np.ndarray:
    name = one_line(spec)
    with reading(name, "labels"):
        if is_builtin(spec):
            labels = _labels_of(open_builtin(name))
        else:
            path, key = _locate(spec, name)
            labels = as_labels(_format(path, key, name, for_rows=False).column(path, key, name), name)
    check_count(labels, rows.n_rows, name, rows.name)
    return labels


def _labels_of(rows: Rows) -> np.ndarray:
    if rows.labels is None:
        raise DataError(f"{rows.name}: expected labels, found rows without any")
    return rows.labels


def _locate(spec: str, name: str) -> tuple[Path, str | None]:
    """The path of an existing file or folder and the key, if any, behind it."""
    if spec and exists(spec):
        return Path(spec), None
    at = len(spec)
    while (at := spec.rfind(":", 0, at)) > 0:
        if exists(spec[:at]):
            return Path(spec[:at]), spec[at + 1 :]
    builtin = ", ".join(BUILTIN_NAMES)
    raise DataError(
        f"{name or 'DATA'}: expected a file, a folder or a built-in set ({builtin}), found nothing of this name"
    )


def _format(path: Path, key: str | None, name: str, for_rows: bool) -> _Format:
    with reading(name, "data"):
        found = _IMAGES if path.is_dir() else _file_format(path, name)
    if key is not None and not (found.keyed_rows if for_rows else found.keyed_column):
        raise DataError(f"{name}: expected no key behind this kind of file, found {key!r}; .npz and .h5 take one")
    return found


def _file_format(path: Path, name: str) -> _Format:
    if not path.is_file():
        raise DataError(f"{name}: expected a regular file or a folder, found neither")
    if path.stat().st_size == 0:
        raise DataError(f"{name}: expected data, found an empty file")
    start = first_bytes(path, 8)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if is_idx(start):
        return _IDX
    if not is_gzip(path):
        for magic, found in _MAGIC:
            if start.startswith(magic):
                return found
        if suffixes and suffixes[-1] in (".h5", ".hdf5"):  # with a user block the signature is further on
            return _HDF5
    if suffixes and (suffixes[-1] in (".csv", ".tsv") or (suffixes[-1] == ".gz" and suffixes[0] in (".csv", ".tsv"))):
        return _TABLE
    raise DataError(f"{name}: expected {SUPPORTED}, found a file that starts with {start.hex(' ') or 'nothing'}")
