"""Sequences out of tables: one whose rows are steps, a column of which names the sequence, or a folder of tables, one a sequence.

All columns of the steps are numbers. The label of a sequence, where a column of labels is named, is the same at every step. Of a
table a recipe (`recipe`) says what it was read by, so that the model that is trained on it finds the columns again.
"""

from pathlib import Path

import numpy as np

from ..errors import DataError
from ..text import one_line, shown
from .choice import NO_LABELS, Choice, listing, select
from .files import is_table_name
from .folders import labels_of, members_of
from .memory import available_memory
from .recipe import Recipe, fits_in_a_file, sequence_column_of
from .rows import ArrayRows, Rows
from .sequences import sequence_rows
from .table import Labels, Table
from .table_rows import label_name, places_of, recipe_of_numbers, with_labels
from .tables import TextTable, refuse_words


class _Names(Labels):
    """The cells that name sequences; `DataError` for a gap."""

    def _expected(self) -> str:
        return "expected the name of a sequence"

    def _advice(self) -> str:
        return ""


def as_trained(table: Table, choice: Choice, recipe: Recipe | None) -> Choice:
    """The choice with the column that names sequences as a model's recipe has it, where none is chosen and the table has it.

    Without a header the table must be as wide as that of the training, or it may be one whose rows are whole sequences.
    """
    if recipe is not None and not recipe["header"] and (table.named or len(table.names) != recipe.get("width")):
        return choice
    return as_named(table, choice, recipe)


def as_named(table: Table, choice: Choice, recipe: Recipe | None) -> Choice:
    """The same for a table of other columns, as of targets, whose rows are steps if those of the training were."""
    column = sequence_column_of(recipe)
    if column is None or choice.sequence_column is not None or column not in table.names:
        return choice
    return choice._replace(sequence_column=column)


def table_sequences(table: Table, choice: Choice, recipe: Recipe | None = None) -> Rows:
    """The sequences of a table, in the order in which they begin; the rows of one are its steps, in their order.

    The columns are those of the recipe, where there is one of steps, else those that are chosen.
    """
    column = choice.sequence_column
    assert column is not None
    known = recipe if sequence_column_of(recipe) is not None else None
    choice = choice if known is None else with_labels(table, choice, known)
    features, label = _columns(table, choice)
    features = features if known is None else places_of(table, features, known)
    names = _Names(table, table.names.index(column))
    array = _numbers(table, features, names)
    called, first, number = np.unique(names.values(), return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))[number.reshape(-1)]
    order, lengths = np.argsort(number, kind="stable"), np.bincount(number)
    labels = None if label is None else _one_each(_labels(table, label)[order], lengths, table.name)
    rows = sequence_rows(ArrayRows(array[order], table.name), lengths, table.name, labels)
    rows.sequence_names = called[np.argsort(first)]
    found = known or recipe_of_numbers(table, features, label, array)
    if found is not None:
        told = {**found, "labels": label_name(table, label), "sequences": column, "width": len(table.names)}
        rows.table = told if fits_in_a_file(told) else None
    return rows


def open_sequence_folder(folder: Path, choice: Choice, name: str) -> Rows:
    """The sequences of a folder of tables, sorted by name; the names of its folders, if it has any, are their labels."""
    files = sequence_files(folder, name)
    left, parts, columns = available_memory() // 2, [], None
    labels: list[np.ndarray] = []
    for path in files:
        table = TextTable(path, one_line(path))
        features, label = _columns(table, choice)
        found = [table.names[at] for at in features]
        columns = columns or (table.named, found)
        array = _numbers(table, _as_first(table, features, columns, files[0]), None)
        parts.append(array)
        left -= array.nbytes
        if left < 0:
            raise DataError(f"{name}: expected sequences that fit in memory, found larger ones; use HDF5 for them")
        if label is not None:
            labels.append(_labels(table, label))
    lengths = np.array([len(part) for part in parts])
    own = _one_each(np.concatenate(labels), lengths, name) if labels else labels_of(files, folder)
    return sequence_rows(ArrayRows(np.concatenate(parts), name), lengths, name, own)


def sequence_files(folder: Path, name: str) -> list[Path]:
    """The tables in a folder, or in its folders."""
    return members_of(folder, name, is_table_name, "tables")


def _columns(table: Table, choice: Choice) -> tuple[list[int], int | None]:
    """Positions of the columns of a step, and of the one of labels; none is taken for labels by its name alone."""
    known = choice._replace(label_column=choice.label_column or NO_LABELS)
    selected = select(table.names, table.named, known, table.name)
    features = [at for at in selected.features if table.names[at] != choice.sequence_column]
    if not features:
        raise DataError(f"{table.name}: expected columns of numbers, the steps of sequences, found none left")
    return features, selected.label


def _as_first(table: Table, features: list[int], columns: tuple[bool, list[str]], first: Path) -> list[int]:
    """Where the columns of the first table are among these of another."""
    named, expected = columns
    there = {table.names[at]: at for at in features}
    if table.named != named or there.keys() != {*expected}:
        found = listing(list(there)) if table.named else f"{len(there)} columns without names"
        wanted = listing(expected) if named else f"{len(expected)} columns without names"
        raise DataError(f"{table.name}: expected {wanted} as in {one_line(first.name)}, found {found}")
    return [there[column] for column in expected]


def _numbers(table: Table, features: list[int], names: Labels | None) -> np.ndarray:
    array = table.numbers(features, names)
    if array is None:
        refuse_words(table, features)
        raise AssertionError("unreachable")
    return array


def _labels(table: Table, at: int) -> np.ndarray:
    """The label at each row (n,)."""
    labels = Labels(table, at)
    for block in table.blocks([at]):
        labels.add(block.columns[0], block.lines)
    return labels.values()


def _one_each(labels: np.ndarray, lengths: np.ndarray, name: str) -> np.ndarray:
    """The labels (N,) of sequences whose steps have these (S,); `DataError` for one whose steps differ in them."""
    starts = np.cumsum(lengths) - lengths
    own = labels[starts]
    other = np.flatnonzero(labels != np.repeat(own, lengths))
    if len(other):
        number = int(np.searchsorted(starts, other[0], side="right")) - 1
        found = f"{shown(own[number].item())} and {shown(labels[other[0]].item())}"
        raise DataError(f"{name}: sequence {number}: expected one label at all of its steps, found {found}")
    return own
