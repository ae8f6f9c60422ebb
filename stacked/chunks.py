"""Compressed chunks of an HDF5 dataset, decoded here and not by HDF5: the one guard of model files and of data.

HDF5 inflates whatever a chunk holds before it compares the size with the chunk's; here a stream stops at that size. Each
chunk's filters are undone from the last to the first: fletcher32 (four bytes at the end), gzip (a zlib stream), shuffle (all
first bytes of the numbers, then all second bytes, ...), and lzf (Marc Lehmann's LibLZF, as h5py writes it), which h5py's own
filter does not hold to any length: a shorter stream leaves what was in memory.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from h5py import h5z

LZF = 32000  # as registered by h5py
FILTERS = {h5z.FILTER_DEFLATE: "gzip", h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: "fletcher32", LZF: "lzf"}
MAX_CHUNKS = 1 << 27
MAX_CHUNK_BYTES = 64 << 20  # of a chunk that is larger than its table, which can still grow
_SPARE_BYTES = 1 << 20  # that a chunk may be longer than its numbers: gzip adds a thousandth to what it cannot shrink
_CHECKSUM_BYTES = 4
_WORDS = 1 << 15  # of a checksum at a time: the sums stay whole in float64
_WEIGHTS = np.arange(_WORDS, 0, -1.0)


class ChunkError(ValueError):
    """A chunk, or the list of chunks, is not what the dataset declares."""


def filters_of(plist: Any) -> list[tuple[int, str]]:
    """(code, name) of the filters in the order in which they were applied; the name as the file gives it."""
    found = (plist.get_filter(i) for i in range(plist.get_nfilters()))
    return [(code, FILTERS.get(code) or name.decode(errors="replace")) for code, _, _, name in found]


class Chunks:
    """The chunks of an open dataset (h5py's `DatasetID`) whose filters are all in `FILTERS`, each read by its place.

    ``itemsize`` is given where elements have another size in the file than in memory.

    Attributes: ``chunk`` (the shape of one), ``nbytes`` (of one, decoded), ``counts`` (how many there are along each dimension).
    """

    def __init__(self, dataset: Any, plist: Any, itemsize: int | None = None) -> None:
        self._dataset = dataset
        self._filters = [code for code, _ in filters_of(plist)]
        self.chunk: tuple[int, ...] = plist.get_chunk()
        self._itemsize = itemsize or dataset.get_type().get_size()
        self.nbytes = math.prod(self.chunk) * self._itemsize
        self.counts = tuple(-(-length // step) for length, step in zip(dataset.shape, self.chunk, strict=True))
        if len(set(self._filters)) != len(self._filters):
            raise ChunkError(f"is cut into chunks with the filters {self._filters}, expected each once")
        table = math.prod(dataset.shape) * self._itemsize
        if self.nbytes > max(table, MAX_CHUNK_BYTES):
            raise ChunkError(f"is cut into chunks of {self.nbytes:,} bytes, for a table of {table:,}")
        self._present = self._listed()

    def stored(self, first: int, stop: int) -> np.ndarray:
        """Places (n, dimensions) of the chunks that the file stores, of those numbered ``first`` to ``stop`` along the rows."""
        present = np.frombuffer(self._present, np.uint8).reshape(self.counts)
        places = np.argwhere(present[first:stop])
        places[:, 0] += first
        return places

    def read(self, place: tuple[int, ...]) -> bytes | None:
        """The decoded bytes of chunk number ``place`` along each dimension, or None where the file stores none."""
        if not self._present[self._number(place)]:
            return None
        mask, block = self._dataset.read_direct_chunk(tuple(map(int.__mul__, place, self.chunk)))
        return self._decode(block, mask)

    def _listed(self) -> bytearray:
        """1 for each chunk that is stored, from one walk along the index: looking up one by one would walk it each time."""
        if math.prod(self.counts) > MAX_CHUNKS:
            raise ChunkError(f"is cut into {math.prod(self.counts):,} chunks, expected at most {MAX_CHUNKS:,}")
        present = bytearray(math.prod(self.counts))
        most = self.nbytes + self.nbytes // 64 + _SPARE_BYTES

        def note(info: Any) -> None:
            place, rest = zip(*map(divmod, info.chunk_offset, self.chunk), strict=True)
            if any(rest) or any(map(int.__ge__, place, self.counts)) or present[self._number(place)]:
                raise ChunkError(f"lists a chunk at {info.chunk_offset} that is outside of it or there already")
            if info.byte_offset is None or not 0 < info.size <= most:
                raise ChunkError(f"stores {info.size:,} bytes for a chunk of {self.nbytes:,}")
            present[self._number(place)] = 1

        self._dataset.chunk_iter(note)
        return present

    def _number(self, place: tuple[int, ...]) -> int:
        number = 0
        for at, count in zip(place, self.counts, strict=True):
            number = number * count + at
        return number

    def _decode(self, block: bytes, mask: int) -> bytes:
        """The numbers' bytes; filters whose bit is set in ``mask`` were left out when the chunk was written."""
        for i in reversed(range(len(self._filters))):
            if mask >> i & 1:
                continue
            if self._filters[i] == h5z.FILTER_FLETCHER32:
                block = _checked(block)
            elif self._filters[i] == h5z.FILTER_SHUFFLE:
                block = _unshuffled(block, self._itemsize)
            else:
                expand = _inflated if self._filters[i] == h5z.FILTER_DEFLATE else _unpacked
                block = expand(block, self.nbytes + _CHECKSUM_BYTES + 1)
        if len(block) != self.nbytes:
            raise ChunkError(f"a chunk holds {len(block):,} bytes, expected {self.nbytes:,}")
        return block


def _inflated(block: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    out = stream.decompress(block, most)
    if not stream.eof and len(out) < most:
        raise ChunkError("a chunk's gzip stream is cut short")
    return out


def _unshuffled(block: bytes, itemsize: int) -> bytes:
    if itemsize == 1:
        return block
    whole = len(block) // itemsize * itemsize
    planes = np.frombuffer(block[:whole], np.uint8).reshape(itemsize, -1)
    return planes.T.tobytes() + block[whole:]


def _unpacked(block: bytes, most: int) -> bytes:
    """LZF: a byte below 32 is followed by one more literals than it says, another is a copy of what came before."""
    out, at = bytearray(), 0
    try:
        while at < len(block) and len(out) < most:
            control = block[at]
            if control < 32:
                out += block[at + 1 : at + control + 2]
                at += control + 2
                continue
            at += 1 + (control >= 224)
            length = (control >> 5) + 2 if control < 224 else block[at - 1] + 9
            start = len(out) - ((control & 31) << 8) - block[at] - 1
            at += 1
            if start < 0:
                raise ChunkError("a chunk's lzf stream is damaged")
            piece = out[start : start + length]  # it may reach into itself: then it repeats
            out += piece if len(piece) == length else (piece * length)[:length]
    except IndexError as error:
        raise ChunkError("a chunk's lzf stream is cut short") from error
    return bytes(out)


def _checked(block: bytes) -> bytes:
    """The block without its checksum: Fletcher's two sums of 16-bit words, modulo 65535, as HDF5 stores them."""
    body, stored = block[:-_CHECKSUM_BYTES], int.from_bytes(block[-_CHECKSUM_BYTES:], "little")
    words = np.frombuffer(body + bytes(len(body) % 2), "<u2")  # big-endian ones are 256 times as much, modulo 65535
    first = second = 0
    for start in range(0, len(words), _WORDS):
        piece = words[start : start + _WORDS].astype(np.float64)
        second += first * len(piece) + 256 * int(
            (_WEIGHTS[-len(piece) :] * piece).sum()
        )  # no BLAS: it would wake its threads
        first += 256 * int(piece.sum())
    if (first - (stored & 0xFFFF)) % 65535 or (second - (stored >> 16)) % 65535:
        raise ChunkError("a chunk's checksum (fletcher32) is not that of its bytes: the file is damaged")
    return body
