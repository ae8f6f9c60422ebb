"""Updates of packed parameters, and a microkernel that makes a tile of a gradient and applies it while it is in registers.

The rules are those of `arithmetic.updates`, written once, as LLVM vector instructions: what updates a written gradient and what
updates a tile give the same bits. With t the gradient plus the slope of the penalty, g + l2 w + l1 sign(w):

    momentum   v <- m v - r t;  w <- w + v
    nesterov   v <- m v - r t;  w <- w + m v - r t
    adam       v <- m v + (1 - m) t;  s <- b s + (1 - b) t^2;  w <- w - r' v / (sqrt(s c) + 1e-8)

A tile's gradient is a sum over *segments*: rows of x and of d that lie below each other, of the blocks of a minibatch, the two
phases of an RBM, the layers that share a matrix. Weights and velocities are asked for before the product and arrive meanwhile.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float64, int64, intp, types
from numba.extending import intrinsic

from .._jit import jit, linked
from ..arithmetic.updates import ADAM, ADAM_DECAY, ADAM_EPSILON, MOMENTUM, NESTEROV, UPDATE
from .instructions import (
    FLOAT,
    INT,
    LANES,
    MAX_HEIGHT,
    PANEL,
    POINTER,
    ROW_BYTES,
    VECTOR,
    VOID,
    broadcast,
    call,
    element,
    integer,
    load,
    moved,
    store,
)  # fmt: skip
from .microkernel import arrive, multiply_add, phis
from .panels import VECTOR as FLOATS

RATE, KEPT, L1, L2, NEW, DECAY, NEW_SQUARE, CORRECTION, EPSILON = range(9)  # of the settings
SEGMENTS = int64[:, ::1]  # (n, 3) addresses of x and d, and the number of rows
MOST_SEGMENTS = 64  # of a tile: beyond that d is read from far away again and again
_LINE = 64  # bytes of the cache that are fetched at a time


@jit
def settings_of(update, rate, step, is_weight):
    """What a rule needs, (9,) float32, for the minibatch number ``step`` and its ``rate``; biases have no penalty."""
    settings = np.zeros(9, np.float32)
    settings[RATE], settings[KEPT] = rate, update.momentum
    if is_weight:
        settings[L1], settings[L2] = update.l1, update.l2
    if (
        update.optimizer == ADAM
    ):  # 1 - b in float64: in float32 it would be off by 1e-5 and no longer match the correction
        settings[RATE] = rate / (1.0 - update.momentum ** (step + 1))
        settings[NEW], settings[DECAY], settings[NEW_SQUARE] = 1.0 - update.momentum, ADAM_DECAY, 1.0 - ADAM_DECAY
        settings[CORRECTION] = 1.0 / (1.0 - ADAM_DECAY ** (step + 1))
        settings[EPSILON] = ADAM_EPSILON
    return settings


# ---- the rules -------------------------------------------------------------------------------------------------------


class _Rule:
    """The instructions of one optimiser; ``settings`` points to its numbers."""

    def __init__(self, builder: Any, optimizer: int, settings: Any, with_l1: bool):
        self.optimizer, self.with_l1 = optimizer, with_l1
        needed = {MOMENTUM: (RATE, KEPT), NESTEROV: (RATE, KEPT), ADAM: range(9)}[optimizer]
        self.numbers = {n: broadcast(builder, load(builder, settings, 4 * n, FLOAT)) for n in {L1, L2, *needed}}

    def apply(self, builder: Any, gradient: Any, places: tuple[Any, Any, Any], offset: int) -> None:
        """Update a vector of weights, velocities and squares at ``offset`` from their places."""
        c, zero = self.numbers, ir.Constant(VECTOR, [0.0] * LANES)
        w, v = load(builder, places[0], offset), load(builder, places[1], offset)
        t = multiply_add(builder, c[L2], w, gradient)
        if self.with_l1:
            signs = [builder.fcmp_ordered(sign, w, zero) for sign in (">", "<")]
            above, below = (builder.select(sign, c[L1], zero) for sign in signs)
            t = builder.fadd(t, builder.fsub(above, below))
        if self.optimizer == ADAM:
            s = load(builder, places[2], offset)
            v = multiply_add(builder, c[KEPT], v, builder.fmul(c[NEW], t))
            s = multiply_add(builder, c[DECAY], s, builder.fmul(c[NEW_SQUARE], builder.fmul(t, t)))
            store(builder, s, places[2], offset)
            size = call(builder, f"llvm.sqrt.v{LANES}f32", VECTOR, [builder.fmul(s, c[CORRECTION])])
            w = builder.fsub(w, builder.fdiv(builder.fmul(c[RATE], v), builder.fadd(size, c[EPSILON])))
        else:
            step = builder.fsub(ir.Constant(VECTOR, [-0.0] * LANES), builder.fmul(c[RATE], t))
            v = multiply_add(builder, c[KEPT], v, step)
            w = builder.fadd(w, multiply_add(builder, c[KEPT], v, step) if self.optimizer == NESTEROV else v)
        store(builder, v, places[1], offset)
        store(builder, w, places[0], offset)


def _for_each_rule(function: Any, builder: Any, optimizer: Any) -> Any:
    """Blocks for the optimisers, to which control goes by their number: (number, builder); all end by returning."""
    blocks = {number: function.append_basic_block(f"rule_{number}") for number in (MOMENTUM, NESTEROV, ADAM)}
    switch = builder.switch(optimizer, blocks[MOMENTUM])
    for number, block in blocks.items():
        if number != MOMENTUM:
            switch.add_case(integer(number), block)
        yield number, ir.IRBuilder(block)


def _update_function(module: Any) -> Any:
    """LLVM function (gradient, weights, velocities, squares, settings, optimizer, bytes): update some vectors of numbers."""
    name = "stacked_update"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER] * 5 + [INT, INT]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    gradient, *places, settings, optimizer, n_bytes = function.args
    entry = ir.IRBuilder(function.append_basic_block("entry"))
    for number, builder in _for_each_rule(function, entry, optimizer):
        rule = _Rule(builder, number, settings, True)
        loop, done = function.append_basic_block("loop"), function.append_basic_block("done")
        before = builder.block
        builder.branch(loop)
        builder = ir.IRBuilder(loop)
        (offset,) = phis(builder, [integer(0)], before)
        here = [moved(builder, place, offset) for place in (gradient, *places)]
        rule.apply(builder, load(builder, here[0], 0), (here[1], here[2], here[3]), 0)
        following = builder.add(offset, integer(4 * LANES))
        arrive([offset], [following], loop)
        builder.cbranch(builder.icmp_signed("<", following, n_bytes), loop, done)
        ir.IRBuilder(done).ret_void()
    return function


@intrinsic
def _update_numbers(typing, gradient, weights, velocity, squares, settings, optimizer, n):
    def code(context, builder, signature, args):
        pointers = [element(context, builder, signature.args[i], args[i], integer(0)) for i in range(5)]
        n_bytes = builder.mul(args[6], integer(4))
        builder.call(_update_function(builder.module), [*pointers, args[5], n_bytes])
        return context.get_dummy_value()

    return types.void(gradient, weights, velocity, squares, settings, types.intp, types.intp), code


@linked(UPDATE, float64, intp, FLOATS, FLOATS, FLOATS, FLOATS, intp)
def update_packed(update, rate, step, gradient, params, velocity, squares, is_weight):
    """Update float32 parameters (n,), n a multiple of LANES, all weights or all biases, with the ``rate`` of minibatch ``step``."""
    settings = settings_of(update, rate, step, is_weight)
    if params.shape[0]:
        _update_numbers(gradient, params, velocity, squares, settings, update.optimizer, params.shape[0])


# ---- tiles -----------------------------------------------------------------------------------------------------------


def _tile_function(module: Any, height: int) -> Any:
    """LLVM function (segments, their number, offsets into x and d, weights, velocities, squares, settings, optimizer) of one tile.

    ``height`` columns of x, from the offset on, are rows of the weights. Penalties by l1 are not for it.
    """
    name = f"stacked_update_tile_{height}"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER, INT, INT, INT, *[POINTER] * 4, INT]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    segments, n_segments, x_offset, d_offset, *places, settings, optimizer = function.args
    entry, outer, inner, end, done = (
        function.append_basic_block(b) for b in ("entry", "outer", "inner", "end", "done")
    )
    builder = ir.IRBuilder(entry)
    _emit_prefetches(builder, places, height)
    builder.branch(outer)

    builder = ir.IRBuilder(outer)  # a segment
    zeros = [ir.Constant(VECTOR, [0.0] * LANES)] * (2 * height)
    state = phis(builder, [integer(0), *zeros], entry)
    here = moved(builder, segments, builder.mul(state[0], integer(24)))
    x_base, d_base, depth = (load(builder, here, 8 * field, INT) for field in range(3))
    x = builder.inttoptr(builder.add(x_base, x_offset), POINTER)
    d = builder.inttoptr(builder.add(d_base, d_offset), POINTER)
    builder.branch(inner)

    builder = ir.IRBuilder(inner)  # a row of it
    step = phis(builder, [depth, x, d, *state[1:]], outer)
    left, x_here, d_here, *sums = step
    row = [load(builder, d_here, 4 * LANES * v) for v in range(2)]
    new = []
    for i in range(height):
        number = broadcast(builder, load(builder, x_here, 4 * i, FLOAT))
        new += [multiply_add(builder, number, row[v], sums[2 * i + v]) for v in range(2)]
    remaining = builder.sub(left, integer(1))
    arrive(step, [remaining, moved(builder, x_here, ROW_BYTES), moved(builder, d_here, ROW_BYTES), *new], inner)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), inner, end)

    builder = ir.IRBuilder(end)
    following = builder.add(state[0], integer(1))
    arrive(state, [following, *new], end)
    builder.cbranch(builder.icmp_signed("<", following, n_segments), outer, done)

    for number, builder in _for_each_rule(function, ir.IRBuilder(done), optimizer):
        rule = _Rule(builder, number, settings, False)
        for i in range(2 * height):
            rule.apply(builder, new[i], tuple(places), 4 * LANES * i)
        builder.ret_void()
    return function


def _emit_prefetches(builder: Any, places: list, height: int) -> None:
    """Ask for the rows of weights and velocities, to be written."""
    flag = ir.IntType(32)
    for place in places[:2]:
        for offset in range(0, height * ROW_BYTES, _LINE):
            arguments = [moved(builder, place, offset), flag(1), flag(3), flag(1)]
            call(builder, "llvm.prefetch.p0i8", VOID, arguments)


@intrinsic
def _update_tile(
    typing, height, segments, n, x_offset, d_offset, params, velocity, squares, start, second, settings, optimizer
):
    """Offsets are in numbers; ``start`` is the tile's place in params and velocity, ``second`` that in squares."""

    def code(context, builder, signature, args):
        four, kinds = integer(4), signature.args
        table = context.make_array(kinds[1])(context, builder, args[1]).data
        pointers = [element(context, builder, kinds[i], args[i], args[8 if i < 7 else 9]) for i in (5, 6, 7)]
        numbers = element(context, builder, kinds[10], args[10], integer(0))
        offsets = [builder.mul(args[3], four), builder.mul(args[4], four)]
        operands = [builder.bitcast(table, POINTER), args[2], *offsets, *pointers, numbers, args[11]]
        after = builder.append_basic_block("after")
        switch = builder.switch(args[0], after)
        for rows in range(1, MAX_HEIGHT + 1):
            block = builder.append_basic_block(f"tile_{rows}")
            switch.add_case(integer(rows), block)
            with builder.goto_block(block):
                builder.call(_tile_function(builder.module, rows), operands)
                builder.branch(after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    index = types.intp
    arrays = params, velocity, squares
    return types.void(index, segments, index, index, index, *arrays, index, index, settings, index), code


@linked(UPDATE, float64, intp, SEGMENTS, intp, intp, intp, intp, intp, FLOATS, FLOATS, FLOATS, intp)
def update_tiles(update, rate, step, segments, rows, first, stop, n_panels, n_high, params, velocity, squares, begin):
    """Gradient and update of rows ``first`` to ``stop`` of some panels of a matrix of ``n_high`` rows, which is at ``begin``.

    The segments are those of the first column of x and the first of the panels of d; both have ``rows`` rows a panel. ``first``
    starts a panel of x. squares (0,) but for Adam. The update has no l1; d is zero where a column is padding.
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
                    place, place * adam, settings, update.optimizer,
                )  # fmt: skip
