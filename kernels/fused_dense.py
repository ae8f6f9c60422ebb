"""The fused trainer of dense networks: packed weights, epilogues, and updates applied tile by tile.

A minibatch is a short sequence of parallel regions, each over independent panels:

    load the rows -> forward, layer by layer -> loss and its delta -> for every layer from the top: delta of the layer below,
    then gradient and update of the layer's weights, GROUP panels by CHUNK rows at a time

Threads share out panels and blocks; no sum is ever split among them.
"""

import numpy as np
from numba import float64, get_thread_id, intp, prange, typeof

from ._jit import jit, linked
from .activations import SOFTMAX, differentiate
from .corruption import NO_CORRUPTION, corrupt
from .instructions import PANEL
from .losses import SOFTMAX_CROSS_ENTROPY, forward_activation, loss_row
from .packed_network import (
    DELTA,
    NET,
    OUTPUT,
    block_count,
    block_panels,
    gradient_panels,
    is_operand,
    keep_operand,
    keep_updated,
    layer_panel,
    product_panel,
    rows_in,
    sum_in_order,
)  # fmt: skip
from .packed_words import keep_all_weights
from .packing import (
    ACTIVATION,
    BIAS,
    CHUNK,
    GROUP,
    N_IN,
    N_OUT,
    NUMBERS,
    PACK,
    TRANSPOSED,
    UNPACK,
    WEIGHT,
    copy_vector,
    gather_row,
    is_owner,
    panel_count,
    panel_width,
    scatter_row,
    weight_panels,
)  # fmt: skip
from .product import clear_padding, loss_panel, sum_rows
from .random import KEY
from .samples import SAMPLES, load_row
from .updates import ADAM, UPDATE, learning_rate_at, update_packed

NOISE = typeof(NO_CORRUPTION)


@linked(NET, SAMPLES, NUMBERS, NUMBERS, NOISE, KEY, intp, parallel=True)
def load(net, samples, positions, row_ids, corruption, key, epoch):
    """Load a minibatch into the input and the target."""
    inputs, target = block_panels(net, 0, OUTPUT), net.target
    n_visible = net.table[0, N_IN]
    for r in prange(positions.shape[0]):
        clean, noisy = np.empty(n_visible, np.float32), np.empty(n_visible, np.float32)
        load_row(samples, positions[r], clean)
        corrupt(corruption, key, epoch, row_ids[r], clean, noisy)
        scatter_row(clean, target[r // net.rows], r % net.rows)
        scatter_row(noisy, inputs[r // net.rows], r % net.rows)


@linked(NET, intp, intp, intp, parallel=True)
def keep_rows(net, index, kind, n_rows):
    """Write outputs or deltas ``index`` that were made row by row in the forms that products will read."""
    if is_operand(net, index, kind):
        n_panels = panel_count(net.table[index - 1, N_OUT] if index else net.table[0, N_IN])
        for job in prange(block_count(net, n_rows) * n_panels):
            block, panel = job // n_panels, job % n_panels
            keep_operand(net, index, kind, block, rows_in(net, block, n_rows), panel)


@linked(NET, intp, intp, parallel=True)
def forward_layer(net, layer, n_rows):
    """Outputs of one layer below the last."""
    n_panels = panel_count(net.table[layer, N_OUT])
    for job in prange(block_count(net, n_rows) * n_panels):
        block, panel = job // n_panels, job % n_panels
        layer_panel(net, layer, net.table[layer, ACTIVATION], block, rows_in(net, block, n_rows), panel)


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
            keep_operand(net, layer + 1, DELTA, block, rows, panel)
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
        keep_operand(net, layer, DELTA, block, rows, panel)


@jit
def apply_gradient(net, update, rate, step, begin, gradient, is_weight):
    """Update packed parameters from ``begin`` on by their ``gradient`` (n,); only weights decay."""
    end = begin + gradient.shape[0]
    squares = net.squares[begin:end] if update.optimizer == ADAM else net.squares
    update_packed(update, rate, step, gradient, net.params[begin:end], net.velocity[begin:end], squares, is_weight)


@linked(NET, intp, UPDATE, float64, intp, intp, intp, intp, intp)
def update_weights(net, layer, update, rate, step, n_rows, panel, first, stop):
    """Gradient and update of at most GROUP panels of weights, rows first:stop of them, over the layers that use them."""
    n_high, n_wide = net.table[layer, N_IN], net.table[layer, N_OUT]
    if net.table[layer, TRANSPOSED]:
        n_high, n_wide = n_wide, n_high
    stop, n_panels = min(stop, n_high), min(GROUP, panel_count(n_wide) - panel)
    gradient = net.scratch[get_thread_id()]
    for user in range(layer, net.table.shape[0]):
        if net.table[user, WEIGHT] == net.table[layer, WEIGHT]:
            gradient_panels(net, user, first, stop, panel, n_panels, n_rows, 1 if user > layer else 0, gradient)
    for q in range(n_panels):
        begin, n = net.table[layer, WEIGHT] + ((panel + q) * n_high + first) * PANEL, (stop - first) * PANEL
        clear_padding(panel_width(panel + q, n_wide), gradient[q, : stop - first])  # keeps that of the weights zero
        flat = gradient[q].reshape(CHUNK * PANEL)
        apply_gradient(net, update, rate, step, begin, flat[:n], 1)
        keep_updated(net, layer, panel + q, first, stop)


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
    keep_rows(net, 0, OUTPUT, n_rows)
    for layer in range(n_layers - 1):
        forward_layer(net, layer, n_rows)
    total = output_layer(net, objective.loss, n_rows)
    if objective.loss == SOFTMAX_CROSS_ENTROPY:
        total = classify(net, labels, positions)
        keep_rows(net, n_layers, DELTA, n_rows)
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
    """`dense.train` in float32, with products of either kind; params, velocity and, for Adam, squares are modified in place."""
    copy_vector(table, net.table, params, net.params, PACK)
    keep_all_weights(net)
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
