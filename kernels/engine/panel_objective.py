"""The objective of a network in panels: the losses of its outputs with their delta, and what is measured for terms."""

import numpy as np
from numba import float32, float64, intp, prange

from .._jit import jit, linked
from ..arithmetic.activations import differentiate, exp, log1p_unit
from ..arithmetic.losses import (
    CROSS_ENTROPY,
    GAUSSIAN_NLL,
    HALF_LOG_2PI,
    SOFTMAX_CROSS_ENTROPY,
    forward_activation,
    loss_packed,
)  # fmt: skip
from ..arithmetic.penalties import needs_norms
from ..arithmetic.terms import KIND, LAYER, TERMS, measure_columns, sum_squares, sum_statistics
from .instructions import PANEL
from .packed_network import (
    DELTA,
    NET,
    OUTPUT,
    block_count,
    block_panels,
    keep_operand,
    layer_panel,
    part_count,
    rows_in,
    sum_in_order,
)  # fmt: skip
from .panels import (
    ACTIVATION,
    MATRIX,
    N_OUT,
    NUMBERS,
    TRANSPOSED,
    gather_row,
    panel_count,
    panel_width,
    scatter_row,
    weight_panels,
)  # fmt: skip
from .parts import job_of
from .products import clear_padding, sum_rows


@jit
def squared_error_panel(share, output, target, delta, losses):
    """losses (n,) = squared errors; delta (n,) = ``share`` * 2 (output - target)."""
    scale = np.float32(2) * share
    for i in range(output.shape[0]):
        difference = output[i] - target[i]
        losses[i] = difference * difference
        delta[i] = scale * difference


@jit
def cross_entropy_panel(share, logits, target, delta, losses):
    """losses (n,) = cross-entropies of logits; delta (n,) = ``share`` * (sigmoid - target)."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(logits.shape[0]):
        a, t = logits[i], target[i]
        e = exp(-abs(a))
        losses[i] = (a if a > zero else zero) - a * t + log1p_unit(e)
        delta[i] = share * ((one if a > zero else e) / (one + e) - t)


@linked(intp, intp, float32, intp, MATRIX, MATRIX, MATRIX)
def loss_panel(loss, activation, share, width, output, target, delta):
    """Losses of one panel, summed; ``delta`` (n, PANEL) becomes ``share`` times the derivative for the output layer's input.

    output (n, PANEL) holds logits for the cross-entropy, else activated outputs; target (n, PANEL).
    """
    sums, losses, n = np.zeros(PANEL), np.empty_like(output), output.size
    flat = output.reshape(n), target.reshape(n), delta.reshape(n), losses.reshape(n)
    half = loss == GAUSSIAN_NLL
    if loss == CROSS_ENTROPY:
        cross_entropy_panel(share, *flat)
    else:
        squared_error_panel(np.float32(0.5) * share if half else share, *flat)
        differentiate(activation, flat[0], flat[2])
    sum_rows(losses, sums)
    for c in range(width if half else 0):
        sums[c] = 0.5 * sums[c] + output.shape[0] * HALF_LOG_2PI
    clear_padding(width, delta)
    total = 0.0
    for c in range(width):
        total += sums[c]
    return total


@linked(NET, intp, intp, intp, float64, intp, parallel=True)
def output_layer(net, layer, loss, n_rows, share, answered):
    """Outputs of the last layer, unless it has ``answered``; their losses, summed, and the delta of the mean loss."""
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    n_panels = panel_count(n_out)
    n_jobs = block_count(net, n_rows) * n_panels
    outputs, deltas = block_panels(net, layer + 1, OUTPUT), block_panels(net, layer + 1, DELTA)
    target, losses = net.target, net.losses
    n_parts = 1 if answered else part_count(net, layer, net.table[layer, TRANSPOSED], n_rows)
    for piece in prange(n_jobs * n_parts):
        part, job = job_of(piece, n_jobs, n_parts)
        block, panel = job // n_panels, job % n_panels
        rows = rows_in(net, block, n_rows)
        if answered or layer_panel(net, layer, forward_activation(loss, activation), block, rows, panel, part):
            losses[job] = loss_panel(
                loss, activation, np.float32(share), panel_width(panel, n_out), outputs[block, panel, :rows],
                target[block, panel, :rows], deltas[block, panel, :rows],
            )  # fmt: skip
            keep_operand(net, layer + 1, DELTA, block, rows, panel)
    return sum_in_order(losses[:n_jobs])


@linked(NET, intp, NUMBERS, NUMBERS, float64, parallel=True)
def row_losses(net, loss, labels, positions, share):
    """Losses that are taken row by row, summed, and their delta: softmax needs whole rows, and single inputs may have weights."""
    layer, n_rows = net.table.shape[0] - 1, positions.shape[0]
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    outputs, deltas = block_panels(net, layer + 1, OUTPUT), block_panels(net, layer + 1, DELTA)
    part, losses, target, emphasis = np.float32(share), net.losses, net.target, net.emphasis
    for r in prange(n_rows):
        block, row, label = r // net.rows, r % net.rows, 0
        output, delta, goal = np.empty(n_out, np.float32), np.empty(n_out, np.float32), np.empty(n_out, np.float32)
        weights = np.empty(n_out if emphasis.shape[0] else 0, np.float32)
        gather_row(outputs[block], row, output)
        if loss == SOFTMAX_CROSS_ENTROPY:
            label = labels[positions[r]]
        else:
            gather_row(target[block], row, goal)
        if emphasis.shape[0]:
            gather_row(emphasis[block], row, weights)
        losses[r] = loss_packed(loss, activation, output, goal, label, weights, delta)
        for c in range(n_out):
            delta[c] *= part
        scatter_row(delta, deltas[block], row)
    return sum_in_order(losses[:n_rows])


@linked(NET, intp, TERMS, intp, float64, parallel=True)
def measure(net, term, terms, n_rows, share):
    """Measure a term on the outputs of its layer; its value, times its weight."""
    layer, kind = terms.places[term, LAYER], terms.places[term, KIND]
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    outputs = block_panels(net, layer + 1, OUTPUT)
    for panel in prange(panel_count(n_out)):
        width, column = panel_width(panel, n_out), panel * PANEL
        sums, norms = np.zeros(PANEL), np.zeros(PANEL)
        for block in range(block_count(net, n_rows)):
            own = outputs[block, panel, : rows_in(net, block, n_rows)]
            sum_statistics(terms, term, activation, own, column, sums)
        if needs_norms(kind):
            sum_squares(weight_panels(net.table, layer, net.params)[panel], norms)
        measure_columns(terms, term, share, sums, norms, width, column, net)
    return sum_in_order(net.values[term, :n_out])
