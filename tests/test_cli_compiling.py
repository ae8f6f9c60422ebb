"""The first run of a kernel compiles: that is said, whatever trains, and is not counted in the first epoch's seconds."""

import numba
import numpy as np
import pytest

from stacked import Autoencoder
from stacked.kernels import _cache, backprop

from .test_cli_boundary import run_well


@pytest.mark.parametrize("optimizer, kernel", [("cg", "loss_gradient"), ("adam", "train")])
@pytest.mark.parametrize("quiet", [False, True])
def test_that_kernels_compile_is_said_before_the_first_epoch(tmp_path, monkeypatch, optimizer, kernel, quiet):
    real = getattr(backprop, kernel)

    def uncached(*args):
        _cache._announce()
        return real(*args)

    monkeypatch.setattr(_cache, "_said", set())
    monkeypatch.setattr(backprop, kernel, uncached)
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).random((60, 6), np.float32))
    unit = ("--unit", "autoencoder", "--optimizer", optimizer, "--layers", 4, "--epochs", 2, "--threads", 1)
    result = run_well(
        "pretrain", tmp_path / "rows.npy", "-o", tmp_path / "m.h5", *unit, *(["--quiet"] if quiet else [])
    )
    said = [line.partition("(")[0].strip() for line in result.stderr.splitlines()][:2]
    assert said == ([] if quiet else ["compiling kernels", said[1]]) and (quiet or " epoch 1/2 " in said[1])


@pytest.mark.parametrize("optimizer", ["cg", "lbfgs"])
@pytest.mark.parametrize("noise", [{}, {"corruption": "masking", "corruption_level": 0.2}])
def test_line_searches_are_compiled_before_the_first_epoch(optimizer, noise, monkeypatch, small):
    calls, real = [], backprop.loss_gradient

    def recorded(*args):
        calls.append((args[5].shape[0], [numba.typeof(arg) for arg in args]))
        return real(*args)

    monkeypatch.setattr(backprop, "loss_gradient", recorded)
    Autoencoder(4, optimizer=optimizer, epochs=1, batch_size=100, n_threads=1, random_state=0, **noise).fit(small)
    (first, types), *others = calls
    assert first == 0 and others and all(n == 100 and found == types for n, found in others)
