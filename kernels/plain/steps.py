"""The steps of all kinds of layers in plain form, in any dtype: gradient checks, line searches and float64 run on them.

``params`` and ``gradient`` are flat vectors; rows (B, n) are C-contiguous.
"""

import numpy as np

from .._jit import jit
from ..engine.panels import BIAS, GAUSSIAN, KIND, N_IN, N_OUT, TRANSPOSED, WEIGHT
from ..layers import gaussian
from .blas import column_sums, layer_backward, layer_forward, weight_gradient


@jit
def layer_weight(table, layer, vector):
    """Weights of a layer as a view of a flat vector: (n_in, n_out), or (n_out, n_in) if the layer is transposed."""
    n_in, n_out, start = table[layer, N_IN], table[layer, N_OUT], table[layer, WEIGHT]
    flat = vector[start : start + n_in * n_out]
    return flat.reshape((n_out, n_in)) if table[layer, TRANSPOSED] else flat.reshape((n_in, n_out))


@jit
def layer_bias(table, layer, vector):
    """Biases of a layer, (n_out,), as a view of a flat vector."""
    start = table[layer, BIAS]
    return vector[start : start + table[layer, N_OUT]]


@jit
def noise_columns(table):
    """Numbers that the stochastic layers of a table draw for a row."""
    n = 0
    for layer in range(table.shape[0]):
        n += table[layer, N_OUT] if table[layer, KIND] == GAUSSIAN else 0
    return n


@jit
def fill_noise(table, key, epoch, row_id, sample, out):
    """out (K,) = what all stochastic layers draw for one row and one of its samples."""
    first = 0
    for layer in range(table.shape[0]):
        if table[layer, KIND] == GAUSSIAN:
            gaussian.fill_noise(key, epoch, row_id, layer, sample, out[first : first + table[layer, N_OUT]])
            first += table[layer, N_OUT]


@jit
def forward(table, layer, params, activation, below, noise, out):
    """out (B, n_out) = a layer's outputs for ``below`` (B, n_in); noise (B, K) is what all stochastic layers draw, side by side."""
    if table[layer, KIND] == GAUSSIAN:
        first = noise_columns(table[:layer])
        gaussian.draw(below, np.ascontiguousarray(noise[:, first : first + out.shape[1]]), out)
        return
    weight, bias = layer_weight(table, layer, params), layer_bias(table, layer, params)
    layer_forward(below, weight, table[layer, TRANSPOSED] != 0, bias, activation, out)


@jit
def answer(table, layer, params, activation, below, out):
    """What a layer answers once it is trained: a stochastic one its mean."""
    if table[layer, KIND] == GAUSSIAN:
        out[:] = below[:, : out.shape[1]]
        return
    forward(table, layer, params, activation, below, below[:0], out)


@jit
def backward(table, layer, params, delta, below, activation, outputs, out):
    """out (B, n_in) = the derivative for the inputs of the layer below, from the ``delta`` (B, n_out) of this one.

    ``below`` (B, n_in) and ``outputs`` (B, n_out) are what the two layers answered, ``activation`` that of the lower one.
    """
    if table[layer, KIND] == GAUSSIAN:
        gaussian.draw_backward(delta, below, activation, outputs, out)
        return
    weight = layer_weight(table, layer, params)
    layer_backward(delta, weight, table[layer, TRANSPOSED] != 0, below, activation, out)


@jit
def add_gradient(table, layer, below, delta, gradient):
    """Add a layer's part to the ``gradient`` (P,) of the parameters."""
    if table[layer, KIND] == GAUSSIAN:
        return
    column_sums(delta, layer_bias(table, layer, gradient))
    weight_gradient(below, delta, table[layer, TRANSPOSED] != 0, True, layer_weight(table, layer, gradient))
