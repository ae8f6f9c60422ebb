"""A dense network in panels: packed parameters, the activations of a minibatch, and a panel of a layer's outputs.

Layers (`layers`), training (`fused_network`) and inference (`inference`) are made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import get_thread_id, intp, prange, typeof

from .._jit import jit, linked
from ..arithmetic.activations import activate
from ..arithmetic.terms import measured
from ..pool import max_threads
from . import words
from .bfloat16 import LEFT, LEFT_T, RIGHT, RIGHT_T
from .instructions import PANEL
from .panels import (
    CHUNK,
    DENSE,
    GROUP,
    KIND,
    N_IN,
    N_KINDS,
    N_OUT,
    PANELS,
    ROWS,
    TRANSPOSED,
    VECTOR,
    aligned_zeros,
    bias_panels,
    is_map_layer,
    packed_table,
    panel_count,
    panel_width,
    transpose_panel,
    weight_panels,
    weight_shape,
)  # fmt: skip
from .parts import WHOLE, add_part, columns_of, is_second, parts_of
from .products import multiply, multiply_transposed, outer, start_rows
from .records import Record
from .words import FACTOR, GRADIENT, NO_FORM, keep_weights, keep_words, pack_words

OUTPUT, OUTPUT_T, DELTA, DELTA_T = range(4)  # columns of Packed.offsets
N_OPERATIONS = 5  # columns of Packed.steps


@dataclass(frozen=True, eq=False)
class Packed(Record):
    """A network in panels and the activations of one minibatch, cut into blocks of ``rows`` rows.

    ``offsets`` (L + 1, 4) says where in ``activations`` the outputs of a layer begin, their transpose, its delta and that one's
    transpose; row 0 belongs to the input. The transposes exist where a product needs them.
    """

    table: np.ndarray  # (L, 7) offsets into the packed vectors
    params: np.ndarray
    velocity: np.ndarray
    squares: np.ndarray
    rows: int
    n_blocks: int
    offsets: np.ndarray
    activations: np.ndarray
    target: np.ndarray  # (blocks, panels, rows, PANEL) of the inputs or of the outputs, whichever are more
    emphasis: np.ndarray  # (blocks, panels, rows, PANEL) weights of the losses of single inputs, or no blocks
    losses: np.ndarray  # one a job of the output layer
    values: np.ndarray  # what `terms.Measured` holds of the terms
    gains: np.ndarray
    weight_gains: np.ndarray
    gradient: np.ndarray  # like params in the gradient form, else (0,)
    scratch: np.ndarray  # (threads, GROUP, CHUNK, PANEL)
    rest: np.ndarray  # second parts of sums that are cut (`parts`), of one product at a time
    arrivals: np.ndarray  # the parts of each of them that are made
    map_table: np.ndarray  # see `maps`
    maps: np.ndarray
    lengths: np.ndarray  # (samples,) steps of a minibatch's sequences, the longest first; (0,): all have all
    steps: np.ndarray  # (kinds, operations) addresses of kernels, see `layers.steps`
    bfloat16: int  # whether products read words
    word_table: np.ndarray  # see `words`; matrix 2 i is the outputs of layer i - 1, matrix 2 i + 1 its deltas
    words: np.ndarray


def pack_network(
    table: np.ndarray,
    batch_size: int,
    bfloat16: bool = False,
    training: bool = True,
    emphasis: bool = False,
    gradient: bool = False,
    measured_layers: Sequence[int] = (),
    most_rows: int = ROWS,
    ragged: bool = False,
) -> Packed:
    """Allocate the packed form of a network and of minibatches of at most ``batch_size`` rows; `layers.steps` gives it maps.

    With ``bfloat16`` products read words (`words`) in place of transposes; without ``training`` only outputs are kept.
    ``emphasis`` makes room for weights of single inputs, ``gradient`` for the gradient form. ``measured_layers`` are those with
    terms on their outputs, ``most_rows`` the height of a block. Sequences of ``ragged``
    data end where NaN begins.
    """
    packed, n_params = packed_table(table)
    maps = [bool(is_map_layer.py_func(table, layer)) for layer in range(len(table))]
    closed = [
        layer + 1 for layer in range(len(table) - 1) if maps[layer] and maps[layer + 1] and layer not in measured_layers
    ]
    rows = min(most_rows, -(-batch_size // PANEL) * PANEL)
    n_blocks = -(-batch_size // rows)
    widths = [int(n) for n in (table[0, N_IN], *table[:, N_OUT])]
    panels = [-(-n // PANEL) for n in widths]
    offsets = np.full((len(widths), 4), -1, np.int64)
    position = 0
    for index, count in enumerate(panels):
        layer = index - 1  # whose output this is
        if index in closed:
            continue
        dense = index < len(table) and table[index, KIND] == DENSE
        above = dense and table[index, TRANSPOSED] and not bfloat16
        below = layer > 0 and table[layer, KIND] == DENSE and not table[layer, TRANSPOSED] and not bfloat16
        wanted = (True, above, training and index > 0, training and below)
        for kind in (kind for kind in range(4) if wanted[kind]):
            offsets[index, kind] = position
            position += n_blocks * count * rows * PANEL
    n_state = n_params if training else 0
    n_rest = max(panels) if training and not bfloat16 else 0
    word_table, words = pack_words(packed, rows, n_blocks, _word_matrices(table, training), bfloat16)
    return Packed(
        table=packed,
        params=aligned_zeros(n_params),
        velocity=aligned_zeros(n_state),
        squares=aligned_zeros(n_state),
        rows=rows,
        n_blocks=n_blocks,
        offsets=offsets,
        activations=aligned_zeros(position),
        target=aligned_zeros(n_blocks, max(panels[0], panels[-1]), rows, PANEL),
        emphasis=aligned_zeros(n_blocks if emphasis else 0, max(panels[0], panels[-1]), rows, PANEL),
        losses=np.zeros(max(n_blocks * panels[-1], n_blocks * rows)),
        **measured(max(widths))._asdict(),
        gradient=aligned_zeros(n_params if gradient or (training and any(maps)) else 0),
        scratch=aligned_zeros(max_threads(), GROUP, CHUNK, PANEL),
        rest=aligned_zeros(n_rest * rows * PANEL),
        arrivals=np.zeros(n_rest, np.int64),
        map_table=np.full((len(widths), 8), -1, np.int64),
        maps=aligned_zeros(0),
        lengths=np.zeros(n_blocks * rows if ragged else 0, np.int64),
        steps=np.zeros((N_KINDS, N_OPERATIONS), np.int64),
        bfloat16=int(bfloat16),
        word_table=word_table,
        words=words,
    )


def _word_matrices(table: np.ndarray, training: bool) -> list[tuple[int, int, int]]:
    """Columns and forms of all outputs and deltas, by the orientation of the layers that use them."""
    matrices = []
    for index in range(len(table) + 1):
        n_columns = int(table[index - 1, N_OUT] if index else table[0, N_IN])
        outputs, deltas = (NO_FORM, NO_FORM), (NO_FORM, NO_FORM)
        if index < len(table) and table[index, KIND] == DENSE:
            outputs = (RIGHT_T, RIGHT) if table[index, TRANSPOSED] else (LEFT, LEFT_T)
        if index > 0 and table[index - 1, KIND] == DENSE:
            deltas = (LEFT, LEFT_T) if table[index - 1, TRANSPOSED] else (RIGHT_T, RIGHT)
        if index == 1:
            deltas = (NO_FORM, deltas[1])  # no product goes below the first layer
        if not training:
            outputs, deltas = (outputs[0], NO_FORM), (NO_FORM, NO_FORM)
        matrices += [(n_columns, *outputs), (n_columns, *deltas)]
    return matrices


NET = typeof(pack_network(np.array([[1, 1, 0, 0, 1, 0, 0]]), 1))


@jit
def block_panels(net, index, kind):
    """Outputs or deltas ``index`` (0: the input) of a minibatch: (blocks, panels, rows, PANEL)."""
    n = panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
    start = net.offsets[index, kind]
    size = net.n_blocks * n * net.rows * PANEL
    return net.activations[start : start + size].reshape((net.n_blocks, n, net.rows, PANEL))


@jit
def block_transposes(net, index, kind):
    """The transposes of the blocks of outputs or deltas: (blocks, rows / PANEL, panels * PANEL, PANEL)."""
    n = panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
    start = net.offsets[index, kind]
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


@jit
def part_count(net, layer, transposed, n_rows):
    """Parts of the sums of a minibatch's product with the weights of ``layer``, or with their transpose; see `parts`."""
    n_high, n_columns = weight_shape(net.table, layer)
    return parts_of(net, n_rows, n_high, n_columns) if transposed else 1


@linked(NET, intp, intp, intp, intp, intp, intp, intp, intp, VECTOR, PANELS)
def product_down(net, index, kind, layer, block, n_rows, panel, begin, end, bias, out):
    """`product_panel` with the transpose of the stored weights, the sums over their columns ``begin`` to ``end``."""
    weight = weight_panels(net.table, layer, net.params)
    width, scratch = panel_width(panel, weight.shape[1]), net.scratch[get_thread_id()]
    if net.bfloat16:  # whose sums are not cut
        matrix, own = matrix_of(index, kind), weights_row(net, layer)
        words.product_transposed(
            net.word_table, net.words, matrix, block, net.rows, 0, n_rows, own, end, panel, width, bias, scratch, out
        )  # fmt: skip
    else:
        x, x_t = block_panels(net, index, kind)[block], block_transposes(net, index, kind + 1)[block]
        multiply_transposed(x, x_t, 0, n_rows, begin, end, weight, panel, width, bias, scratch, out)


@linked(NET, intp, intp, intp, intp, intp, intp, VECTOR, PANELS)
def product_up(net, index, kind, layer, block, n_rows, panel, bias, out):
    """`product_panel` with the stored weights."""
    weight = weight_panels(net.table, layer, net.params)
    depth, n_columns = weight_shape(net.table, layer)
    width, keep = panel_width(panel, n_columns), bias.shape[0]
    start_rows(bias, out[panel, :n_rows])
    if net.bfloat16:
        matrix, own = matrix_of(index, kind), weights_row(net, layer)
        words.product(net.word_table, net.words, matrix, block, net.rows, n_rows, own, depth, panel, width, keep, out)
    else:
        multiply(block_panels(net, index, kind)[block], 0, n_rows, 0, depth, weight, panel, width, keep, out, panel)


@linked(NET, intp, intp, intp, intp, intp, intp, intp, intp, VECTOR, PANELS)
def product_panel(net, index, kind, layer, transposed, block, n_rows, panel, part, bias, out):
    """out[panel] = one panel of outputs or deltas ``index`` times the weights of ``layer``, or their transpose, plus a bias.

    Where sums are cut (`part_count`) a ``part`` of them is made: the panel is complete, which is the answer, after the second of
    the two. bias (PANEL,) or (0,).
    """
    if not transposed:
        product_up(net, index, kind, layer, block, n_rows, panel, bias, out)
        return True
    begin, end = columns_of(part, weight_shape(net.table, layer)[1])
    if part == WHOLE:
        product_down(net, index, kind, layer, block, n_rows, panel, begin, end, bias, out)
        return True
    rest = net.rest[: out.size].reshape(out.shape)
    if part:
        product_down(net, index, kind, layer, block, n_rows, panel, begin, end, bias[:0], rest)
    else:
        product_down(net, index, kind, layer, block, n_rows, panel, begin, end, bias, out)
    if not is_second(net.arrivals, panel):
        return False
    add_part(rest, panel, 0, n_rows, out)
    return True


@linked(NET, intp, intp, intp, intp, intp, intp, intp, PANELS)
def gradient_panels(net, layer, first, stop, panel, n_panels, n_rows, keep, out):
    """out = rows first to stop of some panels of the gradient of a layer's weights, as they are stored, over all blocks of the
    minibatch; plus what was there if ``keep``."""
    transposed = net.table[layer, TRANSPOSED]
    n_columns = net.table[layer, N_IN if transposed else N_OUT]
    n_real = min(n_panels * PANEL, n_columns - panel * PANEL)
    for block in range(block_count(net, n_rows)):
        rows, adding = rows_in(net, block, n_rows), keep | (block > 0)
        if net.bfloat16:
            x, d = matrix_of(layer, OUTPUT), matrix_of(layer + 1, DELTA)
            x, d = (d, x) if transposed else (x, d)
            words.gradient(
                net.word_table, net.words, x, d, block, net.rows, rows, first, stop, panel, n_real, adding, out
            )
        else:
            below, delta = block_panels(net, layer, OUTPUT)[block], block_panels(net, layer + 1, DELTA)[block]
            below, delta = (delta, below) if transposed else (below, delta)
            outer(below, first, stop, delta, panel, n_panels, n_columns, rows, adding, out)


@jit
def matrix_of(index, kind):
    """Row of outputs or deltas ``index`` in the table of words."""
    return 2 * index + (1 if kind == DELTA else 0)


@jit
def weights_row(net, layer):
    """Row of a layer's weights in the table of words: after the outputs and deltas of the input and of all layers."""
    return 2 * (net.table.shape[0] + 1) + layer


@jit
def is_operand(net, index, kind):
    """Whether a product reads outputs or deltas ``index`` in another form than panels."""
    if net.bfloat16:
        row = net.word_table[matrix_of(index, kind)]
        return row[FACTOR] != NO_FORM or row[GRADIENT] != NO_FORM
    return net.offsets[index, kind + 1] >= 0


@linked(NET, intp, intp, intp, intp, intp)
def keep_operand(net, index, kind, block, n_rows, panel):
    """Write a finished panel of outputs or deltas in the forms that products will read: its transpose, or words."""
    if not is_operand(net, index, kind):
        return
    x = block_panels(net, index, kind)[block]
    if net.bfloat16:
        width = panel_width(panel, net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
        for use in (FACTOR, GRADIENT):
            keep_words(net.word_table, net.words, matrix_of(index, kind), use, block, x, panel, width, 0, n_rows)
    else:
        transpose_panel(x, panel, n_rows, block_transposes(net, index, kind + 1)[block])


@jit
def keep_updated(net, layer, panel, first, stop):
    """Write updated weights of a layer as words, if products read those."""
    if net.bfloat16 and net.table[layer, KIND] == DENSE:
        weight = weight_panels(net.table, layer, net.params)
        keep_weights(net.word_table, net.words, weights_row(net, layer), weight, panel, first, stop)


@linked(NET, intp, intp, intp, intp, intp, intp)
def layer_panel(net, layer, activation, block, n_rows, panel, part):
    """One panel of a layer's outputs for one block of rows, or a ``part`` of its sums; whether it is complete."""
    out = block_panels(net, layer + 1, OUTPUT)[block]
    bias, rows = bias_panels(net.table, layer, net.params)[panel], out[panel, :n_rows]
    complete = product_panel(
        net, layer, OUTPUT, layer, net.table[layer, TRANSPOSED], block, n_rows, panel, part, bias, out
    )
    if complete:
        activate(activation, rows.reshape(rows.size))
        keep_operand(net, layer + 1, OUTPUT, block, n_rows, panel)
    return complete


@linked(NET, intp, intp, intp, intp)
def keep_block(net, index, kind, block, n_rows):
    """`keep_rows` for one block."""
    for panel in range(panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])):
        keep_operand(net, index, kind, block, n_rows, panel)


@linked(NET, intp, intp, intp, parallel=True)
def keep_rows(net, index, kind, n_rows):
    """Write outputs or deltas ``index`` that were made row by row in the forms that products will read."""
    if is_operand(net, index, kind):
        n_panels = panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
        for job in prange(block_count(net, n_rows) * n_panels):
            block, panel = job // n_panels, job % n_panels
            keep_operand(net, index, kind, block, rows_in(net, block, n_rows), panel)


@jit
def sum_in_order(values):
    """Sum of a vector: a parallel sum would depend on the number of threads."""
    total = 0.0
    for value in values:
        total += value
    return total
