"""What a column of a table holds, counted block by block, and what its recipe is: a number or a category."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..text import shown
from .cells import finite, is_date, is_missing, number, numbers, word
from .memory import available_memory
from .recipe import MAX_CATEGORIES
from .table import Cells, Table
from .tables import found_no_number

LONGEST_CATEGORY = 200  # characters
_FEW = 10  # different texts that say nothing of how many there would be in more rows
_NEARLY_ALL = 0.9  # of the rows have a text of their own: these are no categories
_ODD_SHARE = 0.01  # of texts among numbers, below which they are mistakes and not categories
_OBJECT_BYTES = 100  # of a short text in a set

_logger = logging.getLogger("stacked.tables")


class Profile:
    """Counts of one column; numbers are averaged in float64, and different texts are kept until there are too many."""

    def __init__(self, comma: bool) -> None:
        self._comma = comma
        self.n_numbers = self.n_missing = self.n_odd = 0
        self.mean = 0.0
        self.has_words = False  # that are not only numbers which are none, such as inf
        self.first_odd: tuple[int, str] | None = None  # its line
        self.texts: set[str] | None = set()
        self.nbytes = 0

    @property
    def n_cells(self) -> int:
        """Cells that are no gaps."""
        return self.n_numbers + self.n_odd

    def see(self, cells: Cells, lines: Sequence[int]) -> None:
        """Count the cells of a block, which stand in these lines."""
        if isinstance(cells, np.ndarray):
            self._see_numbers(cells, lines)
            return
        values = None if self.has_words else numbers(cells, self._comma)
        if values is not None:
            self._see_numbers(values, lines)
        else:
            self._sort_out(cells, lines)
        self._note(cells)

    def _see_numbers(self, values: np.ndarray, lines: Sequence[int]) -> None:
        infinite = np.flatnonzero(np.isinf(values))
        self.n_odd += len(infinite)
        if len(infinite) and self.first_odd is None:
            self.first_odd = lines[int(infinite[0])], str(values[infinite[0]])
        self.n_missing += int(np.isnan(values).sum())
        self._add(values[np.isfinite(values)])

    def _sort_out(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        values, counts = [], []
        for cell, count in Counter(cells).items():
            value = finite(cell, self._comma)
            if value is not None:
                values.append(value)
                counts.append(count)
            elif is_missing(cell):
                self.n_missing += count
            else:
                self.n_odd += count
                self.has_words |= number(cell.replace("_", ""), self._comma) is None
                if self.first_odd is None:
                    self.first_odd = lines[cells.index(cell)], cell
        self._add(np.array(values, np.float64), np.array(counts, np.float64))

    def _add(self, values: np.ndarray, counts: np.ndarray | None = None) -> None:
        """The values, each so many times; written so that finite ones do not overflow."""
        if len(values):
            total = len(values) if counts is None else int(counts.sum())
            self.n_numbers += total
            share = total / self.n_numbers
            self.mean = (
                self.mean * (1 - share) + float((values * ((1 if counts is None else counts) / total)).sum()) * share
            )

    def _note(self, cells: Sequence[str]) -> None:
        if self.texts is None:
            return
        before = len(self.texts)
        self.texts.update(cells)
        if len(self.texts) != before:
            longest = max(map(len, self.texts))
            self.nbytes = sum(map(len, self.texts)) + _OBJECT_BYTES * len(self.texts)
            if (
                len(self.texts) > 2 * MAX_CATEGORIES or longest > 4 * LONGEST_CATEGORY
            ):  # blanks around them count, so far
                self.texts, self.nbytes = None, 0

    def words(self) -> list[str] | None:
        """The different categories in order, or None where there are too many or too long ones."""
        if self.texts is None:
            return None
        found = sorted({word(text) for text in self.texts if not is_missing(text)})
        return found if len(found) <= MAX_CATEGORIES and max(map(len, found), default=0) <= LONGEST_CATEGORY else None


def profiles_of(table: Table, features: Sequence[int], labels: Any) -> list[Profile]:
    """What each of these columns holds; the labels are noted on the way."""
    wanted = [*features, *([] if labels is None else [labels.at])]
    left = available_memory() // 4
    if _OBJECT_BYTES * 10 * len(features) > left:
        raise DataError(f"{table.name}: expected a table whose columns fit in memory, found {len(features):,} of them")
    found = [Profile(table.comma) for _ in features]
    rows = 0
    for block in table.blocks(wanted):
        rows += len(block.lines)
        for profile, cells in zip(found, block.columns, strict=False):
            profile.see(cells, block.lines)
        if sum(profile.nbytes for profile in found) > left:
            raise DataError(f"{table.name}: expected categories that fit in memory, found more; drop such columns")
        if labels is not None:
            labels.add(block.columns[-1], block.lines)
    if not rows:
        raise DataError(f"{table.name}: expected a table of numbers, found a header and no rows")
    return found


def column_of(table: Table, at: int, profile: Profile) -> dict[str, Any]:
    """The recipe of a column; `DataError`, with advice, where it is neither a number nor a category."""
    if at in table.foreign:
        _refuse(table, at, table.foreign[at])
    if profile.n_odd == 0 and at not in table.categories:
        return {"name": table.names[at], "kind": "number", "fill": _fill(profile.mean)}
    words = profile.words()
    _refuse_dates(table, at, words)
    _refuse_mixed(table, at, profile, words)
    _refuse_one_column(table, words)
    if words is None:
        _refuse(table, at, f"more than {MAX_CATEGORIES:,} different texts, or long ones")
    elif len(words) > max(_FEW, _NEARLY_ALL * profile.n_cells):
        _refuse(table, at, f"{len(words):,} different texts in {profile.n_cells:,} rows, such as {shown(words[0], 40)}")
    return {
        "name": table.names[at], "kind": "category", "categories": words,
        "missing": profile.n_missing > 0,
    }  # fmt: skip


def _fill(mean: float) -> float:
    """The mean, rounded so that a column in float32 stays one."""
    with np.errstate(over="ignore"):
        small = float(np.float32(mean))
    return small if np.isfinite(small) else mean


def _refuse_dates(table: Table, at: int, words: list[str] | None) -> None:
    if words and sum(map(is_date, words)) > _NEARLY_ALL * len(words):
        _refuse(table, at, f"dates or times such as {shown(words[0], 40)}", "turn them into numbers, or ")


def _refuse_mixed(table: Table, at: int, profile: Profile, words: list[str] | None) -> None:
    """Texts among numbers are categories where they are not rare, and mistakes else; so are numbers that are none, such as inf."""
    if at in table.categories or profile.first_odd is None or (profile.has_words and not profile.n_numbers):
        return
    line, cell = profile.first_odd
    few = words is not None and len(words) <= profile.n_cells / 2
    if not (few and profile.has_words and profile.n_odd >= _ODD_SHARE * profile.n_cells):
        raise DataError(
            f"{table.name}: {table.place(line, at)}: {found_no_number(cell)}; correct it, or {table.leave_out(at)}"
        )
    _logger.warning(
        f"{table.name}: {table.called(at)} holds numbers and text, such as {shown(cell, 40)} in {table.line} {line}: all its"
        " values are taken for categories"
    )


def _refuse_one_column(table: Table, words: list[str] | None) -> None:
    """One column of texts with blanks, say, is a table whose cells something else separates."""
    if len(table.names) == 1 and words and all(any(sign in text for sign in " |:") for text in words):
        raise DataError(
            f"{table.name}: expected cells separated by commas, tabs or semicolons, found one column of text such as"
            f" {shown(words[0], 40)}"
        )


def _refuse(table: Table, at: int, found: str, advice: str = "") -> None:
    raise DataError(
        f"{table.name}: {table.called(at)}: expected numbers or categories, found {found}; {advice}{table.leave_out(at)}"
    )
