"""The loop: minibatches, steps, schedules, losses, validation, early stopping, the guard, hooks, and going on."""

import time

import numpy as np
import pytest

from stacked import DivergedError
from stacked.kernels.arithmetic.updates import OPTIMIZERS, learning_rate_at
from stacked.training import feed
from stacked.training import loop as training
from stacked.training.loop import Hooks, Progress, run, update_settings

from .scripted import Scripted, phase_of


def _trained(trainee, hooks=None, progress=None, **phase):
    return run(phase_of(trainee, **phase), Hooks() if hooks is None else hooks, progress)


def _minibatches(n, batch_size):
    return len(range(0, n, batch_size))


# ---- minibatches and steps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_rows", [1, 4, 7, 8, 9, 8192])
@pytest.mark.parametrize(("n_rows", "batch_size"), [(10, 4), (8, 4), (9, 4), (3, 4), (4, 4), (5, 1), (10, 3)])
@pytest.mark.parametrize("window_blocks", [1, 2, 100])
def test_every_row_once_an_epoch_in_whole_minibatches_that_are_all_counted(
    chunk_rows, n_rows, batch_size, window_blocks, monkeypatch
):
    monkeypatch.setattr(training, "CHUNK_ROWS", chunk_rows)
    monkeypatch.setattr(feed, "BLOCK_ROWS", 5)
    monkeypatch.setattr(feed, "WINDOW_VALUES", 3 * 5 * window_blocks)
    trainee, step = Scripted(), 0
    progress = _trained(trainee, n_rows=n_rows, batch_size=batch_size)
    size = min(batch_size, n_rows)
    for rows, found_size, _, found_step, _, _ in trainee.calls:
        assert (found_size, found_step) == (size, step)
        n = rows.stop - rows.start
        assert rows.start % size == 0 and 0 < n <= max(chunk_rows, size)
        step += _minibatches(n, size)
    assert progress.step == step
    for epoch in range(3):
        seen = np.concatenate([ids for _, _, at, _, _, ids in trainee.calls if at == epoch])
        np.testing.assert_array_equal(np.sort(seen), np.arange(n_rows))
    if window_blocks == 100:
        assert step == 3 * _minibatches(n_rows, size)


def test_a_chunk_is_as_large_as_whole_minibatches_allow(monkeypatch):
    monkeypatch.setattr(training, "CHUNK_ROWS", 9)
    trainee = Scripted()
    _trained(trainee, n_rows=22, epochs=1)
    assert [call[0] for call in trainee.calls] == [slice(0, 8), slice(8, 16), slice(16, 22)]


def test_rows_outside_the_subset_are_neither_trained_on_nor_counted():
    trainee, subset = Scripted(), np.array([1, 4, 6])
    progress = _trained(trainee, subset=subset, linear_decay=True)
    assert {call[1] for call in trainee.calls} == {3} and progress.step == 3
    assert {call[4].decay_steps for call in trainee.calls} == {3}
    for call in trainee.calls:
        np.testing.assert_array_equal(np.sort(call[5]), subset)


def test_each_epoch_has_its_own_order():
    trainee = Scripted()
    phase = phase_of(trainee)
    run(phase, Hooks())
    for epoch in range(3):
        (window,) = phase.feed.epoch(epoch)
        np.testing.assert_array_equal(trainee.calls[epoch][5], window.row_ids)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "epochs", "steps"),
    [(10, 4, 3, 9), (8, 4, 3, 6), (9, 4, 5, 15), (3, 4, 2, 2), (1, 100, 7, 7), (101, 100, 1, 2)],
)
def test_linear_decay_reaches_zero_just_after_the_last_minibatch(n_rows, batch_size, epochs, steps):
    trainee = Scripted()
    plan = {"linear_decay": True, "batch_size": batch_size, "epochs": epochs}
    assert _trained(trainee, n_rows=n_rows, **plan).step == steps
    update = trainee.calls[-1][4]
    assert update.decay_steps == steps
    assert learning_rate_at(update, steps - 1) == pytest.approx(0.1 / steps)
    assert learning_rate_at(update, steps) == 0


def test_each_epoch_has_the_settings_of_its_schedules():
    plan = {"learning_rate": ((0, 0.3), (1, 0.2), (3, 0.1)), "momentum": ((0, 0.5), (2, 0.9)), "l1": 0.01, "l2": 0.02}
    trainee = Scripted()
    _trained(trainee, epochs=5, optimizer="adam", **plan)
    found = {call[2]: call[4] for call in trainee.calls}
    assert [found[epoch].learning_rate for epoch in range(5)] == [0.3, 0.2, 0.2, 0.1, 0.1]
    assert [found[epoch].momentum for epoch in range(5)] == [0.5, 0.5, 0.9, 0.9, 0.9]
    assert {(u.optimizer, u.decay_steps, u.l1, u.l2) for u in found.values()} == {(OPTIMIZERS["adam"], 0, 0.01, 0.02)}
    for name in ("momentum", "nesterov"):
        assert update_settings(phase_of(trainee, optimizer=name).plan, 10, 0).optimizer == OPTIMIZERS[name]


# ---- what is reported ------------------------------------------------------------------------------------------------


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows(monkeypatch):
    monkeypatch.setattr(training, "CHUNK_ROWS", 4)
    chunks, records = [], []

    class Callback:
        def __call__(self, record):
            records.append(record)

        def on_chunk(self, *args):
            chunks.append(args)

    progress = _trained(Scripted(loss=lambda call: float(call % 3)), Hooks(Callback()), epochs=2)
    mean = (4 * 0 + 4 * 1 + 2 * 2) / 10
    assert [record[:6] for record in records] == [("pretrain", 2, epoch, 2, mean, None) for epoch in (0, 1)]
    assert progress.history == records
    one = [("pretrain", 2, 0, 2, done, 10, loss) for done, loss in ((4, 0.0), (8, 0.5), (10, mean))]
    assert chunks == one + [(*chunk[:2], 1, *chunk[3:]) for chunk in one]


def test_how_far_an_epoch_is_counts_all_its_windows(monkeypatch):
    monkeypatch.setattr(feed, "BLOCK_ROWS", 5)
    monkeypatch.setattr(feed, "WINDOW_VALUES", 1)
    hooks, seen = Hooks(), []
    monkeypatch.setattr(hooks, "chunk", lambda *args: seen.append(args[4:]))
    _trained(Scripted(), hooks, epochs=1)
    assert seen == [(5, 10, 1.0), (10, 10, 1.0)]


def test_seconds_and_rows_a_second_are_those_of_the_epoch(monkeypatch):
    clock = iter([100.0, 102.5, 200.0, 204.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    history = _trained(Scripted(), epochs=2, subset=np.arange(5)).history
    assert [record[6:8] for record in history] == [(2.5, 2.0), (4.0, 1.25)]


def test_training_on_no_rows_comes_before_the_first_epoch_and_changes_nothing():
    trainee = Scripted()
    assert _trained(trainee, epochs=0).epoch == 0
    assert trainee.compiled == 1 and not trainee.calls and not trainee.params.any()


def test_the_reference_is_the_starting_networks_loss_on_the_first_block(monkeypatch):
    monkeypatch.setattr(training, "BLOCK_ROWS", 4)
    for n_rows, first in ((10, 4), (3, 3)):
        trainee = Scripted(reference=7.0)
        assert _trained(trainee, n_rows=n_rows, epochs=0).reference_loss == 7.0
        np.testing.assert_array_equal(trainee.validated, [np.arange(first)])
    trainee = Scripted()
    assert _trained(trainee, progress=Progress(reference_loss=5.0)).reference_loss == 5.0
    assert not trainee.validated


# ---- validation and early stopping -----------------------------------------------------------------------------------


def test_validation_is_on_the_validation_rows_after_every_epoch():
    validation, trainee = np.array([2, 5]), Scripted(validation=lambda epoch: 3.0 - epoch)
    progress = _trained(trainee, validation=validation)
    assert len(trainee.validated) == 4
    assert all(subset is validation for subset in trainee.validated[1:])
    assert [record.validation_loss for record in progress.history] == [3.0, 2.0, 1.0]
    assert (progress.best_epoch, progress.best_loss, progress.epoch) == (2, 1.0, 3)


LOSSES = [5.0, 4.0, 4.0, 6.0, 3.0, 3.5, 3.0, 3.0, 3.0]  # best in epochs 1 and 4; equal is no better


@pytest.mark.parametrize(("patience", "epochs", "best"), [(1, 3, 1), (2, 4, 1), (3, 8, 4), (4, 9, 4), (None, 9, 4)])
def test_training_stops_after_so_many_epochs_without_improvement_and_restores_the_best(patience, epochs, best):
    trainee = Scripted(validation=LOSSES.__getitem__)
    progress = _trained(trainee, validation=np.array([0]), patience=patience, epochs=9)
    assert (progress.epoch, len(progress.history), progress.best_epoch) == (epochs, epochs, best)
    assert progress.best_loss == LOSSES[best]
    assert (trainee.params == best + 1).all()  # one call an epoch, each adds one


def test_without_validation_the_last_parameters_are_kept():
    trainee = Scripted()
    progress = _trained(trainee)
    assert (trainee.params == 3).all() and progress.best_params is None and progress.best_epoch == -1


def test_best_parameters_are_a_copy():
    progress = _trained(trainee := Scripted(validation=float), validation=np.array([0]))
    trainee.params += 5
    assert (progress.best_params == 1).all()


# ---- the guard -------------------------------------------------------------------------------------------------------


def _diverged(trainee, epoch, records=None, **phase):
    """The parameters after a run that must end in epoch ``epoch``, counted from 1."""
    with pytest.raises(DivergedError, match=rf"unit 2, epoch {epoch}: .*lower it"):
        _trained(trainee, Hooks(None if records is None else records.append), **phase)
    return trainee.params


@pytest.mark.parametrize("bad", [np.nan, np.inf, 10.01])
def test_a_chunk_whose_loss_explodes_ends_the_run_with_the_last_good_parameters(bad, monkeypatch):
    monkeypatch.setattr(training, "CHUNK_ROWS", 4)
    trainee, records = Scripted(loss=lambda call: bad if call == 4 else 1.0), []
    assert (_diverged(trainee, 2, records) == 3).all()
    assert len(trainee.calls) == 5 and len(records) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 10.01])
def test_a_validation_loss_that_explodes_ends_the_run_too(bad):
    trainee, records = Scripted(validation=lambda epoch: bad if epoch == 1 else 1.0), []
    assert (_diverged(trainee, 2, records, validation=np.array([0])) == 1).all()
    assert len(records) == 1


def test_ten_times_the_larger_of_reference_and_trivial_loss_is_not_yet_an_explosion():
    _trained(Scripted(loss=lambda call: 10.0, validation=lambda epoch: 10.0), validation=np.array([0]))
    _trained(Scripted(loss=lambda call: 30.0, reference=3.0))
    _trained(Scripted(loss=lambda call: 40.0), trivial=4.0)
    _diverged(Scripted(loss=lambda call: 30.1, reference=3.0), 1)
    _diverged(Scripted(loss=lambda call: 40.1), 1, trivial=4.0)


class Growing(Scripted):
    """Whose parameter ``index`` grows to ``value`` in the second epoch."""

    def __init__(self, index, value, **script):
        super().__init__(**script)
        self._index, self._value = index, value

    def train(self, window, rows, batch_size, epoch, *rest):
        """As the script says, and then the growth."""
        total = super().train(window, rows, batch_size, epoch, *rest)
        if epoch == 1:
            self.params[self._index] = self._value
        return total


@pytest.mark.parametrize("index", [0, -1])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_parameters_that_are_not_finite_end_the_run(index, value):
    assert (_diverged(Growing(index, value), 2) == 1).all()


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softmax", "linear", "relu", "softplus"])
def test_large_weights_end_the_run_where_outputs_are_bounded_and_worse_than_a_constant(output):
    def grown(value=-101.0, loss=1.26, index=0):
        return Growing(index, value, loss=lambda call: loss, output=output)

    if output in ("sigmoid", "tanh", "softmax"):
        assert (_diverged(grown(), 2) == 1).all()
    else:
        _trained(grown(), epochs=2)
    for fine in (grown(value=100.0), grown(loss=1.25), grown(index=6)):  # six weights, then biases
        _trained(fine, epochs=2)


# ---- hooks, and going on ---------------------------------------------------------------------------------------------


def test_a_checkpoint_before_the_first_epoch_and_one_after_each_before_the_callbacks_stop():
    trainee, events = Scripted(), []
    hooks = Hooks(lambda record: events.append(("record", record.epoch)) or record.epoch == 1)
    hooks.checkpoint = lambda progress, arrays: events.append((progress.epoch, progress.step, arrays is trainee.arrays))
    _trained(trainee, hooks, epochs=5)
    assert events == [(0, 0, True), ("record", 0), (1, 3, True), ("record", 1), (2, 6, True)]


@pytest.mark.parametrize(("answer", "epochs"), [(True, 1), (np.True_, 1), (False, 3), (None, 3), (1, 3), ("yes", 3)])
def test_only_true_stops(answer, epochs):
    assert len(_trained(Scripted(), Hooks(lambda record: answer)).history) == epochs


def test_a_run_goes_on_at_its_epoch_and_step():
    trainee = Scripted(validation=lambda epoch: 9.0)
    best = np.full_like(trainee.params, 7.0)
    progress = Progress(3, 9, 2, 0.5, 1.0, [], best)
    assert _trained(trainee, progress=progress, validation=np.array([0]), epochs=5) is progress
    assert [(call[2], call[3]) for call in trainee.calls] == [(3, 9), (4, 12)]
    assert (progress.epoch, progress.step, progress.best_epoch, progress.best_loss) == (5, 15, 2, 0.5)
    assert (trainee.params == 7).all()


@pytest.mark.parametrize(("epoch", "trained"), [(3, 1), (4, 0)])
def test_a_run_that_was_out_of_patience_trains_no_further(epoch, trained):
    trainee = Scripted(validation=lambda epoch: 9.0)
    progress = Progress(epoch, 12, 1, 0.5, 1.0, [], trainee.params.copy())
    _trained(trainee, progress=progress, validation=np.array([0]), patience=2, epochs=9)
    assert len(trainee.calls) == trained


def test_a_cursor_holds_everything_but_history_and_arrays():
    progress = Progress(3, 12, 1, 0.5, 2.0, ["record"], np.zeros(2))
    expected = {"epoch": 3, "step": 12, "best_epoch": 1, "best_loss": 0.5, "reference_loss": 2.0}
    assert progress.cursor() == expected
    assert Progress().cursor() == {"epoch": 0, "step": 0, "best_epoch": -1, "best_loss": None, "reference_loss": None}
