"""``stacked demo``: it beats PCA, draws what it learnt, and replaces nothing but itself."""

import json
import sys

import numpy as np
import pytest

from stacked import load
from stacked.cli import demo

from .test_cli_boundary import refused, run_well


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_demo(folder):
    result = run_well("demo")
    assert "unit 3/3 64-8 epoch 20/20" in result.stderr and "fine-tuning 64-128-64-8" in result.stderr
    assert (
        "deep autoencoder" in result.stdout
        and "PCA" in result.stdout
        and "next: stacked info model.h5" in result.stdout
    )
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    picture = imread(folder / "demo.png")
    assert picture.shape[1] > 1000 and picture.min() == 0 and picture.max() == 1
    report = json.loads(run_well("demo", "--json", "-q").stdout)  # replaces its own model
    errors = report["squared_error"]
    assert errors["deep autoencoder"] < 0.7 * errors["PCA"]
    assert load(folder / "model.h5").transform(np.zeros((1, 64))).shape == (1, 8)


def test_demo_without_matplotlib(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "stacked.cli.plot", raising=False)
    monkeypatch.setattr(demo, "SIZES", (8, 4, 2))
    result = run_well("demo", "--plot", "picture.png")
    assert "pip install matplotlib" in result.stdout
    assert not (folder / "picture.png").exists() and (folder / "model.h5").exists()


def test_demo_keeps_the_files_of_others(folder):
    (folder / "model.h5").write_text("mine")
    assert "--force" in refused("demo", "-q")
    run_well("pretrain", "digits", "-o", "other.h5", "--layers", 4, "--epochs", 1, "--threads", 1, "-q")
    assert "is not the demo's" in refused("demo", "-q", "-o", "other.h5")
    assert (folder / "model.h5").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["model.h5", "other.h5"]


def test_demo_checks_its_outputs_first(folder):
    assert "there is no folder" in refused("demo", "-o", "no/model.h5")
    assert "there is no folder" in refused("demo", "--plot", "no/demo.png")
    assert list(folder.iterdir()) == []
