"""Products with operands whose rows lie any distance apart: convolutions, and steps of recurrent layers, without unrolling.

The microkernels of `microkernel` for operands in maps (`maps`), where a pixel is a row of channels. Walking along a row of the
kernel of a convolution is walking along the pixels of an image row: a segment; the next row of the kernel is a jump.

    strided_rows      tile[i, :] += A[i, k] * B[k, :]    A[i, k] a_row apart for neighbouring i, 1 for neighbouring k; B a panel
    strided_columns   the same                           A[i, k] 1 apart for neighbouring i, a_step for neighbouring k; rows of B
                                                         b_step apart, b_jump from segment to segment
    strided_both      the same                           all four at run time
    strided_dots      out[i] = sum over k of A[i, k] w[k]    for one column, where a tile would be all but empty

The first is the forward product and, with turned weights, the backward one; the second the gradient. Of the first three every
element's sum runs over k in order, whatever the tile; the fourth adds LANES sums up at its end, whatever the tile: results do not
depend on how work is cut into tiles.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .instructions import (
    FLOAT,
    INT,
    INTS,
    LANES,
    MAX_HEIGHT,
    POINTER,
    ROW_BYTES,
    VECTOR,
    VOID,
    broadcast,
    element,
    integer,
    load,
    moved,
    store,
)  # fmt: skip
from .microkernel import arrive, multiply_add, phis


def _microkernel(module: Any, kind: str, height: int, vectors: int) -> Any:
    """LLVM function (a, a_row, a_step, jump, segment, depth, b, b_step, b_jump, out, keep) of one tile.

    Strides that the kind fixes are not looked at. ``depth`` >= 1 steps are done in segments of ``segment``; ``out`` are rows of a
    panel. With ``keep`` the sums start from what is in ``out``, otherwise from 0.
    """
    name = f"stacked_strided_{kind}_{height}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER, INT, INT, INT, INT, INT, POINTER, INT, INT, POINTER, INT]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    a, a_row, a_step, jump, segment, depth, b, b_step, b_jump, out, keep = function.args
    entry, resume, outer, inner, end, done = (
        function.append_basic_block(label) for label in ("entry", "resume", "outer", "inner", "end", "done")
    )
    places = [ROW_BYTES * i + 4 * LANES * v for i in range(height) for v in range(vectors)]
    zeros = [ir.Constant(VECTOR, [0.0] * LANES)] * len(places)
    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed("!=", keep, integer(0)), resume, outer)
    builder = ir.IRBuilder(resume)
    before = [load(builder, out, place) for place in places]
    builder.branch(outer)

    builder = ir.IRBuilder(outer)  # one segment
    state = phis(builder, [depth, a, b, *zeros], entry)
    arrive(state, [depth, a, b, *before], resume)
    left, a_segment, b_segment = state[:3]
    length = builder.select(builder.icmp_signed("<", left, segment), left, segment)
    rows = [
        moved(builder, a_segment, 4 * i if kind == "columns" else builder.mul(a_row, integer(i))) for i in range(height)
    ]
    steps = (integer(4), integer(ROW_BYTES)) if kind == "rows" else (a_step, b_step)
    builder.branch(inner)

    builder = ir.IRBuilder(inner)  # one step
    step = phis(builder, [integer(0), integer(0), b_segment, *state[3:]], outer)
    k, offset, b_here, *sums = step
    row = [load(builder, b_here, 4 * LANES * v) for v in range(vectors)]
    new = []
    for i in range(height):
        number = broadcast(builder, load(builder, rows[i], offset, FLOAT))
        new += [multiply_add(builder, number, row[v], sums[vectors * i + v]) for v in range(vectors)]
    following, after = builder.add(k, integer(1)), moved(builder, b_here, steps[1])
    arrive(step, [following, builder.add(offset, steps[0]), after, *new], inner)
    builder.cbranch(builder.icmp_signed("<", following, length), inner, end)

    builder = ir.IRBuilder(end)
    remaining = builder.sub(left, length)
    beyond = after if kind == "rows" else moved(builder, b_segment, b_jump)
    arrive(state, [remaining, moved(builder, a_segment, jump), beyond, *new], end)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), outer, done)

    builder = ir.IRBuilder(done)
    for place, total in zip(places, new, strict=True):
        store(builder, total, out, place)
    builder.ret_void()
    return function


def choose(builder: Any, operands: list, choice: Any, cases: dict) -> None:
    """Call one of some functions by a number."""
    after = builder.append_basic_block("after")
    switch = builder.switch(choice, after)
    for number, function in cases.items():
        block = builder.append_basic_block(f"case_{number}")
        switch.add_case(integer(number), block)
        with builder.goto_block(block):
            builder.call(function, operands)
            builder.branch(after)
    builder.position_at_end(after)


def _emit(context: Any, builder: Any, signature: Any, args: list, kind: str) -> Any:
    """Call the microkernel of the given height and number of vectors; strides count numbers here and bytes there."""
    height, vectors = args[:2]
    a, b, out = (element(context, builder, signature.args[i], args[i], args[i + 1]) for i in (2, 4, 6))
    segment, depth, keep = args[11], args[12], args[15]
    a_row, a_step, jump, b_step, b_jump = (builder.mul(args[i], integer(4)) for i in (8, 9, 10, 13, 14))
    operands = [a, a_row, a_step, jump, segment, depth, b, b_step, b_jump, out, keep]
    cases = {2 * n + w: _microkernel(builder.module, kind, n, w) for n in range(1, MAX_HEIGHT + 1) for w in (1, 2)}
    choose(builder, operands, builder.add(builder.mul(height, integer(2)), vectors), cases)
    return context.get_dummy_value()


def _product_intrinsic(kind: str) -> Any:
    @intrinsic
    def product(
        typing, height, vectors, a, a_start, b, b_start, out, out_start, a_row, a_step, jump, segment, depth, b_step, b_jump,
        keep,
    ):  # fmt: skip
        def code(context, builder, signature, args):
            return _emit(context, builder, signature, args, kind)

        index = types.intp
        return types.void(index, index, a, index, b, index, out, index, *[index] * 8), code

    return product


strided_rows = _product_intrinsic("rows")
strided_columns = _product_intrinsic("columns")
strided_both = _product_intrinsic("both")


# ---- single columns ----------------------------------------------------------------------------------------------------

DOTS = 8  # most rows at a time


def _dots(module: Any, height: int) -> Any:
    """LLVM function (a, a_row, jump, n_chunks, n_segments, w, out): a number a row of a panel.

    A row of A is ``n_segments`` segments of ``n_chunks`` vectors, w as many vectors.
    """
    name = f"stacked_strided_dots_{height}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(VOID, [POINTER, INT, INT, INT, INT, POINTER, POINTER]), name)
    function.linkage = "linkonce_odr"
    a, a_row, jump, n_chunks, n_segments, w, out = function.args
    entry, outer, inner, end, done = (
        function.append_basic_block(label) for label in ("entry", "outer", "inner", "end", "done")
    )
    ir.IRBuilder(entry).branch(outer)
    builder = ir.IRBuilder(outer)  # one segment
    zeros = [ir.Constant(VECTOR, [0.0] * LANES)] * height
    state = phis(builder, [n_segments, a, w, *zeros], entry)
    left, a_segment, w_segment = state[:3]
    rows = [moved(builder, a_segment, builder.mul(a_row, integer(i))) for i in range(height)]
    builder.branch(inner)
    builder = ir.IRBuilder(inner)  # one vector
    step = phis(builder, [integer(0), integer(0), w_segment, *state[3:]], outer)
    k, offset, w_here, *sums = step
    factor = load(builder, w_here, 0)
    new = [multiply_add(builder, load(builder, rows[i], offset), factor, sums[i]) for i in range(height)]
    following, after = builder.add(k, integer(1)), moved(builder, w_here, 4 * LANES)
    arrive(step, [following, builder.add(offset, integer(4 * LANES)), after, *new], inner)
    builder.cbranch(builder.icmp_signed("<", following, n_chunks), inner, end)
    builder = ir.IRBuilder(end)
    remaining = builder.sub(left, integer(1))
    arrive(state, [remaining, moved(builder, a_segment, jump), after, *new], end)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), outer, done)
    builder = ir.IRBuilder(done)
    for i, total in enumerate(new):
        number = _sum_of_lanes(builder, total)
        builder.store(number, builder.bitcast(moved(builder, out, ROW_BYTES * i), FLOAT.as_pointer()), align=4)
    builder.ret_void()
    return function


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    size = LANES // 2
    while size:
        turned = builder.shuffle_vector(vector, vector, ir.Constant(INTS, [(c + size) % LANES for c in range(LANES)]))
        vector = builder.fadd(vector, turned)
        size //= 2
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


@intrinsic
def strided_dots(typing, height, a, a_start, a_row, jump, n_chunks, n_segments, w, w_start, out, out_start):
    """out[out_start + i * PANEL] = row i of A times w; see `_dots`, which counts bytes."""

    def code(context, builder, signature, args):
        a, w, out = (element(context, builder, signature.args[i], args[i], args[i + 1]) for i in (1, 7, 9))
        a_row, jump = (builder.mul(args[i], integer(4)) for i in (3, 4))
        cases = {n: _dots(builder.module, n) for n in range(1, DOTS + 1)}
        choose(builder, [a, a_row, jump, args[5], args[6], w, out], args[0], cases)
        return context.get_dummy_value()

    index = types.intp
    return types.void(index, a, index, index, index, index, index, w, index, out, index), code
