"""The bfloat16 side of a packed model: the forms of its weights and of a minibatch's matrices that products read (`bfloat16`).

A matrix of activations or deltas is needed in at most two forms: as a FACTOR of a product with weights, and in the GRADIENT.
Functions take the packed model, a network or a machine, of which they use the fields that `pack_words` makes:

    bfloat16    1 if products read words; the rest is empty otherwise
    forms       (M, 2) for M matrices of a minibatch, cut into blocks of ``rows`` rows: the form of each use, or NO_FORM
    panels      (M,) of a matrix
    places      (M, 2) where in ``words`` the first block of a form begins
    words       of all these forms
    starts      (L,) of a layer's weights in ``left`` and ``right``
    left, right words of all weights, in both forms

(Numba does not take them as a named tuple within one.)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import prange

from ._jit import jit, linked
from .bfloat16 import LEFT, LEFT_T, RIGHT, WORDS, write_form, write_weights
from .microkernel import LANES, PANEL
from .packing import N_IN, N_OUT, PANELS, TRANSPOSED, WEIGHT, aligned_zeros, is_owner, weight_panels

NO_FORM = -1
FACTOR, GRADIENT = range(2)  # columns of ``forms`` and ``places``


def pack_words(
    table: np.ndarray, rows: int, n_blocks: int, matrices: Sequence[tuple[int, int, int]], bfloat16: bool
) -> dict[str, Any]:
    """Allocate the words for a layer table and for ``matrices``, each (columns, form as FACTOR, form in the GRADIENT)."""
    if not bfloat16:
        table, matrices = table[:0], []
    forms = np.array([uses for _, *uses in matrices], np.int64).reshape(-1, 2)
    panels = np.array([-(-columns // PANEL) for columns, *_ in matrices], np.int64)
    sizes = np.where(forms != NO_FORM, n_blocks * rows * LANES * panels[:, None], 0)
    places = (np.cumsum(sizes) - sizes.ravel()).reshape(forms.shape)
    starts, n_words = np.zeros(len(table), np.int64), 0
    for layer, row in enumerate(table):
        starts[layer] = n_words
        if is_owner.py_func(table, layer):
            n_rows, n_columns = (row[N_OUT], row[N_IN]) if row[TRANSPOSED] else (row[N_IN], row[N_OUT])
            n_words += int(-(-n_columns // PANEL) * padded_rows.py_func(n_rows) * LANES)
        else:
            starts[layer] = starts[int(np.argmax(table[:, WEIGHT] == row[WEIGHT]))]
    words, left, right = (aligned_zeros(n).view(np.uint32) for n in (int(sizes.sum()), n_words, n_words))
    return {
        "bfloat16": int(bfloat16), "forms": forms, "panels": panels, "places": places, "words": words, "starts": starts,
        "left": left, "right": right,
    }  # fmt: skip


@jit
def padded_rows(n_rows):
    """Rows of a form of weights: whole panels."""
    return -(-n_rows // PANEL) * PANEL


@jit
def words_of(packed, matrix, use, block):
    """One block of a matrix in the form of a use: (panels, rows, LANES) or (panels, rows, PANEL)."""
    n, rows, form = packed.panels[matrix], packed.rows, packed.forms[matrix, use]
    part = form_words(packed, matrix, use, block)
    if form == LEFT:
        return part.reshape((n, rows, LANES))
    if form == RIGHT:
        return part.reshape((n, rows // 2, PANEL))
    if form == LEFT_T:
        return part.reshape((rows // PANEL, n * PANEL, LANES))
    return part.reshape((rows // PANEL, n * LANES, PANEL))


@jit
def form_words(packed, matrix, use, block):
    """The words of one block of a matrix in the form of a use."""
    size = packed.panels[matrix] * packed.rows * LANES
    start = packed.places[matrix, use] + block * size
    return packed.words[start : start + size]


@jit
def keep_words(packed, matrix, use, block, x, panel, width, first_row, n_rows):
    """Write one panel of a block, rows first_row to n_rows of ``x`` (panels, rows, PANEL), in the form of a use, if it has one."""
    form = packed.forms[matrix, use]
    if form != NO_FORM:
        write_form(x, panel, width, first_row, n_rows, form, form_words(packed, matrix, use, block))


@jit
def left_weights(packed, layer, weight):
    """The left form of weights whose panels are ``weight`` (n, R, PANEL)."""
    n, rows = weight.shape[0], padded_rows(weight.shape[1])
    start = packed.starts[layer]
    return packed.left[start : start + n * rows * LANES].reshape((n, rows, LANES))


@jit
def right_weights(packed, layer, weight):
    """The right form of weights whose panels are ``weight`` (n, R, PANEL)."""
    n, rows = weight.shape[0], padded_rows(weight.shape[1])
    start = packed.starts[layer]
    return packed.right[start : start + n * rows * LANES].reshape((n, rows // 2, PANEL))


@jit
def keep_weights(packed, layer, weight, panel, first, stop):
    """Write rows first to stop of a panel of weights in both forms, if products read words."""
    if packed.bfloat16:
        left, right = left_weights(packed, layer, weight), right_weights(packed, layer, weight)
        write_weights(weight, panel, first, stop, left, right)


@jit
def keep_all_weights(packed):
    """Write the weights of all layers in both forms, if products read words."""
    if packed.bfloat16:
        for layer in range(packed.table.shape[0]):
            if is_owner(packed.table, layer):
                weight = weight_panels(packed.table, layer, packed.params)
                write_all_weights(weight, left_weights(packed, layer, weight), right_weights(packed, layer, weight))


@linked(PANELS, WORDS, WORDS, parallel=True)
def write_all_weights(weight, left, right):
    """All panels of weights in their left and right forms."""
    for panel in prange(weight.shape[0]):
        write_weights(weight, panel, 0, weight.shape[1], left, right)
