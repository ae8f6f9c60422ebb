"""One-line refusals. Inside the store they begin with the path in the file; the outermost call puts the file's name first.

A path is written as in the digest: ``/encoder/0/weight`` is a dataset, ``/encoder/0@activation`` an attribute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ModelFileError
from ..text import escaped, one_line

MAX_NAME, MAX_DETAIL = 4096, 200  # characters of a path, and of another library's message


def refusal(where: str, text: str) -> ModelFileError:
    return ModelFileError(f"{where}: {text}")


def file_name(path: str | os.PathLike[str]) -> str:
    """The name of a file on one line, as long as a path may be."""
    return escaped(os.fspath(path))[:MAX_NAME]


@contextmanager
def inside(where: str) -> Iterator[None]:
    """Whatever fails in here is the file's fault, and is said of ``where``."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:  # h5py raises nearly every built-in type, depending on which HDF5 call met the damage
        raise refusal(where, f"cannot be read, the file is damaged: {one_line(error, MAX_DETAIL)}") from error


@contextmanager
def of_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Puts the name of the model file before the refusals of everything inside the store."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{file_name(path)}: {error}") from error.__cause__
