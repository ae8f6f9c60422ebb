"""``verbose=1``: in Python the progress of the command line, and the notice that kernels are compiled."""

import io
import logging
import sys

import numpy as np
import pytest
from sklearn.base import clone

from stacked import (
    RBM,
    Autoencoder,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    VariationalAutoencoder,
    load,
    progress,
)
from stacked.files import read_info
from stacked.kernels import _cache
from stacked.training.loop import Hooks

from .test_cli_progress import Terminal

X = np.random.default_rng(0).random((60, 6)).astype(np.float32)
Y = np.arange(60) % 2
SHORT = {"epochs": 2, "batch_size": 20}
SINGLE = {"n_threads": 1, "random_state": 0}
UNITS = {
    "RBM": RBM(4, **SHORT, **SINGLE),
    "Autoencoder": Autoencoder(4, **SHORT, **SINGLE),
    "VariationalAutoencoder": VariationalAutoencoder(2, hidden_layers=(3,), **SHORT, **SINGLE),
}


def stack(make=StackedAutoencoder, **own):
    return make([RBM(4, **SHORT), Autoencoder(3, **SHORT)], finetune_epochs=2, **{**SINGLE, **own})


def epochs_said(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""
    return [line.partition(" loss ")[0] for line in captured.err.splitlines() if not line.startswith("compiling")]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_prints_lines_where_no_terminal_is_and_nothing_unasked(name, capsys):
    clone(UNITS[name]).fit(X)
    assert epochs_said(capsys) == []
    unit = clone(UNITS[name]).set_params(verbose=1).fit(X)
    sizes = f"{name} 6-{unit.n_hidden}"
    assert epochs_said(capsys) == [f"{sizes} epoch 1/2", f"{sizes} epoch 2/2"]


def test_a_stack_prints_lines_of_its_units_and_of_fine_tuning(capsys):
    pretraining = [f"unit {k} epoch {n}/2" for k in ("1/2 6-4", "2/2 4-3") for n in (1, 2)]
    finetuning = [f"fine-tuning 6-4-3 epoch {n}/2" for n in (1, 2)]
    stack(verbose=1).fit(X)
    assert epochs_said(capsys) == pretraining + finetuning
    stack(StackedClassifier, verbose=True).fit(X, Y)
    assert epochs_said(capsys) == pretraining + finetuning
    model = stack(verbose=1).pretrain(X)
    assert epochs_said(capsys) == pretraining
    model.finetune(X)
    assert epochs_said(capsys) == finetuning
    model.set_params(verbose=0).finetune(X)
    assert epochs_said(capsys) == []


def test_a_stack_decides_for_its_units(capsys):
    model = StackedAutoencoder([RBM(4, verbose=1, **SHORT)], finetune_epochs=0, **SINGLE).fit(X)
    assert epochs_said(capsys) == [] and model.units_[0].verbose == 0
    assert StackedClassifier.on(stack(verbose=1).pretrain(X)).verbose == 1


def test_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    stack(verbose=1).fit(X)
    finals = [line.rpartition("\r")[2] for line in sys.stderr.getvalue().split("\n") if "%" in line]
    titles = ("unit 1/2 6-4 100%", "unit 2/2 4-3 100%", "fine-tuning 6-4-3 100%")
    assert len(finals) == 3
    for final, title in zip(finals, titles, strict=True):
        assert final.startswith(title) and ", epoch 2/2 loss " in final


def test_a_bar_counts_the_epochs_of_the_phase_and_not_of_the_parameter(monkeypatch):
    seen = []

    class Callback:
        def __call__(self, record):
            seen.append((record.epoch, record.epochs))

        def on_chunk(self, phase, unit, epoch, epochs, done, total, loss):
            seen.append((phase, unit, epoch, epochs, done, total))

    Hooks(Callback()).chunk("pretrain", 3, 1, 7, 20, 60, 0.5)
    assert seen == [("pretrain", 3, 1, 7, 20, 60)]
    seen.clear()
    clone(UNITS["RBM"]).fit(X, callback=Callback())
    assert seen == [("pretrain", 0, 0, 2, 60, 60), (0, 2), ("pretrain", 0, 1, 2, 60, 60), (1, 2)]


def test_a_callback_is_called_besides_and_its_answer_counts(capsys):
    chunks, records = [], []

    class Callback:
        def __call__(self, record):
            records.append(record.epoch)
            return True

        def on_chunk(self, *progress):
            chunks.append(progress)

    clone(UNITS["RBM"]).set_params(verbose=1).fit(X, callback=Callback())
    assert records == [0] and len(chunks) == 1
    assert epochs_said(capsys) == ["RBM 6-4 epoch 1/2"]
    clone(UNITS["RBM"]).set_params(verbose=1).fit(X, callback=lambda record: records.append(record.epoch))
    assert records == [0, 0, 1]


def test_the_bar_is_closed_after_an_error(monkeypatch):
    closed = []
    monkeypatch.setattr(progress.Lines, "close", lambda self: closed.append(True))

    def fail(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(UNITS["RBM"]).set_params(verbose=1).fit(X, callback=fail)
    assert closed


def test_the_same_bits_whoever_watches():
    quiet, watched = (stack(verbose=verbose).fit(X).network_.params for verbose in (0, 1))
    np.testing.assert_array_equal(quiet, watched)


@pytest.mark.parametrize("verbose", [2, -1, "yes", None, 0.5])
def test_what_is_refused(verbose):
    with pytest.raises(SettingError, match=r"^verbose: expected a whole number of at "):
        stack(verbose=verbose).fit(X)


def test_a_file_does_not_say_who_watched(tmp_path):
    stack(verbose=1).fit(X).save(tmp_path / "m.h5")
    assert load(tmp_path / "m.h5").verbose == 0
    stack().fit(X).save(tmp_path / "again.h5")
    assert read_info(tmp_path / "m.h5")["result_digest"] == read_info(tmp_path / "again.h5")["result_digest"]
    quiet = stack().fit(X)
    quiet.history_ = load(tmp_path / "m.h5").history_
    quiet.save(tmp_path / "quiet.h5")
    assert read_info(tmp_path / "m.h5")["digest"] == read_info(tmp_path / "quiet.h5")["digest"]


def test_no_screen_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    clone(UNITS["RBM"]).set_params(verbose=1).fit(X)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    monkeypatch.setattr(progress, "reporter", lambda model: progress.Lines(progress.Names(model)))
    clone(UNITS["RBM"]).set_params(verbose=1).fit(X)


@pytest.mark.parametrize("level", [logging.WARNING, logging.CRITICAL])
def test_that_kernels_are_compiled_is_said_whatever_logging_is_set_to(level, monkeypatch, caplog, capsys):
    monkeypatch.setattr(_cache, "_said", set())
    logger = logging.getLogger("stacked.compilation")
    monkeypatch.setattr(logger, "disabled", False)
    caplog.set_level(level, "stacked")
    before = (logger.level, logger.propagate, list(logger.handlers))

    def compiles(record):
        _cache._announce()

    clone(UNITS["RBM"]).set_params(verbose=1).fit(X, callback=compiles)
    assert capsys.readouterr().err.count("compiling kernels (first run of this kind") == 1
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
