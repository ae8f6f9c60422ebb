"""What a model is held against: samples of rows, principal components, and how both are kept in files."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from stacked import RBM, Autoencoder, ModelFileError, StackedAutoencoder, load
from stacked import baseline as base
from stacked.baseline import baseline_of, principal_components, sample_rows, squared_errors, surprise
from stacked.data import ArrayRows
from stacked.files import Baseline, write_model
from stacked.models.saving import to_record

ADAM = {"output": "linear", "optimizer": "adam", "learning_rate": 1e-3, "epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(400, 4)) @ rng.normal(size=(4, 12)) + 0.1 * rng.normal(size=(400, 12)) + 3).astype(
        np.float32
    )


class Streamed(ArrayRows):
    """Rows that are not to be had as one array."""

    in_memory = False


def test_all_rows_are_the_sample_up_to_a_bound(x):
    np.testing.assert_array_equal(sample_rows(ArrayRows(x), (1.0, 0.0)), x)
    np.testing.assert_array_equal(sample_rows(ArrayRows(x), (2.0, 1.0))[7], 2 * x[7] + 1)
    subset = np.array([3, 4, 90, 399])
    np.testing.assert_array_equal(sample_rows(ArrayRows(x), (1.0, 0.0), subset), x[subset])


@pytest.mark.parametrize("most", [1, 5, 32, 33, 100, 399])
def test_a_sample_has_so_many_different_rows_from_end_to_end(most):
    rows = ArrayRows(np.arange(400, dtype=np.float32)[:, None])
    found = sample_rows(rows, (1.0, 0.0), most=most)[:, 0]
    assert len(found) == most and (np.diff(found) > 0).all()
    assert most < 64 or found[-1] > 350


def test_a_sample_of_wide_rows_is_short(x, monkeypatch):
    monkeypatch.setattr(base, "SAMPLE_VALUES", 12 * 50)
    assert len(sample_rows(ArrayRows(x), (1.0, 0.0))) == 50


@pytest.mark.parametrize("n", [400, 9])
@pytest.mark.parametrize("k", [1, 5])
def test_components_are_those_of_scikit_learn(x, n, k):
    mean, found, variances = principal_components(x[:n], k)
    expected = PCA(k, svd_solver="full").fit(x[:n].astype(np.float64))
    np.testing.assert_allclose(mean, expected.mean_, rtol=1e-5)
    np.testing.assert_allclose(variances[:-1], expected.explained_variance_ * (n - 1) / n, rtol=1e-3)
    np.testing.assert_allclose(np.abs(found @ expected.components_.T), np.eye(k), atol=2e-3)


def test_no_more_components_than_rows_and_columns_give(x):
    assert principal_components(x[:3], 9)[1].shape == (2, 12)
    assert principal_components(x, 99)[1].shape == (11, 12)
    assert principal_components(x[:1], 3)[1].shape == (0, 12)
    assert principal_components(x[:, :1], 3)[1].shape == (0, 1)


def test_many_columns_are_looked_at_in_few_rows(x, monkeypatch):
    monkeypatch.setattr(base, "MOST_SIDE", 11)
    mean, found, _ = principal_components(x, 3)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-5)


def test_values_that_squares_cannot_hold_give_no_components():
    huge = np.full((20, 3), 3e38, np.float32) * np.random.default_rng(0).random((20, 3)).astype(np.float32)
    assert baseline_of(huge, 2).components is None


def test_errors_of_constant_and_components(x):
    found = baseline_of(x, 3)
    centred = x.astype(np.float64) - found.mean
    projected = centred @ found.components.T @ found.components
    constant, pca = squared_errors(found, x[:50], 3)
    assert constant == pytest.approx(np.square(centred[:50]).sum())
    assert pca == pytest.approx(np.square(centred - projected)[:50].sum(), rel=1e-5)
    assert squared_errors(replace(found, components=None), x[:50], 3) == (constant, constant)


def test_surprise_is_the_log_density_of_probabilistic_pca(x, monkeypatch):
    monkeypatch.setattr(base, "RIDGE", 0.0)
    x = x + np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    found, expected = baseline_of(x, 4), PCA(4, svd_solver="full").fit(x.astype(np.float64))
    ours, theirs = surprise(found, x), -2 * expected.score_samples(x.astype(np.float64))
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=0.02, atol=0.1)


def test_variance_that_components_leave(x):
    found = baseline_of(x, 2, least=6)
    assert found.components.shape == (6, 12) and found.variances.shape == (7,)
    for k in (0, 2, 6):
        expected = PCA(12).fit(x.astype(np.float64)).explained_variance_[k:].sum() * 399 / 400
        assert base.left_over(found, k) == pytest.approx(expected, rel=1e-4)


def _fitted(x, **params):
    return StackedAutoencoder([Autoencoder(6, activation="relu", **ADAM), Autoencoder(3, activation="linear", **ADAM)],
                              finetune_epochs=2, random_state=0, **{"scaling": "none", **params})  # fmt: skip


def _same(one, other):
    assert one.arrays().keys() == other.arrays().keys()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name], err_msg=name)


def test_a_baseline_is_kept_in_the_file_to_the_bit(x, tmp_path):
    model = _fitted(x).fit(x)
    model.save(tmp_path / "m.h5")
    again = load(tmp_path / "m.h5")
    _same(model.baseline_, again.baseline_)
    assert model.baseline_.components.shape == (11, 12) and model.baseline_.scores.shape == (1001,)
    np.testing.assert_array_equal(model.score_samples(x), again.score_samples(x))


def test_threads_and_streaming_change_no_bit(x):
    one = _fitted(x, n_threads=1).fit(x)
    _same(one.baseline_, _fitted(x, n_threads=2).fit(x).baseline_)
    _same(one.baseline_, _fitted(x).fit(Streamed(x)).baseline_)


def test_rows_held_out_are_not_looked_at(x):
    held = _fitted(x, validation_fraction=0.5).fit(x)
    everything = _fitted(x).fit(x)
    assert np.abs(held.baseline_.mean - everything.baseline_.mean).max() > 1e-4


def test_training_again_replaces_the_baseline_and_failing_leaves_none(x):
    model = _fitted(x).fit(x)
    before = model.baseline_
    model.set_params(finetune_learning_rate=1e6, finetune_optimizer="momentum")
    with pytest.raises(Exception, match="fine-tuning"):
        model.finetune(x)
    assert model.baseline_ is None
    model.set_params(finetune_learning_rate=1e-3, finetune_optimizer="adam")
    _same(model.pretrain(x + 1).baseline_, model.baseline_)
    np.testing.assert_allclose(model.baseline_.mean, before.mean + 1, rtol=1e-5)


def _with(record, **arrays):
    return replace(record, baseline=replace(record.baseline, **arrays))


UNFIT = {
    "mean": (lambda b: {"mean": b.mean[:-1]}, r"/baseline/mean: expected the shape \(12\), found \(11,\)"),
    "type": (lambda b: {"mean": b.mean.astype("f8")}, "/baseline/mean: expected the type <f4, found <f8"),
    "components' width": (lambda b: {"components": b.components[:, 1:]}, "/baseline/components: expected the shape"),
    "too many components": (
        lambda b: {"components": np.eye(12, dtype="f4"), "variances": np.ones(13)},
        r"/baseline/components: expected the shape \(1 to 11, 12\)",
    ),
    "long components": (lambda b: {"components": 2 * b.components}, "/baseline/components: expected rows of length 1"),
    "huge components": (lambda b: {"components": 0 * b.components + 3e38}, "/baseline/components: expected rows of"),
    "no mean": (lambda b: {"mean": None}, "/baseline: expected mean beside components, found none"),
    "no variances": (lambda b: {"variances": None}, "/baseline: expected variances beside components"),
    "no spread": (lambda b: {"spread": None}, "/baseline: expected spread beside neighbours"),
    "variances of nothing": (lambda b: {"variances": 0 * b.variances}, "/baseline/variances: expected numbers above 0"),
    "spread of nothing": (lambda b: {"spread": -b.spread}, "/baseline/spread: expected numbers above 0"),
    "few neighbours": (lambda b: {"neighbours": b.neighbours[:2]}, "/baseline/neighbours: expected the shape"),
    "distances": (lambda b: {"distances": b.distances[1:]}, r"/baseline/distances: expected the shape \(3, 3\)"),
    "usual": (lambda b: {"distances": 0 * b.distances}, "/baseline/distances: expected usual distances"),
    "scores": (lambda b: {"scores": b.scores[::-1]}, "/baseline/scores: expected quantiles in ascending order"),
    "a score": (lambda b: {"scores": b.scores[:1]}, "/baseline/scores: expected the shape"),
    "shares": (lambda b: {"class_share": np.ones(2) / 2}, r"/baseline/class_share: expected the shape \(0\)"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_fits_no_model_is_refused(name, x, tmp_path):
    record = to_record(_fitted(x).fit(x))
    change, message = UNFIT[name]
    write_model(tmp_path / "m.h5", _with(record, **change(record.baseline)))
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path / "m.h5")


def test_names_that_nobody_knows_are_refused(x, tmp_path):
    record = to_record(_fitted(x).fit(x))

    class Odd(Baseline):
        def arrays(self):
            return {"sundry": np.ones(3, "f4")}

    with pytest.raises(ModelFileError, match="/baseline: expected names among"):
        write_model(tmp_path / "m.h5", replace(record, baseline=Odd()))


def test_a_file_without_a_baseline_is_read(x, tmp_path):
    model = _fitted(x).fit(x)
    write_model(tmp_path / "m.h5", replace(to_record(model), baseline=None))
    again = load(tmp_path / "m.h5")
    assert again.baseline_ is None
    errors = np.square(x.astype(np.float64) - model.reconstruct(x)).sum(axis=1)
    np.testing.assert_allclose(-again.score_samples(x), errors, rtol=1e-3)


def test_single_units_have_baselines_too(x, tmp_path):
    for unit in (Autoencoder(20, **ADAM), RBM(3, scaling="minmax", epochs=1, random_state=0)):
        unit.fit(x).save(tmp_path / "m.h5")
        _same(unit.baseline_, load(tmp_path / "m.h5").baseline_)
