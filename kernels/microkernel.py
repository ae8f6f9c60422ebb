"""The innermost products, written as LLVM vector instructions: the only file with IR.

A microkernel computes a tile of ``height`` rows (1 to MAX_HEIGHT) by 1 or 2 vectors, held in registers while it walks along the
inner dimension. A step loads one row of B (1 or 2 vectors) and ``height`` single numbers of A, each broadcast to a vector:

    tile[i, :] += A[i, k] * B[k, :]

Explicit vectors leave nothing to the auto-vectoriser. One pair of loops serves every instruction set: what differs is the shape of
the tile, chosen below from the features of the CPU that Numba compiles for, so that it fits the registers.

    AVX-512   32 registers of 16 numbers   tile 11 x 32: 22 sums, 2 of B, 1 broadcast
    AVX2      16 registers of  8 numbers   tile  6 x 16: 12 sums, 2 of B, 1 broadcast
    others    16 registers of  4 numbers   tile  6 x  8

Every element's sum runs over k in order, whatever the tile it falls into: results do not depend on how work is cut into tiles.
Measured dead ends: 14 x 32 tiles are no faster on AVX-512 and divide a panel of 32 badly; on AVX2 they spill and run at a third.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_SHAPES = {"+avx512f": (16, 11), "+avx2": (8, 6)}  # feature: numbers in a vector, most rows of a tile


def _tile_shape() -> tuple[int, int]:
    """Numbers in a vector and most rows of a tile, for the CPU that Numba compiles for (NUMBA_CPU_NAME, _FEATURES)."""
    features = str(cpu_target.target_context.codegen().magic_tuple()[2]).split(",")
    return next((shape for feature, shape in _SHAPES.items() if feature in features), (4, 6))


LANES, MAX_HEIGHT = _tile_shape()
PANEL = 2 * LANES  # columns of a panel: the width of a full tile

_FLOAT, _INT, _BYTE = ir.FloatType(), ir.IntType(64), ir.IntType(8)
_VECTOR, _INDEX = ir.VectorType(_FLOAT, LANES), ir.VectorType(ir.IntType(32), LANES)
_POINTER = _BYTE.as_pointer()
_ROW = 4 * PANEL  # bytes from one row of a panel to the next
_KINDS = {"rows": (_ROW, 4), "columns": (4, _ROW)}  # bytes between A[i, k] and A[i + 1, k], and A[i, k + 1]


def _int(value: int) -> ir.Constant:
    return ir.Constant(_INT, value)


def _moved(builder: Any, pointer: Any, offset: Any) -> Any:
    """A byte pointer moved by ``offset`` bytes, an int or an IR value."""
    return builder.gep(pointer, [_int(offset) if isinstance(offset, int) else offset])


def _load(builder: Any, pointer: Any, offset: Any, kind: Any = _VECTOR) -> Any:
    return builder.load(builder.bitcast(_moved(builder, pointer, offset), kind.as_pointer()), align=4)


def _store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    builder.store(value, builder.bitcast(_moved(builder, pointer, offset), _VECTOR.as_pointer()), align=4)


def _broadcast(builder: Any, number: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INDEX, [0] * LANES))


def _multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z: rounded once where the CPU has such an instruction, twice where it has not."""
    name = f"llvm.fmuladd.v{LANES}f32"
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), name)
    return builder.call(function, [x, y, z])


def _phis(builder: Any, values: list, block: Any) -> list:
    """Phi nodes that start with ``values`` when control comes from ``block``."""
    nodes = [builder.phi(value.type) for value in values]
    _arrive(nodes, values, block)
    return nodes


def _arrive(nodes: list, values: list, block: Any) -> None:
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
    kinds = [_POINTER, _INT, _INT, _INT, _POINTER, _POINTER, _INT]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    a, jump, segment, depth, b, out, keep = function.args
    entry, load, outer, inner, end, done = (
        function.append_basic_block(label) for label in ("entry", "load", "outer", "inner", "end", "done")
    )
    places = [_ROW * i + 4 * LANES * v for i in range(height) for v in range(vectors)]
    zeros = [ir.Constant(_VECTOR, [0.0] * LANES)] * len(places)
    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed("!=", keep, _int(0)), load, outer)
    builder = ir.IRBuilder(load)
    before = [_load(builder, out, place) for place in places]
    builder.branch(outer)

    builder = ir.IRBuilder(outer)  # one segment of A
    state = _phis(builder, [depth, a, b, *zeros], entry)
    _arrive(state, [depth, a, b, *before], load)
    left, a_segment = state[0], state[1]
    length = builder.select(builder.icmp_signed("<", left, segment), left, segment)
    builder.branch(inner)

    builder = ir.IRBuilder(inner)  # one step
    step = _phis(builder, [_int(0), a_segment, *state[2:]], outer)
    k, a_here, b_here, *sums = step
    sums = _one_step(builder, a_here, b_here, sums, _KINDS[kind][0], vectors)
    following = builder.add(k, _int(1))
    moved = [_moved(builder, a_here, _KINDS[kind][1]), _moved(builder, b_here, _ROW)]
    _arrive(step, [following, *moved, *sums], inner)
    builder.cbranch(builder.icmp_signed("<", following, length), inner, end)

    builder = ir.IRBuilder(end)
    remaining = builder.sub(left, length)
    _arrive(state, [remaining, _moved(builder, a_segment, jump), moved[1], *sums], end)
    builder.cbranch(builder.icmp_signed(">", remaining, _int(0)), outer, done)

    builder = ir.IRBuilder(done)
    for place, total in zip(places, sums, strict=True):
        _store(builder, total, out, place)
    builder.ret_void()
    return function


def _one_step(builder: Any, a: Any, b: Any, sums: list, row_stride: int, vectors: int) -> list:
    row = [_load(builder, b, 4 * LANES * v) for v in range(vectors)]
    new = []
    for i in range(len(sums) // vectors):
        number = _broadcast(builder, _load(builder, a, row_stride * i, _FLOAT))
        new += [_multiply_add(builder, number, row[v], sums[vectors * i + v]) for v in range(vectors)]
    return new


def _emit_product(context: Any, builder: Any, signature: Any, args: list, kind: str) -> Any:
    """Call the microkernel of the given height and number of vectors."""
    height, vectors = args[:2]
    jump, segment, depth, keep = args[8:]
    pointers = [_element(context, builder, signature.args[i], args[i], args[i + 1]) for i in (2, 4, 6)]
    bytes_jumped = builder.mul(jump, _int(4))
    operands = [pointers[0], bytes_jumped, segment, depth, pointers[1], pointers[2], keep]
    choice = builder.add(builder.mul(height, _int(2)), vectors)
    after = builder.append_basic_block("after")
    switch = builder.switch(choice, after)
    for rows in range(1, MAX_HEIGHT + 1):
        for width in (1, 2):
            block = builder.append_basic_block(f"tile_{rows}x{width}")
            switch.add_case(_int(2 * rows + width), block)
            with builder.goto_block(block):
                builder.call(_microkernel(builder.module, kind, rows, width), operands)
                builder.branch(after)
    builder.position_at_end(after)
    return context.get_dummy_value()


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Byte pointer to element ``index`` of a C-contiguous float32 array."""
    data = context.make_array(array_type)(context, builder, array).data
    return _moved(builder, builder.bitcast(data, _POINTER), builder.mul(index, _int(4)))


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


@intrinsic
def transpose_block(typing, x, x_start, out, out_start):
    """out block = transpose of x block, both PANEL x PANEL numbers in a row in memory, from an element of their arrays on."""

    def code(context, builder, signature, args):
        source = _element(context, builder, signature.args[0], args[0], args[1])
        target = _element(context, builder, signature.args[2], args[2], args[3])
        for i in range(2):
            for j in range(2):
                _emit_transpose(builder, source, target, i * LANES, j * LANES)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


def _emit_transpose(builder: Any, source: Any, target: Any, row: int, column: int) -> None:
    """Transpose LANES x LANES numbers in registers: swap the off-diagonal quarters, then those of every quarter, and so on."""
    rows = [_load(builder, source, _ROW * (row + i) + 4 * column) for i in range(LANES)]
    size = LANES // 2
    while size:
        low = [c if not c & size else LANES + c - size for c in range(LANES)]
        high = [c + size if not c & size else LANES + c for c in range(LANES)]
        for i in (i for i in range(LANES) if not i & size):
            pair = rows[i], rows[i + size]
            rows[i] = builder.shuffle_vector(*pair, ir.Constant(_INDEX, low))
            rows[i + size] = builder.shuffle_vector(*pair, ir.Constant(_INDEX, high))
        size //= 2
    for i in range(LANES):
        _store(builder, rows[i], target, _ROW * (column + i) + 4 * row)


# ---- random numbers: Philox 4x32-10, see `random` ---------------------------------------------------------------------

_BLOCKS = PANEL // 4  # counters in a vector: four numbers each make a row of a panel
_WORDS = ir.VectorType(_INT, _BLOCKS)  # 32-bit words in 64-bit lanes, which is how a product of two of them fits
_MULTIPLIERS, _WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF


@intrinsic
def uniform_row(typing, key0, key1, epoch, row, draw, first_block, out, start):
    """PANEL uniform numbers for counter blocks ``first_block`` onwards, to ``out`` (float32) from element ``start`` on.

    LLVM does make vectors of the same loop in plain code, but only in some of the places where it is called.
    """

    def code(context, builder, signature, args):
        target = _element(context, builder, signature.args[6], args[6], args[7])
        low = _splat_words(builder, _int(_LOW))
        counters = [builder.and_(_splat_words(builder, word), low) for word in (args[5], args[3], args[2], args[4])]
        counters[0] = builder.add(counters[0], ir.Constant(_WORDS, list(range(_BLOCKS))))
        words = _emit_philox(builder, counters, [builder.and_(key, _int(_LOW)) for key in args[:2]], low)
        _emit_interleaved(builder, [_emit_uniform(builder, word) for word in words], target)
        return context.get_dummy_value()

    index = types.intp
    return types.void(types.uint64, types.uint64, index, index, index, index, out, index), code


def _splat_words(builder: Any, word: Any) -> Any:
    undefined = ir.Constant(_WORDS, ir.Undefined)
    first = builder.insert_element(undefined, word, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), _BLOCKS), [0] * _BLOCKS))


def _emit_philox(builder: Any, counters: list, keys: list, low: Any) -> list:
    """The four words of a block after ten rounds, for a vector of blocks."""
    c0, c1, c2, c3 = counters
    shift = ir.Constant(_WORDS, [32] * _BLOCKS)
    for _ in range(10):
        p0 = builder.mul(c0, ir.Constant(_WORDS, [_MULTIPLIERS[0]] * _BLOCKS))
        p1 = builder.mul(c2, ir.Constant(_WORDS, [_MULTIPLIERS[1]] * _BLOCKS))
        k0, k1 = (_splat_words(builder, key) for key in keys)
        c0, c2 = (
            builder.xor(builder.xor(builder.lshr(product, shift), counter), key)
            for product, counter, key in ((p1, c1, k0), (p0, c3, k1))
        )
        c1, c3 = builder.and_(p1, low), builder.and_(p0, low)
        keys = [builder.and_(builder.add(key, _int(weyl)), _int(_LOW)) for key, weyl in zip(keys, _WEYL, strict=True)]
    return [c0, c1, c2, c3]


def _emit_uniform(builder: Any, words: Any) -> Any:
    """The upper 24 bits of every word, as a fraction of 2**24."""
    integers, floats = ir.VectorType(ir.IntType(32), _BLOCKS), ir.VectorType(_FLOAT, _BLOCKS)
    upper = builder.trunc(builder.lshr(words, ir.Constant(_WORDS, [8] * _BLOCKS)), integers)
    return builder.fmul(builder.sitofp(upper, floats), ir.Constant(floats, [2.0**-24] * _BLOCKS))


def _emit_interleaved(builder: Any, parts: list, target: Any) -> None:
    """Store number q of part w as number 4 q + w."""
    pairs = [(q + w * _BLOCKS) for q in range(_BLOCKS) for w in range(2)]
    halves = [
        builder.shuffle_vector(parts[w], parts[w + 1], ir.Constant(ir.VectorType(ir.IntType(32), 2 * _BLOCKS), pairs))
        for w in (0, 2)
    ]
    order = [2 * q + w if w < 2 else 2 * _BLOCKS + 2 * q + w - 2 for q in range(_BLOCKS) for w in range(4)]
    row = builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(ir.IntType(32), PANEL), order))
    builder.store(row, builder.bitcast(target, row.type.as_pointer()), align=4)
