"""Rows corrupted on purpose: each kind by hand, and how far a model brings them back."""

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stacked import RBM, Autoencoder, DataError, SettingError, StackedAutoencoder, StackedClassifier
from stacked.corruption import KINDS, OF_IMAGES, check_level, corrupt, examples, repair

IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, (1500, 8, 8)).astype(np.float32)  # more than one block of rows
LEVELS = {"gaussian": 0.3, "masking": 0.25, "salt_and_pepper": 0.1, "blocks": 0.25, "blur": 1.5}


@pytest.fixture(scope="module")
def images(digits):
    """(1797, 8, 8) uint8."""
    return (255 * digits.array).astype(np.uint8).reshape(-1, 8, 8)


@pytest.fixture(scope="module")
def model(images):
    units = [Autoencoder(60, corruption="masking", corruption_level=0.3, epochs=20, batch_size=20)]
    return StackedAutoencoder(units, finetune_epochs=0, random_state=0).pretrain(images)


def test_gaussian_noise_has_its_deviation_and_is_not_clipped():
    noise = corrupt(IMAGES, "gaussian", 0.3, 0) - IMAGES
    assert noise.std() == pytest.approx(0.3, rel=0.02) and abs(noise.mean()) < 0.01
    assert (IMAGES + noise).min() < 0 and (IMAGES + noise).max() > 1


def test_masking_puts_out_a_share():
    found = corrupt(IMAGES, "masking", 0.25, 0)
    assert (found == 0).mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(found[found != 0], IMAGES[found != 0])


def test_salt_and_pepper_are_the_extremes_of_the_rows():
    found = corrupt(IMAGES, "salt_and_pepper", 0.1, 0)
    changed = found != IMAGES
    assert changed.mean() == pytest.approx(0.1, abs=0.01)
    assert set(found[changed].tolist()) == {float(IMAGES.min()), float(IMAGES.max())}
    assert (found[changed] == IMAGES.max()).mean() == pytest.approx(0.5, abs=0.02)


def sides_of_blocks(shape, level):
    """Heights, widths and corners of what became 0, each checked to be one block."""
    found = corrupt(np.ones((400, *shape), np.float32), "blocks", level, 0)
    missing = (found == 0).reshape(400, *shape[:2], -1)
    assert (missing.all(3) == missing.any(3)).all()  # all channels of a pixel
    sizes, corners = set(), set()
    for image in missing[..., 0]:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        sizes.add((len(rows), len(columns)))
        corners.add((rows[0], columns[0]))
        assert image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert len(sizes) == 1
    return sizes.pop(), corners


@pytest.mark.parametrize(
    ("shape", "level", "size"),
    [((8, 8), 0.25, (4, 4)), ((8, 8), 1.0, (8, 8)), ((10, 6, 3), 0.15, (3, 3)), ((2, 20), 0.5, (2, 10)), ((20, 2), 0.5, (10, 2))],
)  # fmt: skip
def test_blocks_cover_their_share_anywhere(shape, level, size):
    found, corners = sides_of_blocks(shape, level)
    assert found == size
    assert corners == {(r, c) for r in range(shape[0] - size[0] + 1) for c in range(shape[1] - size[1] + 1)}


def test_blur_is_a_gaussian_filter_of_each_image_and_channel():
    for shape in ((8, 8), (8, 4, 2)):
        x = IMAGES[:5].reshape(5, *shape)
        planes = x[..., None] if len(shape) == 2 else x
        for image, blurred in zip(planes, corrupt(x, "blur", 1.5), strict=True):
            for c, channel in enumerate(np.moveaxis(image, -1, 0)):
                expected = gaussian_filter(channel, 1.5, mode="nearest")
                np.testing.assert_allclose(blurred[..., c] if len(shape) == 3 else blurred, expected, atol=1e-6)
    flat = np.full((2, 8, 8), 0.7, np.float32)
    np.testing.assert_allclose(corrupt(flat, "blur", 3), flat, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_depends_on_the_seed_and_the_row_alone(kind):
    whole = corrupt(IMAGES, kind, LEVELS[kind], 1)
    np.testing.assert_array_equal(corrupt(IMAGES, kind, LEVELS[kind], 1), whole)
    if kind != "salt_and_pepper":  # whose values are those of the rows
        np.testing.assert_array_equal(corrupt(IMAGES[:1100], kind, LEVELS[kind], 1), whole[:1100])
    assert np.array_equal(corrupt(IMAGES, kind, LEVELS[kind], 2), whole) == (kind == "blur")
    np.testing.assert_array_equal(corrupt(IMAGES, kind, 0, 1), IMAGES)
    wide = corrupt(IMAGES.astype(np.float64), kind, LEVELS[kind], 1)
    assert wide.dtype == np.float64 and whole.dtype == np.float32
    np.testing.assert_allclose(wide, whole, atol=1e-6)


def test_bytes_are_scaled_first_and_nothing_is_written_to():
    given = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4) * 8
    before = given.copy()
    np.testing.assert_allclose(corrupt(given, "masking", 0), given / 255, rtol=1e-6)
    np.testing.assert_array_equal(corrupt(given % 2, "masking", 0), given % 2)
    corrupt(given, "blocks", 0.5)
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("gaussian", -0.1), ("gaussian", np.inf), ("masking", 1.1), ("salt_and_pepper", np.nan), ("blocks", 2),
        ("blur", 101), ("blur", "1"),
    ],
)  # fmt: skip
def test_levels_are_checked_for_each_kind(kind, level):
    with pytest.raises(SettingError, match=rf"^{kind}: expected a number in \[0, "):
        corrupt(IMAGES, kind, level)


def test_kinds_are_checked():
    with pytest.raises(SettingError, match=r"corruption: expected one of gaussian, masking, .*; found 'none'"):
        check_level("none", 0.1)
    for kind in OF_IMAGES:
        with pytest.raises(
            DataError, match=r"expected images, samples of \(height, width\) .* found samples of shape \(64,\)"
        ):
            corrupt(IMAGES.reshape(-1, 64), kind, 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_repair_is_of_scaled_rows_and_reports_scaled_errors(model, images, kind):
    found = repair(model, images, kind, LEVELS[kind], 3)
    clean = images.reshape(-1, 64) / 255
    corrupted = corrupt(images, kind, LEVELS[kind], 3).reshape(-1, 64)
    assert found.corrupted_error == pytest.approx(np.square(corrupted - clean).sum(1).mean(), rel=1e-5)
    assert found.error == pytest.approx(np.square(found.reconstructions / 255 - clean).sum(1).mean(), rel=1e-4)
    first = next(examples(model, images, kind, LEVELS[kind], 3))
    np.testing.assert_allclose(first.corrupted, corrupted[:1024], atol=1e-6)
    np.testing.assert_allclose(first.repaired * 255, found.reconstructions[:1024], rtol=1e-5)
    if kind in ("masking", "salt_and_pepper"):
        assert found.error < 0.7 * found.corrupted_error


def test_of_no_damage_it_is_reconstruction(model, images):
    found = repair(model, images, "masking", 0)
    assert found.corrupted_error == 0 and found.error == pytest.approx(-model.score(images), rel=1e-5)
    np.testing.assert_allclose(found.reconstructions, model.reconstruct(images), rtol=1e-5, atol=1e-3)


def test_streamed_rows_and_threads_give_the_same_bits(model, images, tmp_path):
    whole = repair(model, images, "blocks", 0.25, 0)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = images
        streamed = repair(model.set_params(n_threads=1), file["x"], "blocks", 0.25, 0)
    model.set_params(n_threads=None)
    np.testing.assert_array_equal(streamed.reconstructions, whole.reconstructions)
    assert streamed[1:] == whole[1:]


def test_the_model_knows_the_shape_of_flat_rows(model, images, small):
    flat = repair(model, images.reshape(-1, 64), "blur", 1, 0)
    np.testing.assert_array_equal(flat.reconstructions, repair(model, images, "blur", 1, 0).reconstructions)
    unit = RBM(5, epochs=1, random_state=0).fit(small)
    with pytest.raises(DataError, match="expected images"):
        repair(unit, small, "blocks", 0.5)


def test_a_classifier_repairs_nothing(small):
    classifier = StackedClassifier([RBM(4, epochs=0)], random_state=0).pretrain(small)
    with pytest.raises(SettingError, match="model: expected one that decodes, found StackedClassifier; give"):
        repair(classifier, small, "masking", 0.5)
