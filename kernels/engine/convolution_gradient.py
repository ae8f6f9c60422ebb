"""The gradient of convolutions and of their transposes (`convolution`), one share of a minibatch's samples after another."""

from numba import intp, prange

from .._jit import jit, linked
from .convolution import FEW, GEOMETRY, geometry
from .instructions import MAX_HEIGHT, PANEL
from .map_products import (
    SHARDS,
    bias_shard,
    gradient_rows,
    shard_bounds,
    shard_size,
    sum_pixels,
)
from .maps import (
    PITCH,
    map_at,
)  # fmt: skip
from .packed_network import NET
from .panels import (
    CONVOLUTION,
    KIND,
    panel_count,
)  # fmt: skip
from .products import vector_count
from .strided import strided_both


@jit
def by_single_columns(g):
    """Whether the gradient is found filter by filter: rows of the kernel times the deltas that are as many rows further up.

    A tile of the usual form would have a few columns; this one has a row for each row of the kernel, and what lies along it as
    columns.
    """
    return g.filters <= FEW and g.stride_height == 1 and g.stride_width == 1 and g.kernel_height <= MAX_HEIGHT


@jit
def shifted_size(g):
    """Numbers of a share of the gradient in that form."""
    wide = panel_count(g.kernel_width * g.channels)
    return g.filters * wide * g.kernel_height * PANEL if by_single_columns(g) else 0


@linked(NET, GEOMETRY, intp, intp, intp, intp, intp, intp)
def shifted_gradient(net, g, large, large_pitch, small, small_pitch, out, keep):
    """One sample's part: for a filter, panels of (row of the kernel, column and channel)."""
    n_wide = g.kernel_width * g.channels
    for f in range(g.filters):
        for q in range(panel_count(n_wide)):
            place = out + (f * panel_count(n_wide) + q) * g.kernel_height * PANEL
            strided_both(
                g.kernel_height, vector_count(n_wide - q * PANEL), net.maps, small + g.top * small_pitch + f, net.maps,
                large - g.left * g.channels + q * PANEL, net.maps, place, -small_pitch, g.filters, small_pitch, g.small_width,
                g.height * g.small_width, g.channels, large_pitch, keep,
            )  # fmt: skip


@linked(NET, GEOMETRY, intp, intp)
def place_shifted(net, g, found, out):
    """A share of the gradient in its usual form."""
    n_wide = g.kernel_width * g.channels
    for f in range(g.filters):
        for p in range(g.kernel_height):
            for k in range(n_wide):
                place = ((f * panel_count(n_wide) + k // PANEL) * g.kernel_height + p) * PANEL + k % PANEL
                net.maps[out + (p * n_wide + k) * PANEL + f] = net.maps[found + place]


@linked(NET, intp, intp, intp, intp, intp, intp, intp, intp)
def accumulate(net, layer, large_index, large_kind, small_index, small_kind, shards_at, shard, n_rows):
    """One share of the gradient of the weights and of the biases."""
    g = geometry(net.table, layer)
    first, stop = shard_bounds(shard, n_rows)
    begin = shards_at + shard * shard_size(net.table, layer)
    large_pitch, small_pitch = net.map_table[large_index, PITCH], net.map_table[small_index, PITCH]
    segment, depth = g.kernel_width * g.channels, g.kernel_height * g.kernel_width * g.channels
    shifted = shards_at + SHARDS * shard_size(net.table, layer) + shard * shifted_size(g)
    if first == stop:
        net.maps[begin : begin + shard_size(net.table, layer)] = 0
    for sample in range(first, stop):
        large, small = map_at(net, large_index, large_kind, sample), map_at(net, small_index, small_kind, sample)
        keep = 1 if sample > first else 0
        if by_single_columns(g):
            shifted_gradient(net, g, large, large_pitch, small, small_pitch, shifted, keep)
        for p in range(0 if by_single_columns(g) else g.kernel_height):
            gradient_rows(
                net.maps, large + (p - g.top) * large_pitch - g.left * g.channels, g.stride_width * g.channels,
                g.stride_height * large_pitch, segment, small, g.filters, small_pitch, g.small_width,
                g.small_height * g.small_width, g.filters, net.maps, begin + p * segment * PANEL, depth * PANEL, keep,
            )  # fmt: skip
        biases_at = begin + bias_shard(net.table, layer)
        if net.table[layer, KIND] == CONVOLUTION:
            sum_pixels(net.maps, small, small_pitch, g.small_height, g.small_width, g.filters, biases_at, keep)
        else:
            sum_pixels(net.maps, large, large_pitch, g.height, g.width, g.channels, biases_at, keep)
    if by_single_columns(g) and stop > first:
        place_shifted(net, g, shifted, begin)


@linked(NET, intp, intp, intp, intp, intp, intp, intp, parallel=True)
def accumulate_all(net, layer, large_index, large_kind, small_index, small_kind, shards_at, n_rows):
    """All shares of the gradient."""
    for shard in prange(SHARDS):
        accumulate(net, layer, large_index, large_kind, small_index, small_kind, shards_at, shard, n_rows)
