"""Panels of hidden units of a packed machine: sampled, or their means, and the share of these in the gradient.

Where a sparsity target is set, its penalty is a number a unit that is added to the share of every row given the data: products,
biases and words follow from there.
"""

import numpy as np
from numba import float32, intp

from .._jit import jit, linked
from ..arithmetic.activations import activate
from ..arithmetic.activity import follow_activity
from ..arithmetic.random import KEY
from ..arithmetic.stochastic import sample_panel
from .instructions import PANEL
from .packed_machine import (
    MACHINE,
    MEAN,
    NEGATIVE,
    POSITIVE,
    STATE,
    hidden_panel,
    keep_hidden_share,
    keep_hidden_transpose,
)  # fmt: skip
from .packed_network import block_count, rows_in
from .panels import MATRIX, NUMBERS, panel_width
from .products import add_bias, clear_padding, sum_rows


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


@jit
def hidden_mean_panel(m, given, which, block, rows, panel):
    """Mean of a panel of hidden units given visible states, into ``which``."""
    out = m.hidden_states[which, block]
    hidden_panel(m, given, block, rows, panel, out)
    mean = out[panel, :rows]
    activate(m.hidden, mean.reshape(mean.size))


@linked(MACHINE, intp, KEY, intp, intp, NUMBERS, intp, intp)
def positive_phase(m, parity, key, epoch, step, row_ids, whole, panel):
    """A panel of hidden units given the data: sampled, or for persistent chains its mean only.

    Minibatch number ``step`` has ``whole`` rows in all; the gradient's share of a row is one of so many.
    """
    n_rows = row_ids.shape[0]
    if m.persistent:
        for block in range(block_count(m, n_rows)):
            rows = rows_in(m, block, n_rows)
            hidden_mean_panel(m, parity, POSITIVE, block, rows, panel)
            keep_hidden_transpose(m, POSITIVE, block, panel, rows)
    else:
        sample_hidden_panel(m, parity, POSITIVE, key, epoch, row_ids, 0, panel)
    shift = sparsity_share(m, step, n_rows, whole, panel)
    share_panel(m, POSITIVE, n_rows, panel, np.float32(-1.0 / whole), shift)


@linked(MACHINE, intp, intp, intp)
def negative_phase(m, n_rows, whole, panel):
    """A panel of hidden units given the model's visible ones, ``whole`` rows in all; persistent chains have made it before."""
    if not m.persistent:
        for block in range(block_count(m, n_rows)):
            hidden_mean_panel(m, MEAN, NEGATIVE, block, rows_in(m, block, n_rows), panel)
    share_panel(m, NEGATIVE, n_rows, panel, np.float32(1.0 / whole), np.zeros(0, np.float32))


@jit
def sparsity_share(m, step, n_rows, whole, panel):
    """What a sparsity target adds to a row's share in the gradient (PANEL,), or (0,) without a target.

    The running mean of the panel's activity takes in the rows that are here.
    """
    if m.sparsity_target == 0:
        return np.zeros(0, np.float32)
    mean, slope = np.zeros(PANEL, np.float32), np.empty(PANEL, np.float32)
    for block in range(block_count(m, n_rows)):
        sum_rows(m.hidden_states[POSITIVE, block, panel, : rows_in(m, block, n_rows)], mean)
    mean *= np.float32(1.0 / n_rows)
    follow_activity(m, step, mean, m.activity[panel * PANEL : (panel + 1) * PANEL], slope)
    slope[panel_width(panel, m.n_hidden) :] = 0
    return slope * np.float32(1.0 / whole)


@jit
def share_panel(m, which, n_rows, panel, share, shift):
    """Turn a panel of hidden means into their shares in the gradient: ``share`` of the mean, plus ``shift`` (PANEL,) or (0,)."""
    width = panel_width(panel, m.n_hidden)
    for block in range(block_count(m, n_rows)):
        rows = rows_in(m, block, n_rows)
        means = m.hidden_states[which, block, panel, :rows]
        scale_rows(means, width, share)
        if shift.shape[0]:
            add_bias(shift, means)
        keep_hidden_share(m, which, block, panel, rows)


@linked(MATRIX, intp, float32)
def scale_rows(rows, width, share):
    """rows (n, PANEL) *= ``share``; columns from ``width`` on become 0."""
    flat = rows.reshape(rows.size)
    for i in range(flat.shape[0]):
        flat[i] *= share
    clear_padding(width, rows)
