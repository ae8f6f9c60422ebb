"""Standard streams that are closed, full, or left by their reader: training goes on, a result that is lost is exit code 1."""

import os
import subprocess
import sys

import numpy as np
import pytest

from stacked import load
from stacked.cli.streams import _Messages

from .test_cli_boundary import ROOT, run_well

TRAIN = ("--layers", 4, "--epochs", 2, "--threads", 1, "--seed", 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with rows and a 6-4 stack of them."""
    folder = tmp_path_factory.mktemp("streams")
    np.save(folder / "rows.npy", np.random.default_rng(0).random((60, 6), np.float32))
    run_well("pretrain", folder / "rows.npy", "-o", folder / "model.h5", "-q", *TRAIN)
    return folder


def shell(redirection, *args):
    """A command run by a shell with its streams redirected."""
    script = f'"$0" -m stacked.cli "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, sys.executable, *map(str, args)], capture_output=True, text=True, timeout=120, cwd=ROOT
    )  # fmt: skip


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- >&- 2>&-", ">/dev/full"])
def test_training_goes_on_without_its_messages(home, tmp_path, redirection):
    out = tmp_path / "m.h5"
    done = shell(redirection, "pretrain", home / "rows.npy", "-o", out, *TRAIN)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert np.array_equal(load(out).network_.params, load(home / "model.h5").network_.params)
    assert list(tmp_path.iterdir()) == [out]


def test_training_goes_on_when_the_reader_of_its_messages_has_left(home, tmp_path):
    read_end, write_end = os.pipe()
    os.close(read_end)
    out = tmp_path / "m.h5"
    command = [sys.executable, "-m", "stacked.cli", "pretrain", home / "rows.npy", "-o", out, *TRAIN]
    with os.fdopen(write_end, "w") as pipe:
        done = subprocess.run(list(map(str, command)), stderr=pipe, timeout=120, cwd=ROOT)
    assert done.returncode == 0 and load(out).units[0].n_hidden == 4


def results(home, command):
    model, rows = home / "model.h5", home / "rows.npy"
    return {
        "encode": ("encode", model, rows, "-o", "-"),
        "evaluate": ("evaluate", model, rows),
        "info": ("info", model, "--json"),
        "train": ("pretrain", rows, "-o", home / "other.h5", "--json", "-q", *TRAIN),
        "help": ("--help",),
    }[command]


@pytest.mark.parametrize(
    "command, redirection, line",
    [
        *((name, ">&-", "cannot write to the standard output: it is closed") for name in ("encode", "info", "help")),
        *((name, ">/dev/full", "No space left on device") for name in ("evaluate", "train")),
    ],
)
def test_results_that_cannot_be_printed(home, command, redirection, line):
    done = shell(redirection, *results(home, command))
    assert (done.returncode, done.stderr.splitlines()) == (1, [f"Error: {line}"])


@pytest.mark.parametrize("redirection", [">&- 2>&-", ">/dev/full 2>/dev/full"])
def test_results_and_errors_that_cannot_be_printed(home, redirection):
    done = shell(redirection, *results(home, "encode"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert shell(redirection, "pretrian").returncode == 2


def test_messages_that_a_pipe_has_no_room_for_are_dropped():
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with _Messages(write_end, "w") as stream:
        assert stream.write(b"x" * 2**24) < 2**24  # the pipe is full now
        assert stream.write(b"message") == 7
    os.close(read_end)
