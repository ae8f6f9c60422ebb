"""What a model is held against: a constant answer, principal components, the most frequent class; from its training rows.

With m the mean of the scaled training rows and C (K, V) their leading principal directions, orthonormal:

    constant answer   m
    PCA               m + (x - m) C^T C

Both are of a sample of the rows, spread evenly: of all of them up to `SAMPLE_VALUES` numbers, and of at most `MOST_SIDE` rows where
there are more columns than that. Of sequences that end early there is the constant answer alone, the mean of the steps that are
there. The result depends on the rows alone, streamed or not, and not on the number of threads.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh

from .data import Rows
from .files import Baseline
from .kernels.arithmetic.samples import as_samples, load_rows
from .network import read_finite

SAMPLE_VALUES = 2**24
MOST_SIDE = 2000  # of the matrix whose eigenvectors are sought
RIDGE = 0.03
_RUN = 32  # rows that are read at once


def sample_rows(
    rows: Rows,
    scaled: tuple[Any, Any],
    subset: np.ndarray | None = None,
    most: int | None = None,
    sequences: bool = False,
) -> np.ndarray:
    """Scaled rows (n, V) float32, evenly spread over all rows or over those in ``subset`` (sorted row numbers).

    With ``sequences`` they may end early, in NaN; any other value that is not finite is a DataError.
    """
    n_rows = rows.n_rows if subset is None else len(subset)
    n = max(1, min(n_rows, SAMPLE_VALUES // rows.n_columns, n_rows if most is None else most))
    chosen = _spread(n_rows, n) if subset is None else subset[_spread(n_rows, n)]
    out = np.empty((len(chosen), rows.n_columns), np.float32)
    for first, last in _runs(chosen):
        start, stop = int(chosen[first]), int(chosen[last - 1]) + 1
        table = read_finite(rows, start, stop, sequences)
        load_rows(as_samples(table, *scaled), chosen[first:last] - start, out[first:last])
    return out


def _spread(n_rows: int, n: int) -> np.ndarray:
    """n of the numbers 0 to n_rows - 1, sorted: runs of `_RUN` neighbours whose starts are evenly spaced."""
    if n == n_rows:
        return np.arange(n_rows)
    starts = np.arange(0, n, _RUN) * n_rows // n
    return np.unique(starts[:, None] + np.arange(_RUN))[:n]


def _runs(chosen: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of parts of the sorted numbers that lie close together."""
    first = 0
    for index in range(1, len(chosen) + 1):
        if index == len(chosen) or chosen[index] - chosen[first] >= 2 * _RUN:
            yield first, index
            first = index


class Components(NamedTuple):
    """Mean (V,) and directions (K, V), float32, and variances (K + 1,) float64: along each, and the mean one across."""

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray


def principal_components(sample: np.ndarray, n_components: int) -> Components:
    """Of rows (n, V): at most so many, none where the numbers are too large for squares; leaves the sample as it is."""
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    n, width = sample.shape
    if width > MOST_SIDE and n > MOST_SIDE:
        n, sample = MOST_SIDE, sample[np.linspace(0, n - 1, MOST_SIDE).astype(np.int64)]
    k, nothing = min(n_components, n - 1, width - 1), Components(mean, np.empty((0, width), np.float32), np.empty(0))
    if k < 1:
        return nothing
    with np.errstate(over="ignore", invalid="ignore"):
        found = _directions(sample, mean, k)
    return nothing if found is None else Components(mean, *found)


def _directions(sample: np.ndarray, mean: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Directions and variances: of the covariance, or of the products of rows, whichever is smaller; None for what overflows."""
    n, width = sample.shape
    squares = _squares(sample, mean) if width <= n else _products(sample - mean)
    if not np.isfinite(squares).all():
        return None
    values, vectors = eigh(squares, subset_by_index=[len(squares) - k, len(squares) - 1])
    directions = vectors.T[::-1]
    if width > n:
        directions = np.linalg.qr((directions @ (sample - mean)).T)[0].T
    rest = max(np.trace(squares) - values.sum(), 0.0) / (width - k)
    variances = np.maximum(np.append(values[::-1], rest) / n, np.finfo(np.float32).tiny)
    return np.ascontiguousarray(directions, np.float32), variances


def _squares(sample: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The scatter matrix (V, V) float64, summed by parts."""
    total = np.zeros((sample.shape[1], sample.shape[1]))
    for start in range(0, len(sample), 4096):
        part = sample[start : start + 4096] - mean
        total += part.T @ part
    return total


def _products(centred: np.ndarray) -> np.ndarray:
    return (centred @ centred.T).astype(np.float64)


def baseline_of(sample: np.ndarray, n_code: int, least: int = 0) -> Baseline:
    """Of scaled training rows (n, V): as many components as the code has units, if these are fewer than columns, but ``least``.

    None of rows that end early, in NaN.
    """
    width, there = sample.shape[1], ~np.isnan(sample)
    if not there.all():
        total, count = np.where(there, sample, 0).sum(axis=0, dtype=np.float64), there.sum(axis=0)
        return Baseline(mean=(total / np.maximum(count, 1)).astype(np.float32))
    mean, components, variances = principal_components(
        sample, max(least, n_code if is_comparable(n_code, width) else 0)
    )
    if not len(components):
        return Baseline(mean=mean)
    return Baseline(mean=mean, components=components, variances=variances)


def is_comparable(n_code: int, width: int) -> bool:
    """Whether PCA with as many components as there are code units is not exact already."""
    return n_code < width


def surprise(baseline: Baseline, block: np.ndarray) -> np.ndarray:
    """Minus twice the log density (n,) of scaled rows (n, V) under probabilistic PCA (Tipping & Bishop 1999), but for constants.

    To each variance `RIDGE` of the mean one of a column is added, or what hardly varies in few rows would decide.
    """
    assert baseline.mean is not None and baseline.components is not None and baseline.variances is not None
    centred = block.astype(np.float64) - baseline.mean
    along = np.square(centred @ baseline.components.T)
    rest = np.maximum(np.square(centred).sum(axis=1) - along.sum(axis=1), 0)
    variances = baseline.variances + RIDGE * left_over(baseline, 0) / len(baseline.mean)
    return (along / variances[:-1]).sum(axis=1) + rest / variances[-1]


def left_over(baseline: Baseline, k: int) -> float:
    """The variance of the training rows, summed over columns, that the k leading components do not explain."""
    assert baseline.components is not None and baseline.variances is not None
    found, width = baseline.components.shape
    return float(baseline.variances[k:-1].sum() + baseline.variances[-1] * (width - found))


def squared_errors(baseline: Baseline, block: np.ndarray, k: int) -> tuple[float, float]:
    """Sums over scaled rows (B, V) of the squared errors of the constant answer, and of the k leading components.

    Of rows that end early, in NaN, the former is of what is there and the latter NaN.
    """
    assert baseline.mean is not None
    centred = block.astype(np.float64) - baseline.mean
    ended = np.isnan(centred)
    if ended.any():
        return float(np.square(centred[~ended]).sum()), math.nan
    constant = float(np.square(centred).sum())
    if baseline.components is None:
        return constant, constant
    return constant, max(constant - float(np.square(centred @ baseline.components[:k].T).sum()), 0.0)
