"""Sparsity of codes: shares, dead units and lifetime sparseness, by hand and by NumPy."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedClassifier
from stacked.sparsity import _Tally, code_sparsity

SHORT = {"epochs": 1, "batch_size": 50, "random_state": 0}


def report(codes, threshold=0.1, step=3):
    tally = _Tally(codes.shape[1], threshold)
    for start in range(0, len(codes), step):
        tally.add(codes[start : start + step])
    return tally.report()


def test_units_that_answer_to_one_row_to_all_and_to_none():
    codes = np.zeros((8, 4))
    codes[3, 0] = 0.7  # to one: sparseness 1
    codes[:, 1] = 0.5  # to all alike: 0
    codes[:4, 2] = 0.6  # to half: (1 - 1/2) / (1 - 1/8)
    codes[:, 3] = 0.05  # to none
    found = report(codes)
    assert found["lifetime_sparseness"] == pytest.approx((1 + 0 + 0.5 / (7 / 8)) / 3)
    assert (found["units"], found["dead_units"], found["active"]) == (4, 1, (1 + 8 + 4) / 32)
    means = np.sort([0.7 / 8, 0.5, 0.3, 0.05])
    assert found["mean_activation"] == pytest.approx(np.quantile(means, [0.25, 0.5, 0.75]).tolist())


def test_nothing_to_say():
    assert report(np.zeros((5, 2)))["lifetime_sparseness"] is None and report(np.zeros((5, 2)))["dead_units"] == 2
    assert report(np.ones((1, 2)))["lifetime_sparseness"] is None


def test_codes_that_are_not_there_do_not_count():
    codes = np.array([[0.5, 0.5, 0.3, np.nan], [0.5, np.nan, np.nan, np.nan], [0.0, 0.0, np.nan, np.nan]])
    found = report(codes, step=2)
    assert (found["units"], found["dead_units"], found["active"]) == (3, 0, 4 / 6)
    assert found["lifetime_sparseness"] == pytest.approx(((1 - 2 / 3) / (2 / 3) + (1 - 1 / 2) / (1 / 2)) / 2)
    assert found["mean_activation"] == pytest.approx(np.quantile([1 / 3, 0.25, 0.3], [0.25, 0.5, 0.75]).tolist())


def test_signs_do_not_count_but_in_the_mean():
    codes = np.random.default_rng(0).normal(size=(4000, 3))
    found = report(codes)
    assert (
        found["lifetime_sparseness"] == pytest.approx(1 - 2 / np.pi, abs=0.02) == report(-codes)["lifetime_sparseness"]
    )
    assert found["mean_activation"] == pytest.approx([-x for x in report(-codes)["mean_activation"][::-1]])
    assert found["active"] == (np.abs(codes) > 0.1).mean()


@pytest.mark.parametrize(
    ("activation", "threshold"), [("sigmoid", 0.1), ("tanh", 0.1), ("relu", 1e-3), ("linear", 1e-3)]
)
def test_of_a_model(digits, activation, threshold):
    unit = Autoencoder(12, activation=activation, learning_rate=0.01, **SHORT).fit(digits)
    codes = unit.transform(digits).astype(np.float64)  # more than one block of rows
    ratio = np.abs(codes).mean(0) ** 2 / (codes**2).mean(0)
    answers = np.abs(codes) > threshold
    alive = answers.any(axis=0)
    found = code_sparsity(unit, digits)
    assert found["lifetime_sparseness"] == pytest.approx(((1 - ratio) / (1 - 1 / 1797))[alive].mean(), rel=1e-6)
    assert found["active"] == pytest.approx(answers.mean()) and found["dead_units"] == 12 - alive.sum()


def test_images_are_scaled_and_the_top_of_a_stack_counts(small, digits):
    images, labels = (255 * small).astype(np.uint8), digits.labels[:300]
    clf = StackedClassifier([RBM(8, epochs=1), RBM(5, epochs=1)], finetune_epochs=1, random_state=0).fit(images, labels)
    codes = clf.transform(images)
    found = code_sparsity(clf, images)
    assert found["units"] == 5 and found["active"] == pytest.approx((codes > 0.1).mean())
    with pytest.raises(ValueError, match="features"):
        code_sparsity(clf, images[:, :9])
