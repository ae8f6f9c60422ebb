"""A dense network in panels: packed parameters, the activations of a minibatch, and a panel of a layer's outputs.

Training (`fused_dense`) and inference (`inference`) are made of it.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, get_thread_id, intp, typeof

from ._jit import jit, linked
from .cpu import max_threads
from .microkernel import PANEL
from .packing import (
    CHUNK,
    GROUP,
    N_IN,
    N_OUT,
    ROWS,
    TRANSPOSED,
    aligned_zeros,
    bias_panels,
    packed_table,
    panel_count,
    panel_width,
    transpose_panel,
    weight_panels,
)  # fmt: skip
from .product import activate_panel, multiply, multiply_transposed

OUTPUT, OUTPUT_T, DELTA, DELTA_T = range(4)  # columns of Packed.places


class Packed(NamedTuple):
    """A network in panels and the activations of one minibatch, cut into blocks of ``rows`` rows.

    ``places`` (L + 1, 4) says where in ``activations`` the outputs of a layer begin, their transpose, its delta and that one's
    transpose; row 0 belongs to the input. The transposes exist where a product needs them.
    """

    table: np.ndarray  # (L, 6) offsets into the packed vectors
    params: np.ndarray
    velocity: np.ndarray
    squares: np.ndarray
    rows: int
    n_blocks: int
    places: np.ndarray
    activations: np.ndarray
    target: np.ndarray  # (blocks, panels, rows, PANEL)
    losses: np.ndarray  # one a job of the output layer
    scratch: np.ndarray  # (threads, GROUP, CHUNK, PANEL)


def pack_network(table: np.ndarray, batch_size: int) -> Packed:
    """Allocate the packed form of a network and of minibatches of at most ``batch_size`` rows."""
    packed, n_params = packed_table(table)
    rows = min(ROWS, -(-batch_size // PANEL) * PANEL)
    n_blocks = -(-batch_size // rows)
    widths = [int(n) for n in (table[0, N_IN], *table[:, N_OUT])]
    panels = [-(-n // PANEL) for n in widths]
    places = np.full((len(widths), 4), -1, np.int64)
    position = 0
    for index, count in enumerate(panels):
        layer = index - 1  # whose output this is
        above = index < len(table) and table[index, TRANSPOSED]
        wanted = (True, above, index > 0, layer > 0 and not table[layer, TRANSPOSED])
        for kind in (kind for kind in range(4) if wanted[kind]):
            places[index, kind] = position
            position += n_blocks * count * rows * PANEL
    return Packed(
        table=packed,
        params=aligned_zeros(n_params),
        velocity=aligned_zeros(n_params),
        squares=aligned_zeros(n_params),
        rows=rows,
        n_blocks=n_blocks,
        places=places,
        activations=aligned_zeros(position),
        target=aligned_zeros(n_blocks, panels[0], rows, PANEL),
        losses=np.zeros(max(n_blocks * panels[-1], n_blocks * rows)),
        scratch=aligned_zeros(max_threads(), GROUP, CHUNK, PANEL),
    )


NET = typeof(pack_network(np.array([[1, 1, 0, 0, 1, 0]]), 1))


@jit
def block_panels(net, index, kind):
    """Outputs or deltas ``index`` (0: the input) of a minibatch: (blocks, panels, rows, PANEL)."""
    n = panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
    start = net.places[index, kind]
    size = net.n_blocks * n * net.rows * PANEL
    return net.activations[start : start + size].reshape((net.n_blocks, n, net.rows, PANEL))


@jit
def block_transposes(net, index, kind):
    """The transposes of the blocks of outputs or deltas: (blocks, rows / PANEL, panels * PANEL, PANEL)."""
    n = panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
    start = net.places[index, kind]
    size = net.n_blocks * n * net.rows * PANEL
    return net.activations[start : start + size].reshape((net.n_blocks, net.rows // PANEL, n * PANEL, PANEL))


@jit
def block_count(net, n_rows):
    """Blocks of a minibatch of so many rows."""
    return -(-n_rows // net.rows)


@jit
def rows_in(net, block, n_rows):
    """Rows of one block."""
    return min(net.rows, n_rows - block * net.rows)


@linked(NET, intp, intp, intp, intp, intp, intp, intp, float32[:, :, ::1])
def product_panel(net, index, kind, layer, transposed, block, n_rows, panel, out):
    """out[panel] = one panel of outputs or deltas ``index`` times the weights of ``layer``, or times their transpose."""
    weight = weight_panels(net.table, layer, net.params)
    if not transposed:
        x = block_panels(net, index, kind)[block]
        width = panel_width(panel, net.table[layer, N_IN if net.table[layer, TRANSPOSED] else N_OUT])
        multiply(x, 0, n_rows, weight.shape[1], weight, panel, width, out, panel)
    else:
        x_t = block_transposes(net, index, kind + 1)[block]
        depth = net.table[layer, N_IN if net.table[layer, TRANSPOSED] else N_OUT]
        scratch = net.scratch[get_thread_id()]
        width = panel_width(panel, weight.shape[1])
        multiply_transposed(x_t, 0, n_rows, depth, weight, panel, width, scratch, out)


@linked(NET, intp, intp, intp, intp, intp)
def keep_transpose(net, index, kind, block, n_rows, panel):
    """Transpose a finished panel of outputs or deltas, if a product will need that."""
    if net.places[index, kind + 1] >= 0:
        x = block_panels(net, index, kind)[block]
        transpose_panel(x, panel, n_rows, block_transposes(net, index, kind + 1)[block])


@linked(NET, intp, intp, intp, intp, intp)
def layer_panel(net, layer, activation, block, n_rows, panel):
    """One panel of a layer's outputs for one block of rows."""
    out = block_panels(net, layer + 1, OUTPUT)[block]
    product_panel(net, layer, OUTPUT, layer, net.table[layer, TRANSPOSED], block, n_rows, panel, out)
    activate_panel(activation, bias_panels(net.table, layer, net.params)[panel], out[panel, :n_rows])
    keep_transpose(net, layer + 1, OUTPUT, block, n_rows, panel)


@jit
def sum_in_order(values):
    """Sum of a vector: a parallel sum would depend on the number of threads."""
    total = 0.0
    for value in values:
        total += value
    return total
