"""What a command says once it is done: the command to go on with, and once a day how it would have been faster."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

DAY = 24 * 60 * 60  # seconds
NEVER = float("-inf")


def next_command(phase: str, path: str, given: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """The command that follows a phase ("pretrain" or "finetune") that wrote ``path``, to be pasted into a shell.

    Data and labels are named as they were ``given``, or as the ``notes`` of a resumed run have them.
    """
    data = given["data"] or notes["data"]
    if "target" in notes:
        target = given["target"] or notes["target"]
        return shell_command("evaluate", path, data, options=["--target", target])
    if phase == "pretrain":
        return shell_command("finetune", path, data, options=["-o", _unused("tuned.h5")])
    labels = (given["labels"] or notes["labels"]) if "labels_fingerprint" in notes else None
    return shell_command("evaluate", path, data, options=["--labels", labels] if labels else [])


def shell_command(name: str, *arguments: str, options: Sequence[str] = ()) -> str:
    """``stacked NAME ARGUMENTS OPTIONS``, quoted as a shell wants it."""
    return shlex.join(["stacked", name, *map(_no_option, arguments), *options])


def _no_option(name: str) -> str:
    """A name that begins with a dash, as one that cannot be taken for an option."""
    return f"./{name}" if name.startswith("-") and name != "-" else name


def _unused(name: str) -> str:
    """``name``, or the first of it with a number that is no file yet."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - of a name, not of a path
    count = 1
    while os.path.lexists(name):
        count += 1
        name = f"{stem}{count}{suffix}"
    return name


def mention_bfloat16(model: Any, phase: str) -> None:
    """Say how a phase that ran in float32 would have been faster, where this CPU has bfloat16 and the phase could use it.

    Once a day at most, as long as the user's cache folder can be written.
    """
    from stacked.kernels.engine.bfloat16 import obstacle
    from stacked.settings import LINE_SEARCHES

    optimizers = [model.finetune_optimizer] if phase == "finetune" else [unit.optimizer for unit in model.templates]
    usable = model.precision == "float32" and not set(optimizers) & set(LINE_SEARCHES) and obstacle() is None
    if usable and _is_due("bfloat16"):
        click.echo("this CPU multiplies bfloat16: with --precision bfloat16 it trains faster", err=True)


def _is_due(hint: str) -> bool:
    """Whether a hint was not given within a day; from now on it was."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        stamp = _folder() / f"{hint}-hint"
        if 0 <= time.time() - _written(stamp) < DAY:
            return False
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    return True


def _written(path: Path) -> float:
    """When a file was last written, in seconds."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return NEVER


def _folder() -> Path:
    """Where what may be lost is kept for this user (XDG Base Directory Specification)."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "stacked"
