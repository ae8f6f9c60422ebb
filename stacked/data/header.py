"""Whether the first line of a table names its columns.

It does when it names a label column, has text over numbers, or, in a table of text, has names that do not come again. A text that
comes again below itself is a value.
"""

from collections.abc import Sequence

from ..errors import DataError
from .cells import finite, is_missing, is_name
from .choice import LABEL_NAMES
from .records import Record

LOOKED_AT = 100  # records
LOOKED_AT_CELLS = 4096  # but two records at least
_SHOWN = 40


def is_header(start: list[Record], comma: bool, name: str) -> bool:
    """Of the first records of a table, at least one; `DataError` where the first line is neither names nor values."""
    first, below = start[0].cells, [_first_below(start, j) for j in range(len(start[0].cells))]
    numbers = [cell for cell in first if finite(cell, comma) is not None]
    texts = [(j, cell) for j, cell in enumerate(first) if finite(cell, comma) is None and not is_missing(cell)]
    if _comes_again(start, texts):
        return False
    if any(cell.strip().lower() in LABEL_NAMES for cell in first) or _is_index(first):
        return True
    over_numbers = [cell for j, cell in texts if finite(below[j], comma) is not None or (not below[j] and not numbers)]
    odd = [cell for cell in over_numbers if not is_name(cell)]
    if odd and numbers:  # a number that is none: taken for a header, the row would be lost
        raise DataError(
            f"{name}: line {start[0].line}: expected names of columns or numbers, found both, {odd[0][:_SHOWN]!r} and"
            f" {numbers[0][:_SHOWN]!r}; put a line of names before it"
        )
    return bool(over_numbers) or _is_line_of_names(first)


def reads_as_header(names: Sequence[str]) -> bool:
    """Whether a first line of these names, over numbers, is told to be one."""
    try:
        return is_header([Record(1, list(names)), Record(2, ["0.5"] * len(names))], False, "")
    except DataError:
        return False


def unique_names(header: Sequence[str]) -> list[str]:
    """The names of columns, each once: an empty one is column3, and the second x is x.1."""
    taken = {cell.strip() for cell in header}
    counts: dict[str, int] = {}  # of each name so far
    names: dict[str, None] = {}
    for position, cell in enumerate(header, start=1):
        stem = cell.strip() or f"column{position}"
        name = stem
        while name in names or (name != stem and name in taken):
            counts[stem] = counts.get(stem, 0) + 1
            name = f"{stem}.{counts[stem]}"
        names[name] = None
    return list(names)


def _first_below(start: list[Record], column: int) -> str:
    """The first cell below the first line that is no gap, or nothing."""
    return next((record.cells[column] for record in start[1:] if not is_missing(record.cells[column])), "")


def _comes_again(start: list[Record], texts: list[tuple[int, str]]) -> bool:
    return any(record.cells[j].strip() == cell.strip() for record in start[1:] for j, cell in texts)


def _is_index(first: list[str]) -> bool:
    """Whether these are the names that pandas gives to an index and to columns without names: nothing, 0, 1, 2, ..."""
    return len(first) > 1 and first == ["", *map(str, range(len(first) - 1))]


def _is_line_of_names(first: list[str]) -> bool:
    """Whether all are different names; a single column of text is one of labels."""
    return len(first) > 1 and all(map(is_name, first)) and len({cell.strip() for cell in first}) == len(first)
