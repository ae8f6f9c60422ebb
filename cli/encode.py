"""``stacked encode`` and ``decode``: a model applied to rows, its answer written to a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from . import options as opt
from .samples import as_in_training
from .table_options import (
    code_names,
    data_names,
    header_option,
    open_codes,
    open_for,
    sequence_header_option,
    sequences_of,
    table_options,
)

if TYPE_CHECKING:
    from stacked.data import Rows

    from .targets import Target


def _apply_options(header: opt.Decorator, tables: opt.Decorator, replace: opt.Decorator) -> opt.Decorator:
    return opt.together(
        opt.model_argument, opt.data_argument, opt.array_output_option, header, tables, replace,
        opt.precision_option, opt.threads_option, opt.config_option,
    )  # fmt: skip


apply_options = _apply_options(header_option, table_options, opt.replace_or_draw_option)
code_options = _apply_options(sequence_header_option, table_options, opt.replace_option)  # one line a sequence


@click.command()
@code_options
def encode(**given: Any) -> None:
    """Write the codes that MODEL gives to the rows of DATA.

    \b
    Example:
      stacked encode tuned.h5 digits -o codes.npy
      stacked encode tuned.h5 images.csv | head
    """
    from .output import write_array

    with applied(given) as (fitted, rows, target):
        names, sequences = code_names(fitted, rows, given), sequences_of(fitted, rows, given)
        write_array(target, fitted.transform(rows), names, sequences)


@click.command()
@_apply_options(header_option, opt.together(), opt.replace_option)
def decode(**given: Any) -> None:
    """Write what MODEL makes of the codes in DATA.

    DATA are codes as `stacked encode` writes them. The answers have units and shape of the data that MODEL was trained on; images
    of bytes are whole numbers, 0 to 255. Sequences with a code a step end where their codes do; one code for the whole sequence
    does not tell its length: then all steps are written, as many as the longest of the training had, of which those of a shorter
    one are the last (the first with --no-reverse or --target in pretraining).

    \b
    Example:
      stacked decode tuned.h5 codes.npy -o images.h5:/images
    """
    from .output import write_array

    with applied(given, decodes=True, codes=True) as (fitted, rows, target):
        write_array(target, as_in_training(fitted, fitted.inverse_transform(rows)), data_names(fitted, given))


@contextmanager
def applied(given: dict[str, Any], decodes: bool = False, codes: bool = False) -> "Iterator[tuple[Any, Rows, Target]]":
    """The model and the rows (codes or not) that `apply_options` name, and where to write, kept to this process; all checked."""
    from .models import load_model, require_decoder
    from .targets import claimed_target

    model, data = given["model"], given["data"]
    with claimed_target(given["output"], [model, data], given["force"]) as target:
        fitted = load_model(model, given["n_threads"], given["precision"])
        if decodes:
            require_decoder(fitted, model)
        with open_codes(fitted, data) if codes else open_for(fitted, data, None, given) as rows:
            yield fitted, rows, target
