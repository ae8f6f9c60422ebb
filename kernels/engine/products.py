"""Products of matrices in panels, and what follows a product while its tile is in the cache.

    multiply              panel of  x @ W          rows of x along its panels, a panel of W
    multiply_transposed   panel of  x @ W.T        the same microkernel gives the transpose, (W @ x.T), turned block by block;
                                                   or, for a last strip of few rows, a part of W is turned
    outer                 part of   x.T @ d        columns of x within their panels, a panel of d; summed over the rows

Else W is not transposed: the second product needs only the transpose of the (small) activations. Rows of a tile are shared out
as evenly as the tallest tile allows, so none is padded. Epilogues run over whole panels of a block: long contiguous loops.
"""

from numba import intp

from .._jit import jit, linked
from .instructions import LANES, MAX_HEIGHT, PANEL
from .microkernel import tile_of_columns, tile_of_rows
from .panels import MATRIX, PANELS, VECTOR, panel_count
from .rows import add_row, add_up, copy_row
from .vectors import transpose_block

TURNING = 6  # rows for which a product with a panel of weights takes as long as to turn it
DEPTH = 1024  # of a product at a time: a panel of W that deep (128 KB) and a block of x stay in the second-level cache


@jit
def vector_count(width):
    """Vectors that hold ``width`` columns of a panel."""
    return 1 if width <= LANES else 2


@linked(PANELS, intp, intp, intp, intp, PANELS, intp, intp, intp, PANELS, intp)
def multiply(x, first_row, n_rows, begin, end, b, b_panel, width, keep, out, out_panel):
    """out[out_panel, :n_rows] = x[first_row :][:n_rows] @ b[:, panel], over columns ``begin`` to ``end`` of x and rows of b.

    Added to what was if ``keep``. x (panels, rows, PANEL), b (panels, end or more rows, PANEL), out (panels, rows, PANEL); begin is
    a multiple of PANEL; ``width`` real columns of the panel.
    """
    n_tiles = -(-n_rows // MAX_HEIGHT)
    vectors, jump = vector_count(width), x.shape[1] * PANEL
    for k in range(begin, end, DEPTH):
        for tile in range(n_tiles):
            row, stop = n_rows * tile // n_tiles, n_rows * (tile + 1) // n_tiles
            tile_of_rows(
                stop - row, vectors, x, k // PANEL * jump + (first_row + row) * PANEL, b, (b_panel * b.shape[1] + k) * PANEL,
                out, (out_panel * out.shape[1] + row) * PANEL, jump, PANEL, min(DEPTH, end - k), 1 if keep or k > begin else 0,
            )  # fmt: skip


@linked(PANELS, PANELS, intp, intp, intp, intp, PANELS, intp, intp, VECTOR, PANELS, PANELS)
def multiply_transposed(x, x_t, first_row, n_rows, begin, end, weight, panel, width, bias, scratch, out):
    """out[panel, first_row:n_rows] = x @ weight.T + bias for columns ``panel * PANEL`` onwards of the result, ``width`` of them.

    The sums run over columns ``begin``, a multiple of PANEL, to ``end`` of x and weight. x (panels, rows, PANEL), or (0, rows,
    PANEL) if only its transpose is there, x_t (rows / PANEL, columns of x, PANEL), weight (panels, n, PANEL), out (panels, rows,
    PANEL). first_row is a multiple of PANEL; rows past n_rows up to the next one may be overwritten. scratch (some, PANEL or more,
    PANEL). bias (PANEL,), or (0,) for none.
    """
    if width < PANEL:
        scratch[0, :PANEL] = 0
    for q in range(first_row // PANEL, panel_count(n_rows)):
        rows = min(PANEL, n_rows - q * PANEL)
        if x.shape[0] and width == PANEL and turns(rows):
            multiply_turned(x, q * PANEL, rows, begin, end, weight, panel, bias, scratch, out)
        else:
            start_columns(bias, rows, scratch[0])
            multiply(weight, panel * PANEL, width, begin, end, x_t, q, rows, bias.shape[0], scratch, 0)
            transpose_block(scratch, 0, out, (panel * out.shape[1] + q * PANEL) * PANEL)


@jit
def turns(n_rows):
    """Whether to turn weights is less work for so few rows than to multiply with vectors that they do not fill."""
    return n_rows + TURNING <= -(-n_rows // LANES) * LANES


@linked(PANELS, intp, intp, intp, intp, PANELS, intp, VECTOR, PANELS, PANELS)
def multiply_turned(x, first_row, n_rows, begin, end, weight, panel, bias, scratch, out):
    """The same bits for ``n_rows`` rows from ``first_row`` on and a whole panel: x is multiplied with weight.T, made in scratch.

    Blocks are turned the second before the first, the fourth before the third: in order they teach the CPU's prefetcher a stride
    that goes on into columns which another thread updates (where the cores share no cache 10 and 20 rows took 1.1 to 1.3 times as
    long).
    """
    start_rows(bias, out[panel, first_row : first_row + n_rows])
    n_tiles, depth, jump = -(-n_rows // MAX_HEIGHT), scratch.size // (PANEL * PANEL) * PANEL, x.shape[1] * PANEL
    for k in range(begin, end, depth):
        stop = min(k + depth, end)
        n_blocks = panel_count(stop - k)
        for i in range(n_blocks):
            block = i ^ 1 if i ^ 1 < n_blocks else i
            place = ((k // PANEL + block) * weight.shape[1] + panel * PANEL) * PANEL
            transpose_block(weight, place, scratch, block * PANEL * PANEL)
        for tile in range(n_tiles):
            row, last = first_row + n_rows * tile // n_tiles, first_row + n_rows * (tile + 1) // n_tiles
            tile_of_rows(
                last - row, 2, x, k // PANEL * jump + row * PANEL, scratch, 0, out, (panel * out.shape[1] + row) * PANEL,
                jump, PANEL, stop - k, 1 if bias.shape[0] or k > begin else 0,
            )  # fmt: skip


@linked(PANELS, intp, intp, PANELS, intp, intp, intp, intp, intp, PANELS)
def outer(x, first, stop, d, first_panel, n_panels, n_columns, n_rows, keep, out):
    """out[q] = x[:, first:stop].T @ d[:, panel first_panel + q] over ``n_rows`` rows, plus what was there if ``keep``.

    x (panels, rows, PANEL), of which ``first`` starts a panel; d (panels, rows, PANEL) has ``n_columns`` columns in all; out
    (n_panels or more, stop - first or more, PANEL). A panel of x is read once for all the panels of d.
    """
    for column in range(first, stop, PANEL):
        width = min(PANEL, stop - column)
        n_tiles = -(-width // MAX_HEIGHT)
        for tile in range(n_tiles):
            row, end = width * tile // n_tiles, width * (tile + 1) // n_tiles
            for q in range(n_panels):
                panel = first_panel + q
                tile_of_columns(
                    end - row, vector_count(n_columns - panel * PANEL), x, column * x.shape[1] + row, d,
                    panel * d.shape[1] * PANEL, out, (q * out.shape[1] + column - first + row) * PANEL, 0, n_rows, n_rows, keep,
                )  # fmt: skip


# ---- epilogues -------------------------------------------------------------------------------------------------------


@linked(VECTOR, MATRIX)
def add_bias(bias, rows):
    """Add ``bias`` (PANEL,) to every row of ``rows`` (n, PANEL)."""
    for r in range(rows.shape[0]):
        add_row(bias, 0, rows, r * PANEL)


@linked(VECTOR, MATRIX)
def start_rows(bias, rows):
    """Write ``bias`` (PANEL,) to every row of ``rows`` (n, PANEL): a product's sums start from there. Nothing for a bias (0,)."""
    if bias.shape[0]:
        for r in range(rows.shape[0]):
            copy_row(bias, 0, rows, r * PANEL)


@linked(VECTOR, intp, MATRIX)
def start_columns(bias, n_columns, rows):
    """Write ``bias`` (PANEL,) to the first columns of ``rows`` (PANEL or more, PANEL), for the transpose of a product."""
    for r in range(bias.shape[0]):
        rows[r, :n_columns] = bias[r]


@jit
def clear_padding(width, rows):
    """Zero the columns of ``rows`` (n, PANEL) past the real ones."""
    if width < PANEL:
        rows[:, width:] = 0


@jit
def sum_rows(rows, out):
    """Add the sum of the rows of ``rows`` (n, PANEL) to ``out`` (PANEL,), float32 or float64, in order."""
    add_up(rows, rows.shape[0], out)
