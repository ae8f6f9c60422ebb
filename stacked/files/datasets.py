"""One dataset, checked in every respect before a byte of it is allocated, then read.

Accepted is plain storage inside the file: contiguous, compact, or chunks with nothing but gzip, shuffle and fletcher32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from h5py import h5d, h5s, h5t

from ..text import one_line
from .chunks import FILTERS, MAX_RATIO, read_chunks
from .elements import type_name
from .manifest import ArraySpec
from .refusal import refusal

_CLASSES = {
    h5t.STRING: "text",
    h5t.BITFIELD: "a bit field",
    h5t.OPAQUE: "opaque",
    h5t.COMPOUND: "another compound",
    h5t.REFERENCE: "a reference",
    h5t.ENUM: "an enumeration",
    h5t.VLEN: "of variable length",
    h5t.ARRAY: "an array",
}


def stored_bytes(dataset: Any, path: str, spec: ArraySpec) -> int:
    """How many bytes of the file the dataset takes up. Refuses all that is not stored and typed as ``spec`` wants."""
    plist = dataset.get_create_plist()
    # First of all, because even asking a virtual dataset for its shape opens the files that it names.
    _check_storage(plist, path)
    _check_type(dataset.get_type(), path, spec)
    _check_shape(dataset.get_space(), path, spec)
    stored = dataset.get_storage_size()
    if spec.nbytes > stored * (MAX_RATIO if plist.get_nfilters() else 1):
        raise refusal(path, f"declares {spec.nbytes:,} bytes, but only {stored:,} are stored")
    return stored


def read_dataset(dataset: Any, path: str, spec: ArraySpec) -> np.ndarray:
    """The numbers of a dataset that passed :func:`stored_bytes`."""
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5d.CHUNKED:
        return read_chunks(dataset, plist, path, spec)
    array = np.empty(spec.shape, spec.dtype)
    if array.size:
        dataset.read(h5s.ALL, h5s.ALL, array, dataset.get_type())
    return array


def _check_storage(plist: Any, path: str) -> None:
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        raise refusal(path, "is a virtual dataset, expected the numbers themselves")
    if plist.get_external_count():
        raise refusal(path, "keeps its numbers in an external file, expected them in this one")
    for i in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(i)
        if code not in FILTERS:
            name = one_line(name.decode(errors="replace"), 40)
            raise refusal(
                path, f"uses the foreign filter {code} {name}, expected {', '.join(FILTERS.values())} or none"
            )
    if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
        raise refusal(path, f"is stored in an unknown way, layout {layout}")


def _check_type(stored: Any, path: str, spec: ArraySpec) -> None:
    if spec.dtype.kind == "S":
        text = stored.get_class() == h5t.STRING and not stored.is_variable_str()
        matches = text and stored.get_size() == spec.dtype.itemsize
    else:
        matches = stored.equal(h5t.py_create(spec.dtype))
    if not matches:
        raise refusal(path, f"expected the type {type_name(spec.dtype)}, found {_found_type(stored)}")


def _found_type(stored: Any) -> str:
    if stored.get_class() in (h5t.INTEGER, h5t.FLOAT):
        return f"{stored.dtype.name} ({stored.dtype.str})"
    return _CLASSES.get(stored.get_class(), "an unknown type")


def _check_shape(space: Any, path: str, spec: ArraySpec) -> None:
    found = None if space.get_simple_extent_type() == h5s.NULL else space.get_simple_extent_dims()
    if found != spec.shape:
        raise refusal(path, f"expected the shape {spec.shape}, found {'nothing' if found is None else found}")
