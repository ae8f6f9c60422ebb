"""The built-in data sets: determinism, what they show, and the arguments they take."""

import numpy as np
import pytest
from scipy import ndimage, stats

from stacked.data import BUILTIN_NAMES, fingerprint, lengths_of, open_data, summarize
from stacked.errors import DataError

LARGEST_STROKE = 0.35  # share of a curve's image that ink may cover


@pytest.mark.parametrize(
    ("spec", "shape", "dtype", "labelled"),
    [
        ("digits", (1797, 8, 8), np.float32, True),
        ("curves:50", (50, 28, 28), np.uint8, False),
        ("blocks", (5000, 16, 16), np.uint8, True),
        ("rectangles", (20_000, 28, 28), np.uint8, False),
        ("movies:30", (30, 16, 576), np.uint8, True),
        ("symbols", (10_000, 30, 8), np.float32, False),
    ],
)
def test_shape_dtype_and_labels(spec, shape, dtype, labelled):
    rows = open_data(spec)
    assert (rows.n_rows, *rows.sample_shape) == shape and rows.n_columns == np.prod(shape[1:])
    assert rows.dtype == dtype and rows.name == spec and rows.in_memory
    assert (rows.labels is not None) == labelled
    assert not summarize(rows, sequences=True).constant


def test_curves_have_twenty_thousand_rows_by_default():
    rows = open_data("curves")
    assert rows.n_rows == 20_000
    np.testing.assert_array_equal(rows.read(0, 40), open_data("curves:40:0").read(0, 40))


@pytest.mark.parametrize("name", BUILTIN_NAMES[1:])
def test_a_seed_gives_the_same_rows_and_another_seed_others(name):
    assert fingerprint(open_data(f"{name}:30:5")) == fingerprint(open_data(f"{name}:30:5"))
    assert fingerprint(open_data(f"{name}:30:5")) != fingerprint(open_data(f"{name}:30:6"))


@pytest.mark.parametrize("name", BUILTIN_NAMES[1:])
def test_a_smaller_set_is_the_start_of_a_larger_one(name):
    np.testing.assert_array_equal(open_data(f"{name}:2100").read(0, 1500), open_data(f"{name}:1500").read(0, 1500))


def test_digits_lie_between_zero_and_one():
    rows = open_data("digits")
    summary = summarize(rows)
    assert (summary.minimum, summary.maximum) == (0, 1)
    assert set(rows.labels) == set(range(10))


def test_a_curve_is_one_connected_stroke_with_soft_edges():
    images = open_data("curves:200").read(0, 200).reshape(-1, 28, 28)
    for image in images:
        assert ndimage.label(image > 100, structure=np.ones((3, 3)))[1] == 1
    assert np.all(images.reshape(200, -1).max(axis=1) > 240)
    assert np.all((images > 25).mean(axis=(1, 2)) < LARGEST_STROKE)
    assert np.mean((images > 0) & (images < 255)) > np.mean(images == 255)


def test_the_label_of_blocks_is_how_many_there_are():
    rows = open_data("blocks:300:7")
    images = rows.read(0, 300).reshape(-1, 16, 16)
    counted = [ndimage.label(image, structure=np.ones((3, 3)))[1] for image in images]
    np.testing.assert_array_equal(rows.labels, counted)
    assert set(rows.labels) == {1, 2, 3, 4} and set(np.unique(images)) == {0, 255}


def test_sums_through_the_middle_are_the_sides_of_a_rectangle():
    images = open_data("rectangles:2000:3").read(0, 2000).reshape(-1, 28, 28) / 255
    height, width = images[:, :, 14].sum(1), images[:, 14].sum(1)
    for side in (height, width):
        assert 4 - 0.01 < side.min() < 4.1 and 25.9 < side.max() < 26.01
        assert stats.kstest(side, stats.uniform(4, 22).cdf).pvalue > 0.01
    assert abs(np.corrcoef(height, width)[0, 1]) < 0.1
    np.testing.assert_allclose(images.sum((1, 2)), height * width, atol=0.2)
    np.testing.assert_array_equal(images, images[:, ::-1])
    np.testing.assert_array_equal(images, images[:, :, ::-1])


@pytest.mark.parametrize(
    "spec",
    [
        *("digits:5", "curves:0", "curves:x", "curves:", "curves:-1", "curves:10:1:2", "curves:²", f"curves:{10**18}"),
        *("blocks:5:x", f"blocks:5:{2**64}", f"blocks:{'9' * 5000}", "rectangles:0"),
    ],
)
def test_bad_arguments_are_named(spec):
    with pytest.raises(DataError) as caught:
        open_data(spec)
    assert str(caught.value).startswith(spec[:200]) and "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_built_in_ones(tmp_path):
    with pytest.raises(DataError) as caught:
        open_data("mnisst")
    assert all(name in str(caught.value) for name in ("mnisst", *BUILTIN_NAMES))


def test_a_file_called_like_a_built_in_set_needs_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("digits", [[1, 2]])
    assert open_data("digits").n_rows == 1797
    with pytest.raises(DataError, match=r"\./digits: expected IDX"):
        open_data("./digits")


def test_a_movie_is_one_digit_that_moves_evenly_and_stays_within_the_frame():
    rows, digits = open_data("movies:300:2"), open_data("digits")
    frames = rows.read(0, 300).reshape(300, 16, 24, 24).astype(np.float64)
    ink = frames.sum(axis=(2, 3))
    assert (ink == ink[:, :1]).all() and ink.min() > 0  # nothing is ever cut off
    assert set(rows.labels) == set(digits.labels)
    middle = np.stack([(frames * at).sum(axis=(2, 3)) / ink for at in np.ogrid[:24, :24]])
    steps = np.abs(np.diff(middle, axis=2))
    assert steps.max() < 3 + 1e-9 and (steps.sum(axis=2) > 3).all()
    assert (np.diff(np.sign(np.diff(middle, axis=2)), axis=2) != 0).any(axis=2).mean() > 0.5  # most bounce
    assert np.square(frames[:, -1:] - frames).mean() > 0.2 * np.square(frames).mean()


def test_symbols_are_one_among_eight_until_the_sequence_ends():
    rows = open_data("symbols:4000:1")
    table, lengths = rows.read(0, 4000).reshape(4000, 30, 8), lengths_of(rows)
    assert (lengths.min(), lengths.max()) == (10, 30) and rows.ragged
    there = np.arange(30) < lengths[:, None]
    assert np.isnan(table[~there]).all()
    assert (np.sort(table[there], axis=1) == [0] * 7 + [1]).all()
    counts = table[there].sum(axis=0)
    assert stats.chisquare(counts).pvalue > 1e-3 and stats.chisquare(np.bincount(lengths)[10:]).pvalue > 1e-3
