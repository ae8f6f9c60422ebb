"""Products with operands whose rows lie any distance apart: convolutions, and steps of recurrent layers, without unrolling.

The microkernels of `microkernel` for operands in maps (`maps`), where a pixel is a row of channels. Walking along a row of the
kernel of a convolution is walking along the pixels of an image row: a segment; the next row of the kernel is a jump.

    strided_rows      tile[i, :] += A[i, k] * B[k, :]    A[i, k] a_row bytes apart for neighbouring i, and 4 for neighbouring k;
                                                         B a panel, its rows one after another
    strided_columns   the same                           A[i, k] 4 bytes apart for neighbouring i, and a_step for neighbouring k;
                                                         rows of B b_step bytes apart, b_jump from segment to segment

The first is the forward product and, with turned weights, the backward one; the second the gradient. Every element's sum runs over k
in order, whatever the tile: results do not depend on how work is cut into tiles.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .instructions import (
    FLOAT,
    INT,
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
    """LLVM function (a, a_stride, jump, segment, depth, b, b_step, b_jump, out, keep) of one tile.

    ``a_stride`` is a_row or a_step, by the kind. ``depth`` >= 1 steps are done in segments of ``segment``; ``out`` are rows of a
    panel. With ``keep`` the sums start from what is in ``out``, otherwise from 0.
    """
    name = f"stacked_strided_{kind}_{height}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER, INT, INT, INT, INT, POINTER, INT, INT, POINTER, INT]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    a, a_stride, jump, segment, depth, b, b_step, b_jump, out, keep = function.args
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
    along_rows = kind == "rows"
    rows = [
        moved(builder, a_segment, builder.mul(a_stride, integer(i)) if along_rows else 4 * i) for i in range(height)
    ]
    steps = (integer(4), integer(ROW_BYTES)) if along_rows else (a_stride, b_step)
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
    beyond = after if along_rows else moved(builder, b_segment, b_jump)
    arrive(state, [remaining, moved(builder, a_segment, jump), beyond, *new], end)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), outer, done)

    builder = ir.IRBuilder(done)
    for place, total in zip(places, new, strict=True):
        store(builder, total, out, place)
    builder.ret_void()
    return function


def _emit(context: Any, builder: Any, signature: Any, args: list, kind: str) -> Any:
    """Call the microkernel of the given height and number of vectors; strides count numbers here and bytes there."""
    height, vectors = args[:2]
    pointers = [element(context, builder, signature.args[i], args[i], args[i + 1]) for i in (2, 4, 6)]
    a_stride, jump, segment, depth, b_step, b_jump, keep = args[8:]
    in_bytes = {name: builder.mul(value, integer(4)) for name, value in
                (("a_stride", a_stride), ("jump", jump), ("b_step", b_step), ("b_jump", b_jump))}  # fmt: skip
    operands = [pointers[0], in_bytes["a_stride"], in_bytes["jump"], segment, depth, pointers[1], in_bytes["b_step"],
                in_bytes["b_jump"], pointers[2], keep]  # fmt: skip
    choice = builder.add(builder.mul(height, integer(2)), vectors)
    after = builder.append_basic_block("after")
    switch = builder.switch(choice, after)
    for rows in range(1, MAX_HEIGHT + 1):
        for width in (1, 2):
            block = builder.append_basic_block(f"tile_{rows}x{width}")
            switch.add_case(integer(2 * rows + width), block)
            with builder.goto_block(block):
                builder.call(_microkernel(builder.module, kind, rows, width), operands)
                builder.branch(after)
    builder.position_at_end(after)
    return context.get_dummy_value()


def _product_intrinsic(kind: str) -> Any:
    @intrinsic
    def product(
        typing, height, vectors, a, a_start, b, b_start, out, out_start, a_stride, jump, segment, depth, b_step, b_jump, keep
    ):  # fmt: skip
        def code(context, builder, signature, args):
            return _emit(context, builder, signature, args, kind)

        index = types.intp
        counts = [index] * 7
        return types.void(index, index, a, index, b, index, out, index, *counts), code

    return product


strided_rows = _product_intrinsic("rows")
strided_columns = _product_intrinsic("columns")
