"""The objective of a network in panels: the losses of its outputs with their delta, and what is measured for terms."""

import numpy as np
from numba import float64, intp, prange

from ._jit import linked
from .instructions import PANEL
from .losses import SOFTMAX_CROSS_ENTROPY, forward_activation, loss_row
from .packed_network import (
    DELTA,
    NET,
    OUTPUT,
    block_count,
    block_panels,
    keep_operand,
    layer_panel,
    rows_in,
    sum_in_order,
)  # fmt: skip
from .packing import ACTIVATION, N_OUT, NUMBERS, gather_row, panel_count, panel_width, scatter_row, weight_panels
from .penalties import needs_norms
from .product import loss_panel
from .terms import KIND, LAYER, TERMS, measure_columns, sum_squares, sum_statistics


@linked(NET, intp, intp, intp, float64, parallel=True)
def output_layer(net, layer, loss, n_rows, share):
    """Outputs of the last layer, their losses, summed, and the delta of the mean loss."""
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    n_panels = panel_count(n_out)
    n_jobs = block_count(net, n_rows) * n_panels
    outputs, deltas = block_panels(net, layer + 1, OUTPUT), block_panels(net, layer + 1, DELTA)
    target, losses = net.target, net.losses
    for job in prange(n_jobs):
        block, panel = job // n_panels, job % n_panels
        rows = rows_in(net, block, n_rows)
        layer_panel(net, layer, forward_activation(loss, activation), block, rows, panel)
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
        losses[r] = loss_row(loss, activation, output, goal, label, weights, delta)
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
