"""What the demo trains, measures and draws, and which files it replaces, with a training cut short."""

import json

import numpy as np
import pytest

from stacked import RBM, StackedAutoencoder, load, open_data
from stacked.cli import demo as cli_demo

from .test_cli_boundary import misused, refused, run_well

SIZES = (8, 4, 2)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn is noted instead of drawn."""
    drawing = pytest.importorskip("stacked.cli.plot")
    noted = []
    monkeypatch.setattr(drawing, "reconstruction_png", lambda *args: noted.append(args) or b"\x89PNG picture")
    return noted


@pytest.fixture
def trained(tmp_path, drawn, monkeypatch):
    """The working directory is empty, layers are tiny, and what is trained on is noted instead of trained for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_demo, "SIZES", SIZES)
    noted = []

    def quickly(train, quiet):
        units = [RBM(size, epochs=1, batch_size=100) for size in SIZES]
        model = StackedAutoencoder(units, finetune_epochs=1, random_state=0, n_threads=1).fit(train)
        noted.append((train, quiet, model))
        return model

    monkeypatch.setattr(cli_demo, "trained", quickly)
    return noted


def images():
    return open_data("digits").array


def test_the_recipe(monkeypatch):
    fitted = []
    monkeypatch.setattr(StackedAutoencoder, "fit", lambda self, x, callback: fitted.append((self, x, callback)) or self)
    train = images()[:20]
    assert cli_demo.trained(train, True) is fitted[0][0]
    model, x, callback = fitted[0]
    assert x is train and callback is None
    assert [unit.n_hidden for unit in model.units] == [128, 64, 8] == list(cli_demo.SIZES)
    assert [(unit.hidden, unit.learning_rate) for unit in model.units] == [
        ("bernoulli", 0.05), ("bernoulli", 0.05), ("gaussian", 0.001),
    ]  # fmt: skip
    for unit in model.units:
        assert (unit.epochs, unit.batch_size, unit.momentum) == (20, 20, [(0, 0.5), (5, 0.9)])
    assert (model.finetune_epochs, model.finetune_batch_size, model.finetune_learning_rate) == (200, 50, 3e-3)
    assert (model.random_state, model.n_threads, model.finetune_optimizer) == (0, 1, "adam")
    assert cli_demo.trained(train, False) and fitted[1][2] is not None


def test_it_is_measured_on_digits_that_it_has_never_seen(trained):
    report = json.loads(run_well("demo", "--json", "--plot", "p.png", "-o", "m.h5").stdout)
    (train, quiet, model), everything = trained[0], images()
    np.testing.assert_array_equal(train, everything[:1500])
    assert quiet is False and report.keys() == {"model", "plot", "squared_error"}
    test = everything[1500:].astype(float)
    assert len(test) == 297
    mean, (_, _, directions) = train.mean(axis=0), np.linalg.svd(train - train.mean(axis=0), full_matrices=False)
    projected = (test - mean) @ directions[:2].T @ directions[:2] + mean
    errors = report["squared_error"]
    assert errors["PCA"] == pytest.approx(np.square(projected - test).sum(axis=1).mean(), rel=1e-4)
    difference = model.reconstruct(everything[1500:]) - test
    assert errors["deep autoencoder"] == pytest.approx(np.square(difference).sum(axis=1).mean(), rel=1e-4)
    np.testing.assert_array_equal(load("m.h5").network_.params, model.network_.params)
    assert report["model"] == "m.h5"


def test_what_it_says(trained, monkeypatch):
    lines = run_well("demo").stdout.splitlines()
    assert lines[0] == "squared error per held-out digit, summed over 64 pixels in [0, 1], with a code of 2 numbers:"
    assert [line.split()[:-1] for line in lines[1:3]] == [["deep", "autoencoder"], ["PCA"]]
    assert lines[3:] == [
        "wrote model.h5 and demo.png: held-out digits, and below them what 2 numbers keep of each",
        "next: stacked info model.h5",
        "      stacked encode model.h5 digits -o codes.npy",
        "      stacked finetune model.h5 digits -o classifier.h5 --classify --epochs 30",
        "      stacked evaluate classifier.h5 digits",
    ]
    assert run_well("demo", "-q").stdout == "" and trained[1][1] is True
    monkeypatch.setattr(cli_demo, "_draw", lambda *args: False)
    assert json.loads(run_well("demo", "--json").stdout)["plot"] is None
    without = "wrote model.h5; no picture, for matplotlib is not installed: pip install matplotlib"
    assert run_well("demo").stdout.splitlines()[3] == without


def test_what_it_draws(trained, drawn, tmp_path):
    run_well("demo", "-q", "--plot", "p.png")
    originals, reconstructions, shape = drawn[0]
    np.testing.assert_array_equal(originals, images()[1500:1510])
    np.testing.assert_array_equal(reconstructions, trained[0][2].reconstruct(images()[1500:1510]))
    assert shape == (8, 8) and (tmp_path / "p.png").read_bytes() == b"\x89PNG picture"


def test_files_that_it_replaces(trained, tmp_path):
    run_well("demo", "-q", "-o", "own.h5", "--plot", "own.PNG")
    run_well("demo", "-q", "-o", "own.h5", "--plot", "own.PNG")
    other = StackedAutoencoder([RBM(8, epochs=0), RBM(4, epochs=0)], random_state=0).pretrain(images()[:50])
    other.save("other.h5")
    before = (tmp_path / "other.h5").read_bytes()
    line = refused("demo", "-o", "other.h5", "--plot", "own.PNG")
    assert line.endswith(
        "other.h5: exists, and is not the demo's; give another name with -o, or replace it with --force"
    )
    assert (tmp_path / "other.h5").read_bytes() == before
    run_well("demo", "-q", "-o", "other.h5", "--plot", "own.PNG", "--force")
    assert load("other.h5").n_code_layers_ == 3
    (tmp_path / "p.png").write_bytes(b"\x89PN?")
    assert "p.png: exists, and is no PNG" in refused("demo", "-o", "own.h5", "--plot", "p.png")
    assert (tmp_path / "p.png").read_bytes() == b"\x89PN?"
    assert "--plot p.jpg: expected FILE.png" in misused("demo", "-o", "own.h5", "--plot", "p.jpg")
    assert len(trained) == 3


def test_originals_stand_above_and_ones_are_black():
    drawing = pytest.importorskip("stacked.cli.plot")
    import io

    from matplotlib.image import imread

    dark = np.tile([1.0, 1, 1, 0, 0, 0], (4, 1))  # (2, 3) images: the upper row black
    picture = imread(io.BytesIO(drawing.reconstruction_png(dark, np.zeros((4, 6)), (2, 3))))[:, :, 0]
    height = len(picture) // 2
    ink = 1 - picture[:, picture.shape[1] // 3 :]  # beside the titles
    assert ink[:height].mean() > 0.2 and ink[height:].mean() < 0.05
    rows = ink[:height].mean(axis=1)
    assert rows[: height // 2].sum() > 5 * rows[height // 2 :].sum()
    assert picture.shape[1] > 2 * picture.shape[0]
