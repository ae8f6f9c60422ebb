"""The pool of threads: every number of a range once, whatever calls it, and each thread under a number of its own."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba import get_thread_id, njit, prange

from stacked.kernels import cpu
from stacked.kernels._jit import linked
from stacked.kernels.pool import POOL, thread_count

from .pool_teams import holds_in_child

POOL.connect()  # what is compiled below finds it


@njit(parallel=True)
def _count(x, threads):
    for i in prange(x.shape[0]):
        x[i] += 1
        threads[i] = get_thread_id()


@njit(parallel=True)
def _sums(x):
    total, least = 0, x[0]
    for i in prange(x.shape[0]):
        total += x[i]
        least = min(least, x[i])
    return total, least


@njit(parallel=True)
def _nested(x):
    for i in prange(x.shape[0]):
        for j in prange(x.shape[1]):
            x[i, j] += 1


@numba.vectorize(["float64(float64)", "complex128(complex128)"], target="parallel")
def _square(x):
    return x * x


@numba.guvectorize(["(float64[:], float64[:])"], "(n)->()", target="parallel")
def _row_sum(x, out):
    out[0] = 0
    for value in x:
        out[0] += value


@njit
def _limit():
    return thread_count()


@pytest.mark.parametrize("n_threads", range(1, cpu.max_threads() + 1))
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 1000])
def test_every_number_is_visited_once_by_a_thread_within_the_limit(n, n_threads):
    with cpu.thread_limit(n_threads):
        for _ in range(50):
            x, threads = np.zeros(n), np.full(n, -1)
            _count(x, threads)
            assert (x == 1).all() and (threads >= 0).all() and (threads < n_threads).all()


@pytest.mark.parametrize("n", [1, 2, 5, 1001])
def test_loops_with_results_and_universal_functions_of_others_run_on_it(n):
    x = np.arange(n)
    with cpu.thread_limit(None):
        assert _sums(x) == (x.sum(), 0)
        np.testing.assert_array_equal(_square(x * 1.0), x * x)
        np.testing.assert_array_equal(_square(x * 1j), -(x * x))
        np.testing.assert_array_equal(_square(np.complex128(3j)), -9)
        np.testing.assert_array_equal(_row_sum(np.ones((n, 3))), np.full(n, 3.0))


def test_a_loop_inside_a_loop_runs_in_its_thread():
    x = np.zeros((30, 40))
    with cpu.thread_limit(None):
        _nested(x)
    assert (x == 1).all()


def test_python_threads_that_call_at_once_get_their_own_results():
    def run(number):
        with cpu.thread_limit(None):
            for _ in range(200):
                x, threads = np.zeros(50 + number), np.zeros(50 + number)
                _count(x, threads)
                if not (x == 1).all():
                    return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


def test_kernels_see_the_limit_on_threads():
    for n_threads in range(1, cpu.max_threads() + 1):
        with cpu.thread_limit(n_threads):
            assert _limit() == n_threads == numba.get_num_threads()


# In a new process: a kernel that was linked before anything ran in parallel, and one that is linked afterwards.
LINKED_BEFORE = """
import time
import numpy as np
import NAME as module
from stacked.kernels import cpu
from stacked.kernels._jit import parallel_jit
module.number_of_thread.link()
kernel = parallel_jit(module.numbers_while_busy)
stop = time.monotonic() + 60
with cpu.thread_limit(2):
    while time.monotonic() < stop:
        seen = np.zeros((200, 3), np.int64)
        kernel(seen)
        assert (seen[:, 0] == seen[:, 1]).all() and (seen[:, 2] == 2).all()
        if len(np.unique(seen[:, 0])) == 2:
            print("two threads, two numbers, one limit")
            break
"""


@linked()
def number_of_thread():
    return get_thread_id()


def numbers_while_busy(seen):
    for i in prange(seen.shape[0]):
        total = 0.0
        for k in range(20000):
            total += np.sin(k * total)
        seen[i, 0], seen[i, 1] = get_thread_id(), number_of_thread() + np.int64(0 * total)
        seen[i, 2] = thread_count()


@pytest.mark.skipif(cpu.available_cores() < 2, reason="one core: a second thread may never come")
def test_kernels_that_were_linked_before_the_pool_started_know_their_thread_and_the_limit():
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", LINKED_BEFORE.replace("NAME", __name__)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "two threads, two numbers, one limit", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_runs_loops_again():
    with cpu.thread_limit(None):
        _count(np.zeros(10), np.zeros(10))

    def counts():
        x = np.zeros(1000)
        _count(x, np.zeros(1000))  # outside a limit
        with cpu.thread_limit(None):
            _count(x, np.zeros(1000))
        return (x == 2).all()

    assert holds_in_child(counts)
