"""The fused trainer of restricted Boltzmann machines: packed weights, sampling as an epilogue, updates tile by tile.

A minibatch of CD-1 is three parallel regions:

    load        rows of the *next* minibatch
    visible     by visible panel: reconstruction from the hidden sample, its error
    hidden      by hidden panel: negative phase, gradient and update of the panel's weights, positive phase of the next minibatch

so a panel of weights (100 KB for 784 visible units) is read from memory once for the three things that the last region does
with it. CD-k puts k - 1 Gibbs steps before the second region; persistent chains make k of their own and use the second region
to monitor only. The order of random numbers is that of `rbm.divergence_gradient`, which is this algorithm in plain form.

The gradient form takes the third region apart: `infer` is the positive phase, `write_gradient` the negative phase and the gradient,
`apply_gradient` the update. Between the last two a minibatch's gradient can be summed over parts that were made elsewhere.
"""

import numpy as np
from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.activations import activate
from ..arithmetic.random import KEY
from ..arithmetic.samples import SAMPLES, load_packed
from ..arithmetic.stochastic import sample_panel
from ..arithmetic.updates import UPDATE, learning_rate_at
from .instructions import PANEL
from .machine_gradient import (
    COUNTS,
    NO_ROWS,
    Counts,
    apply_panel,
    apply_visible_biases,
    update_panel,
    update_visible_biases,
    write_panel,
    write_visible_biases,
)
from .machine_hidden import negative_phase, positive_phase, sample_hidden_panel
from .packed_machine import (
    FANTASY,
    MACHINE,
    MEAN,
    NEGATIVE,
    POSITIVE,
    STATE,
    keep_hidden_transpose,
    keep_visible,
    layer_table,
    visible_strip,
)
from .packed_network import block_count, rows_in, sum_in_order
from .panels import (
    MATRIX,
    NUMBERS,
    PACK,
    UNPACK,
    VECTOR,
    copy_vector,
    gather_row,
    panel_count,
    panel_width,
    scatter_row,
)  # fmt: skip
from .parts import job_of, parts_of
from .words import pack_params


@linked(MACHINE, intp, SAMPLES, NUMBERS, parallel=True)
def load(m, parity, samples, positions):
    """Load a minibatch into visible states ``parity``."""
    data, n_rows = m.visible_states[parity], positions.shape[0]
    for r in prange(positions.shape[0]):
        row = np.empty(m.n_visible, np.float32)
        load_packed(samples, positions[r], row)
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


@jit
def visible_jobs(m, n_rows):
    """Strips of visible units, and the parts of their sums."""
    n_strips = block_count(m, n_rows) * panel_count(m.n_visible) * (m.rows // PANEL)
    return n_strips, parts_of(m, n_rows, m.n_visible, m.n_hidden)


@jit
def strip_of(m, job, n_rows):
    """Block, panel and rows, first and where they end, of a strip; there may be none."""
    n_panels, n_strips = panel_count(m.n_visible), m.rows // PANEL
    block, panel, first = job // n_strips // n_panels, job // n_strips % n_panels, job % n_strips * PANEL
    return block, panel, first, min(first + PANEL, rows_in(m, block, n_rows))


@linked(MACHINE, intp, intp, intp, parallel=True)
def reconstruct(m, parity, given, n_rows):
    """Mean of the visible units given hidden states, into MEAN; the squared difference from the data, summed."""
    data, mean, errors = m.visible_states[parity], m.visible_states[MEAN], m.errors
    n_jobs, n_parts = visible_jobs(m, n_rows)
    for piece in prange(n_jobs * n_parts):
        part, job = job_of(piece, n_jobs, n_parts)
        block, panel, first, stop = strip_of(m, job, n_rows)
        if first >= stop:
            errors[job] = 0
        elif visible_strip(m, given, block, panel, first, stop, part):
            strip = mean[block, panel, first:stop]
            activate(m.visible, strip.reshape(strip.size))
            errors[job] = squared_difference(data[block, panel, first:stop], strip, panel_width(panel, m.n_visible))
            keep_visible(m, MEAN, block, panel, first, stop)
    return sum_in_order(errors[:n_jobs])


@linked(MACHINE, KEY, intp, NUMBERS, intp, parallel=True)
def sample_visible(m, key, epoch, row_ids, draw):
    """Mean and sample of the visible units given the hidden sample, into MEAN and FANTASY."""
    mean, fantasy, n_rows = m.visible_states[MEAN], m.visible_states[FANTASY], row_ids.shape[0]
    n_jobs, n_parts = visible_jobs(m, n_rows)
    for piece in prange(n_jobs * n_parts):
        part, job = job_of(piece, n_jobs, n_parts)
        block, panel, first, stop = strip_of(m, job, n_rows)
        width = panel_width(panel, m.n_visible)
        if first < stop and visible_strip(m, STATE, block, panel, first, stop, part):
            ids = row_ids[block * m.rows + first : block * m.rows + stop]
            sample_panel(
                m.visible, key, epoch, ids, draw, panel * PANEL, width, mean[block, panel, first:stop],
                fantasy[block, panel, first:stop],
            )  # fmt: skip
            keep_visible(m, FANTASY, block, panel, first, stop)


# ---- hidden units: panels --------------------------------------------------------------------------------------------


@linked(MACHINE, KEY, intp, NUMBERS, intp, parallel=True)
def sample_hidden(m, key, epoch, row_ids, draw):
    """Mean and sample of the hidden units given the fantasies, into NEGATIVE and STATE."""
    for panel in prange(panel_count(m.n_hidden)):
        sample_hidden_panel(m, FANTASY, NEGATIVE, key, epoch, row_ids, draw, panel)


# ---- regions of the update -------------------------------------------------------------------------------------------


@jit
def visible_part(m, job):
    """The first panel of visible biases that a job for a panel of hidden units takes on, and the first of the next job."""
    n_jobs, n_panels = panel_count(m.n_hidden), panel_count(m.n_visible)
    return job * n_panels // n_jobs, (job + 1) * n_panels // n_jobs


@linked(MACHINE, intp, UPDATE, intp, COUNTS, KEY, intp, NUMBERS, parallel=True)
def update_and_infer(m, parity, update, step, counts, key, epoch, next_ids):
    """By hidden panel: the negative phase and update of this minibatch, the positive phase of the next. Either may be empty.

    Every job also updates its part of the visible biases.
    """
    rate = learning_rate_at(update, step)
    for job in prange(panel_count(m.n_hidden)):
        if counts.data:
            negative_phase(m, counts.model, counts.model, job)
            update_panel(m, parity, counts, update, rate, step, job)
            first, stop = visible_part(m, job)
            for panel in range(first, stop):
                update_visible_biases(m, parity, counts, update, rate, step, panel)
        if next_ids.shape[0]:
            positive_phase(m, 1 - parity, key, epoch, step + 1, next_ids, next_ids.shape[0], job)


@linked(MACHINE, intp, KEY, intp, intp, NUMBERS, intp, parallel=True)
def infer(m, parity, key, epoch, step, row_ids, whole):
    """By hidden panel: the positive phase of minibatch number ``step``, of whose ``whole`` rows these are all or a part.

    The running mean of a sparsity target takes in the rows that are here.
    """
    for job in prange(panel_count(m.n_hidden)):
        positive_phase(m, parity, key, epoch, step, row_ids, whole, job)


@linked(MACHINE, intp, COUNTS, COUNTS, VECTOR, parallel=True)
def write_gradient(m, parity, counts, whole, gradient):
    """By hidden panel: the negative phase, and what these rows add to the gradient (packed) of a minibatch of ``whole`` many."""
    for job in prange(panel_count(m.n_hidden)):
        negative_phase(m, counts.model, whole.model, job)
        write_panel(m, parity, counts, job, gradient)
        first, stop = visible_part(m, job)
        for panel in range(first, stop):
            write_visible_biases(m, parity, counts, whole, panel, gradient)


@linked(MACHINE, UPDATE, intp, VECTOR, parallel=True)
def apply_gradient(m, update, step, gradient):
    """By hidden panel: update the machine by the gradient (packed) of minibatch number ``step``."""
    rate = learning_rate_at(update, step)
    for job in prange(panel_count(m.n_hidden)):
        apply_panel(m, update, rate, step, job, gradient)
        first, stop = visible_part(m, job)
        for panel in range(first, stop):
            apply_visible_biases(m, update, rate, step, panel, gradient)


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
def copy_state(machine, m, params, carried, direction):
    """PACK parameters (P,) and what else training carries on into the packed machine, or UNPACK them."""
    table = layer_table(machine)
    copy_vector(table, m.table, carried.velocity, m.velocity, direction)
    copy_chains(m, carried.chains, direction)
    n = carried.activity.shape[0]
    if direction == PACK:
        pack_params(table, params, m)
        m.activity[:n] = carried.activity
    else:
        copy_vector(table, m.table, params, m.params, UNPACK)
        carried.activity[:] = m.activity[:n]


@jit
def model_side(machine, m, parity, key, chain_key, epoch, step, row_ids, chain_ids):
    """The Gibbs steps of minibatch number ``step`` and its reconstruction, whose squared error is returned.

    Persistent chains take their steps after it.
    """
    n_rows = row_ids.shape[0]
    if machine.persistent:
        error = reconstruct(m, parity, POSITIVE, n_rows)
        gibbs(m, chain_key, step, chain_ids, 0, machine.k)
    else:
        gibbs(m, key, epoch, row_ids, 1, machine.k - 1)
        error = reconstruct(m, parity, STATE, n_rows)
    return error


@jit
def train(
    machine, params, update, samples, positions, row_ids, batch_size, key, chain_key, epoch, step, carried, m,
):  # fmt: skip
    """`rbm.train` in float32, with products of either kind: what it modifies is packed, trained and unpacked."""
    copy_state(machine, m, params, carried, PACK)
    chain_ids, parity, total = np.arange(carried.chains.shape[0]), 0, 0.0
    load(m, 0, samples, positions[:batch_size])
    update_and_infer(
        m, 1, update, step - 1, NO_ROWS, key, epoch, row_ids[:batch_size]
    )  # `infer` would be compiled for it alone
    for start in range(0, positions.shape[0], batch_size):
        ids, after = row_ids[start : start + batch_size], start + batch_size
        next_ids = row_ids[after : after + batch_size]
        counts = Counts(ids.shape[0], chain_ids.shape[0] if machine.persistent else ids.shape[0])
        load(m, 1 - parity, samples, positions[after : after + batch_size])
        total += model_side(machine, m, parity, key, chain_key, epoch, step, ids, chain_ids)
        update_and_infer(m, parity, update, step, counts, key, epoch, next_ids)
        parity = 1 - parity
        step += 1
    copy_state(machine, m, params, carried, UNPACK)
    return total
