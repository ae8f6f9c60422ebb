"""Rows and blocks of panels in registers: transposes, rounding to bfloat16, random numbers."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .instructions import (
    FLOAT,
    HALVES,
    HAS_BFLOAT16,
    INT,
    INTS,
    LANES,
    PANEL,
    ROW_BYTES,
    VECTOR,
    call,
    element,
    integer,
    load,
    moved,
    store,
)  # fmt: skip


@intrinsic
def transpose_block(typing, x, x_start, out, out_start):
    """out block = transpose of x block, both PANEL x PANEL numbers in a row in memory, from an element of their arrays on."""

    def code(context, builder, signature, args):
        source = element(context, builder, signature.args[0], args[0], args[1])
        target = element(context, builder, signature.args[2], args[2], args[3])
        for i in range(2):
            for j in range(2):
                corner = moved(builder, source, ROW_BYTES * LANES * i + 4 * LANES * j)
                _emit_transpose(
                    builder, corner, ROW_BYTES, moved(builder, target, ROW_BYTES * LANES * j + 4 * LANES * i), ROW_BYTES
                )
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


def _emit_transpose(builder: Any, source: Any, source_stride: int, target: Any, target_stride: int) -> None:
    """Transpose LANES x LANES numbers in registers: swap the off-diagonal quarters, then those of every quarter, and so on."""
    rows = [load(builder, source, source_stride * i) for i in range(LANES)]
    size = LANES // 2
    while size:
        low = [c if not c & size else LANES + c - size for c in range(LANES)]
        high = [c + size if not c & size else LANES + c for c in range(LANES)]
        for i in (i for i in range(LANES) if not i & size):
            pair = rows[i], rows[i + size]
            rows[i] = builder.shuffle_vector(*pair, ir.Constant(INTS, low))
            rows[i + size] = builder.shuffle_vector(*pair, ir.Constant(INTS, high))
        size //= 2
    for i in range(LANES):
        store(builder, rows[i], target, target_stride * i)


# ---- bfloat16: words of two numbers, see `bfloat16` ------------------------------------------------------------------


def rounded(builder: Any, low: Any, high: Any) -> Any:
    """Two vectors of float32 as one of PANEL bfloat16, rounded to the nearest, to even between two."""
    if HAS_BFLOAT16:
        return call(builder, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", HALVES, [high, low])
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
    return builder.trunc(builder.lshr(chosen, shift), HALVES)


def neighbours_in_a_row(builder: Any, low: Any, high: Any) -> Any:
    """The LANES words of a row of a panel, whose two vectors of float32 are given."""
    return builder.bitcast(rounded(builder, low, high), VECTOR)


def neighbours_in_columns(builder: Any, above: Any, below: Any) -> Any:
    """LANES words of two rows, of each of which a vector of float32 is given."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), PANEL), [q + w * LANES for q in range(LANES) for w in range(2)])
    halves = rounded(builder, above, below)
    return builder.bitcast(builder.shuffle_vector(halves, ir.Constant(HALVES, ir.Undefined), order), VECTOR)


@intrinsic
def round_row(typing, x, x_start, out, out_start):
    """LANES words at ``out_start`` = PANEL float32 numbers from ``x_start`` on: words of neighbours in a row."""

    def code(context, builder, signature, args):
        source = element(context, builder, signature.args[0], args[0], args[1])
        target = element(context, builder, signature.args[2], args[2], args[3])
        words = neighbours_in_a_row(builder, load(builder, source, 0), load(builder, source, 4 * LANES))
        store(builder, words, target, 0)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


@intrinsic
def round_two_rows(typing, x, x_start, out, out_start):
    """PANEL words at ``out_start`` = two rows of PANEL float32 numbers from ``x_start`` on: words of neighbours in a column."""

    def code(context, builder, signature, args):
        source = element(context, builder, signature.args[0], args[0], args[1])
        target = element(context, builder, signature.args[2], args[2], args[3])
        for place in (0, 4 * LANES):
            rows = load(builder, source, place), load(builder, source, ROW_BYTES + place)
            store(builder, neighbours_in_columns(builder, *rows), target, place)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


@intrinsic
def transpose_words(typing, x, x_start, wide, out, out_start):
    """Transpose LANES x LANES words: rows PANEL words apart into rows LANES apart if ``wide``, else the other way round."""

    def code(context, builder, signature, args):
        source = element(context, builder, signature.args[0], args[0], args[1])
        target = element(context, builder, signature.args[3], args[3], args[4])
        with builder.if_else(builder.icmp_signed("!=", args[2], integer(0))) as (then, otherwise):
            with then:
                _emit_transpose(builder, source, ROW_BYTES, target, ROW_BYTES // 2)
            with otherwise:
                _emit_transpose(builder, source, ROW_BYTES // 2, target, ROW_BYTES)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, out, types.intp), code


# ---- random numbers: Philox 4x32-10, see `random` ---------------------------------------------------------------------

_BLOCKS = PANEL // 4  # counters in a vector: four numbers each make a row of a panel
_WORDS = ir.VectorType(INT, _BLOCKS)  # 32-bit words in 64-bit lanes, which is how a product of two of them fits
_MULTIPLIERS, _WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF


@intrinsic
def uniform_row(typing, key0, key1, epoch, row, draw, first_block, out, start):
    """PANEL uniform numbers for counter blocks ``first_block`` onwards, to ``out`` (float32) from element ``start`` on.

    LLVM does make vectors of the same loop in plain code, but only in some of the places where it is called.
    """

    def code(context, builder, signature, args):
        target = element(context, builder, signature.args[6], args[6], args[7])
        _store_row(builder, _emit_uniform_row(builder, args), target)
        return context.get_dummy_value()

    index = types.intp
    return types.void(types.uint64, types.uint64, index, index, index, index, out, index), code


@intrinsic
def bernoulli_row(typing, key0, key1, epoch, row, draw, first_block, mean, out, start):
    """PANEL binary numbers to ``out``, 1 with the probabilities in ``mean`` (both float32), from element ``start`` on.

    A number is 1 where that of `uniform_row` is below its probability.
    """

    def code(context, builder, signature, args):
        probabilities, target = (element(context, builder, signature.args[i], args[i], args[8]) for i in (6, 7))
        uniform = _emit_uniform_row(builder, args)
        mean_row = builder.load(builder.bitcast(probabilities, uniform.type.as_pointer()), align=4)
        one, zero = (ir.Constant(uniform.type, [value] * PANEL) for value in (1.0, 0.0))
        _store_row(builder, builder.select(builder.fcmp_ordered("<", uniform, mean_row), one, zero), target)
        return context.get_dummy_value()

    index = types.intp
    return types.void(types.uint64, types.uint64, index, index, index, index, mean, out, index), code


def _emit_uniform_row(builder: Any, args: list) -> Any:
    """A row of uniform numbers, for two words of a key, epoch, row, draw and first block."""
    low = _splat_words(builder, integer(_LOW))
    counters = [builder.and_(_splat_words(builder, word), low) for word in (args[5], args[3], args[2], args[4])]
    counters[0] = builder.add(counters[0], ir.Constant(_WORDS, list(range(_BLOCKS))))
    words = _emit_philox(builder, counters, [builder.and_(key, integer(_LOW)) for key in args[:2]], low)
    return _interleaved(builder, [_emit_uniform(builder, word) for word in words])


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
        keys = [
            builder.and_(builder.add(key, integer(weyl)), integer(_LOW)) for key, weyl in zip(keys, _WEYL, strict=True)
        ]
    return [c0, c1, c2, c3]


def _emit_uniform(builder: Any, words: Any) -> Any:
    """The upper 24 bits of every word, as a fraction of 2**24."""
    integers, floats = ir.VectorType(ir.IntType(32), _BLOCKS), ir.VectorType(FLOAT, _BLOCKS)
    upper = builder.trunc(builder.lshr(words, ir.Constant(_WORDS, [8] * _BLOCKS)), integers)
    return builder.fmul(builder.sitofp(upper, floats), ir.Constant(floats, [2.0**-24] * _BLOCKS))


def _interleaved(builder: Any, parts: list) -> Any:
    """A row with number q of part w as number 4 q + w."""
    pairs = [(q + w * _BLOCKS) for q in range(_BLOCKS) for w in range(2)]
    halves = [
        builder.shuffle_vector(parts[w], parts[w + 1], ir.Constant(ir.VectorType(ir.IntType(32), 2 * _BLOCKS), pairs))
        for w in (0, 2)
    ]
    order = [2 * q + w if w < 2 else 2 * _BLOCKS + 2 * q + w - 2 for q in range(_BLOCKS) for w in range(4)]
    return builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(ir.IntType(32), PANEL), order))


def _store_row(builder: Any, row: Any, target: Any) -> None:
    builder.store(row, builder.bitcast(target, row.type.as_pointer()), align=4)
