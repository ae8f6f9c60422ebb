"""Deep autoencoder: the units of a stack unrolled into an encoder and its mirror image (Hinton & Salakhutdinov 2006)."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..kernels.arithmetic.corruption import NO_CORRUPTION, Corruption
from ..kernels.arithmetic.terms import Terms
from ..layers import Layer
from ..network import Network
from ..parameters import declared
from ..penalties import check_penalties, terms_of
from ..training.losses import loss_for
from ..training.phase import Source
from ..training.plan import Plan
from ..training.start import initial_output_bias
from ..training.trainees import MEANS, Stochastic
from ..units.chain import Halves, code_layer, decoders, encoders
from .model import Reconstructor
from .parameters import StackedAutoencoderParameters
from .stack import Callback, Stack


@declared
class StackedAutoencoder(Reconstructor, Stack, StackedAutoencoderParameters):
    """Deep autoencoder: units pretrained one by one, unrolled, fine-tuned.

    Attributes
    ----------
    units_ : the units as pretrained. network_ : the unrolled network. history_ : one `Record` an epoch of either phase.
    table_ : how the columns of a table became numbers, or None; ``n_features_in_`` counts the encoded columns.
    """

    kind = "stacked_autoencoder"

    def fit(self, X: Any, y: Any = None, *, callback: Callback | None = None) -> "StackedAutoencoder":
        """`pretrain`, then `finetune`, on X (n_samples, n_features)."""
        self.pretrain(X, callback=callback)
        self.finetune(X, callback=callback)
        return self

    def sample(self, n: int, steps: int = 1000, random_state: Any = None) -> np.ndarray:
        """n samples (n, V) in the units of the data.

        From the whole network where its code is Gaussian (`variational`), else by Gibbs ``steps`` from the pretrained units, which
        must be RBMs (`deep_belief`).
        """
        from . import deep_belief, variational

        check_is_fitted(self, "network_")
        with self._threads():
            if variational.has_gaussian_code(self):
                return variational.sample(self, n, random_state)
            return deep_belief.sample(self.units_, n, steps, random_state)

    def bound(self, X: Any, samples: int = 5000, random_state: Any = 0) -> np.ndarray:
        """Bound (n_samples,) on the log likelihood of X, in nats, where the code is Gaussian; see `variational.bound`."""
        from . import variational

        with self._threads():
            return variational.bound(self, X, samples, random_state, self.templates[0].binarizes)

    def _layers(self, chain: list[Halves]) -> list[Layer]:
        return encoders(chain) + decoders(chain)

    def _top_sources(self) -> list[tuple[Network, int]]:
        networks = [(unit.network_, unit.n_code_layers_) for unit in reversed(self.units_)]
        return [(network, i) for network, n_code in networks for i in range(n_code, len(network.layers))]

    def _start_output(self, source: Source) -> None:
        last = len(self.network_.layers) - 1
        start = initial_output_bias(self.network_.layers[last].activation, source.scaled, source.data)
        self.network_.bias(last)[:] = self.network_.layers[last].output_bias(start)

    def plan(self) -> Plan:
        """Check every parameter, the units' too, and return the plan of fine-tuning; raises SettingError."""
        plan = super().plan()
        top = self.templates[-1]
        check_penalties(self, "recurrent" if top.takes_sequences else top.code_activation, "finetune_")
        return plan

    def _corruption(self) -> Corruption:
        return NO_CORRUPTION._replace(binarize=int(self.templates[0].binarizes))

    def _stochastic(self) -> Stochastic:
        """As the uppermost unit that has a stochastic layer."""
        own = [unit.stochastic for unit in self.templates if unit.stochastic is not None]
        return own[-1] if own else MEANS

    def _terms(self) -> Terms:
        return terms_of(self, code_layer(self.network_.layers[: self.n_code_layers_]), "finetune_")

    def _loss(self) -> str:
        output = self.templates[0].output_activation
        if self.finetune_loss == "auto" and self._stochastic() != MEANS:
            from .variational import likelihood_of

            return likelihood_of(output)
        return loss_for(self.finetune_loss, output, "finetune_loss")
