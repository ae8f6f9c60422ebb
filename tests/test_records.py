"""Records that kernels get by their address: every field is what it is in Python, and no copy shares memory."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, replace

import numpy as np
import pytest
from numba import njit, prange
from numba.core.errors import TypingError

from stacked.kernels.engine.records import Record


@dataclass(frozen=True, eq=False)
class Things(Record):
    flat: np.ndarray
    count: int
    table: np.ndarray
    rate: float
    deep: np.ndarray
    nothing: np.ndarray


def _things():
    deep = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    return Things(np.arange(7.0), -3, np.arange(6).reshape(2, 3), -0.25, deep, np.zeros((0, 4), np.float32))


@njit
def _numbers(things):
    return things.count, things.rate


@njit
def _described(things):
    found = np.zeros((4, 9), np.int64)
    found[0, 0], found[1, :2], found[2, :4], found[3, :2] = (
        things.flat.shape[0],
        things.table.shape,
        things.deep.shape,
        things.nothing.shape,
    )
    found[0, 4], found[1, 4:6], found[2, 4:8], found[3, 4:6] = (
        things.flat.strides[0],
        things.table.strides,
        things.deep.strides,
        things.nothing.strides,
    )
    found[:, 8] = things.flat.size, things.table.size, things.deep.size, things.nothing.size
    return found


@njit
def _inner(things, r):
    things.flat[r] = 10 * things.table[r % 2, 2] + things.deep[1, 2, 3, r % 5] + things.count


@njit(parallel=True)
def _fill(things):
    for r in prange(things.flat.shape[0]):
        _inner(things, r)


@njit
def _unknown(things):
    return things.weight


def test_every_field_is_what_it_is_in_python():
    things = _things()
    assert _numbers(things) == (things.count, things.rate)
    arrays = things.flat, things.table, things.deep, things.nothing
    for row, array in zip(_described(things), arrays, strict=True):
        assert tuple(row[: array.ndim]) == array.shape and tuple(row[4 : 4 + array.ndim]) == array.strides
        assert row[8] == array.size


def test_arrays_are_written_in_place_by_parallel_loops_and_what_they_call():
    things = _things()
    _fill(things)
    expected = [10 * things.table[r % 2, 2] + things.deep[1, 2, 3, r % 5] + things.count for r in range(7)]
    np.testing.assert_array_equal(things.flat, expected)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_a_copy_has_memory_of_its_own(duplicate):
    things = _things()
    other = duplicate(things)
    before = things.flat.copy()
    _fill(other)
    assert other.address != things.address
    np.testing.assert_array_equal(things.flat, before)
    assert not np.array_equal(other.flat, before)


def test_another_array_takes_the_place_of_one():
    things = _things()
    other = replace(things, flat=np.zeros(3), count=5)
    assert _numbers(other) == (5, things.rate) and _described(other)[0, 0] == 3 and _described(things)[0, 0] == 7
    with pytest.raises(FrozenInstanceError):
        things.flat = other.flat


def test_numbers_of_numpy_are_those_of_python():
    things = replace(_things(), count=np.int32(7), rate=np.float32(0.5))
    assert _numbers(things) == (7, 0.5) and (type(things.count), type(things.rate)) == (int, float)


def test_arrays_of_other_kinds_are_other_types():
    things, fixed = _things(), np.arange(7.0)
    fixed.flags.writeable = False
    others = [replace(things, flat=flat) for flat in (np.arange(7), np.arange(14.0)[::2], fixed, np.zeros((1, 7)))]
    assert len({thing._numba_type_ for thing in (things, *others)}) == 5
    assert all(_described(other)[0, 4] == other.flat.strides[0] for other in others)


@pytest.mark.parametrize("value", [True, np.True_, None, "1", [1.0]])
def test_other_values_are_refused(value):
    with pytest.raises(TypeError, match="count: expected an array, an int or a float, found "):
        replace(_things(), count=value)


def test_a_field_that_is_not_there_is_named():
    with pytest.raises(TypingError, match="Unknown attribute 'weight' of type Things"):
        _unknown(_things())


def test_what_is_no_record_is_refused():
    with pytest.raises(TypingError):
        _numbers((1, 2))
