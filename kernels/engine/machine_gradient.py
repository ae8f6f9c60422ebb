"""The gradient of a packed machine, tile by tile: applied at once, or written so that it can be summed before it is applied.

Both forms make the same tiles in the same order. The hidden panels hold their shares in the gradient (`packed_machine.Packed`),
so only the visible biases are divided here.
"""

from typing import NamedTuple

import numpy as np
from numba import float64, get_thread_id, intp, typeof

from .._jit import jit, linked
from ..arithmetic.updates import UPDATE
from .instructions import PANEL
from .packed_machine import (
    FANTASY,
    FIRST_HIDDEN,
    MACHINE,
    MEAN,
    NEGATIVE,
    POSITIVE,
    WEIGHTS,
    gradient_panel,
    keep_updated,
)
from .packed_network import block_count, rows_in
from .packed_update import update_packed
from .panels import BIAS, CHUNK, VECTOR, WEIGHT, panel_width
from .products import clear_padding, sum_rows
from .updated_tiles import add_segment, applies_tiles, segment_count, update_tiles, update_tiles_of_words
from .words import add_segments, form_place, form_rows


class Counts(NamedTuple):
    """Numbers of rows: of the data, and of the model's side, which for persistent chains is that of the chains."""

    data: int
    model: int


NO_ROWS = Counts(0, 0)
COUNTS = typeof(NO_ROWS)


# ---- tiles -----------------------------------------------------------------------------------------------------------


@jit
def model_states(m):
    """The visible states of the model's side."""
    return FANTASY if m.persistent else MEAN


@jit
def weight_tile(m, data, counts, panel, first, stop, out):
    """out[0, : stop - first] = gradient of rows ``first`` to ``stop`` of a panel of weights; ``data`` are visible states."""
    gradient_panel(m, data, POSITIVE, first, stop, counts.data, panel, 0, out)
    gradient_panel(m, model_states(m), NEGATIVE, first, stop, counts.model, panel, 1, out)
    clear_padding(panel_width(panel, m.n_hidden), out[0, : stop - first])  # keeps that of the weights zero


@jit
def hidden_bias_tile(m, counts, panel):
    """Gradient (PANEL,) of a panel of hidden biases."""
    gradient = np.zeros(PANEL, np.float32)
    for which, n in ((POSITIVE, counts.data), (NEGATIVE, counts.model)):
        for block in range(block_count(m, n)):
            sum_rows(m.hidden_states[which, block, panel, : rows_in(m, block, n)], gradient)
    return gradient


@jit
def visible_bias_tile(m, data, counts, whole, panel):
    """Gradient (PANEL,) of a panel of visible biases, of which the rows here are a part of ``whole`` many."""
    sums = np.zeros((2, PANEL), np.float32)
    for index, (which, n) in enumerate(((data, counts.data), (model_states(m), counts.model))):
        for block in range(block_count(m, n)):
            sum_rows(m.visible_states[which, block, panel, : rows_in(m, block, n)], sums[index])
    gradient = np.zeros(PANEL, np.float32)
    for c in range(panel_width(panel, m.n_visible)):
        gradient[c] = sums[1, c] / np.float32(whole.model) - sums[0, c] / np.float32(whole.data)
    return gradient


# ---- places in the packed vector -------------------------------------------------------------------------------------


@jit
def weight_place(m, panel, first):
    """Where row ``first`` of a panel of weights begins."""
    return m.table[0, WEIGHT] + (panel * m.n_visible + first) * PANEL


@jit
def bias_place(m, layer, panel):
    """Where a panel of biases begins: hidden ones are of layer 0, visible ones of layer 1."""
    return m.table[layer, BIAS] + panel * PANEL


@jit
def apply_tile(m, update, rate, step, begin, gradient, is_weight):
    """Update packed parameters from ``begin`` on by their ``gradient`` (n,)."""
    end = begin + gradient.shape[0]
    velocity = m.velocity[begin:end]
    update_packed(update, rate, step, gradient, m.params[begin:end], velocity, velocity, is_weight)


# ---- applied at once -------------------------------------------------------------------------------------------------


@jit
def segments_of(m, data, counts, panel):
    """What a panel of the gradient is a sum over; see `updated_tiles`."""
    n_blocks = block_count(m, counts.data) + block_count(m, counts.model)
    segments, index = np.empty((segment_count(m.bfloat16, n_blocks, m.rows), 3), np.int64), 0
    for visible, hidden, n in ((data, POSITIVE, counts.data), (model_states(m), NEGATIVE, counts.model)):
        for block in range(block_count(m, n)):
            rows = rows_in(m, block, n)
            if m.bfloat16:
                where = visible, FIRST_HIDDEN + hidden, block, m.rows, rows, panel
                index = add_segments(segments, index, m.word_table, m.words, *where)
            else:
                x, d = m.visible_states[visible, block], m.hidden_states[hidden, block, panel]
                index = add_segment(segments, index, x, d, rows)
    return segments[:index]


@jit
def update_panel_by_tiles(m, data, counts, update, rate, step, panel):
    """Gradient and update of a panel of weights, none of the gradient in memory."""
    segments, place, velocity = segments_of(m, data, counts, panel), weight_place(m, panel, 0), m.velocity
    where = segments, m.rows, 0, m.n_visible, 1, m.n_visible, m.params, velocity, velocity, place
    if m.bfloat16:
        left, right = form_place(m.word_table, WEIGHTS, 0, panel), form_place(m.word_table, WEIGHTS, 1, panel)
        forms = m.words, left, right, form_rows(m.word_table, WEIGHTS)
        update_tiles_of_words(update, rate, step, *where, *forms)
    else:
        update_tiles(update, rate, step, *where)


@jit
def update_panel_in_parts(m, data, counts, update, rate, step, panel):
    """Gradient and update of a panel of weights, the gradient of some rows at a time in memory."""
    thread = get_thread_id()
    scratch = m.scratch[thread : thread + 1]
    flat = scratch.reshape(scratch.size)
    for first in range(0, m.n_visible, CHUNK):
        stop = min(first + CHUNK, m.n_visible)
        weight_tile(m, data, counts, panel, first, stop, scratch)
        apply_tile(m, update, rate, step, weight_place(m, panel, first), flat[: (stop - first) * PANEL], 1)
        keep_updated(m, panel, first, stop)


@linked(MACHINE, intp, COUNTS, UPDATE, float64, intp, intp)
def update_panel(m, data, counts, update, rate, step, panel):
    """Gradient and update of a panel of weights and of its hidden biases."""
    n_blocks = block_count(m, counts.data) + block_count(m, counts.model)
    if applies_tiles(m.bfloat16, n_blocks):
        update_panel_by_tiles(m, data, counts, update, rate, step, panel)
    else:
        update_panel_in_parts(m, data, counts, update, rate, step, panel)
    apply_tile(m, update, rate, step, bias_place(m, 0, panel), hidden_bias_tile(m, counts, panel), 0)


@linked(MACHINE, intp, COUNTS, UPDATE, float64, intp, intp)
def update_visible_biases(m, data, counts, update, rate, step, panel):
    """Gradient and update of a panel of visible biases."""
    gradient = visible_bias_tile(m, data, counts, counts, panel)
    apply_tile(m, update, rate, step, bias_place(m, 1, panel), gradient, 0)


# ---- written, then applied -------------------------------------------------------------------------------------------


@linked(MACHINE, intp, COUNTS, intp, VECTOR)
def write_panel(m, data, counts, panel, gradient):
    """Write the gradient of a panel of weights and of its hidden biases to its places in ``gradient`` (packed)."""
    thread = get_thread_id()
    scratch = m.scratch[thread : thread + 1]
    flat = scratch.reshape(scratch.size)
    for first in range(0, m.n_visible, CHUNK):
        stop, begin = min(first + CHUNK, m.n_visible), weight_place(m, panel, first)
        weight_tile(m, data, counts, panel, first, stop, scratch)
        gradient[begin : begin + (stop - first) * PANEL] = flat[: (stop - first) * PANEL]
    begin = bias_place(m, 0, panel)
    gradient[begin : begin + PANEL] = hidden_bias_tile(m, counts, panel)


@linked(MACHINE, intp, COUNTS, COUNTS, intp, VECTOR)
def write_visible_biases(m, data, counts, whole, panel, gradient):
    """Write the gradient of a panel of visible biases to its place in ``gradient`` (packed)."""
    begin = bias_place(m, 1, panel)
    gradient[begin : begin + PANEL] = visible_bias_tile(m, data, counts, whole, panel)


@linked(MACHINE, UPDATE, float64, intp, intp, VECTOR)
def apply_panel(m, update, rate, step, panel, gradient):
    """Update a panel of weights and its hidden biases by the packed ``gradient``."""
    for first in range(0, m.n_visible, CHUNK):
        stop, begin = min(first + CHUNK, m.n_visible), weight_place(m, panel, first)
        apply_tile(m, update, rate, step, begin, gradient[begin : begin + (stop - first) * PANEL], 1)
        keep_updated(m, panel, first, stop)
    begin = bias_place(m, 0, panel)
    apply_tile(m, update, rate, step, begin, gradient[begin : begin + PANEL], 0)


@linked(MACHINE, UPDATE, float64, intp, intp, VECTOR)
def apply_visible_biases(m, update, rate, step, panel, gradient):
    """Update a panel of visible biases by the packed ``gradient``."""
    begin = bias_place(m, 1, panel)
    apply_tile(m, update, rate, step, begin, gradient[begin : begin + PANEL], 0)
