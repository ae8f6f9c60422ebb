"""What a case is: a kernel, arguments for it and its twin, and how closely which outputs must agree.

Arguments are deep-copied before every call, because kernels work in place. Outputs are named by parameter, ``work.gradient``
means a field of a record, and ``return`` the value returned.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from stacked.kernels import HOMES


@dataclass(frozen=True)
class Tolerance:
    """Largest difference allowed, relative to the largest number expected, for all but a ``share`` of the cells."""

    float32: float
    float64: float
    share: float = 0.0

    def excess(self, got: Any, expected: Any, dtype: np.dtype) -> float:
        """Largest difference in units of what is allowed: up to 1 is agreement; NaN or a wrong shape is infinite."""
        got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
        if got.shape != expected.shape or not (np.isfinite(got).all() and np.isfinite(expected).all()):
            return np.inf
        if got.size == 0:
            return 0.0
        differences = np.sort(np.abs(got - expected), axis=None)
        worst = differences[got.size - 1 - int(self.share * got.size)]
        allowed = (self.float32 if dtype == np.float32 else self.float64) * np.abs(expected).max()
        return float(worst / allowed) if allowed > 0 else (0.0 if worst == 0 else np.inf)


EXACT = Tolerance(0.0, 0.0)
ELEMENTWISE = Tolerance(1e-6, 1e-13)  # float32 functions are polynomials good to 2e-7
PRODUCT = Tolerance(1e-5, 1e-12)  # a float32 sum of a thousand terms
TRAINING = Tolerance(5e-5, 1e-11)  # several minibatches, one after another
# A sample differs from its twin where the random number lies within rounding of the probability.
STATES = Tolerance(0.0, 0.0, share=1e-4)
SAMPLED_TRAINING = Tolerance(5e-5, 1e-11, share=0.05)


@dataclass(frozen=True)
class Problem:
    """Positional arguments, tolerances of the outputs to compare, and parameters that may come back in any state.

    ``parts`` says by index which part of an output the kernel promises, where that is not all of it.
    """

    args: tuple
    outputs: Mapping[str, Tolerance]
    scratch: tuple[str, ...] = ()
    parts: Mapping[str, tuple[slice, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One line of the table. ``flops`` are those of the products in one call, 0 for elementwise kernels.

    ``dtypes`` names the precisions that the kernel exists in.
    """

    kernel: str
    label: str
    make: Callable[[np.dtype, int], Problem]
    flops: float = 0.0
    dtypes: tuple[str, ...] = ("float32", "float64")

    def __str__(self) -> str:
        return f"{self.kernel}: {self.label}"


@cache
def compiled(kernel: str) -> Any:
    """The compiled kernel "module.name"."""
    module, name = kernel.split(".")
    return getattr(import_module(f"stacked.kernels.{HOMES[module]}"), name)


@cache
def parameters(kernel: str) -> tuple[str, ...]:
    """Names of the kernel's parameters, in order."""
    function = compiled(kernel)
    return tuple(inspect.signature(getattr(function, "py_func", function)).parameters)


def call(kernel: str, function: Callable, problem: Problem) -> dict[str, Any]:
    """Run ``function`` on a copy of the arguments; afterwards: every argument by name, and "return"."""
    args = copy.deepcopy(problem.args)
    value = function(*args)
    return {**dict(zip(parameters(kernel), args, strict=True)), "return": value}


def pick(state: Mapping[str, Any], output: str) -> Any:
    """The output called ``output``, for example "out" or "work.gradient", of what `call` answered."""
    name, _, field = output.partition(".")
    return getattr(state[name], field) if field else state[name]


def excesses(problem: Problem, got: Mapping, expected: Mapping, dtype: np.dtype) -> dict[str, float]:
    """For every output, the largest difference in units of its tolerance."""
    found = {}
    for output, tolerance in problem.outputs.items():
        part = problem.parts.get(output, ...)
        found[output] = tolerance.excess(
            np.asarray(pick(got, output))[part], np.asarray(pick(expected, output))[part], dtype
        )
    return found
