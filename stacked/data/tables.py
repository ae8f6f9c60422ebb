"""Tables as text: .csv and .tsv, compressed by gzip or not, with or without a header line.

Cells are separated by commas, tabs or, with decimal commas, semicolons. Text states no precision: numbers become float32 where that
holds every one exactly, otherwise float64. A file of nothing but numbers is read once, but for columns that may name
sequences (`steps`), any other twice or more: its text is never kept.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..text import one_line
from . import memory
from .cells import finite, is_missing
from .header import LOOKED_AT, LOOKED_AT_CELLS, is_header, unique_names
from .records import Record, delimiter_of, open_lines, records
from .rows import BLOCK_ROWS
from .table import BLOCK_CELLS, Block, Cells, Labels, Table

_BLOCK_CHARACTERS = 1 << 22  # of text, kept at once
_SHOWN = 40

Pick = Callable[[list[str]], Sequence[str]]


class TextTable(Table):
    """A .csv or .tsv file, read from its start whenever its rows are wanted."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self.name = path, name
        self.foreign = {}
        self._delimiter = delimiter_of(path, name)
        self.comma = self._delimiter == ";"
        with self._all_records() as found:
            start = _start(found)
        if not start:
            raise DataError(f"{name}: expected a table of numbers, found no lines")
        self.named = is_header(start, self.comma, name)
        width = len(start[0].cells)
        self.names = (
            unique_names(list(map(one_line, start[0].cells))) if self.named else [str(i + 1) for i in range(width)]
        )

    def blocks(self, wanted: Sequence[int]) -> Iterator[Block]:
        with self._rows() as rows:
            most = max(1, min(BLOCK_ROWS, BLOCK_CELLS // len(self.names)))
            block: list[Record] = []
            characters = 0
            for record in rows:
                block.append(record)
                characters += sum(map(len, record.cells))
                if len(block) == most or characters >= _BLOCK_CHARACTERS:
                    yield _block(block, wanted)
                    block, characters = [], 0
            if block:
                yield _block(block, wanted)

    def numbers(self, features: Sequence[int], labels: Labels | None) -> np.ndarray | None:
        blocks, left = [], memory.available_memory() // 2
        with self._rows() as rows:
            for block in self._number_blocks(rows, features, labels):
                if block is None:
                    return None
                with np.errstate(over="ignore"):
                    small = block.astype(np.float32)
                blocks.append(small if np.array_equal(small, block) else block)
                left -= blocks[-1].nbytes
                if left < (0 if labels is None else labels.nbytes):
                    raise DataError(
                        f"{self.name}: expected a table that fits in memory, found a larger one; use HDF5 for it"
                    )
        if not blocks:
            raise DataError(f"{self.name}: expected a table of numbers, found a header and no rows")
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _number_blocks(
        self, rows: Iterator[Record], features: Sequence[int], labels: Labels | None
    ) -> Iterator[np.ndarray | None]:
        """The numbers in float64, some rows at a time, or None for the first cell that is none.

        Each line is converted as it comes: as text it is many times as large.
        """
        pick, width = _picker(features, len(self.names)), len(features)
        for first in rows:
            n_rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(width, 1)))
            memory.require_memory(self.name, 2 * 8 * n_rows * width)
            block, filled = np.empty((n_rows, width)), 0
            for record in itertools.chain([first], itertools.islice(rows, n_rows - 1)):
                row = _row(pick(record.cells), self.comma)
                if row is None:
                    yield None
                    return
                block[filled] = row
                filled += 1
                if labels is not None:
                    labels.add([record.cells[labels.at]], [record.line])
            yield block[:filled]

    @contextmanager
    def _rows(self) -> Iterator[Iterator[Record]]:
        with self._all_records() as found:
            yield itertools.islice(found, 1 if self.named else 0, None)

    @contextmanager
    def _all_records(self) -> Iterator[Iterator[Record]]:
        with open_lines(self._path, self.name) as lines:
            yield records(lines, self._delimiter, self.name)


def refuse_words(table: Table, features: Sequence[int], advice: str = "") -> None:
    """`DataError` that names the first cell of these columns that is no finite number, as there is one.

    The ``advice`` follows where that is a gap, and its row ends in gaps.
    """
    for block in table.blocks(features):
        for at, line in enumerate(block.lines):
            for column, cells in zip(features, block.columns, strict=True):
                cell = cells[at]
                if finite(cell, table.comma) is None if isinstance(cell, str) else not np.isfinite(cell):
                    ends = _is_gap(cell) and all(_is_gap(cells[at]) for cells in block.columns[-2:])
                    found = found_no_number(cell) + (advice if ends else "")
                    raise DataError(f"{table.name}: {table.place(line, column)}: {found}")


def _is_gap(cell: str | float) -> bool:
    return is_missing(cell) if isinstance(cell, str) else bool(np.isnan(cell))


def found_no_number(cell: str | float) -> str:
    """What is wrong with a cell that should be a number."""
    text = cell if isinstance(cell, str) else f"{cell}"
    found = repr(text[:_SHOWN]) if text.strip() else "an empty cell"
    return f"expected a finite number, found {found}"


def _start(found: Iterator[Record]) -> list[Record]:
    """The first records, to find a header: two, and more as far as these are short."""
    start = list(itertools.islice(found, 2))
    more = LOOKED_AT_CELLS // len(start[0].cells) if start else 0
    return start + list(itertools.islice(found, max(0, min(LOOKED_AT, more) - 2)))


def _picker(features: Sequence[int], width: int) -> Pick:
    """What takes these cells out of a record's."""
    if list(features) == list(range(width)):
        return lambda cells: cells
    if len(features) < 2:
        return lambda cells: [cells[i] for i in features]
    return itemgetter(*features)


def _row(cells: Sequence[str], comma: bool) -> list[float] | None:
    try:
        if comma:
            cells = [cell.replace(",", ".") for cell in cells]
        if "_" not in "".join(cells):  # as in `cells.number`
            row = list(map(float, cells))
            if math.isfinite(sum(row)) or all(map(math.isfinite, row)):  # the sum is fast, but may overflow
                return row
    except ValueError:
        pass
    return None


def _block(block: list[Record], wanted: Sequence[int]) -> Block:
    columns: list[Cells] = [[record.cells[i] for record in block] for i in wanted]
    return Block([record.line for record in block], columns)
