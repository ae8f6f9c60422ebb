"""What ``pretrain`` and ``finetune`` have in common once the model is configured: training, reporting, resuming."""

from typing import Any

from .output import echo, print_json

NEXT = {"pretrain": "stacked finetune {path} DATA -o tuned.h5", "finetune": "stacked evaluate {path} DATA"}


def train(
    model: Any, phase: str, rows: Any, path: str, notes: dict[str, Any], given: dict[str, Any], resumed: Any = None
) -> None:
    """Run one phase ("pretrain" or "finetune") on rows into the file ``path``; ``given`` are the common options."""
    from stacked.checkpoint import Checkpointer

    from .progress import mention_bfloat16, reporter, summary
    from .run import stoppable

    quiet = given["quiet"]
    checkpointer = Checkpointer(path, given["checkpoint_every"], notes)
    callback = reporter(model, rows.n_columns, quiet)
    with stoppable(checkpointer, path, phase):
        try:
            getattr(model, phase)(rows, callback=callback, checkpoint=checkpointer, resume=resumed)
        finally:
            if callback is not None:
                callback.close()
        checkpointer.discard()
        model.save(path)
    if given["as_json"]:
        print_json({"model": path, "data": rows.name, "n_samples": rows.n_rows, "phases": summary(model)})
    elif not quiet:
        echo(f"wrote {path}; next: {NEXT[phase].format(path=path)}", err=True)
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


def resume(phase: str, path: str, data: str | None, labels: str | None, given: dict[str, Any]) -> None:
    """Go on with the unfinished phase in the file ``path``; ``data`` and ``labels`` say where they have moved to, if they have."""
    from .models import set_precision
    from .run import open_unfinished, reopen

    unfinished = open_unfinished(path, phase)
    if unfinished is None:
        _report_finished(path, given)
        return
    if given["n_threads"] is not None:
        unfinished.model.n_threads = given["n_threads"]
    set_precision(unfinished.model, path, given["precision"])
    with reopen(path, unfinished, data, labels) as rows:
        train(unfinished.model, phase, rows, path, unfinished.notes, given, unfinished.resume)
