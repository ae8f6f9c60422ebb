"""Variational autoencoder (Kingma & Welling 2014): a Gaussian code, trained on a bound on the likelihood of the data."""

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..errors import SettingError
from ..kernels.arithmetic.corruption import NO_CORRUPTION
from ..layers import Dense, Gaussian
from ..layers.base import SampleShape
from ..models import variational
from ..network import Network
from ..parameters import declared, value_of
from ..training.phase import Source
from ..training.plan import Plan
from ..training.trainees import DenseTrainee, Stochastic
from .base import Unit
from .chain import Halves
from .variational_parameters import BUILDING, OUTPUTS, VariationalAutoencoderParameters

SCORED = 100  # draws a row in `score`


@declared
class VariationalAutoencoder(Unit, VariationalAutoencoderParameters):
    """Variational autoencoder, alone or as a unit of a stack, where its code is the mean.

    Training minimises minus the evidence lower bound: in ``history_`` the loss is minus the expected log likelihood per sample, and
    the penalty is the divergence of the codes from a standard normal distribution. Minibatches draw codes by reparametrisation.
    """

    kind = "vae"
    building = BUILDING
    code_activation = "linear"

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        plan = super().validate()
        if self.binarizes and self.output_activation != OUTPUTS["bernoulli"]:
            raise SettingError(
                f"binarize: expected binary data, which output='bernoulli' models, found output={self.output!r}; leave it out"
            )
        return plan

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """Activation that is the mean of the data given a code."""
        return OUTPUTS[value_of(self, "output")]

    @property
    def stochastic(self) -> Stochastic:
        """How often a code is drawn, and the warm-up."""
        return Stochastic(value_of(self, "samples"), value_of(self, "kl_warmup"))

    @property
    def binarizes(self) -> bool:
        """Whether data are probabilities."""
        return bool(value_of(self, "binarize"))

    def layers(self, shape: SampleShape) -> Halves:
        """Hidden layers, means and log variances, the code; hidden layers in reverse order, the means of the data."""
        n_visible = prod(shape)
        n_code, activation = value_of(self, "n_hidden"), value_of(self, "activation")
        hidden = value_of(self, "hidden_layers")
        up, down = [n_visible, *hidden], [n_code, *reversed(hidden)]
        encoder = [Dense(*pair, activation) for pair in pairwise(up)]
        decoder = [Dense(*pair, activation) for pair in pairwise(down)]
        code = Dense(up[-1], 2 * n_code, "linear"), Gaussian(2 * n_code, n_code)
        return Halves((*encoder, *code), (*decoder, Dense(down[-1], n_visible, self.output_activation)))

    def trainee(self, network: Network, source: Source, plan: Plan) -> DenseTrainee:
        """Backpropagation through draws of the code."""
        noise = NO_CORRUPTION._replace(binarize=int(self.binarizes))
        loss = variational.likelihood_of(self.output_activation)
        return DenseTrainee(network, loss, plan, source, noise, stochastic=self.stochastic)

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        """Means (n, V), in the units of the data, that the decoder gives for n codes from the prior."""
        check_is_fitted(self, "network_")
        with self._threads():
            return variational.sample(self, n, random_state)

    def bound(self, X: Any, samples: int = 5000, random_state: Any = 0) -> np.ndarray:
        """Importance-weighted bound (n_samples,) on log p(x), in nats, of X (n_samples, n_features) with so many draws a row."""
        with self._threads():
            return variational.bound(self, X, samples, random_state, self.binarizes)

    def score(self, X: Any, y: Any = None, *, target: Any = None) -> float:
        """Mean of `bound` on X (n_samples, n_features) with `SCORED` draws a row: higher is better."""
        return float(self.bound(X, SCORED).mean())
