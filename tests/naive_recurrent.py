"""GRU and LSTM in plain NumPy, sequence by sequence, from the formulas in `stacked.layers.recurrent`; nothing of the project."""

import numpy as np


def _s(a):
    return 1 / (1 + np.exp(-a))


def gru(x, weight, recurrent_weight, bias):
    """States (T, H) for one sequence x (T, D)."""
    n = len(recurrent_weight)
    h, states = np.zeros(n), []
    for step in np.asarray(x, float):
        a, b = step @ weight + bias[0], h @ recurrent_weight + bias[1]
        r, z = _s(a[:n] + b[:n]), _s(a[n : 2 * n] + b[n : 2 * n])
        h = (1 - z) * np.tanh(a[2 * n :] + r * b[2 * n :]) + z * h
        states.append(h)
    return np.array(states)


def lstm(x, weight, recurrent_weight, bias):
    """States (T, H) for one sequence x (T, D)."""
    n = len(recurrent_weight)
    h, c, states = np.zeros(n), np.zeros(n), []
    for step in np.asarray(x, float):
        i, f, g, o = np.split(step @ weight + h @ recurrent_weight + bias, 4)
        c = _s(f) * c + _s(i) * np.tanh(g)
        h = _s(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


CELLS = {"gru": gru, "lstm": lstm}


def answer(kind, arrays, x, last, backwards):
    """What a layer answers to one sequence x (T, D): states (T, H) in the order of the steps, or the last one (H,)."""
    states = CELLS[kind](
        x[::-1] if backwards else x,
        *(np.asarray(arrays[name], float) for name in ("weight", "recurrent_weight", "bias")),
    )
    if last:
        return states[-1]
    return states[::-1] if backwards else states
