"""Recurrent layers, plain, in any dtype: step after step for all samples at once, as the formulas of `layers.recurrent_cells` say.

The way back and the gradient run forward again for what they need. ``other`` (B, 1) are the lengths of the samples' sequences;
(0, 1): all have all steps. Where a sequence has ended, states stay what they are, and outputs and derivatives are 0.
"""

import numpy as np

from .._jit import jit
from ..engine.panels import BACKWARDS, BIAS, CHANNELS, GRU, KIND, OUT_CHANNELS, OUT_WIDTH, WHOLE, WIDTH
from ..layers.recurrent_cells import gru_backward, gru_forward, lstm_backward, lstm_forward
from ..layers.recurrent_places import GATES
from .convolution import product, weights_of


@jit
def biases_of(table, layer, vector):
    """A layer's biases as a view of a flat vector: (2, 3 H) of a GRU, (1, 4 H) of an LSTM."""
    hidden, start = table[layer, OUT_CHANNELS], table[layer, BIAS]
    rows, columns = (2, 3 * hidden) if table[layer, KIND] == GRU else (1, 4 * hidden)
    return vector[start : start + rows * columns].reshape((rows, columns))


@jit
def pixel_of(table, layer, other, sample, step):
    """Where in a sample a step is; -1 if its sequence has ended before."""
    is_ragged = other.shape[0] > 0 and table[layer, WHOLE] == 0
    length = np.int64(other[sample, 0]) if is_ragged else table[layer, WIDTH]
    if step >= length:
        return -1
    return length - 1 - step if table[layer, BACKWARDS] else step


@jit
def pixels(table, layer, other, step, maps, n, out):
    """out (B, n) = the pixels of a step; 0 where there is none."""
    for r in range(maps.shape[0]):
        pixel = pixel_of(table, layer, other, r, step)
        out[r] = 0
        if pixel >= 0:
            out[r] = maps[r, pixel * n : (pixel + 1) * n]


@jit
def split(table, layer, matrix):
    """Weights of inputs (D, gates * H) and of states (H, gates * H) of a layer's matrix."""
    n = table[layer, CHANNELS]
    return matrix[:n], matrix[n:]


@jit
def sums(table, layer, params, x, before, a):
    """a (4, B, H) = the sums of the gates of a step, in the order of `layers.recurrent_places`."""
    own, of_states = split(table, layer, weights_of(table, layer, params))
    bias, hidden = biases_of(table, layer, params), table[layer, OUT_CHANNELS]
    first, second = np.empty((x.shape[0], own.shape[1]), x.dtype), np.empty((x.shape[0], own.shape[1]), x.dtype)
    product(x, False, own, False, False, first)
    product(before, False, of_states, False, False, second)
    for gate in range(GATES):
        if table[layer, KIND] != GRU:
            columns = slice(gate * hidden, (gate + 1) * hidden)
            a[gate] = first[:, columns] + second[:, columns] + bias[0, columns]
        elif gate == 0:
            a[0] = first[:, 2 * hidden :] + bias[0, 2 * hidden :]
        elif gate == 3:
            a[3] = second[:, 2 * hidden :] + bias[1, 2 * hidden :]
        else:
            columns = slice((gate - 1) * hidden, gate * hidden)
            a[gate] = first[:, columns] + second[:, columns] + (bias[0, columns] + bias[1, columns])


@jit
def run(table, layer, params, below, other, gates, states, cells):
    """gates (T, 4, B, H), states and cells (T + 1, B, H) of all steps."""
    x = np.empty((below.shape[0], table[layer, CHANNELS]), below.dtype)
    states[0], cells[0] = 0, 0
    for step in range(table[layer, WIDTH]):
        pixels(table, layer, other, step, below, x.shape[1], x)
        a = gates[step]
        sums(table, layer, params, x, states[step], a)
        for r in range(x.shape[0]):
            before, after = states[step, r], states[step + 1, r]
            if table[layer, KIND] == GRU:
                gru_forward(a[0, r], a[1, r], a[2, r], a[3, r], before, after)
            else:
                lstm_forward(a[0, r], a[1, r], a[2, r], a[3, r], cells[step, r], cells[step + 1, r], after)
            if pixel_of(table, layer, other, r, step) < 0:
                after[:] = before
                cells[step + 1, r] = cells[step, r]


@jit
def scratch(table, layer, below):
    """Empty gates, states and cells for `run`."""
    steps, hidden, n_rows = table[layer, WIDTH], table[layer, OUT_CHANNELS], below.shape[0]
    states = np.empty((2, steps + 1, n_rows, hidden), below.dtype)
    return np.empty((steps, GATES, n_rows, hidden), below.dtype), states[0], states[1]


@jit
def forward(table, layer, params, activation, below, other, out):
    """Outputs of a recurrent layer."""
    gates, states, cells = scratch(table, layer, below)
    run(table, layer, params, below, other, gates, states, cells)
    n = table[layer, OUT_CHANNELS]
    if table[layer, OUT_WIDTH] == 1:
        out[:] = states[table[layer, WIDTH]]
        return
    out[:] = 0
    for step in range(table[layer, WIDTH]):
        for r in range(out.shape[0]):
            pixel = pixel_of(table, layer, other, r, step)
            if pixel >= 0:
                out[r, pixel * n : (pixel + 1) * n] = states[step + 1, r]


@jit
def gather(table, layer, a, of_states, out):
    """out (B, gates * H) = derivatives for the sums ``a`` (4, B, H) in the order of the weights, of inputs or of states."""
    hidden = a.shape[2]
    for gate in range(out.shape[1] // hidden):
        own = gate if table[layer, KIND] != GRU else (gate + 1) % 3 if not of_states else gate + 1
        out[:, gate * hidden : (gate + 1) * hidden] = a[own]


@jit
def run_back(table, layer, params, delta, other, gates, states, cells):
    """gates (T, 4, B, H) become the derivatives for their sums, from ``delta`` (B, n_out)."""
    n, last = states.shape[2], table[layer, WIDTH] - 1
    _, of_states = split(table, layer, weights_of(table, layer, params))
    dh, dc, d = np.zeros_like(states[0]), np.zeros_like(states[0]), np.empty_like(states[0])
    own = np.empty((delta.shape[0], of_states.shape[1]), delta.dtype)
    one = table[layer, OUT_WIDTH] == 1
    if one:
        dh[:] = delta
    elif last >= 0:
        pixels(table, layer, other, last, delta, n, d)
        dh += d
    for back in range(last + 1):
        step = last - back
        a = gates[step]
        for r in range(delta.shape[0]):
            if pixel_of(table, layer, other, r, step) < 0:
                a[:, r] = 0
            elif table[layer, KIND] == GRU:
                gru_backward(a[0, r], a[1, r], a[2, r], a[3, r], states[step, r], dh[r])
            else:
                lstm_backward(a[0, r], a[1, r], a[2, r], a[3, r], cells[step, r], cells[step + 1, r], dh[r], dc[r])
                dh[r] = 0
        gather(table, layer, a, True, own)
        product(own, False, of_states, True, True, dh)
        if step and not one:
            pixels(table, layer, other, step - 1, delta, n, d)
            dh += d


@jit
def derivatives(table, layer, params, delta, below, other):
    """The derivatives for the gates' sums (T, 4, B, H), and the states (T + 1, B, H)."""
    gates, states, cells = scratch(table, layer, below)
    run(table, layer, params, below, other, gates, states, cells)
    run_back(table, layer, params, delta, other, gates, states, cells)
    return gates, states


@jit
def backward(table, layer, params, delta, below, other, outputs, out):
    """Derivative for the inputs of a recurrent layer."""
    gates, _ = derivatives(table, layer, params, delta, below, other)
    weights, _ = split(table, layer, weights_of(table, layer, params))
    n, d = weights.shape[0], np.empty((below.shape[0], weights.shape[0]), below.dtype)
    own = np.empty((below.shape[0], weights.shape[1]), below.dtype)
    out[:] = 0
    for step in range(gates.shape[0]):
        gather(table, layer, gates[step], False, own)
        product(own, False, weights, True, False, d)
        for r in range(d.shape[0]):
            pixel = pixel_of(table, layer, other, r, step)
            if pixel >= 0:
                out[r, pixel * n : (pixel + 1) * n] = d[r]


@jit
def gradient(table, layer, params, below, other, outputs, delta, gradient):
    """Gradient of a recurrent layer."""
    gates, states = derivatives(table, layer, params, delta, below, other)
    weights, of_states = split(table, layer, weights_of(table, layer, gradient))
    biases, x = biases_of(table, layer, gradient), np.empty((below.shape[0], weights.shape[0]), below.dtype)
    own = np.empty((2, below.shape[0], weights.shape[1]), below.dtype)
    for step in range(gates.shape[0]):
        pixels(table, layer, other, step, below, x.shape[1], x)
        gather(table, layer, gates[step], False, own[0])
        gather(table, layer, gates[step], True, own[1])
        product(x, True, own[0], False, True, weights)
        product(states[step], True, own[1], False, True, of_states)
        for i in range(biases.shape[0]):
            biases[i] += own[i].sum(axis=0)
