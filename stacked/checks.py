"""Checks before training, and before use, that data and units fit each other."""

from itertools import pairwise
from typing import Any

from .activations import ACTIVATIONS
from .data import Rows, Summary
from .errors import DataError, SettingError
from .scaling import SLACK


def check_range(kind: str, scaled: tuple[float, float], summary: Summary, where: str, fitted: bool = False) -> None:
    """The data, scaled by two numbers, must lie in the range of outputs of activation ``kind`` (sigmoid: Bernoulli visible units).

    ``fitted`` says that they are for a model that has been trained on others: to change a setting would be too late.
    """
    scale, offset = scaled
    low, high = summary.minimum * scale + offset, summary.maximum * scale + offset
    known = ACTIVATIONS[kind]
    if not (low < known.low - SLACK or high > known.high + SLACK):
        return
    expected, found = f"of at least {known.low}", f"{low:.6g}"
    if known.bounded:
        expected, found = f"in [{known.low}, {known.high}]", f"[{low:.6g}, {high:.6g}]"
    advice = known.remedy
    if fitted:
        advice = "these are beyond the range of the training data; give data in the units of those"
    raise DataError(f"{where}: {kind} {known.called} expect data {expected}, found {found}; {advice}")


def check_width(rows: Rows, expected: int) -> None:
    """Rows given to a fitted model must have its number of features."""
    if rows.n_columns != expected:
        raise DataError(
            f"{rows.name}: X has {rows.n_columns} features, but the model is expecting {expected} features as input"
        )


def check_chain(units: list[Any]) -> None:
    """Each unit's visible side must be able to model the codes of the unit below, so that unrolling changes no activation."""
    for index, (below, above) in enumerate(pairwise(units), start=2):
        code, visible = below.code_activation, above.output_activation
        fits = ACTIVATIONS[code].modelled_by
        if visible not in fits:
            raise SettingError(
                f"unit {index}: its visible side is {visible}, which cannot model the {code} codes of unit {index - 1};"
                f" choose units whose activations agree (here one of: {', '.join(fits)})"
            )


def require_images(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The first of the shapes of samples that is an image's, (height, width) or (height, width, channels); else a DataError.

    Rows may be told flat, while the model knows the shape that it was trained on.
    """
    for shape in shapes:
        if len(shape) in (2, 3):
            return shape
    raise DataError(
        f"{name}: expected images, samples of (height, width) or (height, width, channels), found samples of shape {shapes[0]};"
        " give an array (n, height, width)"
    )
