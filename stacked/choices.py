"""What was chosen because nobody said it, told once through the logger ``stacked.choices``, with the setting that changes it."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .data import Rows
    from .scaling import InputScaling
    from .units.base import Unit

CHOICES = "stacked.choices"
LOGGER = logging.getLogger(CHOICES)


def tell_scaling(given: "Rows", scaling: "InputScaling", sequences: bool) -> None:
    """How rows were scaled under auto, if they were, and what their shape, or being ``sequences``, has to do with it."""
    from .scaling import AS_IS  # here, for the command line's help knows the logger by name

    if scaling.mode == "auto" and scaling.method != AS_IS:
        LOGGER.info("%s: scaling='auto': %s%s", given.name, scaling.method, _taken_as(given, scaling, sequences))


def _taken_as(given: "Rows", scaling: "InputScaling", sequences: bool) -> str:
    """Why columns of a table are not scaled as they would be under dense units."""
    if sequences:
        return ", alike at all steps"
    if len(given.sample_shape) < len(scaling.sample_shape):
        return f", as samples of {' x '.join(map(str, scaling.sample_shape))}"
    return ""


def tell_shape(given: "Rows", taken: "Rows") -> None:
    """In which shape samples were taken that were given flat, if the unit minds."""
    if len(given.sample_shape) == 1 < len(taken.sample_shape) and taken.sample_shape[0] == 1:
        LOGGER.info(
            "%s: flat rows of %d numbers are taken for signals, maps of 1 x %d; images need sample_shape",
            given.name, given.n_columns, given.n_columns,
        )  # fmt: skip


def tell_units(units: "Sequence[Unit]", asked: str) -> None:
    """Which units suit the data, if the kind was not asked for."""
    if asked == "auto":
        lowest, sizes = units[0], "-".join(str(unit.n_hidden) for unit in units)
        kinds = ", ".join(dict.fromkeys(type(unit).__name__ for unit in units))
        codes = ", ".join(dict.fromkeys(unit.code_activation for unit in units))
        LOGGER.info(
            "unit='auto' makes %s units: %s, codes %s, outputs %s", kinds, sizes, codes, lowest.output_activation,
        )  # fmt: skip
