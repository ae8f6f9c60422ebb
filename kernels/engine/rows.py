"""Rows of a panel as two vectors each: copied, added, summed.

In plain code LLVM unrolls the loop over the PANEL numbers of a row before it looks for vectors, and then finds none: to add
100 rows took 0.9 us, a fiftieth of what a product of 784 columns takes for them.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .instructions import LANES, ROW_BYTES, VECTOR, element, integer, load, moved, store

_PLACES = (0, 4 * LANES)  # bytes at which the two vectors of a row begin
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)


@intrinsic
def copy_row(typing, x, x_start, out, out_start):
    """PANEL numbers of ``out`` from ``out_start`` on = those of ``x`` from ``x_start`` on, both float32."""

    def code(context, builder, signature, args):
        source, target = _pointers(context, builder, signature, args)
        for place in _PLACES:
            store(builder, load(builder, source, place), target, place)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


@intrinsic
def add_row(typing, x, x_start, out, out_start):
    """PANEL numbers of ``out`` from ``out_start`` on += those of ``x`` from ``x_start`` on, both float32."""

    def code(context, builder, signature, args):
        source, target = _pointers(context, builder, signature, args)
        for place in _PLACES:
            store(builder, builder.fadd(load(builder, target, place), load(builder, source, place)), target, place)
        return context.get_dummy_value()

    return types.void(x, types.intp, out, types.intp), code


def _pointers(context: Any, builder: Any, signature: Any, args: list) -> list:
    return [element(context, builder, signature.args[i], args[i], args[i + 1]) for i in (0, 2)]


@intrinsic
def add_up(typing, rows, n_rows, sums):
    """sums (PANEL,) float32 or float64 += the first ``n_rows`` of ``rows`` (n, PANEL) float32, one after the other."""
    kind = VECTOR if sums.dtype == types.float32 else _DOUBLES

    def code(context, builder, signature, args):
        source = element(context, builder, signature.args[0], args[0], integer(0))
        data = context.make_array(signature.args[2])(context, builder, args[2]).data
        places = [builder.bitcast(builder.gep(data, [integer(LANES * v)]), kind.as_pointer()) for v in range(2)]
        totals = [cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in places]
        with cgutils.for_range(builder, args[1]) as loop:
            row = moved(builder, source, builder.mul(loop.index, integer(ROW_BYTES)))
            for total, place in zip(totals, _PLACES, strict=True):
                value = load(builder, row, place)
                wide = value if kind == VECTOR else builder.fpext(value, kind)
                builder.store(builder.fadd(builder.load(total), wide), total)
        for total, place in zip(totals, places, strict=True):
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    return types.void(rows, types.intp, sums), code
