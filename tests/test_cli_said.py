"""What training says on the way: lines, bars, the hint about bfloat16, and messages in the words of the command line."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, progress
from stacked.cli import boundary as cli_boundary
from stacked.cli.hints import mention_bfloat16
from stacked.cli.progress import summary
from stacked.kernels.engine import bfloat16
from stacked.progress import Bars, Lines, Names, losses
from stacked.scaling import identity
from stacked.training.loop import Record

from .test_cli_boundary import refused, run_well

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working directory, with rows."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    return tmp_path


@pytest.fixture
def names():
    stack = StackedAutoencoder([RBM(4), RBM(3)])
    stack.scaling_ = identity((6,), "float32")
    return Names(stack)


def test_lines_are_a_second_apart_but_for_the_first_and_the_last_of_a_phase(names, capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = Lines(names)
    for unit, epoch, seconds in [(0, 0, 0), (0, 1, 0.5), (0, 2, 0.499), (0, 3, 0.001), (0, 4, 0.9), (0, 5, 0.2), (0, 6, 0.3),
                                 (1, 0, 0.1), (1, 1, 0.1), (1, 8, 0.1), (-1, 0, 0.1), (-1, 1, 0.1)]:  # fmt: skip
        now[0] += seconds
        lines(Record("finetune" if unit < 0 else "pretrain", unit, epoch, 9, 1.0, None, 1.0, 1.0))
    lines.close()
    lines.close()
    printed = [line.split(" loss")[0].split(" epoch ") for line in capsys.readouterr().err.splitlines()]
    assert [(title.split()[1], epoch) for title, epoch in printed] == [
        ("1/2", "1/9"), ("1/2", "4/9"), ("1/2", "6/9"), ("1/2", "7/9"),  # the last one seen of a unit that stopped early
        ("2/2", "1/9"), ("2/2", "9/9"), ("6-4-3", "1/9"), ("6-4-3", "2/9"),
    ]  # fmt: skip


def test_the_last_line_of_a_phase_does_not_wait(names, capsys):
    lines = Lines(names)
    for epoch in (0, 1, 8):
        lines(Record("pretrain", 0, epoch, 9, 1.0, None, 1.0, 1.0))
    assert [line.split()[4] for line in capsys.readouterr().err.splitlines()] == ["1/9", "9/9"]


def test_losses_in_five_digits():
    record = Record("pretrain", 0, 0, 9, 123.456789, 0.000123456789, 1.0, 1.0)
    assert losses(record) == "loss 123.46 validation 0.00012346"
    assert losses(record._replace(validation_loss=None)) == "loss 123.46"
    assert losses(record._replace(validation_loss=0.0)) == "loss 123.46 validation 0"


def test_a_bar_counts_the_rows_of_all_epochs_of_its_unit(names, monkeypatch):
    made = []

    class Bar:
        def __init__(self, total, initial, desc, **rest):
            self.total, self.n, self.initial, self.desc, self.said, self.closed = total, initial, initial, desc, None, 0
            made.append(self)

        def update(self, n):
            self.n += n

        def set_postfix_str(self, said, refresh=True):
            self.said = said

        def close(self):
            self.closed += 1

    monkeypatch.setattr("tqdm.tqdm", Bar)
    bars = Bars(names)
    bars(Record("pretrain", 0, 0, 9, 2.0, 3.0, 1.0, 1.0))
    for epoch, done in ((0, 25), (0, 50), (1, 25)):
        bars.on_chunk("pretrain", 0, epoch, 9, done, 50, 1.23456789)
    (first,) = made
    assert (first.total, first.n, first.desc, first.said) == (450, 75, "unit 1/2 6-4", "epoch 2/9 loss 1.2346")
    bars(Record("pretrain", 0, 1, 9, 2.0, 3.0, 1.0, 1.0))
    assert first.said == "epoch 2/9 loss 2 validation 3"
    bars.on_chunk("pretrain", 1, 3, 9, 10, 40, 1.0)
    assert first.closed == 1 and (first.initial, made[1].initial) == (0, 120)
    assert (made[1].total, made[1].n, made[1].desc) == (360, 130, "unit 2/2 4-3")
    bars.on_chunk("finetune", -1, 0, 9, 10, 40, 1.0)
    bars.close()
    bars.close()
    assert [bar.closed for bar in made] == [1, 1, 1] and made[2].desc == "fine-tuning 6-4-3"


@pytest.mark.parametrize(
    "model, phase, obstacle, said",
    [
        (StackedAutoencoder([RBM(3)]), "pretrain", None, True),
        (StackedAutoencoder([RBM(3)]), "pretrain", "no", False),
        (StackedAutoencoder([RBM(3)], precision="float64"), "pretrain", None, False),
        (StackedAutoencoder([RBM(3)], precision="bfloat16"), "pretrain", None, False),
        (StackedAutoencoder([RBM(3), Autoencoder(2, optimizer="cg")]), "pretrain", None, False),
        (StackedAutoencoder([Autoencoder(2, optimizer="cg")]), "finetune", None, True),
        (StackedAutoencoder([RBM(3)], finetune_optimizer="lbfgs"), "finetune", None, False),
        (StackedAutoencoder([RBM(3)], finetune_optimizer="lbfgs"), "pretrain", None, True),
    ],
)
def test_when_bfloat16_is_mentioned(model, phase, obstacle, said, monkeypatch, capsys):
    monkeypatch.setattr(bfloat16, "obstacle", lambda: obstacle)
    mention_bfloat16(model, phase)
    expected = "this CPU multiplies bfloat16: with --precision bfloat16 it trains faster\n" if said else ""
    assert capsys.readouterr().err == expected


def test_only_runs_that_chose_no_precision_hear_of_bfloat16(home, monkeypatch):
    monkeypatch.setattr(bfloat16, "obstacle", lambda: None)
    args = ("pretrain", "x.npy", "-o", "m.h5", "--layers", 3, "--epochs", 1)
    assert "--precision bfloat16" in run_well(*args).stderr
    for extra in (("--precision", "float32"), ("--json",), ("--quiet",)):
        assert "--precision bfloat16" not in run_well(*args, *extra).stderr


@pytest.mark.parametrize(
    "message, shown",
    [
        ("n_threads: expected", "--threads: expected"),
        ("validation_fraction: expected", "--validation: expected"),
        ("set validation_fraction too", "set --validation too"),
        ("random_state: expected", "--seed: expected"),
        ("lower learning_rate.", "lower --learning-rate."),
        ("lower finetune_learning_rate", "lower --learning-rate"),
        ("raise finetune_batch_size or finetune_weight_decay", "raise --batch-size or --weight-decay"),
        ("raise batch_size or weight_decay", "raise --batch-size or --weight-decay"),
        ("lower line_searches, or", "lower --line-searches, or"),
        ("finetune_epochs: expected", "--epochs: expected"),
        ("momentum: expected; momentum", "--momentum: expected; momentum"),
        ("finetune_optimizer: cg", "--optimizer: cg"),
        ("l1: expected", "--l1: expected"),
        ("finetune_loss: x; set finetune_loss='squared_error'", "--loss: x; set --loss squared_error"),
        ("patience: early", "--patience: early"),
        ("corruption_level: expected", "--corruption-level: expected"),
        ("set scaling='minmax', or", "set --scaling minmax, or"),
        ("k: expected", "k: expected"),
        ("/data/learning_rate/x.npy", "/data/learning_rate/x.npy"),
        ("random_state.npy: expected", "random_state.npy: expected"),
        ("my-batch_size: expected", "my-batch_size: expected"),
    ],
)
def test_parameters_in_messages_are_shown_as_flags(message, shown):
    assert cli_boundary.in_flags(message) == shown


def test_messages_about_files_keep_the_names_of_files(home):
    (home / "learning_rate").write_bytes(b"hello world")
    assert "learning_rate: expected" in refused("pretrain", "learning_rate", "-o", "m.h5", "--layers", 3)
    np.save("wide.npy", X * 3)
    line = refused("pretrain", "wide.npy", "-o", "m.h5", "--layers", 3, "--visible", "bernoulli", "--scaling", "none")
    assert "set --scaling minmax" in line and "scaling='minmax'" not in line


def test_a_summary_adds_seconds_and_shows_the_last_losses():
    class Model:
        history_ = (
            Record("pretrain", 0, 0, 2, 9.0, 8.0, 1.0, 10.0), Record("pretrain", 0, 1, 2, 7.0, 6.0, 2.5, 20.0, 0.5),
            Record("finetune", -1, 0, 1, 5.0, None, 4.0, 30.0),
        )  # fmt: skip

    assert summary(Model()) == [
        {
            "phase": "pretrain",
            "unit": 0,
            "epochs": 2,
            "loss": 7.0,
            "penalty": 0.5,
            "validation_loss": 6.0,
            "seconds": 3.5,
        },
        {
            "phase": "finetune",
            "unit": None,
            "epochs": 1,
            "loss": 5.0,
            "penalty": 0.0,
            "validation_loss": None,
            "seconds": 4.0,
        },
    ]
