"""A unit: what is pretrained on its own, one layer of a deep network or several.

A trained unit is a network of its own, visible -> code -> visible.
"""

from math import prod
from typing import Any

import numpy as np

from ..checks import check_range
from ..choices import tell_scaling, tell_shape
from ..comparison import conclude
from ..data import Rows, summarize
from ..data.shapes import shaped
from ..decoding import Goal
from ..diagnosis import warn_of
from ..errors import SettingError
from ..inputs import rows_for
from ..layers.base import Layer, SampleShape, Shapes
from ..models.model import Reconstructor
from ..network import Network
from ..parameters import checked
from ..progress import reporting
from ..scaling import Prepared
from ..scaling_rules import fit_scaling
from ..settings import check_products, precision_dtype, seed_from
from ..targets import aim, check_takes_targets, own_target
from ..training.loop import Callback, Hooks, Phase, Progress, Trainee, run
from ..training.phase import Source
from ..training.plan import Plan, training_plan
from ..training.trainees import Stochastic
from .building import Building
from .chain import Halves
from .passes import Carried, carried, go_on, one_pass, plan_of_pass
from .prepare import prepare_unit


class Unit(Reconstructor):
    """Base of the units: parameters in common, `fit`, and the steps that a stack calls."""

    code_activation: str  # of the codes, which are means
    output_activation: str  # of the reconstruction
    n_hidden: int  # width of the code
    building = Building()  # what a stack, and an automatic learning rate, go by
    random_state: Any
    precision: str
    scaling: str
    optimizer: str = "momentum"
    line_searches: int = 3
    validation_fraction: float | str
    patience: int | str | None
    takes_targets: bool = False  # whether it can be trained to answer with other rows than its input
    _carried: Carried | None = None  # from one `partial_fit` to the next

    def fit(self, X: Any, y: Any = None, *, target: Any = None, callback: Callback | None = None) -> "Unit":
        """Train on X (n_samples, n_features); ``callback`` receives a `Record` an epoch and may return True to stop.

        ``target``, rows like those of X and as many, is what a unit that ``takes_targets`` should answer with; by default X itself.
        """
        check_products(self.precision, optimizer=self.validate().optimizer)
        with self._threads(), reporting(self, callback) as callback:
            with self._all_or_nothing():
                phase, progress = self._start(X, target=target)
            warn_of(phase, run(phase, Hooks(callback), progress), self.n_code_layers_)
            conclude(self, phase.feed.rows, (phase.feed.scale, phase.feed.offset))
        return self

    def partial_fit(self, X: Any, y: Any = None, *, target: Any = None, callback: Callback | None = None) -> "Unit":
        """Train one pass of minibatches over X (n_samples, n_features); see `passes` for what a call counts as.

        The first call starts as `fit` does, and chooses the scaling. Later ones go on with what training carries from step to step,
        or after `fit` or `load` from the weights at rest. A call that fails leaves the unit as it was.
        """
        plan = plan_of_pass(self)
        with self._threads(), reporting(self, callback) as callback, self._all_or_nothing():
            fitted = hasattr(self, "network_")
            phase, progress = go_on(self, X, plan, target) if fitted else self._start(X, plan, target)
            phase.plan = one_pass(phase.plan, progress)
            run(phase, Hooks(callback), progress)
            self._carried = carried(phase, progress)
        return self

    def _start(self, X: Any, plan: Plan | None = None, target: Any = None) -> tuple[Phase, Progress]:
        """Choose seed and scaling, and make the unit ready to train on X from random weights, by ``plan`` if it is given."""
        seed = seed_from(self.random_state)
        given = rows_for(self, X, reset=True)
        rows = shaped(given, self.shape_of(given))
        tell_shape(given, rows)
        summary, dtype = summarize(rows, self.takes_sequences), precision_dtype(self.precision)
        bounded = self.output_activation == "sigmoid"
        scaling = fit_scaling(self.scaling, rows, summary, dtype, bounded, self.takes_sequences)
        tell_scaling(given, scaling, self.takes_sequences)
        prepared = scaling.for_training(rows, summary, dtype)
        goal = self.told(rows, prepared, target)
        if goal is None:
            check_range(self.output_activation, prepared.scaled, prepared.data, f"{rows.name}, {type(self).__name__}")
        self.__dict__.pop("_carried", None)
        return prepare_unit(self, Source(*prepared, seed, 0, goal=goal), scaling, plan=plan)

    def told(self, rows: Rows, prepared: Prepared, target: Any) -> Goal | None:
        """Note what the unit should answer with, as ``target_``; the goal, where that is not the training rows themselves."""
        self.target_, goal = None, None
        if target is not None:
            check_takes_targets(self)
            dtype, name = precision_dtype(self.precision), type(self).__name__
            self.target_, goal = aim(self.scaling, target, rows, dtype, self.output_activation, name)
        elif self.is_forced:
            self.target_ = own_target(prepared.rows, prepared.scaled)
        return goal

    @property
    def is_forced(self) -> bool:
        """Whether its network is told as it goes what it should answer."""
        return False

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        return training_plan(self)

    def usual_rate(self, n_inputs: int) -> float:
        """The learning rate that suits the unit on so many inputs, where none is given."""
        return self.building.rate(checked(self), n_inputs)

    @property
    def codes_in_pairs(self) -> bool:
        """Whether units of the code start as mirror images, the first half of them of the second."""
        return False

    def shape_of(self, rows: Rows) -> SampleShape:
        """The shape that samples of training rows have for this unit; DataError for one that it cannot take."""
        return rows.sample_shape

    @property
    def visible_activation(self) -> str:  # type: ignore[override]
        """Activation that models the data."""
        return self.output_activation

    def _check_unchanged(self) -> None:
        """SettingError if layers or precision are not those that the network was built with."""
        layers, dtype = self.layers(self._sample_shape).whole, precision_dtype(self.precision)
        if self.network_.layers != layers or self.network_.params.dtype != dtype:
            raise SettingError(
                f"{type(self).__name__}: its layers, or the precision, are not what it was trained with; train again"
            )

    def _trained_units(self) -> "list[Unit]":
        """This unit alone."""
        return [self]

    def layers(self, shape: SampleShape) -> Halves:
        """The unit's layers on samples of a shape, by the parameters alone; SettingError for bad ones, or for such samples."""
        raise NotImplementedError

    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays that a model file keeps, as views of the network; names are those of a file's arrays, a-z, 0-9 and _."""
        views: dict[str, np.ndarray] = {}
        for index, (place, layer) in enumerate(_places(self.layers(self._sample_shape))):
            arrays = self.network_.arrays(index)
            views |= {f"{place}_{name}": arrays[name] for name in layer.owned}
        return views

    def _array_shapes(self, shape: SampleShape) -> Shapes:
        """Names and shapes of `_arrays`, by the parameters alone."""
        places = _places(self.layers(shape))
        return {f"{place}_{name}": own for place, layer in places for name, own in layer.owned.items()}

    def _sizes(self, shape: SampleShape) -> dict[str, int]:
        """The sizes that a model file keeps, by the parameters alone."""
        halves = self.layers(shape)
        return {"n_visible": int(prod(shape)), "n_hidden": halves.n_code, "n_code_layers": len(halves.encoder)}

    def draw_weights(self, network: Network, seed: int, index: int) -> None:
        """Random starting weights, biases zero."""
        network.randomize(seed, index)

    def start_at_data(self, network: Network, source: Source, subset: np.ndarray | None) -> bool:
        """Change random weights to what the rows ``subset`` (None: all) of the source suggest; whether there was anything to do."""
        return False

    @property
    def stochastic(self) -> Stochastic | None:
        """How the unit's stochastic layer is trained, None without one."""
        return None

    @property
    def binarizes(self) -> bool:
        """Whether the unit takes its input for probabilities, of which it draws zeros and ones."""
        return False

    def trainee(self, network: Network, source: Source, plan: Plan) -> Trainee:
        """What the training loop drives."""
        raise NotImplementedError


def _places(halves: Halves) -> list[tuple[str, Layer]]:
    """The layers with their places, encoder_0, encoder_1, ..., decoder_0, ..., in the order in which they are applied."""
    return [(f"{half}_{i}", layer) for half, layers in halves._asdict().items() for i, layer in enumerate(layers)]
