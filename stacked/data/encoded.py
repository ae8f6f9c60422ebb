"""Rows computed from other rows, block by block: codes of the unit below, or a table that is scaled by column."""

from collections.abc import Callable

import numpy as np

from .memory import available_memory
from .rows import BLOCK_ROWS, ArrayRows, Rows

Encode = Callable[[np.ndarray], np.ndarray]  # rows (n, V) of the table below -> rows (n, n_columns)


class EncodedRows(Rows):
    """What ``encode`` makes of other rows, computed when it is read. ``shape`` is a sample's, by default (n_columns,)."""

    def __init__(
        self, below: Rows, encode: Encode, n_columns: int, dtype: np.dtype, shape: tuple[int, ...] | None = None
    ):
        self.below, self.encode = below, encode
        self.name, self.n_rows, self.labels = below.name, below.n_rows, below.labels
        self.n_columns, self.dtype = n_columns, np.dtype(dtype)
        self.sample_shape = (n_columns,) if shape is None else shape
        self.in_memory = False

    def _ends_early(self) -> bool:
        """Steps end where those below do; what has fewer steps below ends early, or is a code of something else."""
        same = len(self.below.sample_shape) == 2 and self.below.sample_shape[0] == self.sample_shape[0]
        return self.below.ragged if same else super()._ends_early()

    def close(self) -> None:
        self.below.close()

    @classmethod
    def over(
        cls, below: Rows, encode: Encode, n_columns: int, dtype: np.dtype, shape: tuple[int, ...] | None = None
    ) -> "EncodedRows":
        """What ``encode`` makes of ``below``; where that is encoded itself, both in one pass."""
        if not isinstance(below, EncodedRows):
            return cls(below, encode, n_columns, dtype, shape)
        inner = below.encode
        return cls(below.below, lambda table: encode(inner(table)), n_columns, dtype, shape)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows (stop - start, n_columns), from whole blocks: the bits of a code may depend on its block's size."""
        first = start - start % BLOCK_ROWS
        blocks = [
            self.encode(self.below.read(b, min(b + BLOCK_ROWS, self.n_rows))) for b in range(first, stop, BLOCK_ROWS)
        ]
        return np.concatenate(blocks)[start - first : stop - first]


def encoded(below: Rows, encode: Encode, n_columns: int, dtype: np.dtype, shape: tuple[int, ...] | None = None) -> Rows:
    """What ``encode`` makes of ``below``: kept if it fits in a quarter of the free memory, else computed on the fly; same bits."""
    rows = EncodedRows.over(below, encode, n_columns, dtype, shape)
    if rows.nbytes > available_memory() / 4:
        return rows
    table = np.empty((rows.n_rows, n_columns), dtype)
    for start in range(0, rows.n_rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, rows.n_rows)
        table[start:stop] = rows.read(start, stop)
    kept = ArrayRows(table.reshape(rows.n_rows, *rows.sample_shape), name=below.name)
    kept.labels = below.labels
    return kept
