"""A unit: one layer that is pretrained on its own, and the base of `RBM` and `Autoencoder`.

A trained unit is a two-layer network, visible -> hidden -> visible.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data import Rows, Summary, summarize
from .errors import ModelFileError, SettingError
from .feed import Feed, split_rows
from .guard import check_range, trivial_loss
from .inputs import rows_for
from .kernels.cpu import thread_limit
from .model import Reconstructor
from .network import Layer, Network
from .scaling import SCALINGS, InputScaling, fit_scaling, identity
from .settings import (
    MAX_COUNT,
    Plan,
    check_products,
    choice,
    flag,
    precision_dtype,
    real,
    schedule,
    seed_from,
    thread_count,
    whole,
)
from .training import Hooks, Phase, Progress, Record, Trainee, run

BIAS_CLIP = 1e-3  # a visible unit's mean is kept this far from 0 and 1 when its bias starts at the logit


@dataclass
class Resume:
    """Where a phase goes on: its progress and the trainee's arrays at the end of an epoch, and the file that they are from."""

    unit: int
    progress: Progress
    arrays: dict[str, np.ndarray]
    source: str = "checkpoint"


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
        with thread_limit(thread_count(self.n_threads)):
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
        whole("n_hidden", self.n_hidden)
        choice("scaling", self.scaling, SCALINGS)
        precision_dtype(self.precision)
        thread_count(self.n_threads)
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

    def layers(self, n_visible: int) -> tuple[Layer, Layer]:
        """The unit as a two-layer network."""
        n_hidden = int(self.n_hidden)
        encoder = Layer(n_visible, n_hidden, self.code_activation)
        return encoder, Layer(n_hidden, n_visible, self.output_activation, 0 if self.tied else None)

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


def training_plan(unit: Any, prefix: str = "", optimizers: tuple[str, ...] = ("momentum",)) -> Plan:
    """The checked training parameters of an estimator; ``prefix`` ("finetune_") selects those of a stack's second phase."""

    def value(name: str, default: Any = None) -> Any:
        return getattr(unit, prefix + name, default)

    validation_fraction = real("validation_fraction", unit.validation_fraction, 0.0, 1.0, open_high=True)
    patience = unit.patience
    if patience is not None:
        whole("patience", patience)
        if not validation_fraction:
            raise SettingError("patience: early stopping needs a validation set; set validation_fraction too")
    optimizer = value("optimizer", "momentum")
    return Plan(
        epochs=whole(prefix + "epochs", value("epochs"), 0, MAX_COUNT),
        batch_size=whole(prefix + "batch_size", value("batch_size")),
        optimizer=choice(prefix + "optimizer", optimizer, optimizers) if optimizers != ("momentum",) else optimizer,
        learning_rate=schedule(prefix + "learning_rate", value("learning_rate")),
        momentum=schedule(prefix + "momentum", value("momentum"), high=1.0),
        linear_decay=flag(prefix + "linear_decay", value("linear_decay", False)),
        l1=real(prefix + "l1", value("l1")),
        l2=real(prefix + "weight_decay", value("weight_decay")),
        validation_fraction=validation_fraction,
        patience=patience,
        line_searches=whole("line_searches", getattr(unit, "line_searches", 3)),
    )


def initial_output_bias(activation: str, scaling: InputScaling | None, data: Summary) -> np.ndarray:
    """Output biases (V,) that make an otherwise silent network answer with the data's mean.

    ``scaling`` is None for codes, which are taken as they are.
    """
    scale, offset = (1.0, 0.0) if scaling is None else (scaling.scale, scaling.offset)
    mean = data.column_mean * scale + offset
    if activation == "sigmoid":
        p = np.clip(mean, BIAS_CLIP, 1 - BIAS_CLIP)
        return np.log(p) - np.log1p(-p)
    if activation == "tanh":
        return np.arctanh(np.clip(mean, BIAS_CLIP - 1, 1 - BIAS_CLIP))
    if activation == "softplus":
        mean = np.maximum(mean, BIAS_CLIP)
        return mean + np.log(-np.expm1(-mean))
    return np.maximum(mean, 0.0) if activation == "relu" else mean


def prepare_unit(
    unit: Unit,
    rows: Rows,
    scaling: InputScaling,
    data: Summary,
    seed: int,
    index: int,
    resume: Resume | None = None,
) -> tuple[Phase, Progress]:
    """Make a unit ready to train on rows (the data, or the codes of the unit below) and set its fitted attributes.

    They are set before training, so that after an error in `run` the unit holds the last good weights.
    """
    plan = unit.validate()
    train_rows, validation = split_rows(rows.n_rows, plan.validation_fraction, seed)
    scaled = (scaling.scale, scaling.offset) if index == 0 else (1.0, 0.0)
    network = Network.zeros(unit.layers(rows.n_columns), unit.precision)
    trainee = unit.trainee(network, rows, scaled, data, seed, index, plan)
    progress = Progress() if resume is None else resume.progress
    if resume is None:
        unit.draw_weights(network, seed, index)
        network.bias(1)[:] = initial_output_bias(unit.output_activation, scaling if index == 0 else None, data)
    else:
        restore(trainee, resume)
    own = scaling if index == 0 else identity(rows.n_columns, rows.dtype.name)
    unit.network_, unit.scaling_, unit.n_code_layers_, unit.seed_ = network, own, 1, seed
    unit.n_features_in_, unit.history_ = rows.n_columns, progress.history
    feed = Feed(rows, *scaled, seed, index, subset=train_rows)
    where = f"unit {index} ({type(unit).__name__}, {rows.n_columns}-{unit.n_hidden})"
    trivial = trivial_loss(trainee.loss, data, scaled)
    return Phase("pretrain", index, plan, feed, trainee, where, remedy(plan), trivial, validation), progress


def remedy(plan: Plan, prefix: str = "") -> str:
    """The setting to change when training diverges."""
    if plan.optimizer in ("cg", "lbfgs"):
        return f"lower line_searches, or raise {prefix}batch_size or {prefix}weight_decay"
    return f"lower {prefix}learning_rate"


def restore(trainee: Trainee, resume: Resume) -> None:
    """Copy a checkpoint's arrays into a trainee; ModelFileError if they are not the very ones that it has."""
    expected = {name: (array.shape, array.dtype) for name, array in trainee.arrays.items()}
    found = {name: (array.shape, array.dtype) for name, array in resume.arrays.items()}
    best = found.pop("best_params", expected["params"])
    if found != expected or best != expected["params"]:
        names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name)) or ["best_params"]
        raise ModelFileError(
            f"{resume.source}: /checkpoint: {', '.join(names)}: not what this training keeps, on this many rows"
        )
    for name, array in trainee.arrays.items():
        array[...] = resume.arrays[name]
    resume.progress.best_params = resume.arrays.get("best_params")
