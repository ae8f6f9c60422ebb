"""From raw rows to what a model sees: ``raw * scale + offset``, one number each for the whole table.

auto: uint8 images become [0, 1] (scale 1/255), everything else is taken as it is. minmax: the smallest value of the training
data becomes 0 and the largest 1. standard: mean 0 and standard deviation 1. none: as it is.
"""

import math
from dataclasses import dataclass

import numpy as np

from .data import Rows, Summary
from .errors import DataError

SLACK = 1e-6  # beyond [0, 1] that rounding may cause


@dataclass(frozen=True)
class InputScaling:
    """Scale, offset, what the training rows were like, and whether they lay in [0, 1] once scaled."""

    scale: float
    offset: float
    sample_shape: tuple[int, ...]
    dtype: str
    mode: str
    unit_range: bool

    def for_rows(self, rows: Rows, data: Summary | None) -> tuple[float, float]:
        """(scale, offset) for other rows; ``data`` is their summary, wanted if `depends_on_values`.

        Under ``auto`` the dtype tells what values mean: uint8 is an image of 0..255, floats are already scaled.
        """
        if not self.depends_on_values(rows):
            return self.scale, self.offset
        assert data is not None
        if rows.dtype.name == "uint8":
            return self._for_bytes(rows, data)
        if self.scale != 1.0 and (data.minimum < -SLACK or data.maximum > 1 + SLACK):
            raise DataError(
                f"{rows.name}: expected uint8 images like those of the training, or floats in [0, 1], found floats in"
                f" [{data.minimum:.6g}, {data.maximum:.6g}]; convert to uint8, or divide by 255"
            )
        return 1.0, 0.0

    def _for_bytes(self, rows: Rows, data: Summary) -> tuple[float, float]:
        """uint8 rows for a model of floats, or of uint8 that were 0 and 1: the training decides, values are only checked."""
        if self.dtype == "uint8" and data.maximum > 1:
            raise DataError(f"{rows.name}: expected uint8 values of 0 and 1 as in the training, found {data.maximum:g}")
        if self.dtype == "uint8" or not self.unit_range:
            return 1.0, 0.0
        if data.maximum == 1:
            raise DataError(
                f"{rows.name}: expected images of 0..255, which is what uint8 rows mean to a model of floats in [0, 1], found 0"
                " and 1 only; convert them to floats"
            )
        return 1 / 255, 0.0

    def depends_on_values(self, rows: Rows) -> bool:
        """Whether `for_rows` must look at the values: images under ``auto`` that are not of the training's kind."""
        if self.mode != "auto":
            return False
        return rows.dtype.name != self.dtype or (self.dtype == "uint8" and self.scale == 1.0)


def identity(n_columns: int, dtype: str) -> InputScaling:
    """The scaling of codes, which are taken as they are."""
    return InputScaling(1.0, 0.0, (n_columns,), dtype, "none", False)


def check_varies(rows: Rows, summary: Summary) -> None:
    """DataError for rows that are all the same number."""
    if summary.constant:
        raise DataError(f"{rows.name}: every value is {summary.minimum:g}; constant data cannot be learnt")


def fit_scaling(mode: str, rows: Rows, summary: Summary, dtype: np.dtype) -> InputScaling:
    """Scaling for training rows of a model of ``dtype``; DataError if their range cannot be scaled, or not held."""
    check_varies(rows, summary)
    scale, offset = 1.0, 0.0
    if mode == "auto" and rows.dtype.name == "uint8" and summary.maximum > 1:
        scale = 1 / 255
    elif mode == "minmax":
        scale = 1 / (summary.maximum - summary.minimum)
        offset = -summary.minimum * scale
    elif mode == "standard":
        scale = 1 / summary.std if summary.std > 0 else math.inf
        offset = -summary.mean * scale
    low, high = summary.minimum * scale + offset, summary.maximum * scale + offset
    largest = float(np.finfo(dtype).max)
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(offset) and -largest <= low <= high <= largest):
        raise DataError(
            f"{rows.name}: values from {summary.minimum:g} to {summary.maximum:g} cannot be scaled to {dtype} numbers;"
            " rescale the data"
        )
    within = low >= -SLACK and high <= 1 + SLACK
    return InputScaling(scale, offset, tuple(rows.sample_shape), rows.dtype.name, mode, within)


def unscale(out: np.ndarray, scale: float, offset: float) -> np.ndarray:
    """``out``, which holds scaled values, back in raw units, in place."""
    if scale != 1.0 or offset != 0.0:
        out -= out.dtype.type(offset)
        out /= out.dtype.type(scale)
    return out
