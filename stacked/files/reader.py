"""A model file to a record: every byte of it through the gate, then held against the digest."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ..text import shown
from .digest import digest_of
from .elements import Elements
from .gate import Gate, open_gate
from .header import Header, parse_header, read_header_attributes
from .pack import unpack
from .record import ModelRecord
from .refusal import of_file, refusal


def read_model(path: str | os.PathLike[str]) -> ModelRecord:
    """The record in the model file at ``path``, its arrays native, in memory and writable.

    Raises :class:`~stacked.errors.ModelFileError`, one line, for whatever the file holds instead. The probe is not
    evaluated: that takes the kernels, which the store does not know.
    """
    return read_verified(path).record


class Verified(NamedTuple):
    record: ModelRecord
    digest: str
    file_size: int
    elements: Elements


def read_verified(path: str | os.PathLike[str]) -> Verified:
    """The record, its digest, the bytes of the file, and the elements in it."""
    with of_file(path), open_gate(path) as gate:
        header, elements = _read_elements(gate)
        record = unpack(header, elements)
        found, expected = digest_of(elements), gate.attribute("/@digest", "text")
        if found != expected:
            text = f"the content has the digest {found[:16]}..., expected {shown(expected[:16])}: it was changed or damaged"
            raise refusal("/@digest", text)
    return Verified(record, found, gate.size, elements)


def _read_elements(gate: Gate) -> tuple[Header, Elements]:
    attributes: dict[str, Any] = read_header_attributes(gate.attribute)
    header = parse_header(attributes)
    arrays = gate.arrays(header.manifest.arrays)
    kinds = header.manifest.attributes()
    return header, Elements(arrays, attributes | {key: gate.attribute(key, kind) for key, kind in kinds.items()})
