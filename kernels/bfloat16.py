"""bfloat16 operands and their products: float32 is rounded to its upper 16 bits, products are added in float32.

Instructions for bfloat16 take words: two numbers that follow each other along the inner dimension K. A product A @ B reads

    left    of A (M, K)    words of neighbours in a row        (panels of K, M, LANES)
    right   of B (K, N)    words of neighbours in a column     (panels of N, K / 2, PANEL)

so a matrix is needed as left or right, of itself or of its transpose, whatever its part in which product:

    forward     x @ W       left(x)       right(W)
    backward    d @ W.T     left(W)       right(d.T)    which gives the transpose
    gradient    x.T @ d     left(x.T)     right(d)

A row of ``left`` is one vector, a row of ``right`` two; 16 rows of either are a tile of AMX as it stands. Weights are kept as left
and right beside the float32 ones and rewritten when those are updated, activations are written when their panel is finished.
Sums run over whole panels of K, so all padding is zero.

Rounding is to the nearest, ties to even (Kalamkar et al. 2019, "A study of BFLOAT16 for deep learning training").
"""

import numpy as np
from numba import intp, uint32

from ._jit import jit, linked
from .microkernel import (
    LANES,
    MAX_UNITS,
    PANEL,
    STEP,
    UNIT,
    begin_tiles,
    end_tiles,
    round_row,
    round_two_rows,
    tile_of_words,
    transpose_block,
    transpose_words,
)  # fmt: skip
from .packing import PANELS, panel_count
from .product import DEPTH

WORDS, WORD_VECTOR = uint32[:, :, ::1], uint32[::1]  # types of arguments
LEFT, RIGHT, LEFT_T, RIGHT_T = range(4)  # forms of a matrix, or of its transpose


# ---- products --------------------------------------------------------------------------------------------------------


@linked(WORDS, intp, intp, intp, WORDS, intp, intp, intp, PANELS, intp)
def multiply_words(left, first_row, n_rows, depth, right, first_panel, n_panels, keep, out, out_panel):
    """out[out_panel + q, :n_rows] = A[first_row:][:n_rows] @ B[:, panel first_panel + q], plus what was there if ``keep``.

    left of A is (panels, rows, LANES), right of B (panels, K / 2, PANEL), out (panels, rows, PANEL); ``depth`` is K. Whole units of
    rows are written. Without ``keep`` the product is exact to the rounding of sums.
    """
    jump, n_words = left.shape[1] * LANES, (depth + 1) // 2
    n_units = -(-n_rows // UNIT)
    n_tiles = -(-n_units // MAX_UNITS)
    begin_tiles()
    for k in range(0, n_words, DEPTH):
        steps = -(-min(DEPTH, n_words - k) // STEP) * STEP
        for tile in range(n_tiles):
            unit, stop = n_units * tile // n_tiles, n_units * (tile + 1) // n_tiles
            row = unit * UNIT
            for q in range(n_panels):
                tile_of_words(
                    stop - unit, 2, left, k // LANES * jump + (first_row + row) * LANES, right,
                    ((first_panel + q) * right.shape[1] + k) * PANEL, out, ((out_panel + q) * out.shape[1] + row) * PANEL,
                    jump, LANES, steps, 1 if keep or k else 0,
                )  # fmt: skip
    end_tiles()


@linked(WORDS, intp, intp, intp, WORDS, intp, intp, PANELS, PANELS)
def multiply_words_transposed(right_t, first_row, n_rows, depth, left, panel, width, scratch, out):
    """out[panel, first_row:n_rows] = x @ W.T for columns ``panel * PANEL`` onwards of the result, ``width`` of them.

    right_t is the right form of x.T, left that of W, which has ``depth`` columns; see `product.multiply_transposed`.
    """
    if width < PANEL:
        scratch[0, :PANEL] = 0
    for q in range(first_row // PANEL, panel_count(n_rows)):
        multiply_words(left, panel * PANEL, width, depth, right_t, q, 1, 0, scratch, 0)
        transpose_block(scratch, 0, out, (panel * out.shape[1] + q * PANEL) * PANEL)


# ---- forms of a matrix -----------------------------------------------------------------------------------------------


@jit
def clear_edges(x, panel, width, first_row, n_rows):
    """Zero the padding of rows first_row to n_rows of a panel of ``x``: columns from ``width`` on, rows up to a whole PANEL."""
    x[panel, n_rows : panel_count(n_rows) * PANEL] = 0
    if width < PANEL:
        x[panel, first_row:n_rows, width:] = 0


@linked(PANELS, intp, intp, intp, intp, intp, WORD_VECTOR)
def write_form(x, panel, width, first_row, n_rows, form, out):
    """One panel of ``x`` (panels, rows, PANEL), rows first_row to n_rows, in a ``form`` of the matrix.

    ``out`` holds that form of the whole of x: panels * rows * LANES words. first_row is a multiple of PANEL and rows one of PANEL.
    The padding of the panel is set to zero, in x too.
    """
    clear_edges(x, panel, width, first_row, n_rows)
    n_panels, rows = x.shape[0], x.shape[1]
    rounded = np.empty(PANEL * LANES, np.uint32)
    for first in range(first_row, n_rows, PANEL):
        start, strip = (panel * rows + first) * PANEL, first // PANEL
        if form == LEFT:
            round_rows(x, start, out, start // 2)
        elif form == RIGHT:
            round_pairs(x, start, out, start // 2)
        elif form == LEFT_T:  # rows are columns of x: from words of neighbours in a column, turned
            round_pairs(x, start, rounded, 0)
            place = (strip * n_panels + panel) * PANEL * LANES
            for half in range(2):
                transpose_words(rounded, half * LANES, 1, out, place + half * LANES * LANES)
        else:
            round_rows(x, start, rounded, 0)
            place = (strip * n_panels + panel) * LANES * PANEL
            for half in range(2):
                transpose_words(rounded, half * LANES * LANES, 0, out, place + half * LANES)


@jit
def round_rows(x, start, out, place):
    """PANEL rows of a panel as words of neighbours in a row: PANEL x LANES words."""
    for r in range(PANEL):
        round_row(x, start + r * PANEL, out, place + r * LANES)


@jit
def round_pairs(x, start, out, place):
    """PANEL rows of a panel as words of neighbours in a column: LANES x PANEL words."""
    for q in range(LANES):
        round_two_rows(x, start + 2 * q * PANEL, out, place + q * PANEL)


@linked(PANELS, intp, intp, intp, WORDS, WORDS)
def write_weights(weight, panel, first, stop, left, right):
    """Rows first to stop of a panel of weights (panels, R, PANEL) in their left and right forms; ``first`` is even."""
    n_rows = weight.shape[1]
    start = panel * n_rows * PANEL
    for r in range(first, stop):
        round_row(weight, start + r * PANEL, left, (panel * left.shape[1] + r) * LANES)
    for q in range(first // 2, stop // 2):
        round_two_rows(weight, start + 2 * q * PANEL, right, (panel * right.shape[1] + q) * PANEL)
    if stop % 2:
        last = np.zeros((2, PANEL), np.float32)
        last[0] = weight[panel, stop - 1]
        round_two_rows(last, 0, right, (panel * right.shape[1] + stop // 2) * PANEL)
