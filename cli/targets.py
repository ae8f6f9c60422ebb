"""Where a command may write: a place that can be written, is no input of the command, and is nobody else's at the moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from stacked.errors import ModelFileError

from .config import config_file
from .signals import Signals, stopping

SUFFIXES = (".npy", ".csv", ".h5", ".hdf5")
DEFAULT_KEY = "/data"


class Target(NamedTuple):
    """A file name and, for HDF5, the path inside; "-" is the standard output."""

    path: str
    key: str


@contextmanager
def claimed(path: str) -> Iterator[Signals]:
    """Inside, no other command writes ``path``; SIGINT and SIGTERM raise, so that no lock and nothing half written stays."""
    from stacked.files import locked

    with stopping() as signals, locked(path):
        yield signals


@contextmanager
def claimed_target(spec: str, inputs: list[str | None], force: bool) -> Iterator[Target]:
    """`target_of`, kept to this process while it is worked for."""
    target = target_of(spec, inputs, force)
    if target.path == "-":
        yield target
        return
    with claimed(target.path):
        yield target_of(spec, inputs, force)  # once more: another process may have made the file before this one had it


def target_of(spec: str, inputs: list[str | None], force: bool) -> Target:
    """Where -o points to; refused before any work if it cannot be written there, or is an input."""
    from stacked.files import check_writable

    if spec == "-":
        return Target("-", "")
    path, _, key = spec.rpartition(":") if not spec.lower().endswith(SUFFIXES) else (spec, "", "")
    names = key.strip("/").split("/")
    bad_key = key and (not is_hdf5(path) or not all(names) or {".", ".."} & set(names))
    if Path(path).suffix.lower() not in SUFFIXES or bad_key:
        raise click.UsageError(f"-o {spec}: expected FILE.npy, FILE.csv or FILE.h5[:/path]")
    check_writable(path)
    refuse_inputs(path, inputs)
    if is_hdf5(path) and Path(path).exists() and not force:
        raise ModelFileError(f"{path}: exists, and may hold other data; replace all of it with --force")
    return Target(path, key or DEFAULT_KEY)


def is_hdf5(path: str) -> bool:
    """Whether a name is that of an HDF5 file."""
    return Path(path).suffix.lower() in (".h5", ".hdf5")


def check_output(path: str, inputs: list[str | None], force: bool) -> None:
    """Refuse an output that cannot be written, is an input of the run, or holds training that was not finished."""
    from stacked.files import check_writable, read_info

    check_writable(path)
    refuse_inputs(path, inputs)
    if force or not Path(path).exists():
        return
    try:
        checkpoint = read_info(path)["checkpoint"]
    except ModelFileError:
        raise ModelFileError(f"{path}: exists and is not a whole model file; give another name, or --force") from None
    if checkpoint is not None and not checkpoint["cursor"].get("diverged"):
        phase = checkpoint["cursor"]["phase"]
        raise ModelFileError(
            f"{path}: holds unfinished training; go on with `stacked {phase} --resume {path}`, or replace it with --force"
        )


def refuse_inputs(path: str, inputs: list[str | None]) -> None:
    """ModelFileError for an output that is an input of the command, or its --config."""
    if any(other is not None and same_file(path, other) for other in [*inputs, config_file()]):
        raise ModelFileError(f"{path}: the output would replace the input; give another name with -o")


def same_file(path: str, other: str) -> bool:
    """Whether two names are one file; the other may have a key behind a colon."""
    candidates = [other, other.rpartition(":")[0]]
    return any(Path(name).exists() and Path(path).exists() and Path(name).samefile(path) for name in candidates if name)
