"""Layers as the records of model files, whose attributes and arrays are those that the layer's kind names."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..files import LayerArrays, refusal
from ..text import one_line, shown
from . import LAYERS
from .base import Layer, Shapes


def record_of(layer: Layer, arrays: Mapping[str, np.ndarray]) -> LayerArrays:
    """The record of a layer with these arrays."""
    return LayerArrays(layer.kind, layer.attributes, {name: np.ascontiguousarray(a) for name, a in arrays.items()})


def layer_of(record: LayerArrays) -> Layer:
    """The layer, untied, of a record that `check_record` has passed."""
    return LAYERS[record.kind].of_attributes(record.attributes)


def check_record(path: str, record: LayerArrays) -> None:
    """A refusal of the layer at ``path`` unless its kind is known, its attributes are that kind's, and its arrays theirs."""
    if record.kind not in LAYERS:
        raise refusal(f"{path}@kind", f"unknown kind of layer {shown(record.kind)}, expected {', '.join(LAYERS)}")
    check_attributes(path, record.attributes, LAYERS[record.kind].ATTRIBUTES)
    try:
        layer = layer_of(record)
    except ValueError as error:
        raise refusal(path, one_line(error, 200)) from None
    check_shapes(path, record.arrays, layer.shapes)


def check_attributes(path: str, attributes: dict[str, Any], expected: Mapping[str, type]) -> None:
    """A refusal unless exactly these attributes are there, of these types."""
    if {name: type(value) for name, value in attributes.items()} != expected:
        kinds = ", ".join(f"{name} ({kind.__name__})" for name, kind in expected.items())
        raise refusal(path, f"expected the attributes {kinds}, found {shown(attributes, 200)}")


def check_shapes(path: str, arrays: dict[str, np.ndarray], expected: Shapes) -> None:
    """A refusal unless exactly these arrays are there, in these shapes."""
    if arrays.keys() != expected.keys():
        raise refusal(path, f"expected the arrays {', '.join(sorted(expected))}, found {shown(sorted(arrays), 200)}")
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise refusal(f"{path}/{name}", f"expected the shape {shape}, found {shown(arrays[name].shape)}")
