"""Making a phase ready for the loop, be it a unit's or that of the whole network."""

from typing import NamedTuple

import numpy as np

from ..activations import ACTIVATIONS
from ..data import Rows, Summary
from ..decoding import Goal
from .feed import Feed, split_rows
from .guard import careless_loss, trivial_loss
from .loop import Phase, Progress, Trainee
from .plan import Plan, remedy
from .start import Resume, restore


class Source(NamedTuple):
    """What a phase trains on.

    Rows, the (scale, offset) to load them with, their summary; the seed and the stream of its random numbers; and the labels
    (n_rows,) of a classifier, or the goal that the rows should be answered with. ``paired`` tells of codes of the unit below that
    they start in pairs (`units.principal`).
    """

    rows: Rows
    scaled: tuple[float, float]
    data: Summary
    seed: int
    stream: int
    labels: np.ndarray | None = None
    paired: bool = False
    goal: Goal | None = None

    @property
    def aim(self) -> tuple[Summary, tuple[float, float]]:
        """The summary of what the rows should be answered with, and its (scale, offset)."""
        return (self.data, self.scaled) if self.goal is None else (self.goal.data, self.goal.scaled)


class Name(NamedTuple):
    """Which phase it is, and the number of its unit, in records; what messages call it, and what its settings begin with."""

    phase: str
    unit: int
    where: str
    prefix: str = ""


def prepare(
    name: Name, plan: Plan, trainee: Trainee, source: Source, resume: Resume | None = None
) -> tuple[Phase, Progress]:
    """The phase of a trainee that has its starting weights, or goes on from ``resume``, and how far it has come."""
    if resume is not None:
        restore(trainee, resume)
    train_rows, validation = split_rows(source.rows.n_rows, plan.validation_fraction, source.seed)
    feed = Feed(source.rows, *source.scaled, source.seed, source.stream, source.labels, train_rows, source.goal)
    last = trainee.network.layers[-1]
    trivial = trivial_loss(trainee.loss, *source.aim, last.n_out)
    careless = careless_loss(trainee.loss, *source.aim, ACTIVATIONS[last.activation].bounded)
    advice = remedy(plan, name.prefix)
    phase = Phase(name.phase, name.unit, plan, feed, trainee, name.where, advice, trivial, validation, careless)
    return phase, Progress() if resume is None else resume.progress
