"""Activation functions and their derivatives in terms of the *output*.

The scalar functions below are written so that LLVM vectorises them: float32 ``exp`` is a polynomial (Cephes, relative error
below 2e-7) because a call to libm would keep the loop scalar and cost ten times more. float64 calls libm.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from .._jit import jit

LINEAR, SIGMOID, TANH, RELU, SOFTPLUS, SOFTMAX = range(6)
ACTIVATIONS = {
    "linear": LINEAR,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "relu": RELU,
    "softplus": SOFTPLUS,
    "softmax": SOFTMAX,
}

_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)


def exp(x):
    """exp(x) of a float scalar in its own precision; float32 saturates at exp(-87) and exp(88), NaN stays NaN."""
    raise NotImplementedError("compiled code only")


@overload(exp)
def _exp(x):
    if x != types.float32:
        return lambda x: math.exp(x)

    def exp32(x):
        x = np.float32(-87.0) if x < np.float32(-87.0) else x
        x = np.float32(88.0) if x > np.float32(88.0) else x
        n = np.rint(x * _LOG2_E)
        r = x - n * _LN2_HIGH
        r = r - n * _LN2_LOW
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        p = p * (r * r) + r + np.float32(1.0)
        return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)

    return exp32


def log1p_unit(t):
    """log(1 + t) for 0 <= t <= 1 in the precision of ``t``."""
    raise NotImplementedError("compiled code only")


@overload(log1p_unit)
def _log1p_unit(t):
    if t != types.float32:
        return lambda t: math.log1p(t)

    def log1p32(t):  # 2 artanh(s) with s = t / (2 + t) <= 1/3; the series is cut below 1e-8
        s = t / (np.float32(2.0) + t)
        z = s * s
        p = np.float32(1 / 13)
        p = p * z + np.float32(1 / 11)
        p = p * z + np.float32(1 / 9)
        p = p * z + np.float32(1 / 7)
        p = p * z + np.float32(1 / 5)
        p = p * z + np.float32(1 / 3)
        return np.float32(2.0) * s * (p * z + np.float32(1.0))

    return log1p32


def tanh(x):
    """tanh(x) in the precision of ``x``."""
    raise NotImplementedError("compiled code only")


@overload(tanh)
def _tanh(x):
    if x != types.float32:
        return lambda x: math.tanh(x)

    def tanh32(x):
        z = x * x
        p = np.float32(-5.70498872745e-3)
        p = p * z + np.float32(2.06390887954e-2)
        p = p * z + np.float32(-5.37397155531e-2)
        p = p * z + np.float32(1.33314422036e-1)
        p = p * z + np.float32(-3.33332819422e-1)
        near_zero = p * z * x + x
        t = exp(np.float32(-2.0) * abs(x))
        away = (np.float32(1.0) - t) / (np.float32(1.0) + t)
        away = -away if x < np.float32(0.0) else away
        return near_zero if abs(x) < np.float32(0.625) else away

    return tanh32


def like(value, x):
    """The constant ``value`` in the dtype of the scalar ``x``: a bare Python float would widen float32 arithmetic."""
    raise NotImplementedError("compiled code only")


@overload(like)
def _like(value, x):
    if x == types.float32:
        return lambda value, x: np.float32(value)
    return lambda value, x: np.float64(value)


@jit
def sigmoid(x):
    """1 / (1 + exp(-x)) of a float scalar."""
    return like(1.0, x) / (like(1.0, x) + exp(-x))


@jit
def softplus(x):
    """log(1 + exp(x)) of a float scalar, without overflow."""
    return (x if x > like(0.0, x) else like(0.0, x)) + log1p_unit(exp(-abs(x)))


@jit
def activate(activation, row):
    """Apply an activation code to the vector ``row`` in place; softmax runs over the whole vector."""
    if activation == SIGMOID:
        for j in range(row.shape[0]):
            row[j] = sigmoid(row[j])
    elif activation == TANH:
        for j in range(row.shape[0]):
            row[j] = tanh(row[j])
    elif activation == RELU:
        zero = row.dtype.type(0)
        for j in range(row.shape[0]):
            row[j] = zero if row[j] < zero else row[j]
    elif activation == SOFTPLUS:
        for j in range(row.shape[0]):
            row[j] = softplus(row[j])
    elif activation == SOFTMAX:
        _softmax(row)


@jit
def _softmax(row):
    peak = row[0]
    for j in range(1, row.shape[0]):
        peak = row[j] if row[j] > peak else peak
    total = 0.0
    for j in range(row.shape[0]):
        row[j] = exp(row[j] - peak)
        total += row[j]
    for j in range(row.shape[0]):
        row[j] = row[j] / row.dtype.type(total)


@jit
def derivative(activation, output):
    """f'(a) of a scalar ``output`` = f(a). Not for softmax."""
    one, zero = like(1.0, output), like(0.0, output)
    if activation == SIGMOID:
        return output * (one - output)
    if activation == TANH:
        return one - output * output
    if activation == RELU:
        return one if output > zero else zero
    if activation == SOFTPLUS:
        return one - exp(-output)
    return one


@jit
def differentiate(activation, output, delta):
    """Multiply ``delta`` (n,) in place by f'(a), where ``output`` (n,) = f(a). Not for softmax, whose Jacobian is full."""
    one, zero = output.dtype.type(1), output.dtype.type(0)
    if activation == SIGMOID:
        for j in range(output.shape[0]):
            delta[j] = delta[j] * (output[j] * (one - output[j]))
    elif activation == TANH:
        for j in range(output.shape[0]):
            delta[j] = delta[j] * (one - output[j] * output[j])
    elif activation == RELU:
        for j in range(output.shape[0]):
            delta[j] = delta[j] if output[j] > zero else zero
    elif activation == SOFTPLUS:
        for j in range(output.shape[0]):
            delta[j] = delta[j] * (one - exp(-output[j]))
