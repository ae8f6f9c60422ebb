"""The standard input as a file: what is piped in is written to a temporary one without a name, which ends with the process.

Readers look at a file more than once, and some at its end first, which a pipe does not let them.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO

from ..errors import DataError
from .files import reading

STANDARD_INPUT = "-"
_NAME = "<stdin>"
_PIECE = 1 << 20


class Spool:
    """An open temporary file, which is there as long as this object; ``path`` opens it again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.path = Path(f"/proc/self/fd/{file.fileno()}")


def spooled() -> Spool:
    """All of the standard input; `DataError` for a terminal, for nothing, and for more than half of the disk's free room."""
    source = getattr(sys.stdin, "buffer", None)
    if source is None or sys.stdin.isatty():
        raise DataError(
            f"{_NAME}: expected data on the standard input, found {'none' if source is None else 'a terminal'}"
        )
    left = shutil.disk_usage(tempfile.gettempdir()).free // 2
    with reading(_NAME, "data on the standard input"):
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the spool's, as long as rows are read from it
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise DataError(
                    f"{_NAME}: expected data for which {tempfile.gettempdir()} has room twice, found more; give a file"
                )
            file.write(piece)
        file.flush()
    if not os.fstat(file.fileno()).st_size:
        raise DataError(f"{_NAME}: expected data on the standard input, found none")
    return Spool(file)
