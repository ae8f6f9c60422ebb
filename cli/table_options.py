"""Options of every command that reads DATA: which columns of a table are samples, and which one holds the labels."""

import csv
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from . import options as opt
from .parameters import Dimensions

if TYPE_CHECKING:
    import numpy as np

    from stacked.data import Rows

# Of the options' values, and of the arguments of `open_data`, with what they are in the notes of a checkpoint.
NAMES: dict[str, type] = {"label_column": str, "drop": list, "columns": list, "sequence_column": str, "shape": list}


class ColumnNames(click.ParamType):
    """Names separated by commas, one with a comma in it between quotes; or a list of them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        try:
            parts = next(csv.reader([value], skipinitialspace=True, strict=True)) if isinstance(value, str) else value
            names = [str(part).strip() for part in parts]
        except (TypeError, StopIteration, csv.Error):
            names = []
        if not all(names) or not names:
            self.fail(f"expected names of columns separated by commas, found {value!r}", param, ctx)
        return names


_LABELS, _SEQUENCES = (
    "Tables: the column of labels, or none; without a header its number, from 1.",
    "Tables: rows are steps of sequences, and this column (without a header its number, from 1) names the sequence; the others"
    " are numbers.",
)
_OTHERS = (
    click.option("--drop", type=ColumnNames(), metavar="NAMES", help="Tables: columns to leave out; without a header 1,2."),
    click.option("--columns", type=ColumnNames(), metavar="NAMES", help="Tables: the columns to use, and no others."),
    click.option(
        "--shape", type=Dimensions(), metavar="HxW[xC]",
        help="Shape of a sample where DATA, as a table, does not say it: of images 28x28, of sequences STEPSxNUMBERS.",
    ),
)  # fmt: skip


def _table_options(labels: str, sequences: str) -> opt.Decorator:
    return opt.together(
        click.option("--label-column", metavar="NAME", help=_LABELS + labels),
        *_OTHERS,
        click.option("--sequence-column", metavar="NAME", help=_SEQUENCES + sequences),
    )


training_options = _table_options("  [default: label, class, target or y]", "")
table_options = _table_options(
    "  [default: as MODEL was trained; else label, class, target or y]", "  [default: as MODEL was trained]"
)


def _header(more: str = "") -> opt.Decorator:
    what = f"CSV: begin with a line of names, where MODEL was trained on a table{more}."
    return click.option("--header/--no-header", default=True, help=what)


header_option = _header()
sequence_header_option = _header("; and if its rows were steps, each line with the name of its sequence")


def open_for_training(data: str, given: dict[str, Any]) -> "Rows":
    """The rows of DATA, a table's as its own values have it; a usage error for a column that is not there."""
    from stacked.data import open_data

    return _opened(lambda: open_data(data, **_choice(given)))


def open_for(fitted: Any, data: str, labels: str | None, given: dict[str, Any]) -> "Rows":
    """The rows of DATA as the model takes them, with the labels in DATA ``labels`` or their own; a usage error as above."""
    from stacked.data import open_data_for

    return _opened(lambda: open_data_for(_recipe(fitted), data, labels, **_choice(given)))


def open_codes(fitted: Any, data: str) -> "Rows":
    """The codes in DATA, which are nothing but numbers, whatever the model was trained on."""
    from stacked.data import open_codes_for

    return open_codes_for(_recipe(fitted), data)


def open_target(target: str, given: dict[str, Any], recipe: dict[str, Any] | None) -> "Rows":
    """The rows of what others should be answered with; a table of steps names its sequences as DATA, of this recipe, does."""
    from stacked.data import open_targets_for

    return _opened(lambda: open_targets_for(recipe, target, given.get("sequence_column")))


def open_labelled(fitted: Any, data: str, labels: str | None, given: dict[str, Any]) -> "Rows":
    """As `open_for`, to go on training the model, which then remembers which column of a table holds the labels."""
    rows = open_for(fitted, data, labels, given)
    if rows.table is not None:
        fitted.table_ = rows.table
    return rows


def notes_of_table(given: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint remembers of these options."""
    choice = _choice(given)
    return {"table": choice} if choice else {}


def table_of_notes(notes: dict[str, Any]) -> dict[str, Any] | None:
    """The options that a checkpoint remembers, or None for what is none of them."""
    found = notes.get("table", {})
    if not isinstance(found, dict) or not found.keys() <= NAMES.keys():
        return None
    return found if all(isinstance(value, NAMES[name]) for name, value in found.items()) else None


def data_names(fitted: Any, given: dict[str, Any]) -> list[str] | None:
    """The names of a model's encoded columns, for the first line of a CSV file that is told to be one when it is read."""
    recipe = _recipe_of_rows(fitted)
    if recipe is None or not given["header"]:
        return None
    from stacked.data.header import reads_as_header
    from stacked.data.recipe import feature_names

    names = feature_names(recipe)
    return names if reads_as_header(names) else None


def code_names(fitted: Any, rows: "Rows", given: dict[str, Any]) -> Callable[[int], list[str]] | None:
    """What names so many units of a code, where the data have names, too, or the sequences that they are."""
    if not given["header"] or (_recipe_of_rows(fitted) is None and sequences_of(fitted, rows, given) is None):
        return None
    return lambda n_units: [f"code{i}" for i in range(n_units)]


def sequences_of(fitted: Any, rows: "Rows", given: dict[str, Any]) -> "tuple[str, np.ndarray] | None":
    """A column that names the sequences (n,), and what it is called, where model and rows are of a table of steps."""
    from stacked.data.recipe import sequence_title

    title = sequence_title(_recipe(fitted))
    if title is None or rows.sequence_names is None or not given["header"]:
        return None
    return title, rows.sequence_names


def _recipe(fitted: Any) -> dict[str, Any] | None:
    return getattr(fitted, "table_", None)


def _recipe_of_rows(fitted: Any) -> dict[str, Any] | None:
    """That of a table whose rows are samples, which names their columns; those of steps name no columns of whole sequences."""
    from stacked.data.recipe import sequence_column_of

    recipe = _recipe(fitted)
    return recipe if sequence_column_of(recipe) is None else None


def _choice(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in NAMES if given.get(name) is not None}


def _opened(opened: Callable[[], "Rows"]) -> "Rows":
    from stacked.data.choice import ColumnError

    try:
        return opened()
    except ColumnError as error:
        raise click.UsageError(str(error)) from error
