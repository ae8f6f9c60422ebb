"""Checks before training, and before use, that data and units fit each other."""

from itertools import pairwise
from typing import Any

from .data import Rows, Summary
from .errors import DataError, SettingError
from .scaling import SLACK, InputScaling


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
