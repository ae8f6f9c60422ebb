"""What a training command says on the way and at its end: progress unless ``--quiet``, and a summary."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stacked.progress import Bars, Lines
from stacked.progress import reporter as reporter_of
from stacked.training.loop import FINETUNE

if TYPE_CHECKING:
    from stacked.training.loop import Record


class Watched:
    """A callback that first looks whether a signal has arrived (``check`` raises then), and passes on to a reporter, if any."""

    def __init__(self, check: Callable[[], None], reporter: Lines | Bars | None):
        self._check, self._reporter = check, reporter

    def on_chunk(self, *progress: Any) -> None:
        self._check()
        if self._reporter is not None:
            self._reporter.on_chunk(*progress)

    def __call__(self, record: "Record") -> None:
        if self._reporter is not None:
            self._reporter(record)

    def close(self) -> None:
        if self._reporter is not None:
            self._reporter.close()


def reporter(model: Any, quiet: bool) -> Lines | Bars | None:
    """The callback that suits the standard error."""
    return None if quiet else reporter_of(model)


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
