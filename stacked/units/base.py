"""A unit: one layer that is pretrained on its own, and the base of `RBM` and `Autoencoder`.

A trained unit is a two-layer network, visible -> hidden -> visible.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import check_range
from ..data import Rows, Summary, summarize
from ..inputs import rows_for
from ..layers import Dense, Layer
from ..models.model import Reconstructor
from ..network import Network
from ..scaling import fit_scaling
from ..settings import check_products, precision_dtype, seed_from
from ..training.loop import Hooks, Record, Trainee, run
from ..training.plan import Plan, training_plan
from .prepare import prepare_unit


class Unit(Reconstructor):
    """Base of the units: parameters in common, `fit`, and the steps that a stack calls."""

    code_activation: str  # of the hidden units' mean
    output_activation: str  # of the reconstruction
    n_hidden: int
    random_state: Any
    precision: str
    scaling: str
    optimizer: str = "momentum"
    line_searches: int = 3
    tied: bool = True
    validation_fraction: float
    patience: int | None

    def fit(self, X: Any, y: Any = None, *, callback: Callable[[Record], Any] | None = None) -> "Unit":
        """Train on X (n_samples, n_features); ``callback`` receives a `Record` an epoch and may return True to stop."""
        check_products(self.precision, optimizer=self.validate().optimizer)
        seed = seed_from(self.random_state)
        with self._threads():
            with self._all_or_nothing():
                rows = rows_for(self, X, reset=True)
                summary = summarize(rows)
                scaling = fit_scaling(self.scaling, rows, summary, precision_dtype(self.precision))
                check_range(self.output_activation, scaling, summary, f"{rows.name}, {type(self).__name__}")
                phase, progress = prepare_unit(self, rows, scaling, summary, seed, 0)
            run(phase, Hooks(callback), progress)
        return self

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        return training_plan(self)

    @property
    def visible_activation(self) -> str:  # type: ignore[override]
        """Activation that models the data."""
        return self.output_activation

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

    def _trained_units(self) -> "list[Unit]":
        """This unit alone."""
        return [self]

    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays that a model file keeps, as views of the network."""
        arrays = {"weight": self.weight_, "visible_bias": self.visible_bias_, "hidden_bias": self.hidden_bias_}
        return arrays if self.tied else {**arrays, "decoder_weight": self.network_.weight(1)}

    def _array_shapes(self, n_visible: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of `_arrays`, by the parameters alone."""
        n_hidden = int(self.n_hidden)
        shapes = {"weight": (n_visible, n_hidden), "visible_bias": (n_visible,), "hidden_bias": (n_hidden,)}
        return shapes if self.tied else {**shapes, "decoder_weight": (n_hidden, n_visible)}

    def layers(self, n_visible: int) -> tuple[Layer, Layer]:
        """The unit as a two-layer network."""
        n_hidden = int(self.n_hidden)
        encoder = Dense(n_visible, n_hidden, self.code_activation)
        return encoder, Dense(n_hidden, n_visible, self.output_activation, 0 if self.tied else None)

    def draw_weights(self, network: Network, seed: int, index: int) -> None:
        """Random starting weights, biases zero."""
        network.randomize(seed, index)

    def trainee(
        self,
        network: Network,
        rows: Rows,
        scaled: tuple[float, float],
        data: Summary,
        seed: int,
        index: int,
        plan: Plan,
    ) -> Trainee:
        """What the training loop drives."""
        raise NotImplementedError
