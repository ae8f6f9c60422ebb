"""The first run of a kernel compiles: that is said, whatever trains, and is not counted in the first epoch's seconds."""

import numba
import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder
from stacked.cli import progress
from stacked.cli.train import kernels_of
from stacked.kernels import dense

from .test_cli_boundary import run, run_well
from .test_cli_training import interrupt_after

SMALL = ("--epochs", 1, "--threads", 1, "-q")


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).random((60, 6), np.float32))
    return path


@pytest.fixture
def announced(monkeypatch):
    """The kernels that were announced, with their precision, a command at a time."""
    calls = []
    monkeypatch.setattr(progress, "announce_compilation", lambda *kernels, **options: calls.append((kernels, options)))
    return calls


def test_kernels_of_every_unit_of_a_mixed_stack():
    search = Autoencoder(4, optimizer="cg")
    model = StackedAutoencoder([RBM(8), Autoencoder(6), search], finetune_optimizer="lbfgs")
    assert kernels_of(model, "pretrain") == ["dense.infer", "dense.loss_gradient", "dense.train", "rbm.train"]
    assert kernels_of(model, "finetune") == ["dense.infer", "dense.loss_gradient"]
    assert kernels_of(StackedAutoencoder(), "pretrain") == kernels_of(StackedAutoencoder(), "finetune")


@pytest.mark.parametrize("optimizer, kernel", [("cg", "dense.loss_gradient"), ("adam", "dense.train")])
def test_commands_announce_what_they_compile(tmp_path, rows, announced, monkeypatch, optimizer, kernel):
    out, tuned = tmp_path / "m.h5", tmp_path / "tuned.h5"
    unit = ("--unit", "autoencoder", "--optimizer", optimizer, "--layers", 4, "--precision", "float64")
    run_well("pretrain", rows, "-o", out, *unit, *SMALL)
    run_well("finetune", out, rows, "-o", tuned, "--optimizer", optimizer, *SMALL)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        run("finetune", out, rows, "-o", tuned, "--optimizer", optimizer, "--epochs", 3, "-q")
    run_well("finetune", "--resume", tuned, "-q")
    assert announced == [(("dense.infer", kernel), {"precision": "float64", "quiet": True})] * 4


@pytest.mark.parametrize("optimizer", ["cg", "lbfgs"])
@pytest.mark.parametrize("noise", [{}, {"corruption": "masking", "corruption_level": 0.2}])
def test_line_searches_are_compiled_before_the_first_epoch(optimizer, noise, monkeypatch, small):
    calls, real = [], dense.loss_gradient

    def recorded(*args):
        calls.append((args[5].shape[0], [numba.typeof(arg) for arg in args]))
        return real(*args)

    monkeypatch.setattr(dense, "loss_gradient", recorded)
    Autoencoder(4, optimizer=optimizer, epochs=1, batch_size=100, n_threads=1, random_state=0, **noise).fit(small)
    (first, types), *others = calls
    assert first == 0 and others and all(n == 100 and found == types for n, found in others)
