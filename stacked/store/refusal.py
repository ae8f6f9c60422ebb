"""One-line refusals. Inside the store they begin with the path in the file; the outermost call puts the file's name first.

A path is written as in the digest: ``/encoder/0/weight`` is a dataset, ``/encoder/0@activation`` an attribute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ModelFileError


def refusal(where: str, text: str) -> ModelFileError:
    return ModelFileError(f"{where}: {text}")


def shown(value: object) -> str:
    """A foreign value, short and on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def one_line(text: object, most: int = 200) -> str:
    """Foreign text without line breaks or other unprintable characters."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(line.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def file_name(path: str | os.PathLike[str]) -> str:
    return one_line(os.fspath(path), 4096)


@contextmanager
def inside(where: str) -> Iterator[None]:
    """Whatever fails in here is the file's fault, and is said of ``where``."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:  # h5py raises nearly every built-in type, depending on which HDF5 call met the damage
        raise refusal(where, f"cannot be read, the file is damaged: {one_line(error)}") from error


@contextmanager
def of_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Puts the name of the model file before the refusals of everything inside the store."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{file_name(path)}: {error}") from error.__cause__
