"""Anomaly scores: what they are of each model, that they find what is strange, and thresholds."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from stacked import RBM, Autoencoder, DataError, StackedAutoencoder, StackedClassifier, anomalies
from stacked.anomalies import Eye, _to_nearest, threshold
from stacked.metrics import anomaly_metrics

ADAM = {"output": "linear", "optimizer": "adam", "learning_rate": 1e-3, "batch_size": 20, "random_state": 0}


@pytest.fixture(scope="module")
def rows():
    """Rows of a curved sheet in 10 columns, and as many of which each column is from another row."""
    rng = np.random.default_rng(0)
    hidden, first, second = rng.normal(size=(600, 2)), rng.normal(size=(2, 20)), rng.normal(size=(20, 10))
    x = np.tanh(hidden @ first) @ second / 4 + 0.05 * rng.normal(size=(600, 10))
    strange = np.column_stack([rng.permutation(column) for column in x.T])[:200]
    return x.astype(np.float32), strange.astype(np.float32)


@pytest.fixture(scope="module")
def model(rows):
    units = [
        Autoencoder(24, activation="relu", epochs=30, **ADAM),
        Autoencoder(3, activation="linear", epochs=30, **ADAM),
    ]
    return StackedAutoencoder(units, finetune_epochs=30, finetune_batch_size=20, scaling="none", random_state=0).fit(
        rows[0][:400]
    )


def test_strange_rows_score_higher(model, rows):
    usual, strange = -model.score_samples(rows[0][400:]), -model.score_samples(rows[1])
    assert usual.dtype == np.float64 and usual.shape == (200,)
    assert roc_auc_score(np.repeat([0, 1], 200), np.concatenate([usual, strange])) > 0.9
    assert abs(np.median(usual)) < 2


def test_the_score_is_the_sum_of_its_standardised_distances(model, rows):
    x, baseline, seen = rows[1], model.baseline_, Eye(model.network_).look(rows[1])
    found = anomalies._distances(baseline, x, seen)
    assert len(found) == 3 and baseline.distances.shape == (3, 3)
    errors = np.square(x.astype(np.float64) - model.reconstruct(x)).sum(axis=1)
    np.testing.assert_allclose(found[0], errors, rtol=1e-4)
    expected = sum(
        (np.log(d / usual + 1e-3) - mean) / std for d, (usual, mean, std) in zip(found, baseline.distances, strict=True)
    )
    np.testing.assert_allclose(-model.score_samples(x), expected)


def test_standardised_distances_of_the_training_rows_have_mean_0_and_deviation_1(model, rows):
    x = rows[0][:400]
    found = anomalies._distances(model.baseline_, x, Eye(model.network_).look(x), own=np.arange(400))
    for d, row in zip(found, model.baseline_.distances, strict=True):
        z = anomalies._standard(d, *row)
        assert abs(z.mean()) < 1e-6 and abs(z.std() - 1) < 1e-6


def test_neighbours_are_the_nearest_but_oneself():
    rng = np.random.default_rng(0)
    kept, points = rng.normal(size=(50, 3)), rng.normal(size=(7, 3))
    expected = np.sort(np.linalg.norm(points[:, None] - kept, axis=2), axis=1)[:, :5].mean(axis=1)
    np.testing.assert_allclose(_to_nearest(kept, points, None), expected)
    own = np.arange(0, 100, 2)
    everything = np.insert(kept, np.arange(50), 9.0, axis=0)[::1]
    everything[own] = kept
    apart = np.sort(np.linalg.norm(kept[:, None] - kept, axis=2), axis=1)[:, 1:6].mean(axis=1)
    np.testing.assert_allclose(_to_nearest(kept, everything, own)[own], apart, rtol=1e-6)


def test_wide_answers_are_projected_and_distances_nearly_kept(rows):
    x = rows[0]
    wide = Autoencoder(300, activation="tanh", epochs=5, **ADAM).fit(x)
    baseline, answers = wide.baseline_, Eye(wide.network_).look(x).answers
    assert baseline.neighbours.shape == (600, 64) and baseline.spread.shape == (300,)
    true = np.linalg.norm((answers[:100] - answers[100:200]) / baseline.spread, axis=1)
    found = anomalies._projected(baseline, answers)
    np.testing.assert_allclose(np.linalg.norm(found[:100] - found[100:200], axis=1) / true, 1, atol=0.5)


def test_a_row_s_score_depends_on_that_row_alone(model, rows):
    together = model.score_samples(rows[1])
    np.testing.assert_allclose([model.score_samples(row[None])[0] for row in rows[1][:5]], together[:5], rtol=1e-9)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_so_many_training_rows_are_below_the_threshold(model, rows, quantile):
    share = np.mean(-model.score_samples(rows[0][400:]) <= threshold(model, quantile))
    assert abs(share - quantile) < 0.2
    kept = model.baseline_.scores
    assert threshold(model, 0) == kept[0] and threshold(model, 1) == kept[-1]


def test_rbms_are_scored_by_their_free_energy(small):
    unit = RBM(12, epochs=3, random_state=0).fit(small)
    np.testing.assert_array_equal(-unit.score_samples(small), unit.free_energy(small))
    assert unit.baseline_.scores[0] == pytest.approx(unit.free_energy(small).min(), rel=1e-5)
    assert unit.score_samples(small).mean() > unit.score_samples(np.random.default_rng(0).random((200, 64))).mean()


def test_classifiers_are_scored_by_the_sum_of_exponentials_of_their_logits(small, digits):
    labels = digits.labels[:300]
    model = StackedClassifier([Autoencoder(16, epochs=1)], finetune_epochs=3, random_state=0).fit(small, labels)
    head = {name: array.astype(np.float64) for name, array in model.network_.arrays(1).items()}
    logits = model.transform(small) @ head["weight"] + head["bias"]
    np.testing.assert_allclose(model.score_samples(small), np.log(np.exp(logits).sum(axis=1)), rtol=1e-5)
    np.testing.assert_allclose(model.baseline_.class_share, np.bincount(labels) / 300)
    assert threshold(model, 0.5) == pytest.approx(np.median(-model.score_samples(small)), rel=1e-4)


def test_few_rows_have_no_neighbours_but_a_score():
    x = np.random.default_rng(0).random((4, 6)).astype(np.float32)
    unit = Autoencoder(2, epochs=1, **ADAM).fit(x)
    assert unit.baseline_.neighbours is None and unit.baseline_.distances.shape == (2, 3)
    assert np.isfinite(unit.score_samples(x)).all()
    one = Autoencoder(2, epochs=1, **ADAM).fit(x[:1])
    assert np.isfinite(one.score_samples(x)).all()


def test_rows_that_repeat_have_finite_scores():
    x = np.repeat(np.random.default_rng(0).random((2, 6)), 40, axis=0).astype(np.float32)
    assert np.isfinite(Autoencoder(3, epochs=1, **ADAM).fit(x).score_samples(x)).all()


def test_scores_against_labels(model, rows):
    x, labels = np.vstack([rows[0][400:], rows[1]]), np.repeat([0, 1], 200)
    found = anomaly_metrics(model, x, labels)
    assert found["roc_auc"] == roc_auc_score(labels, -model.score_samples(x)) and found["anomalies"] == 200
    assert 0.9 < found["average_precision"] <= 1
    assert anomaly_metrics(model, x, labels.astype(str)) == found
    for bad in (np.zeros(400, int), labels + 1, np.array(["a", "b"])[labels]):
        with pytest.raises(DataError, match=r"expected labels 0 \(usual\) and 1 \(anomaly\)"):
            anomaly_metrics(model, x, bad)
    with pytest.raises(DataError, match="expected 400 labels"):
        anomaly_metrics(model, x, labels[:9])
