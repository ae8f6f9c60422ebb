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
OWN = 7  # column from which on the kind has its own, up to N_COLUMNS; tables of dense layers alone may end there
# Those of kinds whose inputs and outputs are maps; sizes of the kernel are those of a window, PARTNER a layer that it needs.
HEIGHT, WIDTH, CHANNELS, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS = range(OWN, OWN + 6)
KERNEL_HEIGHT, KERNEL_WIDTH, STRIDE_HEIGHT, STRIDE_WIDTH, PAD_TOP, PAD_LEFT, PARTNER = range(OWN + 6, OWN + 13)
N_COLUMNS = OWN + 13
# Of recurrent layers: whether they read the steps from the last to the first, and whether they take all steps, wherever the
# sequences that the network reads end. Of forcing ones: whether the step before is the later one.
BACKWARDS, WHOLE = STRIDE_HEIGHT, STRIDE_WIDTH
# Kinds of layers: the first two on rows, those from CONVOLUTION on from maps to maps.
DENSE, GAUSSIAN, CONVOLUTION, TRANSPOSED_CONVOLUTION, POOLING, UPSAMPLING, UNPOOLING, GRU, LSTM, FORCING = range(10)
N_KINDS = 10
WITH_PARAMETERS = (DENSE, CONVOLUTION, TRANSPOSED_CONVOLUTION, GRU, LSTM)


def aligned_zeros(*shape: int) -> np.ndarray:
    """float32 zeros whose first number starts a cache line."""
    n = int(np.prod(shape))
    memory = np.zeros(4 * n + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + 4 * n].view(np.float32).reshape(shape)


def packed_table(table: np.ndarray) -> tuple[np.ndarray, int]:
    """The layer table of the packed vector, and its length; biases are padded to whole panels."""
    packed, starts = table.copy(), {}
    own = [layer for layer in range(len(table)) if has_parameters.py_func(table, layer)]
    position = 0
    for layer in own:
        row = packed[layer]
        if row[WEIGHT] not in starts:
            starts[int(row[WEIGHT])] = position
            n_rows, n_columns = weight_shape.py_func(table, layer)
            position += int(panel_count.py_func(n_columns) * n_rows * PANEL)
        row[WEIGHT] = starts[int(row[WEIGHT])]
    for layer in own:
        packed[layer, BIAS] = position
        position += int(panel_count.py_func(bias_count.py_func(table, layer)) * PANEL)
    return packed, position


@jit
def has_parameters(table, layer):
    """Whether a layer has weights and biases."""
    return table[layer, KIND] in WITH_PARAMETERS


@jit
def is_map_layer(table, layer):
    """Whether inputs and outputs of a layer are maps."""
    return table[layer, KIND] >= CONVOLUTION


@jit
def is_recurrent(table, layer):
    """Whether a layer goes from step to step."""
    return table[layer, KIND] in (GRU, LSTM)


@jit
def answers_end(table):
    """Whether the last layer answers with a step for each step of a sequence that the first one reads, and so ends with it."""
    last = table.shape[0] - 1
    if not is_map_layer(table, 0) or not is_map_layer(table, last) or table[last, OUT_HEIGHT] != 1:
        return False
    for layer in range(table.shape[0]):
        if is_recurrent(table, layer) and table[layer, WHOLE]:
            return False
    return table[last, OUT_WIDTH] == table[0, WIDTH]


@jit
def step_width(table):
    """Numbers a step in what a network answers, all of them where it does not answer with maps."""
    last = table.shape[0] - 1
    return table[last, OUT_CHANNELS] if is_map_layer(table, last) else table[last, N_OUT]


@jit
def weight_shape(table, layer):
    """Rows and columns of the one matrix that holds a layer's weights, as it is stored; (0, 0) without any.

    Of convolutions it is (kernel rows * kernel columns * channels, filters), for a transposed one too; of recurrent layers the
    weights of the inputs and, below them, those of the states.
    """
    kind = table[layer, KIND]
    if kind == DENSE:
        n_in, n_out = table[layer, N_IN], table[layer, N_OUT]
        return (n_out, n_in) if table[layer, TRANSPOSED] else (n_in, n_out)
    if kind in (CONVOLUTION, TRANSPOSED_CONVOLUTION):
        channels, filters = table[layer, CHANNELS], table[layer, OUT_CHANNELS]
        size = table[layer, KERNEL_HEIGHT] * table[layer, KERNEL_WIDTH]
        return (size * channels, filters) if kind == CONVOLUTION else (size * filters, channels)
    if kind in (GRU, LSTM):
        n_hidden = table[layer, OUT_CHANNELS]
        return (table[layer, CHANNELS] + n_hidden, (3 if kind == GRU else 4) * n_hidden)
    return (0 * kind, 0 * kind)


@jit
def bias_count(table, layer):
    """Numbers in a layer's biases."""
    kind = table[layer, KIND]
    if kind == DENSE:
        return table[layer, N_OUT]
    if kind in (CONVOLUTION, TRANSPOSED_CONVOLUTION):
        return table[layer, OUT_CHANNELS]
    if kind in (GRU, LSTM):
        return (6 if kind == GRU else 4) * table[layer, OUT_CHANNELS]
    return 0 * kind


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
    if not has_parameters(table, layer):
        return False
    for other in range(layer):  # noqa: SIM110 (Numba knows no generators)
        if shares_weights(table, other, layer):
            return False
    return True


@jit
def shares_weights(table, layer, other):
    """Whether two layers use one matrix."""
    both = has_parameters(table, layer) and has_parameters(table, other)
    return both and table[layer, WEIGHT] == table[other, WEIGHT]


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
    """A layer's weights as panels (n, R, PANEL) of the packed vector, in their `weight_shape`."""
    n_rows, n_columns = weight_shape(packed, layer)
    n = panel_count(n_columns)
    start = packed[layer, WEIGHT]
    return vector[start : start + n * n_rows * PANEL].reshape((n, n_rows, PANEL))


@linked(TABLE, TABLE, VECTOR, VECTOR, intp)
def copy_vector(table, packed, flat, panels, direction):
    """PACK a flat vector of parameters into its packed form, or UNPACK it; the two tables say where things are."""
    for layer in range(table.shape[0]):
        if is_owner(table, layer):
            n_rows, n_columns = weight_shape(table, layer)
            start = table[layer, WEIGHT]
            matrix = flat[start : start + n_rows * n_columns].reshape((n_rows, n_columns))
            copy_matrix(matrix, weight_panels(packed, layer, panels), direction)
        here, there, n = table[layer, BIAS], packed[layer, BIAS], bias_count(table, layer)
        if direction == UNPACK:
            flat[here : here + n] = panels[there : there + n]
        else:
            panels[there : there + n] = flat[here : here + n]


@jit
def bias_panels(packed, layer, vector):
    """A layer's biases as (n, PANEL)."""
    n, start = panel_count(bias_count(packed, layer)), packed[layer, BIAS]
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
