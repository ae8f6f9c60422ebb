"""What every kind of table gives to those who make numbers of it: names, and its cells by blocks of rows, as often as wanted."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..text import shown
from .cells import is_no_label
from .labels import as_labels, from_text

BLOCK_CELLS = 1 << 18  # of text, converted at once: blocks of wide lines are shorter, down to one line

Cells = Sequence[str] | np.ndarray


class Block(NamedTuple):
    """Some rows: the line (of a file) or row that each stands in, and the cells of each wanted column.

    Those are text, with a gap where `cells.is_missing` says so, or float64 with NaN for gaps.
    """

    lines: Sequence[int]
    columns: list[Cells]


class Table(ABC):
    """A table of named or numbered columns.

    Attributes: ``name`` for messages; ``names``, "1", "2", ... where ``named`` is false; ``comma``, whether decimals stand behind
    one; ``line``, what messages call a place; ``categories``, positions of columns that are categories whatever they hold;
    ``foreign``, what is in columns that can be neither numbers nor categories.
    """

    name: str
    names: list[str]
    named: bool
    comma: bool = False
    line: str = "line"
    categories: frozenset[int] = frozenset()
    foreign: dict[int, str]

    @abstractmethod
    def blocks(self, wanted: Sequence[int]) -> Iterator[Block]:
        """The rows from the first to the last, with the columns at these positions."""

    @abstractmethod
    def numbers(self, features: Sequence[int], labels: "Labels | None") -> np.ndarray | None:
        """The columns ``features`` as an array (n, V), and the labels noted, in one fast pass.

        None where a cell is no finite number: then the labels noted are of no use.
        """

    def place(self, line: int, column: int) -> str:
        """Where a cell is, for messages."""
        return f"{self.line} {line}, column {column + 1}"

    def leave_out(self, column: int) -> str:
        """The advice to do without a column."""
        return f"leave the column out with drop=[{self.names[column]!r}]"

    def called(self, column: int) -> str:
        """A column, for messages."""
        return f"column {shown(self.names[column])}" if self.named else f"column {column + 1}"


class Labels:
    """The cells of a label column, noted as they come; `DataError` for a gap."""

    def __init__(self, table: Table, at: int) -> None:
        self.table, self.at = table, at
        self._texts: list[str] = []
        self._numbers: list[np.ndarray] = []
        self.nbytes = 0

    def add(self, cells: Cells, lines: Sequence[int]) -> None:
        """Note some cells that stand in these lines."""
        if isinstance(cells, np.ndarray):
            self._numbers.append(cells)
            self.nbytes += cells.nbytes
            return
        for cell, line in zip(cells, lines, strict=True):
            if is_no_label(cell):
                found = f"found {shown(cell, 40)}" if cell.strip() else "found an empty cell"
                where = f"{self.table.name}: {self.table.place(line, self.at)}"
                raise DataError(f"{where}: {self._expected()}, {found}{self._advice()}")
        self._texts += cells
        self.nbytes += sum(map(len, cells))

    def _expected(self) -> str:
        return "expected a label"

    def _advice(self) -> str:
        return f"; to train without labels {self.table.leave_out(self.at)}"

    def values(self) -> np.ndarray:
        """The labels (n,), int64 or text."""
        name = f"{self.table.name}, {self.table.called(self.at)}"
        return as_labels(np.concatenate(self._numbers), name) if self._numbers else from_text(self._texts, name)
