"""Twins of the kernels that work on matrices in panels and on words, in plain NumPy, of the same names and arguments."""

import numpy as np

from . import naive

LEFT, RIGHT, LEFT_T, RIGHT_T = range(4)


def _from_panels(panels):
    """The matrix (rows, panels * PANEL), padding included, of panels (n, rows, PANEL)."""
    return naive._float64(np.concatenate(panels, axis=1))


def _part(panel, width):
    """Columns of a panel."""
    return slice(panel * width, (panel + 1) * width)


def multiply(x, first_row, n_rows, begin, end, b, b_panel, width, keep, out, out_panel):
    rows, part = _from_panels(x)[first_row : first_row + n_rows, begin:end], out[out_panel, :n_rows, :width]
    part[:] = keep * part + rows @ b[b_panel, begin:end, :width]


def multiply_transposed(x, x_t, first_row, n_rows, begin, end, weight, panel, width, bias, scratch, out):
    rows = np.concatenate([block[begin:end].T for block in naive._float64(x_t)])[first_row:n_rows]
    matrix = _from_panels(weight)[_part(panel, out.shape[2]), begin:end]
    out[panel, first_row:n_rows] = _started(bias)
    out[panel, first_row:n_rows, :width] += rows @ matrix.T


def outer(x, first, stop, d, first_panel, n_panels, n_columns, n_rows, keep, out):
    left = _from_panels(x)[:n_rows, first:stop].T
    for q in range(n_panels):
        width = min(d.shape[2], n_columns - (first_panel + q) * d.shape[2])
        part = out[q, : stop - first, :width]
        part[:] = keep * part + left @ d[first_panel + q, :n_rows, :width]


def transpose_panel(x, panel, n_rows, out):
    width = x.shape[2]
    for q in range(-(-n_rows // width)):
        out[q, _part(panel, width)] = x[panel, _part(q, width)].T


def _started(bias):
    """What the sums of a row start from."""
    return bias if len(bias) else 0


def loss_panel(loss, activation, share, width, output, target, delta):
    columns = np.empty((len(output), width))
    empty = np.zeros(0, np.int64)
    total = naive.loss_and_delta(loss, activation, output[:, :width], target[:, :width], empty, empty, columns)
    delta[:] = 0
    delta[:, :width] = columns * len(output) * share
    return total


def sample_panel(kind, key, epoch, row_ids, draw, first_column, width, mean, sample):
    means = np.zeros((len(mean), width), mean.dtype)
    a = naive._float64(mean[:, :width])
    means[:], sample[:, :width] = naive._mean_and_sample(kind, a, key, epoch, row_ids, draw, mean.dtype, first_column)
    mean[:, :width] = means


def update_packed(update, rate, step, gradient, params, velocity, squares, is_weight):
    fixed = update._replace(learning_rate=rate, decay_steps=0)
    naive.apply_update(fixed, step, params.size if is_weight else 0, gradient, params, velocity, squares)


# ---- bfloat16 --------------------------------------------------------------------------------------------------------


def round_bits(x):
    """The upper 16 bits of float32 numbers, rounded to the nearest, to even between two, as uint32."""
    bits = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint32)


def rounded(x):
    """x as bfloat16, in float64."""
    return (round_bits(x) << 16).view(np.float32).astype(np.float64)


def _half(word, which):
    """The first (0) or second (1) number of words, as float64."""
    bits = word >> 16 if which else word & 0xFFFF
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _words_of_rows(matrix):
    """(R, C / 2) words of neighbours in a row."""
    bits = round_bits(matrix)
    return bits[:, 0::2] | bits[:, 1::2] << 16


def multiply_words(words, left, left_rows, n_rows, depth, right, right_words, n_columns, keep, out, out_panel):
    width = out.shape[2]
    lanes = width // 2
    k = np.arange(depth)
    a, b = np.empty((n_rows, depth)), np.empty((depth, n_columns))
    for which in (0, 1):
        word = k[which::2] // 2
        for i in range(n_rows):
            a[i, which::2] = _half(words[left + (word // lanes * left_rows + i) * lanes + word % lanes], which)
        for c in range(n_columns):
            b[which::2, c] = _half(words[right + (c // width * right_words + word) * width + c % width], which)
    answer = a @ b
    for c in range(n_columns):
        column = out[out_panel + c // width, :n_rows, c % width]
        column[:] = keep * column + answer[:, c]


def multiply_words_transposed(
    words, right_t, right_words, first_row, n_rows, depth, left, left_rows, panel, width, bias, scratch, out
):
    size = out.shape[2]
    turned = np.zeros((-(-n_rows // size), width, size))
    start = left + panel * size * (size // 2)
    multiply_words(words, start, left_rows, width, depth, right_t, right_words, n_rows, 0, turned, 0)
    out[panel, first_row:n_rows] = _started(bias)
    out[panel, first_row:n_rows, :width] += np.concatenate(turned, axis=1).T[first_row:n_rows]


def write_form(x, panel, width, first_row, n_rows, form, words, place):
    n_panels, rows, size = x.shape
    lanes, stop = size // 2, -(-n_rows // size) * size
    x[panel, n_rows:stop], x[panel, first_row:n_rows, width:] = 0, 0
    for first in range(first_row, n_rows, size):
        strip = x[panel, first : first + size]
        turned = place + (first // size * n_panels + panel) * size * lanes
        start = {LEFT: place + (panel * rows + first) * lanes, RIGHT: place + (panel * rows + first) * lanes}.get(
            form, turned
        )
        block = {
            LEFT: lambda m: _words_of_rows(m),
            RIGHT: lambda m: _words_of_rows(m.T).T,
            LEFT_T: lambda m: _words_of_rows(m.T),
            RIGHT_T: lambda m: _words_of_rows(m).T,
        }[form](strip)
        words[start : start + size * lanes] = block.ravel()


def write_weights(weight, panel, first, stop, words, left, right, form_rows):
    size = weight.shape[2]
    lanes = size // 2
    part = np.zeros((stop - first + stop % 2, size), np.float32)
    part[: stop - first] = weight[panel, first:stop]
    place = panel * form_rows * lanes
    start, n = left + place + first * lanes, (stop - first) * lanes
    words[start : start + n] = _words_of_rows(part)[: stop - first].ravel()
    start = right + place + first // 2 * size
    words[start : start + len(part) * lanes] = _words_of_rows(part.T).T.ravel()


_TWINS_OF = {
    "panels": (transpose_panel,),
    "products": (multiply, multiply_transposed, outer),
    "panel_objective": (loss_panel,),
    "bfloat16": (multiply_words, multiply_words_transposed, write_form, write_weights),
    "stochastic": (sample_panel,),
    "packed_update": (update_packed,),
}
TWINS = {f"{module}.{twin.__name__}": twin for module, twins in _TWINS_OF.items() for twin in twins}
