"""Deep autoencoder: the units of a stack unrolled into an encoder and its mirror image (Hinton & Salakhutdinov 2006)."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..data import Summary
from ..network import Layer, Network
from ..parameters import declared
from ..scaling import InputScaling
from ..training.losses import loss_for
from ..training.start import initial_output_bias
from . import deep_belief
from .model import Reconstructor
from .parameters import StackedAutoencoderParameters
from .stack import Callback, Stack


@declared
class StackedAutoencoder(Reconstructor, Stack, StackedAutoencoderParameters):
    """Deep autoencoder: units pretrained one by one, unrolled, fine-tuned.

    Attributes
    ----------
    units_ : the units as pretrained. network_ : the unrolled network. history_ : one `Record` an epoch of either phase.
    """

    kind = "stacked_autoencoder"

    def fit(self, X: Any, y: Any = None, *, callback: Callback | None = None) -> "StackedAutoencoder":
        """`pretrain`, then `finetune`, on X (n_samples, n_features)."""
        self.pretrain(X, callback=callback)
        self.finetune(X, callback=callback)
        return self

    def sample(self, n: int, steps: int = 1000, random_state: Any = None) -> np.ndarray:
        """n samples (n, V) in the units of the data from the pretrained units, which must be RBMs; see `deep_belief`."""
        check_is_fitted(self, "network_")
        with self._threads():
            return deep_belief.sample(self.units_, n, steps, random_state)

    def _layers(self, widths: list[int]) -> list[Layer]:
        encoder = self._encoder_layers(widths)
        pairs = zip(widths, widths[1:], self.templates, strict=False)
        decoder = [Layer(n_out, n_in, unit.output_activation) for n_in, n_out, unit in pairs]
        return encoder + decoder[::-1]

    def _unroll_top(self, network: Network) -> None:
        for index, unit in enumerate(self.units_):
            mirror = 2 * len(self.units_) - 1 - index
            network.weight(mirror)[:] = unit.network_.weight(1)
            network.bias(mirror)[:] = unit.visible_bias_

    def _start_output(self, scaling: InputScaling, data: Summary) -> None:
        last = len(self.network_.layers) - 1
        self.network_.bias(last)[:] = initial_output_bias(self.network_.layers[last].activation, scaling, data)

    def _loss(self) -> str:
        return loss_for(self.finetune_loss, self.templates[0].output_activation, "finetune_loss")
