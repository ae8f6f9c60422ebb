"""A Gaussian code (Kingma & Welling 2014): from means and log variances, 2 K numbers, to a draw z = mean + exp(log variance / 2) e.

e is standard normal: the numbers that `fill_noise` draws for a row. The layer has no parameters; the dense layer below gives means
and log variances, and a penalty on that one's outputs keeps the codes near the prior (`penalties.DIVERGENCE`). Log variances beyond
`LIMIT` count as that much, and have no slope. Once trained, the layer answers with the mean.
"""

import numpy as np
from numba import intp, prange

from .._jit import jit, linked, parallel_jit
from ..arithmetic.activations import differentiate, exp, like
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..arithmetic.random import KEY, fill_normal
from ..arithmetic.terms import TERMS
from ..engine.packed_network import DELTA, NET, OUTPUT, block_count, block_panels, keep_block, keep_rows
from ..engine.panels import N_OUT, NUMBERS, gather_row, panel_count, scatter_row
from .dense import finish_delta

LIMIT = 20.0
CODE_DRAW, SAMPLE_STRIDE = 8, 4096  # random numbers: after those of corruption; the same of the next sample of one row


@jit
def fill_noise(key, epoch, row_id, layer, sample, out):
    """out (K,) = standard normal numbers for one row of one epoch, and one of its samples."""
    fill_normal(key, epoch, row_id, CODE_DRAW + layer + SAMPLE_STRIDE * sample, 0, out)


@jit
def deviation(log_variance):
    """exp(log variance / 2) of a scalar within the limits."""
    limit = like(LIMIT, log_variance)
    return exp(like(0.5, log_variance) * min(max(log_variance, -limit), limit))


@jit
def draw_row(inputs, noise, out):
    """out (K,) = a draw from the Gaussian that ``inputs`` (2 K,) describe, by standard normal ``noise`` (K,)."""
    n = out.shape[0]
    for j in range(n):
        out[j] = inputs[j] + deviation(inputs[n + j]) * noise[j]


@jit
def delta_row(inputs, outputs, delta, out):
    """out (2 K,) = the derivative for ``inputs`` (2 K,), from the ``delta`` (K,) for the draw that is in ``outputs`` (K,)."""
    n, half, zero = delta.shape[0], like(0.5, delta[0]), like(0.0, delta[0])
    for j in range(n):
        inside = abs(inputs[n + j]) < like(LIMIT, delta[0])
        out[j] = delta[j]
        out[n + j] = half * delta[j] * (outputs[j] - inputs[j]) if inside else zero


# ---- in panels -------------------------------------------------------------------------------------------------------


@linked(NET, intp, intp, NUMBERS, KEY, intp, parallel=True)
def draw_rows(net, layer, n_samples, row_ids, key, epoch):
    """Draws for a minibatch of which every ``n_samples`` rows are samples for one row of the data; for none the means."""
    inputs, outputs, n_out = (
        block_panels(net, layer, OUTPUT),
        block_panels(net, layer + 1, OUTPUT),
        net.table[layer, N_OUT],
    )
    for r in prange(row_ids.shape[0]):
        block, row = r // net.rows, r % net.rows
        given, noise, out = np.empty(2 * n_out, np.float32), np.empty(n_out, np.float32), np.empty(n_out, np.float32)
        gather_row(inputs[block], row, given)
        noise[:] = 0
        if n_samples:
            fill_noise(key, epoch, row_ids[r], layer, r % n_samples, noise)
        draw_row(given, noise, out)
        scatter_row(out, outputs[block], row)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """The means, for one block of rows."""
    inputs, outputs, n_out = (
        block_panels(net, layer, OUTPUT),
        block_panels(net, layer + 1, OUTPUT),
        net.table[layer, N_OUT],
    )
    values = np.empty(n_out, np.float32)
    for r in range(n_rows):
        gather_row(inputs[block], r, values)
        scatter_row(values, outputs[block], r)
    keep_block(net, layer + 1, OUTPUT, block, n_rows)


@linked(NET, intp, intp, parallel=True)
def spread_delta(net, layer, n_rows):
    """From the delta of the draws to the derivative for means and log variances, row by row."""
    inputs, outputs, n_out = (
        block_panels(net, layer, OUTPUT),
        block_panels(net, layer + 1, OUTPUT),
        net.table[layer, N_OUT],
    )
    deltas, below = block_panels(net, layer + 1, DELTA), block_panels(net, layer, DELTA)
    for r in prange(n_rows):
        block, row = r // net.rows, r % net.rows
        given, found = np.empty(2 * n_out, np.float32), np.empty(2 * n_out, np.float32)
        drawn, delta = np.empty(n_out, np.float32), np.empty(n_out, np.float32)
        gather_row(inputs[block], row, given)
        gather_row(outputs[block], row, drawn)
        gather_row(deltas[block], row, delta)
        delta_row(given, drawn, delta, found)
        scatter_row(found, below[block], row)


@linked(NET, intp, TERMS, intp, parallel=True)
def finish_below(net, layer, terms, n_rows):
    """Finish the delta of the layer below, panel by panel."""
    n_panels = panel_count(2 * net.table[layer, N_OUT])
    for job in prange(block_count(net, n_rows) * n_panels):
        finish_delta(net, layer - 1, terms, job // n_panels, job % n_panels, n_rows)


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """Outputs of one layer."""
    draw_rows(net, layer, objective.n_samples, batch.row_ids, batch.key, batch.epoch)
    keep_rows(net, layer + 1, OUTPUT, batch.positions.shape[0])


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """Delta of the layer below ``layer``, finished."""
    spread_delta(net, layer, batch.positions.shape[0])
    finish_below(net, layer, objective.terms, batch.positions.shape[0])


# ---- plain -----------------------------------------------------------------------------------------------------------


@parallel_jit
def draw(below, noise, out):
    """out (B, K) = draws from the Gaussians that ``below`` (B, 2 K) describe, by standard normal ``noise`` (B, K)."""
    for r in prange(out.shape[0]):
        draw_row(below[r], noise[r], out[r])


@parallel_jit
def draw_backward(delta, below, activation, outputs, out):
    """out (B, 2 K) = the derivative for the inputs of the layer below, of which ``below`` (B, 2 K) are the outputs."""
    for r in prange(out.shape[0]):
        delta_row(below[r], outputs[r], delta[r], out[r])
        differentiate(activation, below[r], out[r])
