"""The bfloat16 side of a packed model: the forms of its weights and of a minibatch's matrices that products read (`bfloat16`).

All words lie in one vector. A table says where, a row for each of M matrices of a minibatch, cut into blocks of ``rows`` rows, and
one more for the weights of each of L layers:

    form and place of the first use, form and place of the second, panels of a matrix or rows in the forms of weights

A minibatch's matrix is used as a FACTOR of a product with weights, and in the GRADIENT; a use that there is not has NO_FORM.
Weights have a left and a right form. Where products are float32 the table has no rows.
"""

from collections.abc import Sequence

import numpy as np
from numba import intp, prange

from .._jit import jit, linked
from .bfloat16 import (
    LEFT,
    RIGHT,
    WORDS,
    multiply_words,
    multiply_words_transposed,
    write_form,
    write_weights,
)  # fmt: skip
from .instructions import LANES, PANEL
from .panels import (
    DENSE,
    KIND,
    N_IN,
    N_OUT,
    PACK,
    PANELS,
    TABLE,
    TRANSPOSED,
    VECTOR,
    aligned_zeros,
    copy_vector,
    is_owner,
    shares_weights,
    weight_panels,
)  # fmt: skip
from .updated_tiles import add_word_segments

NO_FORM = -1
FACTOR, GRADIENT = 0, 2  # columns of the table: the form of a use; its place is the next
SIZE = 4  # column: panels, or rows


def pack_words(
    table: np.ndarray, rows: int, n_blocks: int, matrices: Sequence[tuple[int, int, int]], bfloat16: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The table and the vector of words for a layer table and ``matrices``: columns, form as FACTOR, form in the GRADIENT."""
    places: list[list[int]] = []
    position = 0

    def place(n_words: int, form: int) -> list[int]:
        nonlocal position
        start = position
        position += n_words if form != NO_FORM else 0
        return [form, start]

    for columns, *forms in matrices if bfloat16 else []:
        panels = -(-columns // PANEL)
        n_words = n_blocks * panels * rows * LANES
        places.append([*place(n_words, forms[0]), *place(n_words, forms[1]), panels])
    for layer, row in enumerate(table if bfloat16 else []):
        if row[KIND] != DENSE:
            places.append([NO_FORM, 0, NO_FORM, 0, 0])
            continue
        n_rows, n_columns = (row[N_OUT], row[N_IN]) if row[TRANSPOSED] else (row[N_IN], row[N_OUT])
        form_rows = int(-(-n_rows // PANEL) * PANEL)
        n_words = int(-(-n_columns // PANEL)) * form_rows * LANES
        if is_owner.py_func(table, layer):
            places.append([*place(n_words, LEFT), *place(n_words, RIGHT), form_rows])
        else:
            first = next(other for other in range(layer) if shares_weights.py_func(table, other, layer))
            places.append(places[len(matrices) + first])
    return np.array(places, np.int64).reshape(-1, 5), aligned_zeros(position).view(np.uint32)


@jit
def place_of(word_table, rows, matrix, use, block):
    """Where one block of a matrix begins in the form of a use."""
    return word_table[matrix, use + 1] + block * word_table[matrix, SIZE] * rows * LANES


@jit
def form_rows(word_table, weights):
    """Rows of a panel in both forms of weights."""
    return word_table[weights, SIZE]


@jit
def form_place(word_table, weights, which, panel):
    """Where a panel of weights begins in their left form, ``which`` 0, or their right one, 1."""
    return word_table[weights, 2 * which + 1] + panel * word_table[weights, SIZE] * LANES


@jit
def add_segments(segments, index, word_table, words, x, d, block, rows, n_rows, panel):
    """What a block of ``n_rows`` rows adds to a panel of the gradient x.T @ d, as segments from ``index`` on; the next index."""
    left, left_rows = place_of(word_table, rows, x, GRADIENT, block), word_table[x, SIZE] * PANEL
    right = place_of(word_table, rows, d, GRADIENT, block) + panel * rows * LANES
    return add_word_segments(segments, index, words, left, left_rows, right, n_rows)


@linked(TABLE, WORDS, intp, intp, intp, intp, intp, intp, intp, intp, intp, PANELS)
def product(word_table, words, matrix, block, rows, n_rows, weights, depth, panel, width, keep, out):
    """out[panel, :n_rows] = a panel of x @ W, of ``width`` columns, plus what was there if ``keep``.

    x is a block of a matrix of ``depth`` columns, W the row ``weights`` of the table.
    """
    left, form_rows = place_of(word_table, rows, matrix, FACTOR, block), word_table[weights, SIZE]
    right = word_table[weights, GRADIENT + 1] + panel * form_rows * LANES
    multiply_words(words, left, rows, n_rows, depth, right, form_rows // 2, width, keep, out, panel)


@linked(TABLE, WORDS, intp, intp, intp, intp, intp, intp, intp, intp, intp, VECTOR, PANELS, PANELS)
def product_transposed(
    word_table, words, matrix, block, rows, first_row, n_rows, weights, depth, panel, width, bias, scratch, out
):  # fmt: skip
    """out[panel, first_row:n_rows] = a panel of x @ W.T + bias, of ``width`` columns; x has ``depth``. bias (PANEL,) or (0,)."""
    right_t, n_words = place_of(word_table, rows, matrix, FACTOR, block), word_table[matrix, SIZE] * LANES
    left, form_rows = word_table[weights, FACTOR + 1], word_table[weights, SIZE]
    multiply_words_transposed(
        words, right_t, n_words, first_row, n_rows, depth, left, form_rows, panel, width, bias, scratch, out
    )


@linked(TABLE, WORDS, intp, intp, intp, intp, intp, intp, intp, intp, intp, intp, PANELS)
def gradient(word_table, words, x, d, block, rows, n_rows, first, stop, panel, n_columns, keep, out):
    """out[q] = rows first to stop of x.T @ d[:, panel + q] over one block of ``n_rows`` rows, plus what was there if ``keep``.

    q counts panels of ``n_columns`` columns.
    """
    left = place_of(word_table, rows, x, GRADIENT, block) + first * LANES
    right = place_of(word_table, rows, d, GRADIENT, block) + panel * rows * LANES
    left_rows = word_table[x, SIZE] * PANEL
    multiply_words(words, left, left_rows, stop - first, n_rows, right, rows // 2, n_columns, keep, out, 0)


@linked(TABLE, WORDS, intp, intp, intp, PANELS, intp, intp, intp, intp)
def keep_words(word_table, words, matrix, use, block, x, panel, width, first_row, n_rows):
    """Write one panel of a block, rows first_row to n_rows of ``x`` (panels, rows, PANEL), in the form of a use, if it has one."""
    form = word_table[matrix, use]
    if form != NO_FORM:
        place = place_of(word_table, x.shape[1], matrix, use, block)
        write_form(x, panel, width, first_row, n_rows, form, words, place)


@linked(TABLE, WORDS, intp, PANELS, intp, intp, intp)
def keep_weights(word_table, words, weights, weight, panel, first, stop):
    """Write rows first to stop of a panel of ``weight`` in the forms of row ``weights`` of the table."""
    left, right, form_rows = (
        word_table[weights, FACTOR + 1],
        word_table[weights, GRADIENT + 1],
        word_table[weights, SIZE],
    )
    write_weights(weight, panel, first, stop, words, left, right, form_rows)


@linked(TABLE, WORDS, intp, PANELS, parallel=True)
def keep_layer(word_table, words, weights, weight):
    """Write all of ``weight`` in the forms of row ``weights`` of the table."""
    for panel in prange(weight.shape[0]):
        keep_weights(word_table, words, weights, weight, panel, 0, weight.shape[1])


@jit
def keep_all_weights(packed):
    """Write the weights of all layers of a network or a machine in both forms, if its products read words."""
    if packed.bfloat16:
        first = packed.word_table.shape[0] - packed.table.shape[0]
        for layer in range(packed.table.shape[0]):
            if is_owner(packed.table, layer) and packed.table[layer, KIND] == DENSE:
                keep_layer(
                    packed.word_table, packed.words, first + layer, weight_panels(packed.table, layer, packed.params)
                )


@jit
def pack_params(table, params, packed):
    """PACK the parameters (P,) of a network or a machine, which ``table`` describes, for products of either precision."""
    copy_vector(table, packed.table, params, packed.params, PACK)
    keep_all_weights(packed)
