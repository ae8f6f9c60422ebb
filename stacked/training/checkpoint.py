"""Checkpoints: the state at the end of an epoch, in the model file itself, from which a killed run goes on to the same bits.

While training is unfinished the file holds ``/checkpoint``: the trainee's arrays (parameters, velocities, chains, best
parameters so far) and a cursor (phase, unit, epoch, minibatches, early stopping, and what the data were).
"""

import time
from collections.abc import Callable
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from ..errors import ModelFileError, StackedError
from ..files import CURSOR, Checkpoint, file_name, of_file, read_model, refusal, write_model
from ..models.loading import from_record
from ..models.model import Model
from ..models.saving import to_record
from ..models.stack import Stack
from ..settings import MAX_COUNT, real, whole
from ..text import one_line
from .loop import FINETUNE, Progress
from .start import Resume

MAX_STEP = 2**62  # minibatches, in 64 bits with room for those to come


class Checkpointer:
    """Writes checkpoints of a stack in training to ``path``: the first at once, then at epoch ends ``every`` seconds apart.

    ``notes`` is any JSON-able dict to keep beside the cursor, for example what the data were. `flush` writes the newest state
    that was held back.
    """

    def __init__(self, path: str | PathLike[str], every: float = 60.0, notes: dict[str, Any] | None = None):
        self.path, self.every, self.notes = path, every, notes or {}
        self._pending: Callable[[], None] | None = None
        self._newest: Callable[[bool], None] | None = None
        self._written = -float("inf")

    def at(self, stack: Stack, phase: str, unit: int) -> Callable[[Progress, dict[str, np.ndarray]], None]:
        """The hook that the training loop calls for one unit or for fine-tuning."""

        def reached(progress: Progress, arrays: dict[str, np.ndarray]) -> None:
            state = {name: array.copy() for name, array in arrays.items()}
            if progress.best_params is not None:
                state["best_params"] = progress.best_params.copy()
            cursor = {"phase": phase, "unit": unit, **progress.cursor(), "notes": self.notes}
            history = list(progress.history)

            def write(diverged: bool = False) -> None:
                last = {**cursor, "diverged": True} if diverged else cursor
                self._write(stack, Checkpoint(last, state), unit, history)

            self._pending, self._newest = write, write
            if time.monotonic() - self._written >= self.every:
                self.flush()

        return reached

    def flush(self) -> None:
        """Write the newest state, if it is not on disk yet; interrupted, it can be called again."""
        if self._pending is not None:
            self._pending()
            self._pending, self._written = None, time.monotonic()

    def flush_diverged(self) -> None:
        """Write the newest state as the end of a run that diverged: its weights can be loaded, but it is not gone on with."""
        if self._newest is not None:
            self._newest(True)
            self._pending, self._written = None, time.monotonic()

    @property
    def has_written(self) -> bool:
        """Whether the file holds a state of this run."""
        return self._written > -float("inf")

    def discard(self) -> None:
        """Forget what was held back: the training is finished."""
        self._pending = None

    def _write(self, stack: Stack, checkpoint: Checkpoint, unit: int, history: list) -> None:
        snapshot = stack.snapshot(None if unit == FINETUNE else unit, checkpoint.arrays["params"], history)
        write_model(self.path, to_record(snapshot, checkpoint))


class Unfinished(NamedTuple):
    """A run to go on with: the stack as it was, its phase, where to resume, and the notes of its checkpointer."""

    model: Any
    phase: str
    resume: Resume
    notes: dict[str, Any]


def load_checkpoint(path: str | PathLike[str]) -> Unfinished:
    """Read an unfinished run; ModelFileError if the file holds a finished model, or no usable checkpoint."""
    record = read_model(path)
    with of_file(path):
        checkpoint = _unfinished(record.checkpoint)
    model = from_record(record, path)
    with of_file(path):
        phase, unit, progress, notes = _read_cursor(checkpoint.cursor, model)
    in_phase = [r for r in model.history_ if r.phase == phase and r.unit == unit]
    progress.history = in_phase
    model.history_ = [r for r in model.history_ if r not in in_phase]
    return Unfinished(model, phase, Resume(unit, progress, checkpoint.arrays, file_name(path)), notes)


def _unfinished(checkpoint: Checkpoint | None) -> Checkpoint:
    if checkpoint is None:
        raise ModelFileError("the training is finished; there is nothing to resume")
    if checkpoint.cursor.get("diverged"):
        raise ModelFileError("the training diverged; train again with other settings, or use the weights as they are")
    return checkpoint


def _read_cursor(cursor: dict[str, Any], model: Model) -> tuple[str, int, Progress, dict[str, Any]]:
    """Phase, unit, progress and notes, of which the gate has checked the first two; the model must have the unit."""
    try:
        phase, unit = cursor["phase"], cursor["unit"]
        _check_place(model, phase, unit)
        return phase, unit, _progress(cursor), dict(cursor["notes"])
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        found = one_line(error if isinstance(error, StackedError) else repr(error), 200)
        raise refusal(CURSOR, f"the cursor is not understood ({found})") from None


def _progress(cursor: dict[str, Any]) -> Progress:
    best, reference = cursor["best_loss"], cursor["reference_loss"]
    return Progress(
        epoch=whole("epoch", cursor["epoch"], 0, MAX_COUNT),
        step=whole("step", cursor["step"], 0, MAX_STEP),
        best_epoch=whole("best_epoch", cursor["best_epoch"], -1),
        best_loss=float("inf") if best is None else real("best_loss", best),
        reference_loss=None if reference is None else real("reference_loss", reference),
    )


def _check_place(model: Model, phase: str, unit: int) -> None:
    if not isinstance(model, Stack):
        raise ValueError(f"a {model.kind} is not trained in phases")
    if (phase == "finetune") != (unit == FINETUNE) or not FINETUNE <= unit < len(model.units_):
        raise ValueError(f"unit {unit} of {len(model.units_)} in phase {phase}")
