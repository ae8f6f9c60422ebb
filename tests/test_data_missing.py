"""Missing values that are not NaN are refused wherever samples and labels come in; masks that hide nothing are not."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedClassifier
from stacked.data import as_rows
from stacked.data.labels import as_labels
from stacked.errors import DataError

TABLE = np.random.default_rng(0).random((30, 4))
LABELS = np.arange(30) % 3
MASKED = np.ma.masked_greater(TABLE, 0.9)
WHOLE = np.ma.masked_greater(TABLE, 2)
RAGGED = [np.ma.masked_greater(row, 0.9) for row in TABLE]
IMAGES = np.ma.masked_greater(TABLE.reshape(30, 2, 2), 0.9)
SAMPLES = {"masked": MASKED, "float32": MASKED.astype("f4"), "list of rows": RAGGED, "images": IMAGES}


class Missing:
    """As pandas' NA: neither equal nor unequal to anything."""

    def __eq__(self, other):
        return self

    __ne__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __repr__(self):
        return "<NA>"


def with_last(value):
    return np.array([*LABELS[:-1].tolist(), value], object)


LABEL_CASES = {
    "masked": (np.ma.masked_equal(LABELS, 2), "labels without missing values, found a masked one"),
    "masked in a list": ([*LABELS[:-1], np.ma.masked], "labels without missing values, found a masked one"),
    "None": (with_last(None), "found None at row 29"),
    "None in a list": (list(with_last(None)), "found None at row 29"),
    "None in text": (["a", None, "b"] * 10, "found None at row 1"),
    "NaN in objects": (with_last(np.nan), "found nan at row 29"),
    "NA": (with_last(Missing()), "found <NA> at row 29"),
}


@pytest.fixture(scope="module")
def unit():
    return Autoencoder(3, epochs=0).fit(TABLE)


@pytest.fixture(scope="module")
def classifier():
    return StackedClassifier([Autoencoder(3, epochs=0)], finetune_epochs=0).fit(TABLE, LABELS)


def refused(call, *args, words):
    with pytest.raises(DataError, match=words) as caught:
        call(*args)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SAMPLES)
def test_masked_samples(name, unit, classifier):
    samples, words = SAMPLES[name], "expected an array without missing values, found a masked one"
    for model in (Autoencoder(3), RBM(3)):
        refused(model.fit, samples, words=words)
        assert not hasattr(model, "network_")
    for call in (as_rows, unit.transform, unit.score, unit.reconstruct, classifier.predict):
        refused(call, samples, words=words)
    refused(classifier.score, samples, LABELS, words=words)


def test_masked_codes(unit):
    refused(unit.inverse_transform, MASKED[:, :3], words="<codes>: expected an array without missing values")


@pytest.mark.parametrize("name", LABEL_CASES)
def test_missing_labels(name, classifier):
    labels, words = LABEL_CASES[name]
    refused(StackedClassifier([Autoencoder(3, epochs=0)]).fit, TABLE, labels, words=f"y: .*{words}")
    refused(classifier.score, TABLE, labels, words=f"y: .*{words}")
    refused(as_labels, labels, "some.npy", words="some.npy: expected (integer or text )?labels")


def test_masks_that_hide_nothing_are_no_matter(unit):
    np.testing.assert_array_equal(unit.transform(WHOLE), unit.transform(TABLE))
    np.testing.assert_array_equal(as_labels(np.ma.masked_equal(LABELS, 7), "y"), LABELS)
    model = StackedClassifier([Autoencoder(3, epochs=0)], finetune_epochs=0).fit(WHOLE, np.ma.masked_equal(LABELS, 7))
    assert model.score(WHOLE, np.ma.masked_equal(LABELS, 7)) == model.score(TABLE, LABELS)
