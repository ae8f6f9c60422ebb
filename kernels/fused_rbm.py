"""The fused trainer of restricted Boltzmann machines, in float32: packed weights, sampling as an epilogue, updates tile by tile.

A minibatch of CD-1 is three parallel regions:

    load        rows of the *next* minibatch
    visible     by visible panel: reconstruction from the hidden sample, its error
    hidden      by hidden panel: negative phase, gradient and update of the panel's weights, positive phase of the next minibatch

so a panel of weights (100 KB for 784 visible units) is read from memory once for the three things that the last region does
with it. CD-k puts k - 1 Gibbs steps before the second region; persistent chains make k of their own and use the second region
to monitor only. The order of random numbers is that of `rbm.divergence_gradient`, which is this algorithm in plain form.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import float32, float64, get_thread_id, intp, prange, typeof

from ._jit import jit, linked
from .activations import activate
from .cpu import max_threads
from .microkernel import PANEL
from .packed_network import block_count, rows_in, sum_in_order
from .packing import (
    BIAS,
    CHUNK,
    MATRIX,
    NUMBERS,
    PACK,
    ROWS,
    UNPACK,
    WEIGHT,
    aligned_zeros,
    bias_panels,
    copy_vector,
    gather_row,
    packed_table,
    panel_count,
    panel_width,
    scatter_row,
    transpose_panel,
    weight_panels,
)  # fmt: skip
from .product import add_bias, multiply, multiply_transposed, outer, sum_rows
from .random import KEY
from .samples import SAMPLES, load_row
from .sampling import sample_panel
from .updates import UPDATE, learning_rate_at, update_packed

_BLOCKS = float32[:, :, :, ::1]


class Packed(NamedTuple):
    """A machine in panels, and the states of one minibatch or of the persistent chains, cut into blocks of ``rows`` rows.

    Means of the hidden units are kept multiplied by their share in the gradient for descent: -1 / B for the data, 1 / n for the
    n rows of the model.
    """

    table: np.ndarray  # (2, 6) the layers v -> h and, tied, h -> v
    params: np.ndarray
    velocity: np.ndarray
    rows: int
    n_visible: int
    n_hidden: int
    visible: int
    hidden: int
    persistent: int
    data: np.ndarray  # (2, blocks, panels of V, rows, PANEL): this minibatch and the next
    mean: np.ndarray  # (blocks, panels of V, rows, PANEL) reconstruction
    fantasy: np.ndarray  # (blocks, panels of V, rows, PANEL) its sample
    positive: np.ndarray  # (blocks, panels of H, rows, PANEL) hidden mean given the data
    negative: np.ndarray  # (blocks, panels of H, rows, PANEL) hidden mean given the reconstruction
    state: np.ndarray  # (blocks, panels of H, rows, PANEL) hidden sample
    state_t: np.ndarray  # (blocks, rows / PANEL, panels of H * PANEL, PANEL) its transpose
    mean_t: np.ndarray  # the same of the hidden mean given the data, for persistent chains
    errors: np.ndarray  # one a job of the visible region
    scratch: np.ndarray  # (threads, CHUNK, PANEL)


@jit
def layer_table(machine):
    """The layer table of a machine's flat vector: v -> h and, tied, h -> v."""
    table = np.zeros((2, 6), np.int64)
    n_weights = machine.n_visible * machine.n_hidden
    table[0] = (machine.n_visible, machine.n_hidden, int(machine.hidden), 0, n_weights, 0)
    table[1] = (machine.n_hidden, machine.n_visible, int(machine.visible), 0, n_weights + machine.n_hidden, 1)
    return table


def pack_machine(machine: Any, batch_size: int) -> Packed:
    """Allocate the packed form of a `rbm.Machine` for minibatches, and chains, of at most ``batch_size`` rows."""
    n_visible, n_hidden = machine.n_visible, machine.n_hidden
    table, n_params = packed_table(layer_table.py_func(machine))
    rows = min(ROWS, -(-batch_size // PANEL) * PANEL)
    blocks, wide, high = -(-batch_size // rows), -(-n_visible // PANEL), -(-n_hidden // PANEL)
    return Packed(
        table=table,
        params=aligned_zeros(n_params),
        velocity=aligned_zeros(n_params),
        rows=rows,
        n_visible=n_visible,
        n_hidden=n_hidden,
        visible=machine.visible,
        hidden=machine.hidden,
        persistent=int(machine.persistent),
        data=aligned_zeros(2, blocks, wide, rows, PANEL),
        mean=aligned_zeros(blocks, wide, rows, PANEL),
        fantasy=aligned_zeros(blocks, wide, rows, PANEL),
        positive=aligned_zeros(blocks, high, rows, PANEL),
        negative=aligned_zeros(blocks, high, rows, PANEL),
        state=aligned_zeros(blocks, high, rows, PANEL),
        state_t=aligned_zeros(blocks, rows // PANEL, high * PANEL, PANEL),
        mean_t=aligned_zeros(blocks, rows // PANEL, high * PANEL, PANEL),
        errors=np.zeros(blocks * wide * (rows // PANEL)),
        scratch=aligned_zeros(max_threads(), CHUNK, PANEL),
    )


class _Example(NamedTuple):
    n_visible: int = 1
    n_hidden: int = 1
    visible: int = 1
    hidden: int = 1
    persistent: bool = False


MACHINE = typeof(pack_machine(_Example(), 1))


@linked(MACHINE, intp, SAMPLES, NUMBERS, parallel=True)
def load(m, parity, samples, positions):
    """Load a minibatch into ``m.data[parity]``."""
    data = m.data[parity]
    for r in prange(positions.shape[0]):
        row = np.empty(m.n_visible, np.float32)
        load_row(samples, positions[r], row)
        scatter_row(row, data[r // m.rows], r % m.rows)


# ---- visible units: strips of PANEL rows of one panel ----------------------------------------------------------------


@linked(MACHINE, _BLOCKS, intp, intp, intp, intp)
def visible_strip(m, hidden_t, block, panel, first, n_rows):
    """Pre-activations of the visible units given the transposed hidden states, into ``m.mean``."""
    thread = get_thread_id()
    scratch, out = m.scratch[thread : thread + 1], m.mean[block]
    weight = weight_panels(m.table, 0, m.params)
    width = panel_width(panel, m.n_visible)
    multiply_transposed(hidden_t[block], first, n_rows, m.n_hidden, weight, panel, width, scratch, out)
    add_bias(bias_panels(m.table, 1, m.params)[panel], out[panel, first:n_rows])


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


@linked(MACHINE, intp, _BLOCKS, intp, parallel=True)
def reconstruct(m, parity, hidden_t, n_rows):
    """Mean of the visible units given hidden ones, into ``m.mean``; the squared difference from the data, summed."""
    data, mean, errors = m.data[parity], m.mean, m.errors
    n_panels, n_strips = panel_count(m.n_visible), m.rows // PANEL
    n_jobs = block_count(m, n_rows) * n_panels * n_strips
    for job in prange(n_jobs):
        block, panel, first = job // n_strips // n_panels, job // n_strips % n_panels, job % n_strips * PANEL
        stop = min(first + PANEL, rows_in(m, block, n_rows))
        errors[job] = 0
        if first < stop:
            visible_strip(m, hidden_t, block, panel, first, stop)
            strip = mean[block, panel, first:stop]
            activate(m.visible, strip.reshape(strip.size))
            errors[job] = squared_difference(data[block, panel, first:stop], strip, panel_width(panel, m.n_visible))
    return sum_in_order(errors[:n_jobs])


@linked(MACHINE, KEY, intp, NUMBERS, intp, parallel=True)
def sample_visible(m, key, epoch, row_ids, draw):
    """Mean and sample of the visible units given the hidden states, into ``m.mean`` and ``m.fantasy``."""
    mean, fantasy, n_rows = m.mean, m.fantasy, row_ids.shape[0]
    n_panels, n_strips = panel_count(m.n_visible), m.rows // PANEL
    for job in prange(block_count(m, n_rows) * n_panels * n_strips):
        block, panel, first = job // n_strips // n_panels, job // n_strips % n_panels, job % n_strips * PANEL
        stop, width = min(first + PANEL, rows_in(m, block, n_rows)), panel_width(panel, m.n_visible)
        if first < stop:
            visible_strip(m, m.state_t, block, panel, first, stop)
            ids = row_ids[block * m.rows + first : block * m.rows + stop]
            sample_panel(
                m.visible, key, epoch, ids, draw, panel * PANEL, width, mean[block, panel, first:stop],
                fantasy[block, panel, first:stop],
            )  # fmt: skip


# ---- hidden units: panels --------------------------------------------------------------------------------------------


@linked(MACHINE, _BLOCKS, intp, intp, intp, _BLOCKS)
def hidden_panel(m, visible, block, n_rows, panel, out):
    """Pre-activations of a panel of hidden units given visible ones, for one block of rows."""
    weight = weight_panels(m.table, 0, m.params)
    multiply(visible[block], 0, n_rows, m.n_visible, weight, panel, panel_width(panel, m.n_hidden), out[block], panel)
    add_bias(bias_panels(m.table, 0, m.params)[panel], out[block, panel, :n_rows])


@linked(MACHINE, _BLOCKS, _BLOCKS, KEY, intp, NUMBERS, intp, intp)
def sample_hidden_panel(m, visible, mean, key, epoch, row_ids, draw, panel):
    """Mean and sample of a panel of hidden units, into ``mean`` and ``m.state``, and the sample's transpose."""
    n_rows, width = row_ids.shape[0], panel_width(panel, m.n_hidden)
    for block in range(block_count(m, n_rows)):
        rows = rows_in(m, block, n_rows)
        hidden_panel(m, visible, block, rows, panel, mean)
        ids = row_ids[block * m.rows : block * m.rows + rows]
        sample_panel(
            m.hidden, key, epoch, ids, draw, panel * PANEL, width, mean[block, panel, :rows], m.state[block, panel, :rows]
        )  # fmt: skip
        transpose_panel(m.state[block], panel, rows, m.state_t[block])


@linked(MACHINE, KEY, intp, NUMBERS, intp, parallel=True)
def sample_hidden(m, key, epoch, row_ids, draw):
    """Mean and sample of the hidden units given the fantasies, into ``m.negative`` and ``m.state``."""
    for panel in prange(panel_count(m.n_hidden)):
        sample_hidden_panel(m, m.fantasy, m.negative, key, epoch, row_ids, draw, panel)


@linked(MACHINE, intp, KEY, intp, NUMBERS, intp)
def positive_phase(m, parity, key, epoch, row_ids, panel):
    """A panel of hidden units given the data: sampled, or for persistent chains its mean only."""
    n_rows, data = row_ids.shape[0], m.data[parity]
    if m.persistent:
        for block in range(block_count(m, n_rows)):
            rows = rows_in(m, block, n_rows)
            hidden_panel(m, data, block, rows, panel, m.positive)
            mean = m.positive[block, panel, :rows]
            activate(m.hidden, mean.reshape(mean.size))
            transpose_panel(m.positive[block], panel, rows, m.mean_t[block])
    else:
        sample_hidden_panel(m, data, m.positive, key, epoch, row_ids, 0, panel)
    scale_panel(m, m.positive, n_rows, panel, np.float32(-1.0 / n_rows))


@linked(MACHINE, intp, intp)
def negative_phase(m, n_rows, panel):
    """A panel of hidden units given the model's visible ones; persistent chains have made it before."""
    if not m.persistent:
        for block in range(block_count(m, n_rows)):
            rows = rows_in(m, block, n_rows)
            hidden_panel(m, m.mean, block, rows, panel, m.negative)
            mean = m.negative[block, panel, :rows]
            activate(m.hidden, mean.reshape(mean.size))
    scale_panel(m, m.negative, n_rows, panel, np.float32(1.0 / n_rows))


@jit
def scale_panel(m, hidden, n_rows, panel, share):
    """Multiply a panel of hidden units by their share in the gradient and zero its padding."""
    width = panel_width(panel, m.n_hidden)
    for block in range(block_count(m, n_rows)):
        for r in range(rows_in(m, block, n_rows)):
            for c in range(PANEL):
                hidden[block, panel, r, c] *= share
            hidden[block, panel, r, width:] = 0


# ---- update ----------------------------------------------------------------------------------------------------------


@jit
def add_outer(m, visible, hidden, first, stop, n_rows, panel, keep, out):
    """out[0] = visible[:, first:stop].T @ hidden[:, panel] over all rows, plus what was there if ``keep``."""
    for block in range(block_count(m, n_rows)):
        rows = rows_in(m, block, n_rows)
        outer(visible[block], first, stop, hidden[block], panel, 1, m.n_hidden, rows, keep | (block > 0), out)


@jit
def apply_gradient(m, update, rate, step, begin, gradient, is_weight):
    """Update packed parameters from ``begin`` on by their ``gradient`` (n,)."""
    end = begin + gradient.shape[0]
    velocity = m.velocity[begin:end]
    update_packed(update, rate, step, gradient, m.params[begin:end], velocity, velocity, is_weight)


@linked(MACHINE, _BLOCKS, _BLOCKS, UPDATE, float64, intp, intp, intp, intp)
def update_panel(m, data, model, update, rate, step, n_rows, n_model, panel):
    """Gradient and update of a panel of weights and of its hidden biases."""
    thread = get_thread_id()
    scratch = m.scratch[thread : thread + 1]
    flat = scratch.reshape(scratch.size)
    for first in range(0, m.n_visible, CHUNK):
        stop = min(first + CHUNK, m.n_visible)
        add_outer(m, data, m.positive, first, stop, n_rows, panel, 0, scratch)
        add_outer(m, model, m.negative, first, stop, n_model, panel, 1, scratch)
        begin = m.table[0, WEIGHT] + (panel * m.n_visible + first) * PANEL
        apply_gradient(m, update, rate, step, begin, flat[: (stop - first) * PANEL], 1)
    gradient = np.zeros(PANEL, np.float32)
    for hidden, n in ((m.positive, n_rows), (m.negative, n_model)):
        for block in range(block_count(m, n)):
            sum_rows(hidden[block, panel, : rows_in(m, block, n)], gradient)
    apply_gradient(m, update, rate, step, m.table[0, BIAS] + panel * PANEL, gradient, 0)


@linked(MACHINE, _BLOCKS, _BLOCKS, UPDATE, float64, intp, intp, intp, intp)
def update_visible_biases(m, data, model, update, rate, step, n_rows, n_model, panel):
    """Gradient and update of a panel of visible biases."""
    sums = np.zeros((2, PANEL), np.float32)
    for which, (visible, n) in enumerate(((data, n_rows), (model, n_model))):
        for block in range(block_count(m, n)):
            sum_rows(visible[block, panel, : rows_in(m, block, n)], sums[which])
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
    rate = learning_rate_at(update, step)
    data, model = m.data[parity], (m.fantasy if m.persistent else m.mean)
    n_jobs, n_visible_panels = panel_count(m.n_hidden), panel_count(m.n_visible)
    for job in prange(n_jobs):
        if n_rows:
            negative_phase(m, n_model, job)
            update_panel(m, data, model, update, rate, step, n_rows, n_model, job)
            for panel in range(job * n_visible_panels // n_jobs, (job + 1) * n_visible_panels // n_jobs):
                update_visible_biases(m, data, model, update, rate, step, n_rows, n_model, panel)
        if next_ids.shape[0]:
            positive_phase(m, 1 - parity, key, epoch, next_ids, job)


# ---- the trainer -----------------------------------------------------------------------------------------------------


@jit
def copy_chains(m, chains, direction):
    """PACK the persistent hidden states (C, H) into ``m.state`` and its transpose, or UNPACK them."""
    for r in range(chains.shape[0]):
        if direction == PACK:
            scatter_row(chains[r], m.state[r // m.rows], r % m.rows)
        else:
            gather_row(m.state[r // m.rows], r % m.rows, chains[r])
    if direction == PACK:
        for block in range(block_count(m, chains.shape[0])):
            for panel in range(panel_count(m.n_hidden)):
                transpose_panel(m.state[block], panel, rows_in(m, block, chains.shape[0]), m.state_t[block])


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
    """`rbm.train` in float32: params, velocity and chains are packed, trained and unpacked."""
    copy_vector(layer_table(machine), m.table, params, m.params, PACK)
    copy_vector(layer_table(machine), m.table, velocity, m.velocity, PACK)
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
            total += reconstruct(m, parity, m.mean_t, n_rows)
            gibbs(m, chain_key, step, chain_ids, 0, machine.k)
        else:
            gibbs(m, key, epoch, ids, 1, machine.k - 1)
            total += reconstruct(m, parity, m.state_t, n_rows)
        update_and_infer(m, parity, update, step, n_rows, n_model, key, epoch, next_ids)
        parity = 1 - parity
        step += 1
    copy_vector(layer_table(machine), m.table, params, m.params, UNPACK)
    copy_vector(layer_table(machine), m.table, velocity, m.velocity, UNPACK)
    copy_chains(m, chains, UNPACK)
    return total
