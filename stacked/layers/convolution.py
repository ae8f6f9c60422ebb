"""Convolutions ``y = activation(x * weight + bias)`` on maps, and their transposes, which go back to the size they came from.

weight (kernel rows, kernel columns, channels in, channels out) of a convolution:

    y[i, j, f] = sum over p, q, c of x[i stride + p - pad_top, j stride + q - pad_left, c] weight[p, q, c, f], x being 0 outside

A transposed one mirrors a convolution and has the weight (kernel rows, kernel columns, channels out, channels in) of that one:

    y[i stride + p - pad_top, j stride + q - pad_left, c] = the sum of x[i, j, f] weight[p, q, c, f] over all that lead there

Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..activations import ACTIVATIONS
from ..kernels.arithmetic.random import Key, fill_uniform_matrix
from ..kernels.engine.panels import CONVOLUTION, TRANSPOSED_CONVOLUTION
from ..settings import MAX_KERNEL
from .base import Shapes
from .maps import MapLayer, Shape


@dataclass(frozen=True)
class _Convolving(MapLayer):
    """What both kinds have."""

    ATTRIBUTES: ClassVar[dict[str, type]] = {
        **MapLayer.ATTRIBUTES,
        **dict.fromkeys(("stride_height", "stride_width", "pad_top", "pad_left"), int),
        "activation": str,
    }

    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int
    activation: str = field()
    tied_to: int | None = field(default=None, kw_only=True)

    @property
    def own(self) -> tuple[int, ...]:
        """Sizes, in the order of the kernels' table."""
        return (*super().own, self.stride_height, self.stride_width, self.pad_top, self.pad_left)

    @property
    def large(self) -> Shape:
        """The map that kernels are laid over."""
        return self.shape_in

    @property
    def small(self) -> Shape:
        """The map that has a pixel for each place of a kernel."""
        return self.shape_out

    @property
    def weights(self) -> Shapes:
        """One array."""
        return {"weight": (self.kernel_height, self.kernel_width, self.large[2], self.small[2])}

    @property
    def owner_weights(self) -> Shapes:
        """The same array: tied layers read it as it lies."""
        return self.weights

    def of_owner(self, view: np.ndarray) -> np.ndarray:
        """The view as it is."""
        return view

    @property
    def biases(self) -> Shapes:
        """One number a channel of the outputs."""
        return {"bias": (self.out_channels,)}

    def output_bias(self, values: np.ndarray) -> np.ndarray:
        """Means over the pixels, channel by channel."""
        return values.reshape(-1, self.out_channels).mean(axis=0)

    @property
    def reach(self) -> int:
        """The numbers under a kernel, of the map that has more channels."""
        return self.kernel_height * self.kernel_width * max(self.channels, self.out_channels)

    def draw(self, arrays: Mapping[str, np.ndarray], key: Key, index: int) -> None:
        """Weights uniform in the range that `activations` gives for as many inputs and outputs as a number has; biases stay 0."""
        weight = arrays["weight"]
        n_taps = self.kernel_height * self.kernel_width
        numbers = np.empty((n_taps * weight.shape[2], weight.shape[3]), weight.dtype)
        fill_uniform_matrix(key, index, 0, numbers)
        spread = ACTIVATIONS[self.activation].spread
        weight[:] = ((2 * numbers - 1) * spread(*self._fans(n_taps))).reshape(weight.shape)

    def _fans(self, n_taps: int) -> tuple[int, int]:
        share = max(1, n_taps // (self.stride_height * self.stride_width))  # of the taps reach a pixel of the large map
        large, small = self.large[2] * n_taps, self.small[2] * share
        return (large, small) if self.large == self.shape_in else (small, large)

    def check(self) -> None:
        """ValueError unless the sizes go together: every pixel of the small map must see one of the large map."""
        super().check()
        for name, size, n, kernel, stride, pad in (
            ("height", self.large[0], self.small[0], self.kernel_height, self.stride_height, self.pad_top),
            ("width", self.large[1], self.small[1], self.kernel_width, self.stride_width, self.pad_left),
        ):
            if stride < 1 or not 0 <= pad < kernel:
                raise ValueError(f"{name}: expected a stride of at least 1 and padding below the kernel's {kernel}")
            if kernel > size + 2 * kernel or (n - 1) * stride - pad >= size or kernel > MAX_KERNEL:
                raise ValueError(f"{name}: {n} places of a kernel of {kernel} by {stride} do not fit {size} pixels")

    @classmethod
    def of_attributes(cls, attributes: Mapping[str, Any]) -> "_Convolving":
        """The layer, untied, of which a file keeps these; ValueError where they do not go together."""
        layer = cls(**attributes)
        layer.check()
        return layer


@dataclass(frozen=True)
class Convolution(_Convolving):
    """From a large map to a small one; of height 1 it is a convolution over time."""

    kind: ClassVar[str] = "convolution"
    code: ClassVar[int] = CONVOLUTION

    @classmethod
    def on(
        cls, shape: Shape, filters: int, kernel: int, stride: int = 1, padding: str = "same", activation: str = "relu"
    ) -> "Convolution":
        """The layer on maps of a shape. ``padding`` "same" gives ceil(n / stride) pixels, "valid" no kernel beyond the border.

        On maps of height 1 the kernel and the stride are those of the width. ValueError where nothing is left.
        """
        sizes = [_places(n, kernel, stride, padding) if n > 1 or shape[1] == 1 else (1, 1, 1, 0) for n in shape[:1]]
        sizes.append(_places(shape[1], kernel, stride, padding))
        (high, kernel_high, stride_high, top), (wide, kernel_wide, stride_wide, left) = sizes
        n_in, n_out = shape[0] * shape[1] * shape[2], high * wide * filters
        return cls(
            n_in, n_out, activation, *shape, high, wide, filters, kernel_high, kernel_wide, stride_high, stride_wide, top, left
        )  # fmt: skip

    def mirror(self, activation: str, tied_to: int | None = None) -> "TransposedConvolution":
        """The layer back to the maps that this one reads."""
        sizes = (
            self.kernel_height,
            self.kernel_width,
            self.stride_height,
            self.stride_width,
            self.pad_top,
            self.pad_left,
        )
        return TransposedConvolution(
            self.n_out, self.n_in, activation, *self.shape_out, *self.shape_in, *sizes, tied_to=tied_to
        )  # fmt: skip


def _places(n: int, kernel: int, stride: int, padding: str) -> tuple[int, int, int, int]:
    """Places of a kernel along ``n`` pixels, the kernel, the stride, and how far the first one begins before the first pixel."""
    if padding == "same":
        return -(-n // stride), kernel, stride, (kernel - 1) // 2
    if kernel > n:
        raise ValueError(f"a kernel of {kernel} does not fit {n} pixels; use a smaller one, or padding='same'")
    return (n - kernel) // stride + 1, kernel, stride, 0


@dataclass(frozen=True)
class TransposedConvolution(_Convolving):
    """From a small map to a large one, of the size of the map that the convolution which it mirrors reads."""

    kind: ClassVar[str] = "transposed_convolution"
    code: ClassVar[int] = TRANSPOSED_CONVOLUTION

    @property
    def large(self) -> Shape:
        """The outputs."""
        return self.shape_out

    @property
    def small(self) -> Shape:
        """The inputs."""
        return self.shape_in
