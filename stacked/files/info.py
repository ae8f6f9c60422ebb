"""What ``stacked info`` shows of a model file."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from .reader import read_verified
from .record import FORMAT_NAME, FORMAT_VERSION, LayerArrays, ModelRecord


def read_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A JSON-able summary of the model file at ``path``, which is read whole and verified as by ``read_model``.

    Keys: format, version, stacked_version, kind, precision, params, layers (part, n_in, n_out, activation), parameters
    (their number), units, classes, input, history (per phase: epochs, loss, validation_loss, seconds), probe_rows,
    checkpoint (None, or its cursor, arrays and their bytes), digest, file_size.
    """
    record, digest, file_size = read_verified(path)
    return {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "stacked_version": record.stacked_version,
        "kind": record.kind,
        "precision": record.precision,
        "params": record.params,
        "layers": _layer_table(record),
        "parameters": sum(layer.weight.size + layer.bias.size for _, layer in _layers(record)),
        "units": [_unit(unit.kind, unit.arrays["weight"]) for unit in record.units],
        "classes": None if record.classes is None else record.classes.tolist(),
        "input": vars(record.input) | {"sample_shape": list(record.input.sample_shape)},
        "history": {phase: _phase(rows) for phase, rows in record.history.items()},
        "probe_rows": 0 if record.probe is None else len(record.probe.input),
        "checkpoint": _checkpoint(record),
        "digest": digest,
        "file_size": file_size,
    }


def _layers(record: ModelRecord) -> list[tuple[str, LayerArrays]]:
    layers = [("encoder", layer) for layer in record.encoder] + [("decoder", layer) for layer in record.decoder]
    return layers if record.head is None else [*layers, ("head", record.head)]


def _layer_table(record: ModelRecord) -> list[dict[str, Any]]:
    return [
        {"part": part, "n_in": x.weight.shape[0], "n_out": x.weight.shape[1], "activation": x.activation}
        for part, x in _layers(record)
    ]


def _unit(kind: str, weight: np.ndarray) -> dict[str, Any]:
    return {"kind": kind, "n_visible": weight.shape[0], "n_hidden": weight.shape[1]}


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
