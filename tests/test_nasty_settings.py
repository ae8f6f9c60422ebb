"""Every parameter of every estimator given every nasty value: it is taken, or refused in one line that names the parameter."""

import inspect
from fractions import Fraction

import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    VariationalAutoencoder,
    network,
)  # fmt: skip

NASTY = [
    10**400, -(10**400), 10**5000, 2**62, 2**63, 2**70, -1, 1e300, float("nan"), float("inf"), Fraction(10**400), "x" * 5000,
    "\x1b[2J\n", True, None, [], {}, (), object(), np.eye(2), np.nan, [[0, 10**400]], [(0, 0.1), (2**70, 0.1)], [(10**400, 0.1)],
    [(0, "a")], [1, 2], {"a": 1}, b"rbm", np.array(3), 1j,
]  # fmt: skip
ESTIMATORS = [RBM, Autoencoder, VariationalAutoencoder, StackedAutoencoder, StackedClassifier]


def checked(estimator):
    (estimator.plan if hasattr(estimator, "plan") else estimator.validate)()


@pytest.mark.parametrize(
    "make, name", [(make, name) for make in ESTIMATORS for name in inspect.signature(make).parameters]
)
def test_nasty_parameters(make, name):
    for nasty in NASTY:
        try:
            checked(make(**{name: nasty}))
        except SettingError as error:
            assert str(error).isprintable() and len(str(error)) < 400, str(error)
            assert str(error).startswith(f"{name}") or name in ("activation", "output", "units"), str(error)


@pytest.mark.parametrize(
    "name", ["learning_rate", "momentum", "weight_decay", "l1", "epochs", "k", "batch_size", "n_hidden"]
)
def test_integers_beyond_any_float(name):
    with pytest.raises(SettingError, match=f"^{name}: expected a .*number .*, found 1000"):
        checked(RBM(**{name: 10**400}))


@pytest.mark.parametrize("make", [RBM, StackedAutoencoder, StackedClassifier])
@pytest.mark.parametrize("seed", [10**400, 10**5000, -1, 2.5, "x"], ids=["400 digits", "5000 digits", "-1", "2.5", "x"])
def test_seeds(make, seed, small):
    with pytest.raises(SettingError, match=r"^random_state: expected a whole number"):
        make(random_state=seed).fit(small, *([np.arange(300) % 2] if make is StackedClassifier else []))


def test_the_greatest_values_work(small):
    unit = RBM(3, batch_size=2**63 - 1, epochs=1, random_state=2**128 - 1).fit(small)
    assert len(unit.history_) == 1


def test_epochs_that_nobody_awaits(small):
    unit = Autoencoder(3, epochs=2**31, random_state=0).fit(small, callback=lambda record: True)
    assert len(unit.history_) == 1


@pytest.mark.parametrize("n_hidden", [2**62, 2**63 - 1, 10**12])
@pytest.mark.parametrize("unit", [RBM, Autoencoder])
def test_units_that_fit_into_no_memory(unit, n_hidden, small):
    with pytest.raises(
        SettingError, match=r"^n_hidden: expected parameters of at most .* GiB, the memory available, found"
    ):
        unit(n_hidden).fit(small)
    with pytest.raises(SettingError, match=rf"^n_hidden: .* GiB for layers 64-{n_hidden}"):
        StackedAutoencoder([unit(n_hidden)]).finetune(small)


def test_memory_is_what_is_available(small, monkeypatch):
    monkeypatch.setattr(network, "available_memory", lambda: 4 * (64 * 8 + 64 + 8))
    RBM(8, epochs=0).fit(small)
    with pytest.raises(SettingError, match="for layers 64-9-64; use fewer hidden units"):
        RBM(9, epochs=0).fit(small)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_sizes_may_be_small_integers_of_numpy(dtype, small):
    unit = RBM(dtype(100), k=dtype(1), persistent=np.bool_(True), epochs=1, batch_size=dtype(100))
    assert StackedAutoencoder([unit, RBM(dtype(3), epochs=0)], finetune_epochs=0).fit(small).transform(small).shape == (
        300,
        3,
    )
    assert unit.fit(small).transform(small).shape == (300, 100)
