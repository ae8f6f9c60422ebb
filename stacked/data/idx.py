"""IDX files, the format of MNIST (Y. LeCun, C. Cortes, C. Burges), compressed by gzip or not.

Two zero bytes, a byte for the dtype, a byte for the number of dimensions, each dimension as a big-endian 32-bit number,
then the numbers, big-endian, the last dimension running fastest.
"""

import math
from pathlib import Path

import numpy as np

from ..errors import DataError
from .files import check_declared, open_stream, read_exactly, reading

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 32


def is_idx(start: bytes) -> bool:
    """Whether the first four bytes of a (decompressed) file are an IDX magic number."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in _DTYPES and 1 <= start[3] <= _MAX_DIMENSIONS


def read_idx(path: Path, name: str) -> np.ndarray:
    """The array of an IDX file, in its own shape and dtype.

    `DataError` when it is truncated or damaged, or when its size is not the one that its header declares, which is
    found out before memory is asked for.
    """
    with reading(name, "an IDX file"), open_stream(path) as stream:
        magic = stream.read(4)
        if not is_idx(magic):
            raise DataError(
                f"{name}: expected an IDX file, which starts with 00 00 and a dtype, found {magic.hex(' ')}"
            )
        dtype, dimensions = np.dtype(_DTYPES[magic[2]]), magic[3]
        sizes = stream.read(4 * dimensions)
        if len(sizes) < 4 * dimensions:
            raise DataError(
                f"{name}: expected {dimensions} dimensions in the IDX header, found its end: it is truncated"
            )
        shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
        body = math.prod(shape) * dtype.itemsize
        header = f"{' x '.join(map(str, shape))} numbers of {dtype.newbyteorder('=').name}"
        check_declared(name, path, 4 + len(sizes) + body, body, header)
        return read_exactly(stream, body, name, header).view(dtype).reshape(shape)
