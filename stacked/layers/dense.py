"""The dense layer ``y = activation(x @ weight + bias)``: weight (n_in, n_out), bias (n_out,)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..activations import ACTIVATIONS
from ..kernels.arithmetic.random import Key, fill_uniform_matrix
from .base import Layer, Shapes


@dataclass(frozen=True)
class Dense(Layer):
    """n_in inputs, n_out outputs, the activation's name, and the index of the earlier layer whose weights it ties to."""

    kind: ClassVar[str] = "dense"
    code: ClassVar[int] = 0
    ATTRIBUTES: ClassVar[dict[str, type]] = {"activation": str, "n_in": int, "n_out": int}

    activation: str = field()  # no default, unlike that of the base
    tied_to: int | None = None

    @property
    def weights(self) -> Shapes:
        """One matrix."""
        return {"weight": (self.n_in, self.n_out)}

    @property
    def biases(self) -> Shapes:
        """One vector."""
        return {"bias": (self.n_out,)}

    def draw(self, arrays: Mapping[str, np.ndarray], key: Key, index: int) -> None:
        """Weights uniform in the range that `activations` gives; biases stay 0."""
        numbers = np.empty((self.n_in, self.n_out), arrays["weight"].dtype)
        fill_uniform_matrix(key, index, 0, numbers)
        spread = ACTIVATIONS[self.activation].spread
        arrays["weight"][:] = (2 * numbers - 1) * spread(self.n_in, self.n_out)
