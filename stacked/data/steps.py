"""Whether the rows of a table look like steps of sequences, which a column names: its equal values stand together, in runs.

A guess, told and not acted on, and rather not made than wrong: tables sorted by a class or by a number look much like it.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby

import numpy as np

from .cells import finite, is_missing
from .table import Cells, Table

_logger = logging.getLogger("stacked.tables")

NAMES = (
    "id",
    "seq",
    "sequence",
    "series",
    "session",
    "episode",
    "trial",
    "subject",
    "patient",
    "run",
    "trajectory",
    "track",
)
_ENDINGS = ("", "id", "no", "nr", "number", "index")
LEAST_RUNS, LEAST_STEPS = 3, 3.0  # of a column, and of a run in the mean
MOST_STEPS = 2000  # of one sequence, so that a column which never changes is not read on and on
MOST_ROWS = 20_000  # that are looked at
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
    """The first of these columns that is called as such columns are and whose values name sequences by all that can be seen.

    Each value comes in one run of rows alone, runs have some rows, and there are some of them. None where no column is such. As
    soon as none is left that can be one, no more is read.
    """
    usual = [at for at in features if _is_usual(table, at)] if 2 <= len(features) <= MOST_COLUMNS else []
    left = {at: _Runs(table.comma) for at in usual}
    if not left:
        return None
    n_rows = 0
    with closing(table.blocks(usual)) as blocks:  # type: ignore[type-var]
        for block in blocks:
            for at, cells in zip(usual, block.columns, strict=True):
                if at in left and not left[at].see(cells):
                    del left[at]
            n_rows += len(block.lines)
            if not left or n_rows >= MOST_ROWS:
                break
    return next((at for at, runs in left.items() if runs.name_sequences()), None)


def _is_usual(table: Table, at: int) -> bool:
    joined = "".join(table.names[at].lower().replace("-", "_").replace(" ", "_").split("_"))
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

    def name_sequences(self) -> bool:
        """Whether all that was seen looks like names: texts, or whole numbers, none of them missing."""
        n_runs = len(self._values)
        if n_runs < LEAST_RUNS or self._n_rows < LEAST_STEPS * n_runs:
            return False
        return all(map(self._is_name, self._values))

    def _is_name(self, value: str | float) -> bool:
        if isinstance(value, str) and is_missing(value):
            return False
        number = value if isinstance(value, float) else finite(value, self._comma)
        return number is None or number.is_integer()
