"""The trainer of dense networks: any depth, tied layers, corruption of the input, three losses, three optimisers.

A network is a layer table and one flat parameter vector. Row l of the table says what layer l is (`Column`):

    n_in, n_out, activation code, offset of the weights, offset of the biases, transposed, kind

Weights of all layers come first in the vector, biases after them. A ``transposed`` (tied) layer uses the matrix (n_out, n_in)
of an earlier layer the other way round and adds to the same gradient.

Gradient form: `loss_gradient`. Fused form: `train`, a whole chunk of minibatches in one call that holds no GIL. Backpropagation
as in Rumelhart, Hinton & Williams 1986; denoising autoencoders as in Vincent et al. 2010.
"""

from typing import NamedTuple

import numpy as np

from . import fused_dense, inference, packed_network
from ._jit import jit, runs_in_panels
from .corruption import Corruption
from .losses import SOFTMAX_CROSS_ENTROPY, forward_activation, loss_and_delta
from .packing import ACTIVATION, BIAS, N_IN, N_OUT, TRANSPOSED, WEIGHT
from .plain import column_sums, layer_backward, layer_forward, weight_gradient
from .samples import load_batch, load_rows
from .updates import add_penalty, apply_update


class Objective(NamedTuple):
    """What a dense network minimises: a loss code, the corruption of its input, and the number of weights that decay."""

    loss: int
    corruption: Corruption
    n_weights: int


class Workspace(NamedTuple):
    """Scratch of the trainer for minibatches of at most B rows. ``outputs`` and ``deltas`` hold all layers one after another."""

    clean: np.ndarray  # (B, V)
    corrupted: np.ndarray  # (B, V)
    outputs: np.ndarray  # (B * sum of n_out,)
    deltas: np.ndarray  # (B * sum of n_out,)
    gradient: np.ndarray  # (P,)
    packed: packed_network.Packed  # of the fused trainer


def workspace(table: np.ndarray, n_params: int, batch_size: int, dtype: np.dtype, bfloat16: bool = False) -> Workspace:
    """Allocate the scratch for a layer table and minibatches of at most ``batch_size`` rows.

    With ``bfloat16`` the products of the fused trainer round what they multiply; dtype is float32 then.
    """
    n_visible, width = int(table[0, N_IN]), int(table[:, N_OUT].sum())
    rows = np.zeros((2, batch_size, n_visible), dtype)
    layers = np.zeros((2, batch_size * width), dtype)
    if runs_in_panels(dtype):
        packed = packed_network.pack_network(table, batch_size, bfloat16)
    else:
        packed = packed_network.pack_network(np.array([[1, 1, 0, 0, 1, 0, 0]]), 1)
    return Workspace(rows[0], rows[1], layers[0], layers[1], np.zeros(n_params, dtype), packed)


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
def layer_rows(table, layer, n_rows, buffer):
    """(n_rows, n_out) view of a layer's part of ``Workspace.outputs`` or ``deltas``."""
    start = n_rows * table[:layer, N_OUT].sum()
    n_out = table[layer, N_OUT]
    return buffer[start : start + n_rows * n_out].reshape((n_rows, n_out))


@jit
def forward(table, params, loss, inputs, outputs):
    """Fill ``outputs`` with every layer's output for ``inputs`` (B, V); under a loss on logits the last layer stays linear."""
    below = inputs
    last = table.shape[0] - 1
    for layer in range(table.shape[0]):
        activation = table[layer, ACTIVATION]
        if layer == last:
            activation = forward_activation(loss, activation)
        out = layer_rows(table, layer, inputs.shape[0], outputs)
        weight, bias = layer_weight(table, layer, params), layer_bias(table, layer, params)
        layer_forward(below, weight, table[layer, TRANSPOSED] != 0, bias, activation, out)
        below = out


@jit
def backward(table, params, inputs, outputs, deltas, gradient):
    """Backpropagate the last layer's delta; ``gradient`` (P,) is overwritten, ``deltas`` filled from the top down."""
    n_rows = inputs.shape[0]
    gradient[:] = 0
    for step in range(table.shape[0]):
        layer = table.shape[0] - 1 - step
        delta = layer_rows(table, layer, n_rows, deltas)
        transposed = table[layer, TRANSPOSED] != 0
        column_sums(delta, layer_bias(table, layer, gradient))
        below = layer_rows(table, layer - 1, n_rows, outputs) if layer else inputs
        weight_gradient(below, delta, transposed, True, layer_weight(table, layer, gradient))
        if layer:
            weight = layer_weight(table, layer, params)
            out = layer_rows(table, layer - 1, n_rows, deltas)
            layer_backward(delta, weight, transposed, below, table[layer - 1, ACTIVATION], out)


@jit
def batch_gradient(table, params, objective, inputs, target, labels, outputs, deltas, gradient):
    """Sum of the losses of one minibatch; ``gradient`` (P,) becomes that of their mean, without the penalty.

    inputs (B, V) is what the network sees, target (B, n_out) what it should answer, or labels (B,) for a classifier.
    """
    last = table.shape[0] - 1
    forward(table, params, objective.loss, inputs, outputs)
    logits = layer_rows(table, last, inputs.shape[0], outputs)
    delta = layer_rows(table, last, inputs.shape[0], deltas)
    total = loss_and_delta(objective.loss, table[last, ACTIVATION], logits, target, labels, delta)
    backward(table, params, inputs, outputs, deltas, gradient)
    return total


@jit
def loss_gradient(table, params, objective, l1, l2, inputs, target, labels, work):
    """Gradient form: mean loss plus penalty for given parameters; its gradient lands in ``work.gradient`` (P,)."""
    total = batch_gradient(
        table, params, objective, inputs, target, labels, work.outputs, work.deltas, work.gradient
    )  # fmt: skip
    return total / inputs.shape[0] + add_penalty(params, objective.n_weights, l1, l2, work.gradient)


@jit
def train_plain(
    table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, work,
):  # fmt: skip
    """`train` by gradient form and update, in any dtype."""
    total = 0.0
    classify = objective.loss == SOFTMAX_CROSS_ENTROPY
    for start in range(0, positions.shape[0], batch_size):
        chosen = positions[start : start + batch_size]
        n_rows = chosen.shape[0]
        clean, corrupted = work.clean[:n_rows], work.corrupted[:n_rows]
        ids = row_ids[start : start + batch_size]
        load_batch(samples, chosen, ids, objective.corruption, key, epoch, clean, corrupted)
        goal = labels[chosen] if classify else labels
        total += batch_gradient(
            table, params, objective, corrupted, clean, goal, work.outputs, work.deltas, work.gradient
        )  # fmt: skip
        apply_update(update, step, objective.n_weights, work.gradient, params, velocity, squares)
        step += 1
    return total


def train(
    table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, work,
):  # fmt: skip
    """Train on rows ``positions`` (n,) of ``samples`` in minibatches, in order; the last may be short.

    params, velocity, squares (P,) are modified in place: in float32 by the fused trainer, otherwise by `train_plain`. labels (N,)
    int64 is indexed like the samples, or (0,). row_ids (n,) are the rows' numbers in the whole data set; step is the number of
    minibatches taken before. Returns the sum of the losses, each taken just before its minibatch's update.
    """
    data = (table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step)
    if runs_in_panels(params.dtype):
        return fused_dense.train(*data, velocity, squares, work.packed)
    return train_plain(*data, velocity, squares, work)


train.kernels = {"float32": fused_dense.train, "float64": train_plain}  # type: ignore[attr-defined]


@jit
def infer_plain(table, params, samples, positions, out):
    """`infer` in any dtype, one layer after the other."""
    block = np.empty((positions.shape[0], table[0, N_IN]), params.dtype)
    load_rows(samples, positions, block)
    for layer in range(table.shape[0]):
        answer = np.empty((positions.shape[0], table[layer, N_OUT]), params.dtype)
        weight, bias = layer_weight(table, layer, params), layer_bias(table, layer, params)
        layer_forward(block, weight, table[layer, TRANSPOSED] != 0, bias, table[layer, ACTIVATION], answer)
        block = answer
    out[:] = block


def prepare(table: np.ndarray, params: np.ndarray, bfloat16: bool = False) -> packed_network.Packed | None:
    """What `infer` can do once for many calls: the packed weights in float32, else nothing."""
    return inference.prepare(table, params, bfloat16) if runs_in_panels(params.dtype) else None


def infer(table, params, prepared, samples, positions, out):
    """out (n, n_out) = the network's answer to rows ``positions`` (n,) of ``samples``; ``prepared`` comes from `prepare`.

    A row's answer does not depend on the rows beside it.
    """
    if prepared is None:
        infer_plain(table, params, samples, positions, out)
    else:
        inference.infer(prepared, samples, positions, out)


infer.kernels = {"float32": inference.infer, "float64": infer_plain}  # type: ignore[attr-defined]
