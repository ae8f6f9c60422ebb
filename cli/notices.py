"""What the library logs, as single lines on the standard error: that kernels are compiled, and what is wrong with their cache."""

import logging
import sys
from contextlib import suppress

import click

from stacked.text import one_line


class _OneLine(logging.Handler):
    """Prints a record above whatever progress bar is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        from .boundary import in_flags

        text = one_line(record.getMessage())
        text = in_flags(text) if record.name == "stacked.choices" else text
        with suppress(OSError, ValueError):
            bars = sys.modules.get("tqdm")
            if bars is not None:
                bars.tqdm.write(text, file=sys.stderr)
            else:
                click.echo(text, err=True)


_PROGRESS = ("stacked.compilation", "stacked.choices")  # loggers of what a quiet run does not say


def show() -> None:
    """Print the library's notices from now on."""
    logger = logging.getLogger("stacked")
    if not any(isinstance(handler, _OneLine) for handler in logger.handlers):
        logger.addHandler(_OneLine())
        logger.propagate = False
    logging.getLogger("stacked.choices").setLevel(logging.INFO)
    for name in _PROGRESS:
        logging.getLogger(name).disabled = False


def hush(ctx: click.Context, param: click.Parameter, quiet: bool) -> bool:
    """The callback of ``--quiet``: what is progress is not said, what is wrong is."""
    for name in _PROGRESS:
        logging.getLogger(name).disabled = quiet
    return quiet
