"""A record as the elements of its file, and back; what :func:`unpack` would refuse, :func:`pack` never writes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._version import __version__
from . import expect, strict_json
from .cursor import CURSOR, check_cursor
from .elements import Elements, check_array
from .header import Header, header_attributes, parse_header
from .layout import MAX_DIMENSIONS, Layout, layout_of
from .record import INPUT_DTYPES, PRECISIONS, Checkpoint, InputSpec, LayerArrays, ModelRecord, Probe, UnitArrays
from .refusal import inside, one_line, refusal, shown


def pack(record: ModelRecord) -> Elements:
    """The elements of ``record``; arrays are taken as they are where type and order allow it."""
    expect.one_of(record.precision, "precision", PRECISIONS)
    found = _arrays(record)
    layout = layout_of(record, found.get("/classes"))
    attributes = header_attributes(Header(record.kind, record.params, layout, __version__))
    # Parsed back, so that the writer stands under every rule of the reader.
    header = parse_header(attributes)
    arrays = {}
    for path, spec in header.layout.arrays().items():
        if path not in found:
            raise refusal(path, "missing")
        arrays[path] = check_array(path, found[path], spec)
    elements = Elements(arrays, attributes | _attributes(record))
    unpack(header, elements)
    return elements


def _arrays(record: ModelRecord) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for path, layer in _layers(record).items():
        arrays |= {f"{path}/weight": layer.weight, f"{path}/bias": layer.bias}
    if record.classes is not None:
        arrays["/classes"] = _stored_labels(record.classes)
    for i, unit in enumerate(record.units):
        arrays |= {f"/units/{i}/{name}": array for name, array in unit.arrays.items()}
    arrays |= {f"/history/{phase}": rows for phase, rows in record.history.items()}
    if record.probe is not None:
        arrays |= {"/probe/input": record.probe.input, "/probe/output": record.probe.output}
    if record.checkpoint is not None:
        arrays |= {f"/checkpoint/{name}": array for name, array in record.checkpoint.arrays.items()}
    return arrays


def _layers(record: ModelRecord) -> dict[str, LayerArrays]:
    layers = {f"/encoder/{i}": layer for i, layer in enumerate(record.encoder)}
    layers |= {f"/decoder/{i}": layer for i, layer in enumerate(record.decoder)}
    return layers if record.head is None else layers | {"/head": record.head}


def _attributes(record: ModelRecord) -> dict[str, Any]:
    attributes: dict[str, Any] = {f"{path}@activation": layer.activation for path, layer in _layers(record).items()}
    for i, unit in enumerate(record.units):
        key = f"/units/{i}@params"
        attributes |= {f"/units/{i}@kind": unit.kind, key: strict_json.dump(unit.params, key)}
    attributes |= {
        "/input@scale": float(record.input.scale),
        "/input@offset": float(record.input.offset),
        "/input@sample_shape": tuple(map(int, record.input.sample_shape)),
        "/input@dtype": record.input.dtype,
    }
    if record.checkpoint is not None:
        attributes[CURSOR] = strict_json.dump(record.checkpoint.cursor, CURSOR)
    return attributes


def _stored_labels(classes: np.ndarray) -> np.ndarray:
    if classes.dtype.kind != "U":
        return classes
    try:
        return np.char.encode(classes, "utf-8")
    except UnicodeEncodeError as error:
        raise refusal("/classes", f"a label is no valid text: {one_line(error)}") from error


def unpack(header: Header, elements: Elements) -> ModelRecord:
    """The record of these elements: all arrays of the layout are there and checked, attributes are checked here."""
    arrays, layout = elements.arrays, header.layout
    return ModelRecord(
        kind=header.kind,
        params=header.params,
        encoder=tuple(_layer(elements, f"/encoder/{i}") for i in range(len(layout.encoder))),
        decoder=tuple(_layer(elements, f"/decoder/{i}") for i in range(len(layout.decoder))),
        head=None if layout.head is None else _layer(elements, "/head"),
        classes=None if layout.classes is None else _labels(arrays["/classes"]),
        units=tuple(_unit(elements, layout, i) for i in range(len(layout.units))),
        input=_input(elements, layout),
        history={phase: arrays[f"/history/{phase}"] for phase in layout.history},
        probe=None if layout.probe is None else Probe(arrays["/probe/input"], arrays["/probe/output"]),
        checkpoint=None if layout.checkpoint is None else _checkpoint(elements, layout.checkpoint),
        precision=layout.precision,
        stacked_version=header.stacked_version,
    )


def _layer(elements: Elements, path: str) -> LayerArrays:
    key = f"{path}@activation"
    activation = expect.name(elements.attributes[key], key)
    return LayerArrays(elements.arrays[f"{path}/weight"], elements.arrays[f"{path}/bias"], activation)


def _labels(stored: np.ndarray) -> np.ndarray:
    """The labels as text or integers, sorted and each once, as their positions are looked up by bisection."""
    labels = stored
    if stored.dtype.kind == "S":
        with inside("/classes"):
            labels = np.char.decode(stored, "utf-8")
    wrong = np.flatnonzero(~(labels[:-1] < labels[1:]))
    if len(wrong):
        one, next_one = (shown(label) for label in labels[wrong[0] : wrong[0] + 2].tolist())
        raise refusal("/classes", f"expected sorted labels, each once, found {next_one} after {one}")
    return labels


def _unit(elements: Elements, layout: Layout, index: int) -> UnitArrays:
    path, unit = f"/units/{index}", layout.units[index]
    expect.one_of(elements.attributes[f"{path}@kind"], f"{path}@kind", (unit.kind,))
    params = _json_table(elements, f"{path}@params")
    return UnitArrays(unit.kind, params, {name: elements.arrays[f"{path}/{name}"] for name in unit.arrays})


def _input(elements: Elements, layout: Layout) -> InputSpec:
    scale, offset, shape, dtype = (
        elements.attributes[f"/input@{name}"] for name in ("scale", "offset", "sample_shape", "dtype")
    )
    for name, value in (("scale", scale), ("offset", offset)):
        if not math.isfinite(value):
            raise refusal(f"/input@{name}", f"expected a finite number, found {value}")
    if not 1 <= len(shape) <= MAX_DIMENSIONS:
        raise refusal("/input@sample_shape", f"expected 1 to {MAX_DIMENSIONS} dimensions, found {len(shape)}")
    for length in shape:
        expect.size(length, "/input@sample_shape")
    if math.prod(shape) != layout.encoder[0][0]:
        text = f"expected a shape of {layout.encoder[0][0]} values as the encoder takes, found {shape}"
        raise refusal("/input@sample_shape", text)
    return InputSpec(scale, offset, shape, expect.one_of(dtype, "/input@dtype", INPUT_DTYPES))


def _checkpoint(elements: Elements, names: Any) -> Checkpoint:
    arrays = {name: elements.arrays[f"/checkpoint/{name}"] for name in names}
    return Checkpoint(check_cursor(_json_table(elements, CURSOR)), arrays)


def _json_table(elements: Elements, key: str) -> dict[str, Any]:
    return expect.table(strict_json.parse(elements.attributes[key], key), key)
