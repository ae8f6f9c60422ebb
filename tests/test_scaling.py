"""Data in use: scaling by what values meant in training, and refusal of what the model cannot take."""

import numpy as np
import pytest
import scipy.sparse

from stacked import RBM, Autoencoder, DataError, StackedAutoencoder, StackedClassifier

SHORT = {"epochs": 2, "batch_size": 50}


def _stack():
    return StackedAutoencoder([RBM(8, **SHORT), RBM(4, **SHORT)], finetune_epochs=2, random_state=0)


def test_auto_scaling_goes_by_what_uint8_values_meant_in_training(small):
    bits = (small > 0.5).astype(np.float32)
    from_floats = RBM(8, random_state=0, **SHORT).fit(bits)
    images = bits.astype(np.uint8) * 255
    np.testing.assert_allclose(from_floats.transform(images), from_floats.transform(bits), atol=1e-6)
    np.testing.assert_array_equal(from_floats.transform(images)[:1], from_floats.transform(images[:1]))
    with pytest.raises(DataError, match="convert them to floats"):
        from_floats.transform(bits.astype(np.uint8))
    from_bytes = RBM(8, random_state=0, **SHORT).fit(bits.astype(np.uint8))
    np.testing.assert_array_equal(from_bytes.transform(bits.astype(np.uint8)), from_bytes.transform(bits))
    with pytest.raises(DataError, match="values of 0 and 1"):
        from_bytes.transform(images)
    counts = (small * 16).astype(np.uint8)
    gaussian = RBM(8, visible="gaussian", learning_rate=1e-4, random_state=0, **SHORT).fit(counts.astype(np.float32))
    np.testing.assert_array_equal(gaussian.transform(counts.astype(np.float32)), gaussian.transform(counts))


def test_sparse_images_scale_like_dense_ones(small):
    images = (small * 255).astype(np.uint8)
    dense, sparse = (RBM(8, random_state=0, **SHORT).fit(x) for x in (images, scipy.sparse.csr_array(images)))
    np.testing.assert_array_equal(dense.weight_, sparse.weight_)


@pytest.mark.parametrize("change", [lambda x: x * 3, lambda x: x - 0.5, lambda x: x * 1e300])
def test_data_out_of_the_models_range_are_refused_in_use(change, small, digits):
    data = change(small.astype(np.float64))
    clf = StackedClassifier([RBM(4, **SHORT)], finetune_epochs=1, random_state=0).fit(small, digits.labels[:300])
    for use in (_stack().fit(small).transform, RBM(4, random_state=0, **SHORT).fit(small).reconstruct, clf.predict):
        with pytest.raises(DataError, match=r"\[0, 1\]"):
            use(data)


def test_answers_that_are_not_finite_are_refused(small):
    unit = Autoencoder(4, output="linear", activation="relu", learning_rate=0.01, random_state=0, **SHORT).fit(
        small - 0.5
    )
    with pytest.raises(DataError, match="not finite"):
        unit.transform((small - 0.5).astype(np.float64) * 1e300)


def test_minmax_of_large_offsets_stays_in_the_unit_range():
    x = np.linspace(1234567, 1234570, 60, dtype=np.float32).reshape(20, 3)
    unit = RBM(2, scaling="minmax", epochs=1, random_state=0).fit(x)
    ((_, block),) = unit.network_.blocks(*_rows_and_scale(unit, x))
    assert block.min() > -1e-6 and block.max() < 1 + 1e-6


def _rows_and_scale(unit, x):
    rows, scaled = unit._fitted_rows(x)
    return rows, *scaled
