"""Forcing, plain, in any dtype; see `layers.forcing`. ``other`` (B, T * D) is the target, or (0, T * D): zeros in its place."""

from .._jit import jit
from ..engine.panels import CHANNELS, OUT_CHANNELS, OUT_WIDTH
from ..layers.forcing import step_before


@jit
def forward(table, layer, params, activation, below, other, out):
    """The code at every step, and the target of the step before."""
    n_code, width = table[layer, CHANNELS], table[layer, OUT_CHANNELS]
    n = width - n_code
    out[:] = 0
    for r in range(out.shape[0]):
        for step in range(table[layer, OUT_WIDTH]):
            pixel, before = out[r, step * width : (step + 1) * width], step_before(table, layer, step)
            pixel[:n_code] = below[r]
            if before >= 0 and other.shape[0]:
                pixel[n_code:] = other[r, before * n : (before + 1) * n]


@jit
def backward(table, layer, params, delta, below, other, outputs, out):
    """Sums over the steps."""
    n_code, width = table[layer, CHANNELS], table[layer, OUT_CHANNELS]
    out[:] = 0
    for r in range(out.shape[0]):
        for step in range(table[layer, OUT_WIDTH]):
            out[r] += delta[r, step * width : step * width + n_code]
