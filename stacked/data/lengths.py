"""The lengths of sequences, which travel in their rows: after the last step of a shorter one all is NaN."""

import numpy as np

from ..errors import DataError
from .rows import Rows


def block_lengths(block: np.ndarray, n_steps: int) -> np.ndarray:
    """Lengths (n,) int64 of sequences (n, T * D): the steps up to the last one that is not NaN throughout, 0 where all are."""
    if block.dtype.kind != "f":
        return np.full(len(block), n_steps, np.int64)
    there = ~np.isnan(block).reshape(len(block), n_steps, -1).all(axis=2)
    found = n_steps - np.argmax(there[:, ::-1], axis=1)
    return np.where(there.any(axis=1), found, 0).astype(np.int64)


def lengths_of(rows: Rows) -> np.ndarray:
    """Steps (n_rows,) int64 of each of the rows, whose samples are sequences (T, D); `DataError` for samples of another shape."""
    if len(rows.sample_shape) != 2:
        raise DataError(f"{rows.name}: expected sequences (steps, numbers), found samples of shape {rows.sample_shape}")
    n_steps = rows.sample_shape[0]
    return np.concatenate([block_lengths(rows.read(start, stop), n_steps) for start, stop in rows.slices()])


def check_lengths(lengths: np.ndarray, n_steps: int, name: str) -> np.ndarray:
    """Lengths (N,) int64 as a file gives them beside ``n_steps`` steps in all; `DataError` unless they are whole and add up."""
    if lengths.ndim != 1 or lengths.size == 0 or lengths.dtype.kind not in "iu":
        raise DataError(
            f"{name}: expected lengths, one whole number a sequence, found shape {lengths.shape} of {lengths.dtype}"
        )
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1:
        raise DataError(
            f"{name}: sequence {int(np.argmin(lengths))}: expected a step or more, found a length of {shortest}"
        )
    if longest > n_steps or (total := int(lengths.sum(dtype=np.int64))) != n_steps:
        found = f"one of {longest:,}" if longest > n_steps else f"{total:,}"
        raise DataError(f"{name}: expected lengths that add up to the {n_steps:,} steps that are there, found {found}")
    return lengths.astype(np.int64)
