"""The numbers of ``stacked evaluate``, each by hand."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, DataError, StackedAutoencoder, StackedClassifier
from stacked.data import ArrayRows
from stacked.metrics import class_numbers, classification_metrics, reconstruction_metrics

SHORT = {"epochs": 2, "batch_size": 50, "random_state": 0}


def test_errors_of_images_are_in_scaled_units(small):
    images = (255 * small).astype(np.uint8)
    model = RBM(8, **SHORT).fit(images)
    found = reconstruction_metrics(model, images[:70])
    x, r = images[:70] / 255, model.reconstruct(images[:70]).astype(np.float64) / 255
    squared = ((x - r) ** 2).sum(1).mean()
    entropy = -(x * np.log(r) + (1 - x) * np.log1p(-r)).sum(1).mean()
    assert set(found) == {"n_samples", "n_features", "squared_error", "cross_entropy", "rmse"}
    assert (found["n_samples"], found["n_features"]) == (70, 64)
    assert found["squared_error"] == pytest.approx(squared, rel=1e-4)
    assert found["rmse"] == pytest.approx(np.sqrt(squared / 64), rel=1e-4)
    assert found["cross_entropy"] == pytest.approx(entropy, rel=1e-4)


def test_cross_entropy_is_of_sigmoid_outputs_alone(small):
    linear = Autoencoder(8, output="linear", learning_rate=0.01, **SHORT).fit(small)
    assert reconstruction_metrics(linear, small)["cross_entropy"] is None
    deep = StackedAutoencoder(
        [RBM(8), RBM(4, hidden="gaussian", learning_rate=0.001)], finetune_epochs=1, random_state=0
    )
    assert reconstruction_metrics(deep.fit(small), small)["cross_entropy"] > 0


@pytest.fixture
def classifier(small, digits):
    """Of the digits 0 to 9 by the names a to j."""
    settings = {"finetune_epochs": 15, "finetune_learning_rate": 0.01, "finetune_batch_size": 50, "random_state": 0}
    clf = StackedClassifier([Autoencoder(16, epochs=1)], **settings)
    return clf.fit(small, np.array(list("abcdefghij"))[digits.labels[:300]])


def test_a_classifiers_numbers(classifier, small, digits):
    numbers = digits.labels[:200]
    names = np.array(list("abcdefghij"))[numbers]
    found = classification_metrics(classifier, small[:200], names)
    predicted, p = classifier.predict(small[:200]), classifier.predict_proba(small[:200]).astype(np.float64)
    wrong = int((predicted != names).sum())
    assert 0 < wrong < 100
    assert (found["n_samples"], found["n_features"], found["errors"]) == (200, 64, wrong)
    assert found["accuracy"] == pytest.approx(1 - wrong / 200) == classifier.score(small[:200], names)
    assert found["cross_entropy"] == pytest.approx(-np.log(p[np.arange(200), numbers]).mean(), rel=1e-4)
    assert found["classes"] == list("abcdefghij")
    for row, true in enumerate("abcdefghij"):
        for column, guess in enumerate("abcdefghij"):
            assert found["confusion"][row][column] == ((names == true) & (predicted == guess)).sum()


def test_labels_given_win_over_those_of_the_rows(classifier, small):
    right, wrong = classifier.predict(small), np.array(["a", "b"])[(classifier.predict(small) == "a").astype(int)]
    rows = ArrayRows(small, labels=right)
    assert classification_metrics(classifier, rows)["errors"] == 0
    assert classification_metrics(classifier, rows, wrong)["accuracy"] == 0
    assert classifier.score(rows) == 1 and classifier.score(rows, wrong) == 0


def test_labels_that_do_not_fit_are_refused(small):
    rows, classes = ArrayRows(small[:4]), np.array([2, 5, 9])
    np.testing.assert_array_equal(class_numbers(rows, [9, 2, 5, 9], classes), [2, 0, 1, 2])
    with pytest.raises(DataError, match="expected rows with labels, found none"):
        class_numbers(rows, None, classes)
    with pytest.raises(DataError, match=r"expected 4 labels, one a row, found shape \(3,\)"):
        class_numbers(rows, [2, 5, 9], classes)
    with pytest.raises(DataError, match="among 2, 5, 9; found 7 at row 2"):
        class_numbers(rows, [2, 5, 7, 8], classes)
    with pytest.raises(DataError, match=r"among 0, 1, .*9, \.\.\.; found 11"):
        class_numbers(rows, [0, 1, 11, 12], np.arange(11))
