"""Stacks of units: greedy layer-wise pretraining, unrolling, fine-tuning of the whole network.

Hinton & Salakhutdinov 2006; Bengio et al. 2007; Vincent et al. 2010. Each unit trains on the clean codes of the finished unit
below. What sits on top of the encoder is the subclass's: a mirrored decoder (`stacked_autoencoder.py`) or a softmax layer
(`stacked_classifier.py`).
"""

from copy import copy as shallow_copy
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
from sklearn.base import clone

from ..checks import check_chain, check_range
from ..choices import tell_scaling, tell_shape, tell_units
from ..comparison import conclude
from ..data import Rows, summarize
from ..data.encoded import encoded
from ..data.shapes import shaped
from ..decoding import Goal
from ..diagnosis import warn_of
from ..errors import SettingError
from ..inputs import rows_for
from ..kernels.arithmetic.corruption import NO_CORRUPTION, Corruption
from ..kernels.arithmetic.terms import NO_TERMS, Terms
from ..layers import Layer
from ..network import Network, fill
from ..parameters import value_of
from ..progress import reporting
from ..registry import UNIT_NAMES
from ..scaling import AS_IS, IMAGES, InputScaling, Prepared, identity
from ..scaling_rules import check_varies, fit_scaling, kind_of
from ..settings import check_products, precision_dtype, seed_from
from ..targets import check_takes_targets, goal_for
from ..text import shown
from ..training.feed import split_rows
from ..training.loop import FINETUNE, Callback, Hooks, Record, run
from ..training.phase import Name, Source, prepare
from ..training.plan import AUTO, Plan, training_plan
from ..training.start import Resume
from ..training.trainees import MEANS, DenseTrainee, Stochastic
from ..units.base import Unit
from ..units.chain import Halves, chained, encoders
from ..units.prepare import prepare_unit
from .asked_units import AskedUnits
from .fitting import check_fit
from .model import Model

_FINETUNE_STREAM = 2**20  # in the keys of random streams
_FINETUNING = Name("finetune", FINETUNE, "fine-tuning", "finetune_")


class Stack(AskedUnits, Model):
    """Base of the stacks: everything but what sits on top of the encoder."""

    units: Any
    units_: list[Unit]
    scaling: str
    precision: str
    random_state: Any
    validation_fraction: float | str
    patience: int | str | None

    def pretrain(
        self,
        X: Any,
        *,
        target: Any = None,
        callback: Callback | None = None,
        checkpoint: Any = None,
        resume: Resume | None = None,
    ) -> "Stack":
        """Train the units on X (n_samples, n_features), one after another, each on the codes of the one below.

        A single unit that ``takes_targets`` may have a ``target`` that is not X, as of its `fit`.

        callback receives a `Record` an epoch and may return True to stop the current unit. checkpoint is called at
        epoch ends (see `stacked.training.checkpoint`); resume goes on from one.
        """
        self.plan()
        for unit in self.templates:
            check_products(self.precision, optimizer=unit.optimizer)
        self.check_target(target)
        with self._threads(), reporting(self, callback) as callback:
            with self._all_or_nothing():
                rows = rows_for(self, X, reset=resume is None)
                if resume is None:
                    self.target_ = None
                prepared = self._prepare(rows, reset=resume is None, models_input=target is None)
                goal = self._goal(rows, prepared, target, resume is None)
                check_fit(self.templates, prepared, self.precision, self.units)
                if resume is None:
                    self.seed_ = seed_from(self.random_state)
                for unit in self.templates:
                    split_rows(
                        rows.n_rows, self._clone(unit).validate().on(rows.n_rows).validation_fraction, self.seed_
                    )
            if resume is None:
                self.units_, self.history_ = [], []
                for name in ("network_", "classes_", "baseline_"):
                    self.__dict__.pop(name, None)
            try:
                self._pretrain_units(prepared, goal, callback, checkpoint, resume)
            finally:  # after an error the stack holds the units as far as they came
                self.units_ = [unit for unit in self.units_ if hasattr(unit, "network_")]
                if self.units_:
                    self.network_ = self._unroll()
            conclude(self, prepared.rows, prepared.scaled)
        return self

    def finetune(
        self,
        X: Any,
        y: Any = None,
        *,
        callback: Callback | None = None,
        checkpoint: Any = None,
        resume: Resume | None = None,
    ) -> "Stack":
        """Train the whole network on X (n_samples, n_features); without pretraining it starts from random weights."""
        plan = self.plan()
        check_products(self.precision, finetune_optimizer=plan.optimizer)
        self.check_target(None)
        if self.target_ is not None and self.target_.scaling is not None:
            raise SettingError(
                "model: expected a stack that answers with its input, as fine-tuning does; found one that was trained to targets"
            )
        fitted = hasattr(self, "network_")
        if fitted:
            self._check_complete()
            self._check_unchanged()
        with self._threads(), reporting(self, callback) as callback:
            with self._all_or_nothing():
                rows = rows_for(self, X, reset=not fitted)
                targets = self._targets(rows, y)
                prepared = self._prepare(rows, reset=not fitted, models_input=targets is None)
                check_fit(self.templates, prepared, self.precision, self.units)
                if not fitted:
                    self.seed_ = seed_from(self.random_state)
                plan = self._plan_on(rows.n_rows, self._sample_shape)
                split_rows(rows.n_rows, plan.validation_fraction, self.seed_)
                source = Source(*prepared, self.seed_, _FINETUNE_STREAM, self._accept(targets))
                if not fitted:
                    self._start_random(source)
            self._finetune(source, plan, Hooks(callback), checkpoint, resume)
        return self

    @property
    def visible_activation(self) -> str:  # type: ignore[override]
        """Activation that models the data: that of the bottom unit."""
        return self.templates[0].output_activation

    @property
    def takes_sequences(self) -> bool:  # type: ignore[override]
        """Whether the bottom unit does."""
        return bool(self.templates[0].takes_sequences)

    @property
    def _built(self) -> Any:
        """The templates that the network is made of: the lower ones, where pretraining did not come to the others."""
        ends = accumulate(len(halves.encoder) for halves in chained(self.templates, self._sample_shape))
        return self.templates[: sum(end <= self.n_code_layers_ for end in ends)]

    def _trained_units(self) -> list[Unit]:
        """The units as pretrained, from the data upwards."""
        return list(self.units_)

    def plan(self) -> Plan:
        """Check every parameter, the units' too, and return the plan of fine-tuning; raises SettingError."""
        units = self.templates
        if not isinstance(units, list | tuple) or not units or not all(isinstance(u, Unit) for u in units):
            raise SettingError(f"units: expected a list of {UNIT_NAMES} units, or of their sizes, found {shown(units)}")
        plan = training_plan(self, "finetune_")
        for unit in units:
            self._clone(unit).validate()
        check_chain(list(units))
        self._loss()
        return replace(
            plan, clip_norm=max(value_of(unit, "clip_norm") if hasattr(unit, "clip_norm") else 0.0 for unit in units)
        )

    def snapshot(self, unit: int | None, params: np.ndarray, history: list[Record]) -> "Stack":
        """A copy as it stands during training: unit number ``unit``, or with None the whole network, has these parameters."""
        copy = shallow_copy(self)
        if unit is None:
            copy.network_ = replace(self.network_, params=params)
        else:
            current = shallow_copy(self.units_[unit])
            current.network_ = replace(current.network_, params=params)
            copy.units_ = [*self.units_[:unit], current]
            copy.network_ = copy._unroll()
        done = [r for r in self.history_ if r.phase == "pretrain" and (unit is None or r.unit < unit)]
        copy.history_ = done + history
        return copy

    def _prepare(self, rows: Rows, reset: bool, models_input: bool = True) -> Prepared:
        """The data ready for training, their range checked if they are to be modelled; on reset the scaling is chosen.

        A model that is fitted takes in training what it takes in use: under a fitted scaling any range.
        """
        given = rows
        if reset:
            rows = shaped(given, self.templates[0].shape_of(given))
            tell_shape(given, rows)
        data, dtype = summarize(rows, self.takes_sequences), precision_dtype(self.precision)
        check_varies(rows, data)
        if reset:
            self.scaling_ = fit_scaling(self.scaling, rows, data, dtype, self._is_bounded, self.takes_sequences)
            tell_scaling(given, self.scaling_, self.takes_sequences)
        as_trained = self.scaling_.method in (AS_IS, IMAGES) and self.scaling_.unit_range
        prepared = self.scaling_.for_training(rows, data, dtype)
        if reset and self._are_sizes:
            self.data_kind_ = (kind_of(self.scaling_, *prepared[1:]), rows.n_rows, rows.n_columns)
            self.plan()
            tell_units(self.templates, self.unit)
        if models_input if reset else as_trained:
            check_range(self.visible_activation, prepared.scaled, prepared.data, f"{rows.name}, unit 1", not reset)
        return prepared

    def check_target(self, target: Any) -> None:
        """SettingError for a target, or units that are told what to answer, in a stack that cannot have it."""
        units, decodes = self.templates, hasattr(self, "reconstruct")
        if target is not None and not (decodes and len(units) == 1):
            raise SettingError(
                f"target: expected one unit of an autoencoder, found {len(units)} of a {self.kind}; leave it out"
            )
        if decodes and len(units) > 1 and any(unit.is_forced for unit in units):
            raise SettingError(
                f"forcing: expected one unit, whose answers are those of the whole network, found {len(units)}; leave it out"
            )
        if target is not None:
            check_takes_targets(units[0])

    def _goal(self, rows: Rows, prepared: Prepared, target: Any, reset: bool) -> Goal | None:
        """The goal of training rows, where that is not the rows themselves; on reset what its unit answers with is noted."""
        if not reset:
            return goal_for(self.target_, target, rows, precision_dtype(self.precision))
        unit = self._clone(self.templates[0])
        goal = unit.told(rows, prepared, target)
        self.target_ = unit.target_
        return goal

    def _check_unchanged(self) -> None:
        """SettingError if precision or units, as far as the network has them, are not those that it was built with."""
        built = chained(self._built, self._sample_shape)
        same = self.network_.layers == tuple(self._layers(built)) and (
            not self.units_ or chained(self.units_, self._sample_shape) == built
        )
        if not same or self.network_.params.dtype != precision_dtype(self.precision):
            raise SettingError(
                "units: these, or the precision, are not what the network was pretrained with; pretrain again"
            )

    def _check_complete(self) -> None:
        """SettingError if pretraining did not come to the upper units."""
        found, expected = len(self._built), len(self.templates)
        if found < expected:
            raise SettingError(f"units: only {found} of {expected} were pretrained; pretrain again, or resume")

    def _clone(self, unit: Unit) -> Unit:
        """A fresh unit with what the stack decides for its units, and its patience if it has none."""
        copy = clone(unit)
        copy.target_ = unit.target_
        own: dict[str, Any] = {
            "precision": self.precision, "n_threads": self.n_threads, "scaling": self.scaling, "verbose": self.verbose
        }  # fmt: skip
        if unit.patience in (None, AUTO):
            own["patience"] = self.patience
        return copy.set_params(**own, validation_fraction=self.validation_fraction)

    def _pretrain_units(
        self, prepared: Prepared, goal: Goal | None, callback: Callback | None, checkpoint: Any, resume: Resume | None
    ) -> None:
        first = 0 if resume is None else resume.unit
        del self.units_[first:]
        below, scaled, statistics = prepared
        scaling = self.scaling_ if self.scaling_.uniform is None else self.scaling_.with_numbers(scaled)
        for index, template in enumerate(self.templates):
            if index > 0:
                below = _codes(below, self.units_[index - 1], scaled, self.precision)
                scaled, scaling = (1.0, 0.0), identity(below.sample_shape, below.dtype.name)
            if index < first:
                continue
            statistics = summarize(below, template.takes_sequences) if index else statistics
            paired = index > 0 and self.units_[index - 1].codes_in_pairs
            source = Source(below, scaled, statistics, self.seed_, index, paired=paired, goal=goal)
            self.units_.append(self._clone(template))
            hooks = Hooks(callback, checkpoint and checkpoint.at(self, "pretrain", index))
            self._train_unit(source, scaling, hooks, resume if index == first else None)

    def _train_unit(self, source: Source, scaling: InputScaling, hooks: Hooks, resume: Resume | None) -> None:
        """Train the uppermost unit so far, and note its history."""
        unit, before = self.units_[-1], len(self.history_)
        try:
            phase, progress = prepare_unit(unit, source, scaling, resume)
            warn_of(phase, run(phase, hooks, progress), unit.n_code_layers_)
        finally:
            self.history_[before:] = unit.history_ if hasattr(unit, "history_") else []

    def _start_random(self, source: Source) -> None:
        """An untrained network of the stack's shape."""
        chain = chained(self.templates, self._sample_shape)
        self.units_, self.history_ = [], []
        self.network_ = Network.zeros(self._layers(chain), self.precision)
        self.network_.randomize(source.seed, source.stream)
        self._start_output(source)
        self.n_code_layers_ = len(encoders(chain))

    def _unroll(self) -> Network:
        """The units as one network, with all of their parameters."""
        chain = chained(self.units_, self._sample_shape)
        network = Network.zeros(self._layers(chain), self.precision)
        sources = [(unit.network_, i) for unit in self.units_ for i in range(unit.n_code_layers_)]
        for index, (source, i) in enumerate([*sources, *self._top_sources()]):
            fill(network.arrays(index), source.arrays(i))
        self.n_code_layers_ = len(sources)
        return network

    def _finetune(self, source: Source, plan: Plan, hooks: Hooks, checkpoint: Any, resume: Resume | None) -> None:
        self.network_, self.baseline_ = self.network_.at(self.precision).writable(), None
        objective = (self._corruption(), self._terms(), self._stochastic())
        trainee = DenseTrainee(self.network_, self._loss(), plan, source, *objective)
        phase, progress = prepare(_FINETUNING, plan, trainee, source, resume)
        phase.start_counts = source.labels is None and bool(self.units_)
        phase.eases = phase.start_counts and trainee.loss == "squared_error" and self.finetune_learning_rate == AUTO
        hooks.checkpoint = checkpoint and checkpoint.at(self, "finetune", FINETUNE)
        before = [record for record in self.history_ if record.phase != "finetune"]
        try:
            warn_of(phase, run(phase, hooks, progress), self.n_code_layers_)
        finally:
            self.history_ = before + progress.history
        conclude(self, source.rows, source.scaled, source.labels)

    def _layers(self, chain: list[Halves]) -> list[Layer]:
        """The whole network's layers, for units of these layers."""
        raise NotImplementedError

    def _top_sources(self) -> list[tuple[Network, int]]:
        """Where parameters above the encoder come from, layer by layer; layers above these start at zero."""
        return []

    def _start_output(self, source: Source) -> None:
        """Starting biases of an untrained network's outputs."""

    def _corruption(self) -> Corruption:
        """What fine-tuning does to its rows."""
        return NO_CORRUPTION

    def _stochastic(self) -> Stochastic:
        """How stochastic layers are fine-tuned."""
        return MEANS

    def _terms(self) -> Terms:
        """What fine-tuning adds to the loss."""
        return NO_TERMS

    def _loss(self) -> str:
        raise NotImplementedError

    def _targets(self, rows: Rows, y: Any) -> Any:
        """What fine-tuning aims at, checked; `_accept` then makes it the stack's."""
        return None

    def _accept(self, targets: Any) -> np.ndarray | None:
        """Labels (n_rows,) as class numbers, or None for an autoencoder."""
        return None


def _codes(below: Rows, unit: Unit, scaled: tuple[float, float], precision: str) -> Rows:
    """The data of the next unit: the clean codes of ``unit``, whose own data are ``below``."""
    network = unit.network_.at(precision)
    answer, shape = network.answerer(0, unit.n_code_layers_), network.layers[unit.n_code_layers_ - 1].code_shape
    return encoded(below, lambda table: answer.block(table, *scaled), answer.n_out, network.params.dtype, shape)
