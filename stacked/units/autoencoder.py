"""One-hidden-layer autoencoder, plain or denoising (Vincent et al. 2010), tied or not."""

from typing import Any

from ..activations import UNIT_ACTIVATIONS
from ..data import Rows, Summary
from ..kernels.corruption import CORRUPTIONS, Corruption
from ..kernels.losses import LOSSES
from ..network import Network
from ..settings import choice, flag, real
from ..training.losses import loss_for
from ..training.plan import GRADIENT_OPTIMIZERS, Plan, training_plan
from ..training.trainees import DenseTrainee
from .base import Unit

UNIT_CORRUPTIONS = tuple(CORRUPTIONS)


class Autoencoder(Unit):
    """One-hidden-layer autoencoder.

    Parameters
    ----------
    n_hidden : number of hidden units.
    activation, output : "sigmoid", "tanh", "relu", "softplus" or "linear".
    loss : "cross_entropy" (sigmoid outputs), "squared_error", or "auto": the first where it can be.
    corruption, corruption_level : "masking", "salt_and_pepper", "gaussian" or "none", and the probability (Gaussian: standard
        deviation) of it; 0 for a plain autoencoder. Redrawn for every row of every epoch; the target stays clean.
    tied : the decoder uses the encoder's weights transposed.
    optimizer : "momentum", "nesterov", "adam" (momentum is its beta_1), "cg" or "lbfgs".
    learning_rate, momentum : a number or a list of (epoch, value).
    line_searches : iterations of "cg" and "lbfgs" on each minibatch.

    The others, and the attributes, are those of `RBM`; ``history_`` holds the training loss per sample.
    """

    kind = "autoencoder"

    def __init__(
        self,
        n_hidden: int = 256,
        activation: str = "sigmoid",
        output: str = "sigmoid",
        loss: str = "auto",
        corruption: str = "masking",
        corruption_level: float = 0.0,
        tied: bool = True,
        optimizer: str = "momentum",
        learning_rate: Any = 0.1,
        momentum: Any = 0.9,
        weight_decay: float = 0.0,
        l1: float = 0.0,
        batch_size: int = 100,
        epochs: int = 10,
        line_searches: int = 3,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        scaling: str = "auto",
        precision: str = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
    ):
        self.n_hidden = n_hidden
        self.activation = activation
        self.output = output
        self.loss = loss
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.tied = tied
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.batch_size = batch_size
        self.epochs = epochs
        self.line_searches = line_searches
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.scaling = scaling
        self.precision = precision
        self.n_threads = n_threads
        self.random_state = random_state

    @property
    def code_activation(self) -> str:  # type: ignore[override]
        """Activation of the hidden layer."""
        return choice("activation", self.activation, UNIT_ACTIVATIONS)

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """Activation of the output layer."""
        return choice("output", self.output, UNIT_ACTIVATIONS)

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        choice("activation", self.activation, UNIT_ACTIVATIONS)
        choice("corruption", self.corruption, UNIT_CORRUPTIONS)
        high = float("inf") if self.corruption == "gaussian" else 1.0
        real("corruption_level", self.corruption_level, 0.0, high)
        flag("tied", self.tied)
        loss_for(self.loss, self.output_activation)
        super().validate()
        return training_plan(self, optimizers=GRADIENT_OPTIMIZERS)

    def trainee(
        self,
        network: Network,
        rows: Rows,
        scaled: tuple[float, float],
        data: Summary,
        seed: int,
        index: int,
        plan: Plan,
    ) -> DenseTrainee:
        """Backpropagation through this unit."""
        scale, offset = scaled
        low, high = data.minimum * scale + offset, data.maximum * scale + offset
        kind = CORRUPTIONS[self.corruption if self.corruption_level > 0 else "none"]
        noise = Corruption(kind, float(self.corruption_level), low, high)
        loss = loss_for(self.loss, self.output_activation)
        assert loss in LOSSES
        return DenseTrainee(network, loss, plan, rows, scaled, seed, index, noise)
