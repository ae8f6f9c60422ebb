"""Base of the units with one layer to their code and one back: `RBM` and `Autoencoder`."""

from math import prod

import numpy as np

from ..layers import Dense
from ..layers.base import SampleShape, Shapes
from ..parameters import value_of
from .base import Unit
from .chain import Halves


class OneLayerUnit(Unit):
    """A two-layer network, visible -> hidden -> visible, whose parameters have the names of the field."""

    tied: bool = True

    @property
    def weight_(self) -> np.ndarray:
        """View (V, H) of the weights."""
        return self.network_.weight(0)

    @property
    def hidden_bias_(self) -> np.ndarray:
        """View (H,) of the hidden biases."""
        return self.network_.bias(0)

    @property
    def visible_bias_(self) -> np.ndarray:
        """View (V,) of the visible biases."""
        return self.network_.bias(1)

    def layers(self, shape: SampleShape) -> Halves:
        """A layer of ``n_hidden`` and one back, tied or not."""
        n_visible, n_hidden = prod(shape), value_of(self, "n_hidden")
        encoder = Dense(n_visible, n_hidden, self.code_activation)
        decoder = Dense(n_hidden, n_visible, self.output_activation, 0 if self.tied else None)
        return Halves((encoder,), (decoder,))

    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays that a model file keeps, as views of the network."""
        arrays = {"weight": self.weight_, "visible_bias": self.visible_bias_, "hidden_bias": self.hidden_bias_}
        return arrays if self.tied else {**arrays, "decoder_weight": self.network_.weight(1)}

    def _array_shapes(self, shape: SampleShape) -> Shapes:
        """Names and shapes of `_arrays`, by the parameters alone."""
        n_visible, n_hidden = prod(shape), int(self.n_hidden)
        shapes = {"weight": (n_visible, n_hidden), "visible_bias": (n_visible,), "hidden_bias": (n_hidden,)}
        return shapes if self.tied else {**shapes, "decoder_weight": (n_hidden, n_visible)}
