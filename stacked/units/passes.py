"""Training that goes on from call to call, one pass over the rows of each: what `partial_fit` of a unit does.

A call is an epoch: schedules and warm-up count calls, and so do random numbers. So k calls with the same rows come to the same
bits as one `fit` of k epochs.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..data import summarize
from ..errors import SettingError
from ..settings import check_products
from ..targets import goal_for
from ..training.loop import Phase, Progress, Trainee
from ..training.phase import Source, prepare
from ..training.plan import AUTO, Plan
from .prepare import name_of

if TYPE_CHECKING:
    from .base import Unit


class Carried(NamedTuple):
    """What a call hands on to the next, besides what is fitted: how far it came, and the trainee's arrays but for parameters."""

    progress: Progress
    arrays: dict[str, np.ndarray]


def plan_of_pass(unit: "Unit") -> Plan:
    """The plan of a unit for passes over all rows, every parameter checked; SettingError for one that a pass cannot have."""
    plan = unit.validate()
    check_products(unit.precision, optimizer=plan.optimizer)
    if plan.validation_fraction not in (0, AUTO):
        raise SettingError(
            f"validation_fraction: partial_fit trains on all the rows that it is given, found {plan.validation_fraction:g}; set it"
            " to 0, or use fit"
        )
    return replace(plan, validation_fraction=0.0, patience=None)


def go_on(unit: "Unit", X: Any, plan: Plan, target: Any = None) -> tuple[Phase, Progress]:
    """The next pass of a fitted unit over X (n_samples, n_features), with targets if it has some, in a copy of its network.

    The copy becomes the unit's.
    """
    unit._check_unchanged()
    rows, scaled = unit._fitted_rows(X)
    goal = goal_for(unit.target_, target, rows, unit.network_.params.dtype)
    source = Source(rows, scaled, summarize(rows, unit.takes_sequences), unit.seed_, 0, goal=goal)
    plan, network = plan.on(rows.n_rows, unit.usual_rate(rows.n_columns)), unit.network_.at(unit.precision)
    unit.network_ = replace(network, params=network.params.copy())
    trainee = unit.trainee(unit.network_, source, plan)
    name = name_of(unit, source, unit.layers(unit._sample_shape))
    phase, _ = prepare(name, plan, trainee, source)
    progress = _taken_over(unit, trainee)
    unit.history_ = progress.history
    return phase, progress


def one_pass(plan: Plan, progress: Progress) -> Plan:
    """The plan of the next epoch alone."""
    return replace(plan, epochs=progress.epoch + 1)


def carried(phase: Phase, progress: Progress) -> Carried:
    """What the next call needs of a pass that is over."""
    arrays = {name: array for name, array in phase.trainee.arrays.items() if name != "params"}
    return Carried(progress, arrays)


def _taken_over(unit: "Unit", trainee: Trainee) -> Progress:
    """Give a trainee what the last call left, and return how far that came; at rest after `fit`, or under another optimiser."""
    left = unit._carried
    if left is None or _kept(left.arrays) != _kept(trainee.arrays):
        return Progress(epoch=len(unit.history_), history=list(unit.history_))
    for name, array in left.arrays.items():
        if name == "chains":
            trainee.arrays[name] = array.copy()
        else:
            trainee.arrays[name][...] = array
    return replace(left.progress, history=list(left.progress.history))


def _kept(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """What training keeps; persistent chains stay as many as they were, however many rows a later call has."""
    return {name: None if name == "chains" else array.shape for name, array in arrays.items() if name != "params"}
