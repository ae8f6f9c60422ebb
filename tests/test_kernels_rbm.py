"""Tiny machines against exact enumeration of their states."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from stacked.kernels import rbm
from stacked.kernels.arithmetic import stochastic
from stacked.kernels.arithmetic.random import CHAINS, SAMPLING, stream_key
from stacked.kernels.plain import blas as products

from .cases_machines import machine_of, machine_params

FLOAT64 = np.dtype(np.float64)
V, H = 4, 3
STANDARD_ERRORS = 5  # the numbers are fixed by the keys, so a test that passes goes on passing
KEY, CHAIN_KEY = stream_key(3, SAMPLING), stream_key(3, CHAINS)
NONE = np.empty(0)


def _states(n):
    """All binary vectors of length n, one a row."""
    return np.array(list(product((0.0, 1.0), repeat=n)))


class Exact:
    """Everything about a machine with binary hidden units, summed over all their states."""

    def __init__(self, visible="bernoulli", k=1, persistent=False):
        self.machine = machine_of(visible, "bernoulli", V, H, k, persistent)
        self.params = machine_params(FLOAT64, 11, self.machine)
        self.is_binary = visible == "bernoulli"
        self.hidden_states = _states(H)

    def at(self, params):
        """Weights, hidden biases and visible biases."""
        return params[: V * H].reshape(V, H), params[V * H : V * H + H], params[V * H + H :]

    def energy(self, visible, hidden, params):
        """E(v, h) for every pair of rows, from the definition."""
        weight, b, c = self.at(params)
        own = -(visible @ c) if self.is_binary else ((visible - c) ** 2).sum(1) / 2
        return own[:, None] - hidden @ b - visible @ weight @ hidden.T

    def visible_mean(self, hidden):
        weight, _, c = self.at(self.params)
        a = hidden @ weight.T + c
        return expit(a) if self.is_binary else a

    def hidden_mean(self, visible):
        weight, b, _ = self.at(self.params)
        return expit(visible @ weight + b)

    def hidden_probabilities(self, visible):
        """p(h | v) for every row of visible and every hidden state."""
        p = self.hidden_mean(visible)[:, None]
        return np.where(self.hidden_states == 1, p, 1 - p).prod(2)

    def log_partition(self, params):
        """log Z, up to V log(2 pi) / 2 for Gaussian visible units."""
        if self.is_binary:
            return logsumexp(-self.energy(_states(V), self.hidden_states, params))
        weight, b, c = self.at(params)
        mean = self.hidden_states @ weight.T + c
        return logsumexp(self.hidden_states @ b + (mean**2).sum(1) / 2 - c @ c / 2)

    def log_likelihood(self, visible, params):
        """Mean log p(v), by the kernel's free energy."""
        return -free_energy(self.machine, params, visible).mean() - self.log_partition(params)

    def model_hidden(self):
        """p(h) of every hidden state."""
        weight, b, c = self.at(self.params)
        if self.is_binary:
            energy = self.energy(_states(V), self.hidden_states, self.params)
            return np.exp(logsumexp(-energy, axis=0) - self.log_partition(self.params))
        mean = self.hidden_states @ weight.T + c
        log = self.hidden_states @ b + (mean**2).sum(1) / 2 - c @ c / 2
        return np.exp(log - self.log_partition(self.params))

    def model_statistics(self):
        """Exact mean of (v h, h, v) under the model."""
        p, h = self.model_hidden(), self.hidden_states
        v = self.visible_mean(h)
        return np.concatenate([np.einsum("s,si,sj->ij", p, v, h).ravel(), p @ h, p @ v])

    def chain_of_k(self, data):
        """Distribution over the hidden states that drive the last reconstruction of CD-k, averaged over the data."""
        p = self.hidden_probabilities(data).mean(0)
        visible = _states(V)
        mean = self.visible_mean(self.hidden_states)[:, None]
        visible_given_hidden = np.where(visible == 1, mean, 1 - mean).prod(2) if self.is_binary else None
        for _ in range(self.machine.k - 1):
            p = p @ visible_given_hidden @ self.hidden_probabilities(visible)
        return p

    def expected_divergence_gradient(self, data):
        """Exact expectation of the CD-k update: means of the last reconstruction, and the hidden means given them."""
        p, v = self.chain_of_k(data), self.visible_mean(self.hidden_states)
        h = self.hidden_mean(v)
        model_side = np.concatenate([np.einsum("s,si,sj->ij", p, v, h).ravel(), p @ h, p @ v])
        return model_side - data_statistics(self.machine, self.params, data)


def free_energy(machine, params, visible):
    out = np.empty(len(visible))
    rbm.free_energy(machine, params, visible, np.empty((len(visible), machine.n_hidden)), out)
    return out


def data_statistics(machine, params, data):
    """Data side of the gradient, by the kernels."""
    weight, b, _ = (part.copy() for part in rbm.split(machine, params))
    hidden, out = np.empty((len(data), machine.n_hidden)), np.empty_like(params)
    products.layer_forward(data, weight, False, b, machine.hidden, hidden)
    rbm.statistics(machine, data, hidden, out)
    return out


def _data(exact, n=6):
    generator = np.random.default_rng(2)
    return generator.integers(0, 2, (n, V)).astype(float) if exact.is_binary else generator.normal(size=(n, V))


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_free_energy_sums_over_all_binary_hidden_states(visible):
    exact = Exact(visible)
    data = _data(exact)
    expected = -logsumexp(-exact.energy(data, exact.hidden_states, exact.params), axis=1)
    np.testing.assert_allclose(free_energy(exact.machine, exact.params, data), expected, rtol=1e-13)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_free_energy_integrates_over_gaussian_hidden_units(visible):
    exact = Exact(visible)
    machine, data = machine_of(visible, "gaussian", V, H), _data(exact)
    weight, b, _ = exact.at(exact.params)
    grid = np.linspace(-20, 20, 4001)
    exponent = np.multiply.outer(data @ weight + b, grid) - grid**2 / 2
    integral = logsumexp(exponent, axis=2).sum(1) + H * np.log(grid[1] - grid[0])
    expected = exact.energy(data, np.zeros((1, H)), exact.params)[:, 0] - integral
    got = free_energy(machine, exact.params, data) - H * np.log(2 * np.pi) / 2
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_free_energy_of_rectified_units_is_that_of_many_binary_copies(scale):
    exact, n_copies = Exact(), 400
    params = exact.params * scale
    weight, b, c = exact.at(params)
    shifts = np.arange(n_copies) + 0.5
    copies = np.concatenate([np.repeat(weight, n_copies, axis=1).ravel(), (b[:, None] - shifts).ravel(), c])
    binary = machine_of("bernoulli", "bernoulli", V, H * n_copies)
    got = free_energy(machine_of("bernoulli", "rectified", V, H), params, _states(V))
    np.testing.assert_allclose(got, free_energy(binary, copies, _states(V)), rtol=1e-12)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_exact_gradient_is_the_slope_of_the_exact_log_likelihood(visible):
    exact = Exact(visible)
    data, step = _data(exact), 1e-5
    slopes = np.empty_like(exact.params)
    for i in range(slopes.size):
        shift = step * np.eye(slopes.size)[i]
        ahead, behind = (exact.log_likelihood(data, exact.params + s * shift) for s in (1, -1))
        slopes[i] = (ahead - behind) / (2 * step)
    expected = data_statistics(exact.machine, exact.params, data) - exact.model_statistics()
    np.testing.assert_allclose(expected, slopes, atol=1e-9)


def _gradients(exact, data, chains, n_calls):
    """(n_calls, P) gradients with the parameters held fixed."""
    work, state = rbm.workspace(exact.machine, max(len(data), len(chains)), FLOAT64), rbm.Carried(NONE, chains, NONE)
    ids, gradients = np.arange(len(data)), []
    for call in range(n_calls):
        rbm.divergence_gradient(exact.machine, exact.params, KEY, CHAIN_KEY, call, call, data, ids, state, work)
        gradients.append(work.gradient.copy())
    return np.array(gradients)


def _assert_mean(samples, expected):
    error = samples.std(0, ddof=1) / np.sqrt(len(samples))
    assert (np.abs(samples.mean(0) - expected) <= STANDARD_ERRORS * error + 1e-12).all()
    assert error.max() < 0.01  # or the comparison says nothing


@pytest.mark.parametrize("visible, k", [("bernoulli", 1), ("bernoulli", 2), ("bernoulli", 3), ("gaussian", 1)])
def test_mean_update_is_the_expected_one_of_contrastive_divergence(visible, k):
    exact = Exact(visible, k)
    data = _data(exact)
    gradients = _gradients(exact, np.tile(data, (50, 1)), np.empty((0, H)), 200)
    _assert_mean(gradients, exact.expected_divergence_gradient(data))


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_persistent_chains_sample_the_model(visible):
    exact = Exact(visible, k=5, persistent=True)
    data, chains = _data(exact), np.zeros((500, H))
    _gradients(exact, data, chains, 20)
    gradients = _gradients(exact, data, chains, 400)
    batches = gradients.reshape(40, 10, -1).mean(1)  # consecutive calls are correlated
    _assert_mean(batches, exact.model_statistics() - data_statistics(exact.machine, exact.params, data))


def test_pseudo_likelihood_by_enumeration():
    exact, states, out = Exact(), _states(V), np.empty(2**V)
    rbm.pseudo_likelihood(exact.machine, exact.params, states, np.empty((2**V, H)), out)
    p = np.exp(-exact.energy(states, exact.hidden_states, exact.params)).sum(1)
    place = {tuple(state): number for number, state in enumerate(states)}
    flipped = np.array([[place[(*s[:i], 1 - s[i], *s[i + 1 :])] for i in range(V)] for s in states])
    np.testing.assert_allclose(out, np.log(p[:, None] / (p[:, None] + p[flipped])).sum(1), rtol=1e-12)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "rectified"])
def test_means_of_samples_approach_the_means_of_their_distribution(kind):
    n, a = 20000, np.linspace(-1, 3, 13)
    mean, sample = np.empty((2, n, a.size))
    weight = np.zeros((1, a.size))
    rbm.sample_layer(
        np.ones((n, 1)), weight, False, a, stochastic.UNIT_KINDS[kind], KEY, 0, np.arange(n), 0, mean, sample
    )
    noise = np.sqrt(expit(a))
    expected_mean = {"bernoulli": expit(a), "gaussian": a, "rectified": np.maximum(a, 0)}[kind]
    rectified = a * stats.norm.cdf(a / noise) + noise * stats.norm.pdf(a / noise)
    assert np.allclose(mean, expected_mean, rtol=1e-12)
    _assert_mean(sample, rectified if kind == "rectified" else expected_mean)
    if kind == "gaussian":
        assert np.allclose(sample.var(0), 1, atol=5 * np.sqrt(2 / n))
    if kind == "bernoulli":
        assert set(np.unique(sample)) == {0.0, 1.0}
