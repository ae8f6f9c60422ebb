"""Pooling, upsampling and unpooling, plain, in any dtype: pixel by pixel of the large map. See `layers.pooling`."""

import numpy as np

from .._jit import jit
from ..engine.panels import (
    CHANNELS,
    HEIGHT,
    KERNEL_HEIGHT,
    KERNEL_WIDTH,
    OUT_HEIGHT,
    OUT_WIDTH,
    WIDTH,
)  # fmt: skip


@jit
def window_of(table, layer, height, width, place):
    """The number of a large map (height, width, channels) that ``place`` is: its place in the small map."""
    channels, high, wide = table[layer, CHANNELS], table[layer, KERNEL_HEIGHT], table[layer, KERNEL_WIDTH]
    pixel, c = place // channels, place % channels
    y, x = pixel // width // high, pixel % width // wide
    return (y * (-(-width // wide)) + x) * channels + c


@jit
def find_largest(table, layer, height, width, large, small):
    """Places (S,) in ``large`` (L,) of the largest number of each window, the first of equal ones."""
    places = np.full(small, -1, np.int64)
    for i in range(large.shape[0]):
        window = window_of(table, layer, height, width, i)
        if places[window] < 0 or large[i] > large[places[window]]:
            places[window] = i
    return places


@jit
def forward(table, layer, params, activation, below, other, out):
    """Largest numbers of the windows."""
    for r in range(out.shape[0]):
        places = find_largest(table, layer, table[layer, HEIGHT], table[layer, WIDTH], below[r], out.shape[1])
        for i in range(out.shape[1]):
            out[r, i] = below[r, places[i]]


@jit
def backward(table, layer, params, delta, below, other, outputs, out):
    """The deltas, at the places of the largest numbers."""
    out[:] = 0
    for r in range(out.shape[0]):
        places = find_largest(table, layer, table[layer, HEIGHT], table[layer, WIDTH], below[r], delta.shape[1])
        for i in range(delta.shape[1]):
            out[r, places[i]] = delta[r, i]


@jit
def upsample(table, layer, params, activation, below, other, out):
    """Copies of every pixel."""
    for r in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[r, i] = below[r, window_of(table, layer, table[layer, OUT_HEIGHT], table[layer, OUT_WIDTH], i)]


@jit
def upsample_backward(table, layer, params, delta, below, other, outputs, out):
    """Sums over the copies."""
    out[:] = 0
    for r in range(out.shape[0]):
        for i in range(delta.shape[1]):
            out[r, window_of(table, layer, table[layer, OUT_HEIGHT], table[layer, OUT_WIDTH], i)] += delta[r, i]


@jit
def unpool(table, layer, params, activation, below, other, out):
    """The numbers, where the windows of ``other`` (B, L) have their largest; zeros elsewhere."""
    out[:] = 0
    for r in range(out.shape[0]):
        places = find_largest(table, layer, table[layer, OUT_HEIGHT], table[layer, OUT_WIDTH], other[r], below.shape[1])
        for i in range(below.shape[1]):
            out[r, places[i]] = below[r, i]


@jit
def unpool_backward(table, layer, params, delta, below, other, outputs, out):
    """What is found there."""
    for r in range(out.shape[0]):
        places = find_largest(table, layer, table[layer, OUT_HEIGHT], table[layer, OUT_WIDTH], other[r], below.shape[1])
        for i in range(below.shape[1]):
            out[r, i] = delta[r, places[i]]
