"""Losses and their derivative with respect to the output layer's input.

Each loss is a sum over features for one sample. gaussian_nll is the negative log likelihood of a Gaussian of unit variance round
the output: half the squared error and log(2 pi) / 2 a feature. Cross-entropies take logits (the output layer before its
activation), where log(1 + exp(x)) and log-sum-exp cannot overflow and the derivative is simply output minus target.
"""

import math

import numpy as np
from numba import float32, intp, prange

from .._jit import jit, linked, parallel_jit
from .activations import LINEAR, SOFTMAX, activate, differentiate, exp, like, log1p_unit, sigmoid

SQUARED_ERROR, CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, GAUSSIAN_NLL = range(4)
VECTOR = float32[::1]  # type of an argument
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
LOSSES = {
    "squared_error": SQUARED_ERROR,
    "cross_entropy": CROSS_ENTROPY,
    "softmax_cross_entropy": SOFTMAX_CROSS_ENTROPY,
    "gaussian_nll": GAUSSIAN_NLL,
}
REQUIRED_ACTIVATION = {"cross_entropy": "sigmoid", "softmax_cross_entropy": "softmax"}


@jit
def squared_error(output, target):
    """Sum of (output - target)**2 over two vectors (n,), accumulated in float64."""
    total = 0.0
    for j in range(output.shape[0]):
        difference = output[j] - target[j]
        total += difference * difference
    return total


@jit
def cross_entropy(logits, target, terms):
    """-sum(t log s(a) + (1 - t) log(1 - s(a))) for logits a and targets t in [0, 1]; ``terms`` (n,) is scratch."""
    zero = logits.dtype.type(0)
    for j in range(logits.shape[0]):
        a = logits[j]
        terms[j] = (a if a > zero else zero) - a * target[j] + log1p_unit(exp(-abs(a)))
    total = 0.0
    for j in range(logits.shape[0]):
        total += terms[j]
    return total


@jit
def softmax_cross_entropy(logits, label):
    """-log softmax(logits)[label] of one row of logits (n,)."""
    peak = logits[0]
    for j in range(1, logits.shape[0]):
        peak = logits[j] if logits[j] > peak else peak
    total = 0.0
    for j in range(logits.shape[0]):
        total += exp(logits[j] - peak)
    return math.log(total) - np.float64(logits[label] - peak)


@jit
def weighted_loss(loss, output, target, weights):
    """The squared error, or the cross-entropy of logits, of one sample whose features count ``weights`` (n,)."""
    total = 0.0
    for j in range(output.shape[0]):
        if loss == SQUARED_ERROR:
            term = (output[j] - target[j]) * (output[j] - target[j])
        elif loss == GAUSSIAN_NLL:
            term = 0.5 * (output[j] - target[j]) * (output[j] - target[j]) + HALF_LOG_2PI
        else:
            a = output[j]
            term = (a if a > like(0.0, a) else like(0.0, a)) - a * target[j] + log1p_unit(exp(-abs(a)))
        total += weights[j] * term
    return total


@jit
def loss_row(loss, activation, output, target, label, weights, delta):
    """Loss of one sample; ``delta`` (n,) becomes its derivative with respect to the output layer's input.

    ``output`` (n,) holds logits for the cross-entropies, else the activated output. ``label`` is read by the softmax cross-entropy,
    ``target`` (n,) by the others. ``weights`` (n,) multiply the losses of features; (0,): all count alike.
    """
    value = even_loss_row(loss, activation, output, target, label, delta)
    if weights.shape[0]:
        for j in range(delta.shape[0]):
            delta[j] *= weights[j]
        value = weighted_loss(loss, output, target, weights)
    return value


@jit
def even_loss_row(loss, activation, output, target, label, delta):
    """`loss_row` where all features count alike."""
    if loss == SQUARED_ERROR:
        two = output.dtype.type(2)
        for j in range(output.shape[0]):
            delta[j] = two * (output[j] - target[j])
        differentiate(activation, output, delta)
        return squared_error(output, target)
    if loss == GAUSSIAN_NLL:
        for j in range(output.shape[0]):
            delta[j] = output[j] - target[j]
        differentiate(activation, output, delta)
        return 0.5 * squared_error(output, target) + output.shape[0] * HALF_LOG_2PI
    if loss == CROSS_ENTROPY:
        value = cross_entropy(output, target, delta)
        for j in range(output.shape[0]):
            delta[j] = sigmoid(output[j]) - target[j]
        return value
    value = softmax_cross_entropy(output, label)
    delta[:] = output
    activate(SOFTMAX, delta)
    delta[label] -= delta.dtype.type(1)
    return value


@linked(intp, intp, VECTOR, VECTOR, intp, VECTOR, VECTOR)
def loss_packed(loss, activation, output, target, label, weights, delta):
    """`loss_row` in float32."""
    return loss_row(loss, activation, output, target, label, weights, delta)


@parallel_jit
def loss_and_delta(loss, activation, output, target, labels, weights, delta):
    """Sum of the losses of a minibatch; ``delta`` (B, n) becomes the derivative for the *mean* loss.

    output (B, n), target (B, n) or (0, 0), labels (B,) int64 or (0,), weights of the single losses (B, n), or (0, 0) for none. The
    short last minibatch is divided by its own size.
    """
    n_rows = output.shape[0]
    values = np.empty(n_rows)
    share = delta.dtype.type(1.0 / n_rows)
    for r in prange(n_rows):
        label = labels[r] if loss == SOFTMAX_CROSS_ENTROPY else 0
        goal = target[r] if loss != SOFTMAX_CROSS_ENTROPY else delta[r]
        own = weights[r] if weights.shape[0] else delta[r, :0]
        values[r] = loss_row(loss, activation, output[r], goal, label, own, delta[r])
        for j in range(delta.shape[1]):
            delta[r, j] *= share
    total = 0.0
    for r in range(n_rows):  # in order: a parallel sum would depend on the number of threads
        total += values[r]
    return total


@jit
def forward_activation(loss, activation):
    """Activation that `loss_and_delta` wants the output layer to have: none for the losses on logits."""
    return activation if loss in (SQUARED_ERROR, GAUSSIAN_NLL) else LINEAR
