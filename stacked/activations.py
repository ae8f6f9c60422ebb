"""What is known of each activation, in one table: range, start values, and which outputs can model its codes.

The arithmetic is in `kernels.arithmetic.activations`. Starting weights are uniform after Glorot & Bengio 2010 (sigmoid: 4 times as
wide; rectified ones: He et al. 2015).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

MARGIN = 1e-3  # a mean is kept this far from an end of the range that no finite bias answers with


@dataclass(frozen=True)
class Activation:
    """Facts about an activation.

    ``low`` and ``high`` bound its outputs, and so the data that it can model; ``modelled_by`` names the outputs that can model it
    as a code, the best first; ``spread(n_in, n_out)`` is how far starting weights reach from zero; ``bias_for(mean)`` is its
    inverse, for means at least ``margin`` inside the range. ``of_units`` tells whether a unit may have it.
    """

    low: float
    high: float
    modelled_by: tuple[str, ...]
    spread: Callable[[int, int], float]
    bias_for: Callable[[Any], Any]
    margin: float = 0.0
    called: str = "outputs"  # in messages about data
    remedy: str = ""  # for data out of range
    of_units: bool = True

    @property
    def bounded(self) -> bool:
        """Whether no output can be too large to be right."""
        return self.high < inf


def _glorot(n_in: int, n_out: int) -> float:
    return sqrt(6.0 / (n_in + n_out))


def _wide(n_in: int, n_out: int) -> float:
    return 4.0 * _glorot(n_in, n_out)


def _he(n_in: int, n_out: int) -> float:
    return sqrt(6.0 / n_in)


def _same(mean: Any) -> Any:
    return mean


def _logit(mean: Any) -> Any:
    import numpy as np  # here, for the command line's help reads the names in this table

    return np.log(mean) - np.log1p(-mean)


def _arctanh(mean: Any) -> Any:
    import numpy as np

    return np.arctanh(mean)


def _inverse_softplus(mean: Any) -> Any:
    import numpy as np

    return mean + np.log(-np.expm1(-mean))


_MINMAX = "set scaling='minmax'"
_OTHER_UNITS = f"{_MINMAX}, or use gaussian visible units (linear outputs)"
# Linear outputs last: a decoder that is linear all through is no better than principal components.
ACTIVATIONS = {
    "sigmoid": Activation(0, 1, ("sigmoid", "linear"), _wide, _logit, MARGIN, "units", _OTHER_UNITS),
    "tanh": Activation(-1, 1, ("tanh", "linear"), _glorot, _arctanh, MARGIN, remedy="rescale the data"),
    "relu": Activation(0, inf, ("relu", "softplus", "linear"), _he, _same, remedy=_MINMAX),
    "softplus": Activation(0, inf, ("softplus", "relu", "linear"), _he, _inverse_softplus, MARGIN, remedy=_MINMAX),
    "linear": Activation(-inf, inf, ("linear",), _glorot, _same),
    "softmax": Activation(0, 1, (), _glorot, _logit, MARGIN, of_units=False),
}
UNIT_ACTIVATIONS = tuple(name for name, activation in ACTIVATIONS.items() if activation.of_units)
