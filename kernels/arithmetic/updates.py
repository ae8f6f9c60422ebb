"""Parameter updates: SGD with momentum, Nesterov's momentum, Adam; L1 and L2 decay on weights only.

A flat parameter vector holds all weights first and all biases after them, so decay applies to a prefix. With g the gradient of
the mean loss plus penalty, and the rate r:

    momentum   v <- m v - r g;  p <- p + v
    nesterov   v <- m v - r g;  p <- p + m v - r g          (Sutskever et al. 2013, at the look-ahead point)
    adam       v <- m v + (1 - m) g;  s <- b s + (1 - b) g^2;  p <- p - r v' / (sqrt(s') + 1e-8)   (Kingma & Ba 2015)

Momentum never multiplies the learning rate. The penalty is l1 |W| + l2 |W|^2 / 2.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import prange, typeof

from .._jit import jit, parallel_jit
from .activations import like

MOMENTUM, NESTEROV, ADAM = range(3)
OPTIMIZERS = {"momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM}
ADAM_DECAY, ADAM_EPSILON = 0.999, 1e-8
_CHUNK = 16384


class Update(NamedTuple):
    """Settings of one epoch. ``decay_steps`` > 0 lets the rate fall linearly to zero over that many minibatches.

    With ``clip_norm`` > 0 a gradient longer than that is scaled down to it (Pascanu et al. 2013); the penalty is added afterwards.
    """

    optimizer: int
    learning_rate: float
    decay_steps: int
    momentum: float
    l1: float
    l2: float
    clip_norm: float = 0.0


UPDATE = typeof(Update(0, 0.0, 0, 0.0, 0.0, 0.0))  # type of an argument


@jit
def learning_rate_at(update, step):
    """Learning rate of minibatch number ``step``, counted from 0 over the whole training."""
    if update.decay_steps <= 0:
        return update.learning_rate
    return update.learning_rate * max(0.0, 1.0 - step / update.decay_steps)


@jit
def penalty_slope(w, l1, l2):
    """Derivative of l1 |w| + l2 w^2 / 2."""
    zero = like(0.0, w)
    return l2 * w + ((l1 if w > zero else zero) - (l1 if w < zero else zero))


@jit
def scale_to_norm(limit, squares):
    """What a gradient, the sum of whose squares is given, is multiplied by for a norm of at most ``limit``; NaN leaves it alone."""
    norm = math.sqrt(squares)
    return limit / norm if norm > limit else 1.0


@jit
def clip_gradient(limit, gradient):
    """Scale a gradient (P,) to a norm of at most ``limit``, in place; 1 if it was longer, else 0."""
    squares = 0.0
    for g in gradient:
        squares += np.float64(g) * np.float64(g)
    scale = scale_to_norm(limit, squares)
    if scale == 1.0:
        return 0
    factor = gradient.dtype.type(scale)
    for i in range(gradient.shape[0]):
        gradient[i] *= factor
    return 1


@jit
def update_range(update, rate, correction, params, gradient, velocity, squares, l1, l2):
    """Update one range of a flat vector in place; l1 and l2 are already zero for biases."""
    cast = params.dtype.type
    r, m = cast(rate), cast(update.momentum)
    if update.optimizer == MOMENTUM:
        for i in range(params.shape[0]):
            velocity[i] = m * velocity[i] - r * (gradient[i] + penalty_slope(params[i], l1, l2))
            params[i] += velocity[i]
    elif update.optimizer == NESTEROV:
        for i in range(params.shape[0]):
            step = r * (gradient[i] + penalty_slope(params[i], l1, l2))
            velocity[i] = m * velocity[i] - step
            params[i] += m * velocity[i] - step
    else:
        # 1 - b is taken in float64: in float32 it would be off by 1e-5 and no longer match the bias correction.
        b, new_b, new_m = cast(ADAM_DECAY), cast(1.0 - ADAM_DECAY), cast(1.0 - update.momentum)
        epsilon = cast(ADAM_EPSILON)
        scale = cast(1.0 / (1.0 - ADAM_DECAY**correction))
        r = cast(rate / (1.0 - update.momentum**correction))
        for i in range(params.shape[0]):
            g = gradient[i] + penalty_slope(params[i], l1, l2)
            velocity[i] = m * velocity[i] + new_m * g
            squares[i] = b * squares[i] + new_b * (g * g)
            params[i] -= r * velocity[i] / (np.sqrt(squares[i] * scale) + epsilon)


@parallel_jit
def apply_update(update, step, n_weights, gradient, params, velocity, squares):
    """One step on the flat vectors params, velocity (P,) and, for Adam, squares (P,; else (0,)), all in place.

    gradient (P,) is that of the mean loss of minibatch number ``step`` (from 0); decay applies to the first ``n_weights``.
    """
    cast = params.dtype.type
    rate = learning_rate_at(update, step)
    n_weight_chunks = -(-n_weights // _CHUNK)
    n_chunks = n_weight_chunks - (-(params.shape[0] - n_weights) // _CHUNK)
    for chunk in prange(n_chunks):
        is_weight = chunk < n_weight_chunks
        start = chunk * _CHUNK if is_weight else n_weights + (chunk - n_weight_chunks) * _CHUNK
        stop = min(start + _CHUNK, n_weights if is_weight else params.shape[0])
        second = squares[start:stop] if update.optimizer == ADAM else squares
        update_range(
            update,
            rate,
            step + 1,
            params[start:stop],
            gradient[start:stop],
            velocity[start:stop],
            second,
            cast(update.l1) if is_weight else cast(0),
            cast(update.l2) if is_weight else cast(0),
        )


@jit
def add_penalty(params, n_weights, l1, l2, gradient):
    """Value of the penalty l1 |W| + l2 |W|^2 / 2 over the first ``n_weights`` parameters; its slope is added to ``gradient``."""
    if l1 == 0.0 and l2 == 0.0:
        return 0.0
    cast = params.dtype.type
    total = 0.0
    for i in range(n_weights):
        w = np.float64(params[i])
        total += l1 * abs(w) + 0.5 * l2 * w * w
        gradient[i] += penalty_slope(params[i], cast(l1), cast(l2))
    return total
