"""SIGINT and SIGTERM: acted on at once where that is safe, never lost where it is not, and the handlers are put back."""

import ctypes
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

import stacked.data
from stacked import load
from stacked.cli.signals import Interrupted, stopping
from stacked.training.feed import Feed

from .test_cli_boundary import run, run_well

TRAIN = ("--layers", 8, "--epochs", 4, "--threads", 1, "--seed", 0)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).random((120, 12), np.float32))
    return path


def lose(number):
    """Let a signal arrive where Python drops what its handler raises."""
    with suppress(Interrupted):
        signal.raise_signal(number)


def lose_in_epoch(monkeypatch, lost, number, at_end=False):
    """Lose a signal before the rows of an epoch are dealt, or after the last of them was trained on."""
    deal = Feed.epoch

    def epoch(self, epoch):
        if epoch == lost and not at_end:
            lose(number)
        yield from deal(self, epoch)
        if epoch == lost and at_end:
            lose(number)

    monkeypatch.setattr(Feed, "epoch", epoch)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [(), ("-q",)])
@pytest.mark.parametrize("epoch, at_end, done", [(2, False, 2), (2, True, 3), (3, True, 4)])
def test_a_signal_whose_exception_was_lost_stops_training(
    tmp_path, rows, monkeypatch, number, options, epoch, at_end, done
):
    whole, out = tmp_path / "whole.h5", tmp_path / "m.h5"
    with monkeypatch.context() as patch:
        lose_in_epoch(patch, epoch, number, at_end)
        result = run("pretrain", rows, "-o", out, *TRAIN, *options)
    assert result.exit_code == 128 + number
    assert result.stderr.splitlines()[-1] == f"stopped; go on with: stacked pretrain --resume {out}"
    assert f"unit 1, {done} epochs done" in run_well("info", out).stdout
    run_well("pretrain", rows, "-o", whole, "-q", *TRAIN)
    run_well("pretrain", "--resume", out, "-q")
    assert np.array_equal(load(out).network_.params, load(whole).network_.params)


def test_a_second_signal_raises_again():
    with stopping() as signals:
        signals.check()
        lose(signal.SIGTERM)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted) as caught:
            signals.check()
    assert caught.value.number == signal.SIGINT


class Destructor:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


def in_destructor():
    Destructor()


def in_callback_from_llvm():
    """What LLVM calls while it loads a cached kernel."""
    names = {"__name__": "llvmlite.binding.executionengine", "signal": signal}
    exec("def getbuffer():\n    signal.raise_signal(signal.SIGTERM)", names)
    ctypes.CFUNCTYPE(None)(names["getbuffer"])()


@pytest.mark.parametrize("place", [in_destructor, in_callback_from_llvm])
def test_nothing_is_raised_where_it_would_be_dropped(place):
    with stopping() as signals:
        place()
        assert signals.arrived == signal.SIGTERM
        with pytest.raises(Interrupted) as caught:
            time.sleep(10)
    assert caught.value.number == signal.SIGTERM
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_no_alarm_stays_behind():
    before = signal.getsignal(signal.SIGALRM)
    with stopping():
        in_destructor()
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0) and signal.getsignal(signal.SIGALRM) == before


@pytest.mark.parametrize("command", ["pretrain", "finetune", "encode", "demo"])
def test_a_signal_before_training_leaves_nothing(tmp_path, rows, monkeypatch, command):
    model = tmp_path / "model.h5"
    run_well("pretrain", rows, "-o", model, *TRAIN, "-q")
    out = tmp_path / "out"
    out.mkdir()
    args = {
        "pretrain": (rows, "-o", out / "m.h5", *TRAIN),
        "finetune": (model, rows, "-o", out / "m.h5"),
        "encode": (model, rows, "-o", out / "codes.npy"),
        "demo": ("-o", out / "m.h5", "--plot", out / "demo.png"),
    }[command]
    for opener in ("open_data", "open_data_for"):
        monkeypatch.setattr(stacked.data, opener, lambda *spec, **choice: signal.raise_signal(signal.SIGTERM))
    result = run(command, *args)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (143, "stopped")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("end", ["finished", "stopped", "diverged"])
def test_handlers_are_put_back(tmp_path, rows, monkeypatch, end):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    options = ("--visible", "gaussian", "--learning-rate", 1e9) if end == "diverged" else ()
    if end == "stopped":
        lose_in_epoch(monkeypatch, 2, signal.SIGTERM)
    result = run("pretrain", rows, "-o", tmp_path / "m.h5", "-q", *TRAIN, *options)
    assert result.exit_code == {"finished": 0, "stopped": 143, "diverged": 1}[end]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_other_threads_leave_the_handlers_alone(tmp_path, rows):
    with ThreadPoolExecutor(1) as thread:
        thread.submit(run_well, "pretrain", rows, "-o", tmp_path / "m.h5", "-q", *TRAIN).result()
    assert (tmp_path / "m.h5").exists()
