"""What the library logs, as single lines on the standard error: that kernels are compiled, and what is wrong with their cache."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .text import one_line

COMPILATION = "stacked.compilation"


class OneLine(logging.Handler):
    """Prints a record above whatever progress bar is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        say(one_line(record.getMessage()))


def say(text: str) -> None:
    """Print a line on the standard error, above whatever progress bar is shown; one that cannot be printed is lost."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        bars = sys.modules.get("tqdm")
        if bars is not None:
            bars.tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def compilation_said() -> Iterator[None]:
    """Inside, say that kernels are compiled, whatever the program does with what is logged."""
    logger, handler = logging.getLogger(COMPILATION), OneLine()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    if not logger.isEnabledFor(logging.WARNING):  # of the program's own handlers none would be asked
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
