"""``partial_fit``: a pass a call, to the bits of as many epochs of ``fit``; what is carried on, and what a failure leaves."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from stacked import RBM, Autoencoder, DataError, DivergedError, SettingError, VariationalAutoencoder, load
from stacked.errors import StackedError

X = np.random.default_rng(0).random((90, 6)).astype(np.float32)
COMMON = {"batch_size": 20, "n_threads": 1, "random_state": 0}
SCHEDULES = {"learning_rate": [(0, 0.1), (2, 0.05)], "momentum": [(0, 0.5), (1, 0.9)]}
UNITS = {
    "rbm": RBM(4, **SCHEDULES, **COMMON),
    "persistent": RBM(4, persistent=True, **COMMON),
    "sparse": RBM(4, sparsity_target=0.1, sparsity_weight=0.5, **COMMON),
    "gaussian": RBM(4, visible="gaussian", learning_rate=0.001, scaling="standard", **COMMON),
    "denoising": Autoencoder(4, corruption_level=0.3, **SCHEDULES, **COMMON),
    "adam": Autoencoder(4, optimizer="adam", learning_rate=0.01, tied=False, **COMMON),
    "cg": Autoencoder(4, optimizer="cg", **COMMON),
    "float64": Autoencoder(4, precision="float64", scaling="minmax", **COMMON),
    "vae": VariationalAutoencoder(2, hidden_layers=(5,), kl_warmup=3, samples=2, **COMMON),
}


def params(unit):
    return unit.network_.params.copy()


def state(unit):
    """All that a fitted unit is, in bits."""
    return pickle.dumps({name: value for name, value in vars(unit).items() if name != "network_"}), params(
        unit
    ).tobytes()


@pytest.mark.parametrize("name", UNITS)
def test_so_many_calls_are_so_many_epochs_to_the_bit(name):
    unit = clone(UNITS[name])
    for epochs in (1, 2, 4):
        while len(getattr(unit, "history_", [])) < epochs:
            assert unit.partial_fit(X) is unit
        fitted = clone(UNITS[name]).set_params(epochs=epochs).fit(X)
        np.testing.assert_array_equal(unit.network_.params, fitted.network_.params)
        assert [(r.unit, r.epoch, r.loss, r.penalty) for r in unit.history_] == [
            (r.unit, r.epoch, r.loss, r.penalty) for r in fitted.history_
        ]
    assert [record.epochs for record in unit.history_] == [1, 2, 3, 4]
    np.testing.assert_array_equal(unit.transform(X), fitted.transform(X))


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_that_was_pickled_between_calls_goes_on_to_the_same_bits(name):
    unit = clone(UNITS[name]).partial_fit(X)
    again = pickle.loads(pickle.dumps(unit))
    unit.partial_fit(X[:50]).partial_fit(X[50:])
    again.partial_fit(X[:50]).partial_fit(X[50:])
    np.testing.assert_array_equal(unit.network_.params, again.network_.params)


def test_what_is_carried_makes_a_difference():
    at_rest = clone(UNITS["adam"]).set_params(epochs=10).fit(X)
    moving = clone(UNITS["adam"])
    for _ in range(10):
        moving.partial_fit(X)
    np.testing.assert_array_equal(at_rest.network_.params, moving.network_.params)
    assert (params(at_rest.partial_fit(X)) != params(moving.partial_fit(X))).any()
    assert [record.epoch for record in at_rest.history_] == list(range(11))


def test_after_fit_and_after_loading_it_goes_on_from_the_weights(tmp_path):
    unit = clone(UNITS["denoising"]).set_params(epochs=3).fit(X)
    unit.save(tmp_path / "unit.h5")
    loaded = load(tmp_path / "unit.h5")
    before = params(unit)
    unit.set_params(learning_rate=0.0).partial_fit(X)
    np.testing.assert_array_equal(unit.network_.params, before)
    loaded.set_params(learning_rate=0.0).partial_fit(X)
    np.testing.assert_array_equal(loaded.network_.params, before)
    one, two = (each.set_params(learning_rate=0.1).partial_fit(X) for each in (unit, loaded))
    np.testing.assert_array_equal(params(one), params(two))
    assert (params(one) != before).any() and len(one.history_) == len(two.history_) == 5
    one.save(tmp_path / "unit.h5")
    assert len(load(tmp_path / "unit.h5").history_) == 5


def test_fit_starts_anew():
    unit = clone(UNITS["rbm"]).partial_fit(X).partial_fit(X).set_params(epochs=2).fit(X)
    np.testing.assert_array_equal(unit.network_.params, clone(unit).fit(X).network_.params)
    again = clone(unit).fit(X)
    np.testing.assert_array_equal(params(unit.partial_fit(X)), params(again.partial_fit(X)))
    assert not hasattr(clone(unit), "network_")


def test_the_first_call_chooses_the_scaling_and_later_ones_use_it():
    unit = clone(UNITS["gaussian"]).partial_fit(X)
    scaling = unit.scaling_
    assert unit.partial_fit(3 * X[:40]).scaling_ == scaling
    images = (255 * X).astype(np.uint8).reshape(len(X), 1, -1)
    unit = clone(UNITS["rbm"]).partial_fit(images)
    number = (1 / 255, 0.0)
    assert unit.scaling_.uniform == number and unit.partial_fit(images[:10]).scaling_.uniform == number
    with pytest.raises(DataError, match=r"expected uint8 images like those of the training"):
        unit.partial_fit(2 * X)


def test_rows_that_later_calls_may_have():
    unit = clone(UNITS["rbm"]).partial_fit(X)
    for rows in (X[:1], np.zeros((3, 6), np.float32), sparse.csr_matrix(X[:30]), X[:50].tolist()):
        before = params(unit)
        unit.partial_fit(rows)
        assert (params(unit) != before).any()
    assert len(unit.history_) == 5


@pytest.mark.parametrize("first, then", [(8, 50), (50, 8)])
def test_persistent_chains_stay_as_many_as_they_were(first, then):
    unit = clone(UNITS["persistent"]).partial_fit(X[:first])
    n_chains = min(first, 20)
    chains = unit._carried.arrays["chains"]
    assert len(chains) == n_chains
    for _ in range(2):
        before = chains.copy()
        unit.partial_fit(X[:then])
        np.testing.assert_array_equal(chains, before)  # of the call before: a copy was moved
        chains = unit._carried.arrays["chains"]
        assert len(chains) == n_chains and (chains != before).any()


def test_another_optimiser_starts_at_rest():
    unit = clone(UNITS["denoising"]).partial_fit(X).partial_fit(X)
    before, step = params(unit), unit._carried.progress.step
    unit.set_params(optimizer="adam", learning_rate=0.01).partial_fit(X)
    assert step == 10 and unit._carried.progress.step == 5
    moved = np.abs(params(unit) - before).max()
    assert 0 < moved < 5 * 0.011  # steps of Adam from rest are of the size of the rate
    assert [record.epoch for record in unit.history_] == [0, 1, 2]


def bad_rows():
    spoilt = X.copy()
    spoilt[3, 2] = np.nan
    return {"features": X[:, :5], "range": np.where(X > 0.9, np.inf, X), "missing": spoilt, "one dimension": X[0]}


@pytest.mark.parametrize("name", bad_rows())
def test_bad_rows_leave_the_unit_as_it_was(name):
    fresh, unit = clone(UNITS["rbm"]), clone(UNITS["rbm"]).partial_fit(X)
    before, attributes = state(unit), set(vars(fresh))
    with pytest.raises(ValueError):
        unit.partial_fit(bad_rows()[name])
    assert state(unit) == before
    if name != "features":
        with pytest.raises(ValueError):
            fresh.partial_fit(bad_rows()[name])
        assert set(vars(fresh)) == attributes


@pytest.mark.parametrize("name", ["persistent", "adam", "vae"])
def test_a_stopped_or_diverged_call_leaves_the_unit_as_it_was(name):
    def stop(record):
        raise KeyboardInterrupt

    unit = clone(UNITS[name]).partial_fit(X)
    before, weights = state(unit), params(unit)
    carried = {key: array.copy() for key, array in unit._carried.arrays.items()}
    with pytest.raises(KeyboardInterrupt):
        unit.partial_fit(X, callback=stop)
    unit.set_params(learning_rate=1e30)
    with pytest.raises(DivergedError):
        unit.partial_fit(X)
    unit.set_params(learning_rate=UNITS[name].learning_rate)
    assert state(unit) == before
    np.testing.assert_array_equal(params(unit), weights)
    for key, array in carried.items():
        np.testing.assert_array_equal(unit._carried.arrays[key], array)


def test_what_is_refused():
    unit = clone(UNITS["rbm"]).set_params(validation_fraction=0.2)
    with pytest.raises(
        SettingError, match=r"^validation_fraction: partial_fit trains on all the rows .* 0\.2; set it to 0"
    ):
        unit.partial_fit(X)
    with pytest.raises(SettingError, match=r"^momentum: expected"):
        clone(UNITS["rbm"]).set_params(momentum=2).partial_fit(X)
    unit = clone(UNITS["rbm"]).partial_fit(X)
    for change in ({"n_hidden": 5}, {"precision": "float64"}):
        with pytest.raises(StackedError, match="train"):
            clone(unit).partial_fit(X).set_params(**change).partial_fit(X)


def test_callbacks_and_progress(capsys):
    seen, unit = [], clone(UNITS["rbm"]).set_params(verbose=1)
    for _ in range(2):
        unit.partial_fit(X, callback=lambda record: seen.append((record.epoch, record.epochs)))
    assert seen == [(0, 1), (1, 2)]
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("compiling")]
    assert [line.partition(" loss")[0] for line in lines] == ["RBM 6-4 epoch 1/1", "RBM 6-4 epoch 2/2"]


def test_threads_make_no_difference():
    wide = np.random.default_rng(1).random((90, 300)).astype(np.float32)
    found = []
    for n_threads in (1, 2):
        unit = RBM(270, batch_size=30, n_threads=n_threads, random_state=0)
        found.append(params(unit.partial_fit(wide).partial_fit(wide[::-1])))
    np.testing.assert_array_equal(*found)
