"""Forcing, in panels: a code at every step of a sequence and, behind it, what the step before should have been answered with.

    y_t = [code, target_(t-1)], t = 1 to T, zeros in place of a step that is not there (Williams & Zipser 1989)

BACKWARDS the step before is the later one, t + 1. What has ended in the target is 0 there. In use there is no target: whoever
decodes gives the layers above what they answered before.
"""

import numpy as np
from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.maps import map_at
from ..engine.packed_network import DELTA, NET, OUTPUT
from ..engine.panels import BACKWARDS, CHANNELS, OUT_CHANNELS, OUT_WIDTH, gather_row
from .map_edges import answer_from, answer_to, backward_from, backward_to, finish_samples, forward_from, forward_to


@jit
def step_before(table, layer, step):
    """The step whose target goes into another, or -1."""
    before = step + 1 if table[layer, BACKWARDS] else step - 1
    return before if before < table[layer, OUT_WIDTH] else -1


@linked(NET, intp, intp, intp)
def force(net, layer, sample, is_forced):
    """Outputs of one sample, with zeros in place of the target unless it ``is_forced``."""
    steps, n_code, width = net.table[layer, OUT_WIDTH], net.table[layer, CHANNELS], net.table[layer, OUT_CHANNELS]
    n, target = width - n_code, np.zeros(steps * (width - n_code), np.float32)
    if is_forced:
        gather_row(net.target[sample // net.rows], sample % net.rows, target)
    code, out = map_at(net, layer, OUTPUT, sample), map_at(net, layer + 1, OUTPUT, sample)
    for step in range(steps):
        pixel, before = net.maps[out + step * width : out + (step + 1) * width], step_before(net.table, layer, step)
        pixel[:n_code] = net.maps[code : code + n_code]
        pixel[n_code:] = 0
        if before >= 0:
            pixel[n_code:] = target[before * n : (before + 1) * n]


@linked(NET, intp, intp, parallel=True)
def force_all(net, layer, n_rows):
    """Outputs of a minibatch."""
    for sample in prange(n_rows):
        force(net, layer, sample, 1)


@linked(NET, intp, intp)
def sum_steps(net, layer, sample):
    """Derivative for the code of one sample: the sum over the steps."""
    n_code, width = net.table[layer, CHANNELS], net.table[layer, OUT_CHANNELS]
    begin, delta = map_at(net, layer, DELTA, sample), map_at(net, layer + 1, DELTA, sample)
    total = net.maps[begin : begin + n_code]
    total[:] = 0
    for step in range(net.table[layer, OUT_WIDTH]):
        for c in range(n_code):
            total[c] += net.maps[delta + step * width + c]


@linked(NET, intp, intp, parallel=True)
def sum_all(net, layer, n_rows):
    """Derivatives for the codes of a minibatch."""
    for sample in prange(n_rows):
        sum_steps(net, layer, sample)
        finish_samples(net, layer, sample, sample + 1)


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """Outputs of a minibatch, whose target is there."""
    n_rows = batch.positions.shape[0]
    forward_from(net, layer, n_rows)
    force_all(net, layer, n_rows)
    forward_to(net, layer, n_rows)


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """Delta of the layer below."""
    n_rows = batch.positions.shape[0]
    backward_from(net, layer, n_rows, True)
    sum_all(net, layer, n_rows)
    backward_to(net, layer, objective.terms, n_rows)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """The code at every step, with zeros behind it, for one block of rows."""
    first = answer_from(net, layer, block, n_rows)
    for sample in range(first, first + n_rows):
        force(net, layer, sample, 0)
    answer_to(net, layer, block, n_rows)
