"""Deep autoencoder: the units of a stack unrolled into an encoder and its mirror image (Hinton & Salakhutdinov 2006)."""

from typing import Any

from ..data import Summary
from ..network import Layer, Network
from ..scaling import InputScaling
from ..training.losses import loss_for
from ..training.start import initial_output_bias
from .model import Reconstructor
from .stack import Callback, Stack


class StackedAutoencoder(Reconstructor, Stack):
    """Deep autoencoder: units pretrained one by one, unrolled, fine-tuned.

    Parameters
    ----------
    units : list of `RBM` and `Autoencoder`, from the data upwards; None for one `Autoencoder`. Their precision, threads, scaling,
        validation split and seed are those of the stack, and its patience if they have none.
    finetune_epochs, finetune_batch_size, finetune_learning_rate, finetune_momentum, finetune_weight_decay, finetune_l1 : as in
        the units, for the whole network.
    finetune_linear_decay : the learning rate falls linearly to zero over the epochs.
    finetune_optimizer : "adam", "momentum", "nesterov", "cg" or "lbfgs" (``line_searches`` iterations on each minibatch).
    finetune_loss : "auto" (cross-entropy for sigmoid outputs, else squared error), "cross_entropy" or "squared_error".

    The others are those of `RBM`.

    Attributes
    ----------
    units_ : the units as pretrained. network_ : the unrolled network. history_ : one `Record` an epoch of either phase.
    """

    kind = "stacked_autoencoder"

    def __init__(
        self,
        units: Any = None,
        finetune_epochs: int = 20,
        finetune_optimizer: str = "adam",
        finetune_learning_rate: Any = 1e-3,
        finetune_momentum: Any = 0.9,
        finetune_linear_decay: bool = True,
        finetune_batch_size: int = 100,
        finetune_weight_decay: float = 0.0,
        finetune_l1: float = 0.0,
        finetune_loss: str = "auto",
        line_searches: int = 3,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        scaling: str = "auto",
        precision: str = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
    ):
        self.units = units
        self.finetune_epochs = finetune_epochs
        self.finetune_optimizer = finetune_optimizer
        self.finetune_learning_rate = finetune_learning_rate
        self.finetune_momentum = finetune_momentum
        self.finetune_linear_decay = finetune_linear_decay
        self.finetune_batch_size = finetune_batch_size
        self.finetune_weight_decay = finetune_weight_decay
        self.finetune_l1 = finetune_l1
        self.finetune_loss = finetune_loss
        self.line_searches = line_searches
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.scaling = scaling
        self.precision = precision
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, callback: Callback | None = None) -> "StackedAutoencoder":
        """`pretrain`, then `finetune`, on X (n_samples, n_features)."""
        self.pretrain(X, callback=callback)
        self.finetune(X, callback=callback)
        return self

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
