"""The one training loop: epochs, schedules, validation, early stopping, guard, checkpoints.

Losses are per sample, summed over features. Everything that a later epoch depends on is in the trainee's arrays and in
`Progress`, so that a run resumed from an epoch's end continues to the same bits.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..activations import ACTIVATIONS
from ..data import BLOCK_ROWS
from ..errors import DivergedError
from ..kernels.arithmetic.samples import as_samples
from ..kernels.arithmetic.updates import OPTIMIZERS, Update
from ..network import Network
from ..settings import value_at
from .feed import Feed, Window
from .guard import LossGuard
from .plan import Plan

FINETUNE = -1  # the "unit" of fine-tuning, in records and checkpoints
CHUNK_ROWS = 8192  # rows per call of a fused trainer: how often Ctrl-C and the progress bar are served


class Record(NamedTuple):
    """One epoch, as callbacks receive it. ``unit`` counts from 0 (fine-tuning: -1); ``validation_loss`` may be None.

    ``penalty`` is the mean of what the objective adds to the loss but for the decay of weights: penalties on codes.
    """

    phase: str
    unit: int
    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    seconds: float
    samples_per_second: float
    penalty: float = 0.0


Callback = Callable[[Record], Any]


@dataclass
class Progress:
    """How far a phase has come. ``epoch`` and ``step`` count finished epochs and minibatches."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = -1
    best_loss: float = float("inf")
    reference_loss: float | None = None
    history: list[Record] = field(default_factory=list)
    best_params: np.ndarray | None = None

    def cursor(self) -> dict[str, Any]:
        """The JSON part: everything but the history and the arrays."""
        kept = ("epoch", "step", "best_epoch", "best_loss", "reference_loss")
        values = {name: value for name, value in asdict(self).items() if name in kept}
        values["best_loss"] = None if np.isinf(self.best_loss) else self.best_loss
        return values


class Trainee(Protocol):
    """What the loop trains: parameters, the arrays that go with them, and one fused pass over some rows."""

    network: Network
    params: np.ndarray
    arrays: dict[str, np.ndarray]
    loss: str
    n_clipped: int  # gradients so far that were longer than allowed

    def train(
        self, window: Window, rows: slice, batch_size: int, epoch: int, step: int, update: Update
    ) -> tuple[float, float]:
        """Train on ``rows`` of a window in place; the sums of the losses and of the penalties."""

    def validation_loss(self, subset: np.ndarray) -> float:
        """Mean loss over validation rows."""


@dataclass
class Hooks:
    """What the loop reports to: a callback per epoch (True stops), rows done per chunk, a checkpoint per epoch end."""

    callback: Callback | None = None
    checkpoint: Callable[[Progress, dict[str, np.ndarray]], None] | None = None

    def chunk(self, phase: str, unit: int, epoch: int, epochs: int, done: int, total: int, loss: float) -> None:
        """Tell a callback that also has an ``on_chunk`` method how far the epoch is, one of ``epochs``."""
        on_chunk = getattr(self.callback, "on_chunk", None)
        if on_chunk is not None:
            on_chunk(phase, unit, epoch, epochs, done, total, loss)


@dataclass
class Phase:
    """One run of the loop: what is trained, on what, how, and what messages call it.

    With ``start_counts`` the parameters at the start are among those of which validation keeps the best.
    """

    name: str
    unit: int
    plan: Plan
    feed: Feed
    trainee: Trainee
    where: str
    remedy: str
    trivial_loss: float
    validation: np.ndarray | None = None
    careless_loss: float = 0.0
    start_counts: bool = False
    eases: bool = False  # the rate, by what the start leaves of the trivial loss


def run(phase: Phase, hooks: Hooks, progress: Progress | None = None) -> Progress:
    """Train until the plan's epochs are done, validation stops improving, or the callback says so.

    The trainee's parameters end as the best ones seen if there is a validation set. A loss that is not finite or explodes raises
    DivergedError with the parameters set back to the end of the last good epoch.
    """
    progress = Progress() if progress is None else progress
    if progress.reference_loss is None:
        progress.reference_loss = phase.trainee.validation_loss(np.arange(min(phase.feed.rows.n_rows, BLOCK_ROWS)))
    if phase.eases and phase.trivial_loss > 0:
        phase.plan = phase.plan.eased(progress.reference_loss / phase.trivial_loss)
    if phase.start_counts and phase.validation is not None and progress.best_params is None:
        progress.best_loss = phase.trainee.validation_loss(phase.validation)
        progress.best_params = phase.trainee.params.copy()
    bounded = ACTIVATIONS[phase.trainee.network.layers[-1].activation].bounded
    levels = (phase.trivial_loss, bounded, progress.reference_loss, phase.careless_loss)
    guard = LossGuard(phase.where, phase.remedy, *levels)
    if hooks.checkpoint is not None:
        hooks.checkpoint(progress, phase.trainee.arrays)
    _compile(phase)
    for epoch in range(progress.epoch, phase.plan.epochs):
        if _out_of_patience(phase.plan, progress):
            break
        good = phase.trainee.params.copy()
        try:
            stop = _one_epoch(phase, hooks, guard, progress, epoch)
        except DivergedError:
            phase.trainee.params[:] = good
            raise
        if hooks.checkpoint is not None:
            hooks.checkpoint(progress, phase.trainee.arrays)
        if stop:
            break
    if progress.best_params is not None:
        phase.trainee.params[:] = progress.best_params
    return progress


def _compile(phase: Phase) -> None:
    """Train on no rows, so that compilation is not counted in the first epoch's seconds."""
    nothing = np.zeros(0, np.int64)
    samples = as_samples(np.zeros((1, phase.feed.rows.n_columns), np.uint8))
    window = Window(samples, phase.feed.labels, nothing, nothing)
    phase.trainee.train(window, slice(0, 0), 1, 0, 0, update_settings(phase.plan, 1, 0))


def _one_epoch(phase: Phase, hooks: Hooks, guard: LossGuard, progress: Progress, epoch: int) -> bool:
    """Train one epoch and note it in ``progress``; whether the callback wants to stop."""
    started = time.perf_counter()
    update = update_settings(phase.plan, phase.feed.n_rows, epoch)
    batch_size = min(phase.plan.batch_size, phase.feed.n_rows)
    total, penalty, done = 0.0, 0.0, 0
    for window in phase.feed.epoch(epoch):
        n = len(window.positions)
        chunk = batch_size * max(1, CHUNK_ROWS // batch_size)
        for start in range(0, n, chunk):
            rows = slice(start, min(start + chunk, n))
            loss, added = phase.trainee.train(window, rows, batch_size, epoch, progress.step, update)
            guard.check(loss / (rows.stop - start), epoch)
            progress.step += -(-(rows.stop - start) // batch_size)
            total, penalty, done = total + loss, penalty + added, done + rows.stop - start
            hooks.chunk(phase.name, phase.unit, epoch, phase.plan.epochs, done, phase.feed.n_rows, total / done)
    guard.check_epoch(total / done, phase.trainee.params, phase.trainee.network.n_weights, epoch)
    validation = phase.trainee.validation_loss(phase.validation) if phase.validation is not None else None
    if validation is not None:
        guard.check(validation, epoch)
    seconds = max(time.perf_counter() - started, 1e-9)
    record = Record(
        phase.name, phase.unit, epoch, phase.plan.epochs, total / done, validation, seconds, done / seconds, penalty / done
    )  # fmt: skip
    _note(progress, record, phase.trainee.params)
    stop = hooks.callback(record) if hooks.callback is not None else False
    return isinstance(stop, bool | np.bool_) and bool(stop)


def _note(progress: Progress, record: Record, params: np.ndarray) -> None:
    progress.epoch = record.epoch + 1
    progress.history.append(record)
    if record.validation_loss is not None and record.validation_loss < progress.best_loss:
        progress.best_loss, progress.best_epoch = record.validation_loss, record.epoch
        progress.best_params = params.copy()


def _out_of_patience(plan: Plan, progress: Progress) -> bool:
    if plan.patience is None or progress.best_params is None:
        return False
    return progress.epoch - 1 - progress.best_epoch >= plan.patience


def update_settings(plan: Plan, n_rows: int, epoch: int) -> Update:
    """The kernels' settings for one epoch.

    With several windows each ends in a short minibatch of its own, so a linear decay may reach zero a few minibatches early.
    """
    steps = plan.epochs * -(-n_rows // min(plan.batch_size, n_rows)) if plan.linear_decay else 0
    return Update(
        optimizer=OPTIMIZERS.get(plan.optimizer, 0),
        learning_rate=float(value_at(plan.learning_rate, epoch)),
        decay_steps=steps,
        momentum=float(value_at(plan.momentum, epoch)),
        l1=plan.l1,
        l2=plan.l2,
        clip_norm=plan.clip_norm,
    )
