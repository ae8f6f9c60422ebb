"""The manifest of one model file: every array in it with type and shape, and its layers and units as records of attributes.

It stands as JSON in ``config["manifest"]``. The writer takes it from the record (``manifest_of``), the reader from the file
(``manifest_rules.parse_manifest``); all else that is read is looked up in it, so that nothing in the file is opened unnamed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from .cursor import CURSOR
from .record import LayerArrays, ModelRecord, UnitArrays
from .strict_json import MAX_BYTES

MAX_DIMENSIONS = 8

ATTRIBUTE_BYTES = {"text": 256, "json": MAX_BYTES, "integer": 8, "real": 8, "sizes": 8 * MAX_DIMENSIONS}

NUMBERED = ("encoder", "decoder", "units")  # each holds groups 0, 1, 2, ...
_KINDS = {str: "text", int: "integer", float: "real", tuple: "sizes"}
_T = TypeVar("_T")


@dataclass(frozen=True)
class ArraySpec:
    """The exact type and shape of one dataset."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Manifest:
    """``arrays``: path -> type and shape; the others: attributes of each layer and unit, ``kind`` among them."""

    precision: str
    arrays: dict[str, ArraySpec]
    encoder: tuple[dict[str, Any], ...]
    decoder: tuple[dict[str, Any], ...]
    head: dict[str, Any] | None
    units: tuple[dict[str, Any], ...]

    def groups(self) -> dict[str, dict[str, Any]]:
        """Path -> attributes of every layer and unit."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "units": self.units}
        named = {f"/{part}/{i}": record for part, records in parts.items() for i, record in enumerate(records)}
        return named if self.head is None else named | {"/head": self.head}

    def attributes(self) -> dict[str, str]:
        """``path@name`` -> kind of value (a key of ``ATTRIBUTE_BYTES``), for all but the root's attributes."""
        kinds = {f"{path}@{k}": _KINDS[type(v)] for path, record in self.groups().items() for k, v in record.items()}
        kinds |= {f"/units/{i}@params": "json" for i in range(len(self.units))}
        kinds |= {"/input@sample_shape": "sizes", "/input@dtype": "text", "/input@table": "json"}
        if any(path.startswith("/target/") for path in self.arrays):
            kinds |= {"/target@sample_shape": "sizes", "/target@dtype": "text"}
        if any(path.startswith("/checkpoint/") for path in self.arrays):
            kinds[CURSOR] = "json"
        return kinds

    def to_json(self) -> dict[str, Any]:
        return {
            "arrays": {path: [type_text(spec.dtype), spec.shape] for path, spec in self.arrays.items()},
            "encoder": self.encoder,
            "decoder": self.decoder,
            "head": self.head,
            "units": self.units,
        }


def manifest_of(record: ModelRecord, arrays: dict[str, np.ndarray]) -> Manifest:
    """The manifest of the file that ``record`` becomes; ``arrays``: path -> array of everything in it.

    The writer checks it by parsing it back.
    """
    return Manifest(
        precision=record.precision,
        arrays={path: ArraySpec(array.dtype.newbyteorder("<"), array.shape) for path, array in arrays.items()},
        encoder=tuple(map(_attributes, record.encoder)),
        decoder=tuple(map(_attributes, record.decoder)),
        head=None if record.head is None else _attributes(record.head),
        units=tuple(map(_attributes, record.units)),
    )


def by_group(arrays: dict[str, _T]) -> dict[str, dict[str, _T]]:
    """Group -> name in it -> array: ``/encoder/0/weight`` is ``weight`` of ``/encoder/0``, ``/head/bias`` ``bias`` of ``/head``."""
    groups: dict[str, dict[str, _T]] = {}
    for path, array in arrays.items():
        parts = path.split("/")
        depth = 3 if parts[1] in NUMBERED else 2
        groups.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = array
    return groups


def type_text(dtype: np.dtype) -> str:
    """NumPy's type string; of a compound those of its fields, joined by commas."""
    return dtype.str if dtype.names is None else ",".join(dtype[name].str for name in dtype.names)


def _attributes(part: LayerArrays | UnitArrays) -> dict[str, Any]:
    return {**part.attributes, "kind": part.kind}
