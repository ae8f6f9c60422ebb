"""A sparsity target for the hidden units of an RBM: what it reaches, what it is allowed with, and that it is followed exactly."""

import numpy as np
import pytest

from stacked import RBM, SettingError, StackedAutoencoder
from stacked.kernels.engine.bfloat16 import obstacle
from stacked.training import loop

SPARSE = {"sparsity_target": 0.05, "sparsity_weight": 0.3}
SHORT = {"epochs": 2, "batch_size": 32, "random_state": 0}
PRECISIONS = [
    "float32", "float64",
    pytest.param("bfloat16", marks=pytest.mark.skipif(obstacle() is not None, reason="bfloat16: this CPU cannot")),
]  # fmt: skip


@pytest.fixture
def arrays(monkeypatch):
    """What the trainees of the phases keep, in the order of the phases."""
    seen, original = [], loop.Phase

    def phase(*args, **kwargs):
        made = original(*args, **kwargs)
        seen.append(made.trainee.arrays)
        return made

    monkeypatch.setattr("stacked.training.phase.Phase", phase)
    return seen


def _mean_activities(digits, **settings):
    unit = RBM(100, epochs=20, batch_size=50, random_state=0, **settings).fit(digits.array)
    return unit.transform(digits.array).mean(axis=0, dtype=np.float64)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_hidden_units_come_near_their_target_and_without_one_they_do_not(precision, digits):
    near = np.abs(_mean_activities(digits, precision=precision, **SPARSE) - 0.05)
    far = np.abs(_mean_activities(digits, precision=precision) - 0.05)
    assert np.median(near) < 0.02 and near.max() < 0.06
    assert np.median(far) > 0.08 and far.max() > 0.5


def test_a_target_of_hardly_any_weight_is_followed_and_changes_nothing(digits, arrays):
    plain = RBM(12, **SHORT).fit(digits.array)
    followed = RBM(12, sparsity_target=0.5, sparsity_weight=1e-30, **SHORT).fit(digits.array)
    np.testing.assert_array_equal(plain.network_.params, followed.network_.params)
    assert set(arrays[1]) - set(arrays[0]) == {"activity"} and arrays[1]["activity"].shape == (12,)


def test_the_running_mean_is_that_of_the_minibatches_with_the_first_as_its_start(digits, arrays):
    """With weights that stand still every minibatch's mean is known, and rows are few enough for a single one."""
    x = digits.array[:40]
    still = {
        "learning_rate": 0.0,
        "weight_decay": 0.0,
        "sparsity_target": 0.5,
        "sparsity_weight": 1.0,
        "batch_size": 40,
        "random_state": 0,
    }
    for decay, epochs in ((0.9, 1), (0.9, 4), (0.0, 2)):
        unit = RBM(7, epochs=epochs, sparsity_decay=decay, **still).fit(x)
        np.testing.assert_allclose(arrays[-1]["activity"], unit.transform(x).mean(axis=0), rtol=1e-5)


def test_a_large_decay_remembers_the_first_minibatches_longer(digits, arrays):
    for decay in (0.5, 0.999):
        RBM(7, sparsity_decay=decay, sparsity_weight=1.0, sparsity_target=0.01, **SHORT).fit(digits.array)
    assert arrays[1]["activity"].mean() > 2 * arrays[0]["activity"].mean()


@pytest.mark.parametrize("hidden", ["gaussian", "rectified"])
def test_only_bernoulli_hidden_units_have_a_target(hidden, small):
    match = rf"^sparsity_target: expected hidden='bernoulli', .*, found hidden='{hidden}'"
    with pytest.raises(SettingError, match=match):
        RBM(4, hidden=hidden, **SPARSE).fit(small)
    with pytest.raises(SettingError, match=match):
        StackedAutoencoder([RBM(4), RBM(3, hidden=hidden, **SPARSE)]).fit(small)


def test_a_weight_needs_a_target(small):
    with pytest.raises(
        SettingError, match=r"^sparsity_weight: has no effect without a target; set sparsity_target too$"
    ):
        RBM(4, sparsity_weight=0.1).fit(small)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sparsity_target", 0.0), ("sparsity_target", 1.0), ("sparsity_weight", -0.1), ("sparsity_decay", 1.0),
     ("sparsity_decay", None)],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(name, value, small):
    with pytest.raises(SettingError, match=rf"^{name}: expected a number in "):
        RBM(4, **{**SPARSE, name: value}).fit(small)
