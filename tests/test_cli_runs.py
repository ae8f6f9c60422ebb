"""Runs of ``pretrain`` and ``finetune`` around the training itself: data noted and found again, outputs, reports, progress."""

import json
import signal

import click
import numpy as np
import pytest

from stacked import RBM, DataError, ModelFileError, StackedAutoencoder, StackedClassifier, load, open_data
from stacked.cli import COMMANDS, main, targets
from stacked.cli import run as cli_run
from stacked.cli.config import _option_names, apply_config
from stacked.cli.progress import summary
from stacked.data import fingerprint
from stacked.training.checkpoint import Checkpointer, Unfinished, load_checkpoint

from .test_cli_boundary import misused, refused, run_well

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)
Y = np.arange(40) % 2


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working directory, with rows, labels, other rows, and a pretrained stack."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", Y)
    np.save("other.npy", X[::-1])
    StackedAutoencoder([RBM(4, epochs=1), RBM(3, epochs=2)], random_state=0).pretrain(X).save("model.h5")
    return tmp_path


def unfinished(path, phase="pretrain", notes=None, diverged=False):
    """A file of a run that stands at the end of its first epoch."""

    def stop(record):
        raise KeyboardInterrupt

    model = StackedAutoencoder([RBM(4, epochs=3)], finetune_epochs=3, random_state=0)
    if phase == "finetune":
        model.pretrain(X)
    checkpointer = Checkpointer(path, 0, notes)
    with pytest.raises(KeyboardInterrupt):
        getattr(model, phase)(X, callback=stop, checkpoint=checkpointer)
    (checkpointer.flush_diverged if diverged else checkpointer.flush)()
    return path


# --- what the data were ------------------------------------------------------------------------------------------------------


def test_notes_of_the_data_and_the_labels(home):
    rows = open_data("x.npy", "y.npy")
    plain = {"data": f"{home}/x.npy", "data_fingerprint": fingerprint(rows)}
    assert cli_run.notes_of(rows, "x.npy", "y.npy", False) == plain
    notes = cli_run.notes_of(rows, "x.npy", "y.npy", True)
    assert notes == {**plain, "labels": f"{home}/y.npy", "labels_fingerprint": notes["labels_fingerprint"]}
    assert cli_run.notes_of(rows, "x.npy", None, True) == {**notes, "labels": None}
    others = [Y[::-1].copy(), Y.astype(str), np.where(Y == 0, 2, Y)]
    found = {notes["labels_fingerprint"]}
    for labels in others:
        np.save("other_y.npy", labels)
        found.add(cli_run.notes_of(open_data("x.npy", "other_y.npy"), "x.npy", None, True)["labels_fingerprint"])
    assert len(found) == 4
    with pytest.raises(DataError, match=r"x\.npy: expected labels, found none; give them with --labels"):
        cli_run.notes_of(open_data("x.npy"), "x.npy", None, True)


def test_names_of_data_that_mean_the_same_everywhere(home):
    assert cli_run.absolute("digits") == "digits" and cli_run.absolute("blocks:20:1") == "blocks:20:1"
    assert cli_run.absolute("./digits") == f"{home}/digits" and cli_run.absolute("x.npz:a") == f"{home}/x.npz:a"
    (home / "blocks:20").write_bytes(b"")  # a file is meant before a built-in set that takes an argument
    assert cli_run.absolute("blocks:20") == f"{home}/blocks:20" and cli_run.absolute("blocks:30") == "blocks:30"


def test_one_file_under_two_names(home):
    (home / "link").symlink_to(home / "x.npy")
    (home / "folder").mkdir()
    for other in ("x.npy", "./x.npy", f"{home}/x.npy", "x.npy:key", "link", "folder/../x.npy"):
        assert targets.same_file("x.npy", other), other
        assert not targets.same_file("y.npy", other)
    assert not targets.same_file("none", "none") and not targets.same_file("x.npy", ":x.npy")


def reopened(notes, data=None, labels=None):
    return cli_run.reopen("run.h5", Unfinished(None, "pretrain", None, notes), data, labels)


def test_an_unfinished_run_wants_its_own_data(home):
    rows = open_data("x.npy", "y.npy")
    notes = cli_run.notes_of(rows, "x.npy", "y.npy", False)
    assert fingerprint(reopened(notes)) == notes["data_fingerprint"]
    assert reopened(notes, "x.npy").name == "x.npy"
    with pytest.raises(DataError) as caught:
        reopened(notes, "other.npy")
    expected, found = notes["data_fingerprint"][:12], fingerprint(open_data("other.npy"))[:12]
    assert str(caught.value) == (
        f"other.npy: these are not the data that run.h5 was training on (fingerprint {expected} expected, {found} found)"
    )
    for bad in ({}, {"data": 3}, {**notes, "data": None}):
        with pytest.raises(ModelFileError, match=r"run\.h5: the checkpoint does not say what the data were; name DATA"):
            reopened(bad)
    assert reopened({}, "x.npy").n_rows == 40


def test_an_unfinished_classifier_wants_its_own_labels(home):
    notes = cli_run.notes_of(open_data("x.npy", "y.npy"), "x.npy", "y.npy", True)
    assert reopened(notes).labels.tolist() == Y.tolist()
    assert reopened(notes, "x.npy", "y.npy").labels.tolist() == Y.tolist()
    np.save("other_y.npy", 1 - Y)
    with pytest.raises(DataError, match=r"labels of other_y\.npy: these are not the data that run\.h5"):
        reopened(notes, None, "other_y.npy")
    with pytest.raises(ModelFileError, match="does not say"):
        reopened({**notes, "labels": 5})


# --- outputs -----------------------------------------------------------------------------------------------------------------


def test_what_an_output_may_replace(home):
    (home / "text.h5").write_text("mine")
    targets.check_output("new.h5", ["x.npy", None], False)
    targets.check_output("model.h5", ["x.npy"], False)
    targets.check_output("text.h5", ["x.npy"], True)
    with pytest.raises(ModelFileError, match=r"text\.h5: exists and is not a whole model file; .* --force"):
        targets.check_output("text.h5", ["x.npy"], False)
    for inputs in (["model.h5", "x.npy"], ["x.npy", "model.h5:/a"], [None, "./model.h5"]):
        for force in (False, True):
            with pytest.raises(ModelFileError, match=r"model\.h5: the output would replace the input"):
                targets.check_output("model.h5", inputs, force)


@pytest.mark.parametrize("phase", ["pretrain", "finetune"])
def test_an_output_with_unfinished_training(phase, home):
    unfinished("run.h5", phase)
    with pytest.raises(
        ModelFileError, match=rf"run\.h5: holds unfinished training; go on with `stacked {phase} --resume"
    ):
        targets.check_output("run.h5", ["x.npy"], False)
    targets.check_output("run.h5", ["x.npy"], True)
    other = "finetune" if phase == "pretrain" else "pretrain"
    assert cli_run.open_unfinished("run.h5", phase).phase == phase
    with pytest.raises(ModelFileError, match=rf"holds unfinished .*; go on with `stacked {phase} --resume run\.h5`"):
        cli_run.open_unfinished("run.h5", other)
    for path in ("model.h5", "x.npy", "y.npy", "other.npy"):
        assert (home / path).exists()


def test_a_run_that_diverged_may_be_replaced(home):
    unfinished("run.h5", diverged=True)
    targets.check_output("run.h5", ["x.npy"], False)
    assert "diverged" in refused("pretrain", "--resume", "run.h5")


def test_a_run_that_is_finished(home):
    load("model.h5").finetune(X).save("tuned.h5")
    assert cli_run.open_unfinished("model.h5", "pretrain") is None
    assert cli_run.open_unfinished("tuned.h5", "finetune") is None
    with pytest.raises(ModelFileError, match="expected unfinished fine-tuning, found pretraining that is finished"):
        cli_run.open_unfinished("model.h5", "finetune")
    with pytest.raises(ModelFileError, match="expected unfinished pretraining, found fine-tuning that is finished"):
        cli_run.open_unfinished("tuned.h5", "pretrain")
    assert run_well("pretrain", "--resume", "model.h5").stderr.splitlines()[-1] == (
        "model.h5: the training is finished; there is nothing to do"
    )
    quiet = run_well("pretrain", "--resume", "model.h5", "-q")
    assert quiet.stdout == quiet.stderr == ""
    found = json.loads(run_well("pretrain", "--resume", "model.h5", "--json").stdout)
    assert found == {"model": "model.h5", "data": None, "n_samples": None, "phases": summary(load("model.h5"))}


@pytest.mark.parametrize(
    "error, code", [(cli_run.Interrupted(signal.SIGINT), 130), (cli_run.Interrupted(signal.SIGTERM), 143)]
)
@pytest.mark.parametrize("started", [False, True])
def test_a_stop_writes_what_was_held_back(error, code, started, home, capsys):
    flushed = []

    class Run:
        has_written = started

        def flush(self):
            flushed.append(True)

    with pytest.raises(SystemExit) as caught, cli_run.stoppable(Run(), "run.h5", "finetune"):
        raise error
    assert (caught.value.code, flushed) == (code, [True])
    said = (
        "stopped; go on with: stacked finetune --resume run.h5"
        if started
        else ("stopped before the first checkpoint; nothing was written")
    )
    assert capsys.readouterr().err == said + "\n"


# --- reports of training -----------------------------------------------------------------------------------------------------


def test_the_report_of_pretraining_and_of_finetuning(home):
    layers = ("--layers", "4-3", "--epochs", "1,2", "--seed", 0, "--threads", 1)
    result = run_well("pretrain", "x.npy", "-o", "m.h5", *layers, "--precision", "float32")
    assert (
        result.stdout == ""
        and result.stderr.splitlines()[-1] == "wrote m.h5; next: stacked finetune m.h5 x.npy -o tuned.h5"
    )
    found = json.loads(run_well("pretrain", "x.npy", "-o", "m.h5", *layers, "--json", "-q").stdout)
    assert found == {"model": "m.h5", "data": "x.npy", "n_samples": 40, "phases": summary(load("m.h5"))}
    tune = ("finetune", "m.h5", "x.npy", "-o", "t.h5", "--epochs", 2, "--threads", 1)
    result = run_well(*tune, "--precision", "float32")
    assert result.stderr.splitlines()[-1] == "wrote t.h5; next: stacked evaluate t.h5 x.npy"
    found = json.loads(run_well(*tune, "--json").stdout)
    assert found == {"model": "t.h5", "data": "x.npy", "n_samples": 40, "phases": summary(load("t.h5"))}
    assert [(phase["phase"], phase["unit"], phase["epochs"]) for phase in found["phases"]] == [
        ("pretrain", 0, 1), ("pretrain", 1, 2), ("finetune", None, 2),
    ]  # fmt: skip


def test_checkpoints_are_as_far_apart_as_was_asked_and_gone_in_the_end(home, monkeypatch):
    made = []
    monkeypatch.setattr(
        "stacked.training.checkpoint.Checkpointer",
        lambda *args: made.append((args, Checkpointer(*args))) or made[-1][1],
    )
    run_well("pretrain", "x.npy", "-o", "m.h5", "--layers", 3, "--epochs", 1, "--checkpoint-every", 7, "-q")
    run_well("finetune", "m.h5", "x.npy", "-o", "t.h5", "--labels", "y.npy", "--epochs", 1, "-q")
    (path, every, notes), _ = made[0]
    assert (path, every, notes) == ("m.h5", 7.0, cli_run.notes_of(open_data("x.npy"), "x.npy", None, False))
    (path, every, notes), _ = made[1]
    assert (path, every) == ("t.h5", 60.0)
    assert notes == cli_run.notes_of(open_data("x.npy", "y.npy"), "x.npy", "y.npy", True)
    with pytest.raises(ModelFileError, match="finished"):
        load_checkpoint("t.h5")


# --- configuration files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_its_flag_s_name_in_a_file(name, tmp_path):
    command = main.get_command(click.Context(main), name)
    known = _option_names(command)
    for param in command.params:
        if param.name in ("config", "help"):
            assert param.name not in known
            continue
        for spelling in [param.name, *(flag.lstrip("-") for flag in param.opts)]:
            assert known[spelling.replace("-", "_")] == param.name


def defaults(tmp_path, text, before=None):
    (tmp_path / "run.toml").write_text(text)
    context = click.Context(main.get_command(click.Context(main), "pretrain"), info_name="pretrain")
    context.default_map = before
    apply_config(context, None, str(tmp_path / "run.toml"))
    return context.default_map


def test_tables_of_commands(tmp_path):
    assert defaults(tmp_path, "epochs = 1\n[pretrain]\nepochs = 2\n[finetune]\nepochs = 3\nanything = 4\n") == {
        "epochs": 2
    }
    assert defaults(tmp_path, "epochs = 1\n[finetune]\nepochs = 3\n") == {"epochs": 1}
    assert defaults(tmp_path, "epochs = 1\n", {"epochs": 5, "k": 2}) == {"epochs": 1, "k": 2}
    assert defaults(tmp_path, "", None) == {}
    with pytest.raises(click.UsageError, match=r"run\.toml: pretrain has no option 'finetune'"):
        defaults(tmp_path, "finetune = 3\n")


def test_settings_in_a_file_count_as_given_beside_resume(home):
    unfinished("run.h5")
    (home / "run.toml").write_text("epochs = 3\n")
    line = misused("pretrain", "--resume", "run.h5", "--config", "run.toml")
    assert line == "Error: --resume takes its settings from the file; leave out --epochs"
    (home / "run.toml").write_text("threads = 1\nquiet = true\n[finetune]\nepochs = 3\n")
    result = run_well("pretrain", "--resume", "run.h5", "x.npy", "--config", "run.toml")
    assert result.stderr == "" and len(load("run.h5").history_) == 3


# --- classifiers -------------------------------------------------------------------------------------------------------------


def test_finetuning_a_classifier_with_other_labels_starts_a_new_head(home):
    classifier = StackedClassifier([RBM(4, epochs=1)], finetune_epochs=3, random_state=0).fit(X, Y)
    classifier.save("c.h5")
    np.save("other_y.npy", Y + 5)
    run_well("finetune", "c.h5", "x.npy", "-o", "same.h5", "--labels", "y.npy", "--epochs", 0, "-q")
    np.testing.assert_array_equal(load("same.h5").network_.params, classifier.network_.params)
    run_well("finetune", "c.h5", "x.npy", "-o", "other.h5", "--labels", "other_y.npy", "--epochs", 0, "-q")
    other = load("other.h5")
    assert other.classes_.tolist() == [5, 6] and not other.network_.weight(1).any()
    np.testing.assert_array_equal(other.network_.weight(0), classifier.network_.weight(0))
