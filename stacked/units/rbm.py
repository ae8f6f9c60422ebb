"""Restricted Boltzmann machine, trained by contrastive divergence (Hinton 2002) or with persistent chains (Tieleman 2008)."""

from typing import Any

import numpy as np

from ..data import Rows, Summary
from ..kernels import rbm as kernel
from ..kernels.random import WEIGHTS, fill_normal_matrix, stream_key
from ..kernels.sampling import UNIT_KINDS
from ..network import Network
from ..settings import MAX_COUNT, choice, flag, whole
from ..training.feed import BLOCK_ROWS
from ..training.plan import Plan
from ..training.trainees import RBMTrainee
from .base import Unit

VISIBLE = ("bernoulli", "gaussian")
HIDDEN = ("bernoulli", "gaussian", "rectified")
MEAN = {"bernoulli": "sigmoid", "gaussian": "linear", "rectified": "relu"}  # the activation that is a unit's mean
INITIAL_STD = 0.01  # of the weights (Hinton 2010, section 8)


class RBM(Unit):
    """Restricted Boltzmann machine.

    Parameters
    ----------
    n_hidden : number of hidden units.
    visible : "bernoulli" for data in [0, 1], or "gaussian" (unit variance) for real data.
    hidden : "bernoulli", "gaussian" (linear code, unit variance) or "rectified" (noisy rectified linear units).
    k : Gibbs steps of CD-k, or per update of persistent chains.
    persistent : keep ``batch_size`` chains that never restart at the data.
    learning_rate, momentum : a number or a list of (epoch, value). Momentum does not multiply the learning rate.
    weight_decay, l1 : L2 and L1 penalty on the weights only.
    batch_size, epochs : minibatch size and passes over the data.
    validation_fraction, patience : rows held out, and epochs without improvement of their reconstruction before stopping;
        the best weights are restored.
    scaling : "auto" (uint8 becomes [0, 1]), "minmax", "standard" or "none".
    precision : "float32"; "bfloat16": float32 weights, products of rounded operands, where the CPU has it; or "float64".
    n_threads : threads of the kernels; None for all available cores. The result does not depend on it.
    random_state : seed.

    Attributes
    ----------
    weight_ (V, H), hidden_bias_ (H,), visible_bias_ (V,) : the parameters.
    history_ : list of `Record`, one an epoch; the loss is the squared error per sample, summed over features, of reconstructions
        from sampled hidden units. The validation loss is that of `reconstruct`, which takes their means, and so lower.
    """

    kind = "rbm"

    def __init__(
        self,
        n_hidden: int = 256,
        visible: str = "bernoulli",
        hidden: str = "bernoulli",
        k: int = 1,
        persistent: bool = False,
        learning_rate: Any = 0.1,
        momentum: Any = 0.9,
        weight_decay: float = 2e-4,
        l1: float = 0.0,
        batch_size: int = 100,
        epochs: int = 10,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        scaling: str = "auto",
        precision: str = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
    ):
        self.n_hidden = n_hidden
        self.visible = visible
        self.hidden = hidden
        self.k = k
        self.persistent = persistent
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.batch_size = batch_size
        self.epochs = epochs
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.scaling = scaling
        self.precision = precision
        self.n_threads = n_threads
        self.random_state = random_state

    @property
    def code_activation(self) -> str:  # type: ignore[override]
        """Activation that is the hidden units' mean, and the encoder's after unrolling."""
        return MEAN[choice("hidden", self.hidden, HIDDEN)]

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """Activation that is the visible units' mean, and the decoder's after unrolling."""
        return MEAN[choice("visible", self.visible, VISIBLE)]

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        whole("k", self.k, maximum=MAX_COUNT)
        flag("persistent", self.persistent)
        choice("visible", self.visible, VISIBLE)
        choice("hidden", self.hidden, HIDDEN)
        return super().validate()

    def free_energy(self, X: Any) -> np.ndarray:
        """Free energy (n_samples,) float64 of X (n_samples, n_features)."""
        return self._per_row(kernel.free_energy, X)

    def pseudo_likelihood(self, X: Any) -> np.ndarray:
        """Exact log pseudo-likelihood (n_samples,) float64, in nats, of binary X. Bernoulli visible units only."""
        choice("visible", self.visible, ("bernoulli",))
        return self._per_row(kernel.pseudo_likelihood, X)

    def draw_weights(self, network: Network, seed: int, index: int) -> None:
        """Weights from a normal distribution of standard deviation `INITIAL_STD`."""
        weight = network.weight(0)
        numbers = np.empty(weight.shape, weight.dtype)
        fill_normal_matrix(stream_key(seed, WEIGHTS, index), 0, 0, numbers)
        weight[:] = INITIAL_STD * numbers

    def trainee(
        self,
        network: Network,
        rows: Rows,
        scaled: tuple[float, float],
        data: Summary,
        seed: int,
        index: int,
        plan: Plan,
    ) -> RBMTrainee:
        """Contrastive divergence on this machine."""
        n_chains = min(plan.batch_size, rows.n_rows)
        return RBMTrainee(network, self._machine(rows.n_columns), rows, scaled, seed, index, n_chains)

    def _machine(self, n_visible: int) -> kernel.Machine:
        visible, hidden = UNIT_KINDS[self.visible], UNIT_KINDS[self.hidden]
        n_hidden, k, persistent = (
            int(self.n_hidden),
            int(self.k),
            bool(self.persistent),
        )  # not of NumPy's narrower types
        return kernel.Machine(n_visible, n_hidden, visible, hidden, k, persistent)

    def _per_row(self, function: Any, X: Any) -> np.ndarray:
        rows, scaled = self._fitted_rows(X)
        machine, out = self._machine(rows.n_columns), np.empty(rows.n_rows)
        scratch = np.empty((BLOCK_ROWS, self.n_hidden), self.network_.params.dtype)
        with self._threads():
            for start, block in self.network_.blocks(rows, *scaled):
                n = len(block)
                function(machine, self.network_.params, block, scratch[:n], out[start : start + n])
        return out
