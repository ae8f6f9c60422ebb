"""Weights of recurrent layers in the forms that their products read, and the gradient back in the form of the parameters.

In the parameters a gate's columns follow the other's, in torch's order, and need not begin a panel. Here every gate has panels
of its own, and those of the same hidden units are reached with one stride (`recurrent_places`). Weights are also turned, for the
way back. Padding is 0 throughout, so that of states and deltas is too.
"""

from numba import intp, prange

from .._jit import jit, linked
from ..engine.instructions import PANEL
from ..engine.map_products import SHARDS
from ..engine.packed_network import NET
from ..engine.panels import BIAS, GRU, KIND, VECTOR, WEIGHT, panel_width
from ..engine.vectors import transpose_block
from .recurrent_places import GATES, forms, shard_numbers, sizes

TO_FORM, TO_PARAMETERS = 0, 1  # directions of a copy


@jit
def column_of(is_gru, gate, of_states, panel, hidden):
    """First column of a gate's panel in the parameters: of the weights of inputs, or of states."""
    own = (gate - 1 if of_states else (gate + 2) % 3) if is_gru else gate
    return own * hidden + panel * PANEL


@linked(VECTOR, intp, intp, intp, intp, VECTOR, intp, intp, intp)
def move_columns(flat, weights, n_high, column, width, form, begin, n_rows, direction):
    """Columns from ``column`` on of a matrix of ``n_high`` rows in panels = rows of one panel, or the other way round.

    ``weights`` is where the first of these rows begins in ``flat``, ``begin`` where the panel begins in ``form``.
    """
    place, first = weights + column // PANEL * n_high * PANEL + column % PANEL, min(width, PANEL - column % PANEL)
    over = place - column % PANEL + n_high * PANEL
    for r in range(n_rows):
        for here, there, n in ((place + r * PANEL, begin + r * PANEL, first),
                               (over + r * PANEL, begin + r * PANEL + first, width - first)):  # fmt: skip
            own, other = flat[here : here + n], form[there : there + n]
            if direction == TO_FORM:
                for c in range(n):
                    other[c] = own[c]
            else:
                for c in range(n):
                    own[c] = other[c]


@linked(NET, intp, intp, intp, intp)
def write_form(net, layer, of_states, gate, panel):
    """One panel of the weights of inputs, or of states, as it is and turned."""
    s, f, is_gru = sizes(net.table, layer), forms(net, layer), net.table[layer, KIND] == GRU
    n_high, n_rows = s.inputs + s.hidden, s.hidden if of_states else s.inputs
    padded, n_gates = (f.state_rows, GATES - s.first) if of_states else (f.input_rows, s.n_gates)
    number = (gate - s.first if of_states else gate) * s.panels + panel
    begin = (f.states if of_states else f.inputs) + number * padded * PANEL
    weights = net.table[layer, WEIGHT] + (s.inputs * PANEL if of_states else 0)
    column, width = column_of(is_gru, gate, of_states, panel, s.hidden), panel_width(panel, s.hidden)
    move_columns(net.params, weights, n_high, column, width, net.maps, begin, n_rows, TO_FORM)
    turned, depth = (f.states_turned if of_states else f.inputs_turned), n_gates * s.panels * PANEL
    for q in range(padded // PANEL):
        source, target = begin + q * PANEL * PANEL, turned + (q * depth + number * PANEL) * PANEL
        transpose_block(net.maps, source, net.maps, target)


@linked(NET, intp, intp, intp)
def write_biases(net, layer, gate, panel):
    """A panel of the biases of a gate: both together where they are added at once."""
    s, f, is_gru = sizes(net.table, layer), forms(net, layer), net.table[layer, KIND] == GRU
    begin, biases = f.biases + (gate * s.panels + panel) * PANEL, net.table[layer, BIAS]
    width = panel_width(panel, s.hidden)
    own = net.maps[begin : begin + width]
    own[:] = 0
    if gate < s.n_gates:
        place = biases + column_of(is_gru, gate, False, panel, s.hidden)
        own += net.params[place : place + width]
    if is_gru and gate >= s.first:
        place = biases + 3 * s.hidden + column_of(is_gru, gate, True, panel, s.hidden)
        own += net.params[place : place + width]


@jit
def write_part(net, layer, job):
    """One of the jobs of `write_forms`."""
    s = sizes(net.table, layer)
    of_states, gate, panel = job // (GATES * s.panels), job // s.panels % GATES, job % s.panels
    if of_states and gate >= s.first:
        write_form(net, layer, 1, gate, panel)
    elif not of_states:
        write_biases(net, layer, gate, panel)
        if gate < s.n_gates:
            write_form(net, layer, 0, gate, panel)


@linked(NET, intp, parallel=True)
def write_forms(net, layer):
    """All forms of a layer's weights."""
    n_panels = sizes(net.table, layer).panels
    for job in prange(2 * GATES * n_panels):
        write_part(net, layer, job)


# ---- the gradient ----------------------------------------------------------------------------------------------------


@jit
def share_at(s, of_states, gate, panel):
    """Where in a share of the gradient a panel of a gate's weights begins."""
    if of_states:
        return s.panels * PANEL * s.n_gates * s.inputs + ((gate - s.first) * s.panels + panel) * s.hidden * PANEL
    return (gate * s.panels + panel) * s.inputs * PANEL


@jit
def bias_share_at(s, gate, panel):
    """Where in a share the biases of a gate's panel begin."""
    return shard_numbers(s) - (GATES * s.panels - gate * s.panels - panel) * PANEL


@jit
def add_shares(maps, begin, size, n):
    """The first of SHARDS parts (n,) of ``maps``, ``size`` apart, becomes the sum of all, in order."""
    total = maps[begin : begin + n]
    for shard in range(1, SHARDS):
        part = maps[begin + shard * size : begin + shard * size + n]
        for i in range(n):
            total[i] += part[i]


@linked(NET, intp, intp, intp, intp)
def finish_weights(net, layer, of_states, gate, panel):
    """``net.gradient`` of one panel of weights from its shares."""
    s, f, is_gru = sizes(net.table, layer), forms(net, layer), net.table[layer, KIND] == GRU
    begin, n_rows = f.shards + share_at(s, of_states, gate, panel), s.hidden if of_states else s.inputs
    add_shares(net.maps, begin, shard_numbers(s), n_rows * PANEL)
    weights = net.table[layer, WEIGHT] + (s.inputs * PANEL if of_states else 0)
    column, width = column_of(is_gru, gate, of_states, panel, s.hidden), panel_width(panel, s.hidden)
    move_columns(net.gradient, weights, s.inputs + s.hidden, column, width, net.maps, begin, n_rows, TO_PARAMETERS)


@linked(NET, intp, intp, intp)
def finish_biases(net, layer, gate, panel):
    """``net.gradient`` of a gate's biases, a panel of them, from their shares."""
    s, f, is_gru = sizes(net.table, layer), forms(net, layer), net.table[layer, KIND] == GRU
    begin, width = f.shards + bias_share_at(s, gate, panel), panel_width(panel, s.hidden)
    add_shares(net.maps, begin, shard_numbers(s), PANEL)
    biases, own = net.table[layer, BIAS], net.maps[begin : begin + width]
    if gate < s.n_gates:
        place = biases + column_of(is_gru, gate, False, panel, s.hidden)
        net.gradient[place : place + width] = own
    if is_gru and gate >= s.first:
        place = biases + 3 * s.hidden + column_of(is_gru, gate, True, panel, s.hidden)
        net.gradient[place : place + width] = own


@jit
def finish_part(net, layer, job):
    """One of the jobs of `finish_gradients`."""
    s = sizes(net.table, layer)
    of_states, gate, panel = job // (GATES * s.panels), job // s.panels % GATES, job % s.panels
    if of_states and gate >= s.first:
        finish_weights(net, layer, 1, gate, panel)
    elif not of_states:
        finish_biases(net, layer, gate, panel)
        if gate < s.n_gates:
            finish_weights(net, layer, 0, gate, panel)


@linked(NET, intp, parallel=True)
def finish_gradients(net, layer):
    """``net.gradient`` of a layer from the shares."""
    n_panels = sizes(net.table, layer).panels
    for job in prange(2 * GATES * n_panels):
        finish_part(net, layer, job)
