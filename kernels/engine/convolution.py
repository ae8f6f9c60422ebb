"""Convolutions and their transposes on maps, in panels: y = f(b + sum over the kernel of x W), and the same product backwards.

Both kinds join a large map (B) with a small one (S), of which pixel (i, j) looks at the pixels (i s + p - top, j s + q - left) of
the large one, p and q running over the kernel. W is (kernel rows, kernel columns, channels of B, channels of S) for both:

    convolve    S[i, j] = sum over p, q of B[...] W[p, q]       a convolution forward; the delta of a transposed one
    spread      B[...] += S[i, j] W[p, q]'                      a transposed one forward; the delta of a convolution
    accumulate  W[p, q] += B[...]' S[i, j]                      the gradient of both

`spread` gathers: for the pixels of B whose row and column leave the same rest by the stride (a phase) the taps of the kernel that
reach them are the same, and with the weights turned so that these lie in the order of S it is a convolution by stride 1. Nothing is
unrolled or copied: the microkernel walks along the maps (`strided`). Dumoulin & Visin 2016, "A guide to convolution arithmetic".
"""

from typing import NamedTuple

from numba import get_thread_id, intp, prange, typeof

from .._jit import jit, linked
from .instructions import PANEL
from .map_products import (
    dot_rows,
    product_rows,
    whole_vectors,
)
from .maps import (
    FIXED_AT,
    PITCH,
    map_at,
)  # fmt: skip
from .packed_network import NET, OUTPUT
from .panels import (
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


def reach(large: int, small: int, kernel: int, stride: int, pad: int) -> tuple[int, int]:
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
    scratch = net.scratch[get_thread_id()].reshape(net.scratch[0].size)
    from_pitch, to_pitch = net.map_table[source, PITCH], net.map_table[target, PITCH]
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
    """Where the turned weights of a phase begin, counted from those of the first one, and their rows; of no phase: the end."""
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
