"""From raw rows to what a model sees: ``raw * scale + offset``, one number each for the whole table.

auto: uint8 images become [0, 1] (scale 1/255), everything else is taken as it is. minmax: the smallest value of the training
data becomes 0 and the largest 1. standard: mean 0 and standard deviation 1. none: as it is.
"""

from dataclasses import dataclass

from .data import Rows, Summary
from .errors import DataError

SCALINGS = ("auto", "minmax", "standard", "none")


@dataclass(frozen=True)
class InputScaling:
    """Scale, offset, and what the training rows were like."""

    scale: float
    offset: float
    sample_shape: tuple[int, ...]
    dtype: str
    mode: str

    def for_rows(self, rows: Rows) -> tuple[float, float]:
        """(scale, offset) for other rows.

        Under ``auto`` the dtype tells what the values mean: uint8 is an image of 0..255, floats are already scaled.
        """
        if self.mode != "auto" or rows.dtype.name == self.dtype:
            return self.scale, self.offset
        if rows.dtype.name == "uint8" and self.dtype != "uint8":
            return 1 / 255, 0.0
        return (1.0, 0.0) if self.dtype == "uint8" else (self.scale, self.offset)

    def expects_unit_range(self, rows: Rows) -> bool:
        """Whether float rows are given to a model of scaled uint8 images, so that they must lie in [0, 1] already."""
        return self.mode == "auto" and self.dtype == "uint8" and self.scale != 1.0 and rows.dtype.name != "uint8"


def check_varies(rows: Rows, summary: Summary) -> None:
    """DataError for rows that are all the same number."""
    if summary.constant:
        raise DataError(f"{rows.name}: every value is {summary.minimum:g}; constant data cannot be learnt")


def fit_scaling(mode: str, rows: Rows, summary: Summary) -> InputScaling:
    """Scaling for training rows."""
    check_varies(rows, summary)
    scale, offset = 1.0, 0.0
    if mode == "auto" and rows.dtype.name == "uint8" and summary.maximum > 1:
        scale = 1 / 255
    elif mode == "minmax":
        scale = 1 / (summary.maximum - summary.minimum)
        offset = -summary.minimum * scale
    elif mode == "standard":
        scale = 1 / summary.std
        offset = -summary.mean * scale
    return InputScaling(scale, offset, tuple(rows.sample_shape), rows.dtype.name, mode)
