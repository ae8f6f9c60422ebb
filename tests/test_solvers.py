"""SciPy's solvers on one minibatch: how long they run, what they minimise, what is kept of their result."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize

from stacked.kernels import backprop
from stacked.kernels.arithmetic.corruption import NO_CORRUPTION
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.layers import Dense
from stacked.network import Network
from stacked.training.plan import Plan
from stacked.training.solvers import minimize_batch

MINIMIZE = scipy.optimize.minimize
X = np.random.default_rng(0).random((9, 6))
LABELS = np.arange(9) % 3


def _plan(optimizer="cg", line_searches=3, l1=0.0, l2=0.0):
    return Plan(1, 9, optimizer, ((0, 0.1),), ((0, 0.9),), l1=l1, l2=l2, line_searches=line_searches)


def _minimized(plan, dtype="float64", classify=False):
    """The network before and after, and the answer."""
    layers = [Dense(6, 4, "sigmoid"), Dense(4, 3, "softmax") if classify else Dense(4, 6, "sigmoid")]
    network = Network.zeros(layers, dtype)
    network.randomize(1, 0)
    network.params[network.n_weights :] = np.linspace(-1, 1, len(network.params) - network.n_weights)
    before = network.params.copy()
    loss = LOSSES["softmax_cross_entropy" if classify else "cross_entropy"]
    objective = Objective(loss, NO_CORRUPTION, network.n_weights)
    x = X.astype(dtype)
    work = backprop.workspace(network.table, len(network.params), 9, np.dtype(dtype))
    answer = minimize_batch(network, objective, plan, (x, x, LABELS if classify else LABELS[:0]), work)
    return before, network, answer


def _loss(network, params, classify=False):
    """Mean loss, in float64."""
    n = network.n_weights
    first, second = np.split(params[:n].astype(np.float64), [24])
    hidden_bias, bias = np.split(params[n:].astype(np.float64), [4])
    hidden = 1 / (1 + np.exp(-(X @ first.reshape(6, 4) + hidden_bias)))
    logits = hidden @ second.reshape(4, -1) + bias
    if classify:
        return (np.log(np.exp(logits).sum(1)) - logits[np.arange(9), LABELS]).mean()
    return (np.log1p(np.exp(logits)) - X * logits).sum(1).mean()


@pytest.fixture
def results(monkeypatch):
    """What SciPy returned."""
    kept = []
    monkeypatch.setattr(scipy.optimize, "minimize", lambda *a, **k: kept.append(MINIMIZE(*a, **k)) or kept[-1])
    return kept


@pytest.mark.parametrize("optimizer", ["cg", "lbfgs"])
@pytest.mark.parametrize("line_searches", [1, 2, 5])
def test_so_many_iterations_are_made_and_no_more(optimizer, line_searches, results):
    before, network, _ = _minimized(_plan(optimizer, line_searches))
    (result,) = results
    assert result.nit == line_searches
    np.testing.assert_array_equal(network.params, result.x)
    assert _loss(network, network.params) < _loss(network, before)


@pytest.mark.parametrize(("optimizer", "method"), [("cg", "CG"), ("lbfgs", "L-BFGS-B")])
def test_each_optimizer_is_its_own_solver(optimizer, method, monkeypatch):
    named = {}
    monkeypatch.setattr(scipy.optimize, "minimize", lambda *a, **k: named.update(k) or MINIMIZE(*a, **k))
    _minimized(_plan(optimizer, 4))
    assert (named["method"], named["jac"], named["options"]) == (method, True, {"maxiter": 4})


@pytest.mark.parametrize("classify", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_answer_is_the_summed_loss_before_without_the_penalty(dtype, classify):
    before, network, answer = _minimized(_plan(l1=0.3, l2=0.7), dtype, classify)
    assert answer[1] == 0.0
    assert answer[0] == pytest.approx(9 * _loss(network, before, classify), rel=1e-5 if dtype == "float32" else 1e-12)
    assert network.params.dtype == dtype and not np.array_equal(network.params, before)


def test_what_is_minimized_has_the_penalty_on_weights_alone(monkeypatch):
    asked = {}

    def minimize(fun, start, **named):
        asked["fun"] = [value.copy() for value in map(np.asarray, fun(start))]
        asked["shifted"] = fun(start + 0.01)[0]
        return MINIMIZE(fun, start, **named)

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    before, network, _ = _minimized(_plan(l1=0.3, l2=0.7))

    def target(params):
        weights = params[: network.n_weights]
        return _loss(network, params) + 0.3 * np.abs(weights).sum() + 0.35 * np.square(weights).sum()

    value, gradient = asked["fun"]
    assert value == pytest.approx(target(before), rel=1e-12)
    assert asked["shifted"] == pytest.approx(target(before + 0.01), rel=1e-12)
    for i in (0, 20, network.n_weights - 1, network.n_weights, len(before) - 1):
        step = np.zeros_like(before)
        step[i] = 1e-6
        assert gradient[i] == pytest.approx((target(before + step) - target(before - step)) / 2e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("fun", "x", "taken"),
    [(0.0, 1.0, True), (None, 1.0, True), (1e9, 1.0, False), (np.nan, 1.0, False), (0.0, np.nan, False), (0.0, np.inf, False)],
)  # fmt: skip
def test_only_a_finite_result_that_is_no_worse_is_taken(fun, x, taken, monkeypatch):
    def minimize(function, start, **named):
        first = function(start)[0]
        function(start + 10)
        best = start.copy()
        best[3] = x
        return SimpleNamespace(fun=first if fun is None else fun, x=best)

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    before, network, answer = _minimized(_plan())
    assert answer[0] == pytest.approx(9 * _loss(network, before), rel=1e-12)
    before[3] = x if taken else before[3]
    np.testing.assert_array_equal(network.params, before)
