"""What a model should answer with, where that is not its input or is told it as it goes: targets, with a scaling of their own."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .checks import check_range
from .data import Rows, Summary, as_rows, summarize
from .data.finite import values_there
from .data.shapes import as_sequences, called, like_training
from .decoding import Goal
from .errors import DataError, SettingError
from .scaling import AS_IS, InputScaling
from .scaling_rules import fit_scaling


@dataclass(frozen=True)
class Target:
    """What a model was told to answer with: ``scaling`` of its targets (T, D), None where they are the input.

    ``one_hot``: each step of the training's had a single 1 among zeros.
    """

    scaling: InputScaling | None
    one_hot: bool


def check_takes_targets(unit: Any) -> None:
    """SettingError for a unit, or a class of them, that answers with its input."""
    if not unit.takes_targets:
        raise SettingError(
            f"target: expected a unit that can answer with other rows than its input, a SequenceAutoencoder, found"
            f" {type(unit).__name__}; leave it out"
        )


def own_target(rows: Rows, scaled: tuple[float, float]) -> Target:
    """That of rows which are to be answered with themselves, scaled by two numbers."""
    width = rows.sample_shape[-1] if len(rows.sample_shape) == 2 else 1
    as_they_are = scaled == (1.0, 0.0)
    return Target(None, as_they_are and all(are_symbols(rows.read(*bounds), width) for bounds in rows.slices()))


def aim(mode: str, given: Any, rows: Rows, dtype: np.dtype, output: str, name: str) -> tuple[Target, Goal]:
    """Targets that are given for training ``rows``, scaled by a ``mode`` for a model of ``dtype`` and such ``output``."""
    targets = as_sequences(_rows_of(given, rows))
    data = summarize(targets, True)
    scaling = fit_scaling(mode, targets, data, dtype, output == "sigmoid", True)
    prepared = scaling.for_training(targets, data, dtype)
    check_range(output, prepared.scaled, prepared.data, f"{targets.name}, {name}")
    goal = _goal(prepared.rows, prepared.scaled, prepared.data)
    as_they_are = scaling.method == AS_IS and prepared.scaled == (1.0, 0.0)
    return Target(scaling, as_they_are and are_symbols(goal.table, targets.sample_shape[1])), goal


def goal_for(target: Target | None, given: Any, rows: Rows, dtype: np.dtype) -> Goal | None:
    """The goal of ``rows`` for a model that was trained towards a target; SettingError for one that takes none, or lacks it."""
    scaling = None if target is None else target.scaling
    if scaling is None:
        if given is not None:
            raise SettingError("target: expected none, for the model answers with its input; leave it out")
        return None
    if given is None:
        raise SettingError(
            "target: expected what the rows should be answered with, as in the training, found none; give it too"
        )
    targets = like_training(_rows_of(given, rows), scaling.sample_shape, True)
    if targets.n_columns != len(scaling.scale):
        raise DataError(
            f"{targets.name}: expected targets of {called(scaling.sample_shape)} as in the training, found"
            f" {called(targets.sample_shape)}"
        )
    data = summarize(targets, True)
    return _goal(*scaling.in_use(targets, dtype, data), data)


def are_symbols(table: np.ndarray, width: int) -> bool:
    """Whether each step of sequences (n, T * width), which may end early, has a single 1 among zeros."""
    steps = table.reshape(-1, width)
    if table.dtype.kind == "f":
        steps = steps[~np.isnan(steps).all(axis=1)]
    return width > 1 and bool(((steps == 0) | (steps == 1)).all() and (steps.sum(axis=1) == 1).all())


def shares_right(answers: np.ndarray, expected: np.ndarray, width: int) -> tuple[float, float]:
    """Shares of the steps, and of the sequences, of answers (N, T * width) that have the largest number where it is expected."""
    found, true = (table.reshape(len(table), -1, width) for table in (answers, expected))
    there = ~np.isnan(true[..., 0])
    right = np.nan_to_num(found, nan=-np.inf).argmax(axis=2) == np.nan_to_num(true).argmax(axis=2)
    return float(right[there].mean()), float((right | ~there).all(axis=1).mean())


def _rows_of(given: Any, rows: Rows) -> Rows:
    targets = as_rows(given, name="<target>")
    if targets.n_rows != rows.n_rows:
        raise DataError(
            f"{targets.name}: expected {rows.n_rows:,} targets, one for each row of {rows.name}, found {targets.n_rows:,}"
        )
    if not targets.in_memory:
        raise DataError(
            f"{targets.name}: expected targets that are held in memory, found a table that is read by blocks; give an array or"
            " a .npy file"
        )
    return targets


def _goal(rows: Rows, scaled: tuple[float, float], data: Summary) -> Goal:
    table = np.ascontiguousarray(rows.read(0, rows.n_rows))
    values_there(rows, table, 0, True)
    return Goal(table, scaled, data)
