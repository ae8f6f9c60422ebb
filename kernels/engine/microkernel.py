"""The innermost products, written as LLVM vector instructions.

A microkernel computes a tile of ``height`` rows (1 to MAX_HEIGHT) by 1 or 2 vectors, held in registers while it walks along the
inner dimension. A step loads one row of B (1 or 2 vectors) and ``height`` single numbers of A, each broadcast to a vector:

    tile[i, :] += A[i, k] * B[k, :]

For bfloat16 a step takes two numbers: A[i, k] is a word of two that follow each other along the inner dimension, B[k, :] a row of
such words, and both products are added in float32 (see `bfloat16`). Explicit vectors leave nothing to the auto-vectoriser. One
pair of loops serves every instruction set: what differs is the shape of the tile, chosen in `instructions` to fit the registers.

    AVX-512   32 registers of 16 numbers   tile 11 x 32: 22 sums, 2 of B, 1 broadcast
    AVX2      16 registers of  8 numbers   tile  6 x 16: 12 sums, 2 of B, 1 broadcast
    others    16 registers of  4 numbers   tile  6 x  8
    AMX       8 tiles of 16 x 16 numbers   tile 32 x 32, for words only: 4 of sums, 2 of A, 2 of B

Every element's sum runs over k in an order of its own (of words: each instruction's), whatever the tile it falls into: results do
not depend on how work is cut into tiles.
Measured dead ends: 14 x 32 tiles are no faster on AVX-512 and divide a panel of 32 badly; on AVX2 they spill and run at a third.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .instructions import (
    BYTE,
    FLOAT,
    HAS_AMX,
    HAS_BFLOAT16,
    INT,
    INTS,
    LANES,
    LINE,
    MAX_HEIGHT,
    MAX_UNITS,
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
    prefetch,
    store,
)  # fmt: skip

# Bytes between A[i, k] and A[i + 1, k], and A[i, k + 1]
STRIDES = {"rows": (ROW_BYTES, 4), "columns": (4, ROW_BYTES), "words": (4 * LANES, 4)}


def multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z: rounded once where the CPU has such an instruction, twice where it has not."""
    return call(builder, f"llvm.fmuladd.v{LANES}f32", VECTOR, [x, y, z])


def phis(builder: Any, values: list, block: Any) -> list:
    """Phi nodes that start with ``values`` when control comes from ``block``."""
    nodes = [builder.phi(value.type) for value in values]
    arrive(nodes, values, block)
    return nodes


def arrive(nodes: list, values: list, block: Any) -> None:
    for node, value in zip(nodes, values, strict=True):
        node.add_incoming(value, block)


def _microkernel(module: Any, kind: str, height: int, vectors: int) -> Any:
    """LLVM function (a, jump, segment, depth, b, out, keep) of one tile.

    A is read in segments of ``segment`` steps, ``jump`` bytes from the start of one to that of the next, until ``depth`` >= 1 steps
    are done; B and ``out`` are rows of a panel. With ``keep`` the sums start from what is in ``out``, otherwise from 0.
    """
    name = f"stacked_{kind}_{height}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER, INT, INT, INT, POINTER, POINTER, INT]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    if kind == "words" and HAS_AMX:
        _emit_amx_tile(function, height, vectors)
        return function
    a, jump, segment, depth, b, out, keep = function.args
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

    builder = ir.IRBuilder(outer)  # one segment of A
    state = phis(builder, [depth, a, b, *zeros], entry)
    arrive(state, [depth, a, b, *before], resume)
    left, a_segment = state[0], state[1]
    length = builder.select(builder.icmp_signed("<", left, segment), left, segment)
    has_next = builder.icmp_signed(">", left, segment)
    next_segment = moved(builder, a_segment, builder.select(has_next, jump, integer(0)))
    builder.branch(inner)

    builder = ir.IRBuilder(inner)  # one step
    step = phis(builder, [integer(0), a_segment, *state[2:]], outer)
    k, a_here, b_here, *sums = step
    if kind != "columns":  # whose A is one segment
        _emit_prefetch(builder, next_segment, k, height * STRIDES[kind][0])
    sums = one_step(builder, a_here, b_here, sums, kind, vectors)
    following = builder.add(k, integer(1))
    advanced = [moved(builder, a_here, STRIDES[kind][1]), moved(builder, b_here, ROW_BYTES)]
    arrive(step, [following, *advanced, *sums], inner)
    builder.cbranch(builder.icmp_signed("<", following, length), inner, end)

    builder = ir.IRBuilder(end)
    remaining = builder.sub(left, length)
    arrive(state, [remaining, moved(builder, a_segment, jump), advanced[1], *sums], end)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), outer, done)

    builder = ir.IRBuilder(done)
    for place, total in zip(places, sums, strict=True):
        store(builder, total, out, place)
    builder.ret_void()
    return function


def _emit_prefetch(builder: Any, segment: Any, step: Any, n_bytes: int) -> None:
    """Ask for a line of the next segment of A, ``n_bytes`` of it, in every step: the last one again where it has fewer lines.

    Segments of weights lie a panel apart, where no prefetcher of a CPU expects them. Line after line by one instruction: asked for
    all at once, each by an instruction that went from panel to panel, they taught it that stride, and it went on to columns which
    the other thread updates.
    """
    ahead, last = builder.mul(step, integer(LINE)), integer(max(n_bytes - LINE, 0))
    prefetch(builder, moved(builder, segment, builder.select(builder.icmp_signed("<", ahead, last), ahead, last)))


def one_step(builder: Any, a: Any, b: Any, sums: list, kind: str, vectors: int) -> list:
    """The sums of a tile after one number, or word, of each of its rows."""
    combine = _multiply_add_words if kind == "words" else multiply_add
    row = [load(builder, b, 4 * LANES * v) for v in range(vectors)]
    new = []
    for i in range(len(sums) // vectors):
        number = broadcast(builder, load(builder, a, STRIDES[kind][0] * i, FLOAT))
        new += [combine(builder, number, row[v], sums[vectors * i + v]) for v in range(vectors)]
    return new


def _emit_product(context: Any, builder: Any, signature: Any, args: list, kind: str) -> Any:
    """Call the microkernel of the given height and number of vectors."""
    height, vectors = args[:2]
    jump, segment, depth, keep = args[8:]
    pointers = [element(context, builder, signature.args[i], args[i], args[i + 1]) for i in (2, 4, 6)]
    bytes_jumped = builder.mul(jump, integer(4))
    operands = [pointers[0], bytes_jumped, segment, depth, pointers[1], pointers[2], keep]
    choice = builder.add(builder.mul(height, integer(2)), vectors)
    after = builder.append_basic_block("after")
    switch = builder.switch(choice, after)
    for rows in range(1, (MAX_UNITS if kind == "words" else MAX_HEIGHT) + 1):
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
    def product(typing, height, vectors, a, a_start, b, b_start, out, out_start, jump, segment, depth, keep):
        def code(context, builder, signature, args):
            return _emit_product(context, builder, signature, args, kind)

        index = types.intp
        signature = types.void(index, index, a, index, b, index, out, index, index, index, index, index)
        return signature, code

    return product


tile_of_rows = _product_intrinsic("rows")
tile_of_columns = _product_intrinsic("columns")
tile_of_words = _product_intrinsic("words")  # its height counts units


# ---- bfloat16: words of two numbers, see `bfloat16` ------------------------------------------------------------------


def _multiply_add_words(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x.high * y.high + x.low * y.low + z, the words being the bits of x and y."""
    x, y = builder.bitcast(x, INTS), builder.bitcast(y, INTS)
    if HAS_BFLOAT16:
        return call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", VECTOR, [z, x, y])
    shift, mask = ir.Constant(INTS, [16] * LANES), ir.Constant(INTS, [0xFFFF0000] * LANES)
    high = [builder.bitcast(builder.and_(word, mask), VECTOR) for word in (x, y)]
    low = [builder.bitcast(builder.shl(word, shift), VECTOR) for word in (x, y)]
    return multiply_add(builder, low[0], low[1], multiply_add(builder, high[0], high[1], z))


def _emit_amx_tile(function: Any, units: int, vectors: int) -> None:
    """The body of a microkernel of ``units`` x ``vectors`` tiles of AMX; a segment of A, 16 words, is one step."""
    a, jump, _, depth, b, out, keep = function.args
    zero, resume, loop, done = (function.append_basic_block(label) for label in ("zero", "resume", "loop", "done"))
    entry = function.insert_basic_block(0, "entry")
    sums = [(BYTE(2 * u + v), 16 * ROW_BYTES * u + 64 * v) for u in range(units) for v in range(vectors)]
    stride, a_stride = integer(ROW_BYTES), integer(4 * LANES)

    def emit(builder: Any, name: str, *values: Any) -> None:
        call(builder, f"llvm.x86.{name}", VOID, list(values))

    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed("!=", keep, integer(0)), resume, zero)
    builder = ir.IRBuilder(zero)
    for tile, _place in sums:
        emit(builder, "tilezero", tile)
    builder.branch(loop)
    builder = ir.IRBuilder(resume)
    for tile, place in sums:
        emit(builder, "tileloadd64", tile, moved(builder, out, place), stride)
    builder.branch(loop)

    builder = ir.IRBuilder(loop)
    state = phis(builder, [depth, a, b], zero)
    arrive(state, [depth, a, b], resume)
    left, a_here, b_here = state
    for v in range(vectors):
        emit(builder, "tileloadd64", BYTE(6 + v), moved(builder, b_here, 64 * v), stride)
    for u in range(units):
        emit(builder, "tileloadd64", BYTE(4 + u), moved(builder, a_here, 16 * 4 * LANES * u), a_stride)
        for v in range(vectors):
            emit(builder, "tdpbf16ps", BYTE(2 * u + v), BYTE(4 + u), BYTE(6 + v))
    remaining = builder.sub(left, integer(16))
    arrive(state, [remaining, moved(builder, a_here, jump), moved(builder, b_here, 16 * ROW_BYTES)], loop)
    builder.cbranch(builder.icmp_signed(">", remaining, integer(0)), loop, done)
    builder = ir.IRBuilder(done)
    for tile, place in sums:
        emit(builder, "tilestored64", tile, moved(builder, out, place), stride)
    builder.ret_void()


@intrinsic
def begin_tiles(typing):
    """Configure the tile registers of the calling thread: 8 tiles of 16 rows by 64 bytes. Nothing without AMX."""

    def code(context, builder, signature, args):
        if HAS_AMX:
            settings = bytearray(64)
            settings[0] = 1  # the palette
            settings[16:32] = bytes([64, 0] * 8)
            settings[48:56] = bytes([16] * 8)
            place = cgutils.global_constant(builder, "stacked_tiles", cgutils.make_bytearray(bytes(settings)))
            call(builder, "llvm.x86.ldtilecfg", VOID, [builder.bitcast(place, POINTER)])
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def end_tiles(typing):
    """Give the tile registers back: their state need not be saved any more."""

    def code(context, builder, signature, args):
        if HAS_AMX:
            call(builder, "llvm.x86.tilerelease", VOID, [])
        return context.get_dummy_value()

    return types.void(), code
