"""Recurrent layers on sequences, maps (1, T, D): the states h_t of a GRU or an LSTM from inputs x_t, t = 1 to T, and h_0 = 0.

weight (D, gates * H), recurrent_weight (H, gates * H), gates side by side in the order in which torch has them. With s the logistic
function and * number by number, x W_r meaning the columns of weight that belong to gate r, and so on:

    GRU, gates r, z, n, bias (2, 3 H)                            LSTM, gates i, f, g, o, bias (4 H,)

    r = s(x W_r + bias[0]_r + h U_r + bias[1]_r)                 i = s(x W_i + h U_i + bias_i), f and o alike
    z = s(x W_z + bias[0]_z + h U_z + bias[1]_z)                 g = tanh(x W_g + h U_g + bias_g)
    n = tanh(x W_n + bias[0]_n + r * (h U_n + bias[1]_n))        c' = f * c + i * g
    h' = (1 - z) * n + z * h                                     h' = o * tanh(c')

Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", with r after the product as in cuDNN; Hochreiter &
Schmidhuber 1997, "Long short-term memory", and Gers et al. 2000 for its forget gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, ClassVar, TypeVar

import numpy as np

from ..kernels.arithmetic.activations import LINEAR
from ..kernels.arithmetic.random import Key, fill_uniform_matrix
from ..kernels.engine import panels
from .base import SampleShape, Shapes
from .maps import MapLayer, Shape

Self = TypeVar("Self", bound="Recurrent")


@dataclass(frozen=True)
class Recurrent(MapLayer):
    """What both cells have. ``out_width`` is T, all states, or 1, the last one.

    With ``backwards`` 1 steps are taken from the last to the first; states are still in the order of the inputs. With ``whole`` 1
    all steps are taken, wherever sequences that the network reads end.
    """

    ATTRIBUTES: ClassVar[dict[str, type]] = {**MapLayer.ATTRIBUTES, "backwards": int, "whole": int}
    GATES: ClassVar[int]

    backwards: int
    whole: int = 0
    activation: str = field(default="tanh", init=False)  # states lie in its range; what it is made of is the cell's own

    @classmethod
    def on(
        cls: type[Self], shape: Shape, n_hidden: int, last: bool = False, backwards: bool = False, whole: bool = False
    ) -> Self:
        """The layer on sequences (1, T, D): all states, or the ``last`` one."""
        out = (1, 1 if last else shape[1], n_hidden)
        sizes = (shape[0] * shape[1] * shape[2], out[1] * n_hidden, *shape, *out, 1, 1)
        return cls(*sizes, int(backwards), int(whole))

    @property
    def takes_sequences(self) -> bool:
        """Unless all steps are taken."""
        return not self.whole

    @property
    def code_shape(self) -> SampleShape:
        """A sequence (T, H) of states, or the last one (H,)."""
        return (self.out_channels,) if self.out_width == 1 else (self.out_width, self.out_channels)

    @property
    def n_kept(self) -> int:
        """Besides inputs and outputs copies of the inputs, four gates, states and cells of all steps."""
        return super().n_kept + self.width * (self.channels + 6 * self.out_channels)

    @property
    def own(self) -> tuple[int, ...]:
        """Sizes, in the order of the kernels' table."""
        return (*super().own, self.backwards, self.whole)

    def row(self, weight: int, bias: int) -> np.ndarray:
        """The row of the kernels' table, in which a cell's outputs are linear: it differentiates them itself."""
        row = super().row(weight, bias)
        row[panels.ACTIVATION] = LINEAR
        return row

    @property
    def weights(self) -> Shapes:
        """Those of the inputs and those of the states."""
        n = self.GATES * self.out_channels
        return {"weight": (self.channels, n), "recurrent_weight": (self.out_channels, n)}

    def output_bias(self, values: np.ndarray) -> np.ndarray:
        """ValueError: no biases let a cell answer ``values``."""
        raise ValueError(f"a layer of kind {self.kind} is no layer to end with")

    def draw(self, arrays: Mapping[str, np.ndarray], key: Key, index: int) -> None:
        """All numbers uniform between -1 / sqrt(H) and 1 / sqrt(H)."""
        spread = 1 / sqrt(self.out_channels)
        for draw, array in enumerate(arrays.values()):
            numbers = np.empty((array.size // array.shape[-1], array.shape[-1]), array.dtype)
            fill_uniform_matrix(key, index, draw, numbers)
            array[:] = ((2 * numbers - 1) * spread).reshape(array.shape)

    def check(self) -> None:
        """ValueError unless the sizes are those of a sequence and of its states."""
        super().check()
        if self.height != 1 or self.out_height != 1 or (self.kernel_height, self.kernel_width) != (1, 1):
            raise ValueError(f"expected sequences, maps of height 1, found {self.shape_in} and {self.shape_out}")
        if self.out_width not in (1, self.width):
            raise ValueError(f"expected 1 or {self.width} states of {self.width} steps, found {self.out_width}")
        for name in ("backwards", "whole"):
            if getattr(self, name) not in (0, 1):
                raise ValueError(f"{name}: expected 0 or 1, found {getattr(self, name)}")

    @classmethod
    def of_attributes(cls: type[Self], attributes: Mapping[str, Any]) -> Self:
        """The layer of which a file keeps these; ValueError where they do not go together."""
        layer = cls(**attributes)
        layer.check()
        return layer


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent units: reset, update and new."""

    kind: ClassVar[str] = "gru"
    code: ClassVar[int] = panels.GRU
    GATES: ClassVar[int] = 3

    @property
    def biases(self) -> Shapes:
        """Two vectors, because the reset gate comes between those of the new states."""
        return {"bias": (2, 3 * self.out_channels)}


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory: input, forget, new and output."""

    kind: ClassVar[str] = "lstm"
    code: ClassVar[int] = panels.LSTM
    GATES: ClassVar[int] = 4

    @property
    def biases(self) -> Shapes:
        """One vector."""
        return {"bias": (4 * self.out_channels,)}
