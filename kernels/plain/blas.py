"""Products with epilogues, split into tiles.

A product is cut into output tiles of a fixed size; threads share out whole tiles and each tile is one BLAS call on one thread,
so the bits do not depend on the number of threads (`cpu.thread_limit` holds BLAS to one thread). What follows the
product (bias, activation, derivative) is done on the tile while it is in cache.
"""

import numpy as np
from numba import prange, types

from .._jit import jit, parallel_jit
from ..arithmetic.activations import SOFTMAX, activate, differentiate

TILE_ROWS, TILE_COLUMNS = 512, 256  # columns: a multiple of 4, so that tiles start on a random-number block
_NO, _YES = 110, 116  # BLAS flags 'n' and 't'
_SINGLE, _DOUBLE = 115, 100  # BLAS kinds 's' and 'd'

# Numba's own door to SciPy's BLAS; unlike np.dot it takes a row stride, so a tile needs no copy. It is looked up by name,
# which is what lets kernels that call it be cached.
_xxgemm = types.ExternalFunction(
    "numba_xxgemm",
    types.intc(
        types.char, types.char, types.char, types.intp, types.intp, types.intp, types.voidptr, types.voidptr,
        types.intp, types.voidptr, types.intp, types.voidptr, types.voidptr, types.intp,
    ),
)  # fmt: skip


@jit
def multiply_tile(a, transpose_a, b, transpose_b, keep, out, r0, r1, c0, c1):
    """out[r0:r1, c0:c1] = op(a)[r0:r1, :] @ op(b)[:, c0:c1], plus what was there if ``keep``. All arrays C-contiguous."""
    alpha = np.ones(1, out.dtype)
    beta = np.full(1, 1.0 if keep else 0.0).astype(out.dtype)
    kind = _SINGLE if out.itemsize == 4 else _DOUBLE
    left = a[:, r0:] if transpose_a else a[r0:, :]
    right = b[c0:, :] if transpose_b else b[:, c0:]
    inner = a.shape[0] if transpose_a else a.shape[1]
    target = out[r0:, c0:]
    # BLAS counts by columns: it computes the transposed product, so the operands change places.
    _xxgemm(
        kind, _YES if transpose_b else _NO, _YES if transpose_a else _NO, c1 - c0, r1 - r0, inner,
        alpha.ctypes, right.ctypes, b.shape[1], left.ctypes, a.shape[1], beta.ctypes, target.ctypes, out.shape[1],
    )  # fmt: skip


@jit
def affine_tile(x, weight, transposed, bias, out, r0, r1, c0, c1):
    """out[r0:r1, c0:c1] = (x @ W + bias)[r0:r1, c0:c1], W being ``weight`` or its transpose."""
    multiply_tile(x, False, weight, transposed, False, out, r0, r1, c0, c1)
    for r in range(r0, r1):
        row = out[r, c0:c1]
        for j in range(c1 - c0):
            row[j] += bias[c0 + j]


@jit
def tile_count(n_rows, n_columns):
    """Number of tiles of an (n_rows, n_columns) product."""
    return (-(-n_rows // TILE_ROWS)) * (-(-n_columns // TILE_COLUMNS))


@jit
def tile_bounds(tile, n_rows, n_columns):
    """(r0, r1, c0, c1) of tile number ``tile``."""
    across = -(-n_columns // TILE_COLUMNS)
    r0, c0 = (tile // across) * TILE_ROWS, (tile % across) * TILE_COLUMNS
    return r0, min(r0 + TILE_ROWS, n_rows), c0, min(c0 + TILE_COLUMNS, n_columns)


@parallel_jit
def layer_forward(x, weight, transposed, bias, activation, out):
    """out = activation(x @ W + bias): x (B, n_in), out (B, n_out); W is ``weight`` or, if ``transposed``, its transpose."""
    n_rows, n_columns = out.shape
    for tile in prange(tile_count(n_rows, n_columns)):
        r0, r1, c0, c1 = tile_bounds(tile, n_rows, n_columns)
        affine_tile(x, weight, transposed, bias, out, r0, r1, c0, c1)
        for r in range(r0, r1):
            if activation != SOFTMAX:
                activate(activation, out[r, c0:c1])
    if activation == SOFTMAX:  # needs the whole row, which may span tiles
        for r in prange(n_rows):
            activate(SOFTMAX, out[r])


@parallel_jit
def layer_backward(delta, weight, transposed, below, activation, out):
    """out = (delta @ W.T) * f'(below): delta (B, n_out); below and out (B, n_in), ``below`` being that layer's output."""
    n_rows, n_columns = out.shape
    for tile in prange(tile_count(n_rows, n_columns)):
        r0, r1, c0, c1 = tile_bounds(tile, n_rows, n_columns)
        multiply_tile(delta, False, weight, not transposed, False, out, r0, r1, c0, c1)
        for r in range(r0, r1):
            differentiate(activation, below[r, c0:c1], out[r, c0:c1])


@parallel_jit
def weight_gradient(x, delta, transposed, keep, out):
    """out = x.T @ delta (or its transpose, if ``transposed``), added to ``out`` if ``keep``: x (B, n_in), delta (B, n_out)."""
    left, right = (delta, x) if transposed else (x, delta)
    n_rows, n_columns = out.shape
    for tile in prange(tile_count(n_rows, n_columns)):
        r0, r1, c0, c1 = tile_bounds(tile, n_rows, n_columns)
        multiply_tile(left, True, right, False, keep, out, r0, r1, c0, c1)


@jit
def column_sums(x, out):
    """out (n,) = sum over the rows of x (B, n), rows in order."""
    out[:] = 0
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += x[r, j]
