"""Convolutions and their transposes, plain, in any dtype: patches of the large map times the weights, sample by sample.

See `layers.convolution` for the formulas. A sample's patches are a matrix (pixels of the small map, kernel rows * kernel columns *
channels), of which what lies outside the large map is 0.
"""

import numpy as np

from .._jit import jit
from ..arithmetic.activations import activate
from ..engine.panels import BIAS, OUT_CHANNELS, WEIGHT, weight_shape
from ..layers.convolution import geometry
from .blas import multiply_tile


@jit
def weights_of(table, layer, vector):
    """A layer's weights (kernel rows * kernel columns * channels, filters) as a view of a flat vector."""
    n_rows, n_columns = weight_shape(table, layer)
    start = table[layer, WEIGHT]
    return vector[start : start + n_rows * n_columns].reshape((n_rows, n_columns))


@jit
def biases_of(table, layer, vector):
    """A layer's biases as a view of a flat vector."""
    start = table[layer, BIAS]
    return vector[start : start + table[layer, OUT_CHANNELS]]


@jit
def move_patches(g, large, patches, add):
    """patches (pixels, K) = those of ``large`` (H * W * C,); with ``add`` the other way round: they are added to it."""
    c = g.channels
    for i in range(g.small_height):
        for j in range(g.small_width):
            for p in range(g.kernel_height):
                for q in range(g.kernel_width):
                    y, x = i * g.stride_height + p - g.top, j * g.stride_width + q - g.left
                    inside = 0 <= y < g.height and 0 <= x < g.width
                    first = (p * g.kernel_width + q) * c
                    part = patches[i * g.small_width + j, first : first + c]
                    if inside and add:
                        large[(y * g.width + x) * c : (y * g.width + x + 1) * c] += part
                    elif inside:
                        part[:] = large[(y * g.width + x) * c : (y * g.width + x + 1) * c]
                    elif not add:
                        part[:] = 0


@jit
def product(a, transpose_a, b, transpose_b, keep, out):
    """out = op(a) @ op(b), plus what was there if ``keep``."""
    multiply_tile(a, transpose_a, b, transpose_b, keep, out, 0, out.shape[0], 0, out.shape[1])


@jit
def convolve(table, layer, params, large, small):
    """small (B, S) = convolution of large (B, L), without biases."""
    g, weight = geometry(table, layer), weights_of(table, layer, params)
    patches = np.empty((g.small_height * g.small_width, weight.shape[0]), large.dtype)
    for r in range(large.shape[0]):
        move_patches(g, large[r], patches, False)
        product(patches, False, weight, False, False, small[r].reshape((patches.shape[0], g.filters)))


@jit
def spread(table, layer, params, small, large):
    """large (B, L) = transposed convolution of small (B, S), without biases."""
    g, weight = geometry(table, layer), weights_of(table, layer, params)
    patches = np.empty((g.small_height * g.small_width, weight.shape[0]), large.dtype)
    large[:] = 0
    for r in range(large.shape[0]):
        product(small[r].copy().reshape((patches.shape[0], g.filters)), False, weight, True, False, patches)
        move_patches(g, large[r], patches, True)


@jit
def accumulate(table, layer, large, small, gradient):
    """Add the gradient of the weights: patches of large (B, L) times small (B, S)."""
    g, own = geometry(table, layer), weights_of(table, layer, gradient)
    patches = np.empty((g.small_height * g.small_width, own.shape[0]), large.dtype)
    for r in range(large.shape[0]):
        move_patches(g, large[r].copy(), patches, False)
        product(patches, True, small[r].copy().reshape((patches.shape[0], g.filters)), False, True, own)


@jit
def finish(table, layer, params, activation, out):
    """Add the biases to outputs (B, n) and apply the activation."""
    bias = biases_of(table, layer, params)
    for r in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[r, i] += bias[i % bias.shape[0]]
        activate(activation, out[r])


@jit
def add_bias_gradient(table, layer, delta, gradient):
    """Add the sums of delta (B, n) over rows and pixels to the gradient of the biases."""
    total = biases_of(table, layer, gradient)
    for r in range(delta.shape[0]):
        for i in range(delta.shape[1]):
            total[i % total.shape[0]] += delta[r, i]


@jit
def forward(table, layer, params, activation, below, other, out):
    """Outputs of a convolution."""
    convolve(table, layer, params, below, out)
    finish(table, layer, params, activation, out)


@jit
def backward(table, layer, params, delta, below, other, outputs, out):
    """Derivative for the inputs of a convolution."""
    spread(table, layer, params, delta, out)


@jit
def gradient(table, layer, params, below, other, outputs, delta, gradient):
    """Gradient of a convolution."""
    accumulate(table, layer, below, delta, gradient)
    add_bias_gradient(table, layer, delta, gradient)


@jit
def transposed_forward(table, layer, params, activation, below, other, out):
    """Outputs of a transposed convolution."""
    spread(table, layer, params, below, out)
    finish(table, layer, params, activation, out)


@jit
def transposed_backward(table, layer, params, delta, below, other, outputs, out):
    """Derivative for the inputs of a transposed convolution."""
    convolve(table, layer, params, delta, out)


@jit
def transposed_gradient(table, layer, params, below, other, outputs, delta, gradient):
    """Gradient of a transposed convolution."""
    accumulate(table, layer, delta, below, gradient)
    add_bias_gradient(table, layer, delta, gradient)
