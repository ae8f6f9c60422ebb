"""Checkpoints: the state at the end of an epoch, in the model file itself, from which a killed run goes on to the same bits.

While training is unfinished the file holds ``/checkpoint``: the trainee's arrays (parameters, velocities, chains, best
parameters so far) and a cursor (phase, unit, epoch, minibatches, early stopping, and what the data were).
"""

import time
from collections.abc import Callable
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from .errors import ModelFileError
from .model import Model
from .persistence import from_record, save
from .settings import choice, real, whole
from .stack import FINETUNE, Stack
from .store import Checkpoint, read_model
from .training import Progress
from .unit import Resume

PHASES = ("pretrain", "finetune")


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
        save(snapshot, self.path, checkpoint)


class Unfinished(NamedTuple):
    """A run to go on with: the stack as it was, its phase, where to resume, and the notes of its checkpointer."""

    model: Any
    phase: str
    resume: Resume
    notes: dict[str, Any]


def load_checkpoint(path: str | PathLike[str]) -> Unfinished:
    """Read an unfinished run; ModelFileError if the file holds a finished model, or no usable checkpoint."""
    record = read_model(path)
    if record.checkpoint is None:
        raise ModelFileError(f"{path}: the training is finished; there is nothing to resume")
    model = from_record(record, str(path))
    cursor, arrays = record.checkpoint.cursor, record.checkpoint.arrays
    if cursor.get("diverged"):
        raise ModelFileError(
            f"{path}: the training diverged; train again with other settings, or use the weights as they are"
        )
    try:
        phase = choice("phase", cursor["phase"], PHASES)
        unit = whole("unit", cursor["unit"], FINETUNE)
        _check_place(model, phase, unit)
        progress = _progress(cursor)
        notes = dict(cursor["notes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: /checkpoint: the cursor is not understood ({error})") from None
    in_phase = [r for r in model.history_ if r.phase == phase and r.unit == unit]
    progress.history = in_phase
    model.history_ = [r for r in model.history_ if r not in in_phase]
    return Unfinished(model, phase, Resume(unit, progress, arrays), notes)


def _progress(cursor: dict[str, Any]) -> Progress:
    best, reference = cursor["best_loss"], cursor["reference_loss"]
    return Progress(
        epoch=whole("epoch", cursor["epoch"], 0),
        step=whole("step", cursor["step"], 0) % 2**62,
        best_epoch=whole("best_epoch", cursor["best_epoch"], -1),
        best_loss=float("inf") if best is None else real("best_loss", best),
        reference_loss=None if reference is None else real("reference_loss", reference),
    )


def _check_place(model: Model, phase: str, unit: int) -> None:
    if not isinstance(model, Stack):
        raise ValueError(f"a {model.kind} is not trained in phases")
    if (phase == "finetune") != (unit == FINETUNE) or unit >= len(model.units_):
        raise ValueError(f"unit {unit} of {len(model.units_)} in phase {phase}")
