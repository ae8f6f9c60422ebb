"""The standard input as a file: what is piped in is written to a temporary one, which ends with its rows or the process.

Readers look at a file more than once, and some at its end first, which a pipe does not let them.
"""

import os
import shutil
import sys
import tempfile
import weakref
from pathlib import Path

from ..errors import DataError
from .files import reading

STANDARD_INPUT = "-"
_NAME = "<stdin>"
_PIECE = 1 << 20


class Spool:
    """A temporary file, which is there as long as this object, at most as long as the process."""

    def __init__(self) -> None:
        descriptor, path = tempfile.mkstemp(prefix="stacked-stdin-")
        os.close(descriptor)
        self.path = Path(path)
        weakref.finalize(self, self.path.unlink, missing_ok=True)


def spooled() -> Spool:
    """All of the standard input; `DataError` for a terminal, for nothing, and for more than half of the disk's free room."""
    source = getattr(sys.stdin, "buffer", None)
    if source is None or sys.stdin.isatty():
        raise DataError(
            f"{_NAME}: expected data on the standard input, found {'none' if source is None else 'a terminal'}"
        )
    left = shutil.disk_usage(tempfile.gettempdir()).free // 2
    with reading(_NAME, "data on the standard input"):
        spool = Spool()
        with spool.path.open("wb") as file:
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise DataError(
                        f"{_NAME}: expected data for which {tempfile.gettempdir()} has room twice, found more; give a file"
                    )
                file.write(piece)
    if not spool.path.stat().st_size:
        raise DataError(f"{_NAME}: expected data on the standard input, found none")
    return spool
