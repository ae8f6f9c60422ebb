"""Which of the library's notices commands print: all of them, or with ``--quiet`` what is wrong alone."""

import logging

import click

from stacked.notices import COMPILATION, OneLine


def show() -> None:
    """Print the library's notices from now on."""
    logger = logging.getLogger("stacked")
    if not any(isinstance(handler, OneLine) for handler in logger.handlers):
        logger.addHandler(OneLine())
        logger.propagate = False
    logging.getLogger(COMPILATION).disabled = False


def hush(ctx: click.Context, param: click.Parameter, quiet: bool) -> bool:
    """The callback of ``--quiet``: that kernels are compiled is progress, what is wrong is not."""
    logging.getLogger(COMPILATION).disabled = quiet
    return quiet
