"""What the CPU that Numba compiles for offers, and LLVM's vector instructions under short names.

Files that write LLVM IR: `microkernel`, `updated_tiles`, `strided` (products), `packed_update` (optimisers), `vectors`, `rows`,
`windows`, `parts` (what surrounds products), `records` (how kernels find their arrays).
"""

from typing import Any

from llvmlite import ir
from numba.core.registry import cpu_target

from .._jit import TESTED

_SHAPES = {"+avx512f": (16, 11), "+avx2": (8, 6)}  # feature: numbers in a vector, most rows of a tile
# Features of the CPU that Numba compiles for (NUMBA_CPU_NAME, _FEATURES); LLVM names AMX only where the system saves its state.
_FEATURES = str(cpu_target.target_context.codegen().magic_tuple()[2]).split(",") if TESTED else []

LANES, MAX_HEIGHT = next((shape for feature, shape in _SHAPES.items() if feature in _FEATURES), (4, 6))
PANEL = 2 * LANES  # columns of a panel: the width of a full tile

HAS_BFLOAT16 = LANES == 16 and "+avx512bf16" in _FEATURES  # vector products of words
HAS_AMX = HAS_BFLOAT16 and "+amx-bf16" in _FEATURES
# Of a tile of words: rows of a unit, most units, and the words of the inner dimension that a step takes.
UNIT, MAX_UNITS, STEP = (16, 2, 16) if HAS_AMX else (1, MAX_HEIGHT, 1)

VOID, FLOAT, INT, BYTE = ir.VoidType(), ir.FloatType(), ir.IntType(64), ir.IntType(8)
VECTOR, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(ir.IntType(32), LANES)
HALVES = ir.VectorType(ir.IntType(16), PANEL)
POINTER = BYTE.as_pointer()
ROW_BYTES = 4 * PANEL  # bytes from one row of a panel to the next
LINE = 64  # bytes of the cache that are fetched at a time


def integer(value: int) -> ir.Constant:
    return ir.Constant(INT, value)


def moved(builder: Any, pointer: Any, offset: Any) -> Any:
    """A byte pointer moved by ``offset`` bytes, an int or an IR value."""
    return builder.gep(pointer, [integer(offset) if isinstance(offset, int) else offset])


def load(builder: Any, pointer: Any, offset: Any, kind: Any = VECTOR) -> Any:
    return builder.load(builder.bitcast(moved(builder, pointer, offset), kind.as_pointer()), align=4)


def store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    builder.store(value, builder.bitcast(moved(builder, pointer, offset), VECTOR.as_pointer()), align=4)


def broadcast(builder: Any, number: Any) -> Any:
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * LANES))


def prefetch(builder: Any, pointer: Any, writes: bool = False) -> None:
    """Ask for the line of the cache at a byte pointer, to read it or to write it."""
    flag = ir.IntType(32)
    call(builder, "llvm.prefetch.p0i8", VOID, [pointer, flag(int(writes)), flag(3), flag(1)])


def call(builder: Any, name: str, kind: Any, values: list) -> Any:
    """Call a function of LLVM's own that gives a value of this kind."""
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(kind, [value.type for value in values]), name)
    return builder.call(function, values)


def element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Byte pointer to element ``index`` of a C-contiguous array of float32 or 32-bit words."""
    data = context.make_array(array_type)(context, builder, array).data
    return moved(builder, builder.bitcast(data, POINTER), builder.mul(index, integer(4)))
