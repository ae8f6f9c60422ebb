"""The fused trainer of dense networks, in float32: packed weights, epilogues, and updates applied tile by tile.

A minibatch is a short sequence of parallel regions, each over independent panels:

    load the rows -> forward, layer by layer -> loss and its delta -> for every layer from the top: delta of the layer below,
    then gradient and update of the layer's weights, a block of PANEL x PANEL at a time

Threads share out panels and blocks; no sum is ever split among them.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, float64, get_thread_id, intp, prange, typeof

from ._jit import jit, linked
from .activations import LINEAR, SOFTMAX, activate, differentiate
from .corruption import NO_CORRUPTION, corrupt
from .cpu import max_threads
from .losses import SOFTMAX_CROSS_ENTROPY, forward_activation, loss_row
from .microkernel import PANEL
from .packing import (
    ACTIVATION,
    BIAS,
    CHUNK,
    GROUP,
    MATRIX,
    N_IN,
    N_OUT,
    NUMBERS,
    PACK,
    ROWS,
    TRANSPOSED,
    UNPACK,
    WEIGHT,
    aligned_zeros,
    bias_panels,
    copy_vector,
    gather_row,
    is_owner,
    packed_table,
    panel_count,
    panel_width,
    scatter_row,
    transpose_panel,
    weight_panels,
)  # fmt: skip
from .product import activate_panel, clear_padding, loss_panel, multiply, multiply_transposed, outer, sum_rows
from .random import KEY
from .samples import SAMPLES, declared_writable, load_row
from .updates import ADAM, UPDATE, learning_rate_at, update_packed

OUTPUT, OUTPUT_T, DELTA, DELTA_T = range(4)  # columns of Packed.places


class Packed(NamedTuple):
    """A network in panels and the activations of one minibatch, cut into blocks of ``rows`` rows.

    ``places`` (L + 1, 4) says where in ``activations`` the outputs of a layer begin, their transpose, its delta and that one's
    transpose; row 0 belongs to the input. The transposes exist where a product needs them.
    """

    table: np.ndarray  # (L, 6) offsets into the packed vectors
    n_weights: int
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
    packed, n_weights, n_params = packed_table(table)
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
        n_weights=n_weights,
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
NOISE = typeof(NO_CORRUPTION)


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


@linked(NET, SAMPLES, NUMBERS, NUMBERS, NOISE, KEY, intp, parallel=True)
def load(net, samples, positions, row_ids, corruption, key, epoch):
    """Load a minibatch into the input and the target."""
    inputs, target = block_panels(net, 0, OUTPUT), net.target
    n_visible, n_rows = net.table[0, N_IN], positions.shape[0]
    for r in prange(n_rows):
        clean, noisy = np.empty(n_visible, np.float32), np.empty(n_visible, np.float32)
        load_row(samples, positions[r], clean)
        corrupt(corruption, key, epoch, row_ids[r], clean, noisy)
        scatter_row(clean, target[r // net.rows], r % net.rows)
        scatter_row(noisy, inputs[r // net.rows], r % net.rows)
    if net.places[0, OUTPUT_T] >= 0:
        for panel in prange(panel_count(n_visible)):
            for block in range(block_count(net, n_rows)):
                keep_transpose(net, 0, OUTPUT, block, rows_in(net, block, n_rows), panel)


@linked(NET, intp, intp, parallel=True)
def forward_layer(net, layer, n_rows):
    """Outputs of one layer below the last."""
    n_panels = panel_count(net.table[layer, N_OUT])
    for job in prange(block_count(net, n_rows) * n_panels):
        block, panel = job // n_panels, job % n_panels
        layer_panel(net, layer, net.table[layer, ACTIVATION], block, rows_in(net, block, n_rows), panel)


@jit
def sum_in_order(values):
    """Sum of a vector: a parallel sum would depend on the number of threads."""
    total = 0.0
    for value in values:
        total += value
    return total


@linked(NET, intp, intp, parallel=True)
def output_layer(net, loss, n_rows):
    """Outputs of the last layer, their losses, summed, and the delta of the mean loss. Softmax: see `classify`."""
    layer = net.table.shape[0] - 1
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    n_panels, share = panel_count(n_out), np.float32(1.0 / n_rows)
    n_jobs = block_count(net, n_rows) * n_panels
    outputs, deltas = block_panels(net, layer + 1, OUTPUT), block_panels(net, layer + 1, DELTA)
    target, losses = net.target, net.losses
    for job in prange(n_jobs):
        block, panel = job // n_panels, job % n_panels
        rows = rows_in(net, block, n_rows)
        layer_panel(net, layer, forward_activation(loss, activation), block, rows, panel)
        if loss != SOFTMAX_CROSS_ENTROPY:
            losses[job] = loss_panel(
                loss, activation, share, panel_width(panel, n_out), outputs[block, panel, :rows],
                target[block, panel, :rows], deltas[block, panel, :rows],
            )  # fmt: skip
            keep_transpose(net, layer + 1, DELTA, block, rows, panel)
    return sum_in_order(losses[:n_jobs])


@linked(NET, NUMBERS, NUMBERS, parallel=True)
def classify(net, labels, positions):
    """Losses of a classifier's logits, summed, and their delta: softmax runs over whole rows."""
    layer, n_rows = net.table.shape[0] - 1, positions.shape[0]
    n_out = net.table[layer, N_OUT]
    outputs, deltas = block_panels(net, layer + 1, OUTPUT), block_panels(net, layer + 1, DELTA)
    share, losses = np.float32(1.0 / n_rows), net.losses
    for r in prange(n_rows):
        logits, delta = np.empty(n_out, np.float32), np.empty(n_out, np.float32)
        gather_row(outputs[r // net.rows], r % net.rows, logits)
        losses[r] = loss_row(SOFTMAX_CROSS_ENTROPY, SOFTMAX, logits, logits, labels[positions[r]], delta)
        for c in range(n_out):
            delta[c] *= share
        scatter_row(delta, deltas[r // net.rows], r % net.rows)
    if net.places[layer + 1, DELTA_T] >= 0:
        for panel in prange(panel_count(n_out)):
            for block in range(block_count(net, n_rows)):
                keep_transpose(net, layer + 1, DELTA, block, rows_in(net, block, n_rows), panel)
    return sum_in_order(losses[:n_rows])


@linked(NET, intp, intp, parallel=True)
def backward_layer(net, layer, n_rows):
    """Delta of the layer below ``layer``: delta @ W.T times the derivative of its activation."""
    n_panels = panel_count(net.table[layer, N_IN])
    outputs, deltas = block_panels(net, layer, OUTPUT), block_panels(net, layer, DELTA)
    activation, transposed = net.table[layer - 1, ACTIVATION], 1 - net.table[layer, TRANSPOSED]
    for job in prange(block_count(net, n_rows) * n_panels):
        block, panel = job // n_panels, job % n_panels
        rows = rows_in(net, block, n_rows)
        product_panel(net, layer + 1, DELTA, layer, transposed, block, rows, panel, deltas[block])
        below, delta = outputs[block, panel, :rows], deltas[block, panel, :rows]
        differentiate(activation, below.reshape(below.size), delta.reshape(delta.size))
        clear_padding(panel_width(panel, net.table[layer, N_IN]), delta)
        keep_transpose(net, layer, DELTA, block, rows, panel)


@jit
def apply_gradient(net, update, rate, step, begin, gradient, is_weight):
    """Update packed parameters from ``begin`` on by their ``gradient`` (n,); only weights decay."""
    end = begin + gradient.shape[0]
    squares = net.squares[begin:end] if update.optimizer == ADAM else net.squares
    update_packed(update, rate, step, gradient, net.params[begin:end], net.velocity[begin:end], squares, is_weight)


@jit
def operands(net, layer):
    """x and d of the gradient x.T @ d of the matrix that a layer uses, in the matrix's own orientation."""
    x, d = block_panels(net, layer, OUTPUT), block_panels(net, layer + 1, DELTA)
    if net.table[layer, TRANSPOSED]:
        return d, x
    return x, d


@jit
def borrower(table, layer):
    """The later layer that uses the same weights, or -1."""
    for other in range(layer + 1, table.shape[0]):
        if table[other, WEIGHT] == table[layer, WEIGHT]:
            return other
    return -1


@jit
def add_outer(net, x, first, stop, d, panel, n_panels, n_columns, n_rows, keep, out):
    """out = x[:, first:stop].T @ some panels of d over all blocks of the minibatch, plus what was there if ``keep``."""
    for block in range(block_count(net, n_rows)):
        rows = rows_in(net, block, n_rows)
        outer(x[block], first, stop, d[block], panel, n_panels, n_columns, rows, keep | (block > 0), out)


@linked(NET, intp, UPDATE, float64, intp, intp, intp, intp, intp)
def update_weights(net, layer, update, rate, step, n_rows, panel, first, stop):
    """Gradient and update of at most GROUP panels of weights, rows first:stop of them, over the layers that use them."""
    n_high, n_wide = net.table[layer, N_IN], net.table[layer, N_OUT]
    if net.table[layer, TRANSPOSED]:
        n_high, n_wide = n_wide, n_high
    stop, n_panels = min(stop, n_high), min(GROUP, panel_count(n_wide) - panel)
    gradient = net.scratch[get_thread_id()]
    x, d = operands(net, layer)
    add_outer(net, x, first, stop, d, panel, n_panels, n_wide, n_rows, 0, gradient)
    other = borrower(net.table, layer)
    if other >= 0:
        x, d = operands(net, other)
        add_outer(net, x, first, stop, d, panel, n_panels, n_wide, n_rows, 1, gradient)
    for q in range(n_panels):
        begin, n = net.table[layer, WEIGHT] + ((panel + q) * n_high + first) * PANEL, (stop - first) * PANEL
        flat = gradient[q].reshape(CHUNK * PANEL)
        apply_gradient(net, update, rate, step, begin, flat[:n], 1)


@linked(NET, intp, UPDATE, float64, intp, intp, intp)
def update_biases(net, layer, update, rate, step, n_rows, panel):
    """Gradient and update of one panel of a layer's biases."""
    gradient = np.zeros(PANEL, np.float32)
    deltas = block_panels(net, layer + 1, DELTA)
    for block in range(block_count(net, n_rows)):
        sum_rows(deltas[block, panel, : rows_in(net, block, n_rows)], gradient)
    apply_gradient(net, update, rate, step, net.table[layer, BIAS] + panel * PANEL, gradient, 0)


@linked(NET, intp, UPDATE, intp, intp, parallel=True)
def update_layer(net, layer, update, step, n_rows):
    """Gradient and update of a layer's biases, and of its weights unless it borrows them."""
    rate = learning_rate_at(update, step)
    n_biases = panel_count(net.table[layer, N_OUT])
    weight = weight_panels(net.table, layer, net.params)
    owner = is_owner(net.table, layer)
    n_chunks = -(-weight.shape[1] // CHUNK)
    n_jobs = -(-weight.shape[0] // GROUP) * n_chunks if owner else n_biases
    for job in prange(n_jobs):
        if owner:
            first = job % n_chunks * CHUNK
            update_weights(net, layer, update, rate, step, n_rows, job // n_chunks * GROUP, first, first + CHUNK)
        for panel in range(job * n_biases // n_jobs, (job + 1) * n_biases // n_jobs):
            update_biases(net, layer, update, rate, step, n_rows, panel)


@jit
def train_batch(net, objective, update, step, labels, positions):
    """Forward, backward and update for the minibatch that was loaded; the sum of its losses."""
    n_layers, n_rows = net.table.shape[0], positions.shape[0]
    for layer in range(n_layers - 1):
        forward_layer(net, layer, n_rows)
    total = output_layer(net, objective.loss, n_rows)
    if objective.loss == SOFTMAX_CROSS_ENTROPY:
        total = classify(net, labels, positions)
    for below in range(n_layers):
        layer = n_layers - 1 - below
        if layer:
            backward_layer(net, layer, n_rows)
        update_layer(net, layer, update, step, n_rows)
    return total


@jit
def train(
    table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, net,
):  # fmt: skip
    """`dense.train` in float32: params, velocity and, for Adam, squares are packed, trained and unpacked."""
    copy_vector(table, net.table, params, net.params, PACK)
    copy_vector(table, net.table, velocity, net.velocity, PACK)
    if update.optimizer == ADAM:
        copy_vector(table, net.table, squares, net.squares, PACK)
    total = 0.0
    for start in range(0, positions.shape[0], batch_size):
        chosen, ids = positions[start : start + batch_size], row_ids[start : start + batch_size]
        load(net, samples, chosen, ids, objective.corruption, key, epoch)
        total += train_batch(net, objective, update, step, labels, chosen)
        step += 1
    copy_vector(table, net.table, params, net.params, UNPACK)
    copy_vector(table, net.table, velocity, net.velocity, UNPACK)
    if update.optimizer == ADAM:
        copy_vector(table, net.table, squares, net.squares, UNPACK)
    return total


# Sat Nov 21 05:09:54 UTC 2026
# Sat Nov 21 05:11:38 UTC 2026


@linked(NET, intp, intp, intp)
def answer_layer(net, layer, block, n_rows):
    """Outputs of one layer for one block of rows."""
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    for panel in range(panel_count(n_out)):
        layer_panel(net, layer, LINEAR if activation == SOFTMAX else activation, block, n_rows, panel)
    if activation == SOFTMAX:  # needs whole rows
        outputs, values = block_panels(net, layer + 1, OUTPUT)[block], np.empty(n_out, np.float32)
        for r in range(n_rows):
            gather_row(outputs, r, values)
            activate(SOFTMAX, values)
            scatter_row(values, outputs, r)


@linked(NET, SAMPLES, NUMBERS, MATRIX, parallel=True)
def infer(net, samples, positions, out):
    """out (n, n_out) = the network's answer to rows ``positions`` (n,) of ``samples``.

    Every thread takes whole blocks of rows through all layers, in its own block of ``net.activations``.
    """
    n_layers, n_rows = net.table.shape[0], positions.shape[0]
    inputs, outputs = block_panels(net, 0, OUTPUT), block_panels(net, n_layers, OUTPUT)
    n_visible, n_workers = net.table[0, N_IN], net.n_blocks
    for worker in prange(n_workers):
        row = np.empty(n_visible, np.float32)
        for first in range(worker * net.rows, n_rows, n_workers * net.rows):
            n = min(net.rows, n_rows - first)
            for r in range(n):
                load_row(samples, positions[first + r], row)
                scatter_row(row, inputs[worker], r)
            for panel in range(panel_count(n_visible)):
                keep_transpose(net, 0, OUTPUT, worker, n, panel)
            for layer in range(n_layers):
                answer_layer(net, layer, worker, n)
            for r in range(n):
                gather_row(outputs[worker], r, out[first + r])


def prepare(table: np.ndarray, params: np.ndarray) -> Packed:
    """A network packed for `infer`."""
    net = pack_network(table, ROWS * max_threads())
    copy_vector(table, net.table, declared_writable(params), net.params, PACK)
    return net
