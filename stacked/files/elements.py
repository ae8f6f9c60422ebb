"""A model file as two flat tables, and what every array in them must satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .manifest import ArraySpec
from .record import HISTORY_DTYPE
from .refusal import refusal


@dataclass
class Elements:
    """``arrays``: path -> array; ``attributes``: ``path@name`` -> text, int, float or tuple of ints.

    Together they are all that a file holds, but for its digest.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]


def check_array(path: str, array: np.ndarray, spec: ArraySpec) -> np.ndarray:
    """``array`` as ``spec`` says, in C order and little-endian, or a refusal; every number in it is finite."""
    if array.dtype.newbyteorder("<") != spec.dtype:
        raise refusal(path, f"expected the type {type_name(spec.dtype)}, found {type_name(array.dtype)}")
    if array.shape != spec.shape:
        raise refusal(path, f"expected the shape {spec.shape}, found {array.shape}")
    check_finite(path, array)
    return np.asarray(array, dtype=spec.dtype, order="C")


def check_finite(path: str, array: np.ndarray) -> None:
    """Refuses NaN and infinity; the validation losses of a history may be NaN."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            values = array[name]
            check_finite(f"{path}[{name}]", values[~np.isnan(values)] if name == "validation_loss" else values)
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        raise refusal(path, "holds NaN or infinity, expected finite numbers")


def type_name(dtype: np.dtype) -> str:
    return "history rows" if dtype == HISTORY_DTYPE else dtype.name
