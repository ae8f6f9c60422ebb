"""Missing values that are not NaN: what lies under NumPy's masks, which a conversion would take for data, None, pandas' NA."""

from typing import Any

import numpy as np

from ..errors import DataError


def refuse_masked(values: Any, name: str, what: str = "an array") -> None:
    """`DataError` for a masked array with a masked value, and for a list or tuple that holds one."""
    parts = values if isinstance(values, list | tuple) else [values]
    if any(isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part) for part in parts):
        raise DataError(f"{name}: expected {what} without missing values, found a masked one; fill or drop them first")


def refuse_missing(labels: Any, name: str) -> None:
    """`DataError` for a masked array of labels, and for one of objects with None, NaN or NA among them."""
    refuse_masked(labels, name, "labels")
    array = np.asarray(labels)
    if array.dtype.kind == "O":
        for at, value in enumerate(array.flat):
            if _is_missing(value):
                raise DataError(f"{name}: expected a label for each row, found {value!r} at row {at}; drop such rows")


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA is neither equal nor unequal to anything
        return True
    except ValueError:  # an array
        return False
