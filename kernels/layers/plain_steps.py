"""The steps of `steps` in plain form, in any dtype: gradient checks, line searches and float64 run on them.

``params`` and ``gradient`` are flat vectors; rows (B, n) are C-contiguous.
"""

from .._jit import jit
from ..packing import BIAS, N_IN, N_OUT, TRANSPOSED, WEIGHT
from ..plain import column_sums, layer_backward, layer_forward, weight_gradient


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
def forward(table, layer, params, activation, below, noise, out):
    """out (B, n_out) = a layer's outputs for ``below`` (B, n_in); noise (B, n_out) is what a stochastic layer draws."""
    weight, bias = layer_weight(table, layer, params), layer_bias(table, layer, params)
    layer_forward(below, weight, table[layer, TRANSPOSED] != 0, bias, activation, out)


@jit
def answer(table, layer, params, activation, below, out):
    """`forward` without noise: what a layer answers once it is trained."""
    forward(table, layer, params, activation, below, below[:0], out)


@jit
def backward(table, layer, params, delta, below, activation, outputs, out):
    """out (B, n_in) = the derivative for the inputs of the layer below, from the ``delta`` (B, n_out) of this one.

    ``below`` (B, n_in) and ``outputs`` (B, n_out) are what the two layers answered, ``activation`` that of the lower one.
    """
    weight = layer_weight(table, layer, params)
    layer_backward(delta, weight, table[layer, TRANSPOSED] != 0, below, activation, out)


@jit
def add_gradient(table, layer, below, delta, gradient):
    """Add a layer's part to the ``gradient`` (P,) of the parameters."""
    column_sums(delta, layer_bias(table, layer, gradient))
    weight_gradient(below, delta, table[layer, TRANSPOSED] != 0, True, layer_weight(table, layer, gradient))
