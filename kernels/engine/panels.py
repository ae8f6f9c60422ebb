"""Panels: the one layout in which the fused trainers keep every matrix.

A matrix (R, C) is cut into panels of PANEL columns. A panel lies row after row in memory, so a row of it is one tile's width:

    element (r, c)  ->  panels[c // PANEL, r, c % PANEL]          panels: (ceil(C / PANEL), capacity, PANEL)

It serves as either operand of either product, because a microkernel reads single numbers of A along a row or down a column of a
panel, and whole rows of B. Columns past C are padding: zero in weights and deltas, anything elsewhere, and no float32 sum runs over
them. Activations of a minibatch are cut into blocks of at most ROWS rows first, so that a block stays in the cache:
(blocks, panels, rows, PANEL). The transpose of a block has the rows' numbers as columns: (rows / PANEL, panels * PANEL, PANEL).
"""

import numpy as np
from numba import float32, int64, intp, prange

from .._jit import jit, linked
from .instructions import PANEL
from .vectors import transpose_block

VECTOR, MATRIX, PANELS = float32[::1], float32[:, ::1], float32[:, :, ::1]  # types of arguments
TABLE, NUMBERS = int64[:, ::1], int64[::1]
PACK, UNPACK = 0, 1  # directions of a copy
# One job of an update: GROUP panels by CHUNK rows of weights. Their gradient, 64 KB, stays in the second-level cache.
GROUP, CHUNK = 4, 4 * PANEL
ROWS = 128  # of a block; a multiple of PANEL
COPIED_ROWS = 16  # of a matrix that is packed or unpacked
_ALIGNMENT = 64  # bytes: a cache line and the longest vector
N_IN, N_OUT, ACTIVATION, WEIGHT, BIAS, TRANSPOSED, KIND = range(7)  # columns of the layer table, see `backprop`
DENSE, GAUSSIAN = range(2)  # kinds of layers


def aligned_zeros(*shape: int) -> np.ndarray:
    """float32 zeros whose first number starts a cache line."""
    n = int(np.prod(shape))
    memory = np.zeros(4 * n + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + 4 * n].view(np.float32).reshape(shape)


def packed_table(table: np.ndarray) -> tuple[np.ndarray, int]:
    """The layer table of the packed vector, and its length; biases are padded to whole panels."""
    packed, starts = table.copy(), {}
    own = [row for row in packed if row[KIND] == DENSE]
    position = 0
    for row in own:
        if row[WEIGHT] not in starts:
            starts[int(row[WEIGHT])] = position
            n_rows, n_columns = (row[N_OUT], row[N_IN]) if row[TRANSPOSED] else (row[N_IN], row[N_OUT])
            position += int(panel_count.py_func(n_columns) * n_rows * PANEL)
        row[WEIGHT] = starts[int(row[WEIGHT])]
    for row in own:
        row[BIAS] = position
        position += int(panel_count.py_func(row[N_OUT]) * PANEL)
    return packed, position


@jit
def panel_count(n_columns):
    """Panels of a matrix of so many columns."""
    return -(-n_columns // PANEL)


@jit
def panel_width(panel, n_columns):
    """Real columns of a panel."""
    return min(PANEL, n_columns - panel * PANEL)


@jit
def is_owner(table, layer):
    """Whether a layer is the first to use its weights; a tied one is not, nor one without weights."""
    if table[layer, KIND] != DENSE:
        return False
    for other in range(layer):  # noqa: SIM110 (Numba knows no generators)
        if shares_weights(table, other, layer):
            return False
    return True


@jit
def shares_weights(table, layer, other):
    """Whether two layers use one matrix."""
    dense = table[layer, KIND] == DENSE and table[other, KIND] == DENSE
    return dense and table[layer, WEIGHT] == table[other, WEIGHT]


@linked(MATRIX, PANELS, intp, parallel=True)
def copy_matrix(matrix, panels, direction):
    """PACK ``matrix`` (R, C) into ``panels`` (n, R, PANEL), or UNPACK it; padding is left alone.

    By few rows at a time: panel by panel the matrix would be read 128 bytes a page, at a sixth of the speed.
    """
    n_rows, n_columns = matrix.shape
    for block in prange(-(-n_rows // COPIED_ROWS)):
        for panel in range(panels.shape[0]):
            first, width = panel * PANEL, panel_width(panel, n_columns)
            for r in range(block * COPIED_ROWS, min((block + 1) * COPIED_ROWS, n_rows)):
                row, part = matrix[r, first : first + width], panels[panel, r, :width]
                if direction == UNPACK:
                    for c in range(width):
                        row[c] = part[c]
                else:
                    for c in range(width):
                        part[c] = row[c]


@jit
def weight_panels(packed, layer, vector):
    """A layer's weights as panels (n, R, PANEL) of the packed vector: of (n_in, n_out), or of (n_out, n_in) if transposed."""
    n_rows, n_columns = packed[layer, N_IN], packed[layer, N_OUT]
    if packed[layer, TRANSPOSED]:
        n_rows, n_columns = n_columns, n_rows
    n = panel_count(n_columns)
    start = packed[layer, WEIGHT]
    return vector[start : start + n * n_rows * PANEL].reshape((n, n_rows, PANEL))


@linked(TABLE, TABLE, VECTOR, VECTOR, intp)
def copy_vector(table, packed, flat, panels, direction):
    """PACK a flat vector of parameters into its packed form, or UNPACK it; the two tables say where things are."""
    for layer in range(table.shape[0]):
        n_in, n_out = table[layer, N_IN], table[layer, N_OUT]
        if is_owner(table, layer):
            n_rows, n_columns = (n_out, n_in) if table[layer, TRANSPOSED] else (n_in, n_out)
            start = table[layer, WEIGHT]
            matrix = flat[start : start + n_in * n_out].reshape((n_rows, n_columns))
            copy_matrix(matrix, weight_panels(packed, layer, panels), direction)
        here, there = table[layer, BIAS], packed[layer, BIAS]
        if table[layer, KIND] != DENSE:
            continue
        if direction == UNPACK:
            flat[here : here + n_out] = panels[there : there + n_out]
        else:
            panels[there : there + n_out] = flat[here : here + n_out]


@jit
def bias_panels(packed, layer, vector):
    """A layer's biases as (n, PANEL)."""
    n, start = panel_count(packed[layer, N_OUT]), packed[layer, BIAS]
    return vector[start : start + n * PANEL].reshape((n, PANEL))


@linked(PANELS, intp, intp, PANELS)
def transpose_panel(x, panel, n_rows, out):
    """Rows ``panel * PANEL`` onwards of ``out`` (rows / PANEL, panels * PANEL, PANEL) = columns of ``x`` (panels, rows, PANEL)."""
    for q in range(panel_count(n_rows)):
        transpose_block(x, (panel * x.shape[1] + q * PANEL) * PANEL, out, (q * out.shape[1] + panel * PANEL) * PANEL)


@linked(PANELS, intp, VECTOR)
def gather_row(x, row, out):
    """out (C,) = row ``row`` of the matrix with panels ``x``."""
    for panel in range(panel_count(out.shape[0])):
        for c in range(panel_width(panel, out.shape[0])):
            out[panel * PANEL + c] = x[panel, row, c]


@linked(VECTOR, PANELS, intp)
def scatter_row(values, x, row):
    """Write ``values`` (C,) to row ``row`` of the matrix with panels ``x``."""
    for panel in range(panel_count(values.shape[0])):
        for c in range(panel_width(panel, values.shape[0])):
            x[panel, row, c] = values[panel * PANEL + c]
