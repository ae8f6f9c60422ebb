"""``stacked predict``."""

from typing import Any

import click

from . import options as opt
from .table_options import open_for, table_options


@click.command()
@opt.model_argument
@opt.data_argument
@opt.array_output_option
@click.option(
    "--proba", is_flag=True, help="Write probabilities, a column a class in the order that `stacked info` shows."
)
@table_options
@opt.replace_option
@opt.precision_option
@opt.threads_option
@opt.config_option
def predict(
    model: str,
    data: str,
    output: str,
    proba: bool,
    force: bool,
    precision: str | None,
    n_threads: int | None,
    **table: Any,
) -> None:
    """Write the labels that the classifier MODEL gives to the rows of DATA.

    \b
    Example:
      stacked predict classifier.h5 digits -o labels.csv
      stacked predict classifier.h5 digits --proba -o probabilities.npy
    """
    from .models import load_model, require_classifier
    from .output import write_array
    from .targets import claimed_target

    with claimed_target(output, [model, data], force) as target:
        classifier = load_model(model, n_threads, precision)
        require_classifier(classifier, model)
        with open_for(classifier, data, None, table) as rows:
            write_array(target, classifier.predict_proba(rows) if proba else classifier.predict(rows))
