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

from .._jit import TESTED, jit, linked
from ..cpu import permit_amx
from .instructions import HAS_AMX, HAS_BFLOAT16, LANES, MAX_UNITS, PANEL, STEP, UNIT
from .microkernel import begin_tiles, end_tiles, tile_of_words
from .panels import PANELS, VECTOR, panel_count
from .products import DEPTH, start_columns, vector_count
from .vectors import round_row, round_two_rows, transpose_block, transpose_words

WORDS = uint32[::1]  # type of an argument
LEFT, RIGHT, LEFT_T, RIGHT_T = range(4)  # forms of a matrix, or of its transpose

# Asked for at once, so that nothing runs tiles without it; only where the CPU has AMX.
_PERMITTED = not HAS_AMX or permit_amx()


def obstacle() -> str | None:
    """What keeps this process from multiplying bfloat16, if anything does.

    On a CPU without it the kernels take the same words apart into float32: right, for tests, and slow.
    """
    if not TESTED:
        return "the engine that uses them was not tested with this version of Numba"
    if not HAS_BFLOAT16:
        return "this CPU has neither"
    return None if _PERMITTED else "the operating system keeps this CPU's AMX from the process"


# ---- products --------------------------------------------------------------------------------------------------------


@linked(WORDS, intp, intp, intp, intp, intp, intp, intp, intp, PANELS, intp)
def multiply_words(words, left, left_rows, n_rows, depth, right, right_words, n_columns, keep, out, out_panel):
    """out[out_panel + q, :n_rows] = A @ B[:, panel q] for all panels of ``n_columns``, plus what was there if ``keep``.

    ``left`` is where in ``words`` the first row of A lies, in a left form with ``left_rows`` rows a panel; ``right`` where the
    first panel of B lies, in a right form with ``right_words`` words a column; ``depth`` is K. out (panels, rows, PANEL), of which
    whole units of rows and whole vectors are written.
    """
    n_words = (depth + 1) // 2
    n_units = -(-n_rows // UNIT)
    n_tiles = -(-n_units // MAX_UNITS)
    begin_tiles()
    for k in range(0, n_words, DEPTH):
        steps = -(-min(DEPTH, n_words - k) // STEP) * STEP
        for tile in range(n_tiles):
            unit, stop = n_units * tile // n_tiles, n_units * (tile + 1) // n_tiles
            row = unit * UNIT
            for q in range(panel_count(n_columns)):
                tile_of_words(
                    stop - unit, vector_count(n_columns - q * PANEL), words, left + (k // LANES * left_rows + row) * LANES, words,
                    right + (q * right_words + k) * PANEL, out, ((out_panel + q) * out.shape[1] + row) * PANEL,
                    left_rows * LANES, LANES, steps, 1 if keep or k else 0,
                )  # fmt: skip
    end_tiles()


@linked(WORDS, intp, intp, intp, intp, intp, intp, intp, intp, intp, VECTOR, PANELS, PANELS)
def multiply_words_transposed(
    words, right_t, right_words, first_row, n_rows, depth, left, left_rows, panel, width, bias, scratch, out
):
    """out[panel, first_row:n_rows] = x @ W.T + bias for columns ``panel * PANEL`` onwards of the result, ``width`` of them.

    The right form of x.T begins at ``right_t``, the left form of W, which has ``depth`` columns, at ``left``; see `multiply_words`
    and `products.multiply_transposed`.
    """
    row = left + panel * PANEL * LANES
    for q in range(first_row // PANEL, panel_count(n_rows)):
        n_columns, column = min(PANEL, n_rows - q * PANEL), right_t + q * right_words * PANEL
        if width < PANEL or n_columns < PANEL:
            scratch[0, :PANEL] = 0
        start_columns(bias, n_columns, scratch[0])
        multiply_words(words, row, left_rows, width, depth, column, right_words, n_columns, bias.shape[0], scratch, 0)
        transpose_block(scratch, 0, out, (panel * out.shape[1] + q * PANEL) * PANEL)


# ---- forms of a matrix -----------------------------------------------------------------------------------------------


@jit
def clear_edges(x, panel, width, first_row, n_rows):
    """Zero the padding of rows first_row to n_rows of a panel of ``x``: columns from ``width`` on, rows up to a whole PANEL."""
    x[panel, n_rows : panel_count(n_rows) * PANEL] = 0
    if width < PANEL:
        x[panel, first_row:n_rows, width:] = 0


@linked(PANELS, intp, intp, intp, intp, intp, WORDS, intp)
def write_form(x, panel, width, first_row, n_rows, form, words, place):
    """One panel of ``x`` (panels, rows, PANEL), rows first_row to n_rows, in a ``form`` of the matrix.

    That form of the whole of x begins at ``place``: panels * rows * LANES words. first_row and rows are multiples of PANEL. The
    padding of the panel is set to zero, in x too.
    """
    clear_edges(x, panel, width, first_row, n_rows)
    n_panels, rows = x.shape[0], x.shape[1]
    rounded = np.empty(PANEL * LANES, np.uint32)
    for first in range(first_row, n_rows, PANEL):
        start = (panel * rows + first) * PANEL
        turned = place + (first // PANEL * n_panels + panel) * PANEL * LANES
        if form == LEFT:
            round_rows(x, start, words, place + start // 2)
        elif form == RIGHT:
            round_pairs(x, start, words, place + start // 2)
        elif form == LEFT_T:  # its rows are columns of x: words of neighbours in a column, turned
            round_pairs(x, start, rounded, 0)
            for half in range(2):
                transpose_words(rounded, half * LANES, 1, words, turned + half * LANES * LANES)
        else:
            round_rows(x, start, rounded, 0)
            for half in range(2):
                transpose_words(rounded, half * LANES * LANES, 0, words, turned + half * LANES)


@jit
def round_rows(x, start, words, place):
    """PANEL rows of a panel as words of neighbours in a row: PANEL x LANES words."""
    for r in range(PANEL):
        round_row(x, start + r * PANEL, words, place + r * LANES)


@jit
def round_pairs(x, start, words, place):
    """PANEL rows of a panel as words of neighbours in a column: LANES x PANEL words."""
    for q in range(LANES):
        round_two_rows(x, start + 2 * q * PANEL, words, place + q * PANEL)


@linked(PANELS, intp, intp, intp, WORDS, intp, intp, intp)
def write_weights(weight, panel, first, stop, words, left, right, form_rows):
    """Rows first to stop of a panel of weights (panels, R, PANEL) in both forms, which begin at ``left`` and ``right``.

    first is even; the forms have ``form_rows`` rows a panel, R or more and a multiple of PANEL.
    """
    start, place = panel * weight.shape[1] * PANEL, panel * form_rows * LANES
    for r in range(first, stop):
        round_row(weight, start + r * PANEL, words, left + place + r * LANES)
    for q in range(first // 2, stop // 2):
        round_two_rows(weight, start + 2 * q * PANEL, words, right + place + q * PANEL)
    if stop % 2:
        last = np.zeros((2, PANEL), np.float32)
        last[0] = weight[panel, stop - 1]
        round_two_rows(last, 0, words, right + place + stop // 2 * PANEL)
