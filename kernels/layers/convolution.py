"""Convolutions and their transposes on maps, in panels: y = f(b + x * W), and back. See `engine.convolution`."""

import numpy as np
from numba import intp, prange

from .._jit import linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.convolution import convolve, dots_at, dots_size, geometry, prepare_products, reach, spread
from ..engine.convolution_gradient import accumulate_all, shifted_size
from ..engine.map_products import (
    SHARDS,
    finish_gradient,
    shard_size,
)
from ..engine.maps import (
    FIXED_AT,
    PITCH,
    Margins,
    Needs,
    activate_numbers,
    map_at,
)  # fmt: skip
from ..engine.packed_network import DELTA, NET, OUTPUT
from ..engine.panels import (
    ACTIVATION,
    CONVOLUTION,
    KIND,
    OUT_CHANNELS,
    OUT_HEIGHT,
    OUT_WIDTH,
)  # fmt: skip
from .map_edges import (
    answer_activation,
    answer_from,
    answer_to,
    backward_from,
    backward_to,
    finish_samples,
    forward_from,
    forward_to,
)  # fmt: skip

TOGETHER = 4  # samples that pass one panel of weights after another


def needs(table: np.ndarray, layer: int, training: bool) -> Needs:
    """Margins of the two maps, and room for turned weights and shares of the gradient."""
    g = geometry.py_func(table, layer)
    large = Margins(
        g.top,
        g.left,
        max(0, (g.small_height - 1) * g.stride_height + g.kernel_height - g.height - g.top),
        max(0, (g.small_width - 1) * g.stride_width + g.kernel_width - g.width - g.left),
    )
    above, below = reach(g.height, g.small_height, g.kernel_height, g.stride_height, g.top)
    before, after = reach(g.width, g.small_width, g.kernel_width, g.stride_width, g.left)
    small = Margins(above, before, below, after)
    fixed = dots_at.py_func(g) + dots_size.py_func(g)
    if training:
        fixed += SHARDS * (shard_size.py_func(table, layer) + shifted_size.py_func(g))
    inputs, outputs = (large, small) if table[layer, KIND] == CONVOLUTION else (small, large)
    return Needs(inputs, outputs, 0, int(fixed))


@linked(NET, intp, OBJECTIVE, BATCH)
def write(net, layer, objective, batch):
    """Write the gradient of a convolution or of a transposed one."""
    n_rows = batch.positions.shape[0]
    backward_from(net, layer, n_rows, layer == 0)
    g = geometry(net.table, layer)
    shards_at = net.map_table[layer, FIXED_AT] + dots_at(g) + dots_size(g)
    if net.table[layer, KIND] == CONVOLUTION:
        accumulate_all(net, layer, layer, OUTPUT, layer + 1, DELTA, shards_at, n_rows)
    else:
        accumulate_all(net, layer, layer + 1, DELTA, layer, OUTPUT, shards_at, n_rows)
    finish_gradient(net, layer, shards_at)


# ---- the steps -------------------------------------------------------------------------------------------------------


@linked(NET, intp, intp, intp, intp)
def outputs_of(net, layer, activation, first, stop):
    """Outputs of a layer of either kind for some samples, a few at a time."""
    table = net.table
    length, pitch = table[layer, OUT_WIDTH] * table[layer, OUT_CHANNELS], net.map_table[layer + 1, PITCH]
    for begin in range(first, stop, TOGETHER):
        end = min(begin + TOGETHER, stop)
        if table[layer, KIND] == CONVOLUTION:
            convolve(net, layer, layer, layer + 1, OUTPUT, begin, end)
        else:
            spread(net, layer, layer, layer + 1, OUTPUT, begin, end)
        for sample in range(begin, end):
            at = map_at(net, layer + 1, OUTPUT, sample)
            for y in range(table[layer, OUT_HEIGHT]):
                activate_numbers(net.maps, activation, at + y * pitch, at + y * pitch + length)


@linked(NET, intp, intp, intp, parallel=True)
def outputs_of_all(net, layer, activation, n_rows):
    """Outputs of a layer for a minibatch."""
    for job in prange(-(-n_rows // TOGETHER)):
        outputs_of(net, layer, activation, job * TOGETHER, min((job + 1) * TOGETHER, n_rows))


@linked(NET, intp, intp, parallel=True)
def deltas_of_all(net, layer, n_rows):
    """From the deltas of a layer's outputs to the derivatives for its inputs."""
    for job in prange(-(-n_rows // TOGETHER)):
        first, stop = job * TOGETHER, min((job + 1) * TOGETHER, n_rows)
        if net.table[layer, KIND] == CONVOLUTION:
            spread(net, layer, layer + 1, layer, DELTA, first, stop)
        else:
            convolve(net, layer, layer + 1, layer, DELTA, first, stop)
        finish_samples(net, layer, first, stop)


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """Outputs of one layer."""
    n_rows = batch.positions.shape[0]
    prepare_products(net, layer, net.table[layer, KIND] == CONVOLUTION)
    forward_from(net, layer, n_rows)
    outputs_of_all(net, layer, answer_activation(net, layer, objective.loss), n_rows)
    forward_to(net, layer, n_rows)


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """Delta of the layer below."""
    n_rows = batch.positions.shape[0]
    prepare_products(net, layer, net.table[layer, KIND] != CONVOLUTION)
    backward_from(net, layer, n_rows, True)
    deltas_of_all(net, layer, n_rows)
    backward_to(net, layer, objective.terms, n_rows)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """What the layer answers to one block of rows; weights have been turned before."""
    first = answer_from(net, layer, block, n_rows)
    outputs_of(net, layer, net.table[layer, ACTIVATION], first, first + n_rows)
    answer_to(net, layer, block, n_rows)


@linked(NET, intp)
def ready(net, layer):
    """Prepare weights that do not change any more for `answer`."""
    prepare_products(net, layer, net.table[layer, KIND] == CONVOLUTION)
