"""The guard of a run: its loss must stay finite, and not far above that of a constant answer."""

import math

import numpy as np

from ..data import Summary
from ..errors import DivergedError

EXPLODED = 10.0
WORSE, HUGE = 1.25, 100.0
LEAST = 0.01  # a squared value of data is taken for so much at least: those of units are of the order of one


def trivial_loss(loss: str, data: Summary, scaled: tuple[float, float], n_classes: int = 0) -> float:
    """Loss per sample of one constant answer: the mean of all values of the scaled data, or equal probabilities."""
    if loss == "softmax_cross_entropy":
        return math.log(n_classes)
    scale, offset = scaled
    if loss == "cross_entropy":
        p = min(max(data.mean * scale + offset, 1e-3), 1 - 1e-3)
        return -(p * math.log(p) + (1 - p) * math.log(1 - p)) * len(data.column_mean)
    squared_error = _square(data.std * scale) * len(data.column_mean)
    if loss == "gaussian_nll":
        return 0.5 * (squared_error + math.log(2 * math.pi) * len(data.column_mean))
    return squared_error


def careless_loss(loss: str, data: Summary, scaled: tuple[float, float], bounded: bool) -> float:
    """Loss per sample of an answer that knows nothing of the data but their size: zero, or the middle of bounded outputs.

    Data that hardly vary, as codes may, have a starting and a `trivial_loss` near 0, which any answer exceeds many times over.
    """
    scale, offset = scaled
    if loss == "cross_entropy":
        return math.log(2) * len(data.column_mean)
    if loss != "squared_error":
        return 0.0  # that of a constant answer is never near 0
    square = _square(data.mean * scale + offset) + _square(data.std * scale)
    return max(square, 0.25 if bounded else LEAST) * len(data.column_mean)


def _square(value: float) -> float:
    return value * value  # infinite where a power would raise an error


class LossGuard:
    """Stops a run whose loss is not finite or explodes.

    It explodes when it exceeds `EXPLODED` times ``reference``, that of the starting network, ``trivial``, that of a constant
    answer, or ``careless``, that of an answer of the data's size, whichever is most. Bounded outputs (``bounded``) cannot err so
    much: they have exploded, too, when a whole epoch is worse than the constant answer by `WORSE` while the largest weight exceeds
    `HUGE`.
    """

    def __init__(self, where: str, remedy: str, trivial: float, bounded: bool, reference: float, careless: float = 0.0):
        self.where, self.remedy, self.trivial, self.bounded = where, remedy, trivial, bounded
        self.reference, self.careless = reference, careless

    def check(self, loss: float, epoch: int) -> None:
        """``loss`` per sample of some minibatches of an epoch."""
        if not math.isfinite(loss):
            self._stop(epoch, f"the loss became {loss}")
        if loss > EXPLODED * max(self.reference, self.trivial, self.careless):
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
