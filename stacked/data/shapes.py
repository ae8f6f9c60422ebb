"""Rows told in another shape of sample: flat tables of images, and sequences shorter than those that a model was trained on."""

import copy
from collections.abc import Iterable
from math import prod

import numpy as np

from ..errors import DataError
from .encoded import EncodedRows
from .rows import MAX_DIMENSIONS, Rows

Shape = tuple[int, ...]


def check_samples(rows: Rows, shape: Iterable[int]) -> Shape:
    """The shape, where the rows' samples fill it; else `DataError`."""
    sizes = tuple(shape)
    whole = all(isinstance(size, int | np.integer) and not isinstance(size, bool) and size > 0 for size in sizes)
    if not whole or not 1 <= len(sizes) <= MAX_DIMENSIONS:
        raise DataError(
            f"shape: expected 1 to {MAX_DIMENSIONS} whole numbers from 1 on, such as 28, 28, found {sizes!r:.60}"
        )
    if prod(map(int, sizes)) != rows.n_columns:
        raise DataError(
            f"{rows.name}: expected {prod(map(int, sizes)):,} columns for samples of shape {called(sizes)}, found"
            f" {rows.n_columns:,}"
        )
    return tuple(map(int, sizes))


def shaped(rows: Rows, shape: Shape) -> Rows:
    """The same rows, told to have samples of another shape; `DataError` where their samples do not fill it."""
    shape = check_samples(rows, shape)
    if rows.sample_shape == shape:
        return rows
    if not rows.in_memory:
        return _over(rows, shape)
    other = copy.copy(rows)
    other.sample_shape, other._ragged = shape, None
    return other


def as_sequences(rows: Rows) -> Rows:
    """Rows whose samples are sequences (T, D): flat ones are steps of one number. `DataError` for more dimensions."""
    if len(rows.sample_shape) > 2:
        raise DataError(
            f"{rows.name}: expected sequences, samples (steps, numbers), found samples of shape {called(rows.sample_shape)};"
            " reshape the data"
        )
    return rows if len(rows.sample_shape) == 2 else shaped(rows, (rows.n_columns, 1))


def like_training(rows: Rows, shape: Shape, sequences: bool) -> Rows:
    """Rows for a model that was trained on samples of a shape: flat ones are taken, those of another shape a `DataError`.

    With ``sequences``, shorter ones are padded with steps of NaN, and flat ones get the shape.
    """
    given = rows.sample_shape
    if sequences and len(shape) == 2:
        if len(given) == 2 and given != shape:
            return _padded(rows, shape)
        return shaped(rows, shape) if rows.n_columns == prod(shape) else rows
    if rows.n_columns == prod(shape) and min(len(given), len(shape)) > 1 and _lasting(given) != _lasting(shape):
        raise DataError(
            f"{rows.name}: expected samples of shape {called(shape)} as in the training, found {called(given)}; reshape the data"
        )
    return rows


def called(shape: Shape) -> str:
    """A shape for messages."""
    return " x ".join(map(str, shape))


def _lasting(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _padded(rows: Rows, shape: Shape) -> Rows:
    (n_steps, width), (most, expected) = rows.sample_shape, shape
    if width != expected:
        raise DataError(
            f"{rows.name}: expected sequences of {expected} numbers a step as in the training, found {width}"
        )
    if n_steps > most:
        raise DataError(
            f"{rows.name}: expected sequences of at most {most} steps, the longest in the training, found {n_steps}; cut them, or"
            " train on longer ones"
        )
    return _over(rows, shape)


def _over(rows: Rows, shape: Shape) -> Rows:
    """The rows as they are, or with NaN after them up to the size of the shape."""
    width, before = prod(shape), rows.n_columns
    dtype = rows.dtype if width == before or rows.dtype.kind == "f" else np.dtype(np.float32)

    def longer(table: np.ndarray) -> np.ndarray:
        out = np.full((len(table), width), np.nan, dtype)
        out[:, :before] = table
        return out

    other = EncodedRows.over(rows, (lambda table: table) if width == before else longer, width, dtype, shape)
    other._value_dtype = rows.value_dtype
    return other
