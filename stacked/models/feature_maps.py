"""What a convolutional model has to look at: its filters, and the maps that they make of data."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import SettingError
from ..layers import Convolution
from ..layers.maps import MapLayer, Shape
from ..settings import whole

if TYPE_CHECKING:
    from .model import Model


def place_of(model: "Model", layer: int) -> tuple[int, Shape]:
    """Index of a layer of a fitted model's encoder, and the shape of its maps; SettingError for one that has none."""
    n_layers = model.n_code_layers_
    index = (
        layer + n_layers
        if isinstance(layer, int) and -n_layers <= layer < 0
        else whole("layer", layer, 0, n_layers - 1)
    )
    found = model.network_.layers[index]
    if not isinstance(found, MapLayer):
        raise SettingError(f"layer: expected one that answers with maps, found layer {layer}, which is {found.kind}")
    return index, found.shape_out


def filters_of(model: "Model", layer: int) -> np.ndarray:
    """Weights (n_filters, rows, columns, channels) of a convolution of a fitted model's encoder, copied."""
    index, _ = place_of(model, layer)
    if not isinstance(model.network_.layers[index], Convolution):
        kind = model.network_.layers[index].kind
        raise SettingError(f"layer: expected a convolution, found layer {layer}, which is {kind}")
    return np.ascontiguousarray(np.moveaxis(model.network_.weight(index), -1, 0))
