"""Attributes, checked before they are read, and written as the same types.

Texts are fixed-length UTF-8: their size stands in the file's metadata, while a variable-length text is only a number and
a reference, from which HDF5 allocates (and clears) up to 4 GiB before it looks whether so much is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from h5py import h5a, h5s, h5t

from .refusal import refusal

_NUMBERS = {"integer": (h5t.INTEGER, np.int64), "sizes": (h5t.INTEGER, np.int64), "real": (h5t.FLOAT, np.float64)}


def read_attribute(attribute: Any, key: str, kind: str, most: int) -> Any:
    """The text, int, float or tuple of ints (``kind``: text or json, integer, real, sizes), of ``most`` bytes."""
    stored, space = attribute.get_type(), attribute.get_space()
    empty = space.get_simple_extent_type() == h5s.NULL or not space.get_simple_extent_npoints()
    if empty or space.get_simple_extent_ndims() != (kind == "sizes"):
        raise refusal(key, "expected a list of integers" if kind == "sizes" else "expected a single value")
    if attribute.get_storage_size() > most:
        raise refusal(key, f"{attribute.get_storage_size():,} bytes, at most {most:,} are read")
    if kind in _NUMBERS:
        return _read_number(attribute, key, kind, stored, space)
    if stored.get_class() != h5t.STRING:
        raise refusal(key, "expected a text")
    if stored.is_variable_str():
        raise refusal(key, "is a text of variable length, expected one of fixed length")
    value = np.empty((), dtype=f"S{stored.get_size()}")
    attribute.read(value, stored)
    return value.tobytes().rstrip(b"\0").decode("utf-8")


def _read_number(attribute: Any, key: str, kind: str, stored: Any, space: Any) -> Any:
    wanted, dtype = _NUMBERS[kind]
    if stored.get_class() != wanted or stored.get_size() > 8:
        raise refusal(
            key, f"expected {'a float' if kind == 'real' else 'integers' if kind == 'sizes' else 'an integer'}"
        )
    value = np.empty(space.get_simple_extent_dims(), dtype=dtype)
    attribute.read(value, h5t.py_create(value.dtype))
    if not np.isfinite(value).all():
        raise refusal(key, "holds NaN or infinity, expected a finite number")
    return tuple(value.tolist()) if kind == "sizes" else value.item()


def write_attribute(group: Any, key: str, value: Any) -> None:
    """Creates the attribute ``key`` (``path@name``) on its open group."""
    name = key.rpartition("@")[2].encode()
    if isinstance(value, str):
        array = np.array(value.encode())
        stored = h5t.C_S1.copy()
        stored.set_size(array.dtype.itemsize)
        stored.set_cset(h5t.CSET_UTF8)
        stored.set_strpad(h5t.STR_NULLPAD)
    else:
        array = np.array(value, dtype="<f8" if isinstance(value, float) else "<i8")
        stored = h5t.py_create(array.dtype)
    space = h5s.create_simple(array.shape) if array.shape else h5s.create(h5s.SCALAR)
    h5a.create(group, name, stored, space).write(array, stored)
