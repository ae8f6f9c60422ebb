"""A recipe applied to a table: numbers as they are with gaps filled, categories as columns of 0 and 1."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..text import shown
from . import memory
from .cells import finite, is_missing, numbers, word
from .recipe import Recipe, column_width, counted, recipe_width
from .rows import block_rows
from .table import Cells, Labels, Table
from .tables import found_no_number

_logger = logging.getLogger("stacked.tables")


def encoded(table: Table, places: Sequence[int], recipe: Recipe, labels: Labels | None) -> np.ndarray:
    """The table (n, V) as the recipe has it, float32 where that holds every number exactly, else float64.

    ``places`` are the positions of the recipe's columns in the table. The labels are noted on the way. Categories that the recipe
    does not know become zeros, and are told in one line a column.
    """
    columns = [_column(table, at, record) for at, record in zip(places, recipe["columns"], strict=True)]
    width, blocks, left = recipe_width(recipe), [], memory.available_memory() // 2
    for block in table.blocks([*places, *([] if labels is None else [labels.at])]):
        if labels is not None:
            labels.add(block.columns[-1], block.lines)
        values = [column.values(cells, block.lines) for column, cells in zip(columns, block.columns, strict=False)]
        for part in _parts(columns, values, width, table.name):
            with np.errstate(over="ignore"):
                small = part.astype(np.float32)
            blocks.append(small if np.array_equal(small, part) else part)
            left -= blocks[-1].nbytes
            if left < (0 if labels is None else labels.nbytes):
                raise DataError(
                    f"{table.name}: expected a table that fits in memory, found one that becomes {width:,} columns; leave columns"
                    " of many categories out"
                )
    if not blocks:
        raise DataError(f"{table.name}: expected a table of numbers, found a header and no rows")
    for column in columns:
        column.tell()
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _parts(columns: list[Any], values: list[np.ndarray], width: int, name: str) -> Iterator[np.ndarray]:
    """The encoded rows of a block in float64, a bounded number of cells at a time."""
    n_rows, step = len(values[0]), block_rows(width)
    memory.require_memory(name, 2 * 8 * min(step, n_rows) * width)
    for start in range(0, n_rows, step):
        part = np.zeros((min(step, n_rows - start), width))
        at = 0
        for column, found in zip(columns, values, strict=True):
            column.put(found[start : start + step], part[:, at : at + column.width])
            at += column.width
        yield part


def _column(table: Table, at: int, record: dict[str, Any]) -> "_Number | _Category":
    if at in table.foreign:
        raise DataError(
            f"{table.name}: {table.called(at)}: expected what the training had there, found {table.foreign[at]}"
        )
    return _Number(table, at, record) if record["kind"] == "number" else _Category(table, at, record)


class _Number:
    """A column of numbers."""

    width = 1

    def __init__(self, table: Table, at: int, record: dict[str, Any]) -> None:
        self._table, self._at, self._fill = table, at, float(record["fill"])

    def values(self, cells: Cells, lines: Sequence[int]) -> np.ndarray:
        """The numbers (n,) of a block; `DataError` for a cell that is neither one nor a gap."""
        found = cells if isinstance(cells, np.ndarray) else numbers(cells, self._table.comma)
        if found is None:
            return np.array([self._value(*pair) for pair in zip(cells, lines, strict=True)])
        infinite = np.isinf(found)
        if infinite.any():
            self._refuse(lines[int(infinite.argmax())], found[infinite][0])
        return np.where(np.isnan(found), self._fill, found)

    def put(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write them into their column (n, 1)."""
        out[:, 0] = values

    def tell(self) -> None:
        """Nothing to tell of numbers."""

    def _value(self, cell: str, line: int) -> float:
        value = finite(cell, self._table.comma)
        if value is not None:
            return value
        if not is_missing(cell):
            self._refuse(line, cell)
        return self._fill

    def _refuse(self, line: int, cell: Any) -> None:
        raise DataError(f"{self._table.name}: {self._table.place(line, self._at)}: {found_no_number(cell)}")


class _Category:
    """A column of categories, numbered in the recipe's order, gaps last."""

    def __init__(self, table: Table, at: int, record: dict[str, Any]) -> None:
        self._table, self._at = table, at
        self.width = column_width(record)
        self._numbers: dict[str, int] = {category: i for i, category in enumerate(record["categories"])}
        self._gap = self.width - 1 if record["missing"] else -1
        self._n_unseen, self._example = 0, ""

    def values(self, cells: Cells, lines: Sequence[int]) -> np.ndarray:
        """The numbers (n,) of the categories of a block, -1 for unseen ones."""
        texts = list(map(_text, cells.tolist())) if isinstance(cells, np.ndarray) else cells
        found = np.fromiter(map(self._number, texts), np.intp, len(texts))
        unseen = np.flatnonzero(found < 0)
        if len(unseen):
            self._example = self._example if self._n_unseen else texts[unseen[0]]
            self._n_unseen += len(unseen)
        return found

    def put(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write a 1 into the column (n, categories) of each."""
        rows = np.flatnonzero(values >= 0)
        out[rows, values[rows]] = 1

    def tell(self) -> None:
        """How many cells hold what the training did not."""
        if self._n_unseen:
            found = shown(self._example, 40) if self._example.strip() else "an empty cell"
            _logger.warning(
                f"{self._table.name}: {self._table.called(self._at)}: {counted(self._n_unseen, 'cell')} with categories that the"
                f" training did not have, such as {found}; they are taken for none of those"
            )

    def _number(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._gap if is_missing(text) else self._numbers.get(word(text), -1)
        return found


def _text(value: float) -> str:
    """A number as a table of text has it, nothing for a gap."""
    if np.isnan(value):
        return ""
    return str(int(value)) if value == int(value) else repr(value)
