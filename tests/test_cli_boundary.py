"""Failures at the terminal: expected ones end in one line and exit code 1, usage errors in 2, bugs in a traceback."""

import errno
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stacked.cli import main
from stacked.cli.boundary import one_line_errors
from stacked.errors import DataError

ROOT = Path(__file__).resolve().parent.parent


def run(*args):
    """Invoke a command; the result has ``exit_code``, ``stdout`` and ``stderr``. A bug is raised, not reported."""
    try:
        runner = CliRunner(mix_stderr=False)
    except TypeError:  # click 8.2 keeps them apart always
        runner = CliRunner()
    result = runner.invoke(main, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_well(*args):
    """`run` for a command that must succeed."""
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return result


def refused(*args):
    """The one line that a command ends with when it is given bad input."""
    result = run(*args)
    assert result.exit_code == 1, (result.exit_code, result.stderr)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("compiling kernels")]
    assert len(lines) == 1 and lines[0].startswith("Error: "), result.stderr
    assert result.stdout == ""
    return lines[0]


def misused(*args):
    """The error line of a usage error."""
    result = run(*args)
    assert result.exit_code == 2, (result.exit_code, result.stderr)
    return result.stderr.splitlines()[-1]


def start(*args, stdout=subprocess.PIPE):
    """A process of its own that runs a command."""
    return subprocess.Popen(
        [sys.executable, "-m", "stacked.cli", *map(str, args)], stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )  # fmt: skip


@pytest.mark.parametrize(
    "error, line",
    [
        (DataError("a:\n  b"), "a: b"),
        (MemoryError(), "not enough memory"),
        (MemoryError("Unable to allocate 9 TiB"), "not enough memory: Unable to allocate 9 TiB"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EACCES, "Permission denied", "x.csv"), "x.csv: Permission denied"),
    ],
)
def test_expected_failures_become_one_line(error, line):
    with pytest.raises(click.ClickException) as caught, one_line_errors():
        raise error
    assert caught.value.format_message() == line
    assert caught.value.exit_code == 1


def test_ctrl_c_exits_with_130():
    with pytest.raises(SystemExit) as caught, one_line_errors():
        raise KeyboardInterrupt
    assert caught.value.code == 130


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        raise ZeroDivisionError


def test_a_pipe_that_closes_is_left_to_click():
    with pytest.raises(BrokenPipeError), one_line_errors():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
