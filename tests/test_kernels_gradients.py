"""Central differences in float64: every activation, loss, depth, tied or not, with and without penalties."""

import numpy as np
import pytest

from stacked.kernels import backprop
from stacked.kernels.arithmetic.activations import ACTIVATIONS, activate, differentiate
from stacked.kernels.arithmetic.corruption import NO_CORRUPTION
from stacked.kernels.arithmetic.losses import LOSSES, REQUIRED_ACTIVATION
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.engine import panels
from stacked.kernels.plain import steps

from .cases_elementwise import normal, uniform
from .cases_products import dense_network

STEP, TOLERANCE = 1e-6, 1e-7
HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]
OUTPUTS = [("squared_error", name) for name in HIDDEN] + list(REQUIRED_ACTIVATION.items())
ENCODERS = {1: (5, 4), 2: (5, 4, 3), 3: (5, 4, 3, 3)}
PENALTIES = {"no penalty": (0.0, 0.0), "l1": (0.03, 0.0), "l2": (0.0, 0.05), "l1 and l2": (0.03, 0.05)}
N_ROWS = 3


class _Net:
    """A small network away from the kinks of relu and of |w|, and a minibatch."""

    def __init__(self, sizes, activations, tied, loss):
        self.table, n_weights, n_params = dense_network(sizes, activations, tied)
        self.objective = Objective(LOSSES[loss], NO_CORRUPTION, n_weights)
        self.inputs, self.target = uniform(np.float64, 1, N_ROWS, sizes[0]), uniform(np.float64, 2, N_ROWS, sizes[-1])
        self.labels = np.arange(N_ROWS) % sizes[-1]
        self.work = backprop.workspace(self.table, n_params, N_ROWS, np.dtype(np.float64))
        for seed in range(100):
            self.params = normal(np.float64, seed, n_params, scale=0.7)
            if np.abs(self.params).min() > 100 * STEP and self._smallest_sum() > 100 * STEP:
                return
        raise AssertionError("no parameters away from the kinks")

    def _smallest_sum(self):
        """Smallest |pre-activation| of any unit."""
        below, sums = self.inputs, []
        for layer in range(len(self.table)):
            matrix = steps.layer_weight(self.table, layer, self.params)
            bias = steps.layer_bias(self.table, layer, self.params)
            below = below @ (matrix.T if self.table[layer, panels.TRANSPOSED] else matrix) + bias
            sums.append(np.abs(below).min())
            if self.table[layer, panels.ACTIVATION] == ACTIVATIONS["softmax"]:
                break
            for row in below:
                activate(self.table[layer, panels.ACTIVATION], row)
        return min(sums)

    def loss(self, params, l1, l2):
        batch = (self.inputs, self.target, self.labels)
        return backprop.loss_gradient(self.table, params, self.objective, l1, l2, *batch, self.work)

    def slopes(self, l1, l2):
        """Central differences of the loss by every parameter."""
        result = np.empty_like(self.params)
        for i in range(self.params.size):
            values = []
            for sign in (1, -1):
                moved = self.params.copy()
                moved[i] += sign * STEP
                values.append(self.loss(moved, l1, l2))
            result[i] = (values[0] - values[1]) / (2 * STEP)
        return result


def _check(net, l1=0.0, l2=0.0):
    expected = net.slopes(l1, l2)
    net.loss(net.params, l1, l2)
    np.testing.assert_allclose(net.work.gradient, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("depth", ENCODERS)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("loss, output", OUTPUTS)
def test_gradient_of_untied_networks(loss, output, hidden, depth):
    sizes = ENCODERS[depth]
    _check(_Net(sizes, (hidden,) * (depth - 1) + (output,), False, loss))


@pytest.mark.parametrize("depth", ENCODERS)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("loss, output", OUTPUTS)
def test_gradient_of_tied_autoencoders(loss, output, hidden, depth):
    sizes = ENCODERS[depth]
    _check(_Net(sizes + sizes[-2::-1], (hidden,) * (2 * depth - 1) + (output,), True, loss))


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("depth", ENCODERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_gradient_with_penalties(penalty, depth, tied):
    sizes = ENCODERS[depth] + ENCODERS[depth][-2::-1]
    _check(_Net(sizes, ("tanh",) * (len(sizes) - 2) + ("sigmoid",), tied, "cross_entropy"), *PENALTIES[penalty])


@pytest.mark.parametrize("name", HIDDEN)
def test_differentiate_is_the_slope_of_activate(name):
    at = np.concatenate([np.linspace(-8, 8, 40), [-0.01, 0.01]])  # 0, the kink of relu, is not among them
    above, below, output = at + STEP, at - STEP, at.copy()
    for row in (above, below, output):
        activate(ACTIVATIONS[name], row)
    delta = np.full_like(at, 3.0)
    differentiate(ACTIVATIONS[name], output, delta)
    np.testing.assert_allclose(delta, 3 * (above - below) / (2 * STEP), rtol=0, atol=3e-9)


def test_batch_gradient_leaves_the_penalty_out():
    net = _Net((5, 4, 5), ("sigmoid", "sigmoid"), True, "cross_entropy")
    plain = net.loss(net.params, 0.0, 0.0)
    gradient = net.work.gradient.copy()
    batch = (net.inputs, net.target, net.labels)
    total, terms = backprop.batch_gradient(net.table, net.params, net.objective, *batch, net.work)
    assert terms == 0
    assert total == pytest.approx(N_ROWS * plain, rel=1e-14)
    assert np.array_equal(net.work.gradient, gradient)
