"""``--precision``: training and answering in bfloat16 from the command line, the hint, and what is refused."""

import json

import numpy as np
import pytest

from stacked import load
from stacked.kernels.engine import bfloat16

from .test_cli_boundary import misused, refused, run, run_well
from .test_cli_training import interrupt_after

HINT = "--precision bfloat16"


@pytest.fixture
def cpu(monkeypatch):
    """Let this CPU have bfloat16, or lack it for a reason."""

    def set_obstacle(reason):
        monkeypatch.setattr(bfloat16, "obstacle", lambda: reason)

    set_obstacle(None)
    return set_obstacle


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).random((120, 12), np.float32))
    return path


def pretrained(rows, *options):
    out = rows.with_name("model.h5")
    return out, run_well("pretrain", rows, "-o", out, "--layers", "8-4", "--epochs", 2, "--seed", 0, *options)


def test_train_and_answer(cpu, rows, tmp_path):
    path, result = pretrained(rows, "--precision", "bfloat16")
    assert load(path).precision == "bfloat16" and HINT not in result.stderr
    tuned = tmp_path / "tuned.h5"
    run_well("finetune", path, rows, "-o", tuned, "--epochs", 2, "-q")
    assert load(tuned).precision == "bfloat16"
    answers = {}
    for name, options in {"as trained": (), "float32": ("--precision", "float32")}.items():
        out = tmp_path / "codes.npy"
        run_well("encode", tuned, rows, "-o", out, "--force", *options)
        answers[name] = np.load(out)
    difference = np.abs(answers["as trained"] - answers["float32"]).max()
    assert 0 < difference < 0.02 * np.abs(answers["float32"]).max()
    errors = [
        json.loads(run_well("evaluate", tuned, rows, "--json", *options).stdout)["squared_error"]
        for options in ((), ("--precision", "float32"))
    ]
    assert errors[0] != errors[1] and abs(errors[0] / errors[1] - 1) < 0.01
    assert "bfloat16" in run_well("info", tuned).stdout


def test_fine_tune_in_another_precision(cpu, rows, tmp_path):
    path, _ = pretrained(rows)
    tuned = tmp_path / "tuned.h5"
    run_well("finetune", path, rows, "-o", tuned, "--epochs", 1, "--precision", "bfloat16", "-q")
    assert load(tuned).precision == "bfloat16"


def test_a_cpu_that_has_it_says_how_to_turn_it_on(cpu, rows, tmp_path):
    path, result = pretrained(rows)
    assert HINT in result.stderr
    for options in (
        ("-q",),
        ("--precision", "float32"),
        ("--precision", "float64"),
        ("--unit", "dae", "--optimizer", "cg"),
    ):
        assert HINT not in pretrained(rows, *options)[1].stderr
    path, _ = pretrained(rows)
    tuned = ("-o", tmp_path / "tuned.h5", "--epochs", 1)
    assert HINT in run_well("finetune", path, rows, *tuned).stderr
    assert HINT not in run_well("finetune", path, rows, *tuned, "--optimizer", "cg").stderr
    cpu("this CPU has neither")
    assert HINT not in pretrained(rows)[1].stderr


def test_a_cpu_without_it(cpu, rows, tmp_path):
    path, _ = pretrained(rows, "--precision", "bfloat16")
    cpu("this CPU has neither")
    options = ("-o", tmp_path / "out.h5", "--layers", "8", "--precision", "bfloat16")
    message = "bfloat16 needs AMX or AVX-512 BF16 instructions, but this CPU has neither; use"
    assert message in refused("pretrain", rows, *options)
    assert not (tmp_path / "out.h5").exists()
    for command in ("encode", "reconstruct", "evaluate"):
        assert message in refused(command, path, rows)
        run_well(command, path, rows, "--precision", "float32")
    tuned = ("-o", tmp_path / "tuned.h5", "--epochs", 1)
    assert message in refused("finetune", path, rows, *tuned)
    run_well("finetune", path, rows, *tuned, "--precision", "float32")


def test_what_is_refused(cpu, rows):
    path, _ = pretrained(rows, "--precision", "float64")
    assert "holds a model in float64" in misused("encode", path, rows, "--precision", "bfloat16")
    options = ("--unit", "dae", "--optimizer", "cg", "--precision", "bfloat16")
    error = refused("pretrain", rows, "-o", rows.with_name("x.h5"), "--layers", "8", *options)
    assert "cg has no bfloat16 products" in error


def test_an_unfinished_run_goes_on_elsewhere_in_float32(cpu, rows, monkeypatch):
    path = rows.with_name("model.h5")
    options = ("--layers", "8-4", "--epochs", "1,3", "--precision", "bfloat16", "--checkpoint-every", 0, "-q")
    with monkeypatch.context() as interrupted:
        interrupt_after(interrupted, 1)
        assert run("pretrain", rows, "-o", path, *options).exit_code == 130
    cpu("this CPU has neither")
    assert "precision float32, which takes models" in refused("pretrain", "--resume", path)
    assert "holds a model in bfloat16" in misused("pretrain", "--resume", path, "--precision", "float64")
    run_well("pretrain", "--resume", path, "--precision", "float32", "-q")
    assert load(path).precision == "float32"
