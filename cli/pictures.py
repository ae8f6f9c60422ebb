"""PNGs that commands draw: their names, which files they may replace, and where matplotlib is missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click

from . import options as opt
from .declared import Decorator
from .targets import claimed, refuse_inputs

_PNG = b"\x89PNG"


class Picture(NamedTuple):
    """A file to draw, and the module that draws."""

    path: str
    plot: ModuleType

    def shape(self, name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """(height, width), or (height, width, 3 or 4) in colour, from `checks.require_images`; DataError for other channels."""
        from stacked.checks import require_images
        from stacked.errors import DataError

        shape = require_images(name, *shapes)
        if shape[2:] == (1,):
            return shape[:2]
        if len(shape) == 3 and shape[2] not in (3, 4):
            raise DataError(
                f"{name}: expected images of 1, 3 or 4 channels to draw, found {shape[2]}; leave out --picture"
            )
        return shape

    def write(self, png: bytes) -> None:
        """Write the picture, whole or not at all."""
        from stacked.files import write_atomically

        write_atomically(self.path, png)


def picture_option(text: str) -> Decorator:
    """``--picture`` for a command."""
    return click.option("--picture", metavar="FILE.png", callback=opt.file_only, help=f"{text} Needs matplotlib.")


@contextmanager
def claimed_picture(path: str | None, output: str, inputs: list[str | None], force: bool) -> Iterator[Picture | None]:
    """What ``--picture`` names, kept to this process and checked before any work; None if it names nothing."""
    if path is None:
        yield None
        return
    check_name(path, "--picture", output)
    try:
        from . import plot
    except ImportError:
        raise click.ClickException("--picture: matplotlib is not installed: pip install matplotlib") from None
    with claimed(path):
        check_replaced(path, "--picture", inputs, force)
        yield Picture(path, plot)


def check_name(path: str, flag: str, output: str) -> None:
    """A usage error for a name that is no picture's, or that of the command's other output."""
    if Path(path).suffix.lower() != ".png":
        raise click.UsageError(f"{flag} {path}: expected FILE.png")
    if os.path.realpath(output) == os.path.realpath(path):
        raise click.UsageError(f"{flag} {path}: expected another file than -o, found the same")


def check_replaced(path: str, flag: str, inputs: list[str | None], force: bool) -> None:
    """ModelFileError for an input of the command; a PNG is replaced, any other file only with --force."""
    from stacked.errors import ModelFileError

    refuse_inputs(path, inputs)
    if force or not Path(path).exists():
        return
    with Path(path).open("rb") as file:
        start = file.read(len(_PNG))
    if start != _PNG:
        raise ModelFileError(
            f"{path}: exists, and is no PNG; give another name with {flag}, or replace it with --force"
        )
