"""Layers on maps: (height, width, channels) in, channels last, and the same out. A sequence of T steps is (1, T, channels)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .base import Layer

Shape = tuple[int, int, int]  # height, width, channels


@dataclass(frozen=True)
class MapLayer(Layer):
    """Sizes of the maps that go in and come out, and of the kernel or window; a kind says what is done."""

    ATTRIBUTES: ClassVar[dict[str, type]] = {
        name: int
        for name in (
            "n_in", "n_out", "height", "width", "channels", "out_height", "out_width", "out_channels", "kernel_height",
            "kernel_width",
        )
    }  # fmt: skip

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    kernel_height: int
    kernel_width: int

    @property
    def shape_in(self) -> Shape:
        """Height, width and channels of the inputs."""
        return self.height, self.width, self.channels

    @property
    def shape_out(self) -> Shape:
        """Height, width and channels of the outputs."""
        return self.out_height, self.out_width, self.out_channels

    @property
    def own(self) -> tuple[int, ...]:
        """Sizes, in the order of the kernels' table."""
        return (*self.shape_in, *self.shape_out, self.kernel_height, self.kernel_width)

    @property
    def n_kept(self) -> int:
        """Numbers of a row that training keeps from the way forward to the way back."""
        return self.n_in + self.n_out

    def check_after(self, earlier: Sequence[Layer]) -> None:
        """ValueError unless the layer takes what the last of these gives: a map of one shape only as a map of that shape."""
        super().check_after(earlier)
        if earlier and isinstance(earlier[-1], MapLayer) and earlier[-1].shape_out != self.shape_in:
            raise ValueError(f"takes maps of {self.shape_in}, but the layer below gives {earlier[-1].shape_out}")

    def check(self) -> None:
        """ValueError unless the sizes are those of the maps."""
        for name, n, shape in (("n_in", self.n_in, self.shape_in), ("n_out", self.n_out, self.shape_out)):
            if min(shape) < 1 or n != shape[0] * shape[1] * shape[2]:
                raise ValueError(f"{name}: expected the numbers of a map {shape}, found {n}")
        if self.kernel_height < 1 or self.kernel_width < 1:
            raise ValueError(f"expected a kernel of at least 1 x 1, found {self.kernel_height} x {self.kernel_width}")
