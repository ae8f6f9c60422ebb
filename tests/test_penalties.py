"""Penalties on codes: gradients against central differences, what they do to codes, what is refused, and that a run resumes."""

import numpy as np
import pytest

from stacked import Autoencoder, SettingError, StackedAutoencoder, load
from stacked.data import as_rows
from stacked.kernels import backprop
from stacked.kernels.arithmetic.activations import ACTIVATIONS
from stacked.kernels.arithmetic.corruption import NO_CORRUPTION
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.penalties import PENALTIES
from stacked.kernels.arithmetic.terms import as_terms

from .cases_elementwise import normal, uniform
from .cases_products import dense_network

STEP, N_ROWS = 1e-6, 4
CODES = [name for name in ACTIVATIONS if name != "softmax"]
FROZEN = {"learning_rate": 0.0, "scaling": "none", "precision": "float64", "random_state": 0}
BOUNDED = ("sigmoid", "tanh")


def _terms(kind, layer):
    return as_terms((PENALTIES[kind], layer, 0.7, 0.2))


def _slopes(loss, params):
    """Central differences of ``loss`` by every parameter."""
    result = np.empty_like(params)
    for i in range(len(params)):
        step = np.zeros_like(params)
        step[i] = STEP
        result[i] = (loss(params + step) - loss(params - step)) / (2 * STEP)
    return result


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(
    "kind, activation", [(k, a) for k in PENALTIES for a in CODES if k != "sparsity" or a in BOUNDED]
)
def test_gradients(kind, activation, layer, tied):
    table, n_weights, n_params = dense_network((5, 4, 3, 4, 5), (activation,) * 3 + ("linear",), tied)
    objective = Objective(LOSSES["squared_error"], NO_CORRUPTION, n_weights, _terms(kind, layer))
    x, work = uniform(np.float64, 1, N_ROWS, 5), backprop.workspace(table, n_params, N_ROWS, np.dtype(np.float64))
    params = normal(np.float64, 3, n_params, scale=0.5)

    def loss(flat):
        return backprop.loss_gradient(table, flat, objective, 0.0, 0.0, x, x, np.zeros(0, np.int64), work)

    expected = _slopes(loss, params)
    loss(params)
    np.testing.assert_allclose(work.gradient, expected, rtol=1e-6, atol=1e-7)


def test_l1_makes_codes_smaller(digits):
    plain, sparse = (Autoencoder(20, epochs=20, random_state=0, code_l1=l1).fit(digits) for l1 in (0.0, 0.5))
    assert sparse.transform(digits).mean() < 0.5 * plain.transform(digits).mean()
    assert plain.history_[-1].penalty == 0 < sparse.history_[-1].penalty
    codes = sparse.transform(digits)
    assert sparse.history_[-1].penalty == pytest.approx(0.5 * codes.sum(axis=1).mean(), rel=0.1)


@pytest.mark.parametrize("activation, low", [("sigmoid", 0), ("tanh", -1)])
def test_codes_reach_their_target(activation, low, digits):
    target = {"sparsity_target": 0.1, "sparsity_weight": 10.0}
    model = Autoencoder(
        60,
        activation=activation,
        epochs=60,
        batch_size=100,
        optimizer="adam",
        learning_rate=0.01,
        random_state=0,
        **target,
    )
    activity = (model.fit(digits).transform(digits).mean(axis=0) - low) / (1 - low)
    assert np.abs(activity - 0.1).max() < 0.03


def test_fine_tuning_keeps_codes_sparse(digits):
    target = {"finetune_sparsity_target": 0.1, "finetune_sparsity_weight": 3.0}
    units = [Autoencoder(50, epochs=2), Autoencoder(40, epochs=2)]
    deep = StackedAutoencoder(units, finetune_epochs=30, random_state=0, **target).fit(digits)
    assert np.abs(deep.transform(digits).mean(axis=0) - 0.1).max() < 0.05
    assert deep.history_[-1].penalty > 0


@pytest.mark.parametrize(
    "params, name",
    [
        ({"sparsity_weight": 1.0}, "sparsity_target"),
        ({"sparsity_target": 0.1, "sparsity_weight": 1.0, "activation": "relu"}, "sigmoid or tanh"),
        ({"sparsity_target": 0.1}, "no effect without a weight"),
        ({"sparsity_target": 0.0}, "sparsity_target"),
        ({"emphasis": (1.0, 0.0)}, "no effect without noise"),
        ({"sparsity_target": 1.0}, "sparsity_target"),
        ({"code_l1": -1.0}, "code_l1"),
        ({"emphasis": (0.0, 0.0)}, "emphasis"),
        ({"emphasis": (1.0, -1.0)}, "emphasis"),
        ({"emphasis": 2.0}, "emphasis"),
        ({"emphasis": (1.0, 0.0), "corruption": "gaussian", "corruption_level": 0.1}, "emphasis"),
    ],
)
def test_what_cannot_be_had_is_refused(params, name, small):
    with pytest.raises(SettingError, match=name):
        Autoencoder(4, **params).fit(small)


def test_emphasis_weighs_the_spoilt_inputs(digits):
    """With full emphasis on spoilt inputs the loss is theirs alone: a share of the whole, and kept ones are free."""
    noise = {"corruption_level": 0.25, "epochs": 30, "optimizer": "adam", "learning_rate": 0.003, "random_state": 0}
    even, spoilt = (Autoencoder(40, emphasis=weights, **noise).fit(digits) for weights in ((1, 1), (1, 0)))
    assert spoilt.history_[0].loss == pytest.approx(0.25 * even.history_[0].loss, rel=0.2)
    assert even.score(digits) > spoilt.score(digits)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_models_with_penalties_and_emphasis_survive_their_file(precision, small, tmp_path):
    params = {
        "code_l1": 0.01,
        "sparsity_target": 0.2,
        "sparsity_weight": 0.1,
        "corruption_level": 0.3,
        "emphasis": (2.0, 0.5),
    }
    model = Autoencoder(6, epochs=2, random_state=0, precision=precision, **params).fit(small)
    model.save(tmp_path / "m.h5")
    again = load(tmp_path / "m.h5")
    assert again.history_ == model.history_ and model.history_[-1].penalty > 0
    np.testing.assert_array_equal(again.transform(small), model.transform(small))
    again = again.set_params(random_state=0).fit(small)
    np.testing.assert_array_equal(again.transform(small), model.transform(small))


@pytest.mark.parametrize("activation", CODES)
def test_the_contraction_is_the_mean_squared_norm_of_the_jacobian(activation, small):
    model = Autoencoder(
        7, activation=activation, output="linear", contraction=1.0, epochs=1, batch_size=len(small), **FROZEN
    )
    model.fit(small)
    x, total = small.astype(np.float64), 0.0
    for row in x[:10]:
        around = np.concatenate([row + STEP * np.eye(x.shape[1]), row - STEP * np.eye(x.shape[1])])
        upper, lower = np.split(model.transform(around), 2)
        total += np.square((upper - lower) / (2 * STEP)).sum()
    model.fit(small[:10])
    assert model.history_[0].penalty == pytest.approx(total / 10, rel=1e-6)


def test_contracted_codes_change_less_with_their_input(digits):
    plain, contractive = (Autoencoder(40, epochs=20, random_state=0, contraction=c).fit(digits) for c in (0.0, 1.0))
    x = digits.read(0, 500)
    moved = x + 0.1 * np.random.default_rng(0).standard_normal(x.shape).astype(x.dtype)
    changes = [np.square(m.network_.apply(as_rows(moved), last=1) - m.transform(x)).sum() for m in (plain, contractive)]
    assert changes[1] < 0.5 * changes[0]
