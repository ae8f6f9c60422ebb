"""Recurrent layers, GRU and LSTM, in panels: states h_t from inputs x_t and states h_(t-1), from h = 0 on.

A thread takes a block of samples through all steps, forward or backward, and waits for nobody. A step is a product of the inputs
and one of the states, added in the same tiles, panel by panel of the hidden units with the gates of these at once, and then the
cell (`recurrent_cells`) while they are in the cache. Backwards it is the cell, then a product with the turned weights for the
states before and one for the inputs. Everything that a step leaves behind stays in its slot (`recurrent_places`), where the
gradient finds it (`recurrent_gradient`).

A minibatch of sequences of several lengths comes sorted, the longest first: step t takes the samples that have one. Where a
sequence has ended, outputs and deltas are 0. A layer that is WHOLE takes all steps of all samples. A layer that reads BACKWARDS
begins with a sequence's last step and still answers in the order of the data, so that the last state is the one beside the first
step.
"""

from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.instructions import MAX_HEIGHT, PANEL
from ..engine.maps import SIZE, map_at, map_shape
from ..engine.microkernel import tile_of_rows
from ..engine.packed_network import DELTA, NET, OUTPUT
from ..engine.panels import BACKWARDS, GRU, KIND, VECTOR, WIDTH, panel_width
from ..engine.products import vector_count
from .map_edges import answer_from, answer_to, backward_from, backward_to, finish_samples, forward_from, forward_to
from .recurrent_cells import gru_backward, gru_forward, lstm_backward, lstm_forward
from .recurrent_gradient import accumulate_all
from .recurrent_places import GATES, count_at, ends_early, forms, needs, places, sizes, slots_of, vector
from .recurrent_weights import finish_gradients, write_forms

__all__ = ["answer", "backward", "forward", "needs", "ready", "write"]
AT_ONCE = 3 * MAX_HEIGHT  # samples of a block, at most
READ, WRITE, ADD = range(3)  # what is done with pixels of maps and rows of panels


@linked(VECTOR, intp, intp, intp, intp, intp, intp, intp)
def add_rows_product(maps, a, jump, depth, weights, width, out, n_rows):
    """out (n_rows, PANEL) += A @ a panel of weights; panels of A (n_rows, depth) begin ``jump`` numbers apart."""
    n_tiles = -(-n_rows // MAX_HEIGHT)
    for tile in range(n_tiles):
        row, stop = n_rows * tile // n_tiles, n_rows * (tile + 1) // n_tiles
        tile_of_rows(
            stop - row, vector_count(width), maps, a + row * PANEL, maps, weights, maps, out + row * PANEL, jump, PANEL, depth, 1
        )  # fmt: skip


# ---- between maps and panels -----------------------------------------------------------------------------------------


@jit
def join_rows(what, pixel, row):
    """One panel of a pixel and its row (n,): row = pixel, pixel = row, or row += pixel."""
    if what == READ:
        for c in range(row.shape[0]):
            row[c] = pixel[c]
    elif what == WRITE:
        for c in range(row.shape[0]):
            pixel[c] = row[c]
    else:
        for c in range(row.shape[0]):
            row[c] += pixel[c]


@linked(NET, intp, intp, intp, intp, intp, intp, intp, intp, intp)
def join_pixels(net, what, layer, index, kind, step, at, jump, first, n_rows):
    """Join the pixels of a step in maps ``index``, inputs or outputs of a layer, with rows of panels: see `join_rows`.

    The pixels are those of samples from ``first`` on; panels begin at ``at`` and ``jump`` apart. Without a step, of -1, there is
    one pixel.
    """
    _, steps, n_channels = map_shape(net.table, index)
    begin, size, backwards = map_at(net, index, kind, first), net.map_table[index, SIZE], net.table[layer, BACKWARDS]
    is_ragged, pixel = ends_early(net, layer), max(step, 0)
    if backwards and step >= 0:
        pixel = steps - 1 - step
    n_panels, rest = n_channels // PANEL, n_channels % PANEL
    for r in range(n_rows):
        if is_ragged and backwards and step >= 0:
            pixel = net.lengths[first + r] - 1 - step
        place, row = begin + r * size + pixel * n_channels, at + r * PANEL
        for panel in range(n_panels):
            here, there = place + panel * PANEL, row + panel * jump
            join_rows(what, net.maps[here : here + PANEL], net.maps[there : there + PANEL])
        if rest:
            here, there = place + n_panels * PANEL, row + n_panels * jump
            join_rows(what, net.maps[here : here + rest], net.maps[there : there + rest])


@jit
def join_states(net, what, layer, kind, step, at, jump, first, n_rows, ended):
    """`join_pixels` for states, or their deltas, after a step; if there is one answer, for samples that have ``ended`` with it."""
    if sizes(net.table, layer).answers:
        begin = n_rows - ended
        join_pixels(net, what, layer, layer + 1, kind, -1, at + begin * PANEL, jump, first + begin, ended)
    else:
        join_pixels(net, what, layer, layer + 1, kind, step, at, jump, first, n_rows)


@linked(NET, intp, intp, intp, intp, intp, intp)
def clear_ended(net, layer, index, kind, n_channels, first, stop):
    """Zeros in maps ``index``, inputs or outputs of a layer, where sequences have ended."""
    if ends_early(net, layer):
        for sample in range(first, stop):
            place = map_at(net, index, kind, sample)
            begin, end = net.lengths[sample] * n_channels, net.table[layer, WIDTH] * n_channels
            net.maps[place + begin : place + end] = 0


# ---- through time ----------------------------------------------------------------------------------------------------


@linked(NET, intp, intp, intp, intp, intp)
def sum_gates(net, layer, step, panel, first, n_rows):
    """The sums of all gates, for a panel of the hidden units of samples from first on: biases, inputs and states times weights."""
    p, s, f = places(net, layer), sizes(net.table, layer), forms(net, layer)
    inputs, gates, before, _, _, _ = slots_of(net, layer, step)
    width, own = panel_width(panel, s.hidden), first * PANEL
    for gate in range(GATES):
        number = gate * s.panels + panel
        out, bias = gates + number * p.slot + own, net.maps[f.biases + number * PANEL : f.biases + (number + 1) * PANEL]
        for r in range(n_rows):
            row = net.maps[out + r * PANEL : out + (r + 1) * PANEL]
            for c in range(PANEL):
                row[c] = bias[c]
        if gate < s.n_gates:
            weights = f.inputs + number * f.input_rows * PANEL
            add_rows_product(net.maps, inputs + own, p.slot, s.inputs, weights, width, out, n_rows)
        if gate >= s.first and step:
            weights = f.states + (number - s.first * s.panels) * f.state_rows * PANEL
            add_rows_product(net.maps, before + own, p.slot, s.hidden, weights, width, out, n_rows)


@linked(NET, intp, intp, intp, intp, intp)
def cell_forward(net, layer, step, panel, first, n_rows):
    """The states after a step from the sums of the gates, for a panel of the hidden units."""
    p, s = places(net, layer), sizes(net.table, layer)
    _, gates, before, after, cells, cells_after = slots_of(net, layer, step)
    own = panel * p.slot + first * PANEL
    apart, begin = s.panels * p.slot, gates + own
    a, b = vector(net, begin, n_rows), vector(net, begin + apart, n_rows)
    c, d = vector(net, begin + 2 * apart, n_rows), vector(net, begin + 3 * apart, n_rows)
    states = vector(net, after + own, n_rows)
    if net.table[layer, KIND] == GRU:
        gru_forward(a, b, c, d, vector(net, before + own, n_rows), states)
    else:
        lstm_forward(a, b, c, d, vector(net, cells + own, n_rows), vector(net, cells_after + own, n_rows), states)


@linked(NET, intp, intp, intp)
def run(net, layer, first, stop):
    """The states of some samples after all steps, and the layer's outputs."""
    p, s = places(net, layer), sizes(net.table, layer)
    for panel in range(s.panels):  # the states before the first step
        begin = panel * p.slot + first * PANEL
        vector(net, p.states + begin, stop - first)[:] = 0
        if net.table[layer, KIND] != GRU:
            vector(net, p.cells + begin, stop - first)[:] = 0
    for step in range(s.steps):
        n_rows = count_at(net, layer, step, first, stop)
        if n_rows == 0:
            break
        ended = n_rows - (count_at(net, layer, step + 1, first, stop) if step + 1 < s.steps else 0)
        inputs, _, _, after, _, _ = slots_of(net, layer, step)
        join_pixels(net, READ, layer, layer, OUTPUT, step, inputs + first * PANEL, p.slot, first, n_rows)
        for panel in range(s.panels):
            sum_gates(net, layer, step, panel, first, n_rows)
            cell_forward(net, layer, step, panel, first, n_rows)
        join_states(net, WRITE, layer, OUTPUT, step, after + first * PANEL, p.slot, first, n_rows, ended)
    if not s.answers:
        clear_ended(net, layer, layer + 1, OUTPUT, s.hidden, first, stop)


@linked(NET, intp, intp, intp, intp, intp)
def cell_backward(net, layer, step, panel, first, n_rows):
    """Derivatives for the sums of the gates, in their place, and what passes to the states and cells before by the cell alone."""
    p, s = places(net, layer), sizes(net.table, layer)
    _, gates, before, _, cells, cells_after = slots_of(net, layer, step)
    own = panel * p.slot + first * PANEL
    apart, begin = s.panels * p.slot, gates + own
    a, b = vector(net, begin, n_rows), vector(net, begin + apart, n_rows)
    c, d = vector(net, begin + 2 * apart, n_rows), vector(net, begin + 3 * apart, n_rows)
    delta = vector(net, p.state_deltas + own, n_rows)
    if net.table[layer, KIND] == GRU:
        gru_backward(a, b, c, d, vector(net, before + own, n_rows), delta)
    else:
        earlier, later = vector(net, cells + own, n_rows), vector(net, cells_after + own, n_rows)
        lstm_backward(a, b, c, d, earlier, later, delta, vector(net, p.cell_deltas + own, n_rows))
        delta[:] = 0


@linked(NET, intp, intp, intp, intp)
def pass_to_states(net, layer, step, first, n_rows):
    """Add the derivatives for the states before a step that come by the gates."""
    p, s, f = places(net, layer), sizes(net.table, layer), forms(net, layer)
    gates = slots_of(net, layer, step)[1] + s.first * s.panels * p.slot + first * PANEL
    depth = (GATES - s.first) * s.panels * PANEL
    for panel in range(s.panels):
        weights, out = f.states_turned + panel * depth * PANEL, p.state_deltas + panel * p.slot + first * PANEL
        add_rows_product(net.maps, gates, p.slot, depth, weights, panel_width(panel, s.hidden), out, n_rows)


@linked(NET, intp, intp, intp, intp)
def pass_to_inputs(net, layer, step, first, n_rows):
    """Derivatives for the inputs of a step, in the maps below."""
    p, s, f = places(net, layer), sizes(net.table, layer), forms(net, layer)
    gates, depth = slots_of(net, layer, step)[1] + first * PANEL, s.n_gates * s.panels * PANEL
    for panel in range(s.input_panels):
        weights, out = f.inputs_turned + panel * depth * PANEL, p.input_deltas + panel * p.slot + first * PANEL
        vector(net, out, n_rows)[:] = 0
        add_rows_product(net.maps, gates, p.slot, depth, weights, panel_width(panel, s.inputs), out, n_rows)
    join_pixels(net, WRITE, layer, layer, DELTA, step, p.input_deltas + first * PANEL, p.slot, first, n_rows)


@linked(NET, intp, intp, intp, intp)
def run_back(net, layer, below, first, stop):
    """Derivatives for the gates' sums of some samples at all steps, and with ``below`` for the inputs."""
    p, s = places(net, layer), sizes(net.table, layer)
    for panel in range(s.panels):
        begin = panel * p.slot + first * PANEL
        vector(net, p.state_deltas + begin, stop - first)[:] = 0
        if net.table[layer, KIND] != GRU:
            vector(net, p.cell_deltas + begin, stop - first)[:] = 0
    later = 0
    for back in range(s.steps):
        step = s.steps - 1 - back
        n_rows = count_at(net, layer, step, first, stop)
        if n_rows == 0:
            continue
        join_states(net, ADD, layer, DELTA, step, p.state_deltas + first * PANEL, p.slot, first, n_rows, n_rows - later)
        for panel in range(s.panels):
            cell_backward(net, layer, step, panel, first, n_rows)
        later = n_rows
        if step:
            pass_to_states(net, layer, step, first, n_rows)
        if below:
            pass_to_inputs(net, layer, step, first, n_rows)
    if below:
        clear_ended(net, layer, layer, DELTA, s.inputs, first, stop)
        finish_samples(net, layer, first, stop)


# ---- the steps -------------------------------------------------------------------------------------------------------


@jit
def block_bounds(block, n_rows):
    """First sample of a block of at most AT_ONCE, and the first that is not in it any more."""
    n_blocks = blocks_of(n_rows)
    return n_rows * block // n_blocks, n_rows * (block + 1) // n_blocks


@jit
def blocks_of(n_rows):
    """Blocks of a minibatch: as many for any number of threads, and for 2 or 4 the same for each."""
    return min(n_rows, 4 * -(-n_rows // (4 * AT_ONCE)))


@linked(NET, intp, intp, parallel=True)
def run_all(net, layer, n_rows):
    """All states of a minibatch."""
    for block in prange(blocks_of(n_rows)):
        first, stop = block_bounds(block, n_rows)
        run(net, layer, first, stop)


@linked(NET, intp, intp, intp, parallel=True)
def run_all_back(net, layer, below, n_rows):
    """All derivatives of a minibatch."""
    for block in prange(blocks_of(n_rows)):
        first, stop = block_bounds(block, n_rows)
        run_back(net, layer, below, first, stop)


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """Outputs of one layer."""
    n_rows = batch.positions.shape[0]
    write_forms(net, layer)
    forward_from(net, layer, n_rows)
    run_all(net, layer, n_rows)
    forward_to(net, layer, n_rows)


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """Delta of the layer below; the gates become what the gradient reads."""
    n_rows = batch.positions.shape[0]
    backward_from(net, layer, n_rows, True)
    run_all_back(net, layer, 1, n_rows)
    backward_to(net, layer, objective.terms, n_rows)


@linked(NET, intp, OBJECTIVE, BATCH)
def write(net, layer, objective, batch):
    """Write the gradient; of the first layer the way back through time comes before."""
    n_rows = batch.positions.shape[0]
    if layer == 0:
        backward_from(net, layer, n_rows, True)
        run_all_back(net, layer, 0, n_rows)
    accumulate_all(net, layer, n_rows)
    finish_gradients(net, layer)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """What the layer answers to one block of rows; weights have their forms."""
    first = answer_from(net, layer, block, n_rows)
    run(net, layer, first, first + n_rows)
    answer_to(net, layer, block, n_rows)


@linked(NET, intp)
def ready(net, layer):
    """Bring weights that do not change any more into their forms."""
    write_forms(net, layer)
