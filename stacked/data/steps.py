"""Whether the rows of a table look like steps of sequences, which a column names: its equal values stand together, in runs.

A guess, told and not acted on, and rather not made than wrong: tables sorted by a class or by a number look much like it.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby, pairwise

import numpy as np

from .cells import finite, is_missing
from .choice import LABEL_NAMES
from .table import Cells, Table

_logger = logging.getLogger("stacked.tables")

NAMES = (
    "id", "seq", "sequence", "series", "session", "episode", "trial", "subject", "patient", "run", "sample", "trajectory", "track"
)  # fmt: skip
_ENDINGS = ("", "id", "no", "nr", "number", "name", "index")
LEAST_STEPS = 3.0  # of a run, in the mean
MOST_STEPS = 10_000  # of one sequence, so that a column which never changes is not read to its end
FEW, MANY = 3, 20  # runs of a column that is called as such columns are, and of any other
LOOKED_AT = 16  # columns from the first on, and all that are called so
MOST_COLUMNS = 1000  # of a table that is looked at: a step has fewer numbers


def tell_steps(table: Table, features: Sequence[int]) -> None:
    """Say which of these columns looks as if it named sequences, if one does."""
    at = column_of_runs(table, features)
    if at is not None:
        _logger.info(
            f"{table.name}: {table.called(at)} looks as if it named sequences, of which rows are steps: equal values stand"
            f" together; if so, sequence_column={table.names[at]!r} reads them"
        )


def column_of_runs(table: Table, features: Sequence[int]) -> int | None:
    """The first of these columns whose values name sequences by all that can be seen, None where none does.

    Each value comes in one run of rows alone, and runs have some rows; there are some of them under a usual name, or else many, of
    texts or of whole numbers that count from 0 or 1. As soon as no column is left that can be one, no more is read.
    """
    if not 2 <= len(features) <= MOST_COLUMNS:
        return None
    usual = {at for at in features if _is_usual(table, at)}
    seen = [at for place, at in enumerate(features) if place < LOOKED_AT or at in usual]
    left = {at: _Runs(table.comma) for at in seen if table.names[at].lower() not in LABEL_NAMES}
    if not left:
        return None
    with closing(table.blocks(seen)) as blocks:  # type: ignore[type-var]
        for block in blocks:
            for at, cells in zip(seen, block.columns, strict=True):
                if at in left and not left[at].see(cells):
                    del left[at]
            if not left:
                return None
    return next((at for at, runs in left.items() if runs.name_sequences(at in usual)), None)


def _is_usual(table: Table, at: int) -> bool:
    words = table.names[at].lower().replace("-", "_").replace(" ", "_").split("_")
    joined = "".join(words)
    return table.named and any(joined in {name + ending for ending in _ENDINGS} for name in NAMES)


class _Runs:
    """The runs of equal values of one column."""

    def __init__(self, comma: bool) -> None:
        self._comma = comma
        self._values: list[str | float] = []
        self._known: set[str | float] = set()
        self._n_rows = 0

    def see(self, cells: Cells) -> bool:
        """Whether it can still be a column of names, after these cells of a block, too."""
        found = cells.tolist() if isinstance(cells, np.ndarray) else [cell.strip() for cell in cells]
        self._n_rows += len(found)
        runs = [value for value, _ in groupby(found)]
        if self._values and runs[0] == self._values[-1]:
            del runs[0]
        self._values += runs
        self._known.update(runs)
        n_runs = len(self._values)
        return len(self._known) == n_runs and self._n_rows / MOST_STEPS <= n_runs <= self._n_rows / LEAST_STEPS + 1

    def name_sequences(self, usual: bool) -> bool:
        """Whether all that was seen looks like names."""
        n_runs = len(self._values)
        if n_runs < (FEW if usual else MANY) or self._n_rows < LEAST_STEPS * n_runs:
            return False
        if any(value != value if isinstance(value, float) else is_missing(value) for value in self._values):
            return False
        numbers = [value if isinstance(value, float) else finite(value, self._comma) for value in self._values]
        if all(number is None for number in numbers):
            return True
        if any(number is None or number != int(number) for number in numbers):
            return usual and all(number is None or number == int(number) for number in numbers)
        known = [number for number in numbers if number is not None]
        return usual or (known[0] in (0, 1) and all(later == number + 1 for number, later in pairwise(known)))
