"""The innermost products, written as LLVM vector instructions: the only file with IR.

A microkernel computes a tile of ``height`` rows (1 to MAX_HEIGHT) by 1 or 2 vectors, held in registers while it walks along the
inner dimension. A step loads one row of B (1 or 2 vectors) and ``height`` single numbers of A, each broadcast to a vector:

    tile[i, :] += A[i, k] * B[k, :]

For bfloat16 a step takes two: A[i, k] is a word of two numbers that follow each other along the inner dimension, B[k, :] a row of
such words, and both products are added in float32 (see `bfloat16`). Explicit vectors leave nothing to the auto-vectoriser. One pair of loops serves every instruction set: what differs is the shape of
the tile, chosen below from the features of the CPU that Numba compiles for, so that it fits the registers.

    AVX-512   32 registers of 16 numbers   tile 11 x 32: 22 sums, 2 of B, 1 broadcast
    AVX2      16 registers of  8 numbers   tile  6 x 16: 12 sums, 2 of B, 1 broadcast
    others    16 registers of  4 numbers   tile  6 x  8
    AMX       8 tiles of 16 x 16 numbers   tile 32 x 32, for words only: 4 of sums, 2 of A, 2 of B

Every element's sum runs over k in order, whatever the tile it falls into: results do not depend on how work is cut into tiles.
Measured dead ends: 14 x 32 tiles are no faster on AVX-512 and divide a panel of 32 badly; on AVX2 they spill and run at a third.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_SHAPES = {"+avx512f": (16, 11), "+avx2": (8, 6)}  # feature: numbers in a vector, most rows of a tile
# Features of the CPU that Numba compiles for (NUMBA_CPU_NAME, _FEATURES); LLVM names AMX only where the system saves its state.
_FEATURES = str(cpu_target.target_context.codegen().magic_tuple()[2]).split(",")

LANES, MAX_HEIGHT = next((shape for feature, shape in _SHAPES.items() if feature in _FEATURES), (4, 6))
PANEL = 2 * LANES  # columns of a panel: the width of a full tile

HAS_BFLOAT16 = LANES == 16 and "+avx512bf16" in _FEATURES  # vector products of words
HAS_AMX = HAS_BFLOAT16 and "+amx-bf16" in _FEATURES
# Of a tile of words: rows of a unit, most units, and the words of the inner dimension that a step takes.
UNIT, MAX_UNITS, STEP = (16, 2, 16) if HAS_AMX else (1, MAX_HEIGHT, 1)

_VOID, _FLOAT, _INT, _BYTE = ir.VoidType(), ir.FloatType(), ir.IntType(64), ir.IntType(8)
_VECTOR, _INDEX = ir.VectorType(_FLOAT, LANES), ir.VectorType(ir.IntType(32), LANES)
_POINTER = _BYTE.as_pointer()
_ROW = 4 * PANEL  # bytes from one row of a panel to the next
# Bytes between A[i, k] and A[i + 1, k], and A[i, k + 1]
_KINDS = {"rows": (_ROW, 4), "columns": (4, _ROW), "words": (4 * LANES, 4)}


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


def _call(builder: Any, name: str, kind: Any, values: list) -> Any:
    """Call a function of LLVM's own that gives a value of this kind."""
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(kind, [value.type for value in values]), name)
    return builder.call(function, values)


def _multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z: rounded once where the CPU has such an instruction, twice where it has not."""
    return _call(builder, f"llvm.fmuladd.v{LANES}f32", _VECTOR, [x, y, z])


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
    function = ir.Function(module, ir.FunctionType(_VOID, kinds), name)
    function.linkage = "linkonce_odr"
    if kind == "words" and HAS_AMX:
        _emit_amx_tile(function, height, vectors)
        return function
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
    sums = _one_step(builder, a_here, b_here, sums, kind, vectors)
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


def _one_step(builder: Any, a: Any, b: Any, sums: list, kind: str, vectors: int) -> list:
    multiply_add = _multiply_add_words if kind == "words" else _multiply_add
    row = [_load(builder, b, 4 * LANES * v) for v in range(vectors)]
    new = []
    for i in range(len(sums) // vectors):
        number = _broadcast(builder, _load(builder, a, _KINDS[kind][0] * i, _FLOAT))
        new += [multiply_add(builder, number, row[v], sums[vectors * i + v]) for v in range(vectors)]
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
    for rows in range(1, (MAX_UNITS if kind == "words" else MAX_HEIGHT) + 1):
        for width in (1, 2):
            block = builder.append_basic_block(f"tile_{rows}x{width}")
            switch.add_case(_int(2 * rows + width), block)
            with builder.goto_block(block):
                builder.call(_microkernel(builder.module, kind, rows, width), operands)
                builder.branch(after)
    builder.position_at_end(after)
    return context.get_dummy_value()


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Byte pointer to element ``index`` of a C-contiguous array of float32 or 32-bit words."""
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
tile_of_words = _product_intrinsic("words")  # its height counts units


@intrinsic
def transpose_block(typing, x, x_start, out, out_start):
    """out block = transpose of x block, both PANEL x PANEL numbers in a row in memory, from an element of their arrays on."""

    def code(context, builder, signature, args):
        source = _element(context, builder, signature.args[0], args[0], args[1])
        target = _element(context, builder, signature.args[2], args[2], args[3])
        for i in range(2):
            for j in range(2):
                corner = _moved(builder, source, _ROW * LANES * i + 4 * LANES * j)
                _emit_transpose(builder, corner, _ROW, _moved(builder, target, _ROW * LANES * j + 4 * LANES * i), _ROW)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


def _emit_transpose(builder: Any, source: Any, source_stride: int, target: Any, target_stride: int) -> None:
    """Transpose LANES x LANES numbers in registers: swap the off-diagonal quarters, then those of every quarter, and so on."""
    rows = [_load(builder, source, source_stride * i) for i in range(LANES)]
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
        _store(builder, rows[i], target, target_stride * i)


# ---- bfloat16: words of two numbers, see `bfloat16` ---------------------------------------------------------------------

_INTS, _HALVES = ir.VectorType(ir.IntType(32), LANES), ir.VectorType(ir.IntType(16), PANEL)


def _multiply_add_words(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x.high * y.high + x.low * y.low + z, the words being the bits of x and y."""
    x, y = builder.bitcast(x, _INTS), builder.bitcast(y, _INTS)
    if HAS_BFLOAT16:
        return _call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", _VECTOR, [z, x, y])
    shift, mask = ir.Constant(_INTS, [16] * LANES), ir.Constant(_INTS, [0xFFFF0000] * LANES)
    high = [builder.bitcast(builder.and_(word, mask), _VECTOR) for word in (x, y)]
    low = [builder.bitcast(builder.shl(word, shift), _VECTOR) for word in (x, y)]
    return _multiply_add(builder, *low, _multiply_add(builder, *high, z))


def _emit_amx_tile(function: Any, units: int, vectors: int) -> None:
    """The body of a microkernel of ``units`` x ``vectors`` tiles of AMX; a segment of A, 16 words, is one step."""
    a, jump, _, depth, b, out, keep = function.args
    zero, load, loop, done = (function.append_basic_block(label) for label in ("zero", "load", "loop", "done"))
    entry = function.insert_basic_block(0, "entry")
    sums = [(_BYTE(2 * u + v), 16 * _ROW * u + 64 * v) for u in range(units) for v in range(vectors)]
    stride, a_stride = _int(_ROW), _int(4 * LANES)

    def call(builder: Any, name: str, *values: Any) -> None:
        _call(builder, f"llvm.x86.{name}", _VOID, list(values))

    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed("!=", keep, _int(0)), load, zero)
    builder = ir.IRBuilder(zero)
    for tile, _place in sums:
        call(builder, "tilezero", tile)
    builder.branch(loop)
    builder = ir.IRBuilder(load)
    for tile, place in sums:
        call(builder, "tileloadd64", tile, _moved(builder, out, place), stride)
    builder.branch(loop)

    builder = ir.IRBuilder(loop)
    state = _phis(builder, [depth, a, b], zero)
    _arrive(state, [depth, a, b], load)
    left, a_here, b_here = state
    for v in range(vectors):
        call(builder, "tileloadd64", _BYTE(6 + v), _moved(builder, b_here, 64 * v), stride)
    for u in range(units):
        call(builder, "tileloadd64", _BYTE(4 + u), _moved(builder, a_here, 16 * 4 * LANES * u), a_stride)
        for v in range(vectors):
            call(builder, "tdpbf16ps", _BYTE(2 * u + v), _BYTE(4 + u), _BYTE(6 + v))
    remaining = builder.sub(left, _int(16))
    _arrive(state, [remaining, _moved(builder, a_here, jump), _moved(builder, b_here, 16 * _ROW)], loop)
    builder.cbranch(builder.icmp_signed(">", remaining, _int(0)), loop, done)
    builder = ir.IRBuilder(done)
    for tile, place in sums:
        call(builder, "tilestored64", tile, _moved(builder, out, place), stride)
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
            _call(builder, "llvm.x86.ldtilecfg", _VOID, [builder.bitcast(place, _POINTER)])
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def end_tiles(typing):
    """Give the tile registers back: their state need not be saved any more."""

    def code(context, builder, signature, args):
        if HAS_AMX:
            _call(builder, "llvm.x86.tilerelease", _VOID, [])
        return context.get_dummy_value()

    return types.void(), code


def _rounded(builder: Any, low: Any, high: Any) -> Any:
    """Two vectors of float32 as one of PANEL bfloat16, rounded to the nearest, to even between two."""
    if HAS_BFLOAT16:
        return _call(builder, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", _HALVES, [high, low])
    wide = ir.VectorType(ir.IntType(32), PANEL)
    both = builder.shuffle_vector(low, high, ir.Constant(wide, list(range(PANEL))))
    bits, (shift, half, one, quiet) = (
        builder.bitcast(both, wide),
        (ir.Constant(wide, [n] * PANEL) for n in (16, 0x7FFF, 1, 0x400000)),
    )
    odd = builder.and_(builder.lshr(bits, shift), one)
    nearest = builder.add(bits, builder.add(half, odd))
    is_nan = builder.fcmp_unordered("uno", both, both)
    chosen = builder.select(is_nan, builder.or_(bits, quiet), nearest)
    return builder.trunc(builder.lshr(chosen, shift), _HALVES)


@intrinsic
def round_row(typing, x, x_start, out, out_start):
    """LANES words at ``out_start`` = PANEL float32 numbers from ``x_start`` on: words of neighbours in a row."""

    def code(context, builder, signature, args):
        source = _element(context, builder, signature.args[0], args[0], args[1])
        target = _element(context, builder, signature.args[2], args[2], args[3])
        halves = _rounded(builder, _load(builder, source, 0), _load(builder, source, 4 * LANES))
        _store(builder, builder.bitcast(halves, _VECTOR), target, 0)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


@intrinsic
def round_two_rows(typing, x, x_start, out, out_start):
    """PANEL words at ``out_start`` = two rows of PANEL float32 numbers from ``x_start`` on: words of neighbours in a column."""

    def code(context, builder, signature, args):
        source = _element(context, builder, signature.args[0], args[0], args[1])
        target = _element(context, builder, signature.args[2], args[2], args[3])
        order = ir.Constant(
            ir.VectorType(ir.IntType(32), PANEL), [q + w * LANES for q in range(LANES) for w in range(2)]
        )
        for place in (0, 4 * LANES):
            halves = _rounded(builder, _load(builder, source, place), _load(builder, source, _ROW + place))
            words = builder.shuffle_vector(halves, ir.Constant(_HALVES, ir.Undefined), order)
            _store(builder, builder.bitcast(words, _VECTOR), target, place)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


@intrinsic
def transpose_words(typing, x, x_start, wide, out, out_start):
    """Transpose LANES x LANES words: rows PANEL words apart into rows LANES apart if ``wide``, else the other way round."""

    def code(context, builder, signature, args):
        source = _element(context, builder, signature.args[0], args[0], args[1])
        target = _element(context, builder, signature.args[3], args[3], args[4])
        with builder.if_else(builder.icmp_signed("!=", args[2], _int(0))) as (then, otherwise):
            with then:
                _emit_transpose(builder, source, _ROW, target, _ROW // 2)
            with otherwise:
                _emit_transpose(builder, source, _ROW // 2, target, _ROW)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, out, types.intp), code


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
