"""What the library logs, as single lines on the standard error: that kernels are compiled, what is wrong with their cache, what
became of a table."""

import logging
import sys
from contextlib import suppress

import click

from stacked.text import one_line

from .table_flags import in_table_flags


class _OneLine(logging.Handler):
    """Prints a record above whatever progress bar is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(in_table_flags(record.getMessage()))
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
    logging.getLogger("stacked.tables").setLevel(logging.INFO)


def hush(ctx: click.Context, param: click.Parameter, quiet: bool) -> bool:
    """The callback of ``--quiet``: that kernels are compiled, and what became of a table, is progress; what is wrong is not."""
    logging.getLogger("stacked.compilation").disabled = quiet
    logging.getLogger("stacked.tables").setLevel(logging.WARNING if quiet else logging.INFO)
    return quiet
