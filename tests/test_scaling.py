"""Data in use: scaling by what values meant in training, and refusal of what the model cannot take."""

import numpy as np
import pytest
import scipy.sparse

from stacked import RBM, Autoencoder, DataError, StackedAutoencoder, StackedClassifier
from stacked.data import ArrayRows, summarize
from stacked.scaling import identity
from stacked.scaling_rules import fit_scaling

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
    "bytes": np.array([[[0, 51]], [[255, 102]]], np.uint8),
    "numbers": np.array([[0, 51], [255, 102]], np.uint8),
    "bits": np.array([[0, 1], [1, 1]], np.uint8),
    "floats": np.array([[0.0, 0.25], [1.0, 0.5]], np.float32),
    "wide": np.array([[-2.0, 6.0], [0.0, 4.0]]),
    "images": np.array([[[-2.0, 6.0]], [[0.0, 4.0]]]),
}


@pytest.mark.parametrize(
    ("mode", "kind", "scale", "offset", "unit_range"),
    [
        ("auto", "bytes", 1 / 255, 0.0, True),
        ("auto", "bits", 1.0, 0.0, True),
        ("auto", "floats", 1.0, 0.0, True),
        ("auto", "wide", [1, 1], [1, -5], False),
        ("none", "bytes", 1.0, 0.0, False),
        ("none", "floats", 1.0, 0.0, True),
        ("minmax", "bytes", 1 / 255, 0.0, True),
        ("minmax", "numbers", [1 / 255, 1 / 51], [0, -1], True),
        ("auto", "numbers", [2 / 255, 2 / 51], [-1, -3], False),
        ("minmax", "wide", [1 / 2, 1 / 2], [1, -2], True),
        ("minmax", "images", 1 / 8, 2 / 8, True),
        ("standard", "wide", [1, 1], [1, -5], False),
        ("standard", "images", 1 / np.sqrt(10), -2 / np.sqrt(10), False),
        ("center", "wide", [1, 1], [1, -5], False),
    ],
)
def test_what_each_mode_makes_of_the_data(mode, kind, scale, offset, unit_range):
    rows = ArrayRows(ROWS[kind])
    found = fit_scaling(mode, rows, summarize(rows), np.dtype(np.float32))
    np.testing.assert_allclose(found.scale, np.broadcast_to(scale, 2), rtol=1e-12)
    np.testing.assert_allclose(found.offset, np.broadcast_to(offset, 2), rtol=1e-12)
    assert (found.uniform is None) == isinstance(scale, list)
    assert (found.mode, found.unit_range, found.dtype) == (mode, unit_range, rows.dtype.name)
    assert found.sample_shape == rows.sample_shape
    if found.uniform is not None:
        assert found.numbers_for(rows, summarize(rows)) == found.uniform


@pytest.mark.parametrize(("high", "unit_range"), [(1.0, True), (1 + 5e-7, True), (1 + 2e-6, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_unit_range_has_a_little_slack_on_both_sides(high, unit_range, sign):
    ends = (0.0, high) if sign == 1 else (1.0 - high, 1.0)
    x = np.array([ends, ends[::-1]])
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
    ],
)
def test_what_values_mean_to_a_model_under_auto(trained, used, scaled):
    rows = ArrayRows(ROWS[used])
    if isinstance(scaled, tuple):
        assert _scaling(trained).numbers_for(rows, summarize(rows)) == scaled
    else:
        with pytest.raises(DataError, match=scaled):
            _scaling(trained).numbers_for(rows, summarize(rows))


@pytest.mark.parametrize("mode", ["minmax", "standard", "none", "auto"])
def test_scalings_by_column_scale_all_rows_alike_without_a_look_at_them(mode):
    scaling = _scaling("wide", mode)
    for kind in ROWS:
        rows = ArrayRows(ROWS[kind])
        assert not scaling.depends_on_values(rows)
        table, (scale, offset) = scaling.in_use(rows, np.dtype(np.float64))
        expected = ROWS[kind].reshape(2, 2).astype(np.float64) * scaling.scale + scaling.offset
        np.testing.assert_allclose(table.read(0, 2) * scale + offset, expected, rtol=1e-12)


def test_constant_data_and_ranges_beyond_the_dtype_are_refused():
    for x, message in (
        (np.full((2, 2), 3.0), "every value is 3"),
        (np.array([[0.0, 1e39]]), "cannot be scaled to float32"),
    ):
        rows = ArrayRows(x)
        with pytest.raises(DataError, match=message):
            fit_scaling("none", rows, summarize(rows), np.dtype(np.float32))
    rows = ArrayRows(np.array([[0.0, 1e39]]))
    assert fit_scaling("none", rows, summarize(rows), np.dtype(np.float64)).uniform == (1.0, 0.0)


def test_codes_are_taken_as_they_are():
    found = identity((3,), "float32")
    assert found.uniform == (1.0, 0.0) and (found.sample_shape, found.dtype, found.mode) == ((3,), "float32", "none")


# ---- the rule of auto, on data of many kinds ----------------------------------------------------------------------------


def _numbers(kind):
    """Raw rows (n, V) of a kind of data that `auto` tells apart by their values."""
    rng = np.random.default_rng(7)
    if kind == "scores":  # whole numbers with common bounds
        return rng.integers(0, 16, (300, 16)).astype(np.uint8)
    if kind == "drawings":  # grey levels 0 to 16 that differ in spread, as many in the middle as at the borders
        return np.where(rng.random((300, 64)) < np.linspace(0.02, 0.9, 64), rng.integers(0, 17, (300, 64)), 0)
    if kind == "spectra":
        peaks = np.exp(-(((np.arange(80) - rng.uniform(10, 70, (300, 1))) / 6) ** 2)) * rng.uniform(1, 9, (300, 1))
        return peaks + 1000 + np.arange(80)
    if kind == "words":
        return rng.poisson(0.05 + rng.gamma(0.2, 1.0, 200), (300, 200))
    if kind == "categories":  # four numbers among columns of zeros and ones
        ones = (rng.random((300, 40)) < rng.uniform(0.02, 0.5, 40)).astype(float)
        return np.column_stack([rng.integers(17, 90, 300), rng.integers(10_000, 10**6, 300), ones])
    if kind == "faces":  # bytes, flat
        return np.clip(rng.normal(128, 40, (300, 100)), 0, 255).astype(np.uint8)
    table = rng.normal(size=(300, 5)) * [1e-3, 1.0, 50.0, 1.0, 1.0] + [0, 5, -2000, 0, 0]
    table[:, 3] = rng.random(300) < 0.1
    table[:, 4] = np.exp(rng.normal(1, 3, 300))
    return np.column_stack([table, np.full(300, 4.5)])


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("scores", "the whole table to [0, 1]"),
        ("drawings", "the whole table to [0, 1]"),
        ("spectra", "each column minus its mean, all divided by one deviation"),
        ("words", "logarithms, each column minus its mean, all divided by one deviation"),
        ("faces", "images"),
        ("categories", "each column to mean 0 and deviation 1, zeros and ones as they are"),
        (
            "table",
            "each column to mean 0 and deviation 1, zeros and ones as they are; 1 by their logarithm; 1 that do not vary set aside",
        ),
    ],
)
def test_auto_tells_kinds_of_data_apart(kind, method):
    rows = ArrayRows(_numbers(kind))
    found = fit_scaling("auto", rows, summarize(rows), np.dtype(np.float32))
    assert found.method == method
    scaled = found.apply(rows.read(0, 300), np.dtype(np.float64))
    raw = _numbers(kind).astype(np.float64)
    np.testing.assert_allclose(found.undo(scaled.copy()), raw, rtol=1e-9, atol=1e-9 * np.abs(raw).max())
    if kind in ("spectra", "words"):
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
        varies = scaled.std(axis=0) > 0
        assert np.square(scaled[:, varies]).mean() == pytest.approx(1)
    if kind == "table":
        np.testing.assert_allclose(scaled[:, [0, 1, 2, 4]].std(axis=0), 1)
        assert set(np.unique(scaled[:, 3])) == {0, 1} and (scaled[:, 5] == 0).all()


def test_one_deviation_keeps_the_ratio_of_errors():
    rows = ArrayRows(_numbers("spectra"))
    found = fit_scaling("auto", rows, summarize(rows), np.dtype(np.float32))
    assert len(set(found.scale.tolist())) == 1 and found.uniform is None


def test_a_table_of_equal_rows_has_nothing_to_learn():
    rows = ArrayRows(np.tile([3.0, 7.0, -1.0], (5, 1)))
    with pytest.raises(DataError, match="n_samples=5, all rows are alike"):
        fit_scaling("auto", rows, summarize(rows), np.dtype(np.float32))


def test_columns_scaled_by_themselves_train_to_the_same_bits_streamed_or_not(tmp_path, monkeypatch):
    import h5py

    from stacked.data import encoded, open_data

    table = _numbers("table").astype(np.float32)
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["data"] = table
    settings = {"activation": "tanh", "output": "linear", "learning_rate": 0.001, "random_state": 0, **SHORT}
    kept = Autoencoder(3, **settings).fit(table)
    monkeypatch.setattr(encoded, "available_memory", lambda: 0)
    with open_data(str(tmp_path / "table.h5")) as rows:
        streamed = Autoencoder(3, **settings).fit(rows)
    np.testing.assert_array_equal(kept.network_.params, streamed.network_.params)
    np.testing.assert_array_equal(kept.transform(table), streamed.transform(table))


def test_values_beyond_the_dtype_after_scaling_are_refused_in_use():
    unit = Autoencoder(2, activation="tanh", output="linear", learning_rate=0.001, random_state=0, **SHORT)
    unit.fit(_numbers("table"))
    with pytest.raises(DataError, match=r"expected finite numbers, found \+inf at row 0, column 0"):
        unit.transform(_numbers("table") * 1e300)


def test_constant_columns_do_not_reach_the_network_and_come_back():
    table = _numbers("table")
    unit = Autoencoder(2, activation="tanh", output="linear", learning_rate=0.001, random_state=0, **SHORT).fit(table)
    other = table.copy()
    other[:, 5] = 1e6
    np.testing.assert_array_equal(unit.transform(other), unit.transform(table))
    assert (unit.reconstruct(other)[:, 5] == 4.5).all() and (unit.inverse_transform(np.ones((2, 2)))[:, 5] == 4.5).all()


def test_logarithms_have_signs_and_are_undone():
    table = np.array([[-50.0, 7.0], [0.0, 7.0], [3.0, 7.0], [4e5, 7.0]])
    rows = ArrayRows(table)
    found = fit_scaling("log", rows, summarize(rows), np.dtype(np.float64))
    scaled = found.apply(table, np.dtype(np.float64))
    logs = np.sign(table[:, 0]) * np.log1p(np.abs(table[:, 0]))
    np.testing.assert_allclose(scaled[:, 0], (logs - logs.mean()) / logs.std(), rtol=1e-12)
    np.testing.assert_allclose(found.undo(scaled.copy()), table, rtol=1e-9, atol=1e-9)  # 7 as it was, not its logarithm


def test_columns_are_described_alike_however_they_are_cut(monkeypatch):
    from stacked.data import columns

    table = np.random.default_rng(2).normal(size=(300, 6)).cumsum(axis=1).cumsum(axis=0) + 1e4
    whole = columns.describe_columns(ArrayRows(table))
    monkeypatch.setattr(ArrayRows, "slices", lambda self: ((i, min(i + 70, 300)) for i in range(0, 300, 70)))
    cut = columns.describe_columns(ArrayRows(table))
    neighbours = [np.corrcoef(table[:, j], table[:, j + 1])[0, 1] for j in range(5)]
    for found in (whole, cut):
        np.testing.assert_allclose(found.mean, table.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.std, table.std(axis=0), rtol=1e-9)
        assert found.neighbours == pytest.approx(np.mean(neighbours), rel=1e-9)


def test_floats_in_other_units_than_the_trainings_are_refused_in_use():
    shares = np.random.default_rng(4).random((60, 5)) * 0.4 + 0.3
    unit = Autoencoder(2, activation="tanh", output="linear", learning_rate=0.001, random_state=0, **SHORT).fit(shares)
    assert np.isfinite(unit.transform(shares * 2)).all()
    with pytest.raises(DataError, match=r"expected values like those of the training, in \[0, 1\], found \[7"):
        unit.transform(shares * 255)
