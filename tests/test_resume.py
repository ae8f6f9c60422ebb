"""Killed at any moment, `--resume` ends with the same bits: real processes, real signals, random moments."""

import random
import signal
import time

import h5py
import numpy as np
import pytest

from stacked.kernels.engine.bfloat16 import obstacle

from .processes import Command, wait_until

DATA, FEW = "blocks:6000", "blocks:2500"  # rows that train for a second or two, also in units that take longer
STACK = ["--layers", "300-100", "--epochs", "6", "--batch-size", "20", "--seed", "3"]
UNITS = {
    "rbm": ["--unit", "rbm"],
    "persistent chains": ["--unit", "rbm", "--persistent", "--learning-rate", "0.02"],
    "sparsity target": [
        "--unit", "rbm", "--code", "same", "--sparsity-target", "0.1", "--sparsity-weight", "0.1", "--sparsity-decay", "0.99",
    ],
    "variational": ["--unit", "vae", "--hidden-layers", "200", "--binarize", "--kl-warmup", "4", "--samples", "2"],
    "convolutional": ["--layers", "c8k3p2-c6k3s2-20", "--unpool", "switches", "--pool", "2", "--corruption-level", "0.2"],
    "denoising": ["--unit", "dae", "--corruption-level", "0.3", "--learning-rate", "0.01"],
}  # fmt: skip
TUNING = {
    "momentum": ["--optimizer", "momentum", "--learning-rate", "0.05"],
    "adam": ["--optimizer", "adam", "--learning-rate", "0.001"],
}
IN_BFLOAT16 = {
    name: pytest.param(name, marks=pytest.mark.skipif(obstacle() is not None, reason="bfloat16: this CPU cannot"))
    for name in ("persistent chains in bfloat16", "adam in bfloat16")
}
UNITS["persistent chains in bfloat16"] = [*UNITS["persistent chains"], "--precision", "bfloat16"]
TUNING["adam in bfloat16"] = [*TUNING["adam"], "--precision", "bfloat16"]
SLOW = "variational", "convolutional"
SETTINGS = ["--checkpoint-every", "0", "--quiet"]
INTERRUPTS = {signal.SIGTERM: 143, signal.SIGINT: 130}


def _run(*arguments):
    command = Command(*arguments)
    stderr = command.finish(300)
    assert command.returncode == 0, stderr


def _written(path):
    """Changes whenever the file is replaced."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def _killed(arguments, path, delay, kill):
    """Start a run, wait until it writes a checkpoint and then ``delay`` seconds, and kill it; whether it was still training."""
    before = _written(path)
    command = Command(*arguments)
    wait_until(lambda: _written(path) != before, command)
    time.sleep(delay)
    command.send_signal(kill)
    stderr = command.finish(60)
    if command.returncode == 0:
        return False
    assert command.returncode in (-kill, INTERRUPTS.get(kill)), stderr
    if kill in INTERRUPTS:
        assert "--resume" in stderr and "Traceback" not in stderr
    return True


def _arrays(path):
    """Every array of a finished model file but the times of the history."""
    found = {}
    with h5py.File(path) as file:
        assert "checkpoint" not in file

        def keep(name, item):
            if isinstance(item, h5py.Dataset):
                history = name.startswith("history/")
                found[name] = item["loss"] if history else item[:]

        file.visititems(keep)
    return found


def _assert_same(one, other):
    a, b = _arrays(one), _arrays(other)
    assert a.keys() == b.keys() and len(a) > 6
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def _kill_until_done(arguments, command, path, seed, kills):
    """Run, kill at random moments, resume, kill again ..., until the run gets through; the number of kills that struck."""
    moments = random.Random(seed)
    struck = 0
    for round_number in range(40):
        kill = kills[round_number % len(kills)]
        if _killed(arguments, path, moments.uniform(0.0, 0.35), kill):
            struck += 1
            arguments = [command, "--resume", path, *SETTINGS]
            if struck == 4:
                break
        else:
            return struck
    _run(command, "--resume", path, "--quiet")
    return struck


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile once, before anything is timed or killed."""
    from stacked import RBM, Autoencoder, StackedAutoencoder

    x = np.random.default_rng(0).integers(0, 256, (50, 12), np.uint8)
    for optimizer in ("adam", "momentum"):
        StackedAutoencoder(
            [RBM(3, epochs=1), Autoencoder(2, epochs=1)], finetune_epochs=1, finetune_optimizer=optimizer
        ).fit(x)


@pytest.mark.parametrize("name", [IN_BFLOAT16.get(name, name) for name in UNITS])
def test_pretraining_killed_at_random_moments_resumes_to_the_same_bits(name, tmp_path):
    whole, killed, data = tmp_path / "whole.h5", tmp_path / "killed.h5", FEW if name in SLOW else DATA
    _run("pretrain", data, "-o", whole, *STACK, *UNITS[name], "--quiet")
    arguments = ["pretrain", data, "-o", killed, *STACK, *UNITS[name], *SETTINGS]
    struck = _kill_until_done(arguments, "pretrain", killed, name, [signal.SIGKILL])
    assert struck >= 2
    _assert_same(whole, killed)


@pytest.mark.parametrize("name", [IN_BFLOAT16.get(name, name) for name in TUNING])
def test_finetuning_killed_at_random_moments_resumes_to_the_same_bits(name, tmp_path):
    pretrained, whole, killed = tmp_path / "model.h5", tmp_path / "whole.h5", tmp_path / "killed.h5"
    _run(
        "pretrain",
        DATA,
        "-o",
        pretrained,
        "--layers",
        "300-100",
        "--epochs",
        "1",
        "--unit",
        "rbm",
        "--seed",
        "3",
        "--quiet",
    )
    tuning = [*TUNING[name], "--epochs", "8", "--batch-size", "20"]
    _run("finetune", pretrained, DATA, "-o", whole, *tuning, "--quiet")
    arguments = ["finetune", pretrained, DATA, "-o", killed, *tuning, *SETTINGS]
    assert _kill_until_done(arguments, "finetune", killed, name, [signal.SIGKILL]) >= 2
    _assert_same(whole, killed)


def test_sigterm_and_ctrl_c_leave_a_checkpoint_and_say_how_to_go_on(tmp_path):
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    stack = [*STACK, "--unit", "rbm", "--epochs", "20", "--quiet"]  # long enough to be struck between two checkpoints
    _run("pretrain", DATA, "-o", whole, *stack)
    arguments = ["pretrain", DATA, "-o", killed, *stack]  # a checkpoint a minute: only the first
    struck = _kill_until_done(arguments, "pretrain", killed, 1, [signal.SIGTERM, signal.SIGINT])
    assert struck >= 2
    _assert_same(whole, killed)


def test_a_classifier_killed_while_finetuning_resumes_with_its_labels(tmp_path):
    pretrained, whole, killed = tmp_path / "model.h5", tmp_path / "whole.h5", tmp_path / "killed.h5"
    _run(
        "pretrain",
        DATA,
        "-o",
        pretrained,
        "--layers",
        "200",
        "--epochs",
        "1",
        "--unit",
        "rbm",
        "--seed",
        "3",
        "--quiet",
    )
    tuning = ["--classify", "--epochs", "12", "--batch-size", "20"]
    _run("finetune", pretrained, DATA, "-o", whole, *tuning, "--quiet")
    arguments = ["finetune", pretrained, DATA, "-o", killed, *tuning, *SETTINGS]
    assert _kill_until_done(arguments, "finetune", killed, 5, [signal.SIGKILL]) >= 1
    _assert_same(whole, killed)
