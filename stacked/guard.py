"""Checks before training that data and units fit each other, and during training that the loss stays sane."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from .data import Rows, Summary
from .errors import DataError, DivergedError, SettingError
from .scaling import SLACK, InputScaling

EXPLODED = 10.0
WORSE, HUGE = 1.25, 100.0


def check_range(kind: str, scaling: InputScaling, summary: Summary, where: str) -> None:
    """The scaled data must lie in the range of outputs of activation ``kind`` (sigmoid: Bernoulli visible units)."""
    low = summary.minimum * scaling.scale + scaling.offset
    high = summary.maximum * scaling.scale + scaling.offset
    if kind == "sigmoid" and (low < -SLACK or high > 1 + SLACK):
        advice = "set scaling='minmax', or use gaussian visible units (linear outputs)"
        if scaling.mode not in ("auto", "none"):
            advice = "these are beyond the range of the training data"
        raise DataError(f"{where}: {kind} units expect data in [0, 1], found [{low:.6g}, {high:.6g}]; {advice}")
    if kind == "tanh" and (low < -1 - SLACK or high > 1 + SLACK):
        raise DataError(
            f"{where}: tanh outputs expect data in [-1, 1], found [{low:.6g}, {high:.6g}]; rescale the data"
        )
    if kind in ("relu", "softplus") and low < -SLACK:
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


def trivial_loss(loss: str, data: Summary, scaled: tuple[float, float], n_classes: int = 0) -> float:
    """Loss per sample of one constant answer: the mean of all values of the scaled data, or equal probabilities."""
    if loss == "softmax_cross_entropy":
        return math.log(n_classes)
    scale, offset = scaled
    if loss == "cross_entropy":
        p = min(max(data.mean * scale + offset, 1e-3), 1 - 1e-3)
        return -(p * math.log(p) + (1 - p) * math.log(1 - p)) * len(data.column_mean)
    return (data.std * scale) ** 2 * len(data.column_mean)


class LossGuard:
    """Stops a run whose loss is not finite or explodes.

    It explodes when it exceeds `EXPLODED` times ``reference``, that of the starting network, or ``trivial``, that of a constant
    answer, whichever is more. Bounded outputs (``bounded``) cannot err so much: they have exploded, too, when a whole epoch is
    worse than the constant answer by `WORSE` while the largest weight exceeds `HUGE`.
    """

    def __init__(self, where: str, remedy: str, trivial: float, bounded: bool, reference: float):
        self.where, self.remedy, self.trivial, self.bounded = where, remedy, trivial, bounded
        self.reference = reference

    def check(self, loss: float, epoch: int) -> None:
        """``loss`` per sample of some minibatches of an epoch."""
        if not math.isfinite(loss):
            self._stop(epoch, f"the loss became {loss}")
        if loss > EXPLODED * max(self.reference, self.trivial):
            self._stop(epoch, f"the loss exploded from {self.reference:.4g} to {loss:.4g}")

    def check_epoch(self, loss: float, params: np.ndarray, n_weights: int, epoch: int) -> None:
        """``loss`` per sample of a whole epoch, and the parameters at its end, weights first."""
        self.check(loss if np.isfinite(params).all() else math.nan, epoch)
        largest = float(np.abs(params[:n_weights]).max())
        if self.bounded and loss > WORSE * self.trivial and largest > HUGE:
            self._stop(
                epoch, f"weights exploded to {largest:.4g} and the loss of {loss:.4g} is worse than a constant answer's"
            )

    def _stop(self, epoch: int, found: str) -> None:
        raise DivergedError(f"{self.where}, epoch {epoch + 1}: {found}; {self.remedy}. The last good weights were kept")
