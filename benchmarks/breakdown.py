"""Where the time of an epoch goes: products, updates, rounding to bfloat16, random numbers, elementwise work and monitoring.

    python benchmarks/breakdown.py [--threads 2] [--precision bfloat16]

The parts are the trainer's own functions, each run by itself on all threads, again and again for one minibatch. What is left of the
epoch is memory traffic, loading of rows, and waiting of one thread for another.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import ours
from llvmlite.binding import get_host_cpu_name
from numba import get_thread_id, njit, prange

from stacked.kernels.arithmetic.activations import SIGMOID, activate
from stacked.kernels.arithmetic.updates import Update
from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine.bfloat16 import multiply_words
from stacked.kernels.engine.fused_rbm import squared_difference
from stacked.kernels.engine.instructions import MAX_HEIGHT, MAX_UNITS, PANEL, UNIT
from stacked.kernels.engine.machine_gradient import Counts, update_panel
from stacked.kernels.engine.packed_machine import (
    MEAN,
    NEGATIVE,
    POSITIVE,
    STATE,
    hidden_panel,
    keep_hidden_share,
    keep_hidden_transpose,
    keep_visible,
    pack_machine,
    visible_strip,
)
from stacked.kernels.engine.packed_network import block_count, rows_in
from stacked.kernels.engine.panels import aligned_zeros, panel_count
from stacked.kernels.engine.parts import WHOLE, parts_of
from stacked.kernels.engine.products import multiply
from stacked.kernels.engine.vectors import uniform_row
from stacked.kernels.pool import max_threads
from stacked.kernels.rbm import Machine

V, H = 784, 1000


@njit(parallel={"fusion": False}, nogil=True)
def _do_nothing(counts, times):
    for _ in range(times):
        for job in prange(counts.shape[0]):
            counts[job, 0] += 1


@njit(parallel={"fusion": False}, nogil=True)
def _multiply_all(x, weight, out, n_jobs, times):
    for job in prange(n_jobs):  # noqa: B007
        mine = out[get_thread_id()]
        for _ in range(times):
            multiply(x, 0, x.shape[1], 0, weight.shape[1], weight, 0, PANEL, 0, mine, 0)


@njit(parallel={"fusion": False}, nogil=True)
def _multiply_all_words(words, right, depth, out, n_rows, n_jobs, times):
    for job in prange(n_jobs):  # noqa: B007
        mine = out[get_thread_id()]
        for _ in range(times):
            multiply_words(words, 0, n_rows, n_rows, depth, right, depth // 2, PANEL, 0, mine, 0)


@njit(parallel={"fusion": False}, nogil=True)
def _products(m, n):
    """Three products up or down of one minibatch of n rows."""
    hidden = m.hidden_states[STATE]
    for panel in prange(panel_count(H)):
        for _ in range(2):
            for block in range(block_count(m, n)):
                hidden_panel(m, 0, block, rows_in(m, block, n), panel, hidden[block])
    for panel in prange(panel_count(V)):
        for block in range(block_count(m, n)):
            if parts_of(m, n, V, H) == 1:
                visible_strip(m, STATE, block, panel, 0, rows_in(m, block, n), WHOLE)
            else:
                for part in range(2):
                    visible_strip(m, STATE, block, panel, 0, rows_in(m, block, n), part)


@njit(parallel={"fusion": False}, nogil=True)
def _updates(m, counts, update):
    """Gradient of both phases and update, of all weights and hidden biases."""
    for panel in prange(panel_count(H)):
        update_panel(m, 0, counts, update, 0.1, 0, panel)


@njit(parallel={"fusion": False}, nogil=True)
def _rounding(m, n):
    """What products of bfloat16 read of activations: the data, a reconstruction, a hidden sample, two means."""
    for panel in prange(panel_count(H)):
        for block in range(block_count(m, n)):
            keep_hidden_transpose(m, STATE, block, panel, rows_in(m, block, n))
            keep_hidden_share(m, POSITIVE, block, panel, rows_in(m, block, n))
            keep_hidden_share(m, NEGATIVE, block, panel, rows_in(m, block, n))
    for panel in prange(panel_count(V)):
        for block in range(block_count(m, n)):
            keep_visible(m, 0, block, panel, 0, rows_in(m, block, n))
            keep_visible(m, MEAN, block, panel, 0, rows_in(m, block, n))


@njit(parallel={"fusion": False}, nogil=True)
def _random(key, rows, n, n_jobs):
    for job in prange(n_jobs):
        for r in range(n):
            uniform_row(key.word0, key.word1, 0, r, 0, job * 8, rows, (job * n + r) * PANEL)


@njit(parallel={"fusion": False}, nogil=True)
def _elementwise(hidden, visible):
    """Two hidden activations and a visible one."""
    for job in prange(hidden.shape[0]):
        activate(SIGMOID, hidden[job].reshape(hidden[job].size))
        activate(SIGMOID, hidden[job].reshape(hidden[job].size))
        if job < visible.shape[0]:
            activate(SIGMOID, visible[job].reshape(visible[job].size))


@njit(parallel={"fusion": False}, nogil=True)
def _monitoring(x, y, errors):
    for job in prange(x.shape[0]):
        errors[job] = squared_difference(x[job], y[job], PANEL)


def seconds(run: Callable, *args: object, repeats: int = 9) -> float:
    """Median over some calls, after one that compiles."""
    run(*args)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run(*args)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def region_microseconds(threads: int) -> float:
    """Time of an empty parallel region: 0.3 to 0.5 where two cores share a cache, 0.7 or more where they do not."""
    counts = np.zeros((threads, 16), np.int64)
    return seconds(_do_nothing, counts, 1000) * 1e3


def microkernel_rate(threads: int, precision: str = "float32") -> float:
    """GFLOP/s of the microkernel on all threads, operands in the first and second caches: the roof of everything."""
    rng, depth, times, jobs = np.random.default_rng(0), 256, 20, 16 * threads
    n_rows = 4 * (MAX_UNITS * UNIT if precision == "bfloat16" else MAX_HEIGHT)
    x, weight = aligned_zeros(depth // PANEL, n_rows, PANEL), aligned_zeros(1, depth, PANEL)
    out = aligned_zeros(max_threads(), 1, -(-n_rows // PANEL) * PANEL, PANEL)
    x[:], weight[:] = rng.random(x.shape), rng.random(weight.shape)
    if precision == "bfloat16":
        halves = rng.integers(0x3F00, 0x3F80, (2, (x.size + weight.size) // 2), np.uint32)  # in [0.5, 1)
        words = halves[0] | halves[1] << 16
        best = min(seconds(_multiply_all_words, words, x.size // 2, depth, out, n_rows, jobs, times) for _ in range(3))
    else:
        best = min(seconds(_multiply_all, x, weight, out, jobs, times) for _ in range(3))
    return 2.0 * jobs * times * n_rows * depth * PANEL / best / 1e9


def parts(n: int, precision: str) -> dict[str, float]:
    """Seconds of the parts of one minibatch of n rows of RBM CD-1, and of the whole."""
    bfloat16 = precision == "bfloat16"
    m = pack_machine(Machine(V, H, 1, 1, 1, False), n, bfloat16)
    hidden, visible = aligned_zeros(panel_count.py_func(H), n, PANEL), aligned_zeros(panel_count.py_func(V), n, PANEL)
    update, batches = Update(0, 0.1, 0, 0.5, 0.0, 2e-4), max(16, 6144 // n)
    X, W = np.random.default_rng(0).random((batches * n, V)).astype(np.float32), aligned_zeros(V, H)
    return {
        "products": seconds(_products, m, n),
        "updates": seconds(_updates, m, Counts(n, n), update),
        "rounding": seconds(_rounding, m, n) if bfloat16 else 0.0,
        "random numbers": seconds(_random, ours.KEY, np.empty_like(hidden), n, len(hidden)),
        "elementwise": seconds(_elementwise, hidden, visible),
        "monitoring": seconds(_monitoring, visible, np.zeros_like(visible), np.zeros(len(visible))),
        "whole": seconds(ours.restricted(X, W, n, precision), repeats=5) / batches,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    with thread_limit(options.threads):
        rate = microkernel_rate(options.threads, options.precision)
        machine = f"{get_host_cpu_name()}, {options.threads} threads"
        print(f"RBM CD-1, 784 x 1000, {options.precision}, {machine}, microkernel {rate:.0f} GFLOP/s;")
        print("microseconds a minibatch\n")
        print(
            "| minibatch | products | updates | rounding | random numbers | elementwise | monitoring | the rest | whole"
            " | rate of the products, of the updates |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        for batch_size in (20, 100, 256, 1024):
            found = {name: 1e6 * value for name, value in parts(batch_size, options.precision).items()}
            whole = found.pop("whole")
            cells = [*found.values(), whole - sum(found.values()), whole]
            work = 2e-3 * batch_size * V * H
            reached = f"{3 * work / found['products']:.0f}, {2 * work / found['updates']:.0f} GFLOP/s"
            print(f"| {batch_size} | {' | '.join(f'{cell:.0f}' for cell in cells)} | {reached} |")


if __name__ == "__main__":
    main()
