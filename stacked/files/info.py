"""What ``stacked info`` shows of a model file."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from .digest import result_digest_of
from .reader import read_verified
from .record import FORMAT_NAME, FORMAT_VERSION, InputSpec, LayerArrays, ModelRecord


def read_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A JSON-able summary of the model file at ``path``, which is read whole and verified as by ``read_model``.

    Whether its parts make a model is not asked: what no estimator would load is shown too.

    Keys: format, version, stacked_version, kind, precision, params, layers (part, kind and the attributes of each), parameters
    (their number), units (kind and attributes), classes, input, target (None where that is the input), history (per phase: epochs,
    loss, validation_loss, seconds), probe_rows, baseline (shapes by name), checkpoint (None, or its cursor, arrays and their
    bytes), digest, result_digest (that of all but times), file_size.
    """
    record, digest, file_size, elements = read_verified(path)
    return {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "stacked_version": record.stacked_version,
        "kind": record.kind,
        "precision": record.precision,
        "params": record.params,
        "layers": [_group({"part": part, "kind": x.kind}, x.attributes) for part, x in _layers(record)],
        "parameters": sum(array.size for _, layer in _layers(record) for array in layer.arrays.values()),
        "units": [_group({"kind": unit.kind}, unit.attributes) for unit in record.units],
        "classes": None if record.classes is None else record.classes.tolist(),
        "input": _columns(record.input, record.params) | {"table": record.input.table},
        "target": _target(record),
        "history": {phase: _phase(rows) for phase, rows in record.history.items()},
        "probe_rows": 0 if record.probe is None else len(record.probe.input),
        "baseline": {} if record.baseline is None else _shapes(record.baseline.arrays()),
        "checkpoint": _checkpoint(record),
        "digest": digest,
        "result_digest": result_digest_of(elements),
        "file_size": file_size,
    }


def _target(record: ModelRecord) -> dict[str, Any] | None:
    """The same of what the model should answer with, where that is not its input."""
    described = record.params.get("target")
    if record.target is None:
        return None
    return _columns(record.target, described if isinstance(described, dict) else {})


def _columns(given: InputSpec, params: dict[str, Any]) -> dict[str, Any]:
    """Shape and dtype of a sample, what was done to it, and the numbers: one where they are alike for all columns, else a list."""
    numbers = {name: array.tolist() for name, array in given.arrays.items()}
    alike = {name: values[0] if len(set(values)) == 1 else values for name, values in numbers.items()}
    return alike | {
        "sample_shape": list(given.sample_shape),
        "dtype": given.dtype,
        "scaling": params.get("scaling"),
        "method": params.get("method"),
    }


def _layers(record: ModelRecord) -> list[tuple[str, LayerArrays]]:
    layers = [("encoder", layer) for layer in record.encoder] + [("decoder", layer) for layer in record.decoder]
    return layers if record.head is None else [*layers, ("head", record.head)]


def _group(own: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    """Its own entries first, and an attribute of such a name not instead of them."""
    return own | attributes | own


def _shapes(arrays: dict[str, np.ndarray]) -> dict[str, list[int]]:
    return {name: list(array.shape) for name, array in arrays.items()}


def _phase(rows: np.ndarray) -> dict[str, Any]:
    """Number of epochs, the losses of the last one, and the seconds of all."""
    last = rows[-1] if len(rows) else None
    validation = None if last is None or np.isnan(last["validation_loss"]) else float(last["validation_loss"])
    with np.errstate(over="ignore"):
        seconds = float(rows["seconds"].sum())
    return {
        "epochs": len(rows),
        "loss": None if last is None else float(last["loss"]),
        "validation_loss": validation,
        "seconds": min(seconds, sys.float_info.max),  # JSON has no infinity
    }


def _checkpoint(record: ModelRecord) -> dict[str, Any] | None:
    if record.checkpoint is None:
        return None
    arrays = record.checkpoint.arrays
    return {
        "cursor": record.checkpoint.cursor,
        "arrays": len(arrays),
        "bytes": sum(array.nbytes for array in arrays.values()),
    }
