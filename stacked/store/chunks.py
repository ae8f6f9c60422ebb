"""Chunked datasets, decoded here and not by HDF5.

HDF5 inflates whatever a chunk holds before it compares the size with the chunk's; here a stream stops at that size. Each
chunk's filters are undone from the last to the first: fletcher32 (four bytes at the end, not needed beside the digest),
gzip (a zlib stream), shuffle (all first bytes of the numbers, then all second bytes, ...).
"""

from __future__ import annotations

import itertools
import math
import zlib
from typing import Any

import numpy as np
from h5py import h5z

from .layout import ArraySpec
from .refusal import refusal

FILTERS = {h5z.FILTER_DEFLATE: "gzip", h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: "fletcher32"}
MAX_RATIO = 1100  # a zlib stream grows at most 1032 times when it is inflated
_CHECKSUM_BYTES = 4
_SPARE_BYTES = 1 << 20


def read_chunks(dataset: Any, plist: Any, path: str, spec: ArraySpec) -> np.ndarray:
    """The array, from chunks that all lie in the file."""
    chunk, filters = plist.get_chunk(), [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    nbytes = math.prod(chunk) * spec.dtype.itemsize
    if nbytes > spec.nbytes + _SPARE_BYTES or len(set(filters)) != len(filters):
        raise refusal(path, f"is cut into chunks of {nbytes:,} bytes with the filters {filters}")
    starts = [range(0, length, step) for length, step in zip(spec.shape, chunk, strict=True)]
    stored = dataset.get_storage_size()
    if math.prod(map(len, starts)) > stored:
        raise refusal(path, f"is cut into {math.prod(map(len, starts)):,} chunks, but only {stored:,} bytes are stored")
    array = np.empty(spec.shape, spec.dtype)
    for start in itertools.product(*starts):
        values = np.frombuffer(_decode(*_raw(dataset, path, start, stored), filters, path, spec, nbytes), spec.dtype)
        target = array[tuple(slice(a, a + step) for a, step in zip(start, chunk, strict=True))]
        target[...] = values.reshape(chunk)[tuple(map(slice, target.shape))]
    return array


def _raw(dataset: Any, path: str, start: tuple[int, ...], most: int) -> tuple[bytes, int]:
    """The stored bytes of the chunk that begins at ``start``, and which filters were left out for it."""
    info = dataset.get_chunk_info_by_coord(start)
    if info.byte_offset is None or not 0 < info.size <= most:
        raise refusal(path, f"the chunk at {start} is not in the file")
    mask, block = dataset.read_direct_chunk(start)
    return block, mask


def _decode(block: bytes, mask: int, filters: list[int], path: str, spec: ArraySpec, nbytes: int) -> bytes:
    for i in reversed(range(len(filters))):
        if mask >> i & 1:
            continue
        if filters[i] == h5z.FILTER_FLETCHER32:
            block = block[:-_CHECKSUM_BYTES]
        elif filters[i] == h5z.FILTER_DEFLATE:
            block = zlib.decompressobj().decompress(block, nbytes + _CHECKSUM_BYTES + 1)
        else:
            whole = len(block) // spec.dtype.itemsize * spec.dtype.itemsize
            planes = np.frombuffer(block[:whole], np.uint8).reshape(spec.dtype.itemsize, -1)
            block = planes.T.tobytes() + block[whole:]
    if len(block) != nbytes:
        raise refusal(path, f"a chunk holds {len(block):,} bytes, expected {nbytes:,}")
    return block
