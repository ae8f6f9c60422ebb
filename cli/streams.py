"""The standard streams as a command needs them: messages may get lost, results may not, and no file gets their descriptors.

A process may be started with a stream closed. The next file that is opened then gets its descriptor, and what is meant for the
stream would land in that file.
"""

import io
import os
import sys
from typing import Any, TextIO


class _Messages(io.FileIO):
    """A raw stream that drops what its descriptor does not take: a closed or full standard error stops no training."""

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


def secure_streams() -> None:
    """Fill closed descriptors, and let the standard error never fail. A standard output that was closed refuses every write."""
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        if not _is_open(descriptor):
            os.open(os.devnull, mode)  # gets the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - a descriptor, for as long as the process lives
    if sys.stderr is sys.__stderr__:  # not one that a test or another program has put there
        sys.stderr = _messages()


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _messages() -> TextIO:
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    raw = _Messages(2, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)
