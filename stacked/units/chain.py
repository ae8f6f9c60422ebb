"""The layers of units, alone and one unit on another."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

from ..errors import SettingError
from ..layers import Layer
from ..layers.base import SampleShape


class Halves(NamedTuple):
    """A unit's layers from its input to its code, and those back to its input; each at least one.

    Ties, and other layers that a layer names, count through both, as the unit's own network has them.
    """

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]

    @property
    def whole(self) -> tuple[Layer, ...]:
        """All layers, in the order in which they are applied."""
        return self.encoder + self.decoder

    @property
    def n_code(self) -> int:
        """Width of the code."""
        return self.encoder[-1].n_out

    @property
    def code_shape(self) -> SampleShape:
        """Shape of the code: of feature maps (height, width, channels), of states (steps, numbers)."""
        return self.encoder[-1].code_shape

    def untied(self) -> "Halves":
        """The same, every layer with weights of its own."""
        return Halves(*(tuple(layer.untied() for layer in half) for half in self))


class Layered(Protocol):
    """What has layers for samples of any shape that it can take."""

    def layers(self, shape: SampleShape) -> Halves:
        """The layers on samples of a shape."""


def chained(units: Iterable[Layered], shape: SampleShape) -> list[Halves]:
    """The layers of each unit, untied, the lowest on samples of a shape and each other one on the codes of the one below."""
    found: list[Halves] = []
    for index, unit in enumerate(units):
        halves = unit.layers(shape).untied()
        if found:
            _check_meeting(index, found[-1].encoder[-1], halves.encoder[0])
        found.append(halves)
        shape = halves.code_shape
    return found


def _check_meeting(index: int, below: Layer, above: Layer) -> None:
    """SettingError for a unit that would read the maps below it in another shape; messages count units from 1."""
    try:
        above.check_after([below])
    except ValueError:
        if above.takes_sequences:
            raise SettingError(
                f"units: expected sequences below unit {index + 1}, which is recurrent, found {below.shape_out} of unit {index};"
                " put a unit with one code a sequence last"
            ) from None
        if below.takes_sequences:
            raise SettingError(
                f"units: expected images or maps below unit {index + 1}, a convolution, found what unit {index} gives, which is"
                " recurrent; let convolutions follow convolutions, or the data"
            ) from None
        raise SettingError(
            f"sample_shape: expected {below.shape_out}, the maps that unit {index} gives, found {above.shape_in} of unit"
            f" {index + 1}; leave it out"
        ) from None


def code_layer(encoder: Sequence[Layer]) -> int:
    """Index of the layer that makes the code, of which a pooling layer on top of it only chooses numbers."""
    return max(index for index, layer in enumerate(encoder) if layer.kind != "pooling")


def encoders(chain: Iterable[Halves]) -> list[Layer]:
    """From the data to the code of the uppermost unit."""
    return [layer for halves in chain for layer in halves.encoder]


def decoders(chain: list[Halves]) -> list[Layer]:
    """From that code back to the data; what they name by index is where `encoders` has it."""
    starts = accumulate((len(halves.encoder) for halves in chain), initial=0)
    placed = list(zip(chain, starts, strict=False))
    return [layer.moved(start) for halves, start in reversed(placed) for layer in halves.decoder]
