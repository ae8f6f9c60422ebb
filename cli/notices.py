"""What the library logs, as single lines on the standard error: that kernels are compiled, and what is wrong with their cache."""

import logging
import sys
from contextlib import suppress

import click

from stacked.text import one_line

from .boundary import in_flags


class _OneLine(logging.Handler):
    """Prints a record above whatever progress bar is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        if record.name == "stacked.training":
            text = in_flags(text)
        with suppress(OSError, ValueError):
            bars = sys.modules.get("tqdm")
            if bars is not None:
                bars.tqdm.write(text, file=sys.stderr)
            else:
                click.echo(text, err=True)


def show() -> None:
    """Print the library's notices from now on."""
    logger = logging.getLogger("stacked")
    if not any(isinstance(handler, _OneLine) for handler in logger.handlers):
        logger.addHandler(_OneLine())
        logger.propagate = False
    logging.getLogger("stacked.compilation").disabled = False


def hush(ctx: click.Context, param: click.Parameter, quiet: bool) -> bool:
    """The callback of ``--quiet``: that kernels are compiled is progress, what is wrong is not."""
    logging.getLogger("stacked.compilation").disabled = quiet
    return quiet
