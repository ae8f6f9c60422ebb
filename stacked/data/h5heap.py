"""Text of variable length in an HDF5 file, as h5py writes str: read here, because the library may never return from a damaged heap.

An element is its length (4 bytes), the address of a collection (8) and a number in it (4). A collection is "GCOL", version 1, three
zeros, its size (8), and objects: number (2), uses (2), zeros (4), size (8), and the bytes, filled up to a multiple of 8; number 0
ends it (HDF5 File Format Specification 3.0, III.E).
"""

import math
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..chunks import Chunks
from ..errors import DataError
from .memory import require_memory

_ELEMENT = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
_HEAD, _OBJECT = struct.Struct("<4sB3xQ"), struct.Struct("<H6xQ")
_LONGEST = 1 << 12  # bytes of a label


def read_texts(dataset: Any, name: str) -> np.ndarray:
    """The texts (n,) of a dataset of n elements that passed the gate; `DataError` for references that lead nowhere."""
    plist = dataset.file.id.get_create_plist()
    if plist.get_sizes() != (8, 8) or plist.get_userblock():
        raise DataError(
            f"{name}: expected text in a file with addresses of 8 bytes and no user block, found another one"
        )
    elements = _elements(dataset, name)
    if len(elements) and int(elements["length"].max()) > _LONGEST:
        raise DataError(
            f"{name}: expected labels of at most {_LONGEST:,} bytes, found {int(elements['length'].max()):,}"
        )
    require_memory(name, 4 * len(elements) * int(elements["length"].max(initial=1)))
    with Path(dataset.file.filename).open("rb") as stream:
        heap = _Heap(stream, Path(dataset.file.filename).stat().st_size, name)
        return np.array([heap.text(*element) for element in elements.tolist()], dtype=str)


def _elements(dataset: Any, name: str) -> np.ndarray:
    """The references as they are stored."""
    count, plist = math.prod(dataset.shape), dataset.id.get_create_plist()
    if dataset.chunks:
        found = Chunks(dataset.id, plist, _ELEMENT.itemsize)
        places = [tuple(place) for place in found.stored(0, found.counts[0]).tolist()]
        if len(places) != found.counts[0] or math.prod(found.counts) != found.counts[0]:
            raise DataError(f"{name}: expected all of its text in the file, found chunks that are not there")
        return np.frombuffer(b"".join(found.read(place) or b"" for place in places), _ELEMENT)[:count]
    offset = dataset.id.get_offset()
    if offset is None:
        raise DataError(f"{name}: expected text stored in one piece or in chunks, found another layout")
    with Path(dataset.file.filename).open("rb") as stream:
        stream.seek(offset)
        block = stream.read(count * _ELEMENT.itemsize)
    if len(block) != count * _ELEMENT.itemsize:
        raise DataError(f"{name}: expected {count} texts, found that the file ends before")
    return np.frombuffer(block, _ELEMENT)


class _Heap:
    """The collections of a file, each looked through once."""

    def __init__(self, stream: IO[bytes], size: int, name: str) -> None:
        self._stream, self._size, self._name = stream, size, name
        self._left = size  # bytes of collections that may still be read: they do not overlap
        self._collections: dict[int, dict[int, bytes]] = {}

    def text(self, length: int, address: int, number: int) -> str:
        """The text that an element refers to; nothing for one of no length."""
        if not length:
            return ""
        if address not in self._collections:
            self._collections[address] = self._collection(address)
        found = self._collections[address].get(number)
        if found is None or len(found) < length:
            raise DataError(f"{self._name}: expected text of {length} bytes, found a damaged heap")
        return found[:length].decode("utf-8")

    def _collection(self, address: int) -> dict[int, bytes]:
        if address > self._size - _HEAD.size:
            raise DataError(f"{self._name}: expected text inside of the file, found an address beyond its end")
        self._stream.seek(address)
        signature, version, size = _HEAD.unpack(self._stream.read(_HEAD.size))
        if signature != b"GCOL" or version != 1 or not _HEAD.size <= size <= min(self._left, self._size - address):
            raise DataError(f"{self._name}: expected a heap of text, found a damaged one")
        self._left -= size
        block, at, found = self._stream.read(size - _HEAD.size), 0, {}
        while at + _OBJECT.size <= len(block):
            number, length = _OBJECT.unpack_from(block, at)
            if not number:
                break
            at += _OBJECT.size
            found[number] = block[at : at + length]
            at += -(-length // 8) * 8
        return found
