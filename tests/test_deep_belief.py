"""Samples from machines and deep belief nets, tiny ones against exact enumeration of their states."""

from itertools import product

import numpy as np
import pytest
from scipy.special import expit
from sklearn.exceptions import NotFittedError

from stacked import RBM, Autoencoder, SettingError, StackedAutoencoder, load

CHAINS = 20_000
STANDARD_ERRORS = 5  # the numbers are fixed by the keys, so a test that passes goes on passing


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n)))


def machine(n_visible, n_hidden, seed, **params):
    """An RBM with large random parameters, fitted to nothing."""
    x = np.random.default_rng(0).random((20, n_visible))
    unit = RBM(n_hidden, epochs=0, precision="float64", random_state=0, **params).fit(x)
    unit.network_.params[:] = np.random.default_rng(seed).normal(0, 1.5, len(unit.network_.params))
    return unit


def visible_states_of(unit):
    """Probability of every binary visible state, and of every hidden one: from the energy."""
    v, h = states(unit.n_features_in_), states(unit.n_hidden)
    weight, b, c = unit.weight_, unit.hidden_bias_, unit.visible_bias_
    weights = np.exp(v @ weight @ h.T + (v @ c)[:, None] + h @ b)
    joint = weights / weights.sum()
    return joint.sum(1), joint.sum(0)


def assert_mean(samples, expected):
    """The mean over chains (n, V) is the expected one (V,), within what their spread allows."""
    error = samples.std(axis=0) / np.sqrt(len(samples))
    assert (np.abs(samples.mean(axis=0) - expected) <= STANDARD_ERRORS * error + 1e-9).all()


def stack_of(*units):
    """A fitted stack on machines."""
    x = np.random.default_rng(0).random((20, units[0].n_features_in_))
    templates = [RBM(unit.n_hidden, epochs=0) for unit in units]
    model = StackedAutoencoder(templates, precision="float64", random_state=0).pretrain(x)
    for own, unit in zip(model.units_, units, strict=True):
        own.network_.params[:] = unit.network_.params
    return model


def test_a_machine_s_samples_follow_the_exact_distribution():
    unit = machine(4, 3, 1)
    found = unit.sample(CHAINS, steps=200, random_state=0)
    v, p = states(4), visible_states_of(unit)[0]
    assert p.max() > 3 * np.median(p)  # far from uniform
    assert_mean(found, p @ v)
    pairs = [(i, j) for i in range(4) for j in range(i)]
    # means given hidden states: E(m_i m_j) = E(v_i v_j) for different i and j, the visible units being independent given h
    assert_mean(np.stack([found[:, i] * found[:, j] for i, j in pairs], 1), [p @ (v[:, i] * v[:, j]) for i, j in pairs])


def test_one_step_starts_at_the_visible_biases():
    unit = machine(4, 3, 1)
    np.testing.assert_allclose(unit.sample(3, steps=1), np.tile(expit(unit.visible_bias_), (3, 1)))


def test_a_net_s_samples_come_from_the_top_machine_and_then_down():
    lower, upper = machine(4, 3, 1), machine(3, 2, 2)
    found = stack_of(lower, upper).sample(CHAINS, steps=200, random_state=3)
    h, p = states(3), visible_states_of(upper)[0]
    mean = expit(h @ lower.weight_.T + lower.visible_bias_)
    assert np.abs(p - visible_states_of(lower)[1]).max() > 0.1  # the two machines disagree about the layer between them
    distance = np.abs(found[:, None] - mean).max(axis=2)
    assert (distance.min(axis=1) < 1e-6).all()  # each is the mean of one binary state
    counts = np.bincount(distance.argmin(axis=1), minlength=8)
    np.testing.assert_allclose(counts / CHAINS, p, atol=STANDARD_ERRORS * 0.5 / np.sqrt(CHAINS))


def test_gaussian_visible_units():
    unit = machine(3, 2, 4, visible="gaussian", scaling="standard")
    unit.network_.params[:] *= 0.5
    h = states(2)
    mean = h @ unit.weight_.T + unit.visible_bias_
    log = h @ unit.hidden_bias_ + 0.5 * (mean**2).sum(1)
    p = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    found = unit.sample(CHAINS, steps=100, random_state=0)
    assert_mean(found * unit.scaling_.scale + unit.scaling_.offset, p @ mean)  # the data's units, scaled


@pytest.fixture(scope="module")
def net(digits):
    images = (255 * digits.array[:200]).astype(np.uint8)
    units = [RBM(20, epochs=2), RBM(12, epochs=2), RBM(6, hidden="gaussian", learning_rate=0.001, epochs=2)]
    return StackedAutoencoder(units, finetune_epochs=1, random_state=0).fit(images)


def test_samples_are_in_the_units_of_the_data(net):
    found = net.sample(30, steps=5, random_state=0)
    assert found.shape == (30, 64) and found.dtype == np.float32
    assert found.min() >= 0 and 100 < found.max() <= 255


def test_fewer_samples_are_the_first_ones(net):
    many = net.sample(150, steps=7, random_state=5)
    for n in (1, 10, 64, 65):
        np.testing.assert_array_equal(net.sample(n, steps=7, random_state=5), many[:n])
    assert len(np.unique(many, axis=0)) == 150  # no chain is another's twin
    assert not np.array_equal(net.sample(10, steps=7, random_state=6), many[:10])


def test_every_step_draws_numbers_of_its_own():
    unit = machine(8, 5, 1)
    found = [unit.sample(30, steps=steps, random_state=5).ravel() for steps in range(2, 9)]
    assert len(np.unique(found, axis=0)) == len(found)


def test_threads_and_files_do_not_matter(net, tmp_path):
    net.save(tmp_path / "net.h5")
    again, expected = load(tmp_path / "net.h5"), net.sample(70, steps=120, random_state=1)
    for n_threads in (1, 2):
        again.set_params(n_threads=n_threads)
        np.testing.assert_array_equal(again.sample(70, steps=120, random_state=1), expected)


def test_long_chains_are_moved_in_parts(monkeypatch):
    unit = machine(4, 3, 1)
    whole = unit.sample(5, steps=250, random_state=0)
    monkeypatch.setattr("stacked.models.deep_belief._STEPS", 1000)
    np.testing.assert_array_equal(unit.sample(5, steps=250, random_state=0), whole)


def test_fine_tuning_changes_nothing(net, digits):
    before = net.sample(5, steps=3, random_state=0)
    images = (255 * digits.array[:200]).astype(np.uint8)
    np.testing.assert_array_equal(net.finetune(images).sample(5, steps=3, random_state=0), before)


def test_what_cannot_be_sampled(small):
    mixed = StackedAutoencoder([RBM(8, epochs=0), Autoencoder(4, epochs=0)], random_state=0).pretrain(small)
    with pytest.raises(SettingError, match=r"expected pretrained RBMs alone, .* found Autoencoder as unit 2; pretrain"):
        mixed.sample(3)
    untrained = StackedAutoencoder([RBM(8)], finetune_epochs=0, random_state=0).finetune(small)
    with pytest.raises(SettingError, match="found no pretrained units"):
        untrained.sample(3)
    with pytest.raises(NotFittedError):
        RBM(3).sample(2)
    unit = RBM(3, epochs=0, random_state=0).fit(small)
    for bad in ({"n": 0}, {"n": 2.5}, {"n": 2, "steps": 0}, {"n": 2, "steps": 2**31}):
        with pytest.raises(SettingError, match=r"^(n|steps): expected a whole number"):
            unit.sample(**bad)
