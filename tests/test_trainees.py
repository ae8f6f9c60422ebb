"""What the trainees hand to the kernels: whose noise, whose rows, which state, how much scratch."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder
from stacked.data import ArrayRows, summarize
from stacked.kernels import backprop
from stacked.kernels import rbm as rbm_kernel
from stacked.kernels.arithmetic.corruption import CORRUPTIONS, NO_CORRUPTION, Corruption
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.penalties import PENALTIES
from stacked.kernels.arithmetic.random import CHAINS, CORRUPTION, SAMPLING, stream_key
from stacked.kernels.arithmetic.samples import as_samples
from stacked.kernels.arithmetic.terms import NO_TERMS
from stacked.layers import Dense, Gaussian
from stacked.network import Network
from stacked.training import solvers
from stacked.training.feed import Window
from stacked.training.loop import update_settings
from stacked.training.phase import Source
from stacked.training.trainees import VALIDATION, DenseTrainee, RBMTrainee, Stochastic, _Scratch

from . import naive

SCALED = (0.5, 0.25)
DATA = np.random.default_rng(0).random((12, 4))
ROWS = ArrayRows(DATA)
LABELS, NO_LABELS = np.arange(12) % 3, np.zeros(0, np.int64)
NOISE = Corruption(CORRUPTIONS["masking"], 0.4, 0.0, 1.0)


def _window(labels=NO_LABELS):
    """Ten of the twelve rows, whose numbers in the data differ from their positions."""
    positions = np.array([7, 3, 11, 0, 5, 2, 9, 4, 1, 8])
    return Window(as_samples(DATA, *SCALED), labels, positions, positions + 100)


def _source(seed, unit, labels=None):
    return Source(ROWS, SCALED, summarize(ROWS), seed, unit, labels)


def _dense(plan, unit=3, seed=9, corruption=NOISE, labels=None, loss="cross_entropy"):
    last = Dense(3, 3, "softmax") if labels is not None else Dense(3, 4, "sigmoid", 0)
    network = Network.zeros([Dense(4, 3, "sigmoid"), last], "float64")
    network.randomize(0, 0)
    return DenseTrainee(network, loss, plan, _source(seed, unit, labels), corruption)


def _machine_trainee(persistent, n_chains=5, unit=3, seed=9, sparsity=()):
    machine = rbm_kernel.Machine(4, 3, 1, 1, 2, persistent, *sparsity)
    network = Network.zeros([Dense(4, 3, "sigmoid"), Dense(3, 4, "sigmoid", 0)], "float64")
    return RBMTrainee(network, machine, _source(seed, unit), n_chains)


def _spy(monkeypatch, module, name, answer=6.5):
    """Calls of a function that is replaced by one that answers a number."""
    calls = []
    monkeypatch.setattr(module, name, lambda *args: calls.append(args) or answer)
    return calls


def _plan(**settings):
    return Autoencoder(3, **settings).validate().on(100, 0.1)


@pytest.mark.parametrize("sparsity", [(), (0.1, 0.0, 0.9)])
@pytest.mark.parametrize("persistent", [False, True])
def test_a_machine_is_trained_on_the_chosen_rows_with_its_own_streams(persistent, sparsity, monkeypatch):
    trainee, window = _machine_trainee(persistent, sparsity=sparsity), _window()
    calls = _spy(monkeypatch, rbm_kernel, "train")
    update = update_settings(RBM(3).validate().on(12, 0.1), 12, 0)
    assert trainee.train(window, slice(2, 6), 3, 8, 17, update) == (6.5, 0.0)
    ((machine, params, found, samples, positions, ids, size, key, chain_key, epoch, step, carried, work),) = calls
    assert machine is trainee.machine and found is update and samples is window.samples
    assert params is trainee.params is trainee.network.params is trainee.arrays["params"]
    assert positions.tolist() == [11, 0, 5, 2] and ids.tolist() == [111, 100, 105, 102]
    assert (size, epoch, step) == (3, 8, 17)
    assert key == stream_key(9, SAMPLING, 3) and chain_key == stream_key(9, CHAINS, 3)
    assert carried.velocity is trainee.arrays["velocity"] and carried.velocity.shape == params.shape
    assert carried.chains.shape == ((5, 3) if persistent else (0, 3))
    assert carried.activity.shape == ((3,) if sparsity else (0,))
    kept = {"chains": persistent, "activity": bool(sparsity)}
    assert set(trainee.arrays) == {"params", "velocity"} | {name for name, has in kept.items() if has}
    assert all(getattr(carried, name) is trainee.arrays[name] for name, has in kept.items() if has)
    assert len(work.data) == (5 if persistent else 3)  # room for the chains, too


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam"])
def test_a_network_is_trained_on_the_chosen_rows_with_its_own_stream(optimizer, labels, monkeypatch):
    loss = "cross_entropy" if labels is None else "softmax_cross_entropy"
    trainee = _dense(_plan(optimizer=optimizer), labels=labels, loss=loss)
    calls, window = (
        _spy(monkeypatch, backprop, "train", np.array([6.5, 2.5])),
        _window(NO_LABELS if labels is None else labels),
    )
    update = update_settings(trainee.plan, 12, 0)
    assert trainee.train(window, slice(2, 6), 3, 8, 17, update) == (6.5, 2.5)
    ((table, params, objective, found, samples, its_labels, positions, ids, size, key, epoch, step, velocity, squares, work),) = calls  # fmt: skip # noqa: E501
    assert table is trainee.network.table and found is update and samples is window.samples
    assert objective == (LOSSES[loss], NOISE, trainee.network.n_weights, NO_TERMS, 1, 0) and its_labels is window.labels
    assert params is trainee.params is trainee.network.params is trainee.arrays["params"]
    assert positions.tolist() == [11, 0, 5, 2] and ids.tolist() == [111, 100, 105, 102]
    assert (size, epoch, step) == (3, 8, 17) and key == stream_key(9, CORRUPTION, 3)
    assert velocity is trainee.arrays["velocity"] and velocity.shape == params.shape
    assert set(trainee.arrays) == {"params", "velocity"} | ({"squares"} if optimizer == "adam" else set())
    assert squares.shape == (params.shape if optimizer == "adam" else (0,))
    assert optimizer != "adam" or squares is trainee.arrays["squares"]
    assert len(work.clean) == 3


def _generative(n_samples, warmup=0):
    layers = [Dense(4, 6, "linear"), Gaussian(6, 3), Dense(3, 4, "sigmoid")]
    network = Network.zeros(layers, "float64")
    stochastic = Stochastic(n_samples, warmup)
    return DenseTrainee(network, "cross_entropy", _plan(), _source(9, 3), NOISE, stochastic=stochastic)


@pytest.mark.parametrize("n_samples, warmup, weight", [(1, 0, 1.0), (3, 12, 0.75)])
def test_a_network_with_a_gaussian_code_sees_each_row_as_often_as_it_draws(n_samples, warmup, weight, monkeypatch):
    trainee, window = _generative(n_samples, warmup), _window()
    calls = _spy(monkeypatch, backprop, "train", np.array([6.0, 3.0]))
    total = trainee.train(window, slice(2, 6), 3, 8, 17, update_settings(trainee.plan, 12, 0))
    assert total == (6.0 / n_samples, 3.0 / n_samples)
    ((_, _, objective, _, _, _, positions, ids, size, key, epoch, step, _, _, work),) = calls
    assert positions.tolist() == np.repeat([11, 0, 5, 2], n_samples).tolist() == (ids - 100).tolist()
    assert (size, epoch, step, key) == (3 * n_samples, 8, 17, stream_key(9, CORRUPTION, 3))
    assert objective.n_samples == n_samples and objective.corruption == NOISE and len(work.clean) == 3 * n_samples
    assert objective.terms.places.tolist() == [[PENALTIES["divergence"], 0]]
    assert objective.terms.numbers.tolist() == [[weight, 3.0]]


def test_a_network_that_takes_the_means_has_no_divergence(monkeypatch):
    trainee, calls = _generative(0), _spy(monkeypatch, backprop, "train", np.array([6.0, 0.0]))
    trainee.train(_window(), slice(2, 6), 3, 8, 17, update_settings(trainee.plan, 12, 0))
    assert calls[0][2].n_samples == 0 and len(calls[0][2].terms.places) == 0 and calls[0][6].tolist() == [11, 0, 5, 2]


def test_rows_held_out_are_measured_clean_with_one_draw_and_the_whole_divergence(monkeypatch):
    trainee, subset = _generative(3, 100), np.array([1, 5, 6, 9])
    calls = _spy(monkeypatch, backprop, "evaluate", np.array([6.0, 2.0]))
    assert trainee.validation_loss(subset) == 2.0  # 8 over 4 rows
    ((_, params, objective, samples, _, positions, ids, size, key, epoch, _),) = calls
    assert params is trainee.params and objective.corruption == NO_CORRUPTION and objective.n_samples == 1
    assert objective.terms.numbers.tolist() == [[1.0, 3.0]]
    assert (positions.tolist(), ids.tolist(), size) == ([0, 1, 2, 3], [1, 5, 6, 9], 4)
    assert (key, epoch) == (stream_key(9, CORRUPTION, 3), VALIDATION)
    found = np.empty((4, 4))
    naive.load_rows(samples, positions, found)
    np.testing.assert_allclose(found, 0.5 * DATA[subset] + 0.25, rtol=1e-12)


def test_without_corruption_none_is_the_default():
    network = Network.zeros([Dense(4, 4, "sigmoid")], "float64")
    assert DenseTrainee(network, "cross_entropy", _plan(), _source(0, 0)).objective.corruption == NO_CORRUPTION


@pytest.mark.parametrize("optimizer", ["cg", "lbfgs"])
@pytest.mark.parametrize("epoch", [0, 4])
def test_line_searches_take_each_minibatch_with_noise_of_its_rows_unit_and_epoch(optimizer, epoch, monkeypatch):
    trainee, window, batches = _dense(_plan(optimizer=optimizer), unit=2), _window(), []

    def minimize(network, objective, plan, batch, work):
        assert network is trainee.network and objective is trainee.objective and plan is trainee.plan
        batches.append([array.copy() for array in batch])
        return len(batch[0]) * np.array([len(batches), 10.0])

    monkeypatch.setattr(solvers, "minimize_batch", minimize)
    total = trainee.train(window, slice(1, 9), 3, epoch, 17, update_settings(trainee.plan, 12, 0))
    assert total == (3 * 1 + 3 * 2 + 2 * 3, 8 * 10.0)
    assert set(trainee.arrays) == {"params"}
    for (corrupted, clean, labels), rows in zip(batches, (slice(1, 4), slice(4, 7), slice(7, 9)), strict=True):
        n, key = rows.stop - rows.start, stream_key(9, CORRUPTION, 2)
        expected, noisy = np.empty((2, n, 4))
        where = (NOISE, key, epoch, expected, noisy)
        naive.load_batch(window.samples, window.positions[rows], window.row_ids[rows], *where)
        np.testing.assert_allclose(clean, 0.5 * DATA[window.positions[rows]] + 0.25, rtol=1e-12)
        np.testing.assert_allclose(corrupted, noisy, rtol=1e-12)
        assert (noisy != expected).any() and len(labels) == 0


def test_line_searches_keep_labels_beside_their_rows(monkeypatch):
    loss = "softmax_cross_entropy"
    trainee = _dense(_plan(optimizer="cg"), labels=LABELS, loss=loss, corruption=NO_CORRUPTION)
    window, batches = _window(LABELS), []
    monkeypatch.setattr(solvers, "minimize_batch", lambda *args: batches.append(args[3]) or np.zeros(2))
    trainee.train(window, slice(0, 10), 4, 0, 0, update_settings(trainee.plan, 12, 0))
    found = np.concatenate([labels for _, _, labels in batches])
    np.testing.assert_array_equal(found, window.positions % 3)


def test_noise_differs_between_epochs_units_and_seeds():
    def after(epoch, unit, seed):
        trainee = _dense(_plan(), unit=unit, seed=seed)
        trainee.train(_window(), slice(0, 10), 10, epoch, 0, update_settings(trainee.plan, 12, 0))
        return trainee.params

    params = [after(*where) for where in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert all(not np.array_equal(params[i], params[j]) for i in range(4) for j in range(i))
    np.testing.assert_array_equal(params[0], after(0, 0, 0))


def test_validation_is_asked_for_with_the_trainees_own_loss_scaling_and_labels(monkeypatch):
    calls, subset = [], np.array([1, 2])
    monkeypatch.setattr(Network, "loss", lambda self, *args, **named: calls.append((*args, *named.values())) or 1.5)
    assert _machine_trainee(False).validation_loss(subset) == 1.5
    assert _dense(_plan(), labels=LABELS, loss="softmax_cross_entropy").validation_loss(subset) == 1.5
    machines, networks = calls
    assert machines == (ROWS, *SCALED, "squared_error", subset)
    assert networks[:4] == (ROWS, *SCALED, "softmax_cross_entropy") and networks[4] is LABELS and networks[5] is subset


def test_scratch_grows_to_the_largest_minibatch_and_is_kept():
    made = []
    scratch = _Scratch(lambda size: made.append(size) or f"for {size}")
    assert [scratch.get(size) for size in (4, 3, 4, 5, 9, 5, 9)] == ["for 4"] * 3 + ["for 5"] + ["for 9"] * 3
    assert made == [4, 5, 9]
