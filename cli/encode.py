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
def encode(model: str, data: str, output: str, force: bool, precision: str | None, n_threads: int | None) -> None:
    """Write the codes that MODEL gives to the rows of DATA.

    \b
    Example:
      stacked encode tuned.h5 digits -o codes.npy
      stacked encode tuned.h5 images.csv | head
    """
    _apply(model, data, output, force, precision, n_threads, lambda fitted, rows: fitted.transform(rows))


@click.command()
@apply_options
def decode(model: str, data: str, output: str, force: bool, precision: str | None, n_threads: int | None) -> None:
    """Write what MODEL makes of the codes in DATA, in the units of the data that it was trained on.

    \b
    Example:
      stacked decode tuned.h5 codes.npy -o images.h5:/images
    """
    _apply(
        model,
        data,
        output,
        force,
        precision,
        n_threads,
        lambda fitted, rows: fitted.inverse_transform(rows),
        decodes=True,
    )


@click.command()
@apply_options
def reconstruct(model: str, data: str, output: str, force: bool, precision: str | None, n_threads: int | None) -> None:
    """Write what MODEL makes of the rows of DATA after encoding and decoding, in the units of DATA.

    \b
    Example:
      stacked reconstruct tuned.h5 digits -o reconstructions.npy
    """
    _apply(
        model, data, output, force, precision, n_threads, lambda fitted, rows: fitted.reconstruct(rows), decodes=True
    )


def _apply(
    model: str,
    data: str,
    output: str,
    force: bool,
    precision: str | None,
    n_threads: int | None,
    function: Callable[[Any, Any], Any],
    decodes: bool = False,
) -> None:
    from stacked.data import open_data

    from .models import load_model, require_decoder
    from .output import target_of, write_array

    target = target_of(output, [model, data], force)
    fitted = load_model(model, n_threads, precision)
    if decodes:
        require_decoder(fitted, model)
    with open_data(data) as rows:
        write_array(target, function(fitted, rows))
