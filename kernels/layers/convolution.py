"""Convolutions and their transposes on maps, in panels: y = f(b + sum over the kernel of x W), and the same product backwards.

Both kinds join a large map (B) with a small one (S), of which pixel (i, j) looks at the pixels (i s + p - top, j s + q - left) of
the large one, p and q running over the kernel. W is (kernel rows, kernel columns, channels of B, channels of S) for both:

    convolve    S[i, j] = sum over p, q of B[...] W[p, q]       a convolution forward; the delta of a transposed one
    spread      B[...] += S[i, j] W[p, q]'                      a transposed one forward; the delta of a convolution
    accumulate  W[p, q] += B[...]' S[i, j]                      the gradient of both

`spread` gathers: for the pixels of B whose row and column leave the same rest by the stride (a phase) the taps of the kernel that reach
them are the same, and with the weights turned so that these lie in the order of S it is a convolution by stride 1. Nothing is
unrolled or copied: the microkernel walks along the maps (`strided`). Dumoulin & Visin 2016, "A guide to convolution arithmetic".
"""

from typing import NamedTuple

import numpy as np
from numba import get_thread_id, intp, prange, typeof

from .._jit import jit, linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.instructions import MAX_HEIGHT, PANEL
from ..engine.map_products import (
    SHARDS,
    bias_shard,
    dot_rows,
    finish_gradient,
    gradient_rows,
    product_rows,
    shard_bounds,
    shard_size,
    sum_pixels,
    whole_vectors,
)
from ..engine.maps import (
    FIXED_AT,
    PITCH,
    Margins,
    Needs,
    activate_numbers,
    map_at,
)  # fmt: skip
from ..engine.packed_network import DELTA, NET, OUTPUT
from ..engine.panels import (
    ACTIVATION,
    CHANNELS,
    CONVOLUTION,
    HEIGHT,
    KERNEL_HEIGHT,
    KERNEL_WIDTH,
    KIND,
    OUT_CHANNELS,
    OUT_HEIGHT,
    OUT_WIDTH,
    PAD_LEFT,
    PAD_TOP,
    STRIDE_HEIGHT,
    STRIDE_WIDTH,
    VECTOR,
    WEIGHT,
    WIDTH,
    bias_panels,
    panel_count,
    panel_width,
)  # fmt: skip
from ..engine.products import vector_count
from ..engine.strided import strided_both
from .map_edges import (
    answer_activation,
    answer_from,
    answer_to,
    backward_from,
    backward_to,
    finish_samples,
    forward_from,
    forward_to,
)  # fmt: skip

TOGETHER = 4  # samples that pass one panel of weights after another
FEW = 4  # channels that are taken one by one, since a panel of them is all but empty


class Geometry(NamedTuple):
    """Sizes of the large and of the small map, and how the kernel joins them."""

    height: int
    width: int
    channels: int
    small_height: int
    small_width: int
    filters: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    top: int
    left: int


GEOMETRY = typeof(Geometry(*[0] * 12))  # type of an argument


@jit
def geometry(table, layer):
    """The geometry of a convolution or of a transposed one."""
    row = table[layer]
    kernel = (row[KERNEL_HEIGHT], row[KERNEL_WIDTH], row[STRIDE_HEIGHT], row[STRIDE_WIDTH], row[PAD_TOP], row[PAD_LEFT])
    first, second = (row[HEIGHT], row[WIDTH], row[CHANNELS]), (row[OUT_HEIGHT], row[OUT_WIDTH], row[OUT_CHANNELS])
    if row[KIND] == CONVOLUTION:
        return Geometry(*first, *second, *kernel)
    return Geometry(*second, *first, *kernel)


@jit
def taps(phase, kernel, stride):
    """Taps of a kernel that reach the pixels of a phase."""
    return (kernel - phase + stride - 1) // stride if phase < kernel else 0


@jit
def least(phase, pad, stride):
    """The first pixel of a phase: the smallest that is 0 or more."""
    first = phase - pad
    return first if first >= 0 else first + (-first + stride - 1) // stride * stride


def needs(table: np.ndarray, layer: int, training: bool) -> Needs:
    """Margins of the two maps, and room for turned weights and shares of the gradient."""
    g = geometry.py_func(table, layer)
    large = Margins(
        g.top,
        g.left,
        max(0, (g.small_height - 1) * g.stride_height + g.kernel_height - g.height - g.top),
        max(0, (g.small_width - 1) * g.stride_width + g.kernel_width - g.width - g.left),
    )
    above, below = _reach(g.height, g.small_height, g.kernel_height, g.stride_height, g.top)
    before, after = _reach(g.width, g.small_width, g.kernel_width, g.stride_width, g.left)
    small = Margins(above, before, below, after)
    fixed = dots_at.py_func(g) + dots_size.py_func(g)
    if training:
        fixed += SHARDS * (shard_size.py_func(table, layer) + shifted_size.py_func(g))
    inputs, outputs = (large, small) if table[layer, KIND] == CONVOLUTION else (small, large)
    return Needs(inputs, outputs, 0, int(fixed))


def _reach(large: int, small: int, kernel: int, stride: int, pad: int) -> tuple[int, int]:
    """How far `spread` looks beyond the border of the small map, before its first pixel and after its last."""
    before = after = 0
    for phase in range(stride):
        n = taps.py_func(phase, kernel, stride)
        first = least.py_func(phase, pad, stride)
        if n and first < large:
            last = first + (large - 1 - first) // stride * stride
            before = max(before, n - 1 - (first + pad) // stride)
            after = max(after, (last + pad) // stride - (small - 1))
    return max(0, before), max(0, after)


# ---- from the large map to the small one -----------------------------------------------------------------------------


@linked(VECTOR, VECTOR, intp, VECTOR, intp, intp, intp)
def place_row(scratch, bias, has_bias, maps, at, n_pixels, channels):
    """Pixels of a map from ``at`` on = rows of ``scratch`` (n_pixels * PANEL,), a panel of the ``channels``, plus the biases."""
    width = bias.shape[0]
    for x in range(n_pixels):
        place = at + x * channels
        pixel, row = maps[place : place + width], scratch[x * PANEL : x * PANEL + width]
        if has_bias:
            for c in range(width):
                pixel[c] = row[c] + bias[c]
        else:
            for c in range(width):
                pixel[c] = row[c]


@linked(NET, intp, intp, intp, intp, intp, intp)
def convolve(net, layer, source, target, kind, first, stop):
    """Maps ``target`` = convolution of maps ``source``, of outputs with the biases or of deltas without, for some samples."""
    g = geometry(net.table, layer)
    scratch, from_pitch, to_pitch = net.scratch[get_thread_id()].reshape(net.scratch[0].size), net.map_table[source, PITCH], net.map_table[target, PITCH]  # fmt: skip
    segment, depth = g.kernel_width * g.channels, g.kernel_height * g.kernel_width * g.channels
    most, is_forward = scratch.size // PANEL, 1 if kind == OUTPUT else 0
    biases, dots = bias_panels(net.table, layer, net.params), net.map_table[layer, FIXED_AT] + dots_at(g)
    for panel in range(panel_count(g.filters)):
        width, weights = panel_width(panel, g.filters), net.table[layer, WEIGHT] + panel * depth * PANEL
        bias = biases[panel if is_forward else 0, :width]
        for sample in range(first, stop):
            large, small = map_at(net, source, kind, sample), map_at(net, target, kind, sample)
            for y in range(g.small_height):
                row = large + (y * g.stride_height - g.top) * from_pitch - g.left * g.channels
                for x in range(0, g.small_width, most):
                    n, stride = min(most, g.small_width - x), g.stride_width * g.channels
                    if g.filters > FEW:
                        product_rows(
                            net.maps, row + x * stride, stride, n, from_pitch, segment, depth, net.params, weights, width,
                            scratch,
                        )  # fmt: skip
                    else:
                        dot_rows(
                            net.maps,
                            row + x * stride,
                            stride,
                            n,
                            from_pitch,
                            segment,
                            g.kernel_height,
                            dots,
                            g.filters,
                            scratch,
                        )
                    at = small + y * to_pitch + x * g.filters + panel * PANEL
                    place_row(scratch, bias, is_forward, net.maps, at, n, g.filters)


# ---- from the small map to the large one -----------------------------------------------------------------------------


@jit
def phase_size(g, high, wide):
    """Numbers of the turned weights of a phase with so many taps."""
    if g.channels <= FEW:
        return g.channels * high * whole_vectors(wide * g.filters)
    return panel_count(g.channels) * high * wide * g.filters * PANEL


@jit
def turned_at(g, vertical, horizontal):
    """Where the turned weights of a phase begin, counted from those of the first one, and their rows; those after the last phase."""
    before = 0
    for v in range(g.stride_height):
        for h in range(g.stride_width):
            high, wide = taps(v, g.kernel_height, g.stride_height), taps(h, g.kernel_width, g.stride_width)
            if v == vertical and h == horizontal:
                return before, high * wide * g.filters
            before += phase_size(g, high, wide)
    return before, 0 * before


@jit
def dots_at(g):
    """Where weights for `convolve` by single columns begin, counted from the turned ones: after them."""
    return turned_at(g, g.stride_height, 0)[0]


@jit
def dots_size(g):
    """Numbers of weights for `convolve` by single columns."""
    return g.filters * g.kernel_height * whole_vectors(g.kernel_width * g.channels) if g.filters <= FEW else 0


@linked(NET, intp, intp, intp)
def turn_tap(net, layer, p, q):
    """Write the weights of tap (p, q), transposed, where `spread` reads them: see there."""
    g = geometry(net.table, layer)
    v, h = p % g.stride_height, q % g.stride_width
    high, wide = taps(v, g.kernel_height, g.stride_height), taps(h, g.kernel_width, g.stride_width)
    begin, n_rows = turned_at(g, v, h)
    begin += net.map_table[layer, FIXED_AT]
    i, j = high - 1 - p // g.stride_height, wide - 1 - q // g.stride_width
    depth, own = g.kernel_height * g.kernel_width * g.channels, (p * g.kernel_width + q) * g.channels
    length, weights = whole_vectors(wide * g.filters), net.table[layer, WEIGHT]
    for f in range(g.filters):
        column = weights + (f // PANEL * depth + own) * PANEL + f % PANEL
        for c in range(g.channels):
            if g.channels <= FEW:
                place = (c * high + i) * length + j * g.filters + f
            else:
                place = (c // PANEL * n_rows + (i * wide + j) * g.filters + f) * PANEL + c % PANEL
            net.maps[begin + place] = net.params[column + c * PANEL]


@linked(NET, intp, parallel=True)
def turn(net, layer):
    """Turn the weights for `spread`."""
    n_columns = net.table[layer, KERNEL_WIDTH]
    for tap in prange(net.table[layer, KERNEL_HEIGHT] * n_columns):
        turn_tap(net, layer, tap // n_columns, tap % n_columns)


@linked(NET, intp)
def take_columns(net, layer):
    """Write the weights where `convolve` reads them for few filters: one filter after another."""
    g = geometry(net.table, layer)
    begin, length = net.map_table[layer, FIXED_AT] + dots_at(g), g.kernel_width * g.channels
    for f in range(g.filters if g.filters <= FEW else 0):
        for p in range(g.kernel_height):
            place = begin + (f * g.kernel_height + p) * whole_vectors(length)
            for k in range(length):
                net.maps[place + k] = net.params[net.table[layer, WEIGHT] + (p * length + k) * PANEL + f]


@jit
def prepare_products(net, layer, to_small):
    """Put the weights into the form in which `convolve` or `spread` reads them."""
    if to_small:
        take_columns(net, layer)
    else:
        turn(net, layer)


@linked(NET, intp, intp, intp, intp, intp, intp)
def spread(net, layer, source, target, kind, first, stop):
    """Maps ``target`` = transposed convolution of maps ``source``, of outputs with the biases or of deltas without."""
    g = geometry(net.table, layer)
    scratch, turned = net.scratch[get_thread_id()].reshape(net.scratch[0].size), net.map_table[layer, FIXED_AT]
    from_pitch, to_pitch, is_forward = (
        net.map_table[source, PITCH],
        net.map_table[target, PITCH],
        1 if kind == OUTPUT else 0,
    )
    biases = bias_panels(net.table, layer, net.params)
    for panel in range(panel_count(g.channels)):
        width = panel_width(panel, g.channels)
        bias = biases[panel if is_forward else 0, :width]
        for sample in range(first, stop):
            small, large = map_at(net, source, kind, sample), map_at(net, target, kind, sample) + panel * PANEL
            for v in range(g.stride_height):
                for h in range(g.stride_width):
                    spread_phase(
                        net,
                        g,
                        v,
                        h,
                        small,
                        large,
                        from_pitch,
                        to_pitch,
                        turned,
                        panel,
                        width,
                        bias,
                        is_forward,
                        scratch,
                    )


@jit
def spread_phase(net, g, v, h, small, large, from_pitch, to_pitch, turned, panel, width, bias, is_forward, scratch):
    """The pixels of one phase of one sample, of a panel of the channels."""
    high, wide = taps(v, g.kernel_height, g.stride_height), taps(h, g.kernel_width, g.stride_width)
    begin, depth = turned_at(g, v, h)
    weights, most = turned + begin + panel * depth * PANEL, scratch.size // PANEL
    y0, x0 = least(v, g.top, g.stride_height), least(h, g.left, g.stride_width)
    n_pixels = (g.width - x0 + g.stride_width - 1) // g.stride_width if x0 < g.width else 0
    if depth == 0 and n_pixels:
        scratch[: min(most, n_pixels) * PANEL] = 0
    for y in range(y0, g.height, g.stride_height):
        i, j = (y + g.top) // g.stride_height - (high - 1), (x0 + g.left) // g.stride_width - (wide - 1)
        row = small + i * from_pitch + j * g.filters
        for x in range(0, n_pixels, most):
            n = min(most, n_pixels - x)
            if depth:
                if g.channels > FEW:
                    product_rows(
                        net.maps, row + x * g.filters, g.filters, n, from_pitch, wide * g.filters, depth, net.maps, weights,
                        width, scratch,
                    )  # fmt: skip
                else:
                    dot_rows(
                        net.maps, row + x * g.filters, g.filters, n, from_pitch, wide * g.filters, high, turned + begin,
                        g.channels, scratch,
                    )  # fmt: skip
            at = large + y * to_pitch + (x0 + x * g.stride_width) * g.channels
            place_row(scratch, bias, is_forward, net.maps, at, n, g.stride_width * g.channels)


# ---- the gradient ----------------------------------------------------------------------------------------------------


@jit
def by_single_columns(g):
    """Whether the gradient is found filter by filter: rows of the kernel times the deltas that are as many rows further up.

    A tile of the usual form would have a few columns; this one has a row for each row of the kernel, and what lies along it as columns.
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


@linked(NET, intp, OBJECTIVE, BATCH)
def write(net, layer, objective, batch):
    """Write the gradient of a convolution or of a transposed one."""
    n_rows = batch.positions.shape[0]
    backward_from(net, layer, n_rows, layer == 0)
    g = geometry(net.table, layer)
    shards_at = net.map_table[layer, FIXED_AT] + dots_at(g) + dots_size(g)
    if net.table[layer, KIND] == CONVOLUTION:
        accumulate_all(net, layer, layer, OUTPUT, layer + 1, DELTA, shards_at, n_rows)
    else:
        accumulate_all(net, layer, layer + 1, DELTA, layer, OUTPUT, shards_at, n_rows)
    finish_gradient(net, layer, shards_at)


# ---- the steps -------------------------------------------------------------------------------------------------------


@linked(NET, intp, intp, intp, intp)
def outputs_of(net, layer, activation, first, stop):
    """Outputs of a layer of either kind for some samples, a few at a time."""
    table = net.table
    length, pitch = table[layer, OUT_WIDTH] * table[layer, OUT_CHANNELS], net.map_table[layer + 1, PITCH]
    for begin in range(first, stop, TOGETHER):
        end = min(begin + TOGETHER, stop)
        if table[layer, KIND] == CONVOLUTION:
            convolve(net, layer, layer, layer + 1, OUTPUT, begin, end)
        else:
            spread(net, layer, layer, layer + 1, OUTPUT, begin, end)
        for sample in range(begin, end):
            at = map_at(net, layer + 1, OUTPUT, sample)
            for y in range(table[layer, OUT_HEIGHT]):
                activate_numbers(net.maps, activation, at + y * pitch, at + y * pitch + length)


@linked(NET, intp, intp, intp, parallel=True)
def outputs_of_all(net, layer, activation, n_rows):
    """Outputs of a layer for a minibatch."""
    for job in prange(-(-n_rows // TOGETHER)):
        outputs_of(net, layer, activation, job * TOGETHER, min((job + 1) * TOGETHER, n_rows))


@linked(NET, intp, intp, parallel=True)
def deltas_of_all(net, layer, n_rows):
    """From the deltas of a layer's outputs to the derivatives for its inputs."""
    for job in prange(-(-n_rows // TOGETHER)):
        first, stop = job * TOGETHER, min((job + 1) * TOGETHER, n_rows)
        if net.table[layer, KIND] == CONVOLUTION:
            spread(net, layer, layer + 1, layer, DELTA, first, stop)
        else:
            convolve(net, layer, layer + 1, layer, DELTA, first, stop)
        finish_samples(net, layer, first, stop)


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """Outputs of one layer."""
    n_rows = batch.positions.shape[0]
    prepare_products(net, layer, net.table[layer, KIND] == CONVOLUTION)
    forward_from(net, layer, n_rows)
    outputs_of_all(net, layer, answer_activation(net, layer, objective.loss), n_rows)
    forward_to(net, layer, n_rows)


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """Delta of the layer below."""
    n_rows = batch.positions.shape[0]
    prepare_products(net, layer, net.table[layer, KIND] != CONVOLUTION)
    backward_from(net, layer, n_rows, True)
    deltas_of_all(net, layer, n_rows)
    backward_to(net, layer, objective.terms, n_rows)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """What the layer answers to one block of rows; weights have been turned before."""
    first = answer_from(net, layer, block, n_rows)
    outputs_of(net, layer, net.table[layer, ACTIVATION], first, first + n_rows)
    answer_to(net, layer, block, n_rows)


@linked(NET, intp)
def ready(net, layer):
    """Prepare weights that do not change any more for `answer`."""
    prepare_products(net, layer, net.table[layer, KIND] == CONVOLUTION)
