"""Progress on the standard error: a bar a unit on a terminal, lines elsewhere.

The library prints when it is asked to, by ``verbose`` of an estimator; the command line asks unless it is ``--quiet``.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import Any

from .notices import compilation_said, say
from .training.loop import FINETUNE, Callback, Record
from .units.chain import chained

LINE_SECONDS = 1.0


class Names:
    """What the phases of a model are called; asked for once training has begun, when the number of features is known."""

    def __init__(self, model: Any):
        self._model = model

    def title(self, unit: int) -> str:
        """Of a unit, or of fine-tuning, with the sizes that it is between."""
        model, templates = self._model, self._model.templates
        chain = chained(templates or [model], model._sample_shape)
        codes = [_called(halves.code_shape) for halves in chain]
        if unit == FINETUNE:
            return "fine-tuning " + "-".join((_called(chain[0].encoder[0].shape_in), *codes))
        sizes = f"{_called(chain[unit].encoder[0].shape_in)}-{codes[unit]}"
        return f"unit {unit + 1}/{len(chain)} {sizes}" if templates else f"{type(model).__name__} {sizes}"


def _called(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


class Lines:
    """A callback that prints a line an epoch, but no more than one in `LINE_SECONDS`: the first and the last of a phase always."""

    def __init__(self, names: Names):
        self._names = names
        self._held: Record | None = None
        self._unit: int | None = None
        self._printed = 0.0

    def on_chunk(self, *progress: Any) -> None:
        """Nothing: a line is of a whole epoch."""

    def __call__(self, record: Record) -> None:
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
        say(
            f"{self._names.title(record.unit)} epoch {record.epoch + 1}/{record.epochs} {losses(record)}"
            f" ({record.seconds:.1f} s, {record.samples_per_second:,.0f} rows/s)"
        )


class Bars:
    """A callback that shows a bar a unit: rows of all its epochs, the loss, and the time left."""

    def __init__(self, names: Names):
        self._names = names
        self._unit: int | None = None
        self._bar: Any = None

    def on_chunk(self, phase: str, unit: int, epoch: int, epochs: int, done: int, total: int, loss: float) -> None:
        """Move the bar; ``done`` of ``total`` rows of an epoch, of ``epochs``, are trained."""
        if unit != self._unit:
            self._open(unit, epochs * total, epoch * total)
        bar = self._bar
        bar.set_postfix_str(f"epoch {epoch + 1}/{epochs} loss {loss:.5g}", refresh=False)
        bar.update(epoch * total + done - bar.n)

    def __call__(self, record: Record) -> None:
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
            total=total, initial=initial, desc=self._names.title(unit), bar_format=layout, ncols=size.columns, nrows=size.lines,
            file=sys.stderr,
        )  # fmt: skip


class _Both:
    """A reporter, and then a callback of the user's, whose answer counts."""

    def __init__(self, reporter: Lines | Bars, callback: Callback | None):
        self._reporter, self._callback = reporter, callback

    def on_chunk(self, *progress: Any) -> None:
        for each in (self._reporter, self._callback):
            on_chunk = getattr(each, "on_chunk", None)
            if on_chunk is not None:
                on_chunk(*progress)

    def __call__(self, record: Record) -> Any:
        self._reporter(record)
        return None if self._callback is None else self._callback(record)


def losses(record: Record) -> str:
    """The losses of an epoch, per sample."""
    text = f"loss {record.loss:.5g}" + (f" penalty {record.penalty:.3g}" if record.penalty else "")
    return text if record.validation_loss is None else f"{text} validation {record.validation_loss:.5g}"


def reporter(model: Any) -> Lines | Bars:
    """The callback that suits the standard error."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return (Bars if terminal else Lines)(Names(model))


@contextmanager
def reporting(model: Any, callback: Callback | None) -> Iterator[Callback | None]:
    """The callback to train a model with: ``callback`` itself, or with ``verbose`` one that shows progress besides.

    With ``verbose`` it is also said inside that kernels are compiled.
    """
    if not model.verbose:
        yield callback
        return
    shown = reporter(model)
    with compilation_said():
        try:
            yield _Both(shown, callback)
        finally:
            shown.close()
