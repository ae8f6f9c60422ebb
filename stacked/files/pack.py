"""A record as the elements of its file, and back; what :func:`unpack` would refuse, :func:`pack` never writes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .._version import __version__
from ..text import one_line, shown
from . import expect, strict_json
from .cursor import CURSOR, check_cursor
from .elements import Elements, check_array
from .header import Header, header_attributes, parse_header
from .manifest import MAX_DIMENSIONS, by_group, manifest_of
from .record import (
    INPUT_DTYPES,
    PRECISIONS,
    Baseline,
    Checkpoint,
    InputSpec,
    LayerArrays,
    ModelRecord,
    Probe,
    UnitArrays,
)
from .refusal import inside, refusal


def pack(record: ModelRecord) -> Elements:
    """The elements of ``record``; arrays are taken as they are where type and order allow it."""
    expect.one_of(record.precision, "precision", PRECISIONS)
    found = _arrays(record)
    # Parsed back, so that the writer stands under every rule of the reader.
    attributes = header_attributes(Header(record.kind, record.params, manifest_of(record, found), __version__))
    header = parse_header(attributes)
    arrays = {path: check_array(path, found[path], spec) for path, spec in header.manifest.arrays.items()}
    elements = Elements(arrays, attributes | _attributes(header, record))
    unpack(header, elements)
    return elements


def _arrays(record: ModelRecord) -> dict[str, np.ndarray]:
    groups = {path: part.arrays for path, part in _parts(record).items()}
    groups["/input"] = record.input.arrays
    if record.target is not None:
        groups["/target"] = record.target.arrays
    groups["/history"] = record.history
    if record.probe is not None:
        groups["/probe"] = vars(record.probe)
    if record.baseline is not None:
        groups["/baseline"] = record.baseline.arrays()
    if record.checkpoint is not None:
        if not record.checkpoint.arrays:
            raise refusal("/checkpoint", "expected at least one array")
        groups["/checkpoint"] = record.checkpoint.arrays
    arrays = {f"{path}/{name}": array for path, group in groups.items() for name, array in group.items()}
    return arrays if record.classes is None else arrays | {"/classes": _stored_labels(record.classes)}


def _parts(record: ModelRecord) -> dict[str, LayerArrays | UnitArrays]:
    parts: dict[str, LayerArrays | UnitArrays] = {f"/encoder/{i}": layer for i, layer in enumerate(record.encoder)}
    parts |= {f"/decoder/{i}": layer for i, layer in enumerate(record.decoder)}
    parts |= {f"/units/{i}": unit for i, unit in enumerate(record.units)}
    return parts if record.head is None else parts | {"/head": record.head}


def _attributes(header: Header, record: ModelRecord) -> dict[str, Any]:
    groups = header.manifest.groups().items()
    attributes = {f"{path}@{name}": value for path, group in groups for name, value in group.items()}
    for i, unit in enumerate(record.units):
        key = f"/units/{i}@params"
        attributes[key] = strict_json.dump(unit.params, key)
    attributes |= {
        "/input@sample_shape": tuple(map(int, record.input.sample_shape)),
        "/input@dtype": record.input.dtype,
        "/input@table": strict_json.dump(record.input.table, "/input@table"),
    }
    if record.target is not None:
        attributes["/target@sample_shape"] = tuple(map(int, record.target.sample_shape))
        attributes["/target@dtype"] = record.target.dtype
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
    """The record of these elements: all arrays of the manifest are there and checked, attributes are checked here."""
    manifest, groups = header.manifest, by_group(elements.arrays)
    layers = {path: _layer(elements, path, record, groups) for path, record in manifest.groups().items()}
    return ModelRecord(
        kind=header.kind,
        params=header.params,
        encoder=tuple(layers[f"/encoder/{i}"] for i in range(len(manifest.encoder))),
        decoder=tuple(layers[f"/decoder/{i}"] for i in range(len(manifest.decoder))),
        head=layers.get("/head"),
        classes=None if "/classes" not in groups else _labels(groups["/classes"][""]),
        units=tuple(_unit(elements, f"/units/{i}", layers[f"/units/{i}"]) for i in range(len(manifest.units))),
        input=replace(_columns(elements, "/input", groups["/input"]), table=_table(elements)),
        history=groups.get("/history", {}),
        probe=None if "/probe" not in groups else Probe(**groups["/probe"]),
        checkpoint=None if "/checkpoint" not in groups else _checkpoint(elements, groups["/checkpoint"]),
        precision=manifest.precision,
        stacked_version=header.stacked_version,
        baseline=None if "/baseline" not in groups else Baseline(**groups["/baseline"]),
        target=None if "/target" not in groups else _columns(elements, "/target", groups["/target"]),
    )


def _layer(
    elements: Elements, path: str, record: dict[str, Any], groups: dict[str, dict[str, np.ndarray]]
) -> LayerArrays:
    for name, expected in record.items():
        found = elements.attributes[f"{path}@{name}"]
        if found != expected:
            raise refusal(f"{path}@{name}", f"expected {shown(expected)} as in the config, found {shown(found)}")
    return LayerArrays(record["kind"], {k: v for k, v in record.items() if k != "kind"}, groups.get(path, {}))


def _unit(elements: Elements, path: str, group: LayerArrays) -> UnitArrays:
    return UnitArrays(group.kind, group.attributes, _json_table(elements, f"{path}@params"), group.arrays)


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


def _columns(elements: Elements, path: str, arrays: dict[str, np.ndarray]) -> InputSpec:
    """What is done to columns, of a part of the file."""
    shape, dtype = (elements.attributes[f"{path}@{name}"] for name in ("sample_shape", "dtype"))
    if not 1 <= len(shape) <= MAX_DIMENSIONS:
        raise refusal(f"{path}@sample_shape", f"expected 1 to {MAX_DIMENSIONS} dimensions, found {len(shape)}")
    for length in shape:
        expect.size(length, f"{path}@sample_shape")
    for name, array in arrays.items():
        wanted = np.dtype(np.uint8 if name == "log" else np.float64)
        if array.shape != (math.prod(shape),) or array.dtype != wanted:
            text = (
                f"expected {math.prod(shape)} numbers of {wanted}, one a column, found {array.shape} of {array.dtype}"
            )
            raise refusal(f"{path}/{name}", text)
    if arrays["log"].max() > 1:
        raise refusal(f"{path}/log", f"expected 0 or 1, found {arrays['log'].max()}")
    known = expect.one_of(dtype, f"{path}@dtype", INPUT_DTYPES)
    scale, offset, log, constant = (arrays[name] for name in ("scale", "offset", "log", "constant"))
    return InputSpec(scale, offset, log, constant, sample_shape=shape, dtype=known)


def _table(elements: Elements) -> dict[str, Any] | None:
    found = strict_json.parse(elements.attributes["/input@table"], "/input@table")
    return None if found is None else expect.table(found, "/input@table")


def _checkpoint(elements: Elements, arrays: dict[str, np.ndarray]) -> Checkpoint:
    return Checkpoint(check_cursor(_json_table(elements, CURSOR)), arrays)


def _json_table(elements: Elements, key: str) -> dict[str, Any]:
    return expect.table(strict_json.parse(elements.attributes[key], key), key)
