"""``stacked encode``, ``decode`` and ``reconstruct``: a model applied to rows, its answer written to a file."""

from collections.abc import Callable
from typing import Any

import click

from . import options as opt

apply_options = opt.together(
    opt.model_argument, opt.data_argument, opt.array_output_option, opt.force_option, opt.precision_option,
    opt.threads_option, opt.config_option,
)  # fmt: skip


@click.command()
@apply_options
def encode(**given: Any) -> None:
    """Write the codes that MODEL gives to the rows of DATA.

    \b
    Example:
      stacked encode tuned.h5 digits -o codes.npy
      stacked encode tuned.h5 images.csv | head
    """
    _apply(given, lambda fitted, rows: fitted.transform(rows))


@click.command()
@apply_options
def decode(**given: Any) -> None:
    """Write what MODEL makes of the codes in DATA, in the units of the data that it was trained on.

    \b
    Example:
      stacked decode tuned.h5 codes.npy -o images.h5:/images
    """
    _apply(given, lambda fitted, rows: fitted.inverse_transform(rows), decodes=True)


@click.command()
@apply_options
def reconstruct(**given: Any) -> None:
    """Write what MODEL makes of the rows of DATA after encoding and decoding, in the units of DATA.

    \b
    Example:
      stacked reconstruct tuned.h5 digits -o reconstructions.npy
    """
    _apply(given, lambda fitted, rows: fitted.reconstruct(rows), decodes=True)


def _apply(given: dict[str, Any], function: Callable[[Any, Any], Any], decodes: bool = False) -> None:
    from stacked.data import open_data

    from .models import load_model, require_decoder
    from .output import write_array
    from .targets import claimed_target

    model, data = given["model"], given["data"]
    with claimed_target(given["output"], [model, data], given["force"]) as target:
        fitted = load_model(model, given["n_threads"], given["precision"])
        if decodes:
            require_decoder(fitted, model)
        with open_data(data) as rows:
            write_array(target, function(fitted, rows))
