"""`stacked sample`: what is written, drawn and refused."""

import io

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, StackedClassifier, load
from stacked.cli import models
from stacked.scaling import identity

from .test_cli_boundary import misused, refused, run_well


@pytest.fixture(scope="module")
def home(tmp_path_factory, digits):
    """Models of images: a deep belief net, one of other units, and a classifier; a machine of flat rows."""
    folder = tmp_path_factory.mktemp("sample")
    images = (255 * digits.array[:80]).astype(np.uint8).reshape(-1, 8, 8)
    units = [RBM(12, epochs=1), RBM(6, epochs=1)]
    StackedAutoencoder(units, finetune_epochs=1, random_state=0).fit(images).save(folder / "dbn.h5")
    StackedAutoencoder([Autoencoder(6, epochs=1)], random_state=0).pretrain(images).save(folder / "other.h5")
    StackedClassifier([RBM(6, epochs=0)], random_state=0).pretrain(images).save(folder / "classifier.h5")
    RBM(6, epochs=1, random_state=0).fit(digits.array[:80]).save(folder / "flat.h5")
    return folder


@pytest.mark.parametrize("name", ["dbn.h5", "flat.h5"])
def test_samples_are_the_model_s(home, tmp_path, name):
    run_well("sample", home / name, "-n", 9, "-o", tmp_path / "s.npy", "--steps", 20, "--seed", 4, "--threads", 1)
    expected = load(home / name).sample(9, steps=20, random_state=4)
    expected = np.rint(expected).reshape(9, 8, 8) if name == "dbn.h5" else expected  # images of bytes
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), expected)


def test_64_samples_of_seed_0_after_1000_steps_by_default(home):
    lines = run_well("sample", home / "flat.h5").stdout.splitlines()
    found = np.array([line.split(",") for line in lines], np.float32)
    np.testing.assert_array_equal(found, load(home / "flat.h5").sample(64, steps=1000, random_state=0))


def test_models_that_are_no_nets(home, tmp_path):
    out = ("-o", tmp_path / "s.npy")
    line = refused("sample", home / "classifier.h5", *out)
    assert line.endswith(
        "classifier.h5: expected a model that draws samples, found a stacked_classifier; RBMs, stacks of them and variational"
        " autoencoders do: pretrain with --unit rbm, or a single layer with --unit vae"
    )
    StackedAutoencoder([4, 2], unit="vae", unit_settings={"epochs": 0}).pretrain(np.eye(9)).save(home / "two.h5")
    for name, unit in (("other.h5", "Autoencoder"), ("two.h5", "VariationalAutoencoder")):
        assert refused("sample", home / name, *out) == (
            "Error: units: expected pretrained RBMs alone, or one variational autoencoder on top, to sample from, found"
            f" {unit} as unit 1; pretrain with --unit rbm, or a single layer with --unit vae"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args", [("-n", 0), ("-n", "x"), ("--steps", 0), ("--steps", 2**31), ("--seed", -1), ("-o", "a.txt")]
)
def test_usage_errors(home, args):
    misused("sample", home / "dbn.h5", *args)


def test_the_model_decides_whether_there_are_steps(home, monkeypatch):
    class Direct:
        kind, n_threads, target_, scaling_ = "direct", None, None, identity((2,), "float32")

        def sample(self, n, random_state=None):
            return np.full((n, 2), random_state, np.float32)

    monkeypatch.setattr(models, "load_model", lambda path, n_threads: Direct())
    assert run_well("sample", home / "dbn.h5", "-n", 2, "--seed", 5).stdout == "5.0,5.0\n5.0,5.0\n"
    line = misused("sample", home / "dbn.h5", "--steps", 3)
    assert line == f"Error: --steps: {home / 'dbn.h5'} holds a direct, which draws without Gibbs steps; leave it out"


def test_the_model_is_no_output(home, tmp_path):
    (tmp_path / "m.h5").write_bytes(before := (home / "dbn.h5").read_bytes())
    assert "the output would replace the input" in refused(
        "sample", tmp_path / "m.h5", "-o", tmp_path / "m.h5", "--force"
    )
    assert (tmp_path / "m.h5").read_bytes() == before


def test_what_is_drawn(home, tmp_path, monkeypatch):
    plot = pytest.importorskip("stacked.cli.plot")
    noted = []
    monkeypatch.setattr(plot, "grid_png", lambda *args: noted.append(args) or b"\x89PNG picture")
    args = ("sample", home / "dbn.h5", "-n", 120, "--steps", 2, "-o", tmp_path / "s.npy")
    run_well(*args, "--picture", tmp_path / "p.png")
    images, shape, limits = noted[0]
    drawn = load(home / "dbn.h5").sample(120, steps=2, random_state=0)
    np.testing.assert_allclose(images, drawn[:100] / 255, rtol=1e-6)
    assert shape == (8, 8) and limits == (0, 1) and (tmp_path / "p.png").read_bytes() == b"\x89PNG picture"
    line = refused("sample", home / "flat.h5", "-o", tmp_path / "t.npy", "--picture", tmp_path / "q.png")
    assert "flat.h5: expected images, samples of (height, width)" in line
    assert not (tmp_path / "t.npy").exists() and not (tmp_path / "q.png").exists()


def picture(png):
    from matplotlib.image import imread

    return imread(io.BytesIO(png))[:, :, :3]


def test_a_grid_of_images_row_by_row():
    plot = pytest.importorskip("stacked.cli.plot")
    images = np.zeros((5, 4))
    images[4] = 1  # the second of the second row, of three columns
    found = picture(plot.grid_png(images, (2, 2)))
    height, width = found.shape[:2]
    dark = (found.max(axis=2) < 0.1).nonzero()
    assert height / 2 < dark[0].min() and width / 3 < dark[1].min() and dark[1].max() < 2 * width / 3
    assert height / width == pytest.approx(7 / 10, abs=0.02)  # cells of 2 and gaps of 1


def test_colours_and_limits():
    plot = pytest.importorskip("stacked.cli.plot")
    red = np.tile([3.0, -1, -5], (1, 4))
    for found in (
        picture(plot.grid_png(red, (2, 2, 3), (-1, 3))),
        picture(plot.rows_png([("a", red)], (2, 2, 3), (-1, 3))),
    ):
        assert (np.abs(found - [1, 0, 0]).max(axis=2) < 0.01).mean() > 0.1
    assert plot.limits(True, red) == (0, 1) and plot.limits(False, red) == (-5, 3)
    assert np.isfinite(picture(plot.grid_png(np.ones((1, 4)), (2, 2), (1, 1)))).all()


def test_what_is_there_of_sequences_is_drawn():
    plot = pytest.importorskip("stacked.cli.plot")
    ended = np.array([[5.0, -5, 5, -5], [5, -5, np.nan, np.nan]])
    assert plot.limits(False, ended) == (-5, 5)
    found = picture(plot.rows_png([("a", ended)], (2, 2), plot.limits(False, ended)))
    last = found[:, 2 * found.shape[1] // 3 :].max(axis=2) < 0.1
    rows, _ = last.nonzero()  # one step of two, of which the other is left white
    assert last.any() and rows.max() - rows.min() < found.shape[0] / 2
