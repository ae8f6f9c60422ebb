"""Opening files so that every failure is one line, and so that nothing is allocated on the word of a header alone.

A header that lies is caught by arithmetic before memory is asked for: a plain file must have exactly the size that its
header declares, a DEFLATE stream cannot hold more than 1032 times its own bytes, and no array may exceed the memory
that is available. A stream is then read to the declared length and one byte beyond, never further.
"""

import csv
import gzip
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..errors import DataError
from ..text import one_line
from . import memory

SUPPORTED = (
    "IDX (.gz or not), .npy, .npz[:key], .h5[:/path], .csv or .tsv (.gz or not), .parquet, a folder of images or of CSV files, "
    "a SciPy sparse .npz, or a built-in set by name"
)
MAX_DEFLATE_RATIO = 1032  # zlib's technical notes: one bit of DEFLATE cannot give more than 129 bytes
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20

# What the standard library, NumPy and h5py raise on damaged or hostile files.
_FAILURES = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    csv.Error,
    struct.error,
    SyntaxError,
    tokenize.TokenError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)


def exists(path: str | Path) -> bool:
    """Whether the path can be seen to exist; a name that the system refuses does not."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


@contextmanager
def reading(name: str, what: str) -> Iterator[None]:
    """Turn whatever a damaged file makes the libraries raise into one `DataError` that names it.

    ``what`` is the kind of thing expected there, with its article, such as "an IDX file".
    """
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{name}: expected {what} that fits in memory, found one that does not") from error
    except _FAILURES as error:
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{name}: expected {what}, found that it cannot be read: {error.strerror}") from error
        if isinstance(error, UnicodeDecodeError) and "table" in what:
            raise DataError(
                f"{name}: expected {what} in UTF-8, found text in another encoding; save it as UTF-8"
            ) from error
        detail = one_line(error) or type(error).__name__
        raise DataError(f"{name}: expected {what}, found a damaged one ({detail})") from error


def is_table_name(path: Path) -> bool:
    """Whether a file is called as tables of text are: .csv or .tsv, .gz behind it or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return bool({*suffixes[-1:]} & {".csv", ".tsv"}) or (suffixes[-1:] == [".gz"] and suffixes[0] in (".csv", ".tsv"))


def is_gzip(path: Path) -> bool:
    """Whether the file starts with gzip's magic bytes."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP_MAGIC


@contextmanager
def open_stream(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed on the fly when it is a gzip file, whatever it is called."""
    if is_gzip(path):
        with gzip.open(path, "rb") as stream:
            yield cast(IO[bytes], stream)
    else:
        with path.open("rb") as stream:
            yield stream


def first_bytes(path: Path, count: int) -> bytes:
    """Up to ``count`` bytes from the start of the (decompressed) file."""
    with open_stream(path) as stream:
        return stream.read(count)


def check_declared(name: str, path: Path, declared: int, body: int, header: str) -> None:
    """Refuse a header that cannot be true, before anything is allocated.

    ``declared`` is the size in bytes of the whole decompressed file and ``body`` that of its numbers; ``header`` says
    in words what was declared.
    """
    size = path.stat().st_size
    if is_gzip(path):
        if declared > size * MAX_DEFLATE_RATIO:
            raise DataError(
                f"{name}: expected {declared} bytes for {header}, found a gzip file of {size} bytes, too short for them"
            )
    elif declared != size:
        state = "truncated" if size < declared else "followed by something else"
        raise DataError(f"{name}: expected {declared} bytes for {header}, found {size} bytes: the file is {state}")
    memory.require_memory(name, body)


def read_exactly(stream: IO[bytes], count: int, name: str, header: str) -> np.ndarray:
    """The rest of the stream as ``count`` bytes, a writable uint8 array; `DataError` when there are fewer or more."""
    out = np.empty(count, np.uint8)
    view, done = out.data, 0
    while done < count:
        got = stream.readinto(view[done : done + _PIECE])  # type: ignore[attr-defined]
        if not got:
            raise DataError(f"{name}: expected {count} bytes for {header}, found {done}: the file is truncated")
        done += got
    if stream.read(1):
        raise DataError(f"{name}: expected {count} bytes for {header}, found more behind them")
    return out
