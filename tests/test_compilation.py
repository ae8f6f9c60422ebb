"""A kernel is compiled once for Python, once for all kernels that call it, and for no constant."""

import importlib.util
import sys

import numpy as np
import pytest

from stacked.kernels import _jit

SOURCE = """
from numba import float64, intp, prange

from stacked.kernels._jit import jit, linked


@jit
def scaled(values, index):
    return 10 * values[index]


@jit
def both(values):
    return scaled(values, 0) + scaled(values, 1)


@linked(float64[::1], intp, parallel=True)
def fill(values, start):
    for i in prange(values.shape[0]):
        values[i] = start + i


@jit
def fill_and_sum(values):
    fill(values, 1)
    return both(values)
"""


@pytest.fixture
def start(tmp_path):
    """What a new process would do: the module once more, with the same folder for its cache."""
    source = tmp_path / "small_kernels.py"
    source.write_text(SOURCE)

    def load():
        linked = len(_jit._linked)
        spec = importlib.util.spec_from_file_location("small_kernels", source)
        module = sys.modules["small_kernels"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        del _jit._linked[linked:]  # other tests' kernels are not linked to these
        return module

    yield load
    sys.modules.pop("small_kernels", None)


def _hits(kernel):
    return sum(kernel.stats.cache_hits.values())


def test_two_constants_are_one_compilation(start):
    module = start()
    assert module.both(np.array([2.0, 3.0])) == 50.0
    assert len(module.scaled.inner().overloads) == 1


def test_what_kernels_call_is_not_compiled_for_python_and_python_can_still_call_it(start):
    module, values = start(), np.array([2.0, 3.0])
    module.both(values)
    assert module.scaled.overloads == {} and module.both.inner().overloads == {}
    assert module.scaled(values, 1) == 30.0 and len(module.scaled.overloads) == 1


def test_a_linked_kernel_is_compiled_apart_for_python(start):
    module, values = start(), np.zeros(2)
    assert module.fill_and_sum(values) == 30.0 and module.fill.kernel.overloads == {}
    module.fill(values, 5)
    assert values.tolist() == [5.0, 6.0] and len(module.fill.kernel.overloads) == 1


def test_what_only_kernels_call_is_never_loaded_for_python(start):
    module, values = start(), np.array([2.0, 3.0])
    module.both(values)
    again = start()
    assert (
        again.scaled(values, 0) == 20.0 and _hits(again.scaled) == 0
    )  # compiled, though the inner one lies in the cache
    assert again.both(values) == 50.0 and _hits(again.both) == 1
    assert start().scaled(values, 0) == 20.0 and _hits(sys.modules["small_kernels"].scaled) == 1
