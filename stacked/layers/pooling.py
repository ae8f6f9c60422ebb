"""Pooling, and the two ways back: upsampling, and unpooling to where the largest numbers were (Zeiler et al. 2011). No arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..kernels.engine.panels import POOLING, UNPOOLING, UPSAMPLING
from .base import Layer
from .maps import MapLayer, Shape


def _windows(n: int, window: int) -> int:
    return -(-n // window)


@dataclass(frozen=True)
class _Windowed(MapLayer):
    """Windows that do not overlap, of which the last ones may be cut at the border."""

    @property
    def large(self) -> Shape:
        """The map that is cut into windows."""
        return self.shape_out

    @property
    def small(self) -> Shape:
        """The map with a pixel a window."""
        return self.shape_in

    @property
    def reach(self) -> int:
        """The numbers of a window."""
        return self.kernel_height * self.kernel_width

    def check(self) -> None:
        """ValueError unless one map has a pixel for each window of the other."""
        super().check()
        expected = (
            _windows(self.large[0], self.kernel_height),
            _windows(self.large[1], self.kernel_width),
            self.large[2],
        )
        if self.small != expected:
            raise ValueError(f"expected a map of {expected} for windows of {self.large}, found {self.small}")

    @classmethod
    def of_attributes(cls, attributes: Mapping[str, Any]) -> "_Windowed":
        """The layer of which a file keeps these; ValueError where they do not go together."""
        layer = cls(**attributes)
        layer.check()
        return layer


@dataclass(frozen=True)
class Pooling(_Windowed):
    """The largest number of each window, channel by channel."""

    kind: ClassVar[str] = "pooling"
    code: ClassVar[int] = POOLING

    @property
    def large(self) -> Shape:
        """The inputs."""
        return self.shape_in

    @property
    def small(self) -> Shape:
        """The outputs."""
        return self.shape_out

    @classmethod
    def on(cls, shape: Shape, window: int) -> "Pooling":
        """The layer on maps of a shape; on maps of height 1 the window is one of the width."""
        high, wide = window if shape[0] > 1 or shape[1] == 1 else 1, window
        out = (_windows(shape[0], high), _windows(shape[1], wide), shape[2])
        return cls(shape[0] * shape[1] * shape[2], out[0] * out[1] * out[2], *shape, *out, high, wide)

    def upsampling(self) -> "Upsampling":
        """The layer back by copies."""
        return Upsampling(self.n_out, self.n_in, *self.shape_out, *self.shape_in, self.kernel_height, self.kernel_width)

    def unpooling(self, partner: int) -> "Unpooling":
        """The layer back by the places that the layer ``partner``, this one, chose."""
        sizes = (self.kernel_height, self.kernel_width, partner)
        return Unpooling(self.n_out, self.n_in, *self.shape_out, *self.shape_in, *sizes)


@dataclass(frozen=True)
class Upsampling(_Windowed):
    """Every pixel as often as its window has pixels."""

    kind: ClassVar[str] = "upsampling"
    code: ClassVar[int] = UPSAMPLING

    @classmethod
    def to(cls, channels: int, shape: tuple[int, int]) -> "Upsampling":
        """A single pixel spread over a whole map: of height 1, a code repeated at every step."""
        n = shape[0] * shape[1] * channels
        return cls(channels, n, 1, 1, channels, *shape, channels, *shape)


@dataclass(frozen=True)
class Unpooling(_Windowed):
    """Every number where the pooling layer ``partner``, an earlier one of the chain, found its window's largest; 0 elsewhere."""

    kind: ClassVar[str] = "unpooling"
    code: ClassVar[int] = UNPOOLING
    ATTRIBUTES: ClassVar[dict[str, type]] = {**MapLayer.ATTRIBUTES, "partner": int}

    partner: int

    @property
    def own(self) -> tuple[int, ...]:
        """Sizes, in the order of the kernels' table."""
        return (*super().own, 0, 0, 0, 0, self.partner)

    def moved(self, by: int) -> "Unpooling":
        """This layer where the chain has so many layers more before its partner."""
        return replace(self, partner=self.partner + by)

    def needs_from(self, index: int) -> int:
        """Its partner."""
        return self.partner

    def check_after(self, earlier: Sequence[Layer]) -> None:
        """ValueError unless the partner is one of these, and pools what this layer answers with."""
        super().check_after(earlier)
        other = earlier[self.partner] if 0 <= self.partner < len(earlier) else None
        if not isinstance(other, Pooling):
            found = "no layer before this one" if other is None else f"a {other.kind} layer"
            raise ValueError(f"expected a pooling layer as partner {self.partner}, found {found}")
        mine = (self.shape_out, self.shape_in, self.kernel_height, self.kernel_width)
        if mine != (other.shape_in, other.shape_out, other.kernel_height, other.kernel_width):
            raise ValueError(f"its partner {self.partner} pools maps of {other.shape_in}, or by other windows")
