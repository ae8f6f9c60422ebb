"""What a unit must know of its data before training (range, mean, spread) and what a resumed run must recognise.

Both read the same blocks in the same order whether the rows lie in memory or in a file, so the results are the same
bits. The spread is merged block by block (T. F. Chan, G. H. Golub, R. J. LeVeque, 1979), which a large
offset does not spoil.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from .finite import values_there
from .rows import BLOCK_ROWS, Rows, block_rows

_HASH_ALL_BYTES = 64 << 20
_HASH_BLOCKS = 64


@dataclass(frozen=True)
class Summary:
    """Statistics of all raw values; ``std`` is the population's, ``column_mean`` is (n_columns,) float64.

    Of sequences that end early the values are those of the steps that are there; the mean of a column without any is 0.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    column_mean: np.ndarray
    n_rows: int
    constant: bool
    ragged: bool = False  # sequences, of which some end early


def summarize(rows: Rows, sequences: bool = False) -> Summary:
    """Range, mean and spread of the raw values in one pass, accumulated in float64.

    With ``sequences``, samples (T, D) may end in steps of NaN. `DataError` names the rows, and the first row and column (counted
    from 0), when any other value is NaN or infinite.
    """
    column_sum, column_count = np.zeros((2, rows.n_columns))
    minimum, maximum, count, mean, squares = math.inf, -math.inf, 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # finite values near the limit may have an infinite spread
        for start, stop in rows.slices():
            block = rows.read(start, stop)
            there = values_there(rows, block, start, sequences)
            size = block.size if there is None else int(there.sum())
            lowest, highest = (block.min(), block.max()) if there is None else (np.nanmin(block), np.nanmax(block))
            minimum, maximum = min(minimum, float(lowest)), max(maximum, float(highest))
            block_sum = (block if there is None else np.where(there, block, 0)).sum(axis=0, dtype=np.float64)
            column_sum += block_sum
            column_count += len(block) if there is None else there.sum(axis=0)
            block_mean = float(block_sum.sum()) / size
            deviation = block - np.float64(block_mean)
            if there is not None:
                deviation[~there] = 0
            delta, total = block_mean - mean, count + size
            squares += float(np.square(deviation, out=deviation).sum()) + delta * delta * count / total * size
            mean += delta * size / total
            count = total
    std = 0.0 if minimum == maximum else math.sqrt(squares / count)
    ragged, column_mean = count < rows.n_rows * rows.n_columns, column_sum / np.maximum(column_count, 1)
    return Summary(minimum, maximum, mean, std, column_mean, rows.n_rows, minimum == maximum, ragged)


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
