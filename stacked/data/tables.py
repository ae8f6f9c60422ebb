"""Tables of numbers as text: .csv and .tsv, compressed by gzip or not, with or without a header line.

A first line is a header when it names a label column, or has text where the second line has a number; text beside numbers must
be names then. A column called label, labels, class, target or y is taken out of the features. Text states no precision: values
become float32 where that holds every one exactly, otherwise float64.
"""

import csv
import io
import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..text import one_line
from . import memory
from .files import open_stream, reading
from .labels import from_text
from .rows import BLOCK_ROWS, ArrayRows, Rows

_LABEL_NAMES = ("label", "labels", "class", "target", "y")
_MISSING = ("na", "n/a", "nan", "null", "none", "missing")
_LONGEST_LINE = 1 << 24
_BLOCK_CELLS = 1 << 18  # converted at once: blocks of wide lines are shorter, down to one line
_SHOWN = 40


class _Record(NamedTuple):
    line: int
    cells: list[str]


def open_table(path: Path, name: str) -> Rows:
    """The numbers of a table, with its label column as labels.

    `DataError` names the line and column (counted from 1) of a cell that is no finite number, and the line whose number
    of cells is not the first line's.
    """
    with _records(path, name) as (header, records):
        at = _label_column(header)
        labels: list[str] = []
        array = _numbers(records, at, labels, name)
    values = None if at is None else from_text(labels, f"{name}, column {header[at]!r}")
    return ArrayRows(array, name, values)


def read_table_labels(path: Path, key: str | None, name: str) -> np.ndarray:
    """The column called ``key`` of a table, or its only column, or the one with a usual name for labels."""
    with _records(path, name) as (header, records):
        first = next(records, None)
        if first is None:
            raise DataError(f"{name}: expected labels, found no rows")
        at = 0 if len(first.cells) == 1 and key is None else _label_column(header)
        if key is not None:
            at = header.index(key) if key in header else None
        if at is None:
            found = f"columns {', '.join(header)}" if header else f"{len(first.cells)} columns without a header"
            raise DataError(f"{name}: expected one column of labels or a {key or 'label'!r} column, found {found}")
        cells = []
        for record in itertools.chain([first], records):
            if not record.cells[at].strip():
                raise DataError(f"{name}: line {record.line}: expected a label, found an empty cell")
            cells.append(record.cells[at])
    return from_text(cells, name)


@contextmanager
def _records(path: Path, name: str) -> Iterator[tuple[list[str], Iterator[_Record]]]:
    """The header's names (empty when there is none) and the rows behind it, all of one length."""
    delimiter = "\t" if ".tsv" in path.suffixes[-2:] else ","
    with reading(name, "a table of numbers"), open_stream(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            records = _split(text, delimiter, name)
            start = list(itertools.islice(records, 2))
            if not start:
                raise DataError(f"{name}: expected a table of numbers, found no lines")
            header = [one_line(cell) for cell in start[0].cells] if _is_header(start, name) else []
            yield header, itertools.chain(start[1:] if header else start, records)
        finally:
            text.detach()


def _split(text: io.TextIOWrapper, delimiter: str, name: str) -> Iterator[_Record]:
    lines = _Lines(text, name)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = 0
    for cells in reader:
        lines.length = 0
        if cells:
            width = width or len(cells)
            if len(cells) != width:
                raise DataError(f"{name}: line {reader.line_num}: expected {width} cells, found {len(cells)}")
            yield _Record(reader.line_num, cells)


class _Lines:
    """The lines of a file; neither one without end nor a record of quoted line breaks without end is read to find that out."""

    def __init__(self, text: io.TextIOWrapper, name: str) -> None:
        self._text, self._name = text, name
        self.length = 0  # characters since the last record

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(_LONGEST_LINE):
            self.length += len(line)
            if self.length >= _LONGEST_LINE:
                raise DataError(
                    f"{self._name}: expected lines of less than {_LONGEST_LINE} characters, found a longer one"
                )
            yield line


def _is_header(start: list[_Record], name: str) -> bool:
    """Whether the first line names the columns: with a usual name for labels, or with text over a number in the second line."""
    first = start[0].cells
    if any(cell.strip().lower() in _LABEL_NAMES for cell in first):
        return True
    below: Iterable[str] = start[1].cells if len(start) > 1 else itertools.repeat("")
    words = [
        cell
        for cell, under in zip(first, below, strict=False)
        if not _is_number(cell) and (not under.strip() or _is_number(under))
    ]
    numbers = [cell for cell in first if _is_number(cell)]
    odd = [word for word in words if not _is_name(word)]
    if odd and numbers:  # a missing value, or a number that is none: taken for a header, the row would be lost
        raise DataError(
            f"{name}: line {start[0].line}: expected names of columns or numbers, found both, {odd[0][:_SHOWN]!r} and"
            f" {numbers[0][:_SHOWN]!r}"
        )
    return bool(words)


def _is_name(cell: str) -> bool:
    """Whether a cell may be the name of a column: it begins with a letter, and is no usual word for a missing value."""
    word = cell.strip().lower()
    return word[:1].isalpha() and word not in _MISSING


def _label_column(header: list[str]) -> int | None:
    names = [cell.lower() for cell in header]
    return next((names.index(name) for name in _LABEL_NAMES if name in names), None)


def _numbers(records: Iterator[_Record], at: int | None, labels: list[str], name: str) -> np.ndarray:
    """All cells but those of column ``at``, which are added to ``labels``."""
    blocks, left = [], memory.available_memory() // 2
    for block in _blocks(records, at, labels, name):
        with np.errstate(over="ignore"):
            small = block.astype(np.float32)
        blocks.append(small if np.array_equal(small, block) else block)
        left -= blocks[-1].nbytes + sum(map(len, labels[-len(block) :]))
        if left < 0:
            raise DataError(f"{name}: expected a table that fits in memory, found a larger one; use HDF5 for it")
    if not blocks:
        raise DataError(f"{name}: expected a table of numbers, found a header and no rows")
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _blocks(records: Iterator[_Record], at: int | None, labels: list[str], name: str) -> Iterator[np.ndarray]:
    """The numbers in float64, some rows at a time. Each line is converted as it comes: as text it is many times as large."""
    for first in records:
        width = len(first.cells) - (at is not None)
        n_rows = max(1, min(BLOCK_ROWS, _BLOCK_CELLS // max(width, 1)))
        memory.require_memory(name, 2 * 8 * n_rows * width)
        block, filled = np.empty((n_rows, width)), 0
        for record in itertools.chain([first], itertools.islice(records, n_rows - 1)):
            block[filled] = _row(record, at, name)
            filled += 1
            if at is not None:
                labels.append(record.cells[at])
        yield block[:filled]


def _row(record: _Record, at: int | None, name: str) -> list[float]:
    cells = record.cells if at is None else record.cells[:at] + record.cells[at + 1 :]
    try:
        if "_" not in "".join(cells):  # Python takes 1_000 for a number, no other reader of tables does
            row = list(map(float, cells))
            if math.isfinite(sum(row)) or all(map(math.isfinite, row)):  # the sum is fast, but may overflow
                return row
    except ValueError:
        pass
    column = next(i for i, cell in enumerate(record.cells) if i != at and not _is_finite(cell))
    _refuse(record, column, name)
    raise AssertionError("unreachable")


def _refuse(record: _Record, column: int, name: str) -> None:
    cell = record.cells[column]
    found = repr(cell[:_SHOWN]) if cell.strip() else "an empty cell"
    raise DataError(f"{name}: line {record.line}, column {column + 1}: expected a finite number, found {found}")


def _is_number(cell: str) -> bool:
    try:
        return not math.isinf(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _is_finite(cell: str) -> bool:
    return _is_number(cell) and not math.isnan(float(cell))
