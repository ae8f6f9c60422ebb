"""One table of cases for the correctness tests and the benchmarks: every kernel against its plain NumPy twin.

Small cases have odd shapes, one row, several tiles, and a short last minibatch; those for the benchmarks have the sizes of MNIST.
"""

from functools import cache

import numpy as np

from . import naive, naive_panels
from .cases_elementwise import elementwise_cases
from .cases_gaussian import gaussian_cases
from .cases_machines import machine_cases
from .cases_panels import panel_cases
from .cases_problem import Case, Problem, call, compiled, excesses
from .cases_products import product_cases
from .cases_words import word_cases

TWINS = naive.TWINS | naive_panels.TWINS
__all__ = ["Case", "Problem", "agreement", "call", "cases", "compiled", "excesses"]


@cache
def cases(size: str) -> list[Case]:
    """The table, ``size`` being "small" (tests) or "bench"."""
    if size not in ("small", "bench"):
        raise ValueError(f"size must be 'small' or 'bench', not {size!r}")
    small = size == "small"
    makers = (elementwise_cases, panel_cases, word_cases, product_cases, machine_cases, gaussian_cases)
    return [case for maker in makers for case in maker(small)]


def agreement(case: Case, dtype: np.dtype | type | str, seed: int = 0) -> dict[str, float]:
    """For every output of a case, its largest difference from the twin in units of the tolerance: up to 1 is agreement."""
    dtype = np.dtype(dtype)
    problem = case.make(dtype, seed)
    got = call(case.kernel, compiled(case.kernel), problem)
    return excesses(problem, got, call(case.kernel, TWINS[case.kernel], problem), dtype)
