"""The boundary between failures and the terminal: what is expected ends in one line and exit code 1, a bug in a traceback."""

import errno
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import click

from stacked.errors import DivergedError, SettingError, StackedError
from stacked.text import escaped, one_line

from .table_flags import in_table_flags


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn expected failures into click's one-line error (exit code 1), and a signal into 128 and its number."""
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:  # libraries warn of what the checks report in one line
                warnings.simplefilter("ignore")
            yield
    except StackedError as error:
        own = isinstance(error, SettingError | DivergedError)  # the others name files, which are the user's
        message = in_flags(str(error)) if own else str(error).replace("scaling='minmax'", "--scaling minmax")
        message = in_table_flags(message)
        raise _failure(message) from error
    except click.ClickException as error:  # usage errors quote what was given
        vars(error)["message"] = "\n".join(map(escaped, in_table_flags(error.message).split("\n")))
        raise
    except MemoryError as error:
        raise _failure(f"not enough memory: {error}" if str(error) else "not enough memory") from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of a pipe has left: click ends quietly
            raise
        _give_up_stdout()
        raise _failure(_reason(error)) from error
    except KeyboardInterrupt as stop:
        click.echo("stopped", err=True)
        raise SystemExit(128 + getattr(stop, "number", signal.SIGINT)) from None


def _reason(error: OSError) -> object:
    if error.errno == errno.EBADF:
        return "cannot write to the standard output: it is closed"
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error


def _failure(message: object) -> click.ClickException:
    return click.ClickException(one_line(message))


def in_flags(message: str) -> str:
    """A message of the library with its parameters under the names that the command line gives them."""
    for pattern, flag in _flags():
        message = pattern.sub(flag, message)
    return message


@cache
def _flags() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of parameters' names, and what is shown in their place; a plain word is a name only before a colon."""
    from .units import flags_of_units

    names = {rf"(?:finetune_)?{name}": flag for name, flag in flags_of_units().items() if "_" in name}
    return [(re.compile(rf"(?<![\w/.-]){name}(?![\w/-]|\.\w)"), flag) for name, flag in (_SHOWN | names).items()]


_SHOWN = {
    r"scaling='minmax'": "--scaling minmax",
    r"(scaling|unit)='auto'": r"--\1 auto",
    r"n_hidden(?=:)": "--layers",
    r"unit(?=:)": "--unit",
    r"(?<!@)sample_shape(?=:|$)": "--shape",
    r"(?:finetune_)?(epochs|momentum|optimizer|l1|loss|patience|kernel|stride|pool|unpool|target|forcing)(?=:)": r"--\1",
    r"(?:finetune_)?(loss|optimizer|activation|padding|unpool|unit)='(\w+)'": r"--\1 \2",
}


def _give_up_stdout() -> None:
    """Drop what a full disk did not take of the standard output, or Python would try again, loudly, when it exits."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
