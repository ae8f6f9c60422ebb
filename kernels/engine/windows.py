"""Windows of maps, channel by channel, in vectors: for pooling and its ways back. LLVM makes no vectors of such short loops itself.

A window is high x wide pixels of a large map; a small map has a pixel for it.

    LARGEST   small = the largest of large
    COPIES    large = small
    SUMS      small = the sum of large
    CHOSEN    small = the number of large where another window, of ``chosen``, has its largest, the first of equal ones
    PLACED    large = small at that place, 0 elsewhere

Vectors reach past the last channel: what lies there is written back as it was, which is the same sample's own (`maps`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .instructions import INT, INTS, LANES, POINTER, VECTOR, VOID, element, integer, load, moved, store
from .strided import choose

LARGEST, COPIES, SUMS, CHOSEN, PLACED = range(5)
_ZERO = ir.Constant(VECTOR, [0.0] * LANES)


class _Window:
    """LLVM function (large, pitch, pixel, high, wide, channels, small, chosen, chosen_pitch); strides are bytes."""

    def __init__(self, module: Any, what: int):
        kinds = [POINTER, INT, INT, INT, INT, INT, POINTER, POINTER, INT]
        self.function = ir.Function(module, ir.FunctionType(VOID, kinds), f"stacked_window_{what}")
        self.function.linkage = "linkonce_odr"
        self.what, self.builder = what, ir.IRBuilder(self.function.append_basic_block("entry"))
        self._emit()

    def _emit(self) -> None:
        builder, (large, pitch, _, _, _, channels, small, chosen, chosen_pitch) = self.builder, self.function.args
        taken, total = (cgutils.alloca_once(builder, VECTOR) for _ in range(2))
        n_vectors = builder.sdiv(builder.add(channels, integer(LANES - 1)), integer(LANES))
        with cgutils.for_range(builder, n_vectors) as vectors:
            first = builder.mul(vectors.index, integer(LANES))
            self.real = self._real_lanes(builder.sub(channels, first))
            place = builder.mul(first, integer(4))
            large, small, chosen = (moved(builder, begin, place) for begin in (large, small, chosen))
            builder.store(_ZERO, total)
            if self.what == LARGEST:
                self._find_largest(large, pitch, taken)
                self._store(builder.load(taken), small)
            elif self.what in (COPIES, SUMS):
                self._copy_or_sum(large, pitch, small, total)
            else:
                self._find_largest(chosen, chosen_pitch, taken)
                self._choose(large, pitch, small, chosen, chosen_pitch, taken, total)
        builder.ret_void()

    def _real_lanes(self, count: Any) -> Any:
        builder = self.builder
        count = builder.trunc(count, ir.IntType(32))
        undefined = ir.Constant(INTS, ir.Undefined)
        first = builder.insert_element(undefined, count, ir.Constant(ir.IntType(32), 0))
        counts = builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * LANES))
        return builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), counts)

    def _store(self, value: Any, place: Any) -> None:
        """Store the real lanes."""
        store(self.builder, self.builder.select(self.real, value, load(self.builder, place, 0)), place, 0)

    @contextmanager
    def _pixels(self, *maps: tuple[Any, Any]) -> Iterator[list[Any]]:
        """Loops over the pixels of a window; their places in maps of which the first pixels and the pitches are given."""
        builder, (_, _, pixel, high, wide, *_) = self.builder, self.function.args
        with cgutils.for_range(builder, high) as rows:
            lines = [moved(builder, begin, builder.mul(rows.index, pitch)) for begin, pitch in maps]
            with cgutils.for_range(builder, wide) as columns:
                offset = builder.mul(columns.index, pixel)
                yield [moved(builder, line, offset) for line in lines]

    def _find_largest(self, begin: Any, pitch: Any, taken: Any) -> None:
        builder = self.builder
        builder.store(load(builder, begin, 0), taken)
        with self._pixels((begin, pitch)) as (here,):
            found, most = load(builder, here, 0), builder.load(taken)
            builder.store(builder.select(builder.fcmp_ordered(">", found, most), found, most), taken)

    def _copy_or_sum(self, large: Any, pitch: Any, small: Any, total: Any) -> None:
        builder, given = self.builder, load(self.builder, small, 0)
        with self._pixels((large, pitch)) as (here,):
            if self.what == COPIES:
                self._store(given, here)
            else:
                builder.store(builder.fadd(builder.load(total), load(builder, here, 0)), total)
        if self.what == SUMS:
            self._store(builder.load(total), small)

    def _choose(
        self, large: Any, pitch: Any, small: Any, chosen: Any, chosen_pitch: Any, taken: Any, total: Any
    ) -> None:
        builder, given = self.builder, load(self.builder, small, 0)
        never = ir.Constant(VECTOR, [float("nan")] * LANES)  # equal to no number
        with self._pixels((large, pitch), (chosen, chosen_pitch)) as (here, there):
            most = builder.load(taken)
            found = builder.fcmp_ordered("==", load(builder, there, 0), most)
            if self.what == CHOSEN:
                builder.store(builder.select(found, load(builder, here, 0), builder.load(total)), total)
            else:
                self._store(builder.select(found, given, _ZERO), here)
            builder.store(builder.select(found, never, most), taken)
        if self.what == CHOSEN:
            self._store(builder.load(total), small)


def _window(module: Any, what: int) -> Any:
    name = f"stacked_window_{what}"
    return module.globals[name] if name in module.globals else _Window(module, what).function


@intrinsic
def one_window(typing, what, maps, large, pitch, high, wide, channels, small, chosen, chosen_pitch):
    """Do ``what`` with a window of ``high`` x ``wide`` pixels from ``large`` on, all places in ``maps``."""

    def code(context, builder, signature, args):
        large, small, chosen = (element(context, builder, signature.args[1], args[1], args[i]) for i in (2, 7, 8))
        pitch, pixel, chosen_pitch = (builder.mul(args[i], integer(4)) for i in (3, 6, 9))
        operands = [large, pitch, pixel, args[4], args[5], args[6], small, chosen, chosen_pitch]
        choose(builder, operands, args[0], {kind: _window(builder.module, kind) for kind in range(5)})
        return context.get_dummy_value()

    return types.void(types.intp, maps, *[types.intp] * 8), code
