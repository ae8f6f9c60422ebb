"""The layout of one model file: every name, shape and type in it, known before anything in it is opened.

It stands as JSON in ``config["layout"]``. The writer takes it from the record (``layout_of``), the reader from the file
(``layout_rules.parse_layout``); both get the same tables of arrays and attributes from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..registry import UNITS
from .cursor import CURSOR
from .record import HISTORY_DTYPE, ModelRecord, UnitArrays, weights_dtype
from .refusal import refusal
from .strict_json import MAX_BYTES

MAX_DIMENSIONS = 8

ATTRIBUTE_BYTES = {"text": 256, "json": MAX_BYTES, "integer": 8, "real": 8, "sizes": 8 * MAX_DIMENSIONS}

Pair = tuple[int, int]


@dataclass(frozen=True)
class ArraySpec:
    """The exact type and shape of one dataset."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class UnitLayout:
    kind: str
    n_visible: int
    n_hidden: int
    arrays: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Sizes (n_in, n_out) of every layer, and what stands beside the layers."""

    precision: str
    encoder: tuple[Pair, ...]
    decoder: tuple[Pair, ...]
    head: Pair | None
    classes: ArraySpec | None
    units: tuple[UnitLayout, ...]
    history: dict[str, int]
    probe: dict[str, ArraySpec] | None
    checkpoint: dict[str, ArraySpec] | None

    def layers(self) -> dict[str, Pair]:
        """Path -> (n_in, n_out), in the order encoder, decoder, head."""
        named = {f"/encoder/{i}": pair for i, pair in enumerate(self.encoder)}
        named |= {f"/decoder/{i}": pair for i, pair in enumerate(self.decoder)}
        return named if self.head is None else named | {"/head": self.head}

    def arrays(self) -> dict[str, ArraySpec]:
        """Path -> specification of every dataset in the file."""
        weights = weights_dtype(self.precision)
        specs = {}
        for path, (n_in, n_out) in self.layers().items():
            specs[f"{path}/weight"] = ArraySpec(weights, (n_in, n_out))
            specs[f"{path}/bias"] = ArraySpec(weights, (n_out,))
        if self.classes is not None:
            specs["/classes"] = self.classes
        for i, unit in enumerate(self.units):
            sizes = {"V": unit.n_visible, "H": unit.n_hidden}
            for name in unit.arrays:
                shape = tuple(sizes[letter] for letter in UNITS[unit.kind].arrays[name])
                specs[f"/units/{i}/{name}"] = ArraySpec(weights, shape)
        specs |= {f"/history/{phase}": ArraySpec(HISTORY_DTYPE, (rows,)) for phase, rows in self.history.items()}
        specs |= {f"/probe/{name}": spec for name, spec in (self.probe or {}).items()}
        return specs | {f"/checkpoint/{name}": spec for name, spec in (self.checkpoint or {}).items()}

    def attributes(self) -> dict[str, str]:
        """``path@name`` -> kind of value (a key of ``ATTRIBUTE_BYTES``), for all but the root's attributes."""
        kinds = {f"{path}@activation": "text" for path in self.layers()}
        for i in range(len(self.units)):
            kinds |= {f"/units/{i}@kind": "text", f"/units/{i}@params": "json"}
        kinds |= {"/input@scale": "real", "/input@offset": "real", "/input@sample_shape": "sizes"}
        kinds["/input@dtype"] = "text"
        if self.checkpoint is not None:
            kinds[CURSOR] = "json"
        return kinds

    def to_json(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "head": self.head,
            "classes": _spec_to_json(self.classes),
            "units": [vars(unit) for unit in self.units],
            "history": self.history,
            "probe": _specs_to_json(self.probe),
            "checkpoint": _specs_to_json(self.checkpoint),
        }


def _spec_to_json(spec: ArraySpec | None) -> list[Any] | None:
    return None if spec is None else [spec.dtype.str, spec.shape]


def _specs_to_json(specs: dict[str, ArraySpec] | None) -> dict[str, Any] | None:
    return None if specs is None else {name: _spec_to_json(spec) for name, spec in specs.items()}


def layout_of(record: ModelRecord, labels: np.ndarray | None) -> Layout:
    """The layout of the file that ``record`` becomes, its classes stored as ``labels``.

    It is taken from the weights alone; the writer checks it, and every array against it.
    """
    checkpoint = record.checkpoint
    head = None if record.head is None else _matrix_sizes("/head/weight", record.head.weight)
    return Layout(
        precision=record.precision,
        encoder=tuple(_matrix_sizes(f"/encoder/{i}/weight", x.weight) for i, x in enumerate(record.encoder)),
        decoder=tuple(_matrix_sizes(f"/decoder/{i}/weight", x.weight) for i, x in enumerate(record.decoder)),
        head=head,
        classes=None if labels is None else _spec_of(labels),
        units=tuple(_unit_of(i, unit) for i, unit in enumerate(record.units)),
        history={phase: len(rows) for phase, rows in record.history.items()},
        probe=None if record.probe is None else {name: _spec_of(x) for name, x in vars(record.probe).items()},
        checkpoint=None if checkpoint is None else {name: _spec_of(x) for name, x in checkpoint.arrays.items()},
    )


def _matrix_sizes(path: str, weight: np.ndarray) -> Pair:
    if weight.ndim != 2:
        raise refusal(path, f"expected a matrix, found shape {weight.shape}")
    return weight.shape


def _unit_of(index: int, unit: UnitArrays) -> UnitLayout:
    path = f"/units/{index}/weight"
    if "weight" not in unit.arrays:
        raise refusal(path, "missing")
    return UnitLayout(unit.kind, *_matrix_sizes(path, unit.arrays["weight"]), tuple(sorted(unit.arrays)))


def _spec_of(array: np.ndarray) -> ArraySpec:
    return ArraySpec(array.dtype.newbyteorder("<"), array.shape)
