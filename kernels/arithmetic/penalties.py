"""Penalties on the outputs of a layer, one column (a unit) at a time.

With a the outputs of a unit, m the mean over the minibatch of a statistic s(a), and n the squared norm of the unit's weights, a
penalty is a value v(m, n), its slope for the unit's input, and for some a slope for the unit's weights w:

                 s(a)     v(m, n)
    L1           |a|      m
    SPARSITY     p(a)     t log(t / m) + (1 - t) log((1 - t) / (1 - m)): Kullback-Leibler divergence to the target t

    CONTRACTION  f'(x)^2  m n: the squared Frobenius norm of the codes' Jacobian, a row each (Rifai et al. 2011)
    DIVERGENCE   d(a)     m: Kullback-Leibler divergence of a Gaussian code from the standard normal one (Kingma & Welling 2014,
                          appendix B). The first t units are means, d(a) = a^2 / 2; the others are log variances,
                          d(a) = (exp(a) - a - 1) / 2

p(a) is a, and (1 + a) / 2 for tanh; a = f(x).

A new kind is a code, a row here and a branch in each of the functions below; the engine knows none of them.
"""

import math

from .._jit import jit
from .activations import SIGMOID, SOFTPLUS, TANH, derivative, exp, like

L1, SPARSITY, CONTRACTION, DIVERGENCE = range(4)
PENALTIES = {"l1": L1, "sparsity": SPARSITY, "contraction": CONTRACTION, "divergence": DIVERGENCE}
MARGIN = 1e-6  # a mean activation is kept this far from 0 and 1, where the divergence is infinite


@jit
def needs_norms(kind):
    """Whether the penalty reads the norms of the units' weights."""
    return kind == CONTRACTION


@jit
def reaches_weights(kind):
    """Whether the penalty has a slope for the weights beside that for the units' inputs."""
    return kind == CONTRACTION


@jit
def statistic(kind, activation, target, a, column):
    """s(a) of one output; ``column`` is the unit's number."""
    if kind == L1:
        return abs(a)
    if kind == CONTRACTION:
        own = derivative(activation, a)
        return own * own
    if kind == DIVERGENCE:
        half = like(0.5, a)
        return half * a * a if column < target else half * (exp(a) - a - like(1.0, a))
    return a if activation != TANH else like(0.5, a) * (like(1.0, a) + a)


@jit
def value(kind, target, mean, norm):
    """v(m, n) in float64."""
    if kind == SPARSITY:
        m = min(max(mean, MARGIN), 1.0 - MARGIN)
        return target * math.log(target / m) + (1.0 - target) * math.log((1.0 - target) / (1.0 - m))
    return mean * norm if kind == CONTRACTION else mean


@jit
def gain(kind, target, mean, norm):
    """What of the slope is the same for all rows, in float64."""
    if kind == SPARSITY:
        m = min(max(mean, MARGIN), 1.0 - MARGIN)
        return (1.0 - target) / (1.0 - m) - target / m
    return norm if kind == CONTRACTION else 1.0


@jit
def second_derivative(activation, a):
    """f''(x) of an output a = f(x)."""
    own, one, two = derivative(activation, a), like(1.0, a), like(2.0, a)
    if activation == SIGMOID:
        return own * (one - two * a)
    if activation == TANH:
        return -two * a * own
    if activation == SOFTPLUS:
        return own * (one - own)
    return like(0.0, a)


@jit
def slope(kind, activation, target, a, column):
    """ds/dx of one output a = f(x): times `gain` and the row's share, the derivative of v for the unit's input x."""
    if kind == L1:
        zero = like(0.0, a)
        sign = like(1.0, a) if a > zero else (-like(1.0, a) if a < zero else zero)
        return sign * derivative(activation, a)
    if kind == DIVERGENCE:
        own = a if column < target else like(0.5, a) * (exp(a) - like(1.0, a))
        return own * derivative(activation, a)
    if kind == CONTRACTION:
        return like(2.0, a) * derivative(activation, a) * second_derivative(activation, a)
    return derivative(activation, a) if activation != TANH else like(0.5, a) * derivative(activation, a)


@jit
def weight_gain(kind, mean):
    """dv/dw is this, in float64, times w."""
    return 2.0 * mean if kind == CONTRACTION else 0.0
