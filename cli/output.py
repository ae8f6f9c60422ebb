"""What commands say, and arrays to files, whole or not at all: .npy, .csv and .h5 by the suffix; CSV on the standard output."""

import io
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from stacked.errors import ModelFileError
from stacked.text import escaped

from .targets import Target, is_hdf5

if TYPE_CHECKING:
    import numpy as np

CSV_ROWS = 4096  # turned into text at once

Names = list[str] | Callable[[int], list[str]] | None


def print_json(report: Any) -> None:
    """One line of JSON on the standard output; NaN and infinity, which JSON does not have, are a bug."""
    click.echo(json.dumps(report, allow_nan=False))


def echo(*lines: str, err: bool = False) -> None:
    """Lines for people, with what a terminal would obey instead of showing, such as escape sequences in a file's texts, escaped."""
    click.echo("\n".join(map(escaped, lines)), err=err)


def write_array(
    target: Target, array: "np.ndarray", names: Names = None, first: "tuple[str, np.ndarray] | None" = None
) -> None:
    """Write an array (n, ...), in CSV a line a row. That begins with the names of its columns, or with those of so many, if any.

    In CSV the ``first`` column, a name and its values (n,), stands before those of the array.
    """
    from stacked.data.header import unique_names
    from stacked.files import write_atomically

    header = names(array.shape[1]) if callable(names) else names
    if header is not None and first is not None:
        header = unique_names([first[0], *header])
    values = None if first is None else first[1]
    if target.path == "-":
        stdout = sys.stdout.buffer
        _write_csv(stdout, array, header, values, escaped if sys.stdout.isatty() else str)
        stdout.flush()
        return
    if is_hdf5(target.path):
        write_atomically(target.path, _hdf5(array, target))
        return
    stream = io.BytesIO()
    if target.path.lower().endswith(".npy"):
        import numpy as np

        np.save(stream, array, allow_pickle=False)
    else:
        _write_csv(stream, array, header, values)
    write_atomically(target.path, stream.getvalue())  # no view: after an error it would outlive the stream


def _write_csv(
    stream: BinaryIO,
    array: "np.ndarray",
    header: list[str] | None,
    first: "np.ndarray | None",
    text: Callable[[object], str] = str,
) -> None:
    """One line a row, with as many digits as give back the same number; ``text`` makes labels and names fit to be shown.

    The ``first`` cell of each (n,) is its name, if any.
    """
    if header is not None:
        stream.write((",".join(_cell(text(name)) for name in header) + "\n").encode())
    for start in range(0, len(array), CSV_ROWS):
        block = array[start : start + CSV_ROWS]
        rows = block.reshape(len(block), -1)
        values = (rows if rows.dtype.kind in "iU" else rows.astype(str)).tolist()
        if first is not None:
            values = [[name, *row] for name, row in zip(first[start : start + CSV_ROWS].tolist(), values, strict=True)]
        lines = [",".join(_cell(text(value)) for value in row) for row in values]
        stream.write(("\n".join(lines) + "\n").encode())


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n\r') else text


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
