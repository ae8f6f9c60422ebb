"""Stochastic units: their mean given what they receive, and a sample.

Bernoulli units are 1 with probability sigmoid(x), Gaussian ones have mean x and unit variance, rectified ones are the noisy
rectified linear units of Nair & Hinton 2010: max(0, x + noise of variance sigmoid(x)).
"""

import numpy as np
from numba import int64, intp

from .._jit import jit, linked
from ..engine.instructions import PANEL
from ..engine.panels import MATRIX
from ..engine.vectors import bernoulli_row
from .activations import activate, sigmoid
from .random import KEY, fill_normal, fill_uniform

# A unit kind is the code of the activation that is its mean: LINEAR, SIGMOID or RELU.
BERNOULLI, GAUSSIAN, RECTIFIED = 1, 0, 3
UNIT_KINDS = {"bernoulli": BERNOULLI, "gaussian": GAUSSIAN, "rectified": RECTIFIED}


@jit
def sample_row(kind, key, epoch, row, draw, first_column, mean, out):
    """Turn ``mean`` (n,), holding pre-activations, into the units' mean and ``out`` (n,) into a sample."""
    if kind == BERNOULLI:
        fill_uniform(key, epoch, row, draw, first_column, out)
        activate(kind, mean)
        one, zero = out.dtype.type(1), out.dtype.type(0)
        for j in range(out.shape[0]):
            out[j] = one if out[j] < mean[j] else zero
        return
    fill_normal(key, epoch, row, draw, first_column, out)
    if kind == GAUSSIAN:
        for j in range(out.shape[0]):
            out[j] = mean[j] + out[j]
        return
    for j in range(out.shape[0]):  # rectified: noise of variance sigmoid(x) before the rectifier
        out[j] = mean[j] + np.sqrt(sigmoid(mean[j])) * out[j]
    activate(kind, out)
    activate(kind, mean)


@linked(intp, KEY, intp, int64[::1], intp, intp, intp, MATRIX, MATRIX)
def sample_panel(kind, key, epoch, row_ids, draw, first_column, width, mean, sample):
    """mean (n, PANEL), holding pre-activations, becomes the units' mean, and ``sample`` (n, PANEL) a sample of them.

    Row r draws its numbers from (key, epoch, row_ids[r], draw); the panel has ``width`` columns, from ``first_column`` on.
    """
    if kind != BERNOULLI:
        for r in range(mean.shape[0]):
            sample_row(kind, key, epoch, row_ids[r], draw, first_column, mean[r, :width], sample[r, :width])
        return
    activate(kind, mean.reshape(mean.size))
    for r in range(mean.shape[0]):
        bernoulli_row(key.word0, key.word1, epoch, row_ids[r], draw, first_column // 4, mean, sample, r * PANEL)
    if width < PANEL:
        sample[:, width:] = 0
