"""`stacked reconstruct --corrupt` and pictures: what is written, reported, drawn and refused."""

import json
import sys
import tomllib

import numpy as np
import pytest

from stacked import Autoencoder, StackedAutoencoder, load
from stacked.corruption import examples, repair

from .test_cli_boundary import misused, refused, run_well


@pytest.fixture(scope="module")
def home(tmp_path_factory, digits):
    """A denoising model of images, and images."""
    folder = tmp_path_factory.mktemp("repair")
    images = (255 * digits.array[:60]).astype(np.uint8).reshape(-1, 8, 8)
    np.save(folder / "x.npy", images)
    np.save(folder / "flat.npy", images.reshape(60, 64))
    units = [Autoencoder(20, corruption_level=0.3, epochs=3, batch_size=20)]
    StackedAutoencoder(units, random_state=0).pretrain(images).save(folder / "model.h5")
    flat = Autoencoder(4, epochs=1, random_state=0)
    flat.fit(digits.array[:60]).save(folder / "flat.h5")
    return folder


def as_bytes(images):
    return np.rint(images).clip(0, 255)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn is noted instead of drawn."""
    plot = pytest.importorskip("stacked.cli.plot")
    noted = []
    monkeypatch.setattr(plot, "rows_png", lambda *args: noted.append(args) or b"\x89PNG picture")
    return noted


@pytest.mark.parametrize("spec", ["gaussian:0.3", "masking:.25", "salt_and_pepper:0.1", "blocks:0.25", "blur:1.5"])
def test_repaired_rows_are_written_and_errors_reported(home, tmp_path, spec):
    args = (
        "reconstruct",
        home / "model.h5",
        home / "x.npy",
        "-o",
        tmp_path / "out.npy",
        "--corrupt",
        spec,
        "--seed",
        7,
    )
    kind, level = spec.split(":")
    expected = repair(load(home / "model.h5"), np.load(home / "x.npy"), kind, float(level), 7)
    report = json.loads(run_well(*args, "--json").stdout)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), as_bytes(expected.reconstructions).reshape(60, 8, 8))
    assert report == {
        "model": str(home / "model.h5"), "data": str(home / "x.npy"), "n_samples": 60, "corruption": kind,
        "level": float(level), "seed": 7, "corrupted_error": expected.corrupted_error, "squared_error": expected.error,
        "output": str(tmp_path / "out.npy"), "picture": None,
    }  # fmt: skip
    result = run_well(*args)
    errors = f"{expected.corrupted_error:.5g} corrupted, {expected.error:.5g} reconstructed"
    line = f"{kind}:{float(level):g}  squared error a sample, summed over features: {errors}"
    assert result.stdout == "" and result.stderr.splitlines()[-1] == line


def test_the_seed_is_0_by_default_and_the_report_leaves_the_csv_alone(home):
    args = ("reconstruct", home / "model.h5", home / "x.npy", "--corrupt", "masking:0.5")
    result = run_well(*args)
    expected = repair(load(home / "model.h5"), np.load(home / "x.npy"), "masking", 0.5, 0)
    found = np.array([line.split(",") for line in result.stdout.splitlines()], np.float32)
    np.testing.assert_array_equal(found, as_bytes(expected.reconstructions))
    assert run_well(*args, "--seed", 0).stdout == result.stdout != run_well(*args, "--seed", 1).stdout


def test_a_configuration_file_corrupts_too(home, tmp_path):
    (tmp_path / "c.toml").write_text('corrupt = "blur:1"\nseed = 3\n')
    assert tomllib.loads((tmp_path / "c.toml").read_text())["corrupt"] == "blur:1"
    args = ("reconstruct", home / "model.h5", home / "x.npy", "-o", tmp_path / "out.csv", "--json")
    report = json.loads(run_well(*args, "--config", tmp_path / "c.toml").stdout)
    assert (report["corruption"], report["level"], report["seed"]) == ("blur", 1, 3)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gaussian", "expected KIND:LEVEL such as gaussian:0.3, found 'gaussian'"),
        ("gaussian:x", "expected a number, found 'x'"),
        ("masking:1.5", "masking: expected a number in [0, 1], found 1.5"),
        ("blur:nan", "blur: expected a number in [0, 100], found nan"),
        ("dust:1", "expected one of gaussian, masking, salt_and_pepper, blocks, blur; found 'dust'"),
    ],
)
def test_what_is_no_corruption(home, spec, words):
    assert words in misused("reconstruct", home / "model.h5", home / "x.npy", "--corrupt", spec)


def test_json_needs_something_to_report_and_room_for_it(home, tmp_path):
    args = ("reconstruct", home / "model.h5", home / "x.npy", "--json")
    assert "--json: expected --corrupt too" in misused(*args, "-o", tmp_path / "out.npy")
    assert "--json: expected -o FILE too" in misused(*args, "--corrupt", "blur:1")
    assert list(tmp_path.iterdir()) == []


def test_blocks_need_images(home, tmp_path):
    line = refused(
        "reconstruct", home / "flat.h5", home / "flat.npy", "-o", tmp_path / "o.npy", "--corrupt", "blocks:0.5"
    )
    assert (
        f"{home / 'flat.npy'}: expected images, samples of (height, width)" in line and list(tmp_path.iterdir()) == []
    )
    run_well("reconstruct", home / "model.h5", home / "flat.npy", "-o", tmp_path / "o.npy", "--corrupt", "blocks:0.5")


def test_what_is_drawn(home, tmp_path, drawn):
    args = ("reconstruct", home / "model.h5", home / "x.npy", "-o", tmp_path / "o.npy", "--picture", tmp_path / "p.png")
    run_well(*args, "--corrupt", "blocks:0.25", "--seed", 2)
    assert (tmp_path / "p.png").read_bytes() == b"\x89PNG picture"
    shown = next(examples(load(home / "model.h5"), np.load(home / "x.npy"), "blocks", 0.25, 2))
    (titled, shape, limits), titles = drawn[0], ["original", "corrupted", "reconstructed"]
    assert [title for title, _ in titled] == titles and shape == (8, 8) and limits == (0, 1)
    for (_, images), expected in zip(titled, shown, strict=True):
        np.testing.assert_array_equal(images, expected[:10])
    run_well(*args)
    assert [title for title, _ in drawn[1][0]] == ["original", "reconstructed"]
    np.testing.assert_array_equal(drawn[1][0][0][1], shown.clean[:10])


def test_pictures_that_are_refused(home, tmp_path, drawn, monkeypatch):
    args = ("reconstruct", home / "model.h5", home / "x.npy", "-o", tmp_path / "o.npy", "--picture")
    assert "--picture p.jpg: expected FILE.png" in misused(*args, "p.jpg")
    assert "expected a file name, found -" in misused(*args, "-")
    (tmp_path / "p.png").write_bytes(b"precious")
    assert "p.png: exists, and is no PNG; give another name with --picture" in refused(*args, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes() == b"precious"
    run_well(*args, tmp_path / "p.png", "--force")
    flat = (
        "reconstruct",
        home / "flat.h5",
        home / "flat.npy",
        "-o",
        tmp_path / "o.npy",
        "--picture",
        tmp_path / "q.png",
    )
    assert "expected images, samples of (height, width)" in refused(*flat)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "stacked.cli.plot", raising=False)
    monkeypatch.delattr("stacked.cli.plot", raising=False)
    assert "--picture: matplotlib is not installed: pip install matplotlib" in refused(*args, tmp_path / "q.png")
    assert not (tmp_path / "q.png").exists()
