"""What commands say once they are done: commands that can be pasted into a shell, and a hint that is given once a day."""

import os
import shlex
import time
from pathlib import Path

import numpy as np
import pytest

from stacked import RBM, StackedAutoencoder, load
from stacked.cli import hints
from stacked.cli.hints import _is_due, next_command, shell_command
from stacked.kernels.engine import bfloat16

from .test_cli_boundary import run, run_well
from .test_cli_training import interrupt_after

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)
Y = np.arange(40) % 2
SHORT = ("--layers", "4-3", "--epochs", 1, "--seed", 0, "--threads", 1)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working directory, with rows and labels."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", Y)
    return tmp_path


def pasted(result):
    """The command that a command recommends as the next one, as a shell understands it."""
    (line,) = [line for line in result.stderr.splitlines() if "; next: " in line]
    name, *words = shlex.split(line.partition("; next: ")[2])
    assert name == "stacked"
    return words


def test_what_is_recommended_can_be_done_as_it_stands(home):
    folder = home / "it's my data"
    folder.mkdir()
    data = folder / "x $1.npy"
    np.save(data, X)
    words = pasted(run_well("pretrain", data, "-o", folder / "m;1.h5", *SHORT))
    assert words == ["finetune", str(folder / "m;1.h5"), str(data), "-o", "tuned.h5"]
    words = pasted(run_well(*words, "--epochs", 1))
    assert words == ["evaluate", "tuned.h5", str(data)]
    assert "squared error" in run_well(*words).stdout


def test_an_output_that_is_there_is_not_recommended(home):
    assert pasted(run_well("pretrain", "x.npy", "-o", "tuned.h5", *SHORT))[-1] == "tuned2.h5"
    (home / "tuned2.h5").symlink_to("nowhere.h5")
    words = pasted(run_well("pretrain", "x.npy", "-o", "tuned.h5", *SHORT))
    assert words == ["finetune", "tuned.h5", "x.npy", "-o", "tuned3.h5"]


def test_a_classifier_is_evaluated_with_its_labels(home):
    run_well("pretrain", "x.npy", "-o", "m.h5", *SHORT)
    words = pasted(run_well("finetune", "m.h5", "x.npy", "-o", "c.h5", "--labels", "y.npy", "--epochs", 1))
    assert words == ["evaluate", "c.h5", "x.npy", "--labels", "y.npy"]
    assert "accuracy" in run_well(*words).stdout
    np.savez("both.npz", x=X, y=Y)
    words = pasted(run_well("finetune", "m.h5", "both.npz", "-o", "c.h5", "--classify", "--epochs", 1))
    assert words == ["evaluate", "c.h5", "both.npz"]
    assert "accuracy" in run_well(*words).stdout


def test_a_resumed_run_recommends_the_data_from_where_they_are(home, monkeypatch):
    options = ("--layers", "4", "--epochs", 3, "--checkpoint-every", 0, "-q", "--threads", 1)
    for moved, expected in ((None, str(home / "x.npy")), ("moved.npy", "moved.npy")):
        with monkeypatch.context() as interrupted:
            interrupt_after(interrupted, 1)
            assert run("pretrain", "x.npy", "-o", "m.h5", *options, "--force").exit_code == 130
        if moved:
            Path("x.npy").rename(moved)
        words = pasted(run_well("pretrain", *([moved] if moved else []), "--resume", "m.h5"))
        assert words == ["finetune", "m.h5", expected, "-o", "tuned.h5"]


def test_a_run_that_was_stopped_twice_remembers_where_the_data_moved(home, monkeypatch):
    options = ("--layers", "4", "--epochs", 4, "--checkpoint-every", 0, "-q", "--threads", 1)
    stopped = [("x.npy", "-o", "m.h5", *options), ("moved.npy", "--resume", "m.h5", "--checkpoint-every", 0)]
    for number, words in enumerate(stopped):
        if number:
            Path("x.npy").rename("moved.npy")
        with monkeypatch.context() as interrupted:
            interrupt_after(interrupted, 1)
            assert run("pretrain", *words).exit_code == 130
    run_well("pretrain", "--resume", "m.h5", "-q")
    assert len(load("m.h5").history_) == 4


def test_names_as_a_shell_wants_them():
    assert shell_command("info", "a b.h5", options=["-x", "c'd"]) == """stacked info 'a b.h5' -x 'c'"'"'d'"""
    assert shell_command("info", "-m.h5", "-") == "stacked info ./-m.h5 -"
    given = {"data": None, "labels": None}
    notes = {"data": "/d.csv", "labels": None}
    assert next_command("finetune", "t.h5", given, notes) == "stacked evaluate t.h5 /d.csv"
    assert next_command("finetune", "t.h5", {**given, "labels": "y"}, notes) == "stacked evaluate t.h5 /d.csv"
    notes |= {"labels": "/y.csv", "labels_fingerprint": ""}
    assert next_command("finetune", "t.h5", given, notes) == "stacked evaluate t.h5 /d.csv --labels /y.csv"


# --- the hint ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache folder of a user with a CPU that has bfloat16, and hints as they are outside of tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hints, "_is_due", _is_due)
    monkeypatch.setattr(bfloat16, "obstacle", lambda: None)
    return tmp_path / "cache" / "stacked"


def said(capsys, model=None):
    hints.mention_bfloat16(model or StackedAutoencoder([RBM(3)]), "pretrain")
    return "--precision bfloat16" in capsys.readouterr().err


def test_the_hint_is_given_once_a_day(cache, capsys):
    assert not said(capsys, StackedAutoencoder([RBM(3)], precision="float64")) and not cache.exists()
    assert [said(capsys) for _ in range(3)] == [True, False, False]
    (stamp,) = cache.iterdir()
    for age, due in (
        (hints.DAY - 60, False),
        (hints.DAY + 60, True),
        (-60, True),
    ):  # in the future: the clock was set back
        os.utime(stamp, (time.time() - age,) * 2)
        assert [said(capsys), said(capsys)] == [due, False]


@pytest.mark.parametrize("obstacle", ["a file", "no home"])
def test_a_hint_that_cannot_be_noted_is_given(obstacle, cache, capsys, monkeypatch):
    if obstacle == "a file":
        cache.parent.write_text("")
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")

        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(hints.Path, "home", no_home)
    assert said(capsys) and said(capsys)


@pytest.mark.parametrize("given", [None, "", "relative/cache"])
def test_the_cache_folder_is_in_the_home_unless_another_is_named(given, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if given is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert hints._folder() == tmp_path / ".cache" / "stacked"
