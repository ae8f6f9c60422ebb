"""A restricted Boltzmann machine in panels: packed parameters, the states of a minibatch or of chains, products with the weights.

The fused trainer (`fused_rbm`) is made of it. States are numbered, so that a function can be told which to read and which to write.
Visible: the data of this minibatch and of the next (0 and 1), mean and sample of the reconstruction. Hidden: the means given data
and reconstruction, and a sample.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import get_thread_id, intp, typeof

from .._jit import jit, linked
from ..pool import max_threads
from . import words
from .bfloat16 import LEFT, LEFT_T, RIGHT, RIGHT_T
from .instructions import PANEL
from .packed_network import block_count, rows_in
from .panels import (
    CHUNK,
    PANELS,
    ROWS,
    VECTOR,
    aligned_zeros,
    bias_panels,
    packed_table,
    panel_width,
    transpose_panel,
    weight_panels,
)  # fmt: skip
from .parts import WHOLE, add_part, columns_of, is_second
from .products import multiply, multiply_transposed, outer, start_rows
from .records import Record
from .words import FACTOR, GRADIENT, NO_FORM, keep_weights, keep_words, pack_words

MEAN, FANTASY = 2, 3  # visible states after the data
POSITIVE, NEGATIVE, STATE = range(3)  # hidden states
FIRST_HIDDEN, WEIGHTS = 4, 7  # rows of the table of words: after the visible states, after all states


@dataclass(frozen=True, eq=False)
class Packed(Record):
    """A machine in panels, and the states of one minibatch or of the persistent chains, cut into blocks of ``rows`` rows.

    Means of the hidden units are kept multiplied by their share in the gradient for descent: -1 / B for the data, 1 / n for the
    n rows of the model; a sparsity target adds a share of its own to those given the data. ``hidden_t`` holds transposes: of the
    sample, and of the mean given the data for persistent chains.
    """

    table: np.ndarray  # (2, 7) the layers v -> h and, tied, h -> v
    params: np.ndarray
    velocity: np.ndarray
    rows: int
    n_visible: int
    n_hidden: int
    visible: int
    hidden: int
    persistent: int
    sparsity_target: float
    sparsity_weight: float
    sparsity_decay: float
    activity: np.ndarray  # (panels of H * PANEL,) running mean of the hidden means given the data, for the target
    visible_states: np.ndarray  # (4, blocks, panels of V, rows, PANEL)
    hidden_states: np.ndarray  # (3, blocks, panels of H, rows, PANEL)
    hidden_t: np.ndarray  # (3, blocks, rows / PANEL, panels of H * PANEL, PANEL)
    errors: np.ndarray  # one a job of the visible region
    rest: np.ndarray  # (panels of V, rows, PANEL) second parts of sums that are cut (`parts`)
    arrivals: np.ndarray  # of each job of the visible region: the parts that are made
    scratch: np.ndarray  # (threads, CHUNK, PANEL)
    bfloat16: int  # whether products read words
    word_table: np.ndarray  # see `words`; matrices are the visible states, then the hidden ones
    words: np.ndarray


@jit
def layer_table(machine):
    """The layer table of a machine's flat vector: v -> h and, tied, h -> v."""
    table = np.zeros((2, 7), np.int64)
    n_weights = machine.n_visible * machine.n_hidden
    table[0] = (machine.n_visible, machine.n_hidden, int(machine.hidden), 0, n_weights, 0, 0)
    table[1] = (machine.n_hidden, machine.n_visible, int(machine.visible), 0, n_weights + machine.n_hidden, 1, 0)
    return table


def pack_machine(machine: Any, batch_size: int, bfloat16: bool = False) -> Packed:
    """Allocate the packed form of a `rbm.Machine` for minibatches, and chains, of at most ``batch_size`` rows."""
    n_visible, n_hidden = int(machine.n_visible), int(machine.n_hidden)
    table, n_params = packed_table(layer_table.py_func(machine))
    rows = min(ROWS, -(-batch_size // PANEL) * PANEL)
    blocks, wide, high = -(-batch_size // rows), -(-n_visible // PANEL), -(-n_hidden // PANEL)
    chains = machine.persistent
    forms = [(LEFT, LEFT_T)] * 2  # of the visible states, then of the hidden ones
    forms += [(NO_FORM, NO_FORM), (LEFT, LEFT_T)] if chains else [(LEFT, LEFT_T), (LEFT, NO_FORM)]
    forms += [(RIGHT_T if chains else NO_FORM, RIGHT), (NO_FORM, RIGHT), (RIGHT_T, NO_FORM)]
    matrices = [(n_hidden if which >= FIRST_HIDDEN else n_visible, *uses) for which, uses in enumerate(forms)]
    word_table, words = pack_words(table, rows, blocks, matrices, bfloat16)
    return Packed(
        table=table,
        params=aligned_zeros(n_params),
        velocity=aligned_zeros(n_params),
        rows=rows,
        n_visible=n_visible,
        n_hidden=n_hidden,
        visible=int(machine.visible),
        hidden=int(machine.hidden),
        persistent=int(machine.persistent),
        sparsity_target=float(machine.sparsity_target),
        sparsity_weight=float(machine.sparsity_weight),
        sparsity_decay=float(machine.sparsity_decay),
        activity=aligned_zeros(high * PANEL),
        visible_states=aligned_zeros(4, blocks, wide, rows, PANEL),
        hidden_states=aligned_zeros(3, blocks, high, rows, PANEL),
        hidden_t=aligned_zeros(0 if bfloat16 else 3, blocks, rows // PANEL, high * PANEL, PANEL),
        errors=np.zeros(blocks * wide * (rows // PANEL)),
        rest=aligned_zeros(0 if bfloat16 else wide, rows, PANEL),
        arrivals=np.zeros(wide * (rows // PANEL), np.int64),
        scratch=aligned_zeros(max_threads(), CHUNK, PANEL),
        bfloat16=int(bfloat16),
        word_table=word_table,
        words=words,
    )


class _Example(NamedTuple):
    n_visible: int = 1
    n_hidden: int = 1
    visible: int = 1
    hidden: int = 1
    persistent: bool = False
    sparsity_target: float = 0.0
    sparsity_weight: float = 0.0
    sparsity_decay: float = 0.0


MACHINE = typeof(pack_machine(_Example(), 1))


# ---- products --------------------------------------------------------------------------------------------------------


@linked(MACHINE, intp, intp, intp, intp, intp, intp, VECTOR, PANELS)
def visible_sums(m, given, block, panel, first, n_rows, part, bias, out):
    """out[panel, first:n_rows] = a ``part`` of the sums for a strip of visible units from hidden states ``given``, plus a bias."""
    thread = get_thread_id()
    scratch, width = m.scratch[thread : thread + 1], panel_width(panel, m.n_visible)
    begin, end = columns_of(part, m.n_hidden)
    if m.bfloat16:  # whose sums are not cut
        words.product_transposed(
            m.word_table, m.words, FIRST_HIDDEN + given, block, m.rows, first, n_rows, WEIGHTS, end, panel, width,
            bias, scratch, out,
        )  # fmt: skip
    else:
        hidden, hidden_t = m.hidden_states[given, block], m.hidden_t[given, block]
        hidden = hidden if given == STATE else hidden[:0]  # means have become shares
        weight = weight_panels(m.table, 0, m.params)
        multiply_transposed(hidden, hidden_t, first, n_rows, begin, end, weight, panel, width, bias, scratch, out)


@linked(MACHINE, intp, intp, intp, intp, intp, intp)
def visible_strip(m, given, block, panel, first, n_rows, part):
    """Pre-activations of a strip of visible units, rows first to n_rows, from hidden states ``given``, into MEAN.

    A ``part`` of their sums, if those are cut (`parts`): they are complete, which is the answer, after the second of the two.
    """
    bias, out = bias_panels(m.table, 1, m.params)[panel], m.visible_states[MEAN, block]
    if part == WHOLE:
        visible_sums(m, given, block, panel, first, n_rows, part, bias, out)
        return True
    job = panel * (m.rows // PANEL) + first // PANEL
    if part:
        visible_sums(m, given, block, panel, first, n_rows, part, bias[:0], m.rest)
    else:
        visible_sums(m, given, block, panel, first, n_rows, part, bias, out)
    if not is_second(m.arrivals, job):
        return False
    add_part(m.rest, panel, first, n_rows, out)
    return True


@linked(MACHINE, intp, intp, intp, intp, PANELS)
def hidden_panel(m, given, block, n_rows, panel, out):
    """Pre-activations of a panel of hidden units from visible states ``given``, for one block of rows."""
    weight = weight_panels(m.table, 0, m.params)
    width = panel_width(panel, m.n_hidden)
    start_rows(bias_panels(m.table, 0, m.params)[panel], out[panel, :n_rows])
    if m.bfloat16:
        words.product(m.word_table, m.words, given, block, m.rows, n_rows, WEIGHTS, m.n_visible, panel, width, 1, out)
    else:
        visible = m.visible_states[given, block]
        multiply(visible, 0, n_rows, 0, m.n_visible, weight, panel, width, 1, out, panel)


@linked(MACHINE, intp, intp, intp, intp, intp, intp, intp, PANELS)
def gradient_panel(m, visible, hidden, first, stop, n_rows, panel, keep, out):
    """out[0] = rows first to stop of visible.T @ hidden[:, panel] over all rows, plus what was there if ``keep``."""
    width = panel_width(panel, m.n_hidden)
    for block in range(block_count(m, n_rows)):
        rows, adding = rows_in(m, block, n_rows), keep | (block > 0)
        if m.bfloat16:
            where = block, m.rows, rows, first, stop, panel, width, adding
            words.gradient(m.word_table, m.words, visible, FIRST_HIDDEN + hidden, *where, out)
        else:
            x, d = m.visible_states[visible, block], m.hidden_states[hidden, block]
            outer(x, first, stop, d, panel, 1, m.n_hidden, rows, adding, out)


# ---- what products read of a finished panel ----------------------------------------------------------------------------


@linked(MACHINE, intp, intp, intp, intp, intp)
def keep_visible(m, which, block, panel, first, n_rows):
    """Write a panel of visible states, rows first to n_rows, as words, if products read those."""
    if m.bfloat16:
        width = panel_width(panel, m.n_visible)
        for use in (FACTOR, GRADIENT):
            keep_words(
                m.word_table, m.words, which, use, block, m.visible_states[which, block], panel, width, first, n_rows
            )


@linked(MACHINE, intp, intp, intp, intp)
def keep_hidden_transpose(m, which, block, panel, n_rows):
    """Write the transpose of a panel of hidden states, from which the visible units are computed."""
    x = m.hidden_states[which, block]
    if m.bfloat16:
        width = panel_width(panel, m.n_hidden)
        keep_words(m.word_table, m.words, FIRST_HIDDEN + which, FACTOR, block, x, panel, width, 0, n_rows)
    else:
        transpose_panel(x, panel, n_rows, m.hidden_t[which, block])


@linked(MACHINE, intp, intp, intp, intp)
def keep_hidden_share(m, which, block, panel, n_rows):
    """Write a panel of hidden means that holds their share in the gradient as words, if products read those."""
    if m.bfloat16:
        x, width = m.hidden_states[which, block], panel_width(panel, m.n_hidden)
        keep_words(m.word_table, m.words, FIRST_HIDDEN + which, GRADIENT, block, x, panel, width, 0, n_rows)


@jit
def keep_updated(m, panel, first, stop):
    """Write updated weights as words, if products read those."""
    if m.bfloat16:
        keep_weights(m.word_table, m.words, WEIGHTS, weight_panels(m.table, 0, m.params), panel, first, stop)
