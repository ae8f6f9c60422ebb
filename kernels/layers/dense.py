"""Dense layers, ``y = f(x W + b)``: their three steps in panels. A tied layer applies the transpose of an earlier layer's matrix.

The plain steps are in `plain.blas`.
"""

import numpy as np
from numba import float64, get_thread_id, intp, prange

from .._jit import jit, linked
from ..arithmetic.activations import LINEAR, SOFTMAX, activate, differentiate
from ..arithmetic.losses import forward_activation
from ..arithmetic.terms import NO_TERMS, TERMS, add_slopes, add_weight_slopes, changes_weights
from ..arithmetic.updates import ADAM, learning_rate_at
from ..arithmetic.updates import UPDATE as UPDATE_TYPE
from ..engine.instructions import PANEL
from ..engine.packed_network import (
    DELTA,
    NET,
    OUTPUT,
    block_count,
    block_panels,
    gradient_panels,
    keep_operand,
    keep_updated,
    layer_panel,
    matrix_of,
    part_count,
    product_panel,
    rows_in,
    weights_row,
)  # fmt: skip
from ..engine.packed_update import update_packed
from ..engine.panels import (
    ACTIVATION,
    BIAS,
    CHUNK,
    GROUP,
    N_IN,
    N_OUT,
    PANELS,
    TRANSPOSED,
    WEIGHT,
    bias_count,
    gather_row,
    is_owner,
    panel_count,
    panel_width,
    scatter_row,
    shares_weights,
    weight_panels,
)  # fmt: skip
from ..engine.parts import WHOLE, job_of
from ..engine.products import clear_padding, sum_rows
from ..engine.updated_tiles import add_segment, applies_tiles, segment_count, update_tiles, update_tiles_of_words
from ..engine.words import add_segments, form_place, form_rows
from ..program import APPLY, UPDATE, WRITE


@linked(NET, intp, intp, intp, parallel=True)
def forward(net, layer, loss, n_rows):
    """Outputs of one layer; those of the last stay linear where the loss takes logits."""
    n_panels, activation = panel_count(net.table[layer, N_OUT]), net.table[layer, ACTIVATION]
    if layer == net.table.shape[0] - 1:
        activation = forward_activation(loss, activation)
    n_jobs, n_parts = block_count(net, n_rows) * n_panels, part_count(net, layer, net.table[layer, TRANSPOSED], n_rows)
    for piece in prange(n_jobs * n_parts):
        part, job = job_of(piece, n_jobs, n_parts)
        block, panel = job // n_panels, job % n_panels
        layer_panel(net, layer, activation, block, rows_in(net, block, n_rows), panel, part)


@linked(NET, intp, TERMS, intp, intp, intp)
def finish_delta(net, layer, terms, block, panel, n_rows):
    """From the derivative for a panel of a layer's outputs to that for its inputs: f', terms, and the forms that products read."""
    rows, width, activation = (
        rows_in(net, block, n_rows),
        panel_width(panel, net.table[layer, N_OUT]),
        net.table[layer, ACTIVATION],
    )
    outputs = block_panels(net, layer + 1, OUTPUT)[block, panel, :rows]
    delta = block_panels(net, layer + 1, DELTA)[block, panel, :rows]
    differentiate(activation, outputs.reshape(outputs.size), delta.reshape(delta.size))
    add_slopes(terms, layer, activation, outputs, panel * PANEL, width, net, delta)
    clear_padding(width, delta)
    keep_operand(net, layer + 1, DELTA, block, rows, panel)


@linked(NET, intp, TERMS, intp, parallel=True)
def backward(net, layer, terms, n_rows):
    """Delta of the layer below ``layer``: delta @ W.T, finished."""
    n_panels = panel_count(net.table[layer, N_IN])
    deltas, transposed = block_panels(net, layer, DELTA), 1 - net.table[layer, TRANSPOSED]
    n_jobs, n_parts = block_count(net, n_rows) * n_panels, part_count(net, layer, transposed, n_rows)
    for piece in prange(n_jobs * n_parts):
        part, job = job_of(piece, n_jobs, n_parts)
        block, panel = job // n_panels, job % n_panels
        rows, none = rows_in(net, block, n_rows), net.params[:0]
        if product_panel(net, layer + 1, DELTA, layer, transposed, block, rows, panel, part, none, deltas[block]):
            finish_delta(net, layer - 1, terms, block, panel, n_rows)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """What the layer answers to one block of rows."""
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    for panel in range(panel_count(n_out)):
        layer_panel(net, layer, LINEAR if activation == SOFTMAX else activation, block, n_rows, panel, WHOLE)
    if activation == SOFTMAX:  # needs whole rows
        outputs, values = block_panels(net, layer + 1, OUTPUT)[block], np.empty(n_out, np.float32)
        for r in range(n_rows):
            gather_row(outputs, r, values)
            activate(SOFTMAX, values)
            scatter_row(values, outputs, r)


# ---- update: by tiles of GROUP panels and CHUNK rows of weights ------------------------------------------------------


@linked(NET, intp, TERMS, intp, intp, intp, intp, intp, PANELS)
def weights_gradient(net, layer, terms, n_rows, panel, n_panels, first, stop, out):
    """out[q, : stop - first] = rows first to stop of the gradient of some panels of weights, over the layers that use them."""
    n_wide = net.table[layer, N_IN if net.table[layer, TRANSPOSED] else N_OUT]
    for user in range(layer, net.table.shape[0]):
        if shares_weights(net.table, user, layer):
            gradient_panels(net, user, first, stop, panel, n_panels, n_rows, 1 if user > layer else 0, out)
    weight = weight_panels(net.table, layer, net.params)
    for q in range(n_panels):
        column, width, tile = (panel + q) * PANEL, panel_width(panel + q, n_wide), out[q, : stop - first]
        for term in range(terms.places.shape[0]):
            if changes_weights(terms, term, layer):
                add_weight_slopes(term, weight[panel + q, first:stop], column, width, net, tile)
        clear_padding(width, tile)  # keeps that of the weights zero


@jit
def settle(net, operation, update, rate, step, begin, gradient, is_weight):
    """Update packed parameters from ``begin`` on by their ``gradient`` (n,), or WRITE it, or APPLY what was written."""
    end = begin + gradient.shape[0]
    if operation == WRITE:
        net.gradient[begin:end] = gradient
        return
    found = net.gradient[begin:end] if operation == APPLY else gradient
    squares = net.squares[begin:end] if update.optimizer == ADAM else net.squares
    update_packed(update, rate, step, found, net.params[begin:end], net.velocity[begin:end], squares, is_weight)


@jit
def segments_of(net, layer, n_rows, panel):
    """What the gradient of some panels of a layer's weights is a sum over; see `updated_tiles`."""
    n_blocks = net.table.shape[0] * block_count(net, n_rows)
    segments, index = np.empty((segment_count(net.bfloat16, n_blocks, net.rows), 3), np.int64), 0
    for user in range(layer, net.table.shape[0]):
        if shares_weights(net.table, user, layer):
            swapped = net.table[user, TRANSPOSED]
            for block in range(block_count(net, n_rows)):
                rows = rows_in(net, block, n_rows)
                if net.bfloat16:
                    x, d = matrix_of(user, OUTPUT), matrix_of(user + 1, DELTA)
                    x, d = (d, x) if swapped else (x, d)
                    where = x, d, block, net.rows, rows, panel
                    index = add_segments(segments, index, net.word_table, net.words, *where)
                else:
                    below, delta = block_panels(net, user, OUTPUT)[block], block_panels(net, user + 1, DELTA)[block]
                    below, delta = (delta, below) if swapped else (below, delta)
                    index = add_segment(segments, index, below, delta[panel], rows)
    return segments[:index]


@jit
def fuses(net, layer, terms, n_rows, panel, n_panels):
    """Whether tiles of the gradient of some panels can be applied while they are in registers.

    Padding of weights stays zero where that of d is: of deltas, not of the outputs that a transposed matrix takes in their place.
    """
    for term in range(terms.places.shape[0]):
        if changes_weights(terms, term, layer):
            return False
    n_wide = net.table[layer, N_IN if net.table[layer, TRANSPOSED] else N_OUT]
    padded = (panel + n_panels) * PANEL > n_wide
    n_users = 0
    for user in range(layer, net.table.shape[0]):
        if shares_weights(net.table, user, layer):
            n_users += 1
            if padded and net.table[user, TRANSPOSED]:
                return False
    return applies_tiles(net.bfloat16, n_users * block_count(net, n_rows))


@jit
def update_by_tiles(net, layer, update, rate, step, n_rows, panel, n_panels, first, stop):
    """Gradient and update of some panels of weights, rows first:stop of them, none of the gradient in memory."""
    n_high = weight_panels(net.table, layer, net.params).shape[1]
    segments, begin = segments_of(net, layer, n_rows, panel), net.table[layer, WEIGHT] + panel * n_high * PANEL
    where = segments, net.rows, first, stop, n_panels, n_high, net.params, net.velocity, net.squares, begin
    if net.bfloat16:
        own = weights_row(net, layer)
        left, right = form_place(net.word_table, own, 0, panel), form_place(net.word_table, own, 1, panel)
        update_tiles_of_words(update, rate, step, *where, net.words, left, right, form_rows(net.word_table, own))
    else:
        update_tiles(update, rate, step, *where)


@linked(NET, intp, intp, TERMS, UPDATE_TYPE, float64, intp, intp, intp, intp, intp)
def change_weights(net, layer, operation, terms, update, rate, step, n_rows, panel, n_panels, first):
    """Gradient and update of at most GROUP panels of weights, CHUNK rows of them from ``first`` on; see `settle`."""
    weight, gradient = weight_panels(net.table, layer, net.params), net.scratch[get_thread_id()]
    n_high = weight.shape[1]
    stop = min(first + CHUNK, n_high)
    if operation == UPDATE and fuses(net, layer, terms, n_rows, panel, n_panels):
        update_by_tiles(net, layer, update, rate, step, n_rows, panel, n_panels, first, stop)
        return
    if operation != APPLY:
        weights_gradient(net, layer, terms, n_rows, panel, n_panels, first, stop, gradient)
    for q in range(n_panels):
        begin, n = net.table[layer, WEIGHT] + ((panel + q) * n_high + first) * PANEL, (stop - first) * PANEL
        flat = gradient[q].reshape(CHUNK * PANEL)
        settle(net, operation, update, rate, step, begin, flat[:n], 1)
        if operation != WRITE:
            keep_updated(net, layer, panel + q, first, stop)


@linked(NET, intp, intp, UPDATE_TYPE, float64, intp, intp, intp)
def change_biases(net, layer, operation, update, rate, step, n_rows, panel):
    """Gradient and update of one panel of a layer's biases; see `settle`."""
    gradient = np.zeros(PANEL, np.float32)
    if operation != APPLY:  # between layers on maps there are no panels of deltas
        deltas = block_panels(net, layer + 1, DELTA)
        for block in range(block_count(net, n_rows)):
            sum_rows(deltas[block, panel, : rows_in(net, block, n_rows)], gradient)
    settle(net, operation, update, rate, step, net.table[layer, BIAS] + panel * PANEL, gradient, 0)


@jit
def group_count(n_panels):
    """Groups of at most GROUP panels, as even as they can be; of an even number, so that half of them is half of the panels."""
    return min(n_panels, 2 * -(-n_panels // (2 * GROUP)))


@linked(NET, intp, intp, TERMS, UPDATE_TYPE, intp, intp, parallel=True)
def change(net, layer, operation, terms, update, step, n_rows):
    """UPDATE a layer's biases, and its weights unless it borrows them; or WRITE their gradients, or APPLY those."""
    rate = learning_rate_at(update, step)
    n_biases = panel_count(bias_count(net.table, layer))
    weight = weight_panels(net.table, layer, net.params)
    owner = is_owner(net.table, layer)
    n_chunks = -(-weight.shape[1] // CHUNK)
    n_groups = group_count(weight.shape[0])
    n_jobs = n_groups * n_chunks if owner else n_biases
    for job in prange(n_jobs):
        if owner:
            group, first = job // n_chunks, job % n_chunks * CHUNK
            panel, end = weight.shape[0] * group // n_groups, weight.shape[0] * (group + 1) // n_groups
            change_weights(net, layer, operation, terms, update, rate, step, n_rows, panel, end - panel, first)
        for panel in range(job * n_biases // n_jobs, (job + 1) * n_biases // n_jobs):
            change_biases(net, layer, operation, update, rate, step, n_rows, panel)


@jit
def apply(net, layer, update, step):
    """Update a layer of any kind with parameters by the gradient that was written."""
    change(net, layer, APPLY, NO_TERMS, update, step, 0)
