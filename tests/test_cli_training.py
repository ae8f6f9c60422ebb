"""``pretrain`` and ``finetune``: the happy path, what they refuse, and resuming."""

import json
import signal
import time

import numpy as np
import pytest

from stacked import load
from stacked.cli import run as cli_run
from stacked.models import model as model_module
from stacked.training.loop import Hooks

from .test_cli_boundary import misused, refused, run, run_well, start

SMALL = ("--epochs", 2, "--threads", 1)


@pytest.fixture
def rows(tmp_path):
    """A file of 120 rows of 12 features in [0, 1]."""
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).random((120, 12), np.float32))
    return path


@pytest.fixture
def model(tmp_path, rows):
    """A pretrained 12-8-4 stack."""
    path = tmp_path / "model.h5"
    run_well("pretrain", rows, "-o", path, "--layers", "8-4", "--seed", 0, "-q", *SMALL)
    return path


def interrupt_after(monkeypatch, epochs):
    """Let Ctrl-C arrive in the epoch after so many."""

    def chunk(self, phase, unit, epoch, n_epochs, done, total, loss):
        if epoch >= epochs:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Hooks, "chunk", chunk)


@pytest.mark.parametrize("kind", ["rbm", "autoencoder", "dae"])
def test_pretrain_prints_a_line_an_epoch_and_writes_the_model(tmp_path, rows, kind):
    out = tmp_path / "m.h5"
    result = run_well("pretrain", rows, "-o", out, "--layers", "8-4", "--unit", kind, "--seed", 3, *SMALL)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith("unit ")]
    assert [line.partition(" loss ")[0] for line in lines] == [
        "unit 1/2 12-8 epoch 1/2",
        "unit 1/2 12-8 epoch 2/2",
        "unit 2/2 8-4 epoch 1/2",
        "unit 2/2 8-4 epoch 2/2",
    ]
    assert lines[0].endswith(" rows/s)")
    fitted = load(out)
    assert [layer.n_out for layer in fitted.network_.layers] == [8, 4, 8, 12]
    assert fitted.random_state == 3 and fitted.seed_ == 3


def test_quiet_prints_nothing_and_json_a_summary(tmp_path, rows):
    out = tmp_path / "m.h5"
    args = ("pretrain", rows, "-o", out, "--layers", "8-4", "--validation", "0.2", "--patience", 2, *SMALL)
    quiet = run_well(*args, "--quiet")
    assert quiet.stdout == quiet.stderr == ""
    summary = json.loads(run_well(*args, "--json", "-q").stdout)
    assert summary["model"] == str(out) and summary["n_samples"] == 120
    assert [(phase["unit"], phase["epochs"]) for phase in summary["phases"]] == [(0, 2), (1, 2)]
    assert all(phase["loss"] > 0 and phase["validation_loss"] > 0 for phase in summary["phases"])


def test_values_for_each_layer_and_schedules(tmp_path, rows):
    out = tmp_path / "m.h5"
    run_well(
        "pretrain", rows, "-o", out, "--layers", "8-4", "-q", "--epochs", "1,2", "--learning-rate", "0.1,0:0.002/1:0.001",
        "--momentum", "0:0.5/1:0.9", "--weight-decay", 0.001, "--l1", 0.0001, "--batch-size", "10,20", "--threads", 1,
        "--scaling", "minmax", "--precision", "float64", "--k", "1,2", "--persistent",
    )  # fmt: skip
    first, second = load(out).units
    assert (first.epochs, first.batch_size, first.learning_rate, first.k) == (1, 10, 0.1, 1)
    assert (second.epochs, second.batch_size, second.k, second.hidden) == (2, 20, 2, "gaussian")
    assert second.learning_rate == [[0, 0.002], [1, 0.001]] and second.momentum == [[0, 0.5], [1, 0.9]]
    assert first.persistent and load(out).precision == "float64" and load(out).scaling == "minmax"


def test_config_file_gives_options_and_flags_win(tmp_path, rows):
    (tmp_path / "run.toml").write_text(
        f'data = "{rows}"\noutput = "{tmp_path / "m.h5"}"\nthreads = 1\nquiet = true\n[pretrain]\nlayers = [8, 4]\n'
        'unit = "dae"\nepochs = [1, 3]\ncorruption-level = [0.1, 0.3]\ntied = false\n[finetune]\nepochs = 1\n'
    )
    result = run_well("pretrain", "--config", tmp_path / "run.toml", "--epochs", 2)
    assert result.stderr == ""
    units = load(tmp_path / "m.h5").units
    assert [(unit.epochs, unit.corruption_level, unit.tied) for unit in units] == [(2, 0.1, False), (2, 0.3, False)]


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "nesterov", "cg", "lbfgs"])
def test_finetune(tmp_path, rows, model, optimizer):
    out = tmp_path / "tuned.h5"
    result = run_well("finetune", model, rows, "-o", out, "--optimizer", optimizer, *SMALL)
    assert "fine-tuning 12-8-4 epoch 2/2 loss" in result.stderr
    tuned = load(out)
    assert tuned.finetune_optimizer == optimizer and tuned.finetune_epochs == 2
    assert not np.array_equal(tuned.network_.params, load(model).network_.params)


def test_finetune_keeps_what_is_not_given(tmp_path, rows, model):
    once, twice = tmp_path / "once.h5", tmp_path / "twice.h5"
    rate = ("--learning-rate", "0:0.01/1:0.001", "--no-linear-decay", "--loss", "squared_error", "--seed", 5)
    run_well("finetune", model, rows, "-o", once, "-q", "--batch-size", 30, *rate, *SMALL)
    run_well("finetune", once, rows, "-o", twice, "-q", *SMALL)
    tuned = load(twice)
    assert tuned.finetune_batch_size == 30 and tuned.finetune_learning_rate == [[0, 0.01], [1, 0.001]]
    assert tuned.finetune_linear_decay is False and tuned.finetune_loss == "squared_error" and tuned.seed_ == 5


def test_finetune_stops_early(tmp_path, rows, model):
    out = tmp_path / "tuned.h5"
    early = ("--validation", 0.3, "--patience", 2, "--epochs", 300, "--learning-rate", 0.05, "--threads", 1)
    summary = json.loads(run_well("finetune", model, rows, "-o", out, *early, "--json", "-q").stdout)
    assert 2 <= summary["phases"][-1]["epochs"] < 300
    assert load(out).patience == 2


def test_classifiers_from_a_file_of_labels_and_from_the_data(tmp_path, rows, model):
    np.save(tmp_path / "labels.npy", np.arange(120) % 3)
    out = tmp_path / "classifier.h5"
    run_well("finetune", model, rows, "-o", out, "--labels", tmp_path / "labels.npy", "-q", *SMALL)
    assert load(out).classes_.tolist() == [0, 1, 2]
    again = tmp_path / "again.h5"
    run_well("finetune", out, rows, "-o", again, "--labels", tmp_path / "labels.npy", "-q", *SMALL)
    assert load(again).kind == "stacked_classifier"
    digits, classifier = tmp_path / "digits.h5", tmp_path / "digits_classifier.h5"
    run_well("pretrain", "digits", "-o", digits, "--layers", "10", "-q", *SMALL)
    run_well("finetune", digits, "digits", "-o", classifier, "--classify", "-q", *SMALL)
    assert load(classifier).classes_.tolist() == list(range(10))


def test_finetune_refuses_what_does_not_apply(tmp_path, rows, model):
    out = ("-o", tmp_path / "tuned.h5")
    assert "--line-searches has no effect" in misused("finetune", model, rows, *out, "--line-searches", 2)
    assert "--momentum has no effect" in misused("finetune", model, rows, *out, "--optimizer", "cg", "--momentum", 0.5)
    assert "--epochs: expected" in misused("finetune", model, rows, *out, "--epochs", -1)
    assert "--loss is for autoencoders" in misused("finetune", model, rows, *out, "--classify", "--loss", "auto")
    assert "expected labels, found none" in refused("finetune", model, rows, *out, "--classify")
    assert list(tmp_path.glob("tuned*")) == []


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_missing_arguments_are_usage_errors(command, rows, tmp_path):
    assert "is missing" in misused(command)
    assert "is missing" in misused(command, rows, "-o", tmp_path / "m.h5")


def test_an_interrupted_run_says_how_to_go_on_and_does(tmp_path, rows, model, monkeypatch):
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    args = ("--layers", "8-4", "--seed", 1, "--epochs", 5, "--threads", 1)
    run_well("pretrain", rows, "-o", whole, "-q", *args)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        result = run("pretrain", rows, "-o", killed, *args)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == f"stopped; go on with: stacked pretrain --resume {killed}"
    assert "unfinished" in run_well("info", killed).stdout
    assert "training is unfinished" in refused("encode", killed, rows)
    monkeypatch.chdir("/")
    result = run_well("pretrain", "--resume", killed, "--threads", 2)
    assert "epoch 4/5" in result.stderr and "epoch 3/5" not in result.stderr.partition("unit 2/2")[0]
    assert np.array_equal(load(killed).network_.params, load(whole).network_.params)
    assert "nothing to do" in run_well("pretrain", "--resume", killed).stderr


def test_an_interrupted_classifier_goes_on_with_moved_data(tmp_path, rows, model, monkeypatch):
    labels = tmp_path / "labels.npy"
    np.save(labels, np.arange(120) % 3)
    args = ("--labels", labels, "--epochs", 4, "--threads", 1, "-q")
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    run_well("finetune", model, rows, "-o", whole, *args)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        assert run("finetune", model, rows, "-o", killed, *args).exit_code == 130
    rows.rename(tmp_path / "moved.npy")
    labels.rename(tmp_path / "moved_labels.npy")
    assert "rows.npy: expected a file" in refused("finetune", "--resume", killed)
    moved = ("--labels", tmp_path / "moved_labels.npy", "-q")
    run_well("finetune", "--resume", killed, tmp_path / "moved.npy", *moved)
    assert np.array_equal(load(killed).network_.params, load(whole).network_.params)


def test_an_interrupted_classifier_goes_on_from_another_folder(tmp_path, rows, model, monkeypatch):
    np.save(tmp_path / "labels.npy", np.arange(120) % 3)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        named = ("model.h5", "rows.npy", "-o", "killed.h5", "--labels", "labels.npy")
        assert run("finetune", *named, "--epochs", 4, "--threads", 1, "-q").exit_code == 130
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run_well("finetune", "--resume", "../killed.h5", "-q")
    assert len(load(tmp_path / "killed.h5").history_) == 2 * 2 + 4


def test_threads_are_chosen_anew_on_resume(killed, monkeypatch):
    limits, real = [], model_module.thread_limit
    monkeypatch.setattr(model_module, "thread_limit", lambda n_threads: limits.append(n_threads) or real(n_threads))
    run_well("pretrain", "--resume", killed, "--threads", 2, "-q")
    assert limits == [2]


@pytest.fixture
def killed(tmp_path, rows, monkeypatch):
    """A pretraining run that was interrupted in its third epoch."""
    path = tmp_path / "killed.h5"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        run("pretrain", rows, "-o", path, "--layers", "8-4", "--epochs", 5, "--threads", 1, "-q")
    return path


def test_unfinished_training_is_not_replaced_by_accident(rows, killed):
    args = ("pretrain", rows, "-o", killed, "--layers", "8", "-q", *SMALL)
    line = refused(*args)
    assert "holds unfinished training" in line and f"--resume {killed}" in line and "--force" in line
    run_well(*args, "--force")
    assert load(killed).units[0].n_hidden == 8


def test_resume_refuses_other_data_settings_and_phases(tmp_path, rows, killed, model):
    np.save(tmp_path / "other.npy", np.random.default_rng(1).random((120, 12), np.float32))
    before = killed.read_bytes()
    line = refused("pretrain", "--resume", killed, tmp_path / "other.npy")
    assert "other.npy: these are not the data" in line
    assert "--resume takes its settings from the file" in misused("pretrain", "--resume", killed, "--epochs", 9)
    assert "stacked pretrain --resume" in refused("finetune", "--resume", killed)
    assert "expected unfinished fine-tuning" in refused("finetune", "--resume", model)
    assert "takes no MODEL" in misused("finetune", "--resume", killed, model, rows)
    assert "none.h5" in refused("pretrain", "--resume", tmp_path / "none.h5")
    assert killed.read_bytes() == before


def test_divergence_keeps_the_good_state_and_says_where(tmp_path, rows):
    out = tmp_path / "m.h5"
    result = run(
        "pretrain", rows, "-o", out, "--layers", "8", "--visible", "gaussian", "--learning-rate", 1e9, "-q", *SMALL
    )
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "unit 1" in result.stderr and "lower --learning-rate" in result.stderr and f"kept in {out}" in result.stderr
    assert "last good weights" in run_well("info", out).stdout
    assert "nan" not in run_well("encode", out, rows).stdout
    assert "diverged" in refused("pretrain", "--resume", out)
    run_well("pretrain", rows, "-o", out, "--layers", "8", "-q", *SMALL)


def test_output_is_checked_before_the_work(tmp_path, rows, model):
    layers = ("--layers", 8, *SMALL)
    assert "there is no folder" in refused("pretrain", rows, "-o", tmp_path / "no" / "m.h5", *layers)
    assert "it is a folder" in refused("pretrain", rows, "-o", tmp_path, *layers)
    own = rows.rename(tmp_path / "rows")  # a name that a model may have
    assert "replace the input" in refused("pretrain", own, "-o", own, "--force", *layers)
    rows = own.rename(rows)
    assert "replace the input" in refused("finetune", model, rows, "-o", model, *SMALL)
    (tmp_path / "notes.txt").write_text("mine")
    assert "--force" in refused("pretrain", rows, "-o", tmp_path / "notes.txt", *layers)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_specs_mean_the_same_from_other_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert cli_run.absolute("digits") == "digits"
    assert cli_run.absolute("blocks:500") == "blocks:500"
    assert cli_run.absolute("a.h5:/x/y") == f"{tmp_path}/a.h5:/x/y"


def test_sigterm_ends_with_143_and_a_checkpoint(tmp_path, rows):
    out = tmp_path / "m.h5"
    process = start("pretrain", rows, "-o", out, "--layers", "8", "--epochs", 100000, "--threads", 1)
    deadline = time.monotonic() + 120
    while not out.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    try:
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, stderr
    assert stderr.splitlines()[-1] == f"stopped; go on with: stacked pretrain --resume {out}"
    assert "epochs done" in run_well("info", out).stdout
