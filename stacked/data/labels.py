"""Class labels: one integer or one piece of text a row, whatever the file stored them as."""

from typing import Any

import numpy as np

from ..errors import DataError
from .memory import require_memory
from .missing import refuse_masked


def as_labels(values: Any, name: str) -> np.ndarray:
    """Labels as an (n,) array, int64 or unicode.

    Integers, booleans, floats that are all integral and text are taken, as (n,) or (n, 1); ``values`` is left as it is.
    `DataError` names ``name`` when the shape, the type or a value is another.
    """
    refuse_masked(values, name, "labels")
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"{name}: expected labels, one column with at least one value, found shape {array.shape}")
    if array.dtype.kind == "O":
        array = _from_objects(array, name)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "U":
        return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))
    if array.dtype.kind == "f":
        bad = ~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2.0**63))
        if bad.any():
            at = int(np.argmax(bad))
            raise DataError(f"{name}: expected integer or text labels, found {array[at]} at row {at}")
    elif array.dtype.kind not in "biu":
        raise DataError(f"{name}: expected integer or text labels, found dtype {array.dtype}")
    elif array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{name}: expected labels within int64, found {array.max()}")
    return np.ascontiguousarray(array, dtype=np.int64)


def from_text(cells: list[str], name: str) -> np.ndarray:
    """Labels from the cells of a table: int64 when every cell is an integer (1 or 1.0), text when any is no number."""
    try:
        return as_labels(np.array([int(cell) for cell in cells], np.int64), name)
    except (ValueError, OverflowError):
        pass
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        require_memory(name, 4 * len(cells) * max(map(len, cells)))  # NumPy gives every text the longest one's room
        return as_labels(np.array([cell.strip() for cell in cells], dtype=str), name)
    return as_labels(np.array(numbers), name)


def check_count(labels: np.ndarray, n_rows: int, name: str, rows_name: str) -> None:
    """`DataError` naming both sources when there is not exactly one label a row."""
    if len(labels) != n_rows:
        raise DataError(f"{name}: expected {n_rows} labels, one for each row of {rows_name}, found {len(labels)}")


def optional_labels(values: Any, n_rows: int, name: str) -> np.ndarray | None:
    """Labels that a file seems to carry beside its rows, or None where they are not usable as such.

    Their name alone suggested them, so what does not fit (another length, real numbers) is no error.
    """
    try:
        labels = as_labels(values, name)
    except (DataError, UnicodeError):
        return None
    return labels if len(labels) == n_rows else None


def _from_objects(array: np.ndarray, name: str) -> np.ndarray:
    if all(isinstance(value, str) for value in array):
        return array.astype(str)
    if all(isinstance(value, int | np.integer) for value in array):
        if all(-(2**63) <= int(value) < 2**63 for value in array):
            return array.astype(np.int64)
        raise DataError(f"{name}: expected labels within int64, found larger ones")
    other = next(value for value in array if not isinstance(value, str))
    raise DataError(f"{name}: expected integer or text labels, found one of type {type(other).__name__}")
