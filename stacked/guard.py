"""Checks before training that data and units fit each other, and during training that the loss stays sane."""

import math
from itertools import pairwise
from typing import Any

from .data import Rows, Summary
from .errors import DataError, DivergedError, SettingError
from .scaling import InputScaling

EXPLODED = 10.0  # times the loss of the first minibatches
_SLACK = 1e-6
UNIT_RANGE = ("bernoulli", "sigmoid")  # visible kinds and output activations that model values in [0, 1]


def check_range(kind: str, scaling: InputScaling, summary: Summary, where: str) -> None:
    """The scaled data must lie in the range that the visible units or outputs can represent."""
    low = summary.minimum * scaling.scale + scaling.offset
    high = summary.maximum * scaling.scale + scaling.offset
    if kind in UNIT_RANGE and (low < -_SLACK or high > 1 + _SLACK):
        raise DataError(
            f"{where}: {kind} units expect data in [0, 1], found [{low:.6g}, {high:.6g}];"
            " set scaling='minmax', or use gaussian visible units (linear outputs)"
        )
    if kind == "tanh" and (low < -1 - _SLACK or high > 1 + _SLACK):
        raise DataError(
            f"{where}: tanh outputs expect data in [-1, 1], found [{low:.6g}, {high:.6g}]; rescale the data"
        )
    if kind in ("relu", "softplus") and low < -_SLACK:
        raise DataError(f"{where}: {kind} outputs expect data of at least 0, found {low:.6g}; set scaling='minmax'")


def check_width(rows: Rows, expected: int) -> None:
    """Rows given to a fitted model must have its number of features."""
    if rows.n_columns != expected:
        raise DataError(
            f"{rows.name}: X has {rows.n_columns} features, but the model is expecting {expected} features as input"
        )


def check_chain(units: list[Any]) -> None:
    """Each unit's visible side must be able to model the codes of the unit below, so that unrolling changes no activation."""
    for index, (below, above) in enumerate(pairwise(units), start=1):
        code, visible = below.code_activation, above.output_activation
        fits = {"sigmoid": ("sigmoid", "linear"), "tanh": ("tanh", "linear"), "relu": ("relu", "linear", "softplus")}
        fits["softplus"] = fits["relu"]
        if visible not in fits.get(code, ("linear",)):
            raise SettingError(
                f"unit {index}: its visible side is {visible}, which cannot model the {code} codes of unit {index - 1};"
                f" choose units whose activations agree (here one of: {', '.join(fits.get(code, ('linear',)))})"
            )


def trivial_loss(data: Summary, scale: float) -> float:
    """Squared error per sample of answering every value with the mean of all values of the scaled data."""
    return (data.std * scale) ** 2 * len(data.column_mean)


class LossGuard:
    """Stops a run whose loss is not finite or exceeds `EXPLODED` times that of the first minibatches.

    ``floor`` is the loss of a trivial answer (see `trivial_loss`): a run that starts far below it has not exploded when it
    comes back to it.
    """

    def __init__(self, where: str, setting: str, floor: float, reference: float | None = None):
        self.where, self.setting, self.floor, self.reference = where, setting, floor, reference

    def check(self, loss: float, epoch: int) -> None:
        """``loss`` per sample of some minibatches of an epoch."""
        if self.reference is None and math.isfinite(loss):
            self.reference = loss
        if math.isfinite(loss) and (self.reference is None or loss <= EXPLODED * max(self.reference, self.floor)):
            return
        found = f"exploded from {self.reference:.4g} to {loss:.4g}" if math.isfinite(loss) else f"became {loss}"
        raise DivergedError(
            f"{self.where}, epoch {epoch + 1}: the loss {found}; lower {self.setting}. The last good weights were kept"
        )
