"""What the columns of a table are like, each for itself: what scaling by column goes by."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .lengths import block_lengths
from .rows import Rows


@dataclass(frozen=True, eq=False)
class Columns:
    """Statistics (V,) of the raw values of every column, float64; ``std`` is the population's.

    ``zeros`` is the share of values that are 0, ``whole`` whether all are whole numbers. ``neighbours`` is the mean correlation of
    columns with the next one, of those that vary: near 1 in images, spectra and signals, where neighbours measure nearly the same.
    """

    minimum: np.ndarray
    maximum: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    zeros: np.ndarray
    whole: np.ndarray
    neighbours: float

    @property
    def varies(self) -> np.ndarray:
        """Whether a column has more than one value (V,)."""
        return self.maximum > self.minimum

    @property
    def binary(self) -> np.ndarray:
        """Whether a column holds zeros and ones alone (V,)."""
        return self.whole & (self.minimum >= 0) & (self.maximum <= 1)


def describe_columns(rows: Rows) -> Columns:
    """The statistics in one pass, merged block by block (Chan, Golub & LeVeque 1979), the same bits for rows kept anywhere."""
    return _describe((rows.read(start, stop) for start, stop in rows.slices()), rows.n_columns)


def describe_channels(rows: Rows) -> Columns:
    """Those of the numbers of a step (D,), over all steps of rows whose samples are sequences (T, D)."""
    return _describe(_steps(rows), rows.sample_shape[1])


def _steps(rows: Rows) -> Iterator[np.ndarray]:
    """Blocks of the steps (n, D) that are there."""
    n_steps, width = rows.sample_shape
    for start, stop in rows.slices():
        block = rows.read(start, stop)
        there = np.arange(n_steps) < block_lengths(block, n_steps)[:, None]
        yield block.reshape(-1, n_steps, width)[there]


def _describe(blocks: Iterator[np.ndarray], n_columns: int) -> Columns:
    minimum, maximum = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    mean, squares, zeros = np.zeros((3, n_columns))
    products, whole, count = np.zeros(max(n_columns - 1, 0)), np.ones(n_columns, bool), 0
    with np.errstate(over="ignore", invalid="ignore"):  # finite values near the limit may have an infinite spread
        for table in blocks:
            block = table.astype(np.float64)
            minimum, maximum = np.minimum(minimum, block.min(axis=0)), np.maximum(maximum, block.max(axis=0))
            zeros += (block == 0).sum(axis=0)
            if whole.any():
                whole &= (block == np.rint(block)).all(axis=0)
            block_mean = block.mean(axis=0)
            block -= block_mean
            delta, total = block_mean - mean, count + len(block)
            share = count * len(block) / total
            squares += np.einsum("ij,ij->j", block, block) + delta * delta * share
            products += np.einsum("ij,ij->j", block[:, :-1], block[:, 1:]) + delta[:-1] * delta[1:] * share
            mean += delta * len(block) / total
            count = total
        std = np.where(maximum > minimum, np.sqrt(squares / count), 0.0)
        neighbours = _mean_correlation(products / count, std)
    return Columns(minimum, maximum, mean, std, zeros / count, whole, neighbours)


def _mean_correlation(covariances: np.ndarray, std: np.ndarray) -> float:
    """Mean correlation of neighbours that both vary, 0 where there are none."""
    spreads = std[:-1] * std[1:]
    both = (spreads > 0) & np.isfinite(spreads)
    return float((covariances[both] / spreads[both]).mean()) if both.any() else 0.0
