"""A run of training that can be killed: what its data were, where its output goes, and how it is stopped and resumed."""

import hashlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from stacked.errors import DataError, DivergedError, ModelFileError

from .hints import shell_command
from .output import echo
from .signals import Interrupted, handling
from .table_options import open_for, open_target, table_of_notes

if TYPE_CHECKING:
    from stacked.data import Rows
    from stacked.training.checkpoint import Checkpointer, Unfinished


def notes_of(rows: "Rows", data: str, labels: str | None, classify: bool) -> dict[str, Any]:
    """What a checkpoint remembers of the data: where they are, and what they were."""
    from stacked.data import fingerprint

    notes: dict[str, Any] = {"data": absolute(data), "data_fingerprint": fingerprint(rows)}
    if classify:
        notes |= {"labels": labels and absolute(labels), "labels_fingerprint": _labels_fingerprint(rows)}
    return notes


def notes_of_target(target: str | None, rows: "Rows | None") -> dict[str, Any]:
    """The same of what the rows should be answered with, where that is not themselves."""
    from stacked.data import fingerprint

    if target is None or rows is None:
        return {}
    return {"target": absolute(target), "target_fingerprint": fingerprint(rows)}


def absolute(spec: str) -> str:
    """DATA that means the same in every working directory."""
    from stacked.data.builtin import is_builtin
    from stacked.data.spool import STANDARD_INPUT

    if is_builtin(spec) or spec == STANDARD_INPUT:
        return spec
    return os.path.abspath(spec)  # noqa: PTH100 - a key may stand behind the path


def moved(data: str | None, labels: str | None, target: str | None = None) -> dict[str, str]:
    """The notes of where data, labels and targets are now, as far as they have moved."""
    given = {"data": data, "labels": labels, "target": target}
    return {name: absolute(spec) for name, spec in given.items() if spec is not None}


def reopen(path: str, unfinished: "Unfinished", data: str | None, labels: str | None = None) -> "Rows":
    """The rows of an unfinished run, from where they were or from ``data``; DataError if they are not the same ones."""
    from stacked.data import fingerprint
    from stacked.data.spool import STANDARD_INPUT

    notes = unfinished.notes
    classify = "labels_fingerprint" in notes
    moved = [spec for spec in (data, labels) if spec == STANDARD_INPUT]
    data = data or notes.get("data")
    labels = labels or notes.get("labels") if classify else None
    table = table_of_notes(notes)
    if not isinstance(data, str) or not isinstance(labels, str | None) or table is None:
        raise ModelFileError(
            f"{path}: the checkpoint does not say what the data were; name DATA behind --resume {path}"
        )
    if STANDARD_INPUT in (data, labels) and not moved:
        raise ModelFileError(f"{path}: its data came from the standard input; give them again: --resume {path} -")
    rows = open_for(unfinished.model, data, labels, table)
    _require_same(path, data, notes.get("data_fingerprint"), fingerprint(rows))
    if classify:
        _require_same(path, f"labels of {labels or data}", notes["labels_fingerprint"], _labels_fingerprint(rows))
    return rows


def reopen_target(path: str, unfinished: "Unfinished", target: str | None) -> "Rows | None":
    """What the rows of an unfinished run should be answered with, where it has such; as `reopen`."""
    from stacked.data import fingerprint

    notes = unfinished.notes
    if "target_fingerprint" not in notes:
        if target is not None:
            raise DataError(f"{target}: expected no targets, for {path} was training without them; leave --target out")
        return None
    spec, table = target or notes.get("target"), table_of_notes(notes)
    if not isinstance(spec, str) or table is None:
        raise ModelFileError(f"{path}: the checkpoint does not say what the targets were; name them by --target DATA")
    rows = open_target(spec, table, unfinished.model.table_)
    _require_same(path, f"targets of {spec}", notes["target_fingerprint"], fingerprint(rows))
    return rows


def open_unfinished(path: str, phase: str) -> "Unfinished | None":
    """The unfinished run in a file, or None if it is finished; ModelFileError if it is one of another command."""
    from stacked.files import check_writable, read_info
    from stacked.training.checkpoint import load_checkpoint

    info = read_info(path)
    if info["checkpoint"] is None:
        finished = "finetune" if "finetune" in info["history"] else "pretrain"
        if finished == phase:
            return None
        raise ModelFileError(f"{path}: expected unfinished {_NOUN[phase]}, found {_NOUN[finished]} that is finished")
    check_writable(path)
    unfinished = load_checkpoint(path)
    if unfinished.phase != phase:
        raise ModelFileError(
            f"{path}: holds unfinished {_NOUN[unfinished.phase]}; go on with `stacked {unfinished.phase} --resume {path}`"
        )
    return unfinished


@contextmanager
def stoppable(checkpointer: "Checkpointer", path: str, command: str) -> Iterator[None]:
    """Inside, Interrupted writes the newest checkpoint and ends the process with 130 or 143.

    After DivergedError, too, the newest good state is in the file.
    """
    try:
        yield
    except Interrupted as stop:
        with handling(signal.SIG_IGN):
            checkpointer.flush()
        if checkpointer.has_written:
            echo(f"stopped; go on with: {shell_command(command, options=['--resume', path])}", err=True)
        else:
            click.echo("stopped before the first checkpoint; nothing was written", err=True)
        raise SystemExit(128 + stop.number) from None
    except DivergedError as error:
        checkpointer.flush_diverged()
        raise DivergedError(f"{error} in {path}, which can be used as it is") from error


_NOUN = {"pretrain": "pretraining", "finetune": "fine-tuning"}


def _require_same(path: str, what: str, expected: Any, found: str) -> None:
    if expected is not None and expected != found:
        raise DataError(
            f"{what}: these are not the data that {path} was training on"
            f" (fingerprint {str(expected)[:12]} expected, {found[:12]} found)"
        )


def _labels_fingerprint(rows: "Rows") -> str:
    labels = rows.labels
    if labels is None:
        raise DataError(
            f"{rows.name}: expected labels, found none; give them with --labels, or name their column with --label-column"
        )
    return hashlib.sha256(f"{labels.dtype.kind}{labels.tolist()}".encode()).hexdigest()
