"""The layers of units, alone and one unit on another."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ..layers import Layer


class Halves(NamedTuple):
    """A unit's layers from its input to its code, and those back to its input; each at least one.

    Ties count through both, as the unit's own network has them.
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

    def untied(self) -> "Halves":
        """The same, every layer with weights of its own."""
        return Halves(*(tuple(layer.untied() for layer in half) for half in self))


class Layered(Protocol):
    """What has layers for an input of any width."""

    def layers(self, n_visible: int) -> Halves:
        """The layers on ``n_visible`` inputs."""


def chained(units: Iterable[Layered], n_visible: int) -> list[Halves]:
    """The layers of each unit, untied, the lowest on ``n_visible`` inputs and each other one on the codes of the one below."""
    found = []
    for unit in units:
        found.append(unit.layers(n_visible).untied())
        n_visible = found[-1].n_code
    return found


def encoders(chain: Iterable[Halves]) -> list[Layer]:
    """From the data to the code of the uppermost unit."""
    return [layer for halves in chain for layer in halves.encoder]


def decoders(chain: list[Halves]) -> list[Layer]:
    """From that code back to the data."""
    return [layer for halves in reversed(chain) for layer in halves.decoder]
