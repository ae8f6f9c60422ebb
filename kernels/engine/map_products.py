"""Products with maps: rows of a product, weights turned for the way back, gradients over fixed shares of a minibatch.

The sum over a minibatch's pixels is cut into SHARDS shares of its samples, which threads work at side by side, each a chain of
additions of its own; the shares are added in order. Which sample is in which share depends on their number alone, so the bits do
not depend on the number of threads.
"""

from numba import intp, prange

from .._jit import jit, linked
from .instructions import LANES, MAX_HEIGHT, PANEL
from .packed_network import NET
from .panels import (
    BIAS,
    VECTOR,
    WEIGHT,
    bias_count,
    panel_count,
    panel_width,
    shares_weights,
    weight_shape,
)  # fmt: skip
from .products import vector_count
from .strided import DOTS, strided_columns, strided_dots, strided_rows

SHARDS = 8


@jit
def product_rows(maps, begin, stride, n_rows, jump, segment, depth, weights, panel_at, width, out):
    """out (n_rows or more * PANEL,) = a panel of A @ W for n_rows rows of A, which begin ``stride`` numbers apart in ``maps``.

    A row of A is ``depth`` numbers in segments of ``segment``, ``jump`` apart; the panel of W begins at ``panel_at``.
    """
    n_tiles = -(-n_rows // MAX_HEIGHT)
    for tile in range(n_tiles):
        row, stop = n_rows * tile // n_tiles, n_rows * (tile + 1) // n_tiles
        strided_rows(
            stop - row, vector_count(width), maps, begin + row * stride, weights, panel_at, out, row * PANEL, stride, 1, jump,
            segment, depth, 0, 0, 0,
        )  # fmt: skip


@jit
def whole_vectors(n):
    """The least number of numbers, n or more, that are whole vectors."""
    return (n + LANES - 1) // LANES * LANES


@jit
def dot_rows(maps, begin, stride, n_rows, jump, segment, n_segments, weights, n_columns, out):
    """`product_rows` for few columns of W, one by one: from ``weights`` on in ``maps``, segments padded to whole vectors."""
    length = whole_vectors(segment)
    for column in range(n_columns):
        for row in range(0, n_rows, DOTS):
            strided_dots(
                min(DOTS, n_rows - row), maps, begin + row * stride, stride, jump, length // LANES, n_segments, maps,
                weights + column * n_segments * length, out, row * PANEL + column,
            )  # fmt: skip


@jit
def gradient_rows(
    maps, x, x_step, x_jump, n_high, d, d_step, d_jump, segment, depth, n_wide, out, out_at, out_panel, keep
):
    """out += x' d: n_high columns of x by n_wide of d, over ``depth`` rows of both in segments of ``segment``.

    Rows begin at ``x`` and ``d`` in ``maps``, a step apart within a segment and a jump from segment to segment. Row i of panel q of
    the result is at out_at + q * out_panel + i * PANEL; columns past n_wide are anything. Without ``keep`` out is overwritten.
    """
    n_tiles = -(-n_high // MAX_HEIGHT)
    for q in range(panel_count(n_wide)):
        for tile in range(n_tiles):
            row, stop = n_high * tile // n_tiles, n_high * (tile + 1) // n_tiles
            strided_columns(
                stop - row, vector_count(n_wide - q * PANEL), maps, x + row, maps, d + q * PANEL, out,
                out_at + q * out_panel + row * PANEL, 1, x_step, x_jump, segment, depth, d_step, d_jump, keep,
            )  # fmt: skip


@jit
def shard_bounds(shard, n_rows):
    """First sample of a share, and the first that is not in it any more."""
    return n_rows * shard // SHARDS, n_rows * (shard + 1) // SHARDS


@jit
def shard_size(table, layer):
    """Numbers of one share of a layer's gradient: weights in panels, then biases in panels."""
    n_rows, n_columns = weight_shape(table, layer)
    return (panel_count(n_columns) * n_rows + panel_count(bias_count(table, layer))) * PANEL


@jit
def bias_shard(table, layer):
    """Where in a share the biases begin."""
    n_rows, n_columns = weight_shape(table, layer)
    return panel_count(n_columns) * n_rows * PANEL


@linked(NET, intp, intp, intp, parallel=True)
def add_shards(net, layer, shards_at, keep):
    """``net.gradient`` of a layer's weights = the shares from ``shards_at`` on in ``net.maps``, in order; or += if ``keep``."""
    n_rows, n_columns = weight_shape(net.table, layer)
    size, begin = shard_size(net.table, layer), net.table[layer, WEIGHT]
    n_panels, step = panel_count(n_columns), 64
    n_parts = -(-n_rows // step)
    for job in prange(n_panels * n_parts):
        panel, first = job // n_parts, job % n_parts * step
        width = panel_width(panel, n_columns)
        for r in range(first, min(first + step, n_rows)):
            place = (panel * n_rows + r) * PANEL
            total = net.gradient[begin + place : begin + place + PANEL]
            if not keep:
                total[:] = 0
            for shard in range(SHARDS):
                part = net.maps[shards_at + shard * size + place : shards_at + shard * size + place + PANEL]
                for c in range(PANEL):
                    total[c] += part[c]
            total[width:] = 0  # keeps that of the weights zero


@jit
def add_bias_shards(net, layer, shards_at):
    """``net.gradient`` of a layer's biases = the shares, added in order."""
    n, begin, size = bias_count(net.table, layer), net.table[layer, BIAS], shard_size(net.table, layer)
    total = net.gradient[begin : begin + n]
    total[:] = 0
    for shard in range(SHARDS):
        place = shards_at + shard * size + bias_shard(net.table, layer)
        total += net.maps[place : place + n]


@jit
def finish_gradient(net, layer, shards_at):
    """``net.gradient`` from a layer's shares, those of biases and, added to what earlier users of a shared matrix left, of weights.

    Layers are differentiated from the last to the first, and the owner of a shared matrix is its first user: whoever comes first
    writes, the others add.
    """
    later = False
    for other in range(layer + 1, net.table.shape[0]):
        later |= shares_weights(net.table, other, layer)
    add_shards(net, layer, shards_at, 1 if later else 0)
    add_bias_shards(net, layer, shards_at)


@linked(VECTOR, intp, intp, intp, intp, intp, intp, intp)
def sum_pixels(maps, begin, pitch, height, width, channels, out_at, keep):
    """Channels' sums over the pixels of a map, row by row, at ``out_at`` of ``maps``; added to what is there if ``keep``."""
    total = maps[out_at : out_at + channels]
    if not keep:
        total[:] = 0
    for y in range(height):
        for x in range(width):
            place = begin + y * pitch + x * channels
            pixel = maps[place : place + channels]
            for c in range(channels):
                total[c] += pixel[c]
