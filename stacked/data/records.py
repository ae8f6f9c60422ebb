"""Lines of text to records of cells: what separates them, and how far a hostile file is read to find out."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError
from .files import open_stream, reading

LONGEST_LINE = 1 << 24
_LOOKED_AT = 1 << 16  # characters of a line, to find what separates cells
_QUOTED = re.compile(r'"(?:[^"]|"")*"?')
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")


class Record(NamedTuple):
    """The cells of one line; it is the last one where line breaks stand between quotes."""

    line: int
    cells: list[str]


@contextmanager
def open_lines(path: Path, name: str) -> Iterator["_Lines"]:
    """The lines of a text, compressed by gzip or not."""
    with reading(name, "a table"), open_stream(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            yield _Lines(text, name)
        finally:
            text.detach()


def records(lines: "_Lines", delimiter: str, name: str) -> Iterator[Record]:
    """Records of one length; empty lines are no records. `DataError` names the line of one of another length."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    width = 0
    for cells in reader:
        lines.length = 0
        if cells:
            width = width or len(cells)
            if len(cells) != width:
                raise DataError(f"{name}: line {reader.line_num}: expected {width} cells, found {len(cells)}")
            yield Record(reader.line_num, cells)


class _Lines:
    """The lines of a file; neither one without end nor a record of quoted line breaks without end is read to find that out."""

    def __init__(self, text: io.TextIOWrapper, name: str) -> None:
        self._text, self._name = text, name
        self.length = 0  # characters since the last record

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST_LINE):
            self.length += len(line)
            if self.length >= LONGEST_LINE:
                raise DataError(
                    f"{self._name}: expected lines of less than {LONGEST_LINE} characters, found a longer one"
                )
            yield line


def delimiter_of(path: Path, name: str) -> str:
    """Tab, semicolon or comma: of those in the first line the one that the second has as often; .tsv files have tabs.

    A comma between digits may be a decimal one: then semicolons come first.
    """
    if ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]]:
        return "\t"
    found, cut = [], False
    with open_lines(path, name) as lines:
        for line in lines:
            if line.strip():
                found.append(_QUOTED.sub("", line[:_LOOKED_AT]))
                cut |= len(line) > _LOOKED_AT
            if len(found) == 2:
                break
    return _told(found[0] if found else "", found[1] if len(found) == 2 and not cut else None)


def _told(first: str, second: str | None) -> str:
    able = [sign for sign in "\t;," if sign in first and (second is None or second.count(sign) == first.count(sign))]
    if "\t" in able or ";" not in able:
        return "\t" if "\t" in able else ","
    left = _DECIMAL_COMMA.sub("", first + (second or ""))
    return "," if "," in left and "," in able else ";"
