"""Progress on the standard error: a bar a unit on a terminal, lines elsewhere, nothing with ``--quiet``."""

import sys
import time
from collections.abc import Callable
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stacked.training.loop import Record

LINE_SECONDS = 1.0
FINETUNE = -1  # the "unit" of fine-tuning in records


class Names:
    """What a run's phases are called, and how many epochs each has."""

    def __init__(self, model: Any, n_features: int):
        self.sizes = [n_features, *(unit.n_hidden for unit in model.templates)]
        self._epochs = [*(unit.epochs for unit in model.templates), model.finetune_epochs]  # fine-tuning is [-1]

    def title(self, unit: int) -> str:
        if unit == FINETUNE:
            return "fine-tuning " + "-".join(map(str, self.sizes))
        return f"unit {unit + 1}/{len(self.sizes) - 1} {self.sizes[unit]}-{self.sizes[unit + 1]}"

    def epochs(self, unit: int) -> int:
        return self._epochs[unit]


class Lines:
    """A callback that prints a line an epoch, but no more than one in `LINE_SECONDS`: the first and the last of a phase always."""

    def __init__(self, names: Names):
        self._names = names
        self._held: Record | None = None
        self._unit: int | None = None
        self._printed = 0.0

    def __call__(self, record: "Record") -> None:
        if record.unit != self._unit:
            self.close()
        first, self._unit = record.unit != self._unit, record.unit
        self._held = record
        if first or record.epoch + 1 == record.epochs or time.monotonic() - self._printed >= LINE_SECONDS:
            self.close()

    def close(self) -> None:
        """Print the last epoch, if it was held back."""
        if self._held is None:
            return
        record, self._held = self._held, None
        self._printed = time.monotonic()
        click.echo(
            f"{self._names.title(record.unit)} epoch {record.epoch + 1}/{record.epochs} {losses(record)}"
            f" ({record.seconds:.1f} s, {record.samples_per_second:,.0f} rows/s)",
            err=True,
        )


class Bars:
    """A callback that shows a bar a unit: rows of all its epochs, the loss, and the time left."""

    def __init__(self, names: Names):
        self._names = names
        self._unit: int | None = None
        self._bar: Any = None

    def on_chunk(self, phase: str, unit: int, epoch: int, done: int, total: int, loss: float) -> None:
        """Move the bar; ``done`` of ``total`` rows of an epoch are trained."""
        if unit != self._unit:
            self._open(unit, total, epoch * total)
        bar = self._bar
        bar.set_postfix_str(f"epoch {epoch + 1}/{self._names.epochs(unit)} loss {loss:.5g}", refresh=False)
        bar.update(epoch * total + done - bar.n)

    def __call__(self, record: "Record") -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(f"epoch {record.epoch + 1}/{record.epochs} {losses(record)}")

    def close(self) -> None:
        """Leave the last bar as it stands."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def _open(self, unit: int, total: int, initial: int) -> None:
        from tqdm import tqdm

        self.close()
        self._unit = unit
        layout = "{desc} {percentage:3.0f}%|{bar:20}| {elapsed}<{remaining}{postfix}"
        size = get_terminal_size()  # unlike tqdm's own, never 0 x 0
        self._bar = tqdm(
            total=self._names.epochs(unit) * total, initial=initial, desc=self._names.title(unit), bar_format=layout,
            ncols=size.columns, nrows=size.lines, file=sys.stderr,
        )  # fmt: skip


class Watched:
    """A callback that first looks whether a signal has arrived (``check`` raises then), and passes on to a reporter, if any."""

    def __init__(self, check: Callable[[], None], reporter: Lines | Bars | None):
        self._check, self._reporter = check, reporter

    def on_chunk(self, *progress: Any) -> None:
        self._check()
        if isinstance(self._reporter, Bars):
            self._reporter.on_chunk(*progress)

    def __call__(self, record: "Record") -> None:
        if self._reporter is not None:
            self._reporter(record)

    def close(self) -> None:
        if self._reporter is not None:
            self._reporter.close()


def losses(record: "Record") -> str:
    """The losses of an epoch, per sample."""
    text = f"loss {record.loss:.5g}" + (f" penalty {record.penalty:.3g}" if record.penalty else "")
    return text if record.validation_loss is None else f"{text} validation {record.validation_loss:.5g}"


def reporter(model: Any, n_features: int, quiet: bool) -> Lines | Bars | None:
    """The callback that suits the standard error."""
    if quiet:
        return None
    return (Bars if sys.stderr.isatty() else Lines)(Names(model, n_features))


def mention_bfloat16(model: Any, phase: str) -> None:
    """Say how a phase that ran in float32 would have been faster, where this CPU has bfloat16 and the phase could use it."""
    from stacked.kernels.engine.bfloat16 import obstacle
    from stacked.settings import LINE_SEARCHES

    optimizers = [model.finetune_optimizer] if phase == "finetune" else [unit.optimizer for unit in model.templates]
    if model.precision == "float32" and not set(optimizers) & set(LINE_SEARCHES) and obstacle() is None:
        click.echo("this CPU multiplies bfloat16: with --precision bfloat16 it trains faster", err=True)


def summary(model: Any) -> list[dict[str, Any]]:
    """One entry a phase of ``history_``, JSON-able: the last losses (per sample), epochs and seconds."""
    phases: dict[int, list[Any]] = {}
    for record in model.history_:
        phases.setdefault(record.unit, []).append(record)
    return [
        {
            "phase": records[-1].phase,
            "unit": None if unit == FINETUNE else unit,
            "epochs": len(records),
            "loss": records[-1].loss,
            "penalty": records[-1].penalty,
            "validation_loss": records[-1].validation_loss,
            "seconds": sum(record.seconds for record in records),
        }
        for unit, records in phases.items()
    ]
