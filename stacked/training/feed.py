"""Rows in training order: shuffled, in windows, with the next window read ahead.

Order of an epoch: the blocks of the data set are shuffled and dealt into windows; the rows of a window are shuffled. A data set
smaller than one window (2**26 values: 85,000 MNIST images) is thus shuffled whole. Blocks, windows and shuffles depend on
the seed, the epoch and the shape of the data alone, so a streamed file trains to the same bits as the same data in memory.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..data import BLOCK_ROWS, ArrayRows, Rows
from ..data.encoded import EncodedRows
from ..decoding import Goal
from ..errors import DataError
from ..kernels.arithmetic.random import SHUFFLE, SPLIT, shuffle, stream_key
from ..kernels.arithmetic.samples import NO_TARGETS, Samples, as_samples

WINDOW_VALUES = 2**26


class Window(NamedTuple):
    """Some shuffled rows: ``positions`` (n,) index the samples and labels, ``row_ids`` (n,) are their numbers in the data."""

    samples: Samples
    labels: np.ndarray
    positions: np.ndarray
    row_ids: np.ndarray


def split_rows(n_rows: int, fraction: float, seed: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(training rows, validation rows) as sorted row numbers, or (None, None) for no split; at least one row each."""
    if fraction <= 0:
        return None, None
    if n_rows < 2:
        raise DataError(f"validation_fraction={fraction:g} needs at least 2 rows, found {n_rows}")
    order = np.arange(n_rows)
    shuffle(stream_key(seed, SPLIT), 0, 0, order)
    n_validation = min(max(1, round(n_rows * fraction)), n_rows - 1)
    return np.sort(order[n_validation:]), np.sort(order[:n_validation])


class Feed:
    """Deals ``rows``, or the ``subset`` of them, with their ``goal``, into windows of shuffled rows, epoch by epoch."""

    def __init__(
        self,
        rows: Rows,
        scale: float,
        offset: float,
        seed: int,
        unit: int,
        labels: np.ndarray | None = None,
        subset: np.ndarray | None = None,
        goal: Goal | None = None,
    ):
        self.goal = goal
        self.rows, self.scale, self.offset, self.subset = rows, scale, offset, subset
        self.labels = np.zeros(0, np.int64) if labels is None else labels
        self.n_rows = rows.n_rows if subset is None else len(subset)
        self._key = stream_key(seed, SHUFFLE, unit)
        self._window_blocks = max(1, WINDOW_VALUES // (rows.n_columns * BLOCK_ROWS))

    def epoch(self, epoch: int) -> Iterator[Window]:
        """Windows of one epoch, in order."""
        order = np.arange(-(-self.rows.n_rows // BLOCK_ROWS))
        shuffle(self._key, epoch, 0, order)
        groups = [np.sort(order[i : i + self._window_blocks]) for i in range(0, len(order), self._window_blocks)]
        if isinstance(self.rows, ArrayRows):
            targets = NO_TARGETS if self.goal is None else self.goal.of(slice(None))
            table = as_samples(self.rows.array, self.scale, self.offset, targets)
            for part, blocks in enumerate(groups):
                ids = self._shuffled_ids(epoch, part, blocks)
                if len(ids):
                    yield Window(table, self.labels, ids, ids)
            return
        yield from self._streamed(epoch, groups)

    def _streamed(self, epoch: int, groups: list[np.ndarray]) -> Iterator[Window]:
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._fetch, groups[0])
            for part, blocks in enumerate(groups):
                table = ahead.result()
                if part + 1 < len(groups):
                    ahead = reader.submit(self._fetch, groups[part + 1])
                ids = self._shuffled_ids(epoch, part, blocks)
                if len(ids):
                    yield self._window(blocks, table, ids)

    def _fetch(self, blocks: np.ndarray) -> np.ndarray:
        """Raw rows of some blocks, read on the reading thread: no kernel runs here."""
        source = self.rows.below if isinstance(self.rows, EncodedRows) else self.rows
        ends = np.minimum((blocks + 1) * BLOCK_ROWS, source.n_rows)
        table = np.empty((int((ends - blocks * BLOCK_ROWS).sum()), source.n_columns), source.dtype)
        filled = 0
        for start, stop in zip(blocks * BLOCK_ROWS, ends, strict=True):
            table[filled : filled + stop - start] = source.read(int(start), int(stop))
            filled += stop - start
        return table

    def _window(self, blocks: np.ndarray, table: np.ndarray, ids: np.ndarray) -> Window:
        """Only the last block of the data set may be short, and blocks are sorted, so they start at multiples."""
        if isinstance(self.rows, EncodedRows):
            starts = range(0, len(table), BLOCK_ROWS)
            table = np.concatenate([self.rows.encode(table[start : start + BLOCK_ROWS]) for start in starts])
        positions = np.searchsorted(blocks, ids // BLOCK_ROWS) * BLOCK_ROWS + ids % BLOCK_ROWS
        labels, targets = self.labels, NO_TARGETS
        if len(labels):
            labels = np.concatenate([labels[b * BLOCK_ROWS : (b + 1) * BLOCK_ROWS] for b in blocks])
        if self.goal is not None:
            chosen = [np.arange(b * BLOCK_ROWS, min((b + 1) * BLOCK_ROWS, self.rows.n_rows)) for b in blocks]
            targets = self.goal.of(np.concatenate(chosen))
        return Window(as_samples(table, self.scale, self.offset, targets), labels, positions, ids)

    def _shuffled_ids(self, epoch: int, part: int, blocks: np.ndarray) -> np.ndarray:
        """Row numbers of a window's blocks, those outside the subset left out, shuffled."""
        starts = blocks * BLOCK_ROWS
        ids = np.concatenate([np.arange(s, min(s + BLOCK_ROWS, self.rows.n_rows)) for s in starts])
        if self.subset is not None:
            place = np.minimum(np.searchsorted(self.subset, ids), len(self.subset) - 1)
            ids = ids[self.subset[place] == ids]
        shuffle(self._key, epoch, 1 + part, ids)
        return ids
