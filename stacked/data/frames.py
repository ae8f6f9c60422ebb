"""Frames of pandas and polars, and tables of Arrow, as tables: told by what they can do, so that none of the three is imported.

The type of a column goes by its name, which the three write much alike: Int64, float64, large_string, Categorical, datetime64[ns].
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from . import memory
from .cells import is_missing
from .header import unique_names
from .rows import BLOCK_ROWS
from .table import Block, Cells, Labels, Table

_NUMBERS = ("int", "uint", "float", "double", "halffloat", "decimal")
_CATEGORIES = ("category", "categorical", "enum", "dictionary")
_DATES = ("date", "time", "period", "duration")  # datetime64[ns], timedelta64[ns], timestamp[us]
_TEXTS = ("object", "str", "utf8", "large_str", "bool", "null", "large_utf8")


class FrameTable(Table):
    """A frame (n, columns) whose columns are read one by one."""

    line = "row"  # counted from 0

    def __init__(self, frame: Any, name: str = "<frame>", names: Sequence[str] | None = None) -> None:
        self.name, self.named = name, True
        self.names = unique_names([str(column) for column in (_names(frame) if names is None else names)])
        self._columns = [_column(frame, at) for at in range(len(self.names))]
        self._n_rows = int(frame.shape[0])
        kinds = [type_name(column) for column in self._columns]
        self.categories = frozenset(at for at, kind in enumerate(kinds) if kind.startswith(_CATEGORIES))
        self._numeric = [kind.startswith(_NUMBERS) for kind in kinds]
        self.foreign = {at: "dates or times" for at, kind in enumerate(kinds) if kind.startswith(_DATES)}
        self.foreign |= {
            at: f"values of type {kind[:40]}"
            for at, kind in enumerate(kinds)
            if not kind.startswith(_NUMBERS + _CATEGORIES + _DATES + _TEXTS)
        }
        if not self._n_rows:
            raise DataError(f"{name}: Found array with 0 sample(s) while a minimum of 1 is required")

    def blocks(self, wanted: Sequence[int]) -> Iterator[Block]:
        columns = [self._cells(at) for at in wanted]
        for start in range(0, self._n_rows, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self._n_rows)
            yield Block(range(start, stop), [cells[start:stop] for cells in columns])

    def numbers(self, features: Sequence[int], labels: Labels | None) -> np.ndarray | None:
        if not all(self._numeric[at] for at in features):
            return None
        memory.require_memory(self.name, 8 * self._n_rows * len(features))
        array = np.empty((self._n_rows, len(features)))
        for place, at in enumerate(features):
            array[:, place] = self._cells(at)
        if not np.isfinite(array).all():
            return None
        if labels is not None:
            labels.add(self._cells(labels.at), range(self._n_rows))
        with np.errstate(over="ignore"):
            small = array.astype(np.float32)
        return small if np.array_equal(small, array) else array

    def leave_out(self, column: int) -> str:
        return "leave the column out of the frame"

    def _cells(self, at: int) -> Cells:
        column = self._columns[at]
        return _floats(column) if self._numeric[at] else _texts(column)


def is_frame(X: Any) -> bool:
    """Whether X is a frame with named columns of types of their own."""
    return hasattr(X, "columns") and hasattr(X, "shape") and (hasattr(X, "iloc") or hasattr(X, "to_series"))


def is_plain(X: Any) -> bool:
    """Whether a frame is nothing but numbers, which scikit-learn takes as they are; gaps, text and booleans are more than that."""
    columns = [_column(X, at) for at in range(X.shape[1])]
    kinds = [type_name(column) for column in columns]
    if any(kind.startswith("sparse") for kind in kinds) or not kinds:
        return True
    return all(kind.startswith(_NUMBERS) for kind in kinds) and not any(
        np.isnan(_floats(column)).any() for column in columns
    )


def type_name(column: Any) -> str:
    """The name of a column's type in small letters."""
    return str(getattr(column, "dtype", None) or column.type).lower()


def _names(frame: Any) -> Sequence[Any]:
    return frame.column_names if hasattr(frame, "column_names") else list(frame.columns)


def _column(frame: Any, at: int) -> Any:
    """The column in this place, as names may be there twice."""
    if hasattr(frame, "iloc"):
        return frame.iloc[:, at]
    return frame.to_series(at) if hasattr(frame, "to_series") else frame.column(at)


def _floats(column: Any) -> np.ndarray:
    """The numbers (n,) of a column in float64, NaN for gaps."""
    if hasattr(column, "iloc"):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if hasattr(column, "to_pylist"):  # of Arrow
        return np.asarray(column.cast("float64").to_numpy(), np.float64)
    return np.asarray(column.cast(float).to_numpy(), np.float64)


def _texts(column: Any) -> list[str]:
    """What stands in a column, each as text, nothing for gaps."""
    values = column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
    return list(map(_text, values))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    text = str(value)  # NaN, NaT and <NA> say themselves that they are gaps
    if is_missing(text) or text == "NaT":
        return ""
    return text.removesuffix(".0") if isinstance(value, float | np.floating) else text
