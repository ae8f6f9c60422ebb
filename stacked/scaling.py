"""From raw rows to what a model sees: ``x * scale + offset``, column by column, where x is the raw value or its logarithm.

What becomes of which data is chosen in `scaling_rules`; here it is kept, applied and undone. A scaling that is one number for all
columns is left to the kernels, which read images of uint8 as they are; any other is applied as rows are read.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .data import Rows, Summary, summarize
from .data.encoded import EncodedRows, encoded
from .errors import DataError

SLACK = 1e-6  # beyond [0, 1] that rounding may cause
AS_IS, IMAGES = "as they are", "images"


class Prepared(NamedTuple):
    """Rows for the kernels, the (scale, offset) that they load them with, and the rows' own summary."""

    rows: Rows
    scaled: tuple[float, float]
    data: Summary


@dataclass(frozen=True, eq=False)
class InputScaling:
    """What is done to every column, all (V,): ``scale``, ``offset`` float64, ``log`` bool, and ``constant`` float64.

    ``log`` columns become sign(x) log(1 + |x|) first. A column of scale 0 is set aside: the model sees 0, and answers with
    ``constant``. ``sample_shape`` and ``dtype`` are the training rows'; ``mode`` is what was asked for, ``method`` what was chosen,
    in words; ``unit_range`` tells whether the training rows lay in [0, 1] once scaled.
    """

    scale: np.ndarray
    offset: np.ndarray
    log: np.ndarray
    constant: np.ndarray
    sample_shape: tuple[int, ...]
    dtype: str
    mode: str
    method: str
    unit_range: bool

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InputScaling):
            return NotImplemented
        return all(np.array_equal(value, vars(other)[name]) for name, value in vars(self).items() if name in _FIELDS)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def uniform(self) -> tuple[float, float] | None:
        """(scale, offset) where they are one number for all columns."""
        scale, offset = self.scale[0], self.offset[0]
        same = (self.scale == scale).all() and (self.offset == offset).all() and not self.log.any()
        return (float(scale), float(offset)) if same and scale != 0 else None

    def for_training(self, rows: Rows, data: Summary, dtype: np.dtype) -> Prepared:
        """Training rows, whose raw ``data`` are summed up, ready for a model of ``dtype``; kept in memory if they fit well."""
        if self.uniform is not None:
            return Prepared(rows, self.numbers_for(rows, data), data)
        table = encoded(rows, lambda raw: self.apply(raw, dtype), rows.n_columns, dtype, rows.sample_shape)
        return Prepared(table, (1.0, 0.0), summarize(table, data.ragged))

    def in_use(
        self, rows: Rows, dtype: np.dtype, data: Summary | None = None, sequences: bool = False
    ) -> tuple[Rows, tuple[float, float]]:
        """Other rows for a fitted model, with the numbers to load them by; ``data`` is their summary, where there is one.

        With ``sequences`` they may end early, see `summarize`.
        """
        if not self.depends_on_values(rows):
            return self.as_trained(rows, dtype)
        return rows, self.numbers_for(rows, summarize(rows, sequences) if data is None else data)

    def as_trained(self, rows: Rows, dtype: np.dtype) -> tuple[Rows, tuple[float, float]]:
        """Rows whose values mean what those of the training rows did, ready for the kernels, with the numbers to load them by."""
        if self.uniform is not None:
            return rows, self.uniform
        shape = rows.sample_shape
        return EncodedRows.over(rows, lambda raw: self.apply(raw, dtype), rows.n_columns, dtype, shape), (1.0, 0.0)

    def numbers_for(self, rows: Rows, data: Summary | None) -> tuple[float, float]:
        """(scale, offset) of a uniform scaling for other rows; ``data`` is their summary, wanted if `depends_on_values`.

        Where images, or values in [0, 1], were taken as such, the dtype tells what values mean: uint8 is an image of 0..255, floats
        are already scaled.
        """
        assert self.uniform is not None
        if not self.depends_on_values(rows):
            return self.uniform
        assert data is not None
        if rows.value_dtype.name == "uint8":
            return self._for_bytes(rows, data)
        if self.uniform[0] != 1.0 and (data.minimum < -SLACK or data.maximum > 1 + SLACK):
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
        """Whether `numbers_for` must look at the values: images under ``auto`` that are not of the training's kind."""
        if self.mode != "auto" or self.method not in (AS_IS, IMAGES):
            return False
        return rows.value_dtype.name != self.dtype or (self.dtype == "uint8" and self.method == AS_IS)

    @property
    def takes_bytes(self) -> bool:
        """Whether the training rows were images of bytes, taken as such."""
        return self.mode == "auto" and self.method == IMAGES

    def gives_bytes(self, dtype: str) -> bool:
        """Whether answers to rows of a dtype, in their units, are pixels of 0..255, which as floats would not be taken for such."""
        images = IMAGES if self.dtype == "uint8" else AS_IS
        return dtype == "uint8" and self.mode == "auto" and self.unit_range and self.method == images

    def with_numbers(self, scaled: tuple[float, float]) -> "InputScaling":
        """A uniform scaling by other numbers."""
        scale, offset = (np.full_like(self.scale, number) for number in scaled)
        return replace(self, scale=scale, offset=offset)

    def apply(self, table: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Raw rows (n, V) as the model sees them, in ``dtype``; what overflows becomes infinite."""
        with np.errstate(over="ignore", invalid="ignore"):
            x = table.astype(np.float64)
            if self.log.any():
                x[:, self.log] = np.sign(x[:, self.log]) * np.log1p(np.abs(x[:, self.log]))
            x *= self.scale
            x += self.offset
            return x.astype(dtype)

    def visible(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled values (n, V) as a picture shows them: in raw units where columns were scaled each in its own way."""
        return scaled if self.uniform is not None else self.undo(scaled.copy())

    def undo(self, out: np.ndarray, scaled: tuple[float, float] | None = None) -> np.ndarray:
        """``out`` (n, V), which holds scaled values, back in raw units, in place; ``scaled`` as `prepared` gave it."""
        if self.uniform is not None:
            return unscale(out, *(self.uniform if scaled is None else scaled))
        used = self.scale != 0
        out -= self.offset.astype(out.dtype)
        out /= np.where(used, self.scale, 1.0).astype(out.dtype)
        if self.log.any():
            largest = np.log1p(float(np.finfo(out.dtype).max)) - 1
            x = np.clip(out[:, self.log], -largest, largest)
            out[:, self.log] = np.sign(x) * np.expm1(np.abs(x))
        out[:, ~used] = self.constant[~used].astype(out.dtype)
        return out


_FIELDS = tuple(InputScaling.__dataclass_fields__)


def uniform_scaling(
    scaled: tuple[float, float], shape: tuple[int, ...], dtype: str, mode: str, method: str, unit_range: bool
) -> InputScaling:
    """One (scale, offset) for all columns of samples of a shape."""
    n_columns = int(np.prod(shape))
    scale, offset = (np.full(n_columns, float(number)) for number in scaled)
    return InputScaling(
        scale, offset, np.zeros(n_columns, bool), np.zeros(n_columns), tuple(shape), dtype, mode, method, unit_range
    )


def identity(shape: tuple[int, ...], dtype: str) -> InputScaling:
    """The scaling of codes of a shape, which are taken as they are."""
    return uniform_scaling((1.0, 0.0), shape, dtype, "none", AS_IS, False)


def unscale(out: np.ndarray, scale: float, offset: float) -> np.ndarray:
    """``out``, scaled by two numbers, back in raw units, in place."""
    if scale != 1.0 or offset != 0.0:
        out -= out.dtype.type(offset)
        out /= out.dtype.type(scale)
    return out
