"""Mistakes that other implementations were seen to make, as far as kernels can make them; numbered as in the project's list."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit

from stacked.kernels import backprop, rbm
from stacked.kernels.arithmetic import activations, corruption, losses, samples, stochastic, updates
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.random import CHAINS, CORRUPTION, SAMPLING, stream_key
from stacked.kernels.plain import blas

from .cases_elementwise import corruption_of, normal, samples_of, uniform
from .cases_machines import carried, machine_of, machine_params
from .cases_products import dense_network, dense_params

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
TOLERANCE = {FLOAT32: {"rtol": 1e-5, "atol": 1e-6}, FLOAT64: {"rtol": 1e-12}}  # of a few updates
EITHER = pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)  # the trainers choose their engine by it
KEY, CHAIN_KEY = stream_key(4, SAMPLING), stream_key(4, CHAINS)
PLAIN = updates.Update(updates.MOMENTUM, 0.1, 0, 0.0, 0.0, 0.0)
BIG = 1e4


class Autoencoder(NamedTuple):
    """A tied sigmoid autoencoder in float64 and nine rows for it."""

    table: np.ndarray
    params: np.ndarray
    objective: Objective
    data: np.ndarray
    work: backprop.Workspace

    def train(self, dtype, update=PLAIN, batch_size=9, epoch=0):
        """Parameters after one pass over the rows in ``dtype``."""
        params, rows, empty = self.params.astype(dtype), np.arange(9), np.empty(0, dtype)
        table, velocity = samples.as_samples(self.data), np.zeros_like(params)
        work = backprop.workspace(self.table, len(params), 9, dtype)
        backprop.train(
            self.table, params, self.objective, update, table, rows[:0], rows, rows, batch_size,
            KEY, epoch, 0, velocity, empty, work,
        )  # fmt: skip
        return params

    def gradient(self, params, inputs, target):
        """Gradient of the mean loss."""
        no_labels = np.empty(0, np.int64)
        backprop.loss_gradient(self.table, params, self.objective, 0.0, 0.0, inputs, target, no_labels, self.work)
        return self.work.gradient.copy()


def autoencoder(kind="none"):
    table, n_weights, n_params = dense_network((12, 5, 12), ("sigmoid", "sigmoid"), True)
    params = dense_params(FLOAT64, 1, table, n_weights, n_params)
    objective = Objective(losses.CROSS_ENTROPY, corruption_of(kind), n_weights)
    data = uniform(FLOAT64, 1, 9, 12)
    return Autoencoder(table, params, objective, data, backprop.workspace(table, n_params, 9, FLOAT64))


def divergence(machine, params, data, chains=None, epoch=0, step=0):
    """Scratch of one gradient, which tells what happened."""
    state = carried(machine, np.empty(0), np.empty((0, machine.n_hidden)) if chains is None else chains)
    work = rbm.workspace(machine, max(len(data), len(state.chains)), FLOAT64)
    rbm.divergence_gradient(machine, params, KEY, CHAIN_KEY, epoch, step, data, np.arange(len(data)), state, work)
    return work


@EITHER
def test_01_short_last_minibatch_of_a_network_is_divided_by_its_own_size(dtype):
    net = autoencoder()
    params = net.params.copy()
    for rows in (slice(0, 4), slice(4, 8), slice(8, 9)):
        params -= 0.1 * net.gradient(params, net.data[rows], net.data[rows])
    np.testing.assert_allclose(net.train(dtype, batch_size=4), params, **TOLERANCE[dtype])


def trained_machine(dtype, machine, params, data, ids, batch_size, update=PLAIN):
    """Parameters of a machine without chains after one pass over the rows of ``data`` in ``dtype``."""
    params, no_chains = params.astype(dtype), np.empty((0, machine.n_hidden), dtype)
    state, work = carried(machine, np.zeros_like(params), no_chains), rbm.workspace(machine, batch_size, dtype)
    rows = np.arange(len(ids))
    rbm.train(machine, params, update, data, rows, ids, batch_size, KEY, CHAIN_KEY, 0, 0, state, work)
    return params


@EITHER
def test_01_short_last_minibatch_of_a_machine_is_divided_by_its_own_size(dtype):
    machine, data = machine_of("bernoulli", "bernoulli", 6, 5), uniform(FLOAT64, 1, 5, 6)
    params = machine_params(FLOAT64, 1, machine)
    ids, work = np.zeros(5, np.int64), rbm.workspace(machine, 4, FLOAT64)
    state = carried(machine, np.empty(0), np.empty((0, 5)))
    trained = trained_machine(dtype, machine, params, samples.as_samples(data), ids, 4)
    for part in (slice(0, 4), slice(4, 5)):
        n = part.stop - part.start
        rbm.divergence_gradient(machine, params, KEY, CHAIN_KEY, 0, 0, data[part], ids[:n], state, work)
        hidden = work.positive[:n]
        own_mean = data[part].T @ hidden / n
        model_side = work.reconstruction[:n].T @ work.negative[:n] / n
        np.testing.assert_allclose(work.gradient[:30].reshape(6, 5), model_side - own_mean, atol=1e-14)
        params -= 0.1 * work.gradient
    np.testing.assert_allclose(trained, params, **TOLERANCE[dtype])


@pytest.mark.parametrize("n_rows, n_chains", [(2, 7), (7, 2)])
def test_01_only_the_chains_that_exist_are_counted(n_rows, n_chains):
    machine = machine_of("bernoulli", "bernoulli", 6, 5, 1, True)
    params, data = machine_params(FLOAT64, 1, machine), uniform(FLOAT64, 1, n_rows, 6)
    work = divergence(machine, params, data, np.zeros((n_chains, 5)))
    model_side, data_side = work.fantasy[:n_chains].mean(0), data.mean(0)
    np.testing.assert_allclose(work.gradient[-6:], model_side - data_side, atol=1e-14)


@pytest.mark.parametrize("k", [1, 3])
def test_02_reconstruction_is_driven_by_samples_not_by_probabilities(k):
    machine = machine_of("bernoulli", "bernoulli", 6, 5, k)
    params, data = machine_params(FLOAT64, 1, machine), uniform(FLOAT64, 1, 9, 6)
    work = divergence(machine, params, data)
    weight, _, visible_bias = rbm.split(machine, params)
    assert set(np.unique(work.state)) == {0.0, 1.0}
    np.testing.assert_allclose(work.reconstruction, expit(work.state @ weight.T + visible_bias), rtol=1e-12)
    assert k == 1 or set(np.unique(work.fantasy)) == {0.0, 1.0}


def test_02_persistent_chains_go_on_from_where_they_were_and_never_see_the_data():
    machine = machine_of("bernoulli", "bernoulli", 6, 5, 2, True)
    params = np.concatenate([np.full(30, 8.0), np.full(5, -24.0), np.full(6, -20.0)])  # all on, or all off, for ever
    off, on = np.zeros((4, 5)), np.ones((4, 5))
    for step in range(5):
        divergence(machine, params, np.ones((3, 6)), off, step=step)
        divergence(machine, params, np.zeros((3, 6)), on, step=step)
    assert not off.any() and on.all()
    chains = [np.zeros((4, 5)) for _ in range(2)]
    for data, own in zip((np.ones((3, 6)), np.zeros((3, 6))), chains, strict=True):
        divergence(machine, 0.01 * params, data, own)
    assert np.array_equal(*chains) and chains[0].any()


@EITHER
def test_02_chains_of_a_trained_machine_go_on_and_never_see_the_data(dtype):
    machine, still = machine_of("bernoulli", "bernoulli", 6, 5, 2, True), PLAIN._replace(learning_rate=0.0)
    params = np.concatenate([np.full(30, 8.0), np.full(5, -24.0), np.full(6, -20.0)]).astype(dtype)  # as above
    chains = np.repeat(np.array([[0], [1], [1], [0]], dtype), 5, axis=1)
    before, rows = chains.copy(), np.arange(3)
    for data in (np.ones((3, 6)), np.zeros((3, 6))):
        table, work = samples.as_samples(data), rbm.workspace(machine, 4, dtype)
        state = carried(machine, np.zeros_like(params), chains)
        rbm.train(machine, params, still, table, rows, rows, 2, KEY, CHAIN_KEY, 0, 0, state, work)
        np.testing.assert_array_equal(chains, before)


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper", "gaussian"])
def test_06_corruption_is_redrawn_for_every_row_of_every_epoch(kind):
    clean, rows = np.full(200, 0.5), []
    for epoch in (0, 1):
        for row in (0, 1):
            out = np.empty(200)
            corruption.corrupt(corruption_of(kind), stream_key(0, CORRUPTION), epoch, row, clean, out)
            rows.append(out)
    assert all((rows[i] != rows[j]).mean() > 0.2 for i in range(4) for j in range(i))
    assert (clean == 0.5).all()


def test_06_masked_input_is_not_rescaled():
    clean, out = uniform(FLOAT64, 1, 20000), np.empty(20000)
    corruption.corrupt(corruption_of("masking"), KEY, 0, 0, clean, out)
    kept = out != 0
    assert np.array_equal(out[kept], clean[kept])
    assert abs(kept.mean() - 0.7) < 4 * np.sqrt(0.21 / 20000)


@EITHER
@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper", "gaussian"])
def test_06_corruption_is_of_the_input_alone_and_the_target_is_clean(kind, dtype):
    net, corrupted = autoencoder(kind), np.empty((9, 12))
    for row in range(9):
        corruption.corrupt(net.objective.corruption, KEY, 3, row, net.data[row], corrupted[row])
    expected = net.params - 0.1 * net.gradient(net.params, corrupted, net.data)
    np.testing.assert_allclose(net.train(dtype, epoch=3), expected, **TOLERANCE[dtype])
    assert np.abs(net.train(dtype, epoch=4) - expected).max() > 1e-3


@pytest.mark.parametrize("optimizer, first", [("momentum", 1.0), ("nesterov", 1.9)])
def test_08_momentum_does_not_multiply_the_learning_rate(optimizer, first):
    update = PLAIN._replace(optimizer=updates.OPTIMIZERS[optimizer], momentum=0.9)
    params, velocity, gradient = np.zeros(3), np.zeros(3), np.full(3, 2.0)
    updates.apply_update(update, 0, 2, gradient, params, velocity, velocity[:0])
    np.testing.assert_allclose(params, -0.1 * 2.0 * first)
    for step in range(1, 300):
        updates.apply_update(update, step, 2, gradient, params, velocity, velocity[:0])
    np.testing.assert_allclose(velocity, -0.1 * 2.0 / (1 - 0.9))


@pytest.mark.parametrize("optimizer", updates.OPTIMIZERS)
def test_08_decay_is_not_on_biases(optimizer):
    update = updates.Update(updates.OPTIMIZERS[optimizer], 0.1, 0, 0.9, 0.1, 0.1)
    params, velocity, squares = np.ones(50), np.zeros(50), np.zeros(50)
    updates.apply_update(update, 0, 30, np.zeros(50), params, velocity, squares)
    assert (params[:30] < 1).all() and (params[30:] == 1).all()


@EITHER
def test_08_both_trainers_decay_their_weights_and_nothing_else(dtype):
    net, decay = autoencoder(), PLAIN._replace(l1=0.1, l2=0.1)
    moved = net.train(dtype, decay) != net.train(dtype)
    assert moved[:60].all() and not moved[60:].any()
    machine, rows, table = machine_of("bernoulli", "bernoulli", 6, 5), np.arange(4), samples_of("uint8", 1, 4, 6)
    params = machine_params(FLOAT64, 1, machine)
    one, other = (trained_machine(dtype, machine, params, table, rows, 4, update) for update in (PLAIN, decay))
    moved = one != other
    assert moved[:30].all() and not moved[30:].any()


def test_09_gaussian_means_are_not_squashed():
    machine = machine_of("gaussian", "gaussian", 6, 5)
    params, data = 5 * machine_params(FLOAT64, 1, machine), normal(FLOAT64, 1, 9, 6)
    work = divergence(machine, params, data)
    weight, hidden_bias, visible_bias = rbm.split(machine, params)
    np.testing.assert_allclose(work.positive, data @ weight + hidden_bias, rtol=1e-10)
    np.testing.assert_allclose(work.reconstruction, work.state @ weight.T + visible_bias, rtol=1e-10)
    assert work.reconstruction.max() > 1 and work.reconstruction.min() < 0


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "rectified"])
def test_09_every_row_of_a_minibatch_has_its_own_noise(kind):
    mean, sample = np.empty((2, 8, 40))
    weight, bias, row_ids = np.zeros((1, 40)), np.zeros(40), np.array([0, 1, 2, 3, 4, 5, 6, 0])
    rbm.sample_layer(
        np.ones((8, 1)), weight, False, bias, stochastic.UNIT_KINDS[kind], KEY, 0, row_ids, 0, mean, sample
    )
    assert all((sample[i] != sample[j]).mean() > 0.2 for i in range(7) for j in range(i))
    assert np.array_equal(sample[0], sample[7])  # noise belongs to the row, not to its place in the minibatch


@pytest.mark.parametrize("hidden, of_hidden", [("bernoulli", -5 * np.log(2)), ("gaussian", 0.0)])
def test_09_gaussian_free_energy_grows_away_from_the_mean(hidden, of_hidden):
    machine = machine_of("gaussian", hidden, 6, 5)
    params, visible, out = np.zeros(41), normal(FLOAT64, 1, 9, 6), np.empty(9)
    params[-6:] = 0.7
    rbm.free_energy(machine, params, visible, np.empty((9, 5)), out)
    np.testing.assert_allclose(out, ((visible - 0.7) ** 2).sum(1) / 2 + of_hidden, rtol=1e-12)


@EITHER
def test_10_activations_do_not_overflow(dtype):
    expected = {"sigmoid": (1, 0, 0.5), "tanh": (1, -1, 0), "softplus": (BIG, 0, np.log(2)), "softmax": (1, 0, 0)}
    for name, values in expected.items():
        row = np.array([BIG, -BIG, 0], dtype)
        activations.activate(activations.ACTIVATIONS[name], row)
        np.testing.assert_allclose(row, values, rtol=1e-6, atol=1e-30)


@EITHER
def test_10_losses_do_not_overflow(dtype):
    logits, target = np.array([[BIG, -BIG, 0]], dtype), np.array([[0, 1, 1]], dtype)
    delta = np.empty_like(logits)
    sigmoid, softmax = activations.SIGMOID, activations.SOFTMAX
    no_labels, no_target = np.empty(0, np.int64), np.empty((0, 0), dtype)
    value = losses.loss_and_delta(losses.CROSS_ENTROPY, sigmoid, logits, target, no_labels, no_target, delta)
    assert value == pytest.approx(2 * BIG + np.log(2), rel=1e-6)
    np.testing.assert_allclose(delta, [[1, -1, -0.5]], rtol=1e-6)
    value = losses.loss_and_delta(
        losses.SOFTMAX_CROSS_ENTROPY, softmax, logits, no_target, np.array([1]), no_target, delta
    )
    assert value == pytest.approx(2 * BIG, rel=1e-6)
    np.testing.assert_allclose(delta, [[1, -1, 0]], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("bias", [BIG, -BIG])
def test_10_energies_do_not_overflow(bias):
    machine = machine_of("bernoulli", "bernoulli", 3, 2)
    params, visible, scratch, out = (
        np.zeros(11, FLOAT32),
        np.eye(3, dtype=FLOAT32),
        np.empty((3, 2), FLOAT32),
        np.empty(3),
    )
    params[6:8] = bias
    params[8:] = bias
    rbm.free_energy(machine, params, visible, scratch, out)
    np.testing.assert_allclose(out, -bias - 2 * max(bias, 0), rtol=1e-6)
    rbm.pseudo_likelihood(machine, params, visible, scratch, out)
    np.testing.assert_allclose(out, -2 * BIG if bias > 0 else -BIG, rtol=1e-6)


@pytest.mark.parametrize("preactivation", [1e6, 1e20, np.inf, np.nan])
def test_10_rectified_free_energy_of_a_diverged_machine_ends(preactivation):
    value = rbm.hidden_free_energy(stochastic.RECTIFIED, preactivation)
    assert np.isnan(value) or value == pytest.approx(-(preactivation**2) / 2, rel=1e-6)


def test_10_reconstruction_error_is_a_sum_of_squares_without_a_root():
    assert rbm.reconstruction_error(np.full((4, 3), 3.0), np.ones((4, 3))) == 48.0


def test_10_softmax_over_several_tiles_is_normalised_over_the_whole_row():
    n = 2 * blas.TILE_COLUMNS + 3
    out = np.empty((2, n), FLOAT32)
    weight, bias = np.zeros((1, n), FLOAT32), np.linspace(-BIG, BIG, n).astype(FLOAT32)
    blas.layer_forward(np.ones((2, 1), FLOAT32), weight, False, bias, activations.SOFTMAX, out)
    np.testing.assert_allclose(out.sum(1), 1, rtol=1e-6)
