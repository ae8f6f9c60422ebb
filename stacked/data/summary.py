"""What a unit must know of its data before training (range, mean, spread) and what a resumed run must recognise.

Both read the same blocks in the same order whether the rows lie in memory or in a file, so the results are the same
bits. The spread is merged block by block (T. F. Chan, G. H. Golub, R. J. LeVeque, 1979), which a large
offset does not spoil.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .rows import BLOCK_ROWS, Rows, block_rows

_HASH_ALL_BYTES = 64 << 20
_HASH_BLOCKS = 64


@dataclass(frozen=True)
class Summary:
    """Statistics of all raw values; ``std`` is the population's, ``column_mean`` is (n_columns,) float64."""

    minimum: float
    maximum: float
    mean: float
    std: float
    column_mean: np.ndarray
    n_rows: int
    constant: bool


def summarize(rows: Rows) -> Summary:
    """Range, mean and spread of the raw values in one pass, accumulated in float64.

    `DataError` names the rows, and the first row and column (counted from 0), when a value is NaN or infinite.
    """
    column_sum = np.zeros(rows.n_columns)
    minimum, maximum, count, mean, squares = math.inf, -math.inf, 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # finite values near the limit may have an infinite spread
        for start, stop in rows.slices():
            block = rows.read(start, stop)
            if block.dtype != np.uint8:
                _check_finite(block, start, rows.name)
            minimum, maximum = min(minimum, float(block.min())), max(maximum, float(block.max()))
            block_sum = block.sum(axis=0, dtype=np.float64)
            column_sum += block_sum
            block_mean = float(block_sum.sum()) / block.size
            deviation = block - np.float64(block_mean)
            delta, total = block_mean - mean, count + block.size
            squares += float(np.square(deviation, out=deviation).sum()) + delta * delta * count / total * block.size
            mean += delta * block.size / total
            count = total
    std = 0.0 if minimum == maximum else math.sqrt(squares / count)
    return Summary(minimum, maximum, mean, std, column_sum / rows.n_rows, rows.n_rows, minimum == maximum)


def fingerprint(rows: Rows) -> str:
    """SHA-256 (hex) over shape, dtype, sample shape and content, the same for equal rows however they are kept.

    All rows count up to 64 MiB; beyond that the first, the last and 62 evenly spaced blocks of `BLOCK_ROWS` rows.
    """
    digest = hashlib.sha256(repr((rows.n_rows, rows.n_columns, rows.dtype.name, rows.sample_shape)).encode())
    step, n_blocks = block_rows(rows.n_columns), -(-rows.n_rows // BLOCK_ROWS)
    if rows.nbytes <= _HASH_ALL_BYTES:
        chosen = list(range(n_blocks))
    else:
        chosen = sorted({i * (n_blocks - 1) // (_HASH_BLOCKS - 1) for i in range(_HASH_BLOCKS)})
    for block in chosen:
        start = block * BLOCK_ROWS
        stop = min(start + BLOCK_ROWS, rows.n_rows)
        for at in range(start, stop, step):
            digest.update(rows.read(at, min(at + step, stop)).data)
    return digest.hexdigest()


def _check_finite(block: np.ndarray, start: int, name: str) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        row, column = np.unravel_index(int(np.argmin(finite)), block.shape)
        value = "NaN" if np.isnan(block[row, column]) else f"{block[row, column]:+}"
        raise DataError(
            f"{name}: expected finite numbers, found {value} at row {start + row}, column {column} (counted from 0)"
        )
