"""Whether all units of a stack fit the data, and each other, seen before anything trains."""

from collections.abc import Sequence

from ..errors import SettingError
from ..network import require_parameters
from ..scaling import Prepared
from ..units.base import Unit
from ..units.chain import Halves, chained


def check_fit(units: Sequence[Unit], prepared: Prepared, precision: str) -> None:
    """SettingError for a unit that cannot read the training rows, or what is below it, or whose parameters memory does not take."""
    chain, shape = chained(units, prepared.rows.sample_shape), prepared.rows.sample_shape
    for unit, halves in zip(units, chain, strict=True):
        require_parameters(unit.layers(shape).whole, precision)
        shape = halves.code_shape
    at = _without_ends(units, chain)
    if at and prepared.data.ragged:
        raise SettingError(
            f"units: expected units for sequences of unequal length above unit {at - 1}, found unit {at},"
            f" {type(units[at]).__name__}; put one with one code a sequence there, or below it: SequenceAutoencoder, in --layers G"
            " or L"
        )


def _without_ends(units: Sequence[Unit], chain: Sequence[Halves]) -> int:
    """Number of the first unit that reads a code for each step of the data and cannot tell where they end; 0 if there is none."""
    for index, (unit, halves) in enumerate(zip(units, chain, strict=True)):
        if not unit.takes_sequences:
            return index
        if len(halves.code_shape) < 2:
            break
    return 0
