"""What ``pretrain`` and ``finetune`` have in common once the model is configured: training, reporting, resuming."""

from typing import TYPE_CHECKING, Any

from .output import echo, print_json
from .signals import Signals

if TYPE_CHECKING:
    from stacked.training.checkpoint import Unfinished


def train(
    model: Any,
    phase: str,
    rows: Any,
    path: str,
    notes: dict[str, Any],
    given: dict[str, Any],
    signals: Signals,
    resumed: Any = None,
    target: Any = None,
) -> None:
    """Run one phase ("pretrain" or "finetune") on rows into the file ``path``; ``given`` are the common options.

    ``target`` are the rows that a pretrained unit should answer with, where they are others.
    """
    from stacked.training.checkpoint import Checkpointer

    from .hints import mention_bfloat16, next_command
    from .progress import Watched, reporter, summary
    from .run import stoppable

    quiet = given["quiet"]
    checkpointer = Checkpointer(path, given["checkpoint_every"], notes)
    callback = Watched(signals.check, reporter(model, quiet))
    with stoppable(checkpointer, path, phase):
        try:
            own = {} if target is None else {"target": target}
            getattr(model, phase)(rows, **own, callback=callback, checkpoint=checkpointer, resume=resumed)
        finally:
            callback.close()
        signals.check()
        checkpointer.discard()
        model.save(path)
    if given["as_json"]:
        print_json({"model": path, "data": rows.name, "n_samples": rows.n_rows, "phases": summary(model)})
    elif not quiet:
        from stacked.comparison import summary_line

        line = summary_line(model, rows)
        following = f"wrote {path}; next: {next_command(phase, path, given, notes)}"
        echo(*([] if line is None else [line]), following, err=True)
        if given["precision"] is None and resumed is None:
            mention_bfloat16(model, phase)


def _report_finished(path: str, given: dict[str, Any]) -> None:
    """What a resumed run says when there is nothing to do: the same as one that has just finished."""
    from stacked import load

    from .progress import summary

    if given["as_json"]:
        print_json({"model": path, "data": None, "n_samples": None, "phases": summary(load(path))})
    elif not given["quiet"]:
        echo(f"{path}: the training is finished; there is nothing to do", err=True)


def resume(
    phase: str, path: str, data: str | None, labels: str | None, given: dict[str, Any], target: str | None = None
) -> None:
    """Go on with the unfinished phase in the file ``path``; the others say where data, labels and targets have moved to, if so."""
    from .run import open_unfinished
    from .targets import claimed

    if open_unfinished(path, phase) is None:
        _report_finished(path, given)
        return
    with claimed(path) as signals:
        unfinished = open_unfinished(path, phase)  # once more: another process may have gone on with it meanwhile
        if unfinished is None:
            _report_finished(path, given)
        else:
            _go_on(unfinished, phase, path, data, labels, given, signals, target)


def _go_on(
    unfinished: "Unfinished",
    phase: str,
    path: str,
    data: str | None,
    labels: str | None,
    given: dict[str, Any],
    signals: Signals,
    target: str | None,
) -> None:
    from .models import set_precision
    from .run import moved, reopen, reopen_target

    model = unfinished.model
    if given["n_threads"] is not None:
        model.n_threads = given["n_threads"]
    set_precision(model, path, given["precision"])
    notes = unfinished.notes | moved(data, labels, target)
    with reopen(path, unfinished, data, labels) as rows:
        aim = reopen_target(path, unfinished, target)
        train(model, phase, rows, path, notes, given, signals, unfinished.resume, aim)
