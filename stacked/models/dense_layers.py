"""Dense layers in records: ``y = activation(x @ weight + bias)``, weight (n_in, n_out), bias (n_out,)."""

from typing import Any

import numpy as np

from ..files import LayerArrays, refusal
from ..network import Network
from ..text import shown

KIND = "dense"
ATTRIBUTES = {"activation": str, "n_in": int, "n_out": int}


def dense_record(network: Network, index: int) -> LayerArrays:
    """The record of a network's layer."""
    layer = network.layers[index]
    attributes = {"activation": layer.activation, "n_in": int(layer.n_in), "n_out": int(layer.n_out)}
    arrays = {"weight": np.ascontiguousarray(network.weight(index)), "bias": network.bias(index)}
    return LayerArrays(KIND, attributes, arrays)


def check_dense(path: str, layer: LayerArrays) -> None:
    """A refusal of the layer at ``path`` unless it has a dense layer's attributes, and arrays of the shapes that they give."""
    check_attributes(path, layer.attributes, ATTRIBUTES)
    n_in, n_out = layer.attributes["n_in"], layer.attributes["n_out"]
    check_shapes(path, layer.arrays, {"weight": (n_in, n_out), "bias": (n_out,)})


def check_attributes(path: str, attributes: dict[str, Any], expected: dict[str, type]) -> None:
    """A refusal unless exactly these attributes are there, of these types."""
    if {name: type(value) for name, value in attributes.items()} != expected:
        kinds = ", ".join(f"{name} ({kind.__name__})" for name, kind in expected.items())
        raise refusal(path, f"expected the attributes {kinds}, found {shown(attributes, 200)}")


def check_shapes(path: str, arrays: dict[str, np.ndarray], expected: dict[str, tuple[int, ...]]) -> None:
    """A refusal unless exactly these arrays are there, in these shapes."""
    if arrays.keys() != expected.keys():
        raise refusal(path, f"expected the arrays {', '.join(sorted(expected))}, found {shown(sorted(arrays), 200)}")
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise refusal(f"{path}/{name}", f"expected the shape {shape}, found {shown(arrays[name].shape)}")
