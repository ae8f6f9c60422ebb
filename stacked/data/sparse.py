"""Sparse rows: a SciPy CSR matrix that stays sparse and is made dense a block at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DataError
from .memory import require_memory
from .rows import Rows, beyond_float32, block_rows, check_shape, row_dtype

PARTS = {"format", "shape", "data", "indices", "indptr", "row", "col"}  # of a file that SciPy wrote
_MOST_EMPTY = 1 << 20  # rows, or columns, that may be declared whatever is stored
_COMPRESSED = ("csr", "csc", "bsr")


class SparseRows(Rows):
    """A SciPy sparse matrix (n_rows, n_columns), kept as CSR in ``matrix``.

    Blocks are read in the dtypes that dense arrays keep: uint8 stays, other integers become float32 or float64. A CSR matrix
    of the right dtype is not copied, and never changed.
    """

    def __init__(self, matrix: Any, name: str = "<array>", labels: Any = None) -> None:
        check_shape(matrix.shape, name)
        if len(matrix.shape) != 2:
            raise DataError(f"{name}: expected a sparse matrix with two dimensions, found shape {matrix.shape}")
        require_memory(name, min(block_rows(matrix.shape[1]), matrix.shape[0]) * matrix.shape[1] * 8)
        dtype = row_dtype(matrix.dtype, name, lambda: beyond_float32(matrix.tocoo().data))
        self.matrix = matrix.tocsr().astype(dtype, copy=False)
        self._describe(name, tuple(int(size) for size in matrix.shape), dtype, labels)

    def read(self, start: int, stop: int) -> np.ndarray:
        self._check_slice(start, stop)
        return self.matrix[start:stop].toarray(order="C")


def rows_from_members(members: Mapping[str, np.ndarray], name: str) -> SparseRows:
    """The rows of a file that ``scipy.sparse.save_npz`` wrote: CSR, CSC, BSR or COO.

    Indices are checked against the shape before SciPy's compiled code, which does not check them, walks along them.
    """
    from scipy import sparse

    layout = bytes(members["format"].reshape(-1)[:1].astype("S")).rstrip(b"\0").decode("ascii", "replace")
    shape = tuple(int(size) for size in members["shape"].reshape(-1))
    if len(shape) != 2 or min(shape) < 0:
        raise DataError(f"{name}: expected a sparse matrix with two dimensions, found shape {shape}")
    parts = ("indices", "indptr") if layout in _COMPRESSED else ("row", "col")
    if layout not in (*_COMPRESSED, "coo") or not {*parts} <= members.keys():
        raise DataError(f"{name}: expected a sparse matrix in CSR form, found form {layout!r}; save matrix.tocsr()")
    values, first, second = members["data"], members[parts[0]], members[parts[1]]
    if values.dtype.kind not in "biuf" or first.dtype.kind not in "iu" or second.dtype.kind not in "iu":
        raise DataError(f"{name}: expected real values and integer indices, found {values.dtype} and {first.dtype}")
    if max(shape) > max(_MOST_EMPTY, 1000 * values.size):
        raise DataError(
            f"{name}: expected rows and columns with numbers in them, found {values.size} for the shape {shape}"
        )
    require_memory(name, 8 * max(shape))  # of pointers to rows and columns, though a file of few numbers declares many
    if layout == "coo":
        matrix = sparse.coo_array((values, (first, second)), shape=shape)
    else:
        matrix = getattr(sparse, f"{layout}_array")((values, first, second), shape=shape)
        matrix.check_format(full_check=True)
    return SparseRows(matrix, name)
