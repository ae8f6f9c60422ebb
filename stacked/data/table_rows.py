"""Rows that come from a table with columns: they know the recipe by which they were made, and can be made again by another one."""

import logging
from typing import Any

import numpy as np

from ..errors import DataError
from ..text import one_line
from .choice import Choice, Selected, listing, select
from .encoding import encoded
from .profile import Profile, column_of, profiles_of
from .recipe import MAX_COLUMNS, Recipe, counted, described, feature_names, fits_in_a_file, recipe_width, same_columns
from .rows import ArrayRows
from .table import Labels, Table
from .tables import refuse_words

_logger = logging.getLogger("stacked.tables")
_NUMBER = {"name": "", "kind": "number", "fill": 0.0}  # of a table that was encoded before, which has no gaps

_EARLY_ENDS = (
    "; sequences that end early are read from .npy, or from a table of their steps with a column that names the"
    " sequence"
)


class TableRows(ArrayRows):
    """The encoded rows of a table in memory.

    ``table`` is their recipe, or None where there is nothing to remember: numbers without a header, all of them used.
    """

    def __init__(
        self, array: np.ndarray, source: Table, choice: Choice, recipe: Recipe | None, labels: Any, complete: bool
    ) -> None:
        super().__init__(array, source.name, labels)
        self.table = recipe
        self._source, self._choice = source, choice
        self._complete = complete  # nothing was filled in or encoded

    def by(self, recipe: Recipe | None) -> "TableRows":
        """The rows of the same table as another recipe has them, or with None those of a table that is nothing but numbers."""
        if same_columns(self.table, recipe) or (recipe is None and self._complete):
            return self
        made = table_rows(self._source, self._choice, recipe)
        if made.n_columns == self.n_columns:
            made.sample_shape = self.sample_shape
        return made


def fitted_rows(table: Table, choice: Choice) -> TableRows:
    """The rows of a table for training, and the recipe that its own values give."""
    selected = select(table.names, table.named, choice, table.name)
    _tell_label(table, selected)
    array, labels = _numbers(table, selected.features, selected.label)
    if array is not None:
        return TableRows(array, table, choice, _plain_recipe(table, selected, array), _values(labels), True)
    if len(selected.features) > MAX_COLUMNS:
        raise DataError(
            f"{table.name}: expected at most {MAX_COLUMNS:,} columns where there is text, or gaps, found {len(selected.features):,}"
        )
    labels = _labels(table, selected.label)
    profiles = profiles_of(table, selected.features, labels)
    columns = [column_of(table, at, profile) for at, profile in zip(selected.features, profiles, strict=True)]
    recipe = {"header": table.named, "labels": label_name(table, selected.label), "columns": columns}
    if not fits_in_a_file(recipe):
        raise DataError(
            f"{table.name}: expected names and categories that a model file can hold, found {recipe_width(recipe):,} of them;"
            " leave columns of many categories out"
        )
    array = encoded(table, selected.features, recipe, None)
    _tell(table, recipe, profiles)
    return TableRows(array, table, choice, recipe, _values(labels), False)


def table_rows(table: Table, choice: Choice, recipe: Recipe | None) -> TableRows:
    """The rows of a table as a model takes them that was trained by this recipe, or with None on nothing but numbers.

    Columns are found by name, whatever their order, and others ignored. `DataError` names those that are missing.
    """
    if recipe is None:
        selected = select(table.names, table.named, choice, table.name)
        array, labels = _numbers(table, selected.features, selected.label)
        if array is None:
            refuse_words(table, selected.features, _EARLY_ENDS)
            raise AssertionError("unreachable")
        return TableRows(array, table, choice, None, _values(labels), True)
    choice = with_labels(table, choice, recipe)
    kept = {column["name"] for column in recipe["columns"]}
    selected = select(table.names, table.named, choice, table.name, kept)
    places = _encoded_before(table, selected.features, recipe)
    columns = recipe["columns"] if places is None else [_NUMBER] * len(places)
    places = places_of(table, selected.features, recipe) if places is None else places
    known = {**recipe, "labels": label_name(table, selected.label)}
    if all(column["kind"] == "number" for column in columns):
        array, labels = _numbers(table, places, selected.label)
        if array is not None:
            return TableRows(array, table, choice, known, _values(labels), True)
    labels = _labels(table, selected.label)
    array = encoded(table, places, {**recipe, "columns": columns}, labels)
    return TableRows(array, table, choice, known, _values(labels), False)


def code_rows(table: Table, choice: Choice) -> ArrayRows:
    """The rows of a table of codes, which are numbers; gaps stay NaN, as codes of steps after the end of a sequence are."""
    selected = select(table.names, table.named, choice, table.name)
    array, labels = _numbers(table, selected.features, selected.label)
    if array is None:
        gaps = {"columns": [{**_NUMBER, "fill": np.nan}] * len(selected.features)}
        labels = _labels(table, selected.label)
        array = encoded(table, selected.features, gaps, labels)
    return ArrayRows(array, table.name, _values(labels))


def as_bytes(rows: TableRows) -> ArrayRows:
    """Whole numbers from 0 to 255, one of them beyond 1, as the uint8 that a table cannot state; other rows as they are."""
    array = rows.array
    if not 1 < array.max() <= 255 or array.min() < 0 or (array != np.trunc(array)).any():
        return rows
    found = ArrayRows(array.astype(np.uint8).reshape(len(array), *rows.sample_shape), rows.name)
    found.labels, found.spool = rows.labels, rows.spool
    return found


def with_labels(table: Table, choice: Choice, recipe: Recipe) -> Choice:
    """The choice with the recipe's column of labels, where none is chosen and the table has it."""
    if choice.label_column is None and recipe["labels"] in table.names and recipe["labels"] not in choice.drop:
        return choice._replace(label_column=recipe["labels"])
    return choice


def places_of(table: Table, features: list[int], recipe: Recipe) -> list[int]:
    """Where the recipe's columns are among these of the table: by name, or by position if either has no names."""
    names = [column["name"] for column in recipe["columns"]]
    if recipe["header"] and not table.named and len(features) == len(names):
        return features
    by_name = recipe["header"] and table.named
    there = {table.names[at] if by_name else str(at + 1): at for at in features}
    missing = [name for name in names if name not in there]
    if missing or (recipe["header"] and not table.named):
        found = listing(table.names) if table.named else f"{len(table.names)} columns without names"
        raise DataError(
            f"{table.name}: expected the columns {listing(missing or names)} as in the training, found {found}"
        )
    return [there[name] for name in names]


def _encoded_before(table: Table, features: list[int], recipe: Recipe) -> list[int] | None:
    """Where the recipe's encoded columns are, if the table is one of those, such as reconstructions are; else None."""
    names = feature_names(recipe)
    if not table.named:
        raw = [column["name"] for column in recipe["columns"]]
        return features if len(features) == len(names) != len(raw) and recipe["header"] else None
    there = {table.names[at]: at for at in features}
    if recipe["header"] and all(column["name"] in there for column in recipe["columns"]):
        return None
    return [there[name] for name in names] if all(name in there for name in names) else None


def _plain_recipe(table: Table, selected: Selected, array: np.ndarray) -> Recipe | None:
    """The recipe of nothing but numbers: None without a header if all are used, or if there are too many to be named in a file."""
    if not table.named and len(selected.features) == len(table.names):
        return None
    return recipe_of_numbers(table, selected.features, selected.label, array)


def recipe_of_numbers(table: Table, features: list[int], label: int | None, array: np.ndarray) -> Recipe | None:
    """The recipe of columns that are numbers, of rows (n, V); None if there are too many to be named in a file."""
    if len(features) > MAX_COLUMNS:
        return None
    with np.errstate(over="ignore"):
        fills: np.ndarray = array.mean(axis=0, dtype=np.float64)
    columns = [
        {"name": table.names[at], "kind": "number", "fill": fill if np.isfinite(fill) else 0.0}
        for at, fill in zip(features, fills.tolist(), strict=True)
    ]
    recipe = {"header": table.named, "labels": label_name(table, label), "columns": columns}
    return recipe if fits_in_a_file(recipe) else None


def _numbers(table: Table, features: list[int], label: int | None) -> tuple[np.ndarray | None, Labels | None]:
    labels = _labels(table, label)
    return table.numbers(features, labels), labels


def _labels(table: Table, at: int | None) -> Labels | None:
    return None if at is None else Labels(table, at)


def _values(labels: Labels | None) -> np.ndarray | None:
    return None if labels is None else labels.values()


def label_name(table: Table, at: int | None) -> str | None:
    """The name of the column of labels, if there is one."""
    return None if at is None else table.names[at]


def _tell(table: Table, recipe: Recipe, profiles: list[Profile]) -> None:
    gaps = [profile.n_missing for profile in profiles if profile.n_missing]
    places = f"{counted(sum(gaps), 'gap')} in {len(gaps)} of them"
    filled = f"; {places}: the column's mean, or a category of its own" if gaps else ""
    _logger.info(f"{table.name}: {described(recipe)}{filled}")


def _tell_label(table: Table, selected: Selected) -> None:
    if selected.by_name and selected.label is not None:
        _logger.warning(
            f"{table.name}: column {one_line(table.names[selected.label])!r} is taken for labels by its name;"
            " label_column='none' keeps it among the data"
        )
