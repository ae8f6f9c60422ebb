"""Chunked datasets of model files: chunks that all lie in the file, decoded by :mod:`stacked.chunks`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from h5py import h5z

from ..chunks import FILTERS as DECODED
from ..chunks import ChunkError, Chunks, filters_of
from .manifest import ArraySpec
from .refusal import refusal

FILTERS = {code: DECODED[code] for code in (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)}
MAX_RATIO = 1100  # a zlib stream grows at most 1032 times when it is inflated
_SPARE_BYTES = 1 << 20


def read_chunks(dataset: Any, plist: Any, path: str, spec: ArraySpec) -> np.ndarray:
    """The array, from chunks that all lie in the file."""
    chunk, filters = plist.get_chunk(), [code for code, _ in filters_of(plist)]
    nbytes = math.prod(chunk) * spec.dtype.itemsize
    if nbytes > spec.nbytes + _SPARE_BYTES or len(set(filters)) != len(filters):
        raise refusal(path, f"is cut into chunks of {nbytes:,} bytes with the filters {filters}")
    count = math.prod(-(-length // step) for length, step in zip(spec.shape, chunk, strict=True))
    stored = dataset.get_storage_size()
    if count > stored:
        raise refusal(path, f"is cut into {count:,} chunks, but only {stored:,} bytes are stored")
    try:
        return _assembled(Chunks(dataset, plist), path, spec)
    except ChunkError as error:
        raise refusal(path, str(error)) from error


def _assembled(chunks: Chunks, path: str, spec: ArraySpec) -> np.ndarray:
    array = np.empty(spec.shape, spec.dtype)
    for place in itertools.product(*map(range, chunks.counts)):
        start = tuple(map(int.__mul__, place, chunks.chunk))
        block = chunks.read(place)
        if block is None:
            raise refusal(path, f"the chunk at {start} is not in the file")
        target = array[tuple(slice(a, a + step) for a, step in zip(start, chunks.chunk, strict=True))]
        target[...] = np.frombuffer(block, spec.dtype).reshape(chunks.chunk)[tuple(map(slice, target.shape))]
    return array
