"""When checkpoints are written, what they hold, and which cursors are refused."""

from dataclasses import replace

import numpy as np
import pytest

from stacked import RBM, ModelFileError, StackedAutoencoder, load
from stacked.files import read_model, write_model
from stacked.training import checkpoint as module
from stacked.training.checkpoint import Checkpointer, load_checkpoint

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)


def stack(epochs=3):
    return StackedAutoencoder([RBM(4, epochs=epochs), RBM(3, epochs=epochs)], finetune_epochs=epochs, random_state=0)


class Log(Checkpointer):
    """Notes (unit, epochs done) of every file that is written."""

    def __init__(self, *args):
        super().__init__(*args)
        self.log = []

    def _write(self, stack, checkpoint, unit, history):
        self.log.append((unit, checkpoint.cursor["epoch"]))
        super()._write(stack, checkpoint, unit, history)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that `Checkpointer` sees; an epoch takes ten of them."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def ten_seconds_an_epoch(clock):
    def callback(record):
        clock[0] += 10

    return callback


@pytest.mark.parametrize(
    "every, expected",
    [
        (0, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]),
        (10, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]),
        (20, [(0, 0), (0, 2), (1, 1), (1, 3)]),
        (21, [(0, 0), (0, 3), (1, 3)]),
        (1e9, [(0, 0)]),
    ],
)
def test_the_first_checkpoint_is_written_at_once_and_others_when_the_last_is_old_enough(
    every, expected, clock, tmp_path
):
    log = Log(tmp_path / "run.h5", every)
    stack().pretrain(X, callback=ten_seconds_an_epoch(clock), checkpoint=log)
    assert log.log == expected


def test_a_minute_is_the_default():
    assert Checkpointer("run.h5").every == 60


def test_what_was_held_back_is_flushed_once_and_as_it_was(clock, tmp_path):
    log = Log(tmp_path / "run.h5", 1e9, {"data": "rows"})
    assert not log.has_written

    def callback(record):
        kept.append(model.units_[-1].network_.params.copy())
        if (record.unit, record.epoch) == (1, 1):
            raise KeyboardInterrupt

    model, kept = stack(), []
    with pytest.raises(KeyboardInterrupt):
        model.pretrain(X, callback=callback, checkpoint=log)
    assert log.has_written and log.log == [(0, 0)]
    log.flush()
    log.flush()
    assert log.log == [(0, 0), (1, 1)]
    run = load_checkpoint(tmp_path / "run.h5")
    assert (run.phase, run.resume.unit, run.resume.progress.epoch, run.notes) == ("pretrain", 1, 1, {"data": "rows"})
    assert [(r.unit, r.epoch) for r in run.model.history_] == [(0, 0), (0, 1), (0, 2)]
    np.testing.assert_array_equal(run.resume.arrays["params"], kept[3])
    for unfinished in (run.model, load(tmp_path / "run.h5", allow_unfinished=True)):
        np.testing.assert_array_equal(unfinished.units_[0].network_.params, kept[2])
        np.testing.assert_array_equal(unfinished.units_[1].network_.params, kept[3])  # not the epoch that was cut short
        np.testing.assert_array_equal(unfinished.network_.weight(1), unfinished.units_[1].weight_)


def test_finetuning_in_the_file_is_as_it_was_at_the_end_of_an_epoch(tmp_path):
    log = Log(tmp_path / "run.h5", 1e9)

    def callback(record):
        kept.append(model.network_.params.copy())
        if record.epoch == 1:
            raise KeyboardInterrupt

    model, kept = stack().pretrain(X), []
    units = [unit.network_.params.copy() for unit in model.units_]
    with pytest.raises(KeyboardInterrupt):
        model.finetune(X, callback=callback, checkpoint=log)
    log.flush()
    assert log.log == [(-1, 0), (-1, 1)]
    again = load(tmp_path / "run.h5", allow_unfinished=True)
    np.testing.assert_array_equal(again.network_.params, kept[0])
    assert [unit.network_.params.tolist() for unit in again.units_] == [params.tolist() for params in units]
    assert [(r.phase, r.unit, r.epoch) for r in again.history_][-2:] == [("pretrain", 1, 2), ("finetune", -1, 0)]


def test_nothing_is_flushed_after_discard_or_before_training(clock, tmp_path):
    log = Log(tmp_path / "run.h5", 1e9)
    log.flush()
    log.flush_diverged()
    assert not log.has_written and not (tmp_path / "run.h5").exists()
    stack().pretrain(X, checkpoint=log)
    log.discard()
    log.flush()
    assert log.log == [(0, 0)]


def test_a_run_that_diverged_is_a_model_and_not_gone_on_with(tmp_path):
    log = Log(tmp_path / "run.h5", 0)
    stack(2).pretrain(X, checkpoint=log)
    with pytest.raises(
        ModelFileError, match="unfinished \\(pretrain, epoch 2 done\\); go on with `stacked pretrain --resume"
    ):
        load(tmp_path / "run.h5")
    log.flush_diverged()
    assert log.log[-2:] == [(1, 2), (1, 2)]
    assert load(tmp_path / "run.h5").transform(X).shape == (40, 3)
    with pytest.raises(ModelFileError, match="diverged"):
        load_checkpoint(tmp_path / "run.h5")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Records of unfinished pretraining (unit 1) and fine-tuning of a stack of two units."""
    path = tmp_path_factory.mktemp("runs") / "run.h5"
    model = stack(2).pretrain(X, checkpoint=Checkpointer(path, 0))
    pretraining = read_model(path)
    model.finetune(X, checkpoint=Checkpointer(path, 0))
    return {"pretrain": pretraining, "finetune": read_model(path)}


BAD_CURSORS = [
    ("pretrain", {"phase": "finetune"}),
    ("pretrain", {"phase": "train"}),
    ("pretrain", {"phase": None}),
    ("pretrain", {"unit": -1}),
    ("pretrain", {"unit": 2}),
    ("pretrain", {"unit": 0.5}),
    ("pretrain", {"unit": True}),
    ("finetune", {"phase": "pretrain"}),
    ("finetune", {"unit": 0}),
    ("finetune", {"unit": -2}),
    *(("pretrain", {name: value}) for name in ("epoch", "step") for value in (-1, 0.5, None, "1")),
    *(("pretrain", {"best_epoch": value}) for value in (-2, 0.5, None)),
    *(("pretrain", {name: "x"}) for name in ("best_loss", "reference_loss", "notes")),
    *(("pretrain", {name: -1.0}) for name in ("best_loss", "reference_loss")),
    *(("pretrain", {name: ...}) for name in ("phase", "unit", "epoch", "step", "best_epoch", "best_loss", "notes")),
]


@pytest.mark.parametrize("phase, changes", BAD_CURSORS, ids=repr)
def test_cursors_that_no_run_has_are_refused(phase, changes, records, tmp_path):
    record = records[phase]
    cursor = {**record.checkpoint.cursor, **changes}
    cursor = {name: value for name, value in cursor.items() if value is not ...}
    with pytest.raises(ModelFileError, match=r"bad\.h5: /checkpoint@cursor: ") as caught:
        write_model(tmp_path / "bad.h5", replace(record, checkpoint=replace(record.checkpoint, cursor=cursor)))
        load_checkpoint(tmp_path / "bad.h5")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("phase, place", [("pretrain", 1), ("finetune", -1)])
def test_the_same_cursor_unchanged_is_understood(phase, place, records, tmp_path):
    write_model(tmp_path / "run.h5", records[phase])
    run = load_checkpoint(tmp_path / "run.h5")
    assert (run.phase, run.resume.unit, run.resume.progress.epoch) == (phase, place, 2)


def test_a_single_unit_has_no_unfinished_run(records, tmp_path):
    path = tmp_path / "run.h5"
    RBM(4, epochs=1, random_state=0).fit(X).save(path)
    write_model(path, replace(read_model(path), checkpoint=records["pretrain"].checkpoint))
    with pytest.raises(ModelFileError, match="a rbm is not trained in phases"):
        load_checkpoint(path)


def test_a_start_that_is_never_beaten_survives_an_interruption(tmp_path):
    def tuned(checkpoint=None, callback=None):
        tuning = {"finetune_epochs": 6, "finetune_learning_rate": 0.5, "finetune_optimizer": "adam"}
        model = StackedAutoencoder([RBM(4, epochs=30)], validation_fraction=0.3, random_state=0, **tuning).pretrain(X)
        start = model.network_.params.copy()
        return model.finetune(X, checkpoint=checkpoint, callback=callback), start

    def stop(record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    whole, start = tuned()
    np.testing.assert_array_equal(whole.network_.params, start)
    assert len(whole.history_) == 36
    with pytest.raises(KeyboardInterrupt):
        tuned(Checkpointer(tmp_path / "run.h5", 0), stop)
    unfinished = load_checkpoint(tmp_path / "run.h5")
    unfinished.model.finetune(X, resume=unfinished.resume)
    np.testing.assert_array_equal(unfinished.model.network_.params, start)
