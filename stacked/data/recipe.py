"""The recipe of a table: how its columns become numbers. It is fitted at training, and stored in the model file.

A plain dict in JSON's types:

    header    true where columns are found by name, false where by position: then names are numbers, counted from 1
    labels    name of the column of labels, or None
    sequences name of the column that names the sequence which a row is a step of, and ``width``, the number of the table's columns,
              used or not; there only where rows are steps. The columns are then numbers, those of a step
    columns   a list, in the order of the training's table, of
              {"name", "kind": "number", "fill"}: the number, with ``fill``, the training's mean, for a gap
              {"name", "kind": "category", "categories", "missing"}: one column of 0 and 1 for each category in order, and if
              ``missing``, as there were gaps in the training, one more for these
"""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import DataError
from ..text import one_line, shown
from .header import unique_names

Recipe = dict[str, Any]

MAX_BYTES = (1 << 20) - (1 << 14)  # of its JSON: what model files take, and room for the name of a column of labels
MAX_COLUMNS = MAX_BYTES // 40  # as the shortest of them takes that many
MAX_CATEGORIES = 1000  # of a column
MISSING_NAME = "missing"  # of the column for gaps; as a word in a table it means a gap, so no category is called so
_KEYS = {"number": {"name", "kind", "fill"}, "category": {"name", "kind", "categories", "missing"}}


def column_width(column: dict[str, Any]) -> int:
    """How many encoded columns come of this one."""
    return 1 if column["kind"] == "number" else len(column["categories"]) + column["missing"]


def recipe_width(recipe: Recipe) -> int:
    """How many columns the encoded table has."""
    return sum(map(column_width, recipe["columns"]))


def feature_names(recipe: Recipe) -> list[str]:
    """A name for each encoded column, each once and as a header is read: ``age``, ``workclass=Private``; without a header
    ``column2``, ``column2=Private``.
    """
    names = []
    for column in recipe["columns"]:
        own = column["name"] if recipe["header"] else f"column{column['name']}"
        if column["kind"] == "number":
            names.append(own)
        else:
            gap = [MISSING_NAME] if column["missing"] else []
            names += [f"{own}={category}" for category in (*column["categories"], *gap)]
    return unique_names([one_line(name) for name in names])


def sequence_column_of(recipe: Recipe | None) -> str | None:
    """The column that names the sequence which a row is a step of, None where rows are no steps."""
    return None if recipe is None else recipe.get("sequences")


def sequence_title(recipe: Recipe | None) -> str | None:
    """What the column of sequences' names is called beside what a model makes of them, None where rows are no steps."""
    column = sequence_column_of(recipe)
    if recipe is None or column is None:
        return None
    return one_line(column) if recipe["header"] else f"column{column}"


def described(recipe: Recipe) -> str:
    """The recipe in a few words: 14 columns (6 of numbers, 8 of text with 102 categories) become 108."""
    n_columns, width = len(recipe["columns"]), recipe_width(recipe)
    numbers = sum(column["kind"] == "number" for column in recipe["columns"])
    if numbers == n_columns:
        return f"{counted(numbers, 'column')} of numbers"
    texts = f"{n_columns - numbers:,} of text with {width - numbers:,} categories"
    return f"{counted(n_columns, 'column')} ({numbers:,} of numbers, {texts}) become {width:,}"


def counted(number: int, what: str) -> str:
    """So many of these, for a message."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def same_columns(one: Recipe | None, other: Recipe | None) -> bool:
    """Whether two recipes make the same columns of the same table."""
    if one is None or other is None:
        return one is other
    return one["header"] == other["header"] and one["columns"] == other["columns"]


def fits_in_a_file(recipe: Recipe) -> bool:
    """Whether its JSON is short enough to be stored."""
    return len(json.dumps(recipe, separators=(",", ":"))) <= MAX_BYTES


def check_recipe(value: object) -> Recipe:
    """The recipe that a foreign value is; DataError for anything else, such as a file that nobody vouches for may hold."""
    steps = isinstance(value, dict) and "sequences" in value
    table = _table(value, {"header", "labels", "columns", *(["sequences", "width"] if steps else [])}, "the recipe")
    if not isinstance(table["header"], bool) or not isinstance(table["labels"], str | None):
        raise DataError("expected header: true or false, and labels: a name or null")
    columns = table["columns"]
    if not isinstance(columns, list) or not columns:
        raise DataError(f"expected a list of columns, found {shown(columns)}")
    for column in columns:
        _check_column(column)
    names = [column["name"] for column in columns]
    if len(set(names)) < len(names):
        raise DataError("expected columns of different names, found a name twice")
    if steps:
        _check_steps(table, names)
    if not table["header"] and not all(name.isascii() and name.isdigit() and len(name) < 10 for name in names):
        raise DataError("expected columns numbered from 1 where there is no header")
    if not fits_in_a_file(table):
        raise DataError(f"expected at most {MAX_BYTES:,} characters")
    return table


def _check_steps(table: Recipe, names: list[str]) -> None:
    if not isinstance(table["sequences"], str) or table["sequences"] in names:
        raise DataError(
            f"expected sequences: the name of a column that is none of the others, found {shown(table['sequences'])}"
        )
    if type(table["width"]) is not int or table["width"] <= len(names):
        raise DataError(f"expected width: more columns than make up a step, found {shown(table['width'])}")
    if any(column["kind"] != "number" for column in table["columns"]):
        raise DataError("expected steps of nothing but numbers")


def _table(value: object, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != keys:
        raise DataError(f"expected {what} with the keys {sorted(keys)}, found {shown(value)}")
    return value


def _check_column(value: object) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _KEYS:
        raise DataError(f"expected a column of kind number or category, found {shown(value)}")
    column = _table(value, _KEYS[kind], "a column")
    if not isinstance(column["name"], str):
        raise DataError(f"expected the name of a column, found {shown(column['name'])}")
    if kind == "number":
        fill = column["fill"]
        if not isinstance(fill, float) or not math.isfinite(fill):
            raise DataError(f"expected a finite number to fill gaps with, found {shown(fill)}")
        return
    categories = column["categories"]
    if not isinstance(categories, list) or not all(isinstance(category, str) for category in categories):
        raise DataError(f"expected categories, a list of texts, found {shown(categories)}")
    if len(categories) > MAX_CATEGORIES or len(set(categories)) < len(categories):
        raise DataError(f"expected at most {MAX_CATEGORIES} different categories, found {len(categories)}")
    if not isinstance(column["missing"], bool) or not len(categories) + column["missing"]:
        raise DataError("expected missing: true or false, and at least one category or missing: true")
