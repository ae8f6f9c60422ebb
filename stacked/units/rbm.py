"""Restricted Boltzmann machine, trained by contrastive divergence (Hinton 2002) or with persistent chains (Tieleman 2008)."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..anomalies import checked
from ..data import Rows
from ..errors import SettingError
from ..kernels import rbm as kernel
from ..kernels.arithmetic.random import WEIGHTS, fill_normal_matrix, stream_key
from ..kernels.arithmetic.stochastic import UNIT_KINDS
from ..network import Network
from ..parameters import declared, value_of
from ..penalties import check_target
from ..settings import choice
from ..training.feed import BLOCK_ROWS
from ..training.phase import Source
from ..training.plan import Plan
from ..training.trainees import RBMTrainee
from .one_layer import OneLayerUnit
from .rbm_parameters import BUILDING, MEAN, RBMParameters

INITIAL_STD = 0.01  # of the weights (Hinton 2010, section 8)


@declared
class RBM(OneLayerUnit, RBMParameters):
    """Restricted Boltzmann machine.

    Attributes
    ----------
    weight_ (V, H), hidden_bias_ (H,), visible_bias_ (V,) : the parameters.
    history_ : list of `Record`, one an epoch; the loss is the squared error per sample, summed over features, of reconstructions
        from sampled hidden units. The validation loss is that of `reconstruct`, which takes their means, and so lower.
    """

    kind = "rbm"
    building = BUILDING

    @property
    def code_activation(self) -> str:  # type: ignore[override]
        """Activation that is the hidden units' mean, and the encoder's after unrolling."""
        return MEAN[value_of(self, "hidden")]

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """Activation that is the visible units' mean, and the decoder's after unrolling."""
        return MEAN[value_of(self, "visible")]

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        plan = super().validate()
        if check_target(self) is not None and self.hidden != "bernoulli":
            raise SettingError(
                f"sparsity_target: expected hidden='bernoulli', whose means are probabilities, found hidden={self.hidden!r};"
                " leave the target out, or make them bernoulli"
            )
        return plan

    def free_energy(self, X: Any) -> np.ndarray:
        """Free energy (n_samples,) float64 of X (n_samples, n_features)."""
        return self._energies(*self._fitted_rows(X))

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the free energy (n_samples,) of X (n_samples, n_features): higher is more normal."""
        return -checked(X.name if isinstance(X, Rows) else "<array>", self.free_energy(X))

    def pseudo_likelihood(self, X: Any) -> np.ndarray:
        """Exact log pseudo-likelihood (n_samples,) float64, in nats, of binary X. Bernoulli visible units only."""
        choice("visible", self.visible, ("bernoulli",))
        return self._per_row(kernel.pseudo_likelihood, *self._fitted_rows(X))

    def sample(self, n: int, steps: int = 1000, random_state: Any = None) -> np.ndarray:
        """n samples (n, V) in the units of the data: visible means after ``steps`` Gibbs steps; see `deep_belief`."""
        from ..models import deep_belief

        check_is_fitted(self, "network_")
        with self._threads():
            return deep_belief.sample([self], n, steps, random_state)

    def draw_weights(self, network: Network, seed: int, index: int) -> None:
        """Weights from a normal distribution of standard deviation `INITIAL_STD`."""
        weight = network.weight(0)
        numbers = np.empty(weight.shape, weight.dtype)
        fill_normal_matrix(stream_key(seed, WEIGHTS, index), 0, 0, numbers)
        weight[:] = INITIAL_STD * numbers

    def trainee(self, network: Network, source: Source, plan: Plan) -> RBMTrainee:
        """Contrastive divergence on this machine."""
        n_chains = min(plan.batch_size, source.rows.n_rows)
        return RBMTrainee(network, self._machine(source.rows.n_columns), source, n_chains)

    def _machine(self, n_visible: int) -> kernel.Machine:
        visible, hidden = UNIT_KINDS[self.visible], UNIT_KINDS[self.hidden]
        # numbers of Python's own, not of NumPy's narrower types
        sparsity = [float(value or 0) for value in (self.sparsity_target, self.sparsity_weight, self.sparsity_decay)]
        return kernel.Machine(
            n_visible, int(self.n_hidden), visible, hidden, int(self.k), bool(self.persistent), *sparsity
        )

    def _energies(self, rows: Rows, scaled: tuple[Any, Any]) -> np.ndarray:
        return self._per_row(kernel.free_energy, rows, scaled)

    def _per_row(self, function: Any, rows: Rows, scaled: tuple[Any, Any]) -> np.ndarray:
        machine, out = self._machine(rows.n_columns), np.empty(rows.n_rows)
        scratch = np.empty((BLOCK_ROWS, self.n_hidden), self.network_.params.dtype)
        with self._threads():
            for start, block in self.network_.blocks(rows, *scaled):
                n = len(block)
                function(machine, self.network_.params, block, scratch[:n], out[start : start + n])
        return out
