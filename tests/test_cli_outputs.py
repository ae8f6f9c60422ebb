"""Outputs: one command at a time writes a file, and none replaces what it reads or goes where it cannot be whole."""

import os
import time

import numpy as np
import pytest

from stacked import ModelFileError, load
from stacked.files import lock as lock_module
from stacked.files import locked

from .test_cli_boundary import misused, refused, run_well, start

SMALL = ("--epochs", 1, "--threads", 1, "-q")
ENDLESS = ("--layers", 4, "--epochs", 10**6, "--threads", 1, "-q")


@pytest.fixture
def home(tmp_path):
    """A folder with rows, labels and a 6-4 stack of them."""
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).random((60, 6), np.float32))
    np.save(tmp_path / "labels.npy", np.arange(60) % 2)
    run_well("pretrain", tmp_path / "rows.npy", "-o", tmp_path / "model.h5", "--layers", 4, *SMALL)
    return tmp_path


@pytest.fixture
def training(home):
    """A process that trains into out.h5, its first checkpoint written."""
    process = start("pretrain", home / "rows.npy", "-o", home / "out.h5", *ENDLESS)
    deadline = time.monotonic() + 120
    while not (home / "out.h5").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    yield process
    process.kill()
    process.communicate(timeout=60)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_second_command_on_one_output_is_refused_until_the_first_is_dead(home, training):
    out = home / "out.h5"
    line = "another process is writing this file; wait for it"
    assert line in refused("pretrain", home / "rows.npy", "-o", out, "--force", "--layers", 4, *SMALL)
    assert line in refused("finetune", home / "model.h5", home / "rows.npy", "-o", out, "--force", *SMALL)
    assert line in refused("pretrain", "--resume", out)
    assert line in refused("encode", home / "model.h5", home / "rows.npy", "-o", out, "--force")
    (home / "link.h5").symlink_to(out)
    assert line in refused("encode", home / "model.h5", home / "rows.npy", "-o", home / "link.h5", "--force")
    training.kill()
    training.communicate(timeout=60)
    assert ".out.h5.lock" in names(home)
    run_well("pretrain", home / "rows.npy", "-o", out, "--force", "--layers", 3, *SMALL)
    assert load(out).units[0].n_hidden == 3
    assert ".out.h5.lock" not in names(home)


def test_of_two_commands_at_once_one_is_refused(home):
    rows, out = home / "rows.npy", home / "out.h5"
    both = [start("pretrain", rows, "-o", out, "--layers", n, *ENDLESS) for n in (3, 4)]
    deadline = time.monotonic() + 60
    while not (out.exists() and any(process.poll() for process in both)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in both:
        process.terminate()
    texts = [process.communicate(timeout=60)[1] for process in both]
    ends = {process.returncode: text for process, text in zip(both, texts, strict=True)}
    assert set(ends) == {1, 143}
    assert "Error: " in ends[1] and "another process is writing this file" in ends[1]
    assert not any(name.endswith((".lock", ".tmp")) for name in names(home))


def test_a_lock_that_was_removed_while_it_was_opened_is_taken_anew(tmp_path, monkeypatch):
    lock, flock, held = tmp_path / ".m.h5.lock", lock_module.fcntl.flock, []

    def late(descriptor, operation):
        if not held:
            lock.unlink()  # what its holder does in between
        held.append(descriptor)
        flock(descriptor, operation)

    monkeypatch.setattr(lock_module.fcntl, "flock", late)
    with locked(tmp_path / "m.h5"):
        assert len(held) == 2 and lock.exists()
        with pytest.raises(ModelFileError, match="another process"), locked(tmp_path / "m.h5"):
            pass
        assert lock.exists()
    assert names(tmp_path) == []


def test_file_systems_without_locks(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(95, "Operation not supported")

    with monkeypatch.context() as patch:
        patch.setattr(lock_module.fcntl, "flock", refuse)
        with locked(tmp_path / "m.h5"), locked(tmp_path / "m.h5"):
            assert names(tmp_path) == []
    monkeypatch.setattr(lock_module, "fcntl", None)
    with locked(tmp_path / "m.h5"), locked(tmp_path / "m.h5"):
        assert names(tmp_path) == []


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("elsewhere")])
def test_what_else_lies_in_the_place_of_a_lock_stays(tmp_path, plant):
    plant(tmp_path / ".m.h5.lock")
    with locked(tmp_path / "m.h5"):
        pass
    assert names(tmp_path) == [".m.h5.lock"]


def test_models_and_pictures_do_not_go_to_the_standard_output(home, monkeypatch):
    monkeypatch.chdir(home)
    before = names(home)
    for args in (
        ("pretrain", "rows.npy", "-o", "-", "--layers", 4, *SMALL),
        ("finetune", "model.h5", "rows.npy", "-o", "-", *SMALL),
        ("demo", "-o", "-"),
        ("demo", "--plot", "-"),
    ):
        assert "expected a file name, found -" in misused(*args)
    (home / "drawn.h5").symlink_to(home / "demo.png")
    assert "expected another file than -o" in misused("demo", "-o", "drawn.h5")
    assert names(home) == sorted([*before, "drawn.h5"])


def named_again(path, how):
    """Another name for a file."""
    other = path.with_name(f"other{path.suffix}")
    {"itself": lambda: None, "symbolic": lambda: other.symlink_to(path), "hard": lambda: other.hardlink_to(path)}[how]()
    return path if how == "itself" else other


@pytest.mark.parametrize("how", ["itself", "symbolic", "hard"])
def test_no_command_replaces_its_configuration(home, how, monkeypatch):
    monkeypatch.chdir(home)
    for command, name, args in (
        ("encode", "codes.csv", ("model.h5", "rows.npy")),
        ("predict", "labels.csv", ("model.h5", "rows.npy")),
        ("pretrain", "run.h5", ("rows.npy", "--layers", 4, "--force")),
        ("finetune", "tune.h5", ("model.h5", "rows.npy", "--force")),
        ("demo", "demo.png", ("--force", "--plot")),
        ("demo", "demo.h5", ("--force", "-o")),
    ):
        config = home / name
        config.write_text("force = true\n" if command != "demo" else "quiet = true\n")
        out = named_again(config, how)
        given = (*args, out) if command == "demo" else (*args, "-o", out)
        assert "would replace the input" in refused(command, *given, "--config", config)
        assert config.read_text().endswith("true\n")
        if how != "itself":
            out.unlink()


@pytest.mark.parametrize("how", ["itself", "symbolic", "hard"])
def test_fine_tuning_does_not_replace_its_labels(home, how):
    labels = (home / "labels.npy").rename(home / "labels")  # a name that a model may have
    before = labels.read_bytes()
    out = named_again(labels, how)
    line = refused("finetune", home / "model.h5", home / "rows.npy", "--labels", labels, "--force", "-o", out, *SMALL)
    assert "would replace the input" in line and labels.read_bytes() == before


@pytest.mark.parametrize("name", ["m.npy", "m.NPZ", "m.csv", "m.png", "a.b.tsv", "m.parquet"])
@pytest.mark.parametrize("command", ["pretrain", "finetune", "demo"])
def test_names_of_other_files_are_no_models(home, command, name, monkeypatch):
    monkeypatch.chdir(home)
    rows, model, out = home / "rows.npy", home / "model.h5", home / name
    args = {"pretrain": (rows, "--layers", 3), "finetune": (model, rows), "demo": ()}[command]
    line = misused(command, *args, "-o", out)
    assert line.endswith(
        f"expected the name of a model file, as MODEL.h5, found {out}, which is that of another kind of file"
    )
    assert not out.exists()


def test_a_model_may_be_called_as_one_likes(home):
    run_well("pretrain", home / "rows.npy", "--layers", 3, *SMALL, "-o", home / "model.v2")
    assert load(home / "model.v2").n_features_in_ == 6
