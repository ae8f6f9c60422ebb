"""Which of the library's notices commands print: all of them, or with ``--quiet`` what is wrong alone."""

import logging

import click

from stacked.choices import CHOICES
from stacked.notices import COMPILATION, OneLine, say
from stacked.text import one_line

from .boundary import in_flags
from .table_flags import in_table_flags


class _InFlags(OneLine):
    """Notices of the library; choices are told by the names that the command line has for settings."""

    def emit(self, record: logging.LogRecord) -> None:
        text = in_table_flags(record.getMessage())
        say(one_line(in_flags(text) if record.name in _OF_SETTINGS else text))


_PROGRESS = (COMPILATION, CHOICES)  # loggers of what a quiet run does not say
_TABLES = "stacked.tables"  # tells what became of a table, and warns of it
_OF_SETTINGS = (CHOICES, "stacked.training")  # loggers of lines that name settings


def show() -> None:
    """Print the library's notices from now on."""
    logger = logging.getLogger("stacked")
    if not any(isinstance(handler, _InFlags) for handler in logger.handlers):
        logger.addHandler(_InFlags())
        logger.propagate = False
    for name in (CHOICES, _TABLES):
        logging.getLogger(name).setLevel(logging.INFO)
    for name in _PROGRESS:
        logging.getLogger(name).disabled = False


def hush(ctx: click.Context, param: click.Parameter, quiet: bool) -> bool:
    """The callback of ``--quiet``: what is progress is not said, what is wrong is."""
    for name in _PROGRESS:
        logging.getLogger(name).disabled = quiet
    logging.getLogger(_TABLES).setLevel(logging.WARNING if quiet else logging.INFO)
    return quiet
