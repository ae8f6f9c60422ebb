"""Data in use: scaling by what values meant in training, and refusal of what the model cannot take."""

import numpy as np
import pytest
import scipy.sparse

from stacked import RBM, Autoencoder, DataError, StackedAutoencoder, StackedClassifier
from stacked.data import ArrayRows, summarize
from stacked.scaling import InputScaling, fit_scaling, identity

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


ROWS = {
    "bytes": np.array([[0, 51], [255, 102]], np.uint8),
    "bits": np.array([[0, 1], [1, 1]], np.uint8),
    "floats": np.array([[0.0, 0.25], [1.0, 0.5]], np.float32),
    "wide": np.array([[-2.0, 6.0], [0.0, 4.0]]),
}


@pytest.mark.parametrize(
    ("mode", "kind", "scale", "offset", "unit_range"),
    [
        ("auto", "bytes", 1 / 255, 0.0, True),
        ("auto", "bits", 1.0, 0.0, True),
        ("auto", "floats", 1.0, 0.0, True),
        ("auto", "wide", 1.0, 0.0, False),
        ("none", "bytes", 1.0, 0.0, False),
        ("none", "floats", 1.0, 0.0, True),
        ("minmax", "bytes", 1 / 255, 0.0, True),
        ("minmax", "wide", 1 / 8, 2 / 8, True),
        ("standard", "wide", 1 / np.sqrt(10), -2 / np.sqrt(10), False),
    ],
)
def test_what_each_mode_makes_of_the_data(mode, kind, scale, offset, unit_range):
    rows = ArrayRows(ROWS[kind])
    found = fit_scaling(mode, rows, summarize(rows), np.dtype(np.float32))
    assert (found.scale, found.offset) == pytest.approx((scale, offset))
    assert (found.mode, found.unit_range, found.dtype) == (mode, unit_range, rows.dtype.name)
    assert found.sample_shape == (2,)
    assert found.for_rows(rows, summarize(rows)) == (found.scale, found.offset)


@pytest.mark.parametrize(("high", "unit_range"), [(1.0, True), (1 + 5e-7, True), (1 + 2e-6, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_unit_range_has_a_little_slack_on_both_sides(high, unit_range, sign):
    x = np.array([[0.0, high]]) if sign == 1 else np.array([[1.0 - high, 1.0]])
    rows = ArrayRows(x)
    assert fit_scaling("auto", rows, summarize(rows), np.dtype(np.float64)).unit_range == unit_range


def _scaling(kind, mode="auto"):
    rows = ArrayRows(ROWS[kind])
    return fit_scaling(mode, rows, summarize(rows), np.dtype(np.float32))


@pytest.mark.parametrize(
    ("trained", "used", "scaled"),
    [
        ("bytes", "bytes", (1 / 255, 0.0)),
        ("bytes", "bits", (1 / 255, 0.0)),  # a dark image
        ("bytes", "floats", (1.0, 0.0)),
        ("bytes", "wide", "expected uint8 images"),
        ("bits", "bits", (1.0, 0.0)),
        ("bits", "bytes", "values of 0 and 1"),
        ("bits", "floats", (1.0, 0.0)),
        ("floats", "bytes", (1 / 255, 0.0)),
        ("floats", "bits", "convert them to floats"),
        ("floats", "floats", (1.0, 0.0)),
        ("wide", "bytes", (1.0, 0.0)),
        ("wide", "bits", (1.0, 0.0)),
        ("wide", "floats", (1.0, 0.0)),
    ],
)
def test_what_values_mean_to_a_model_under_auto(trained, used, scaled):
    rows = ArrayRows(ROWS[used])
    if isinstance(scaled, tuple):
        assert _scaling(trained).for_rows(rows, summarize(rows)) == scaled
    else:
        with pytest.raises(DataError, match=scaled):
            _scaling(trained).for_rows(rows, summarize(rows))


@pytest.mark.parametrize("mode", ["minmax", "standard", "none"])
def test_other_modes_scale_all_rows_alike_without_a_look_at_them(mode):
    scaling = _scaling("wide", mode)
    for kind in ROWS:
        assert not scaling.depends_on_values(ArrayRows(ROWS[kind]))
        assert scaling.for_rows(ArrayRows(ROWS[kind]), None) == (scaling.scale, scaling.offset)


def test_constant_data_and_ranges_beyond_the_dtype_are_refused():
    for x, message in (
        (np.full((2, 2), 3.0), "every value is 3"),
        (np.array([[0.0, 1e39]]), "cannot be scaled to float32"),
    ):
        rows = ArrayRows(x)
        with pytest.raises(DataError, match=message):
            fit_scaling("none", rows, summarize(rows), np.dtype(np.float32))
    rows = ArrayRows(np.array([[0.0, 1e39]]))
    assert fit_scaling("none", rows, summarize(rows), np.dtype(np.float64)).scale == 1.0


def test_codes_are_taken_as_they_are():
    assert identity(3, "float32") == InputScaling(1.0, 0.0, (3,), "float32", "none", False)
