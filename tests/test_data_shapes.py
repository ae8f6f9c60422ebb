"""Samples keep their shape from the file to the model; tables are told one; models take flat rows, and no other shape."""

import gzip
import struct

import h5py
import numpy as np
import pytest

import stacked.data.memory
from stacked import RBM, Autoencoder, DataError, StackedAutoencoder, load
from stacked.data import ArrayRows, H5Rows, as_rows, fingerprint, open_data, summarize
from stacked.data.encoded import EncodedRows
from stacked.data.shapes import as_sequences, like_training, shaped

from .test_cli_boundary import misused, refused, run_well

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)
SHORT = {"epochs": 1, "batch_size": 6, "random_state": 0}
TRAIN = ("--layers", 3, "--unit", "autoencoder", "--epochs", 1, "-q", "--threads", 1)


def _idx(path, array):
    with gzip.open(path, "wb") as file:
        file.write(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def _hdf5(path, array):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=array, compression="gzip")


def _folder(path, array):
    from PIL import Image

    path.mkdir()
    for number, image in enumerate(array):
        Image.fromarray(image).save(path / f"{number:02}.png")


WRITERS = {"a.idx.gz": _idx, "a.npy": np.save, "a.npz": np.savez, "a.h5": _hdf5, "images": _folder}


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("name", WRITERS)
def test_every_form_keeps_the_shape_of_images(tmp_path, name, images):
    WRITERS[name](tmp_path / name, images)
    rows = open_data(tmp_path / name)
    assert rows.sample_shape == images.shape[1:] and not rows.ragged
    np.testing.assert_array_equal(rows.read(0, 12), images.reshape(12, -1))
    if name == "a.h5":
        with H5Rows(tmp_path / name, "images") as streamed:
            assert streamed.sample_shape == images.shape[1:] and not streamed.ragged
            assert fingerprint(streamed) == fingerprint(rows)


@pytest.mark.parametrize("x", [GREY, COLOUR, GREY / 300, np.float32(COLOUR), list(GREY)])
def test_arrays_of_images_keep_it_through_training_and_file(tmp_path, x):
    model = Autoencoder(3, **SHORT).fit(x)
    shape = np.shape(x)[1:]
    assert model.scaling_.sample_shape == shape and model.n_features_in_ == np.prod(shape)
    flat = np.asarray(x).reshape(12, -1)
    np.testing.assert_array_equal(model.transform(x), model.transform(flat))
    model.save(tmp_path / "m.h5")
    again = load(tmp_path / "m.h5")
    assert again.scaling_.sample_shape == shape
    np.testing.assert_array_equal(again.reconstruct(x), model.reconstruct(flat))


def test_a_scaling_by_column_keeps_it():
    x = RNG.normal(size=(12, 5, 4)) * 1000
    rows = EncodedRows(ArrayRows(x), lambda table: table / 2, 20, np.dtype(np.float64), (5, 4))
    assert rows.sample_shape == (5, 4) and not rows.ragged
    scaling = StackedAutoencoder([RBM(3, visible="gaussian", **SHORT)], scaling="center").fit(x).scaling_
    assert scaling.uniform is None and scaling.sample_shape == (5, 4)
    assert scaling.for_training(as_rows(x), summarize(as_rows(x)), np.dtype(np.float32)).rows.sample_shape == (5, 4)


def test_one_channel_more_is_the_same_image_and_another_shape_is_not(small):
    model = Autoencoder(3, **SHORT).fit(small.reshape(-1, 8, 8))
    codes = model.transform(small)
    np.testing.assert_array_equal(model.transform(small.reshape(-1, 8, 8, 1)), codes)
    with pytest.raises(DataError, match="expected samples of shape 8 x 8 as in the training, found 4 x 16; reshape"):
        model.transform(small.reshape(-1, 4, 16))
    with pytest.raises(DataError, match="X has 60 features, but the model is expecting 64"):
        model.transform(small[:, :60].reshape(-1, 6, 10))
    flat = Autoencoder(3, **SHORT).fit(small)
    np.testing.assert_array_equal(flat.transform(small.reshape(-1, 8, 8)), flat.transform(small))


def test_rows_are_told_another_shape_wherever_they_are(tmp_path, monkeypatch):
    many = np.tile(GREY.reshape(12, 20), (250, 1))
    _hdf5(tmp_path / "a.h5", many)
    loaded = open_data(tmp_path / "a.h5")
    other = shaped(loaded, (4, 5))
    assert (other.sample_shape, loaded.sample_shape) == ((4, 5), (20,)) and other.array is loaded.array
    assert shaped(other, (4, 5)) is other
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: 3 * many.nbytes)
    with open_data(tmp_path / "a.h5", shape=(4, 5)) as streamed, open_data(tmp_path / "a.h5") as flat:
        for rows in (streamed, shaped(flat, (4, 5))):
            assert not rows.in_memory and rows.sample_shape == (4, 5)
            assert fingerprint(rows) == fingerprint(other) != fingerprint(loaded)


@pytest.mark.parametrize("shape", [(5, 4), [5, 4], (5, 4, 1), (20,), (np.int64(2), 10)])
def test_a_table_is_told_its_shape(tmp_path, shape):
    np.savetxt(tmp_path / "a.csv", GREY.reshape(12, -1), fmt="%d", delimiter=",")
    rows = open_data(tmp_path / "a.csv", shape=shape)
    assert rows.sample_shape == tuple(shape) and all(type(size) is int for size in rows.sample_shape)
    np.testing.assert_array_equal(rows.read(0, 12), GREY.reshape(12, -1))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5, 5), "a.npy: expected 25 columns for samples of shape 5 x 5, found 20"),
        ((2**40, 2**40, 2**40), r"expected 1,3\d\d,\S+ columns"),
        ((5, 0), "shape: expected 1 to 8 whole numbers from 1 on"),
        ((-5, -4), "shape: expected 1 to 8 whole numbers from 1 on"),
        ((5.0, 4), "shape: expected 1 to 8 whole numbers"),
        ((True, 20), "shape: expected 1 to 8 whole numbers"),
        ((), "shape: expected 1 to 8 whole numbers"),
        ((1,) * 8 + (20,), "shape: expected 1 to 8 whole numbers"),
        ("5x4", "shape: expected 1 to 8 whole numbers"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(tmp_path, shape, words):
    np.save(tmp_path / "a.npy", GREY)
    with pytest.raises(DataError, match=words) as caught:
        open_data(tmp_path / "a.npy", shape=shape)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_flat_rows_are_sequences_of_single_numbers_and_images_none():
    assert as_sequences(ArrayRows(GREY.reshape(12, 20))).sample_shape == (20, 1)
    assert as_sequences(ArrayRows(GREY)).sample_shape == (5, 4)
    with pytest.raises(
        DataError, match=r"expected sequences, samples \(steps, numbers\), found samples of shape 5 x 4 x 3"
    ):
        as_sequences(ArrayRows(COLOUR))


def test_flat_rows_of_sequences_get_the_shape_of_the_training():
    rows = like_training(ArrayRows(GREY.reshape(12, 20)), (5, 4), sequences=True)
    assert rows.sample_shape == (5, 4)
    rows = like_training(ArrayRows(GREY.reshape(12, 20)), (5, 5), sequences=True)
    assert rows.sample_shape == (20,)  # whose width is refused


@pytest.fixture
def table(tmp_path):
    """A CSV file of twelve flat images with a header and labels."""
    path = tmp_path / "images.csv"
    lines = [",".join(["label", *(f"p{i}" for i in range(20))])]
    lines += [",".join(map(str, [i % 2, *image.ravel() / 256])) for i, image in enumerate(GREY)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("text", ["5x4", "5x4x1"])
def test_the_command_line_takes_a_shape_and_the_file_has_it(tmp_path, table, text):
    run_well("pretrain", table, "-o", tmp_path / "m.h5", "--shape", text, *TRAIN)
    shape = tuple(map(int, text.split("x")))
    assert load(tmp_path / "m.h5").scaling_.sample_shape == shape
    assert text.replace("x", " x ") in run_well("info", tmp_path / "m.h5").stdout
    codes = [tmp_path / f"{name}.npy" for name in ("flat", "told")]
    run_well("encode", tmp_path / "m.h5", table, "-o", codes[0])
    run_well("encode", tmp_path / "m.h5", table, "-o", codes[1], "--shape", text)
    np.testing.assert_array_equal(*map(np.load, codes))


@pytest.mark.parametrize("value", ["[5, 4]", '"5x4"'])
def test_so_does_toml(tmp_path, table, value):
    (tmp_path / "c.toml").write_text(f"[pretrain]\nshape = {value}\n")
    run_well("pretrain", table, "-o", tmp_path / "m.h5", "--config", tmp_path / "c.toml", *TRAIN)
    assert load(tmp_path / "m.h5").scaling_.sample_shape == (5, 4)


def test_rows_of_a_table_keep_their_shape_when_a_model_makes_them_again(tmp_path, table):
    model = Autoencoder(3, **SHORT).fit(open_data(table, shape=(5, 4)))
    other = tmp_path / "other.csv"
    other.write_text("\n".join(table.read_text().splitlines()[:4]))  # other means, and so another recipe
    codes = model.transform(open_data(other))
    np.testing.assert_array_equal(model.transform(open_data(other, shape=(5, 4))), codes)
    with pytest.raises(DataError, match="expected samples of shape 5 x 4 as in the training, found 4 x 5"):
        model.transform(open_data(other, shape=(4, 5)))


def test_bad_shapes_at_the_command_line(tmp_path, table):
    out = ("-o", tmp_path / "m.h5", "--label-column", "label", *TRAIN)
    line = refused("pretrain", table, *out, "--shape", "5x5")
    assert line.endswith("images.csv: expected 25 columns for samples of shape 5 x 5, found 20")
    for text in ("5x", "x", "5x4x0", "5,4", "-5x-4", "5x4.0", ""):
        assert "expected a shape such as 28x28 or 28x28x3" in misused("pretrain", table, *out, "--shape", text)
    (tmp_path / "c.toml").write_text("shape = [5, 4.5]\n")
    assert "expected a shape such as" in misused("pretrain", table, *out, "--config", tmp_path / "c.toml")
    assert not (tmp_path / "m.h5").exists()
