"""The fused trainer of restricted Boltzmann machines: packed weights, sampling as an epilogue, updates tile by tile.

A minibatch of CD-1 is three parallel regions:

    load        rows of the *next* minibatch
    visible     by visible panel: reconstruction from the hidden sample, its error
    hidden      by hidden panel: negative phase, gradient and update of the panel's weights, positive phase of the next minibatch

so a panel of weights (100 KB for 784 visible units) is read from memory once for the three things that the last region does
with it. CD-k puts k - 1 Gibbs steps before the second region; persistent chains make k of their own and use the second region
to monitor only. The order of random numbers is that of `rbm.divergence_gradient`, which is this algorithm in plain form.
"""

import numpy as np
from numba import float32, float64, get_thread_id, intp, prange

from ._jit import jit, linked
from .activations import activate
from .instructions import PANEL
from .packed_machine import (
    FANTASY,
    MACHINE,
    MEAN,
    NEGATIVE,
    POSITIVE,
    STATE,
    gradient_panel,
    hidden_panel,
    keep_hidden_share,
    keep_hidden_transpose,
    keep_updated,
    keep_visible,
    layer_table,
    visible_strip,
)  # fmt: skip
from .packed_network import block_count, rows_in, sum_in_order
from .packed_words import keep_all_weights
from .packing import (
    BIAS,
    CHUNK,
    MATRIX,
    NUMBERS,
    PACK,
    UNPACK,
    WEIGHT,
    copy_vector,
    gather_row,
    panel_count,
    panel_width,
    scatter_row,
)  # fmt: skip
from .product import clear_padding, sum_rows
from .random import KEY
from .samples import SAMPLES, load_row
from .sampling import sample_panel
from .updates import UPDATE, learning_rate_at, update_packed


@linked(MACHINE, intp, SAMPLES, NUMBERS, parallel=True)
def load(m, parity, samples, positions):
    """Load a minibatch into visible states ``parity``."""
    data, n_rows = m.visible_states[parity], positions.shape[0]
    for r in prange(positions.shape[0]):
        row = np.empty(m.n_visible, np.float32)
        load_row(samples, positions[r], row)
        scatter_row(row, data[r // m.rows], r % m.rows)
    if m.bfloat16:
        for panel in prange(panel_count(m.n_visible)):
            for block in range(block_count(m, n_rows)):
                keep_visible(m, parity, block, panel, 0, rows_in(m, block, n_rows))


# ---- visible units: strips of PANEL rows of one panel ----------------------------------------------------------------


@linked(MATRIX, MATRIX, intp)
def squared_difference(x, y, width):
    """Sum of (x - y)**2 over the first ``width`` columns of two parts of panels (n, PANEL)."""
    sums = np.zeros(PANEL)
    for r in range(x.shape[0]):
        for c in range(PANEL):
            difference = x[r, c] - y[r, c]
            sums[c] += difference * difference
    total = 0.0
    for c in range(width):
        total += sums[c]
    return total


@linked(MACHINE, intp, intp, intp, parallel=True)
def reconstruct(m, parity, given, n_rows):
    """Mean of the visible units given hidden states, into MEAN; the squared difference from the data, summed."""
    data, mean, errors = m.visible_states[parity], m.visible_states[MEAN], m.errors
    n_panels, n_strips = panel_count(m.n_visible), m.rows // PANEL
    n_jobs = block_count(m, n_rows) * n_panels * n_strips
    for job in prange(n_jobs):
        block, panel, first = job // n_strips // n_panels, job // n_strips % n_panels, job % n_strips * PANEL
        stop = min(first + PANEL, rows_in(m, block, n_rows))
        errors[job] = 0
        if first < stop:
            visible_strip(m, given, block, panel, first, stop)
            strip = mean[block, panel, first:stop]
            activate(m.visible, strip.reshape(strip.size))
            errors[job] = squared_difference(data[block, panel, first:stop], strip, panel_width(panel, m.n_visible))
            keep_visible(m, MEAN, block, panel, first, stop)
    return sum_in_order(errors[:n_jobs])


@linked(MACHINE, KEY, intp, NUMBERS, intp, parallel=True)
def sample_visible(m, key, epoch, row_ids, draw):
    """Mean and sample of the visible units given the hidden sample, into MEAN and FANTASY."""
    mean, fantasy, n_rows = m.visible_states[MEAN], m.visible_states[FANTASY], row_ids.shape[0]
    n_panels, n_strips = panel_count(m.n_visible), m.rows // PANEL
    for job in prange(block_count(m, n_rows) * n_panels * n_strips):
        block, panel, first = job // n_strips // n_panels, job // n_strips % n_panels, job % n_strips * PANEL
        stop, width = min(first + PANEL, rows_in(m, block, n_rows)), panel_width(panel, m.n_visible)
        if first < stop:
            visible_strip(m, STATE, block, panel, first, stop)
            ids = row_ids[block * m.rows + first : block * m.rows + stop]
            sample_panel(
                m.visible, key, epoch, ids, draw, panel * PANEL, width, mean[block, panel, first:stop],
                fantasy[block, panel, first:stop],
            )  # fmt: skip
            keep_visible(m, FANTASY, block, panel, first, stop)


# ---- hidden units: panels --------------------------------------------------------------------------------------------


@linked(MACHINE, intp, intp, KEY, intp, NUMBERS, intp, intp)
def sample_hidden_panel(m, given, which, key, epoch, row_ids, draw, panel):
    """Mean of a panel of hidden units given visible states, into ``which``, their sample, and the sample's transpose."""
    n_rows, width = row_ids.shape[0], panel_width(panel, m.n_hidden)
    mean, state = m.hidden_states[which], m.hidden_states[STATE]
    for block in range(block_count(m, n_rows)):
        rows = rows_in(m, block, n_rows)
        hidden_panel(m, given, block, rows, panel, mean[block])
        ids = row_ids[block * m.rows : block * m.rows + rows]
        sample_panel(
            m.hidden, key, epoch, ids, draw, panel * PANEL, width, mean[block, panel, :rows], state[block, panel, :rows]
        )  # fmt: skip
        keep_hidden_transpose(m, STATE, block, panel, rows)


@linked(MACHINE, KEY, intp, NUMBERS, intp, parallel=True)
def sample_hidden(m, key, epoch, row_ids, draw):
    """Mean and sample of the hidden units given the fantasies, into NEGATIVE and STATE."""
    for panel in prange(panel_count(m.n_hidden)):
        sample_hidden_panel(m, FANTASY, NEGATIVE, key, epoch, row_ids, draw, panel)


@jit
def hidden_mean_panel(m, given, which, block, rows, panel):
    """Mean of a panel of hidden units given visible states, into ``which``."""
    out = m.hidden_states[which, block]
    hidden_panel(m, given, block, rows, panel, out)
    mean = out[panel, :rows]
    activate(m.hidden, mean.reshape(mean.size))


@linked(MACHINE, intp, KEY, intp, NUMBERS, intp)
def positive_phase(m, parity, key, epoch, row_ids, panel):
    """A panel of hidden units given the data: sampled, or for persistent chains its mean only."""
    n_rows = row_ids.shape[0]
    if m.persistent:
        for block in range(block_count(m, n_rows)):
            rows = rows_in(m, block, n_rows)
            hidden_mean_panel(m, parity, POSITIVE, block, rows, panel)
            keep_hidden_transpose(m, POSITIVE, block, panel, rows)
    else:
        sample_hidden_panel(m, parity, POSITIVE, key, epoch, row_ids, 0, panel)
    scale_panel(m, POSITIVE, n_rows, panel, np.float32(-1.0 / n_rows))


@linked(MACHINE, intp, intp)
def negative_phase(m, n_rows, panel):
    """A panel of hidden units given the model's visible ones; persistent chains have made it before."""
    if not m.persistent:
        for block in range(block_count(m, n_rows)):
            hidden_mean_panel(m, MEAN, NEGATIVE, block, rows_in(m, block, n_rows), panel)
    scale_panel(m, NEGATIVE, n_rows, panel, np.float32(1.0 / n_rows))


@jit
def scale_panel(m, which, n_rows, panel, share):
    """Multiply a panel of hidden means by their share in the gradient and zero its padding."""
    for block in range(block_count(m, n_rows)):
        rows = rows_in(m, block, n_rows)
        scale_rows(m.hidden_states[which, block, panel, :rows], panel_width(panel, m.n_hidden), share)
        keep_hidden_share(m, which, block, panel, rows)


@linked(MATRIX, intp, float32)
def scale_rows(rows, width, share):
    """rows (n, PANEL) *= ``share``; columns from ``width`` on become 0."""
    for r in range(rows.shape[0]):
        for c in range(PANEL):
            rows[r, c] *= share
        rows[r, width:] = 0


# ---- update ----------------------------------------------------------------------------------------------------------


@jit
def apply_gradient(m, update, rate, step, begin, gradient, is_weight):
    """Update packed parameters from ``begin`` on by their ``gradient`` (n,)."""
    end = begin + gradient.shape[0]
    velocity = m.velocity[begin:end]
    update_packed(update, rate, step, gradient, m.params[begin:end], velocity, velocity, is_weight)


@linked(MACHINE, intp, intp, UPDATE, float64, intp, intp, intp, intp)
def update_panel(m, data, model, update, rate, step, n_rows, n_model, panel):
    """Gradient and update of a panel of weights and of its hidden biases; data and model are visible states."""
    thread = get_thread_id()
    scratch = m.scratch[thread : thread + 1]
    flat = scratch.reshape(scratch.size)
    for first in range(0, m.n_visible, CHUNK):
        stop = min(first + CHUNK, m.n_visible)
        gradient_panel(m, data, POSITIVE, first, stop, n_rows, panel, 0, scratch)
        gradient_panel(m, model, NEGATIVE, first, stop, n_model, panel, 1, scratch)
        clear_padding(panel_width(panel, m.n_hidden), scratch[0, : stop - first])  # keeps that of the weights zero
        begin = m.table[0, WEIGHT] + (panel * m.n_visible + first) * PANEL
        apply_gradient(m, update, rate, step, begin, flat[: (stop - first) * PANEL], 1)
        keep_updated(m, panel, first, stop)
    gradient = np.zeros(PANEL, np.float32)
    for which, n in ((POSITIVE, n_rows), (NEGATIVE, n_model)):
        for block in range(block_count(m, n)):
            sum_rows(m.hidden_states[which, block, panel, : rows_in(m, block, n)], gradient)
    apply_gradient(m, update, rate, step, m.table[0, BIAS] + panel * PANEL, gradient, 0)


@linked(MACHINE, intp, intp, UPDATE, float64, intp, intp, intp, intp)
def update_visible_biases(m, data, model, update, rate, step, n_rows, n_model, panel):
    """Gradient and update of a panel of visible biases."""
    sums = np.zeros((2, PANEL), np.float32)
    for index, (which, n) in enumerate(((data, n_rows), (model, n_model))):
        for block in range(block_count(m, n)):
            sum_rows(m.visible_states[which, block, panel, : rows_in(m, block, n)], sums[index])
    width = panel_width(panel, m.n_visible)
    gradient = np.zeros(PANEL, np.float32)
    for c in range(width):
        gradient[c] = sums[1, c] / np.float32(n_model) - sums[0, c] / np.float32(n_rows)
    apply_gradient(m, update, rate, step, m.table[1, BIAS] + panel * PANEL, gradient, 0)


@linked(MACHINE, intp, UPDATE, intp, intp, intp, KEY, intp, NUMBERS, parallel=True)
def update_and_infer(m, parity, update, step, n_rows, n_model, key, epoch, next_ids):
    """By hidden panel: the negative phase and update of this minibatch, the positive phase of the next. Either may be empty.

    Every job also updates its part of the visible biases.
    """
    rate, model = learning_rate_at(update, step), (FANTASY if m.persistent else MEAN)
    n_jobs, n_visible_panels = panel_count(m.n_hidden), panel_count(m.n_visible)
    for job in prange(n_jobs):
        if n_rows:
            negative_phase(m, n_model, job)
            update_panel(m, parity, model, update, rate, step, n_rows, n_model, job)
            for panel in range(job * n_visible_panels // n_jobs, (job + 1) * n_visible_panels // n_jobs):
                update_visible_biases(m, parity, model, update, rate, step, n_rows, n_model, panel)
        if next_ids.shape[0]:
            positive_phase(m, 1 - parity, key, epoch, next_ids, job)


# ---- the trainer -----------------------------------------------------------------------------------------------------


@jit
def copy_chains(m, chains, direction):
    """PACK the persistent hidden states (C, H) into STATE and its transpose, or UNPACK them."""
    state = m.hidden_states[STATE]
    for r in range(chains.shape[0]):
        if direction == PACK:
            scatter_row(chains[r], state[r // m.rows], r % m.rows)
        else:
            gather_row(state[r // m.rows], r % m.rows, chains[r])
    if direction == PACK:
        for block in range(block_count(m, chains.shape[0])):
            for panel in range(panel_count(m.n_hidden)):
                keep_hidden_transpose(m, STATE, block, panel, rows_in(m, block, chains.shape[0]))


@jit
def gibbs(m, key, epoch, row_ids, first_draw, steps):
    """``steps`` full Gibbs steps from the hidden states, all in place."""
    for step in range(steps):
        sample_visible(m, key, epoch, row_ids, first_draw + 2 * step)
        sample_hidden(m, key, epoch, row_ids, first_draw + 2 * step + 1)


@jit
def train(
    machine, params, update, samples, positions, row_ids, batch_size, key, chain_key, epoch, step, velocity, chains, m,
):  # fmt: skip
    """`rbm.train` in float32, with products of either kind: params, velocity and chains are packed, trained and unpacked."""
    copy_vector(layer_table(machine), m.table, params, m.params, PACK)
    copy_vector(layer_table(machine), m.table, velocity, m.velocity, PACK)
    keep_all_weights(m)
    copy_chains(m, chains, PACK)
    chain_ids, parity, total = np.arange(chains.shape[0]), 0, 0.0
    load(m, 0, samples, positions[:batch_size])
    update_and_infer(m, 1, update, step, 0, 0, key, epoch, row_ids[:batch_size])
    for start in range(0, positions.shape[0], batch_size):
        ids, after = row_ids[start : start + batch_size], start + batch_size
        next_ids = row_ids[after : after + batch_size]
        n_rows, n_model = ids.shape[0], ids.shape[0]
        load(m, 1 - parity, samples, positions[after : after + batch_size])
        if machine.persistent:
            n_model = chain_ids.shape[0]
            total += reconstruct(m, parity, POSITIVE, n_rows)
            gibbs(m, chain_key, step, chain_ids, 0, machine.k)
        else:
            gibbs(m, key, epoch, ids, 1, machine.k - 1)
            total += reconstruct(m, parity, STATE, n_rows)
        update_and_infer(m, parity, update, step, n_rows, n_model, key, epoch, next_ids)
        parity = 1 - parity
        step += 1
    copy_vector(layer_table(machine), m.table, params, m.params, UNPACK)
    copy_vector(layer_table(machine), m.table, velocity, m.velocity, UNPACK)
    copy_chains(m, chains, UNPACK)
    return total
