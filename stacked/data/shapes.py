"""Rows told in another shape of sample."""

import copy
from math import prod

from ..errors import DataError
from .encoded import EncodedRows
from .rows import Rows

Shape = tuple[int, ...]


def shaped(rows: Rows, shape: Shape) -> Rows:
    """The same rows, told to have samples of another shape; `DataError` where their samples do not fill it."""
    if prod(shape) != rows.n_columns:
        raise DataError(
            f"{rows.name}: expected {prod(shape):,} columns for samples of shape {called(shape)}, found {rows.n_columns:,}"
        )
    if rows.sample_shape == shape:
        return rows
    if not rows.in_memory:
        return EncodedRows.over(rows, lambda table: table, rows.n_columns, rows.dtype, shape)
    other = copy.copy(rows)
    other.sample_shape = shape
    return other


def called(shape: Shape) -> str:
    """A shape for messages."""
    return " x ".join(map(str, shape))
