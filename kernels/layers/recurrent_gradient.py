"""The gradient of the weights of recurrent layers: one product over all steps and samples, cut into fixed shares of the steps.

What it reads is in the slots of the steps: inputs, states before, and the derivatives for the sums of the gates that the way back
through time has left there (`recurrent`). Which step is in which share depends on how many there are alone, so the bits do not
depend on the number of threads (`map_products`).
"""

from numba import intp, prange

from .._jit import linked
from ..engine.instructions import MAX_HEIGHT, PANEL
from ..engine.map_products import SHARDS, shard_bounds
from ..engine.microkernel import tile_of_columns
from ..engine.packed_network import NET
from ..engine.panels import VECTOR, panel_width
from ..engine.products import sum_rows, vector_count
from .recurrent_places import GATES, count_at, forms, places, shard_numbers, sizes, slots_of, vector
from .recurrent_weights import bias_share_at, share_at


@linked(VECTOR, intp, intp, intp, intp, intp, intp, intp)
def add_columns_product(maps, a, jump, n_high, d, width, out, n_rows):
    """out (n_high, PANEL) += A' d, over rows of A (n_rows, n_high), whose panels begin ``jump`` apart, and of d, a panel."""
    for panel in range(-(-n_high // PANEL)):
        high = panel_width(panel, n_high)
        n_tiles = -(-high // MAX_HEIGHT)
        for tile in range(n_tiles):
            row, stop = high * tile // n_tiles, high * (tile + 1) // n_tiles
            tile_of_columns(
                stop - row, vector_count(width), maps, a + panel * jump + row, maps, d, maps, out + (panel * PANEL + row) * PANEL,
                0, n_rows, n_rows, 1,
            )  # fmt: skip


@linked(NET, intp, intp, intp, intp)
def accumulate(net, layer, shard, panel, n_rows):
    """One share of the gradient of the weights and biases of all gates, for a panel of the hidden units."""
    p, s, f = places(net, layer), sizes(net.table, layer), forms(net, layer)
    share, width = f.shards + shard * shard_numbers(s), panel_width(panel, s.hidden)
    first, stop = shard_bounds(shard, s.steps)
    for gate in range(GATES):
        if gate < s.n_gates:
            begin = share + share_at(s, 0, gate, panel)
            net.maps[begin : begin + s.inputs * PANEL] = 0
        if gate >= s.first:
            begin = share + share_at(s, 1, gate, panel)
            net.maps[begin : begin + s.hidden * PANEL] = 0
        begin = share + bias_share_at(s, gate, panel)
        net.maps[begin : begin + PANEL] = 0
    for step in range(first, stop):
        n = count_at(net, layer, step, 0, n_rows)
        inputs, gates, before, _, _, _ = slots_of(net, layer, step)
        for gate in range(GATES if n else 0):
            deltas = gates + (gate * s.panels + panel) * p.slot
            if gate < s.n_gates:
                out = share + share_at(s, 0, gate, panel)
                add_columns_product(net.maps, inputs, p.slot, s.inputs, deltas, width, out, n)
            if gate >= s.first and step:
                out = share + share_at(s, 1, gate, panel)
                add_columns_product(net.maps, before, p.slot, s.hidden, deltas, width, out, n)
            begin = share + bias_share_at(s, gate, panel)
            sum_rows(vector(net, deltas, n).reshape((n, PANEL)), net.maps[begin : begin + PANEL])


@linked(NET, intp, intp, parallel=True)
def accumulate_all(net, layer, n_rows):
    """All shares of the gradient."""
    n_panels = sizes(net.table, layer).panels
    for job in prange(SHARDS * n_panels):
        accumulate(net, layer, job // n_panels, job % n_panels, n_rows)
