"""The gate: every read of a model file goes through :class:`Gate`, because h5py follows silently what a file plants.

Nothing is walked. Callers name what they expect, and the gate takes each part of the path by hard link only (no soft or
external links), wants a group or a dataset where one is expected, and leaves what is inside to :mod:`.attributes` and
:mod:`.datasets`. A group that links back to itself is harmless: nobody follows it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o

from ..errors import ModelFileError
from ..text import one_line
from .attributes import read_attribute
from .datasets import read_dataset, stored_bytes
from .elements import check_finite
from .manifest import ATTRIBUTE_BYTES, ArraySpec
from .refusal import MAX_DETAIL, inside, refusal

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Weights hardly compress, velocities and histories do; what inflates further than this is a bomb.
MAX_INFLATION = 32
_LEAST_BYTES = 48  # of a superblock, with which every file begins
_OTHER_LOCKING = "flag values don't match"
_LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link to another file"}


class Gate:
    """An open model file of ``size`` bytes; ``stored`` counts the bytes of it that the datasets read so far claim."""

    def __init__(self, file: h5py.File, size: int) -> None:
        self.size = size
        self.stored = 0
        self.groups: dict[str, Any] = {"/": file.id}

    def attribute(self, key: str, kind: str) -> Any:
        """The attribute ``path@name``; ``kind`` is a key of ``ATTRIBUTE_BYTES``."""
        path, _, name = key.rpartition("@")
        group = self._group(path)
        with inside(key):
            if not h5a.exists(group, name.encode()):
                raise refusal(key, "missing")
            return read_attribute(h5a.open(group, name.encode()), key, kind, ATTRIBUTE_BYTES[kind])

    def arrays(self, specs: dict[str, ArraySpec]) -> dict[str, np.ndarray]:
        """Path -> array, all as specified and finite. What they declare is bounded before the first is allocated."""
        declared = sum(spec.nbytes for spec in specs.values())
        if declared > MAX_INFLATION * self.size:
            text = f"declares arrays of {declared:,} bytes in a file of {self.size:,}, more than {MAX_INFLATION} times"
            raise refusal("/@config: manifest", text)
        return {path: self._array(path, spec) for path, spec in specs.items()}

    def _array(self, path: str, spec: ArraySpec) -> np.ndarray:
        dataset = self._open(path)
        if not isinstance(dataset, h5d.DatasetID):
            raise refusal(path, "expected a dataset, found a group or a type")
        with inside(path):
            self.stored += stored_bytes(dataset, path, spec)
            if self.stored > self.size:
                raise refusal(path, f"the arrays up to here claim {self.stored:,} bytes of a file of {self.size:,}")
            array = read_dataset(dataset, path, spec)
        check_finite(path, array)
        return array

    def _group(self, path: str) -> Any:
        path = path or "/"
        if path not in self.groups:
            group = self._open(path)
            if not isinstance(group, h5g.GroupID):
                raise refusal(path, "expected a group, found a dataset or a type")
            self.groups[path] = group
        return self.groups[path]

    def _open(self, path: str) -> Any:
        """Whatever the hard link at ``path`` leads to."""
        above, _, name = path.rpartition("/")
        group = self._group(above)
        with inside(path):
            if not group.links.exists(name.encode()):
                raise refusal(path, "missing")
            link = group.links.get_info(name.encode()).type
            if link != h5l.TYPE_HARD:
                raise refusal(path, f"is {_LINKS.get(link, 'a foreign link')}, only hard links are followed")
            return h5o.open(group, name.encode())


@contextmanager
def open_gate(path: str | os.PathLike[str]) -> Iterator[Gate]:
    """The gate of the model file at ``path``, for reading, without a lock: read-only media need none."""
    size = _check_file(Path(path))
    try:
        file = _open_file(path)
    except Exception as error:  # as in `inside`: the type depends on the damage
        text = one_line(error, MAX_DETAIL)
        if _OTHER_LOCKING in text:
            raise ModelFileError("is open elsewhere in this program with other locking: close it there") from error
        if "truncated" in text or "addr overflow" in text or "end of file" in text.lower():
            raise ModelFileError(f"is truncated: {size:,} bytes are not all of it") from error
        raise ModelFileError(f"is damaged, HDF5 cannot open it: {text}") from error
    with file:
        yield Gate(file, size)


def _open_file(path: str | os.PathLike[str]) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if _OTHER_LOCKING not in str(error):
            raise
        # The same program, a notebook say, has it open with h5py's defaults: HDF5 shares one handle among equals only.
        return h5py.File(path, "r")


def _check_file(path: Path) -> int:
    """The size of a regular file that begins as HDF5 files do. A signature further in (a user block) is not looked for."""
    try:
        status = path.stat()
        # Before it is opened: opening a pipe would wait for a writer.
        start = _start(path) if stat.S_ISREG(status.st_mode) else b""
    except FileNotFoundError as error:
        raise ModelFileError("no such file") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"cannot be read: {getattr(error, 'strerror', None) or one_line(error)}") from error
    if not stat.S_ISREG(status.st_mode):
        folder = stat.S_ISDIR(status.st_mode)
        raise ModelFileError(f"is {'a folder' if folder else 'not a regular file'}, expected a model file")
    if start != SIGNATURE:
        raise ModelFileError("is not an HDF5 file" + (", it is empty" if not start else ""))
    if status.st_size < _LEAST_BYTES:
        raise ModelFileError(f"is truncated: {status.st_size} bytes are not all of it")
    return status.st_size


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(SIGNATURE))
