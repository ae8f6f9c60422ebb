"""Records of arrays that kernels get by their address.

A tuple travels number by number, through the stack, at every call: some 200 of them for the arrays of a packed network. That took
a microsecond for every panel of every product, and a third of the time that kernels take to compile. A `Record` lies in memory
instead, as 64-bit words: of a number its value, of an array where it begins, its shape and its strides. Kernels read the words that
they need. Words never change; what the arrays hold does.
"""

from dataclasses import fields
from struct import pack
from typing import Any

import numpy as np
from numba import typeof, types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import NativeValue, infer_getattr, lower_getattr_generic, models, register_model, unbox

from .instructions import INT, POINTER, integer


class Record:
    """Base of frozen dataclasses of arrays, ints and floats, whose fields kernels read by their names.

    A kernel that is called from Python holds on to the record that it was given; it must not return one of its arrays, which would
    not. Copies, also those by `dataclasses.replace` or pickle, have words of their own.
    """

    address: int  # of the words

    def __post_init__(self) -> None:
        values = {field.name: _plain(field.name, getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        words = np.array([word for value in values.values() for word in _words_of(value)], np.int64)
        words.flags.writeable = False
        own = {"_words": words, "address": words.ctypes.data, "_numba_type_": _type_of(type(self), values)}
        for name, value in {**values, **own}.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]


def _plain(name: str, value: Any) -> Any:
    """An array, or a number as Python's own."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    raise TypeError(f"{name}: expected an array, an int or a float, found {type(value).__name__}")


def _words_of(value: Any) -> tuple[int, ...]:
    if isinstance(value, np.ndarray):
        return (value.ctypes.data, *value.shape, *value.strides)
    return (value if isinstance(value, int) else int.from_bytes(pack("<d", value), "little", signed=True),)


def _type_of(record: type, values: dict[str, Any]) -> "RecordType":
    """The type of a record; what tells Numba's types of its fields apart is looked at, since to find these takes longer."""
    forms = [(v.dtype.str, v.ndim, v.flags.num) if isinstance(v, np.ndarray) else type(v) for v in values.values()]
    key = (record, *forms)
    if key not in _types:
        _types[key] = RecordType(record.__qualname__, tuple((name, typeof(value)) for name, value in values.items()))
    return _types[key]


_types: dict[tuple, "RecordType"] = {}


class RecordType(types.Type):
    """Numba's type of the records with these ``fields``, (name, type) each."""

    def __init__(self, name: str, fields: tuple):
        self.fields = fields
        super().__init__(f"{name}({', '.join(f'{field}: {kind}' for field, kind in fields)})")

    def place(self, wanted: str) -> tuple[int, Any]:
        """The first word of a field, and its type."""
        word = 0
        for name, kind in self.fields:
            if name == wanted:
                break
            word += 1 + 2 * kind.ndim if isinstance(kind, types.Array) else 1
        return word, kind


register_model(RecordType)(models.OpaqueModel)


@infer_getattr
class _Fields(AttributeTemplate):
    key = RecordType

    def generic_resolve(self, record: RecordType, attribute: str) -> Any:
        return dict(record.fields).get(attribute)


@lower_getattr_generic(RecordType)
def _field(context: Any, builder: Any, record: RecordType, pointer: Any, attribute: str) -> Any:
    first, kind = record.place(attribute)
    words = builder.bitcast(pointer, INT.as_pointer())

    def word(number: int, as_type: Any = INT) -> Any:
        place = builder.bitcast(builder.gep(words, [integer(number)]), as_type.as_pointer())
        value = builder.load(place)
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
        return value

    if not isinstance(kind, types.Array):
        return word(first, context.get_value_type(kind))
    array = context.make_array(kind)(context, builder)
    shape, strides = ([word(first + 1 + kind.ndim * part + axis) for axis in range(kind.ndim)] for part in range(2))
    itemsize = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    data = builder.bitcast(word(first, POINTER), array.data.type)
    context.populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()


@unbox(RecordType)
def _unbox_record(record: RecordType, value: Any, c: Any) -> NativeValue:
    number = c.pyapi.object_getattr_string(value, "address")
    address = c.pyapi.long_as_longlong(number)
    c.pyapi.decref(number)
    is_error = cgutils.is_not_null(c.builder, c.pyapi.err_occurred())
    return NativeValue(c.builder.inttoptr(address, POINTER), is_error=is_error)
