"""Where a layer on maps meets the others: what it takes from panels and gives back to them, forward and backward (`maps`)."""

from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.losses import forward_activation
from ..arithmetic.terms import TERMS
from ..engine.maps import copy_from_panels, copy_to_panels, differentiate_map, is_open, spread_rows, take_rows
from ..engine.packed_network import DELTA, NET, OUTPUT, block_count, keep_block, keep_rows
from ..engine.panels import ACTIVATION, N_OUT, is_map_layer, panel_count
from .dense import finish_delta


@jit
def answer_activation(net, layer, loss):
    """Activation of a layer's outputs; those of the last stay linear where the loss takes logits."""
    activation = net.table[layer, ACTIVATION]
    return forward_activation(loss, activation) if layer == net.table.shape[0] - 1 else activation


@jit
def takes_rows(net, layer):
    """Whether a layer finds its inputs in panels alone."""
    return is_open(net, layer) and not (layer and is_map_layer(net.table, layer - 1))


@jit
def forward_from(net, layer, n_rows):
    """Make the maps that a layer reads."""
    if takes_rows(net, layer):
        take_rows(net, layer, OUTPUT, n_rows)


@jit
def forward_to(net, layer, n_rows):
    """Give what a layer answered to whoever reads panels."""
    if is_open(net, layer + 1):
        spread_rows(net, layer + 1, OUTPUT, n_rows)
        keep_rows(net, layer + 1, OUTPUT, n_rows)


@jit
def backward_from(net, layer, n_rows, is_first):
    """Make the maps of a layer's deltas, in the first of the steps that read them."""
    if is_first and is_open(net, layer + 1):
        take_rows(net, layer + 1, DELTA, n_rows)


@linked(NET, intp, TERMS, intp, parallel=True)
def finish_panels(net, layer, terms, n_rows):
    """Finish the delta of a layer in panels."""
    n_panels = panel_count(net.table[layer, N_OUT])
    for job in prange(block_count(net, n_rows) * n_panels):
        finish_delta(net, layer, terms, job // n_panels, job % n_panels, n_rows)


@jit
def finish_samples(net, layer, first, stop):
    """From the derivatives for a layer's inputs to the deltas of the layer below, for some samples, where these stay in maps."""
    if not is_open(net, layer):
        for sample in range(first, stop):
            differentiate_map(net, layer, sample)


@jit
def backward_to(net, layer, terms, n_rows):
    """The same for a minibatch where the layer below looks for its delta in panels."""
    if is_open(net, layer):
        spread_rows(net, layer, DELTA, n_rows)
        finish_panels(net, layer - 1, terms, n_rows)


@jit
def answer_from(net, layer, block, n_rows):
    """`forward_from` for one block; the block's first sample."""
    first = block * net.rows
    if takes_rows(net, layer):
        copy_from_panels(net, layer, OUTPUT, first, first + n_rows)
    return first


@jit
def answer_to(net, layer, block, n_rows):
    """`forward_to` for one block."""
    if is_open(net, layer + 1):
        first = block * net.rows
        copy_to_panels(net, layer + 1, OUTPUT, first, first + n_rows)
        keep_block(net, layer + 1, OUTPUT, block, n_rows)
