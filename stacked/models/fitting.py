"""Whether all units of a stack fit the data, and each other, seen before anything trains."""

from collections.abc import Sequence
from typing import Any

from ..errors import SettingError
from ..layers.base import SampleShape
from ..network import require_parameters
from ..scaling import Prepared
from ..units.base import Unit
from ..units.chain import Halves, chained
from ..units.layer_text import called, in_marks


def check_fit(units: Sequence[Unit], prepared: Prepared, precision: str, asked: Any = None) -> None:
    """SettingError for a unit that cannot read the training rows, or what is below it, or whose parameters memory does not take.

    Units that were ``asked`` for by texts are called by these.
    """
    shape = prepared.rows.sample_shape
    for index, (unit, text) in enumerate(zip(units, asked or [], strict=False)):
        shape = _code_shape(unit, shape, index, text)
    chain, shape = chained(units, prepared.rows.sample_shape), prepared.rows.sample_shape
    for unit, halves in zip(units, chain, strict=True):
        require_parameters(unit.layers(shape).whole, precision)
        shape = halves.code_shape
    at = _without_ends(units, chain)
    if at and prepared.data.ragged:
        raise SettingError(
            f"units: expected units for sequences of unequal length above unit {at}, found unit {at + 1},"
            f" {type(units[at]).__name__}; put one with one code a sequence there, or below it: SequenceAutoencoder, in --layers G"
            " or L"
        )


def _code_shape(unit: Unit, shape: SampleShape, index: int, text: Any) -> SampleShape:
    """The shape of a unit's codes on samples of a shape; SettingError that names the text by which it was asked for, if it was."""
    try:
        return unit.layers(shape).code_shape
    except SettingError as error:
        if not isinstance(text, str):
            raise
        raise SettingError(f"{called(index, text)}: {in_marks(str(error), text)}") from None


def _without_ends(units: Sequence[Unit], chain: Sequence[Halves]) -> int:
    """Number of the first unit that reads a code for each step of the data and cannot tell where they end; 0 if there is none."""
    for index, (unit, halves) in enumerate(zip(units, chain, strict=True)):
        if not unit.takes_sequences:
            return index
        if len(halves.code_shape) < 2:
            break
    return 0
