"""HDF5 datasets by ranges of rows; compressed ones past the guard of :mod:`stacked.chunks`, which is also that of model files.

What HDF5 reads without decoding anything (contiguous, compact, or plain chunks) it reads itself.
"""

import math
from typing import Any

import numpy as np
from h5py import h5t

from ..chunks import Chunks
from .memory import require_memory

_KEPT_BYTES = 64 << 20  # chunks of more rows than a block are then inflated once and not once a block


def table_of(dataset: Any, name: str) -> Any:
    """An h5py dataset that passed the gate as something with ``shape``, ``dtype``, ``chunks`` and ``[start:stop]``."""
    return CompressedTable(dataset, name) if dataset.id.get_create_plist().get_nfilters() else dataset


class CompressedTable:
    """The rows of a dataset in compressed chunks. One that the file does not store holds the dataset's fill value."""

    def __init__(self, dataset: Any, name: str) -> None:
        self.shape, self.dtype, self.chunks = dataset.shape, dataset.dtype, dataset.chunks
        self._fill, self._stored_type = dataset.fillvalue, dataset.id.get_type()
        self._chunks = Chunks(dataset.id, dataset.id.get_create_plist())
        require_memory(name, 2 * self._chunks.nbytes)
        self._kept: dict[tuple[int, ...], np.ndarray] = {}

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.shape[0])
        out = np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype)
        if out.size:
            self._read(start, stop, out)
        return out

    def _read(self, start: int, stop: int, out: np.ndarray) -> None:
        height = self.chunks[0]
        first_band, last_band = start // height, -(-stop // height)
        places = self._chunks.stored(first_band, last_band)
        if len(places) < (last_band - first_band) * math.prod(self._chunks.counts[1:]):
            out[...] = self._fill
        for place in map(tuple, places.tolist()):
            corner = [at * step for at, step in zip(place, self.chunks, strict=True)]
            first, last = max(start, corner[0]), min(stop, corner[0] + height)
            beside = [slice(at, at + step) for at, step in zip(corner[1:], self.chunks[1:], strict=True)]
            target = out[first - start : last - start, *beside]
            chunk = self._chunk(place, keep=last - first < height)
            inside = map(slice, target.shape[1:])  # the last chunks reach beyond the table
            target[...] = chunk[first - corner[0] : last - corner[0], *inside]

    def _chunk(self, place: tuple[int, ...], keep: bool) -> np.ndarray:
        """A decoded chunk; those of which only a part is wanted now are kept, the oldest going first."""
        if place in self._kept:
            return self._kept[place]
        block = self._chunks.read(place)
        assert block is not None
        chunk = self._numbers(block).reshape(self.chunks)
        if keep and chunk.nbytes <= _KEPT_BYTES:
            while (len(self._kept) + 1) * chunk.nbytes > _KEPT_BYTES:
                del self._kept[next(iter(self._kept))]
            self._kept[place] = chunk
        return chunk

    def _numbers(self, block: bytes) -> np.ndarray:
        """The numbers in NumPy's dtype; other types (text padded with blanks) HDF5 converts."""
        wanted = h5t.py_create(self.dtype, logical=True)
        if self._stored_type.equal(wanted):
            return np.frombuffer(block, self.dtype)
        count = len(block) // self._stored_type.get_size()
        room = bytearray(count * max(self._stored_type.get_size(), self.dtype.itemsize))
        room[: len(block)] = block
        buffer = np.frombuffer(room, np.uint8)
        h5t.convert(self._stored_type, wanted, count, buffer)
        return buffer[: count * self.dtype.itemsize].view(self.dtype)
