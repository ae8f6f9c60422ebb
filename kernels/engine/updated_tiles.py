"""A microkernel that makes a tile of a gradient and applies it while it is in registers.

A tile's gradient is a sum over *segments*: numbers of x and rows of d that follow each other in memory, of the blocks of a
minibatch, the two phases of an RBM, the layers that share a matrix. Weights and velocities are asked for during the product.
Where products read words (`bfloat16`), those of the new weights are written from the same registers. A tile is the same bits as
a gradient that is written and then applied.
"""

from typing import Any

from llvmlite import ir
from numba import float64, int64, intp, types
from numba.extending import intrinsic

from .._jit import jit, linked
from ..arithmetic.updates import ADAM, UPDATE
from .bfloat16 import WORDS
from .instructions import (
    HAS_AMX,
    INT,
    LANES,
    LINE,
    MAX_HEIGHT,
    PANEL,
    POINTER,
    ROW_BYTES,
    VECTOR,
    VOID,
    element,
    integer,
    load,
    moved,
    prefetch,
    store,
)  # fmt: skip
from .microkernel import STRIDES, arrive, one_step, phis
from .packed_update import Rule, for_each_rule, settings_of
from .panels import VECTOR as FLOATS
from .vectors import neighbours_in_a_row, neighbours_in_columns

SEGMENTS = int64[:, ::1]  # (n, 3) addresses of x and d, and how many numbers, or words, of a row of the weights
MOST_BLOCKS = 64  # that a gradient is a sum over: beyond that d is read from far away again and again
_WORDS_HEIGHT = MAX_HEIGHT // 2 * 2  # rows of a tile of words, which are of two rows each


@jit
def applies_tiles(bfloat16, n_blocks):
    """Whether a gradient that is a sum over so many blocks can be applied tile by tile: not where AMX makes it."""
    return n_blocks <= MOST_BLOCKS and not (HAS_AMX and bfloat16)


# ---- segments --------------------------------------------------------------------------------------------------------


@jit
def add_segment(segments, index, x, d, depth):
    """Number ``index`` of the segments: float32 ``x`` (..., rows, PANEL) and ``d`` (rows, PANEL), ``depth`` rows of them."""
    segments[index, 0], segments[index, 1], segments[index, 2] = x.ctypes.data, d.ctypes.data, depth
    return index + 1


@jit
def add_word_segments(segments, index, words, left, left_rows, right, n_rows):
    """The segments of ``n_rows`` rows as words, from ``index`` on; the next index.

    The left form of x.T is at ``left``, the right one of d at ``right``. A panel of the left form has ``left_rows`` rows and LANES
    words of each: one segment.
    """
    n_words = (n_rows + 1) // 2
    for first in range(0, n_words, LANES):
        segments[index, 0] = words[left + first * left_rows :].ctypes.data
        segments[index, 1] = words[right + first * PANEL :].ctypes.data
        segments[index, 2] = min(LANES, n_words - first)
        index += 1
    return index


@jit
def segment_count(bfloat16, n_blocks, rows):
    """Segments of blocks of at most ``rows`` rows, a multiple of PANEL."""
    return n_blocks * (rows // PANEL if bfloat16 else 1)


# ---- a tile ----------------------------------------------------------------------------------------------------------


def _tile_function(module: Any, kind: str, height: int) -> Any:
    """LLVM function (segments, their number, offsets into x and d, weights, velocities, squares, settings, optimizer, left, right).

    ``height`` rows of the weights are made and updated. Of ``kind`` "words" x and d are words, and the new weights are written as
    words in left form, rows below each other, and in right form; otherwise these two places are not used.
    """
    name = f"stacked_update_{kind}_{height}"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER, INT, INT, INT, *[POINTER] * 4, INT, POINTER, POINTER]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    segments, n_segments, x_offset, d_offset, *places, settings, optimizer, left, right = function.args
    entry, outer, inner, end, done = (
        function.append_basic_block(b) for b in ("entry", "outer", "inner", "end", "done")
    )
    builder = ir.IRBuilder(entry)
    builder.branch(outer)

    builder = ir.IRBuilder(outer)  # a segment
    zeros = [ir.Constant(VECTOR, [0.0] * LANES)] * (2 * height)
    state = phis(builder, [integer(0), integer(0), *zeros], entry)
    here = moved(builder, segments, builder.mul(state[0], integer(24)))
    x_base, d_base, depth = (load(builder, here, 8 * field, INT) for field in range(3))
    x = builder.inttoptr(builder.add(x_base, x_offset), POINTER)
    d = builder.inttoptr(builder.add(d_base, d_offset), POINTER)
    builder.branch(inner)

    builder = ir.IRBuilder(inner)  # a number of each row, or a word
    step = phis(builder, [depth, x, d, *state[1:]], outer)
    left_over, x_here, d_here, ahead, *sums = step
    ahead = _emit_prefetches(builder, places, ahead, height * ROW_BYTES, 2 if kind == "words" else 1)
    sums = one_step(builder, x_here, d_here, sums, kind, 2)
    remaining = builder.sub(left_over, integer(1))
    advanced = [moved(builder, x_here, STRIDES[kind][1]), moved(builder, d_here, ROW_BYTES)]
    arrive(step, [remaining, *advanced, ahead, *sums], inner)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), inner, end)

    builder = ir.IRBuilder(end)
    following = builder.add(state[0], integer(1))
    arrive(state, [following, ahead, *sums], end)
    builder.cbranch(builder.icmp_signed("<", following, n_segments), outer, done)

    for number, builder in for_each_rule(function, ir.IRBuilder(done), optimizer):
        rule = Rule(builder, number, settings)
        weights = [rule.apply(builder, sums[i], tuple(places), 4 * LANES * i) for i in range(2 * height)]
        if kind == "words":
            _emit_words(builder, weights, left, right)
        builder.ret_void()
    return function


def _emit_prefetches(builder: Any, places: list, ahead: Any, n_bytes: int, n_lines: int) -> Any:
    """Ask for lines that will be written, ``ahead`` bytes from the places on, a few in every step; where the next ones lie.

    Asked for all at once they would wait for each other. After the last of ``n_bytes`` that one is asked for again.
    """
    for line in range(n_lines):
        for place in places:
            prefetch(builder, moved(builder, moved(builder, place, ahead), line * LINE), writes=True)
    following, last = builder.add(ahead, integer(n_lines * LINE)), integer(n_bytes - n_lines * LINE)
    return builder.select(builder.icmp_signed("<", following, last), following, last)


def _emit_words(builder: Any, weights: list, left: Any, right: Any) -> None:
    """Write rows of weights, two vectors each, as words of neighbours in a row and of neighbours in a column."""
    for i in range(0, len(weights), 2):
        store(builder, neighbours_in_a_row(builder, weights[i], weights[i + 1]), left, 2 * LANES * i)
    below = [*weights[2:], *[ir.Constant(VECTOR, [0.0] * LANES)] * 2]
    for i in range(0, len(weights), 4):
        for v in range(2):
            words = neighbours_in_columns(builder, weights[i + v], below[i + v])
            store(builder, words, right, ROW_BYTES * (i // 4) + 4 * LANES * v)


def _tile_intrinsic(kind: str, most: int) -> Any:
    @intrinsic
    def update_tile(
        typing, height, segments, n, x_offset, d_offset, params, velocity, squares, start, second, settings, optimizer,
        words, left, right,
    ):  # fmt: skip
        """Offsets are in numbers; ``start`` is the tile's place in params and velocity, ``second`` that in squares."""

        def code(context, builder, signature, args):
            four, kinds = integer(4), signature.args
            table = context.make_array(kinds[1])(context, builder, args[1]).data
            pointers = [element(context, builder, kinds[i], args[i], args[8 if i < 7 else 9]) for i in (5, 6, 7)]
            numbers = element(context, builder, kinds[10], args[10], integer(0))
            forms = [element(context, builder, kinds[12], args[12], args[i]) for i in (13, 14)]
            offsets = [builder.mul(args[3], four), builder.mul(args[4], four)]
            operands = [builder.bitcast(table, POINTER), args[2], *offsets, *pointers, numbers, args[11], *forms]
            after = builder.append_basic_block("after")
            switch = builder.switch(args[0], after)
            for rows in range(1, most + 1):
                block = builder.append_basic_block(f"tile_{rows}")
                switch.add_case(integer(rows), block)
                with builder.goto_block(block):
                    builder.call(_tile_function(builder.module, kind, rows), operands)
                    builder.branch(after)
            builder.position_at_end(after)
            return context.get_dummy_value()

        index, arrays = types.intp, (params, velocity, squares)
        signature = types.void(
            index, segments, index, index, index, *arrays, index, index, settings, index, words, index, index
        )
        return signature, code

    return update_tile


_update_tile = _tile_intrinsic("columns", MAX_HEIGHT)
_update_tile_of_words = _tile_intrinsic("words", _WORDS_HEIGHT)


# ---- tiles of some panels --------------------------------------------------------------------------------------------


@linked(UPDATE, float64, intp, SEGMENTS, intp, intp, intp, intp, intp, FLOATS, FLOATS, FLOATS, intp)
def update_tiles(update, rate, step, segments, rows, first, stop, n_panels, n_high, params, velocity, squares, begin):
    """Gradient and update of rows ``first`` to ``stop`` of some panels of a matrix of ``n_high`` rows, which is at ``begin``.

    The segments are those of the first column of x and the first of the panels of d; both have ``rows`` rows a panel. ``first``
    starts a panel of x. squares (0,) but for Adam. d is zero where a column is padding.
    """
    settings, adam = settings_of(update, rate, step, 1), 1 if update.optimizer == ADAM else 0
    for column in range(first, stop, PANEL):
        width = min(PANEL, stop - column)
        n_tiles = -(-width // MAX_HEIGHT)
        for q in range(n_panels):
            for tile in range(n_tiles):
                row, end = width * tile // n_tiles, width * (tile + 1) // n_tiles
                place = begin + (q * n_high + column + row) * PANEL
                _update_tile(
                    end - row, segments, segments.shape[0], column * rows + row, q * rows * PANEL, params, velocity, squares,
                    place, place * adam, settings, update.optimizer, params, 0, 0,
                )  # fmt: skip


@linked(
    UPDATE, float64, intp, SEGMENTS, intp, intp, intp, intp, intp, FLOATS, FLOATS, FLOATS, intp, WORDS, intp, intp, intp
)
def update_tiles_of_words(
    update, rate, step, segments, rows, first, stop, n_panels, n_high, params, velocity, squares, begin,
    words, left, right, form_rows,
):  # fmt: skip
    """`update_tiles` where x and d are words, and those of the weights follow.

    The first of the panels has its left form at ``left``, its right form at ``right``, of ``form_rows`` rows. ``first`` is even.
    """
    settings, adam = settings_of(update, rate, step, 1), 1 if update.optimizer == ADAM else 0
    n_pairs = (stop - first + 1) // 2
    n_tiles = -(-2 * n_pairs // _WORDS_HEIGHT)
    for tile in range(n_tiles):
        row, end = first + n_pairs * tile // n_tiles * 2, min(first + n_pairs * (tile + 1) // n_tiles * 2, stop)
        for q in range(n_panels):
            place, form = begin + (q * n_high + row) * PANEL, (q * form_rows + row) * LANES
            _update_tile_of_words(
                end - row, segments, segments.shape[0], row * LANES, q * rows * LANES, params, velocity, squares,
                place, place * adam, settings, update.optimizer, words, left + form, right + form,
            )  # fmt: skip
