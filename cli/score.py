"""``stacked score``: how unlike the training rows each row is."""

from typing import Any

import click

from .encode import applied, code_options
from .parameters import Within
from .table_options import code_names, sequences_of

QUANTILE = 0.99


@click.command()
@code_options
@click.option(
    "--flag", is_flag=True,
    help="Write a second column: 1 where the score exceeds that of the given share of the training rows, else 0.",
)  # fmt: skip
@click.option(
    "--quantile", type=Within(float, 0, 1), metavar="SHARE",
    help=f"Share of the training rows below the threshold of --flag.  [default: {QUANTILE}]",
)  # fmt: skip
def score(flag: bool, quantile: float | None, **given: Any) -> None:
    """Write an anomaly score for each row of DATA.

    The higher it is, the less the row is like those that MODEL was trained on. Of an autoencoder the score adds up how badly it
    reconstructs the row, how improbable the row's principal components are, and how far it is from the training rows as the first
    layer sees them; usual rows have scores around 0. Where sequences of the training ended early it is the first of these alone,
    whatever the length. Of a single RBM it is the free energy, of a classifier minus the log of the summed exponentials of its
    last layer.

    \b
    Example:
      stacked score tuned.h5 parts.csv -o scores.csv
      stacked score tuned.h5 parts.csv --flag --quantile 0.999 -o scores.csv
    """
    from .output import write_array

    if quantile is not None and not flag:
        raise click.UsageError("--quantile: has no effect without --flag")
    with applied(given) as (fitted, rows, target):
        limit = _limit(fitted, given["model"], QUANTILE if quantile is None else quantile) if flag else None
        scores = -fitted.score_samples(rows)
        named = code_names(fitted, rows, given) is not None
        names = ["score", "anomaly"][: 1 if limit is None else 2] if named else None
        answers = scores if limit is None else _flagged(scores, limit, target.path)
        write_array(target, answers, names, sequences_of(fitted, rows, given))


def _limit(fitted: Any, path: str, quantile: float) -> float:
    """The threshold; ModelFileError for a model that has not kept its training rows' scores."""
    from stacked.anomalies import threshold
    from stacked.errors import ModelFileError

    limit = threshold(fitted, quantile)
    if limit is None:
        raise ModelFileError(f"{path}: holds no scores of its training rows, which --flag needs; leave it out")
    return limit


def _flagged(scores: Any, limit: float, path: str) -> Any:
    """Scores beside 1 where they exceed the limit, else 0; as text, a whole number among others, where that is what is written."""
    import numpy as np

    flags = (scores > limit).astype(np.int64)
    if path.lower().endswith((".npy", ".h5", ".hdf5")):
        return np.column_stack([scores, flags])
    return np.column_stack([scores.astype(str), flags.astype(str)])
