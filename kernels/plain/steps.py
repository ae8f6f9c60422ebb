"""The steps of all kinds of layers in plain form, in any dtype: gradient checks, line searches and float64 run on them.

``params`` and ``gradient`` are flat vectors; rows (B, n) are C-contiguous. Layers on maps have their steps in files of their own;
as in `layers.steps` these are compiled when a network asks for their addresses. ``addresses`` (kinds, 3) holds them.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import float32, float64, int64, intp

from .._jit import TESTED, Linked, jit, step
from ..arithmetic.activations import differentiate
from ..engine.panels import (
    BIAS,
    CONVOLUTION,
    FORCING,
    GAUSSIAN,
    GRU,
    KIND,
    LSTM,
    N_KINDS,
    N_OUT,
    PARTNER,
    POOLING,
    TRANSPOSED,
    TRANSPOSED_CONVOLUTION,
    UNPOOLING,
    UPSAMPLING,
    WEIGHT,
    bias_count,
    is_map_layer,
    weight_shape,
)  # fmt: skip
from ..layers import gaussian
from . import convolution, forcing, pooling, recurrent
from .blas import column_sums, layer_backward, layer_forward, weight_gradient

FORWARD, BACKWARD, GRADIENT = range(3)  # columns of the addresses
# A kind: forward (table, layer, params, activation, below, other, out), of outputs (B, n_out), other (B, n) being the inputs of its
# PARTNER or, for recurrent ones, lengths of the sequences, for forcing ones the target; backward (table, layer, params, delta,
# below, other, outputs, out), of the derivative (B, n_in) for its inputs; and, with parameters, gradient (table, layer, params,
# below, other, outputs, delta, gradient), which is added to.
MAP_KINDS: dict[int, tuple[Any, ...]] = {
    CONVOLUTION: (convolution.forward, convolution.backward, convolution.gradient),
    TRANSPOSED_CONVOLUTION: (
        convolution.transposed_forward,
        convolution.transposed_backward,
        convolution.transposed_gradient,
    ),
    POOLING: (pooling.forward, pooling.backward),
    UPSAMPLING: (pooling.upsample, pooling.upsample_backward),
    UNPOOLING: (pooling.unpool, pooling.unpool_backward),
    GRU: (recurrent.forward, recurrent.backward, recurrent.gradient),
    LSTM: (recurrent.forward, recurrent.backward, recurrent.gradient),
    FORCING: (forcing.forward, forcing.backward),
}


class Plain(NamedTuple):
    """Addresses (kinds, 3) of plain steps, and what some need besides their inputs, of the parameters' dtype.

    ``lengths`` are the steps of the sequences of a minibatch, (B, 1), or (0, 1): all; ``target`` (B, n_out) or (0, n_out) is what
    it should be answered with, where that is not its input or a layer is forced.
    """

    addresses: np.ndarray
    lengths: np.ndarray
    target: np.ndarray


def _signatures(dtype: Any) -> tuple[tuple, tuple, tuple]:
    vector, matrix, table = dtype[::1], dtype[:, ::1], int64[:, ::1]
    return (
        (table, intp, vector, intp, matrix, matrix, matrix),
        (table, intp, vector, matrix, matrix, matrix, matrix, matrix),
        (table, intp, vector, matrix, matrix, matrix, matrix, vector),
    )


_SIGNATURES = {"float32": _signatures(float32), "float64": _signatures(float64)}
_forward, _backward, _gradient = (step(*pair) for pair in zip(*_SIGNATURES.values(), strict=True))


def plain_steps(
    table: np.ndarray, dtype: np.dtype, asked: bool = True, n_lengths: int = 0, n_targets: int = 0
) -> Plain:
    """The steps of a table's layers on maps, in one dtype, if they are ``asked`` for; room for so many lengths and targets."""
    found = np.zeros((N_KINDS, 3), np.int64)
    for kind in sorted({int(kind) for kind in table[:, KIND]} & set(MAP_KINDS)) if asked else ():
        for column, function in enumerate(MAP_KINDS[kind]):
            found[kind, column] = _address(function, _SIGNATURES[dtype.name][column])
    return Plain(found, np.zeros((n_lengths, 1), dtype), np.zeros((n_targets, int(table[-1, N_OUT])), dtype))


@cache
def _address(function: Any, types: tuple) -> int:
    if not TESTED:
        raise RuntimeError("layers on maps need a version of Numba that was tested")
    return Linked(function.py_func, types, False, f".{types[-1].dtype}").address


@jit
def layer_weight(table, layer, vector):
    """Weights of a layer as a view of a flat vector, in their `weight_shape`."""
    n_rows, n_columns = weight_shape(table, layer)
    start = table[layer, WEIGHT]
    return vector[start : start + n_rows * n_columns].reshape((n_rows, n_columns))


@jit
def layer_bias(table, layer, vector):
    """Biases of a layer as a view of a flat vector."""
    start = table[layer, BIAS]
    return vector[start : start + bias_count(table, layer)]


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
def partner(table, layer):
    """The layer whose inputs a layer needs besides its own: itself, unless it names another."""
    return table[layer, PARTNER] if table[layer, KIND] == UNPOOLING else layer


@jit
def forward(addresses, table, layer, params, activation, below, other, noise, out):
    """out (B, n_out) = a layer's outputs for ``below`` (B, n_in).

    noise (B, K) is what all stochastic layers draw, side by side; other (B, n) is what a layer on maps needs besides.
    """
    if is_map_layer(table, layer):
        if not addresses[table[layer, KIND], FORWARD]:
            raise RuntimeError("the plain steps of a layer on maps were not asked for")
        _forward(addresses[table[layer, KIND], FORWARD], table, layer, params, activation, below, other, out)
        return
    if table[layer, KIND] == GAUSSIAN:
        first = noise_columns(table[:layer])
        gaussian.draw(below, np.ascontiguousarray(noise[:, first : first + out.shape[1]]), out)
        return
    weight, bias = layer_weight(table, layer, params), layer_bias(table, layer, params)
    layer_forward(below, weight, table[layer, TRANSPOSED] != 0, bias, activation, out)


@jit
def answer(addresses, table, layer, params, activation, below, other, out):
    """What a layer answers once it is trained: a stochastic one its mean."""
    if table[layer, KIND] == GAUSSIAN:
        out[:] = below[:, : out.shape[1]]
        return
    forward(addresses, table, layer, params, activation, below, other, below[:0], out)


@jit
def backward(addresses, table, layer, params, delta, below, activation, other, outputs, out):
    """out (B, n_in) = the derivative for the inputs of the layer below, from the ``delta`` (B, n_out) of this one.

    ``below`` (B, n_in) and ``outputs`` (B, n_out) are what the two layers answered, ``activation`` that of the lower one.
    """
    if is_map_layer(table, layer):
        _backward(addresses[table[layer, KIND], BACKWARD], table, layer, params, delta, below, other, outputs, out)
        differentiate(activation, below.reshape(below.size), out.reshape(out.size))
        return
    if table[layer, KIND] == GAUSSIAN:
        gaussian.draw_backward(delta, below, activation, outputs, out)
        return
    weight = layer_weight(table, layer, params)
    layer_backward(delta, weight, table[layer, TRANSPOSED] != 0, below, activation, out)


@jit
def add_gradient(addresses, table, layer, params, below, other, outputs, delta, gradient):
    """Add a layer's part to the ``gradient`` (P,) of the parameters."""
    if is_map_layer(table, layer):
        if addresses[table[layer, KIND], GRADIENT]:
            _gradient(
                addresses[table[layer, KIND], GRADIENT], table, layer, params, below, other, outputs, delta, gradient
            )  # fmt: skip
        return
    if table[layer, KIND] == GAUSSIAN:
        return
    column_sums(delta, layer_bias(table, layer, gradient))
    weight_gradient(below, delta, table[layer, TRANSPOSED] != 0, True, layer_weight(table, layer, gradient))
