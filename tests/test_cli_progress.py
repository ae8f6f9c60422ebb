"""Progress: a bar a unit on a terminal, a line an epoch elsewhere, nothing when quiet."""

import io
import logging
import sys

import numpy as np
import pytest

from stacked import RBM, StackedAutoencoder
from stacked.cli.progress import reporter, summary
from stacked.errors import DataError
from stacked.progress import Bars, Lines, Names
from stacked.scaling import identity
from stacked.training.loop import FINETUNE, Record

from .test_cli_boundary import run


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def model():
    stack = StackedAutoencoder([RBM(8, epochs=2), RBM(4, epochs=3)], finetune_epochs=1, n_threads=1, random_state=0)
    stack.scaling_ = identity((12,), "float32")
    return stack


@pytest.fixture
def rows():
    return np.random.default_rng(0).random((50, 12)).astype(np.float32)


def test_names_of_phases(model):
    names = Names(model)
    assert [names.title(unit) for unit in (0, 1, FINETUNE)] == ["unit 1/2 12-8", "unit 2/2 8-4", "fine-tuning 12-8-4"]
    unit = RBM(5)
    unit.scaling_ = identity((7,), "float32")
    assert Names(unit).title(0) == "RBM 7-5"


def test_maps_are_called_by_their_shapes():
    stack = StackedAutoencoder(["c4k3p2", "c3s2", 5])
    stack.scaling_ = identity((8, 8), "float32")
    names = Names(stack)
    assert [names.title(unit) for unit in (0, 1, 2)] == [
        "unit 1/3 8x8x1-4x4x4",
        "unit 2/3 4x4x4-2x2x3",
        "unit 3/3 12-5",
    ]
    assert names.title(FINETUNE) == "fine-tuning 8x8x1-4x4x4-2x2x3-5"


def test_bars_on_a_terminal(model, rows, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    callback = reporter(model, quiet=False)
    assert isinstance(callback, Bars)
    model.fit(rows, callback=callback)
    callback.close()
    finals = [line.rpartition("\r")[2] for line in sys.stderr.getvalue().split("\n")[:-1]]
    for final, start, end in zip(
        finals,
        ("unit 1/2 12-8 100%", "unit 2/2 8-4 100%", "fine-tuning 12-8-4 100%"),
        ("2/2", "3/3", "1/1"),
        strict=True,
    ):
        assert final.startswith(start) and f", epoch {end} loss " in final, final


def test_a_resumed_bar_starts_where_the_run_stopped(model, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bars = Bars(Names(model))
    bars.on_chunk("pretrain", 1, 2, 3, 25, 50, 1.5)
    bars.close()
    assert " 83%" in sys.stderr.getvalue()


def test_lines_elsewhere_and_nothing_when_quiet(model, capsys):
    assert reporter(model, quiet=True) is None
    lines = reporter(model, quiet=False)
    assert isinstance(lines, Lines)
    lines(Record("pretrain", 0, 2, 10, 5.234, 5.4, 1.94, 31000.4))
    lines(Record("finetune", -1, 0, 10, 5.234, None, 1.94, 31000.4))
    assert capsys.readouterr().err == (
        "unit 1/2 12-8 epoch 3/10 loss 5.234 validation 5.4 (1.9 s, 31,000 rows/s)\n"
        "fine-tuning 12-8-4 epoch 1/10 loss 5.234 (1.9 s, 31,000 rows/s)\n"
    )


def test_summary_of_every_phase(model, rows):
    model.fit(rows)
    assert [(entry["phase"], entry["unit"], entry["epochs"]) for entry in summary(model)] == [
        ("pretrain", 0, 2), ("pretrain", 1, 3), ("finetune", None, 1),
    ]  # fmt: skip
    assert all(entry["loss"] > 0 and entry["seconds"] > 0 for entry in summary(model))


@pytest.mark.parametrize("quiet", [False, True])
def test_what_the_library_logs_is_one_line_but_that_it_compiles_is_quiet(quiet, monkeypatch, tmp_path):
    def log_and_stop(data):
        logging.getLogger("stacked.compilation").warning("compiling kernels ...")
        logging.getLogger("stacked.cache").warning("no room for\n kernels")
        raise DataError("stop")

    monkeypatch.setattr("stacked.data.open_data", log_and_stop)
    result = run("pretrain", "digits", "-o", tmp_path / "m.h5", "--layers", 3, *(["--quiet"] if quiet else []))
    said = [line for line in result.stderr.splitlines() if "kernels" in line]
    assert said == ([] if quiet else ["compiling kernels ..."]) + ["no room for kernels"]


def test_the_summary_adds_seconds_and_keeps_the_last_losses(model):
    model.history_ = [Record("pretrain", 0, n, 3, 9.0 - n, 8.0 - n, 2.0**n, 1.0) for n in range(3)]
    assert summary(model) == [
        {
            "phase": "pretrain",
            "unit": 0,
            "epochs": 3,
            "loss": 7.0,
            "penalty": 0.0,
            "validation_loss": 6.0,
            "seconds": 7.0,
        }
    ]


def test_quick_epochs_print_their_first_and_last_lines_only(model, capsys):
    lines = Lines(Names(model))
    for unit, last in ((0, 50), (1, 20)):
        for epoch in range(last):
            lines(Record("pretrain", unit, epoch, 50, 5.0, None, 0.001, 1e6))
    lines.close()
    printed = [line.split(" loss")[0] for line in capsys.readouterr().err.splitlines()]
    assert printed == [
        "unit 1/2 12-8 epoch 1/50",
        "unit 1/2 12-8 epoch 50/50",
        "unit 2/2 8-4 epoch 1/50",
        "unit 2/2 8-4 epoch 20/50",
    ]
