"""A unit of two layers each way, as a user may write one: a tied autoencoder with a tanh layer before its code."""

from math import prod

from stacked.layers import Dense
from stacked.parameters import declared
from stacked.training.trainees import DenseTrainee
from stacked.units.base import Unit
from stacked.units.chain import Halves

from .deep_unit_parameters import DeepUnitParameters


@declared
class DeepUnit(Unit, DeepUnitParameters):
    """Two layers to the code and, with the same weights, two back."""

    kind = "deep_unit"
    code_activation = "sigmoid"
    output_activation = "sigmoid"

    def layers(self, shape):
        """Visible, between, code, between, visible."""
        n_visible, n_between, n_hidden = prod(shape), int(self.n_between), int(self.n_hidden)
        encoder = (Dense(n_visible, n_between, "tanh"), Dense(n_between, n_hidden, "sigmoid"))
        return Halves(encoder, (Dense(n_hidden, n_between, "tanh", 1), Dense(n_between, n_visible, "sigmoid", 0)))

    def trainee(self, network, source, plan):
        """Backpropagation of the cross-entropy."""
        return DenseTrainee(network, "cross_entropy", plan, source)
