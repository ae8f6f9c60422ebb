"""The trainer of restricted Boltzmann machines: contrastive divergence, persistent or not.

Energy of visible v and hidden h, for binary units (Hinton 2002, 2010):

    E(v, h) = -c v - b h - v W h

Gaussian units replace -c v by |v - c|^2 / 2 (unit variance), rectified hidden units are the noisy rectified linear units of
Nair & Hinton 2010. Parameters are one flat vector: W (V, H), then the hidden biases b (H,), then the visible biases c (V,).

CD-k: hidden units are sampled given the data; each of the k steps reconstructs the visible units and infers the hidden ones.
Every hidden state that drives a reconstruction is a sample. The reconstruction itself is sampled too, except that the last one
of non-persistent CD is its mean, and statistics use hidden means (Hinton 2010, section 3). Persistent chains (Tieleman 2008)
are sampled throughout and never see the data. A sparsity target (`sparsity`) adds its penalty to either.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from ._jit import jit, parallel_jit, runs_in_panels
from .arithmetic.activations import LINEAR, softplus
from .arithmetic.activity import follow_activity
from .arithmetic.samples import load_rows
from .arithmetic.stochastic import BERNOULLI, GAUSSIAN, sample_row
from .arithmetic.updates import apply_update
from .engine import fused_rbm, packed_machine
from .plain.blas import affine_tile, column_sums, layer_forward, tile_bounds, tile_count, weight_gradient


class Machine(NamedTuple):
    """Shape and kind of an RBM, k of CD-k, whether its chains persist, and a target for Bernoulli hidden units."""

    n_visible: int
    n_hidden: int
    visible: int
    hidden: int
    k: int
    persistent: bool
    sparsity_target: float = 0.0  # 0 for none, see `sparsity`
    sparsity_weight: float = 0.0
    sparsity_decay: float = 0.0


class Carried(NamedTuple):
    """What one minibatch hands on to the next, besides the parameters; all in place."""

    velocity: np.ndarray  # (P,)
    chains: np.ndarray  # (C, H) hidden states of the persistent chains, or (0, H)
    activity: np.ndarray  # (H,) running mean of the hidden means given the data, or (0,) without a sparsity target


class Workspace(NamedTuple):
    """Scratch of the trainer; B is the larger of the minibatch size and the number of persistent chains."""

    data: np.ndarray  # (B, V)
    reconstruction: np.ndarray  # (B, V) mean
    fantasy: np.ndarray  # (B, V) sample
    positive: np.ndarray  # (B, H) hidden mean given the data
    negative: np.ndarray  # (B, H) hidden mean given the fantasy
    state: np.ndarray  # (B, H) hidden sample
    gradient: np.ndarray  # (P,)
    negative_gradient: np.ndarray  # (P,)
    packed: packed_machine.Packed  # of the fused trainer


def workspace(machine: Machine, batch_size: int, dtype: np.dtype, bfloat16: bool = False) -> Workspace:
    """Allocate the scratch for minibatches, and persistent chains, of at most ``batch_size`` rows."""
    visible, hidden = ((3, batch_size, n) for n in (machine.n_visible, machine.n_hidden))
    data, reconstruction, fantasy = np.zeros(visible, dtype)
    positive, negative, state = np.zeros(hidden, dtype)
    n_params = machine.n_visible * machine.n_hidden + machine.n_hidden + machine.n_visible
    gradient, negative_gradient = np.zeros((2, n_params), dtype)
    fused = runs_in_panels(dtype)
    none = Machine(1, 1, 1, 1, 1, False)
    packed = packed_machine.pack_machine(machine if fused else none, batch_size if fused else 1, bfloat16)
    return Workspace(
        data, reconstruction, fantasy, positive, negative, state, gradient, negative_gradient, packed
    )  # fmt: skip


@jit
def split(machine, vector):
    """Views W (V, H), hidden biases (H,), visible biases (V,) of a flat vector."""
    n_weights = machine.n_visible * machine.n_hidden
    weight = vector[:n_weights].reshape((machine.n_visible, machine.n_hidden))
    return weight, vector[n_weights : n_weights + machine.n_hidden], vector[n_weights + machine.n_hidden :]


@parallel_jit
def sample_layer(x, weight, transposed, bias, kind, key, epoch, row_ids, draw, mean, sample):
    """mean (B, n) and a sample (B, n) of a layer of units given x (B, m): one product with sampling as its epilogue.

    W is ``weight`` or its transpose. Row r draws its numbers from (key, epoch, row_ids[r], draw).
    """
    n_rows, n_columns = mean.shape
    for tile in prange(tile_count(n_rows, n_columns)):
        r0, r1, c0, c1 = tile_bounds(tile, n_rows, n_columns)
        affine_tile(x, weight, transposed, bias, mean, r0, r1, c0, c1)
        for r in range(r0, r1):
            sample_row(kind, key, epoch, row_ids[r], draw, c0, mean[r, c0:c1], sample[r, c0:c1])


@jit
def statistics(machine, visible, hidden, out):
    """out (P,) = mean over the rows of v h^T, h and v: visible (B, V), hidden (B, H)."""
    share = out.dtype.type(1.0 / visible.shape[0])
    weight, hidden_bias, visible_bias = split(machine, out)
    weight_gradient(visible, hidden, False, False, weight)
    column_sums(hidden, hidden_bias)
    column_sums(visible, visible_bias)
    for i in range(out.shape[0]):
        out[i] *= share


@jit
def subtract_sparsity(machine, step, activity, positive):
    """Take the slope of the sparsity penalty from the ``positive`` statistics (P,), which a gradient for descent subtracts.

    The means that it depends on are those of the statistics. activity (H,) takes in the minibatch.
    """
    weight, hidden_mean, visible_mean = split(machine, positive)
    slope = np.empty_like(hidden_mean)
    follow_activity(machine, step, hidden_mean, activity, slope)
    for i in range(machine.n_visible):
        for j in range(machine.n_hidden):
            weight[i, j] -= visible_mean[i] * slope[j]
    for j in range(machine.n_hidden):
        hidden_mean[j] -= slope[j]


@jit
def gibbs_reconstruct(machine, params, key, epoch, row_ids, first_draw, state, mean, sample, hidden, steps):
    """``steps`` full Gibbs steps from the hidden sample ``state`` (B, H), all in place.

    Afterwards mean and sample (B, V) are the last reconstruction's, hidden (B, H) the hidden mean given the sample and ``state``
    its sample.
    """
    weight, hidden_bias, visible_bias = split(machine, params)
    for step in range(steps):
        draw = first_draw + 2 * step
        sample_layer(state, weight, True, visible_bias, machine.visible, key, epoch, row_ids, draw, mean, sample)
        sample_layer(sample, weight, False, hidden_bias, machine.hidden, key, epoch, row_ids, draw + 1, hidden, state)


@jit
def divergence_gradient(machine, params, key, chain_key, epoch, step, data, row_ids, carried, work):
    """Gradient form: contrastive-divergence gradient (for descent) of one minibatch into ``work.gradient`` (P,).

    data (B, V) are the rows, row_ids (B,) their numbers in the data set. Of ``carried``, chains are moved on k steps and the
    activity takes in the minibatch. Positive statistics are divided by B, negative ones by the rows that they come from.
    Returns the squared error of the reconstruction, summed over the minibatch.
    """
    n_rows, chains = data.shape[0], carried.chains
    weight, hidden_bias, visible_bias = split(machine, params)
    positive, state = work.positive[:n_rows], work.state[:n_rows]
    sample_layer(data, weight, False, hidden_bias, machine.hidden, key, epoch, row_ids, 0, positive, state)
    mean, fantasy, negative = work.reconstruction[:n_rows], work.fantasy[:n_rows], work.negative[:n_rows]
    statistics(machine, data, positive, work.gradient)
    if machine.sparsity_target > 0:
        subtract_sparsity(machine, step, carried.activity, work.gradient)
    if machine.persistent:
        layer_forward(positive, weight, True, visible_bias, machine.visible, mean)  # for monitoring only
        error = reconstruction_error(data, mean)
        chain_ids = np.arange(chains.shape[0])
        n_chains = chains.shape[0]
        mean, fantasy = work.reconstruction[:n_chains], work.fantasy[:n_chains]
        negative = work.negative[:n_chains]
        gibbs_reconstruct(
            machine, params, chain_key, step, chain_ids, 0, chains, mean, fantasy, negative, machine.k
        )  # fmt: skip
        statistics(machine, fantasy, negative, work.negative_gradient)
    else:
        gibbs_reconstruct(machine, params, key, epoch, row_ids, 1, state, mean, fantasy, negative, machine.k - 1)
        layer_forward(state, weight, True, visible_bias, machine.visible, mean)
        layer_forward(mean, weight, False, hidden_bias, machine.hidden, negative)
        error = reconstruction_error(data, mean)
        statistics(machine, mean, negative, work.negative_gradient)
    for i in range(work.gradient.shape[0]):
        work.gradient[i] = work.negative_gradient[i] - work.gradient[i]
    return error


@parallel_jit
def reconstruction_error(data, reconstruction):
    """Sum over rows and columns of (data - reconstruction)**2, rows added in order."""
    errors = np.empty(data.shape[0])
    for r in prange(data.shape[0]):
        total = 0.0
        for j in range(data.shape[1]):
            difference = data[r, j] - reconstruction[r, j]
            total += difference * difference
        errors[r] = total
    total = 0.0
    for r in range(data.shape[0]):
        total += errors[r]
    return total


@jit
def train_plain(
    machine, params, update, samples, positions, row_ids, batch_size, key, chain_key, epoch, step, carried, work,
):  # fmt: skip
    """`train` by gradient form and update, in any dtype."""
    total = 0.0
    n_weights = machine.n_visible * machine.n_hidden
    for start in range(0, positions.shape[0], batch_size):
        chosen, ids = positions[start : start + batch_size], row_ids[start : start + batch_size]
        data = work.data[: chosen.shape[0]]
        load_rows(samples, chosen, data)
        total += divergence_gradient(machine, params, key, chain_key, epoch, step, data, ids, carried, work)
        apply_update(update, step, n_weights, work.gradient, params, carried.velocity, carried.velocity)
        step += 1
    return total


def train(
    machine, params, update, samples, positions, row_ids, batch_size, key, chain_key, epoch, step, carried, work,
):  # fmt: skip
    """Train on rows ``positions`` (n,) of ``samples`` in minibatches, in order; the last may be short.

    params (P,) and ``carried`` are modified in place: in float32 by the fused trainer, otherwise by `train_plain`. row_ids (n,)
    are the rows' numbers in the whole data set; step is the number of minibatches taken before. Returns the sum of the squared
    reconstruction errors.
    """
    data = (machine, params, update, samples, positions, row_ids, batch_size, key, chain_key, epoch, step, carried)
    if runs_in_panels(params.dtype):
        return fused_rbm.train(*data, work.packed)
    return train_plain(*data, work)


train.kernels = {"float32": fused_rbm.train, "float64": train_plain}  # type: ignore[attr-defined]


@jit
def hidden_free_energy(kind, x):
    """-log of the sum over one hidden unit's states of exp(h x - ...), for pre-activation x; Gaussian up to a constant."""
    if kind == BERNOULLI:
        return -softplus(x)
    if kind == GAUSSIAN:
        return -0.5 * x * x
    # A rectified unit stands for binary copies with biases shifted by -1/2, -3/2, ... (Nair & Hinton 2010). Copies above 40 are
    # summed at once, softplus being the identity there: a diverged machine must not keep the loop running.
    shifted = x - 0.5
    n_sure = max(0.0, np.floor(shifted - 40.0))
    total = -n_sure * (shifted - 0.5 * (n_sure - 1.0))
    shifted -= n_sure
    while shifted > -40.0:
        total -= max(shifted, 0.0) + math.log1p(math.exp(-abs(shifted)))
        shifted -= 1.0
    return total


@jit
def visible_energy(kind, row, bias):
    """The part of the free energy that depends on one visible row (V,) alone."""
    total = 0.0
    for i in range(row.shape[0]):
        if kind == GAUSSIAN:
            difference = np.float64(row[i]) - np.float64(bias[i])
            total += 0.5 * difference * difference
        else:
            total -= np.float64(row[i]) * np.float64(bias[i])
    return total


@parallel_jit
def free_energy(machine, params, visible, preactivation, out):
    """F(v) = -log sum over h of exp(-E(v, h)) of every row of visible (B, V) into out (B,) float64.

    preactivation (B, H) is scratch. Gaussian hidden units leave out the constant H log(2 pi) / 2 and have energy
    |h|^2 / 2 - b h - v W h.
    """
    weight, hidden_bias, visible_bias = split(machine, params)
    layer_forward(visible, weight, False, hidden_bias, LINEAR, preactivation)
    for r in prange(visible.shape[0]):
        total = visible_energy(machine.visible, visible[r], visible_bias)
        for j in range(preactivation.shape[1]):
            total += hidden_free_energy(machine.hidden, np.float64(preactivation[r, j]))
        out[r] = total


@parallel_jit
def pseudo_likelihood(machine, params, visible, preactivation, out):
    """Sum over the bits i of log p(v_i | the others), for every row of binary visible (B, V), into out (B,) float64.

    Exact: every bit of every row is flipped, which costs as much as one product. preactivation (B, H) is scratch.
    """
    weight, hidden_bias, visible_bias = split(machine, params)
    layer_forward(visible, weight, False, hidden_bias, LINEAR, preactivation)
    for r in prange(visible.shape[0]):
        before = 0.0
        for j in range(preactivation.shape[1]):
            before += hidden_free_energy(machine.hidden, np.float64(preactivation[r, j]))
        total = 0.0
        for i in range(visible.shape[1]):
            change = np.float64(1) - 2 * np.float64(visible[r, i])
            after = 0.0
            for j in range(preactivation.shape[1]):
                x = np.float64(preactivation[r, j]) + change * np.float64(weight[i, j])
                after += hidden_free_energy(machine.hidden, x)
            total -= softplus(before - after + change * np.float64(visible_bias[i]))
        out[r] = total
