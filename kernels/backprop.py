"""The trainer of networks: chains of layers of any kind, tied or not, corruption of the input, losses, terms, optimisers.

A network is a layer table and one flat parameter vector. Row l of the table says what layer l is:

    n_in, n_out, activation code, offset of the weights, offset of the biases, transposed, kind

Weights of all layers come first in the vector, biases after them. A ``transposed`` (tied) layer uses the matrix (n_out, n_in)
of an earlier layer the other way round and adds to the same gradient.

Gradient form: `loss_gradient`. Fused form: `train`, a whole chunk of minibatches in one call that holds no GIL. Backpropagation
as in Rumelhart, Hinton & Williams 1986; denoising autoencoders as in Vincent et al. 2010.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import program
from ._jit import jit, runs_in_panels
from .arithmetic.corruption import emphasis_row, emphasises
from .arithmetic.losses import SOFTMAX_CROSS_ENTROPY, forward_activation, loss_and_delta
from .arithmetic.penalties import needs_norms
from .arithmetic.samples import (
    end_emphasis,
    end_row,
    has_targets,
    load_batch,
    load_row,
    load_rows,
    row_length,
    targets_of,
)
from .arithmetic.terms import KIND as PENALTY
from .arithmetic.terms import (
    LAYER,
    Measured,
    add_slopes,
    add_weight_slopes,
    changes_weights,
    measure_columns,
    measured,
    sum_squares,
    sum_statistics,
)  # fmt: skip
from .arithmetic.updates import add_penalty, apply_update, clip_gradient
from .engine import fused_network, inference, packed_network
from .engine.panels import (
    ACTIVATION,
    CHANNELS,
    FORCING,
    KIND,
    N_IN,
    N_OUT,
    OUT_CHANNELS,
    answers_end,
    is_recurrent,
    step_width,
)
from .layers import steps as layer_steps
from .plain import steps
from .plain.steps import layer_weight


class Workspace(NamedTuple):
    """Scratch of the trainer for minibatches of at most B rows. ``outputs`` and ``deltas`` hold all layers one after another."""

    clean: np.ndarray  # (B, V)
    corrupted: np.ndarray  # (B, V)
    emphasis: np.ndarray  # (B, V or n_out, whichever are more) weights of single losses
    noise: np.ndarray  # (B, K) of the stochastic layers
    outputs: np.ndarray  # (B * sum of n_out,)
    deltas: np.ndarray  # (B * sum of n_out,)
    gradient: np.ndarray  # (P,)
    measured: Measured  # of the terms
    plain: steps.Plain
    packed: packed_network.Packed  # of the fused trainer


def workspace(
    table: np.ndarray,
    n_params: int,
    batch_size: int,
    dtype: np.dtype,
    bfloat16: bool = False,
    emphasis: bool = False,
    gradient: bool = False,
    measured_layers: Sequence[int] = (),
    plain: bool = False,
    ragged: bool = False,
    targets: bool = False,
) -> Workspace:
    """Allocate the scratch for a layer table and minibatches of at most ``batch_size`` rows.

    With ``bfloat16`` the products of the fused trainer round what they multiply; dtype is float32 then. ``emphasis`` makes room for
    weights of single losses, ``gradient`` for `fused_network.write_gradient`. ``measured_layers`` are those with terms
    on their outputs. ``plain`` says that `loss_gradient` will be asked in float32, ``targets`` that rows are not to be answered
    with themselves, ``ragged`` that they, or their targets, are sequences which end where NaN begins.
    """
    n_visible, width = int(table[0, N_IN]), int(table[:, N_OUT].sum())
    rows = np.zeros((2, batch_size, n_visible), dtype)
    weights = np.zeros((batch_size if emphasis else 0, int(table[-1, N_OUT])), dtype)
    layers = np.zeros((2, batch_size * width), dtype)
    noise = np.zeros((batch_size, steps.noise_columns.py_func(table)), dtype)
    if runs_in_panels(dtype):
        packed = packed_network.pack_network(
            table, batch_size, bfloat16, True, emphasis, gradient, measured_layers, ragged=ragged
        )
        packed = layer_steps.equip(packed)
    else:
        packed = packed_network.pack_network(np.array([[1, 1, 0, 0, 1, 0, 0]]), 1)
    found = measured(int(table[:, N_OUT].max()))
    n_targets = batch_size if targets or (table[:, KIND] == FORCING).any() else 0
    own = steps.plain_steps(table, dtype, plain or not runs_in_panels(dtype), batch_size if ragged else 0, n_targets)
    flat = np.zeros(n_params, dtype)
    return Workspace(rows[0], rows[1], weights, noise, layers[0], layers[1], flat, found, own, packed)


@jit
def layer_rows(table, layer, n_rows, buffer):
    """(n_rows, n_out) view of a layer's part of ``Workspace.outputs`` or ``deltas``."""
    start = n_rows * table[:layer, N_OUT].sum()
    n_out = table[layer, N_OUT]
    return buffer[start : start + n_rows * n_out].reshape((n_rows, n_out))


@jit
def inputs_of(table, layer, inputs, outputs):
    """(B, n_in) view of the inputs of a layer."""
    return layer_rows(table, layer - 1, inputs.shape[0], outputs) if layer else inputs


@jit
def other_of(plain, table, layer, inputs, outputs):
    """(B, n) what a layer needs besides its inputs: lengths of the rows' sequences, their target, or the inputs of its partner."""
    if is_recurrent(table, layer):
        return plain.lengths[: inputs.shape[0]]
    if table[layer, KIND] == FORCING:
        return plain.target[: inputs.shape[0]]
    return inputs_of(table, steps.partner(table, layer), inputs, outputs)


@jit
def forward(plain, table, params, loss, inputs, noise, outputs):
    """Fill ``outputs`` with every layer's output for ``inputs`` (B, V); under a loss on logits the last layer stays linear.

    noise (B, K) is what the stochastic layers draw, (B, 0) where there are none.
    """
    below = inputs
    last = table.shape[0] - 1
    for layer in range(table.shape[0]):
        activation = table[layer, ACTIVATION]
        if layer == last:
            activation = forward_activation(loss, activation)
        out = layer_rows(table, layer, inputs.shape[0], outputs)
        other = other_of(plain, table, layer, inputs, outputs)
        steps.forward(plain.addresses, table, layer, params, activation, below, other, noise, out)
        below = out


@jit
def measure(table, params, terms, n_rows, outputs, found):
    """Measure all terms on the outputs of a minibatch; the sum of their values, times their weights."""
    for term in range(terms.places.shape[0]):
        layer = terms.places[term, LAYER]
        n_out = table[layer, N_OUT]
        sums, norms = np.zeros(n_out), np.zeros(n_out)
        own = layer_rows(table, layer, n_rows, outputs)
        sum_statistics(terms, term, table[layer, ACTIVATION], own, 0, sums)
        if needs_norms(terms.places[term, PENALTY]):
            sum_squares(layer_weight(table, layer, params), norms)
        measure_columns(terms, term, 1.0 / n_rows, sums, norms, n_out, 0, found)
    return value_of_terms(table, terms, found)


@jit
def value_of_terms(table, terms, found):
    """Sum of the values of terms that were measured, times their weights."""
    total = 0.0
    for term in range(terms.places.shape[0]):
        for value in found.values[term, : table[terms.places[term, LAYER], N_OUT]]:
            total += value
    return total


@jit
def backward(plain, table, params, terms, inputs, outputs, found, deltas, gradient):
    """Backpropagate the last layer's delta; ``gradient`` (P,) is overwritten, ``deltas`` filled from the top down."""
    n_rows = inputs.shape[0]
    gradient[:] = 0
    for step in range(table.shape[0]):
        layer = table.shape[0] - 1 - step
        own, delta = layer_rows(table, layer, n_rows, outputs), layer_rows(table, layer, n_rows, deltas)
        below, other = inputs_of(table, layer, inputs, outputs), other_of(plain, table, layer, inputs, outputs)
        steps.add_gradient(plain.addresses, table, layer, params, below, other, own, delta, gradient)
        if layer:
            activation, out = table[layer - 1, ACTIVATION], layer_rows(table, layer - 1, n_rows, deltas)
            steps.backward(plain.addresses, table, layer, params, delta, below, activation, other, own, out)
            add_slopes(terms, layer - 1, activation, below, 0, out.shape[1], found, out)
        for term in range(terms.places.shape[0]):
            if changes_weights(terms, term, layer):
                weight, slopes = layer_weight(table, layer, params), layer_weight(table, layer, gradient)
                add_weight_slopes(term, weight, 0, weight.shape[1], found, slopes)


@jit
def batch_gradient(table, params, objective, inputs, target, labels, work):
    """Losses of one minibatch and values of its terms, summed over its rows, (2,); ``work.gradient`` becomes that of their mean.

    inputs (B, V) is what the network sees, target (B, n_out) what it should answer, or labels (B,) for a classifier; the workspace
    holds the weights of single losses and the noise, as `load_minibatch` left them. Without the penalty on weights.
    """
    last, n_rows, sums = table.shape[0] - 1, inputs.shape[0], np.zeros(2)
    forward(work.plain, table, params, objective.loss, inputs, work.noise[:n_rows], work.outputs)
    logits, delta = layer_rows(table, last, n_rows, work.outputs), layer_rows(table, last, n_rows, work.deltas)
    sums[1] = n_rows * measure(table, params, objective.terms, n_rows, work.outputs, work.measured)
    activation, emphasis = table[last, ACTIVATION], work.emphasis[:n_rows]
    sums[0] = loss_and_delta(objective.loss, activation, logits, target, labels, emphasis, delta)
    backward(
        work.plain, table, params, objective.terms, inputs, work.outputs, work.measured, work.deltas, work.gradient
    )
    return sums


@jit
def loss_gradient(table, params, objective, l1, l2, inputs, target, labels, work):
    """Gradient form: mean loss, terms and penalty on weights for given parameters; its gradient lands in ``work.gradient`` (P,)."""
    sums = batch_gradient(table, params, objective, inputs, target, labels, work)
    return (sums[0] + sums[1]) / inputs.shape[0] + add_penalty(params, objective.n_weights, l1, l2, work.gradient)


@jit
def load_targets(table, objective, targets, positions, work):
    """Load the targets of rows ``positions`` (B,) into the workspace, and the weights of their losses where they may end early."""
    width = step_width(table)
    for r in range(positions.shape[0]):
        load_row(targets, positions[r], work.plain.target[r])
        if objective.ragged:
            end = row_length(targets, positions[r], width) * width
            work.plain.target[r, end:] = 0
            end_emphasis(False, end, work.emphasis[r])


@jit
def target_of(samples, work, n_rows):
    """(B, n_out) what a minibatch that was loaded should be answered with."""
    return work.plain.target[:n_rows] if has_targets(samples) else work.clean[:n_rows]


@jit
def load_minibatch(table, objective, samples, positions, row_ids, key, epoch, work):
    """Load rows ``positions`` (B,) into the workspace: clean, corrupted, targets, weights of losses, and noise for them."""
    n_rows = positions.shape[0]
    clean, corrupted = work.clean[:n_rows], work.corrupted[:n_rows]
    load_batch(samples, positions, row_ids, objective.corruption, key, epoch, clean, corrupted)
    if emphasises(objective.corruption):
        for r in range(n_rows):
            emphasis_row(objective.corruption, key, epoch, row_ids[r], work.emphasis[r])
    if objective.ragged:
        for r in range(n_rows):
            length = row_length(samples, positions[r], table[0, CHANNELS])
            end, work.plain.lengths[r, 0] = length * table[0, CHANNELS], length
            clean[r, end:], corrupted[r, end:] = 0, 0
            if work.emphasis.shape[0] and not has_targets(samples):
                end_emphasis(emphasises(objective.corruption), end, work.emphasis[r])
    if has_targets(samples):
        load_targets(table, objective, targets_of(samples), positions, work)
    elif work.plain.target.shape[0]:
        work.plain.target[:n_rows] = clean
    work.noise[:n_rows] = 0
    if objective.n_samples and work.noise.shape[1]:
        for r in range(n_rows):
            steps.fill_noise(table, key, epoch, row_ids[r], r % objective.n_samples, work.noise[r])


@jit
def train_plain(
    table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, work,
):  # fmt: skip
    """`train` by gradient form and update, in any dtype."""
    sums = np.zeros(3 if update.clip_norm > 0 else 2)
    classify = objective.loss == SOFTMAX_CROSS_ENTROPY
    for start in range(0, positions.shape[0], batch_size):
        chosen = positions[start : start + batch_size]
        n_rows = chosen.shape[0]
        load_minibatch(table, objective, samples, chosen, row_ids[start : start + batch_size], key, epoch, work)
        goal = labels[chosen] if classify else labels
        inputs, target = work.corrupted[:n_rows], target_of(samples, work, n_rows)
        sums[:2] += batch_gradient(table, params, objective, inputs, target, goal, work)
        if update.clip_norm > 0:
            sums[2] += clip_gradient(update.clip_norm, work.gradient)
        apply_update(update, step, objective.n_weights, work.gradient, params, velocity, squares)
        step += 1
    return sums


def train(
    table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, work,
):  # fmt: skip
    """Train on rows ``positions`` (n,) of ``samples``, towards their targets, in minibatches, in order; the last may be short.

    params, velocity, squares (P,) are modified in place: in float32 by the fused trainer, otherwise by `train_plain`. labels (N,)
    int64 is indexed like the samples, or (0,). row_ids (n,) are the rows' numbers in the whole data set; step is the number of
    minibatches taken before. Returns the sums over the rows of losses and of terms, (2,), taken just before each update; where
    gradients are clipped, (3,), followed by the number of those that were. In float32 that needs a workspace with a gradient.
    """
    data = (table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step)
    if runs_in_panels(params.dtype) and update.clip_norm > 0:
        forms = (program.program_for(table, objective, form) for form in (program.GRADIENT, program.STEP))
        return fused_network.train_clipped(*forms, *data, velocity, squares, work.packed)
    if runs_in_panels(params.dtype):
        steps = program.program_for(table, objective, program.TRAIN)
        form = fused_network.train_dense if fused_network.is_plain(steps, table) else fused_network.train
        return form(steps, *data, velocity, squares, work.packed)
    return train_plain(*data, velocity, squares, work)


train.kernels = {"float32": fused_network.train_dense, "float64": train_plain}  # type: ignore[attr-defined]


@jit
def evaluate_plain(table, params, objective, samples, labels, positions, row_ids, batch_size, key, epoch, work):
    """`evaluate` in any dtype."""
    sums, last = np.zeros(2), table.shape[0] - 1
    for start in range(0, positions.shape[0], batch_size):
        chosen = positions[start : start + batch_size]
        n_rows = chosen.shape[0]
        load_minibatch(table, objective, samples, chosen, row_ids[start : start + batch_size], key, epoch, work)
        forward(work.plain, table, params, objective.loss, work.corrupted[:n_rows], work.noise[:n_rows], work.outputs)
        sums[1] += n_rows * measure(table, params, objective.terms, n_rows, work.outputs, work.measured)
        logits, delta = layer_rows(table, last, n_rows, work.outputs), layer_rows(table, last, n_rows, work.deltas)
        goal = labels[chosen] if objective.loss == SOFTMAX_CROSS_ENTROPY else labels
        activation, emphasis = table[last, ACTIVATION], work.emphasis[:n_rows]
        target = target_of(samples, work, n_rows)
        sums[0] += loss_and_delta(objective.loss, activation, logits, target, goal, emphasis, delta)
    return sums


def evaluate(table, params, objective, samples, labels, positions, row_ids, batch_size, key, epoch, work):
    """Sums over rows ``positions`` of losses and terms, (2,), as `train` would find them; nothing changes but the workspace."""
    data = (table, params, objective, samples, labels, positions, row_ids, batch_size, key, epoch)
    if runs_in_panels(params.dtype):
        return fused_network.evaluate(program.program_for(table, objective, program.EVALUATE), *data, work.packed)
    return evaluate_plain(*data, work)


evaluate.kernels = {"float32": fused_network.evaluate, "float64": evaluate_plain}  # type: ignore[attr-defined]


@jit
def infer_plain(table, params, plain, samples, positions, out):
    """`infer` in any dtype, one layer after the other."""
    inputs = np.empty((positions.shape[0], table[0, N_IN]), params.dtype)
    load_rows(samples, positions, inputs)
    if plain.lengths.shape[0]:
        plain = steps.Plain(plain.addresses, np.empty((positions.shape[0], 1), params.dtype), plain.target)
        for r in range(positions.shape[0]):
            plain.lengths[r, 0] = end_row(inputs[r], table[0, CHANNELS])
    outputs = np.empty(positions.shape[0] * table[:, N_OUT].sum(), params.dtype)
    for layer in range(table.shape[0]):
        below = inputs_of(table, layer, inputs, outputs)
        other = other_of(plain, table, layer, inputs, outputs)
        answer = layer_rows(table, layer, positions.shape[0], outputs)
        steps.answer(plain.addresses, table, layer, params, table[layer, ACTIVATION], below, other, answer)
    out[:] = layer_rows(table, table.shape[0] - 1, positions.shape[0], outputs)
    for r in range(plain.lengths.shape[0] if answers_end(table) else 0):
        out[r, np.int64(plain.lengths[r, 0]) * table[table.shape[0] - 1, OUT_CHANNELS] :] = np.nan


Prepared = packed_network.Packed | steps.Plain


def prepare(table: np.ndarray, params: np.ndarray, bfloat16: bool = False, ragged: bool = False) -> Prepared:
    """What `infer` can do once for many calls: the packed weights in float32, else the addresses of plain steps.

    Rows are sequences that end where NaN begins if they are ``ragged``.
    """
    if runs_in_panels(params.dtype):
        return inference.prepare(table, params, bfloat16, ragged)
    return steps.plain_steps(table, params.dtype, n_lengths=1 if ragged else 0)


def infer(table, params, prepared, samples, positions, out):
    """out (n, n_out) = the network's answer to rows ``positions`` (n,) of ``samples``; ``prepared`` comes from `prepare`.

    A row's answer does not depend on the rows beside it. Of a sequence that ends early, an answer a step ends, too: in NaN.
    """
    if runs_in_panels(params.dtype):
        inference.infer(prepared, samples, positions, out)
    else:
        infer_plain(table, params, prepared, samples, positions, out)


infer.kernels = {"float32": inference.infer, "float64": infer_plain}  # type: ignore[attr-defined]
