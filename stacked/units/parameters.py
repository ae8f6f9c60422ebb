"""The parameters that units share, declared once; each unit adds its own in a file of its own."""

from typing import Any

from ..parameters import Auto, Choice, Real, Seed, Steps, Threads, Verbosity, Whole, declared, parameter
from ..settings import MAX_COUNT, PRECISIONS, SCALINGS


@declared
class Sized:
    """A unit's size."""

    n_hidden: int = parameter(256, Whole(), "number of hidden units.", option=None)


@declared
class Trained:
    """How a unit is trained."""

    learning_rate: Any = parameter(
        "auto", Auto(Steps()), "step down the gradient, or a schedule of it; auto suits the unit and its optimizer.",
        per_layer=True,
    )  # fmt: skip
    momentum: Any = parameter(
        0.9, Steps(1.0), "share of the last step that is taken again, or a schedule of it; adam's beta_1.",
        per_layer=True,
    )  # fmt: skip
    weight_decay: float = parameter(0.0, Real(), "L2 penalty on weights.", per_layer=True)
    l1: float = parameter(0.0, Real(), "L1 penalty on weights.", per_layer=True)
    batch_size: int | str = parameter(
        "auto", Auto(Whole()), "rows in a minibatch; auto goes by the number of rows.", per_layer=True
    )
    epochs: int | str = parameter(
        "auto",
        Auto(Whole(0, MAX_COUNT)),
        "passes over the data; auto makes more of them over few rows.",
        per_layer=True,
    )


@declared
class Searched:
    """Optimisers by line search."""

    line_searches: int = parameter(3, Whole(), "iterations of cg and lbfgs on each minibatch.")


@declared
class Run:
    """What a stack decides for all of its units."""

    validation_fraction: float | str = parameter(
        "auto", Auto(Real(0.0, 1.0, open_high=True)),
        "hold out this share of the rows; the weights that do best on them are kept. auto: of few rows, where the epochs are auto.",
        option=("--validation", "validation_fraction"), metavar="FRACTION",
    )  # fmt: skip
    patience: int | str | None = parameter(
        "auto", Auto(Whole(optional=True)),
        "stop after so many epochs without improvement on the rows held out; auto: where the epochs are auto.",
    )  # fmt: skip
    scaling: str = parameter(
        "auto", Choice(SCALINGS), "of the data; auto looks at them, minmax, standard, center and log say how."
    )
    precision: str = parameter(
        "float32", Choice(PRECISIONS),
        "of weights and products; bfloat16 rounds what products multiply and keeps float32 weights: faster, on a CPU that has"
        " instructions for it.",
    )  # fmt: skip
    n_threads: int | None = parameter(
        None, Threads(), "threads, or None for all cores; the result does not depend on them.",
        option=("--threads", "n_threads"),
    )  # fmt: skip
    random_state: Any = parameter(
        None, Seed(), "same seed, same bits.", option=("--seed", "random_state")
    )  # fmt: skip
    verbose: int = parameter(
        0, Verbosity(), "1 shows progress on the standard error: a bar a unit on a terminal, lines elsewhere.", option=None
    )  # fmt: skip
