"""Arrays to files, whole or not at all: .npy, .csv and .h5, told by the suffix; CSV on the standard output."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from stacked.errors import ModelFileError
from stacked.text import escaped

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".npy", ".csv", ".h5", ".hdf5")
DEFAULT_KEY = "/data"
CSV_ROWS = 4096  # turned into text at once


def print_json(report: Any) -> None:
    """One line of JSON on the standard output; NaN and infinity, which JSON does not have, are a bug."""
    click.echo(json.dumps(report, allow_nan=False))


def echo(*lines: str, err: bool = False) -> None:
    """Lines for people, with what a terminal would obey instead of showing, such as escape sequences in a file's texts, escaped."""
    click.echo("\n".join(map(escaped, lines)), err=err)


class Target(NamedTuple):
    """A file name and, for HDF5, the path inside; "-" is the standard output."""

    path: str
    key: str


@contextmanager
def claimed_target(spec: str, inputs: list[str | None], force: bool) -> Iterator[Target]:
    """`target_of`, kept to this process while it is worked for."""
    from .run import claimed

    target = target_of(spec, inputs, force)
    if target.path == "-":
        yield target
        return
    with claimed(target.path):
        yield target_of(spec, inputs, force)  # once more: another process may have made the file before this one had it


def target_of(spec: str, inputs: list[str | None], force: bool) -> Target:
    """Where -o points to; refused before any work if it cannot be written there, or is an input."""
    from stacked.store import check_writable

    from .run import refuse_inputs

    if spec == "-":
        return Target("-", "")
    path, _, key = spec.rpartition(":") if not spec.lower().endswith(SUFFIXES) else (spec, "", "")
    names = key.strip("/").split("/")
    bad_key = key and (not _is_hdf5(path) or not all(names) or {".", ".."} & set(names))
    if Path(path).suffix.lower() not in SUFFIXES or bad_key:
        raise click.UsageError(f"-o {spec}: expected FILE.npy, FILE.csv or FILE.h5[:/path]")
    check_writable(path)
    refuse_inputs(path, inputs)
    if _is_hdf5(path) and Path(path).exists() and not force:
        raise ModelFileError(f"{path}: exists, and may hold other data; replace all of it with --force")
    return Target(path, key or DEFAULT_KEY)


def write_array(target: Target, array: "np.ndarray") -> None:
    """Write an array (n,) or (n, m)."""
    from stacked.store import write_atomically

    if target.path == "-":
        stdout = sys.stdout.buffer
        _write_csv(stdout, array, escaped if sys.stdout.isatty() else str)
        stdout.flush()
        return
    if _is_hdf5(target.path):
        write_atomically(target.path, _hdf5(array, target))
        return
    stream = io.BytesIO()
    if target.path.lower().endswith(".npy"):
        import numpy as np

        np.save(stream, array, allow_pickle=False)
    else:
        _write_csv(stream, array)
    write_atomically(target.path, stream.getvalue())  # no view: after an error it would outlive the stream


def _write_csv(stream: BinaryIO, array: "np.ndarray", text: Callable[[object], str] = str) -> None:
    """One line a row, with as many digits as give back the same number; ``text`` makes labels fit to be shown."""
    for start in range(0, len(array), CSV_ROWS):
        block = array[start : start + CSV_ROWS]
        rows = block.reshape(len(block), -1)
        values = rows.tolist() if rows.dtype.kind in "iU" else rows.astype(str)
        lines = [",".join(_cell(text(value)) for value in row) for row in values]
        stream.write(("\n".join(lines) + "\n").encode())


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n\r') else text


def _is_hdf5(path: str) -> bool:
    return Path(path).suffix.lower() in (".h5", ".hdf5")


def _hdf5(array: "np.ndarray", target: Target) -> bytes:
    """The bytes of an HDF5 file with one data set."""
    import h5py
    import numpy as np

    values = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array
    try:
        with h5py.File(target.path, "w", driver="core", backing_store=False) as file:
            file.create_dataset(target.key, data=values)
            file.flush()
            return file.id.get_file_image()
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{target.path}: {target.key!r} is no path for a data set ({error})") from None
