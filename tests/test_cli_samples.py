"""What `reconstruct`, `decode` and `sample` write keeps the shape of samples, and is taken back by the commands that read data."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    ConvolutionalAutoencoder,
    DataError,
    RecurrentAutoencoder,
    SequenceAutoencoder,
    load,
    open_data,
)

from .test_cli_boundary import refused, run_well

RNG = np.random.default_rng(0)
SHORT = {"epochs": 1, "random_state": 0, "batch_size": 20}
SEQUENCES = RNG.random((40, 6, 2)).astype(np.float32)
SEQUENCES[::3, 4:] = np.nan
COLOURS = RNG.integers(0, 256, (40, 8, 6, 3), np.uint8)
UNITS = {
    "grey images": (Autoencoder(5, **SHORT), COLOURS[..., 0]),
    "colours": (ConvolutionalAutoencoder(4, **SHORT), COLOURS),
    "floats": (Autoencoder(5, **SHORT), (COLOURS / 255).astype(np.float32)),
    "zeros and ones": (Autoencoder(5, **SHORT), COLOURS[..., 0] // 128),
    "real": (Autoencoder(5, output="linear", **SHORT), RNG.normal(size=(40, 3, 4)).astype(np.float32)),
    "flat bytes": (Autoencoder(5, **SHORT), COLOURS.reshape(40, -1)),
    "sequences": (SequenceAutoencoder(4, **SHORT), SEQUENCES),
    "steps": (RecurrentAutoencoder(4, **SHORT), SEQUENCES),
}


@pytest.fixture(params=UNITS)
def home(request, tmp_path, monkeypatch):
    """A folder with data and a model of them, and these."""
    monkeypatch.chdir(tmp_path)
    unit, x = UNITS[request.param]
    np.save("x.npy", x)
    unit.fit(x).save("m.h5")
    return load("m.h5"), x


def is_bytes(x):
    return x.dtype == np.uint8 and x.max() > 1


def as_written(x, answers):
    """What the library answers (n, V) as commands write it."""
    return (np.rint(answers).clip(0, 255) if is_bytes(x) else answers).reshape(len(answers), *x.shape[1:])


def test_reconstructions_are_taken_back(home):
    model, x = home
    run_well("reconstruct", "m.h5", "x.npy", "-o", "r.npy")
    found = np.load("r.npy")
    np.testing.assert_array_equal(found, as_written(x, model.reconstruct(x)))
    assert found.dtype == (np.uint8 if is_bytes(x) else np.float32)
    run_well("evaluate", "m.h5", "r.npy")
    run_well("encode", "m.h5", "r.npy", "-o", "c.npy")
    np.testing.assert_array_equal(np.load("c.npy"), model.transform(found))
    run_well("reconstruct", "m.h5", "x.npy", "-o", "d.npy", "--corrupt", "masking:0.2")
    assert np.load("d.npy").shape == x.shape and np.load("d.npy").dtype == found.dtype
    run_well("reconstruct", "m.h5", "x.npy", "-o", "r.h5:/images/new")
    assert open_data("r.h5:/images/new").sample_shape == x.shape[1:]


def test_decoded_codes_are_taken_back(home):
    model, x = home
    run_well("encode", "m.h5", "x.npy", "-o", "c.npy")
    run_well("decode", "m.h5", "c.npy", "-o", "d.npy")
    found = np.load("d.npy")
    np.testing.assert_array_equal(found, as_written(x, model.inverse_transform(np.load("c.npy"))))
    run_well("evaluate", "m.h5", "d.npy")


def test_codes_of_steps_tell_where_sequences_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", SEQUENCES)
    unit = RecurrentAutoencoder(4, **SHORT).fit(SEQUENCES)
    unit.save("m.h5")
    for codes in ("c.npy", "c.csv", "c.h5:/codes"):
        run_well("encode", "m.h5", "x.npy", "-o", codes)
        run_well("decode", "m.h5", codes, "-o", "d.npy")
        found = np.load("d.npy")
        np.testing.assert_array_equal(np.isnan(found), np.isnan(SEQUENCES))
        np.testing.assert_allclose(found.reshape(40, -1), unit.reconstruct(SEQUENCES), atol=1e-6)
    (tmp_path / "c.csv").write_text(",".join(["1", "nan", *"2" * 22]) + "\n")
    assert "found NaN at row 0, step 0, column 1" in refused("decode", "m.h5", "c.csv")


@pytest.mark.parametrize("reverse", [True, False])
def test_one_code_is_decoded_to_all_steps_of_which_a_shorter_sequence_has_the_last_or_first(
    reverse, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", SEQUENCES)
    unit = SequenceAutoencoder(4, reverse=reverse, **SHORT).fit(SEQUENCES)
    unit.save("m.h5")
    run_well("encode", "m.h5", "x.npy", "-o", "c.npy")
    run_well("decode", "m.h5", "c.npy", "-o", "d.npy")
    found, expected = np.load("d.npy"), unit.reconstruct(SEQUENCES).reshape(SEQUENCES.shape)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[::3, 2:] if reverse else found[::3, :4], expected[::3, :4], atol=1e-6)


def test_a_table_of_text_has_a_line_a_sample(home):
    model, x = home
    run_well("reconstruct", "m.h5", "x.npy", "-o", "r.csv")
    found = np.loadtxt("r.csv", delimiter=",", dtype=np.float32)
    np.testing.assert_array_equal(found, as_written(x, model.reconstruct(x)).reshape(len(x), -1))


def test_a_table_of_text_is_taken_back(home):
    model, x = home
    run_well("reconstruct", "m.h5", "x.npy", "-o", "r.csv")
    if x is SEQUENCES:
        line = refused("evaluate", "m.h5", "r.csv")
        assert (
            "line 1, column 9: expected a finite number, found 'nan'; sequences that end early are read from .npy"
            in line
        )
        return
    run_well("reconstruct", "m.h5", "x.npy", "-o", "r.npy")
    written = np.load("r.npy")
    run_well("evaluate", "m.h5", "r.csv")
    for data in ("r.csv", "r.npy"):
        run_well("encode", "m.h5", data, "-o", f"{data}.codes.npy")
        run_well("score", "m.h5", data, "-o", f"{data}.scores.csv")
        run_well("reconstruct", "m.h5", data, "-o", f"{data}.again.csv")
    np.testing.assert_allclose(np.load("r.csv.codes.npy"), model.transform(written), rtol=1e-4, atol=1e-6)
    for name in ("scores.csv", "again.csv"):
        texts = [Path(f"r.{suffix}.{name}").read_text() for suffix in ("csv", "npy")]
        assert texts[0] == texts[1] or not is_bytes(x)  # decimals of text are read in float64


def test_fine_tuning_on_bytes_that_stand_in_a_table_of_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", COLOURS)
    np.savetxt("x.csv", COLOURS.reshape(40, -1), fmt="%d", delimiter=",")
    run_well("pretrain", "x.npy", "-o", "m.h5", "--layers", "c4k3-3", "--epochs", 1, "--threads", 1, "-q")
    for data in ("x.npy", "x.csv"):
        run_well("finetune", "m.h5", data, "-o", f"{data}.h5", "--epochs", 1, "--threads", 1, "-q")
    one, other = load("x.npy.h5"), load("x.csv.h5")
    np.testing.assert_array_equal(one.transform(COLOURS), other.transform(COLOURS))


@pytest.mark.parametrize("values", [[[0.5, 1, 0, 1]], [[0.5, 2, 3, 4]], [[1, 0, 256, 4]], [[-1, 2, 3, 4]]])
def test_other_numbers_in_a_table_are_no_bytes(values, tmp_path):
    np.savetxt(tmp_path / "x.csv", np.array(values * 2), delimiter=",")
    model = Autoencoder(2, **SHORT).fit(COLOURS.reshape(-1, 2, 2))
    rows = open_data(tmp_path / "x.csv")
    if np.max(values) <= 1:
        np.testing.assert_array_equal(model.transform(rows), model.transform(np.array(values * 2, np.float32)))
    else:
        with pytest.raises(DataError, match=r"expected uint8 images like those of the training, or floats in \[0, 1\]"):
            model.transform(rows)


def test_bytes_for_a_model_of_floats_and_floats_for_one_of_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    floats = (COLOURS / 255).astype(np.float32)
    for name, trained, given, kind in (("f", floats, COLOURS, np.uint8), ("b", COLOURS, floats, np.float32)):
        np.save(f"{name}.npy", given)
        Autoencoder(5, **SHORT).fit(trained).save(f"{name}.h5")
        run_well("reconstruct", f"{name}.h5", f"{name}.npy", "-o", "r.npy")
        assert np.load("r.npy").dtype == kind and np.load("r.npy").shape == COLOURS.shape
        run_well("evaluate", f"{name}.h5", "r.npy")


def test_flat_rows_and_shorter_sequences(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Autoencoder(5, **SHORT).fit(COLOURS).save("i.h5")
    SequenceAutoencoder(4, **SHORT).fit(SEQUENCES).save("s.h5")
    np.save("flat.npy", COLOURS.reshape(40, -1))
    np.save("short.npy", SEQUENCES[:, :3])
    whole = RNG.integers(0, 256, (40, 6, 2), np.uint8)
    SequenceAutoencoder(4, **SHORT).fit(whole).save("b.h5")
    np.save("bytes.npy", whole[:, :3])
    shapes = ("i.h5", "flat.npy", (40, 144)), ("s.h5", "short.npy", (40, 3, 2)), ("b.h5", "bytes.npy", (40, 3, 2))
    for model, data, shape in shapes:
        run_well("reconstruct", model, data, "-o", "r.npy")
        found = np.load("r.npy")
        assert found.shape == shape and found.dtype == (np.float32 if data == "short.npy" else np.uint8)
        run_well("evaluate", model, "r.npy")


def test_answers_in_place_of_targets_have_their_shape(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = RNG.random((40, 5, 2)).astype(np.float32)
    SequenceAutoencoder(4, **SHORT).fit(x, target=RNG.random((40, 3, 4)).astype(np.float32)).save("t.h5")
    np.save("x.npy", x)
    run_well("reconstruct", "t.h5", "x.npy", "-o", "r.npy")
    run_well("encode", "t.h5", "x.npy", "-o", "c.npy")
    run_well("decode", "t.h5", "c.npy", "-o", "d.npy")
    assert np.load("r.npy").shape == np.load("d.npy").shape == (40, 3, 4)


def test_samples_are_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RBM(4, **SHORT).fit(COLOURS[..., 0]).save("m.h5")
    run_well("sample", "m.h5", "-n", 3, "--steps", 2, "-o", "s.npy")
    expected = load("m.h5").sample(3, steps=2, random_state=0)
    np.testing.assert_array_equal(np.load("s.npy"), np.rint(expected).reshape(3, 8, 6))
    assert np.load("s.npy").dtype == np.uint8
    run_well("evaluate", "m.h5", "s.npy")
    run_well("sample", "m.h5", "-n", 3, "--steps", 2, "-o", "s.h5")
    with h5py.File("s.h5") as file:
        assert file["data"].shape == (3, 8, 6)
