"""Where the numbers of a recurrent layer lie in ``net.maps``, and how many.

What a step of a minibatch needs lies in panels of its samples, (slots, panels, samples, PANEL), so that products read and write it
as it is: copies of the inputs, the four gates, states after each step from the one before the first on, and the same of an LSTM's
cells. Training keeps a slot for every step, answering none but the last.

The gates of a GRU lie in the order n, r, z, q, where q is what the states add to n before r multiplies it; those of an LSTM in
the order i, f, g, o. So the gates with weights of the inputs are the first ones, those with weights of the states the last ones.
"""

from typing import NamedTuple

import numpy as np

from .._jit import jit
from ..engine.instructions import PANEL
from ..engine.map_products import SHARDS
from ..engine.maps import FIXED_AT, ROOM_AT, Needs
from ..engine.panels import CHANNELS, GRU, KIND, OUT_CHANNELS, OUT_WIDTH, WHOLE, WIDTH, panel_count

GATES = 4  # of either cell


class Sizes(NamedTuple):
    """Sizes of a layer: steps, inputs and hidden units, panels of either, and the gates that have weights of each.

    Gates ``first`` to GATES have weights of the states, gates 0 to ``n_gates`` weights of the inputs.
    """

    steps: int
    inputs: int
    hidden: int
    input_panels: int
    panels: int
    n_gates: int
    first: int
    answers: int  # 1: the last state; otherwise all


class Places(NamedTuple):
    """Where a layer's numbers begin in ``net.maps``, and what leads from there to a step; deltas are those of one step.

    ``slots`` and ``state_slots`` are those of the gates and of the states, ``slot`` the numbers of a panel in one.
    """

    slots: int
    state_slots: int
    slot: int
    inputs: int
    gates: int
    states: int
    cells: int
    input_deltas: int
    state_deltas: int
    cell_deltas: int


class Forms(NamedTuple):
    """Where the weights lie that products read, and shares of their gradient.

    For each panel of a gate one of as many rows as there are inputs, likewise for states; the same turned, a panel of as many rows
    as the gates have columns for each panel of inputs and of states. Rows are padded to whole panels.
    """

    inputs: int
    states: int
    inputs_turned: int
    states_turned: int
    biases: int
    shards: int
    input_rows: int
    state_rows: int


@jit
def sizes(table, layer):
    """The sizes of a layer."""
    row = table[layer]
    is_gru = row[KIND] == GRU
    inputs, hidden = row[CHANNELS], row[OUT_CHANNELS]
    n_gates, first = (3, 1) if is_gru else (GATES, 0)
    answers = 1 if row[OUT_WIDTH] == 1 else 0
    return Sizes(row[WIDTH], inputs, hidden, panel_count(inputs), panel_count(hidden), n_gates, first, answers)


@jit
def room(s, has_cells, training):
    """Numbers a sample: of inputs, gates, states, cells, and of derivatives for inputs, states and cells."""
    slots, state_slots = (s.steps, s.steps + 1) if training else (1, 2)
    own, inputs, cells, deltas = s.panels * PANEL, s.input_panels * PANEL, 1 if has_cells else 0, 1 if training else 0
    states = state_slots * own
    return (
        slots * inputs,
        slots * GATES * own,
        states,
        cells * states,
        deltas * inputs,
        deltas * own,
        cells * deltas * own,
    )


@jit
def places(net, layer):
    """The places of a layer."""
    s, n, training = sizes(net.table, layer), net.rows * net.n_blocks, net.gradient.shape[0] > 0
    numbers = room(s, net.table[layer, KIND] != GRU, training)
    inputs = net.map_table[layer, ROOM_AT]
    gates = inputs + n * numbers[0]
    states = gates + n * numbers[1]
    cells = states + n * numbers[2]
    input_deltas = cells + n * numbers[3]
    state_deltas = input_deltas + n * numbers[4]
    cell_deltas = state_deltas + n * numbers[5]
    slots, state_slots = (s.steps, s.steps + 1) if training else (1, 2)
    return Places(slots, state_slots, n * PANEL, inputs, gates, states, cells, input_deltas, state_deltas, cell_deltas)


@jit
def slots_of(net, layer, step):
    """Where the inputs and the gates of a step begin, the states and the cells before it, and after it."""
    p, s = places(net, layer), sizes(net.table, layer)
    slot, before, after = step % p.slots, step % p.state_slots, (step + 1) % p.state_slots
    size = s.panels * p.slot
    return (
        p.inputs + slot * s.input_panels * p.slot,
        p.gates + slot * GATES * size,
        p.states + before * size,
        p.states + after * size,
        p.cells + before * size,
        p.cells + after * size,
    )


@jit
def vector(net, begin, n_rows):
    """Rows of a panel as one vector."""
    return net.maps[begin : begin + n_rows * PANEL]


@jit
def ends_early(net, layer):
    """Whether sequences may end before a layer's last step."""
    return net.lengths.shape[0] > 0 and net.table[layer, WHOLE] == 0


@jit
def count_at(net, layer, step, first, stop):
    """Samples of those from first to stop that have a step."""
    if ends_early(net, layer):
        while stop > first and net.lengths[stop - 1] <= step:
            stop -= 1
    return stop - first


@jit
def shard_numbers(s):
    """Numbers of one share of the gradient: of weights, panel by panel as in `Forms` but not padded, and of the biases."""
    return s.panels * PANEL * (s.n_gates * s.inputs + (GATES - s.first) * s.hidden + GATES)


@jit
def forms(net, layer):
    """The forms of a layer's weights."""
    s = sizes(net.table, layer)
    input_rows, state_rows = s.input_panels * PANEL, s.panels * PANEL
    n, m = s.n_gates * s.panels * PANEL * input_rows, (GATES - s.first) * s.panels * PANEL * state_rows
    begin = net.map_table[layer, FIXED_AT]
    biases = begin + 2 * n + 2 * m
    shards = biases + GATES * s.panels * PANEL
    return Forms(begin, begin + n, begin + n + m, begin + 2 * n + m, biases, shards, input_rows, state_rows)


def needs(table: np.ndarray, layer: int, training: bool) -> Needs:
    """Room for what steps leave behind, for the forms of the weights and for shares of the gradient."""
    s = Sizes(*(int(n) for n in sizes.py_func(table, layer)))
    own = sum(room.py_func(s, table[layer, KIND] != GRU, training))
    weights = s.panels * PANEL**2 * (s.n_gates * s.input_panels + (GATES - s.first) * s.panels)
    fixed = 2 * weights + GATES * s.panels * PANEL + (SHARDS * shard_numbers.py_func(s) if training else 0)
    return Needs(room=int(own), fixed=int(fixed))
