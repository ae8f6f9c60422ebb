"""Maps: images and sequences beside the panels, for the layers that run from maps to maps.

A map is (height, width, channels), channels last, which is also the order of the numbers in a row of data; a sequence of T steps is
(1, T, channels). All maps of a packed network lie in one vector. A row of its ``map_table`` says of index i, the input or the
outputs of layer i - 1, where the maps of the samples begin and how they lie; every map has margins of zeros round it, as wide as
the layers that read it reach beyond its border, so that no product looks where it is.

Panels stay what layers meet in: an index is *open* where something else than a layer on maps makes or reads it, a loss or a penalty
among them. There the panels hold what counts, and a layer on maps copies at its own edge.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.activations import activate, differentiate
from .instructions import PANEL
from .packed_network import DELTA, NET, OUTPUT, block_panels
from .panels import (
    ACTIVATION,
    CHANNELS,
    HEIGHT,
    OUT_CHANNELS,
    OUT_HEIGHT,
    OUT_WIDTH,
    VECTOR,
    WIDTH,
    aligned_zeros,
    gather_row,
    is_map_layer,
    scatter_row,
)  # fmt: skip

# Columns of the map table. Of index i: where outputs and deltas begin, numbers a sample, numbers a row, from the beginning of a
# sample to its first pixel. Of layer i: where its own numbers begin, numbers of a sample, and where those that no sample has begin.
OUTPUTS_AT, DELTAS_AT, SIZE, PITCH, ORIGIN, ROOM_AT, ROOM_SIZE, FIXED_AT = range(8)


class Margins(NamedTuple):
    """Rows and columns of zeros above, left of, below and right of a map."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def around(self, other: "Margins") -> "Margins":
        """Margins that hold both."""
        return Margins(*map(max, self, other))


class Needs(NamedTuple):
    """What a layer asks of the maps: margins of its inputs and of its outputs, numbers of its own a sample, and besides."""

    inputs: Margins = Margins()
    outputs: Margins = Margins()
    room: int = 0
    fixed: int = 0


def lay_out(table: np.ndarray, n_samples: int, training: bool, needs: Sequence[Needs]) -> tuple[np.ndarray, np.ndarray]:
    """The map table (L + 1, 8) and the vector of maps for so many samples; ``needs`` are those of the layers, in order."""
    n_layers = len(table)
    places, position = np.full((n_layers + 1, 8), -1, np.int64), 0
    for index in range(n_layers + 1):
        below, above = (
            index > 0 and is_map_layer.py_func(table, index - 1),
            index < n_layers and is_map_layer.py_func(table, index),
        )
        if below or above:
            made = needs[index - 1].outputs if below else Margins()
            margins = made.around(needs[index].inputs) if above else made
            height, width, channels = (int(n) for n in map_shape.py_func(table, index))
            pitch = (margins.left + width + margins.right) * channels
            size = (
                -(-(margins.top + height + margins.bottom) * pitch // PANEL) * PANEL + PANEL
            )  # read past the last pixel
            places[index, [SIZE, PITCH, ORIGIN]] = size, pitch, margins.top * pitch + margins.left * channels
            for column in (OUTPUTS_AT, DELTAS_AT)[: 2 if training and index else 1]:
                places[index, column] = position
                position += n_samples * size
        if above:
            places[index, [ROOM_SIZE, ROOM_AT]] = needs[index].room, position
            position += n_samples * needs[index].room
            places[index, FIXED_AT] = position
            position += -(-needs[index].fixed // PANEL) * PANEL
    return places, aligned_zeros(position + PANEL if position else 0)


@jit
def map_shape(table, index):
    """Height, width and channels of the maps ``index``."""
    if index and is_map_layer(table, index - 1):
        return table[index - 1, OUT_HEIGHT], table[index - 1, OUT_WIDTH], table[index - 1, OUT_CHANNELS]
    return table[index, HEIGHT], table[index, WIDTH], table[index, CHANNELS]


@jit
def map_at(net, index, kind, sample):
    """Where the first pixel of a sample's outputs, or deltas, lies in ``net.maps``."""
    begin = net.map_table[index, OUTPUTS_AT if kind == OUTPUT else DELTAS_AT]
    return begin + sample * net.map_table[index, SIZE] + net.map_table[index, ORIGIN]


@jit
def room_at(net, layer, sample):
    """Where a sample's part of a layer's own numbers begins."""
    return net.map_table[layer, ROOM_AT] + sample * net.map_table[layer, ROOM_SIZE]


@jit
def is_open(net, index):
    """Whether panels hold outputs and deltas ``index``."""
    return net.offsets[index, OUTPUT] >= 0


@linked(NET, intp, intp, intp, VECTOR)
def read_map(net, index, kind, sample, out):
    """out (n,) = the numbers of one map, in the order of a row of data."""
    height, width, channels = map_shape(net.table, index)
    length, place, pitch = width * channels, map_at(net, index, kind, sample), net.map_table[index, PITCH]
    for y in range(height):
        out[y * length : (y + 1) * length] = net.maps[place + y * pitch : place + y * pitch + length]


@linked(NET, intp, intp, intp, VECTOR)
def write_map(net, index, kind, sample, values):
    """One map = ``values`` (n,)."""
    height, width, channels = map_shape(net.table, index)
    length, place, pitch = width * channels, map_at(net, index, kind, sample), net.map_table[index, PITCH]
    for y in range(height):
        net.maps[place + y * pitch : place + y * pitch + length] = values[y * length : (y + 1) * length]


@jit
def values_of(net, index):
    """Numbers in a map."""
    height, width, channels = map_shape(net.table, index)
    return height * width * channels


@linked(NET, intp, intp, intp, intp)
def copy_from_panels(net, index, kind, first, stop):
    """Maps = the panels, for samples first to stop."""
    panels, values = block_panels(net, index, kind), np.empty(values_of(net, index), np.float32)
    for sample in range(first, stop):
        gather_row(panels[sample // net.rows], sample % net.rows, values)
        write_map(net, index, kind, sample, values)


@linked(NET, intp, intp, intp, intp)
def copy_to_panels(net, index, kind, first, stop):
    """The panels = maps, for samples first to stop."""
    panels, values = block_panels(net, index, kind), np.empty(values_of(net, index), np.float32)
    for sample in range(first, stop):
        read_map(net, index, kind, sample, values)
        scatter_row(values, panels[sample // net.rows], sample % net.rows)


@linked(NET, intp, intp, intp, parallel=True)
def take_rows(net, index, kind, n_rows):
    """Maps = the panels, for a minibatch."""
    for sample in prange(n_rows):
        copy_from_panels(net, index, kind, sample, sample + 1)


@linked(NET, intp, intp, intp, parallel=True)
def spread_rows(net, index, kind, n_rows):
    """The panels = maps, for a minibatch."""
    for sample in prange(n_rows):
        copy_to_panels(net, index, kind, sample, sample + 1)


@linked(VECTOR, intp, intp, intp)
def activate_numbers(maps, activation, begin, end):
    """Apply an activation to neighbouring numbers."""
    activate(activation, maps[begin:end])


@linked(NET, intp, intp)
def differentiate_map(net, index, sample):
    """Multiply a map of deltas by the derivative of its layer's activation."""
    activation = net.table[index - 1, ACTIVATION]
    height, width, channels = map_shape(net.table, index)
    outputs, deltas = map_at(net, index, OUTPUT, sample), map_at(net, index, DELTA, sample)
    pitch, length = net.map_table[index, PITCH], width * channels
    for y in range(height):
        own, delta = outputs + y * pitch, deltas + y * pitch
        differentiate(activation, net.maps[own : own + length], net.maps[delta : delta + length])
