"""Where the time of an epoch goes: products, random numbers, elementwise work and monitoring, each timed by itself.

    python benchmarks/breakdown.py [--threads 2]

The parts are run panel by panel on all threads, again and again for one minibatch; more than 128 rows are one operand here, where
the trainer takes them block by block. What is left of the epoch is memory traffic, loading of rows, and waiting of one thread
for another.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import ours
from numba import get_thread_id, njit, prange

from stacked.kernels.activations import SIGMOID
from stacked.kernels.cpu import max_threads, thread_limit
from stacked.kernels.fused_rbm import squared_difference
from stacked.kernels.microkernel import MAX_HEIGHT, PANEL, uniform_row
from stacked.kernels.packing import CHUNK, aligned_zeros
from stacked.kernels.product import activate_panel, multiply, multiply_transposed, outer
from stacked.kernels.updates import Update, update_packed

V, H = 784, 1000
JOBS = 32  # panels of 1000 hidden units


@njit(parallel={"fusion": False}, nogil=True)
def _multiply_all(x, weight, out, n_jobs, times):
    for job in prange(n_jobs):  # noqa: B007
        mine = out[get_thread_id()]
        for _ in range(times):
            multiply(x, 0, x.shape[1], weight.shape[1], weight, 0, PANEL, mine, 0)


@njit(parallel={"fusion": False}, nogil=True)
def _products(v, h, h_t, weight, out_h, out_v, gradient, n, n_jobs):
    """Three products up or down and two gradients of one minibatch of n rows."""
    for job in prange(n_jobs):
        mine = gradient[get_thread_id()]
        multiply(v, 0, n, V, weight, job, PANEL, out_h, job)
        multiply(v, 0, n, V, weight, job, PANEL, out_h, job)
        for first in range(0, V, CHUNK):
            outer(v, first, min(first + CHUNK, V), h, job, 1, H, n, 0, mine)
            outer(v, first, min(first + CHUNK, V), h, job, 1, H, n, 1, mine)
    for job in prange(v.shape[0]):
        multiply_transposed(h_t, 0, n, H, weight, job, min(PANEL, V - job * PANEL), gradient[get_thread_id()], out_v)


@njit(parallel={"fusion": False}, nogil=True)
def _random(key, rows, n, n_jobs):
    for job in prange(n_jobs):
        for r in range(n):
            uniform_row(key.word0, key.word1, 0, r, 0, job * 8, rows, (job * n + r) * PANEL)


@njit(parallel={"fusion": False}, nogil=True)
def _elementwise(bias, hidden, visible, update, gradient, params, velocity, n_jobs):
    """Two hidden activations, one visible, one update of all weights."""
    for job in prange(n_jobs):
        activate_panel(SIGMOID, bias, hidden[job])
        activate_panel(SIGMOID, bias, hidden[job])
        if job < visible.shape[0]:
            activate_panel(SIGMOID, bias, visible[job])
        for first in range(0, V, CHUNK):
            begin, end = (job * V + first) * PANEL, (job * V + min(first + CHUNK, V)) * PANEL
            update_packed(update, 0.1, 0, gradient[: end - begin], params[begin:end], velocity[begin:end], velocity, 1)


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


def microkernel_rate(threads: int) -> float:
    """GFLOP/s of the float32 microkernel on all threads, operands in the first and second caches: the roof of everything."""
    rng, depth, times, jobs = np.random.default_rng(0), 256, 20, 16 * threads
    x, weight = aligned_zeros(depth // PANEL, MAX_HEIGHT * 4, PANEL), aligned_zeros(1, depth, PANEL)
    out = aligned_zeros(max_threads(), 1, x.shape[1], PANEL)
    x[:], weight[:] = rng.random(x.shape), rng.random(weight.shape)
    best = min(seconds(_multiply_all, x, weight, out, jobs, times) for _ in range(3))
    return 2.0 * jobs * times * x.shape[1] * depth * PANEL / best / 1e9


def parts(batch_size: int) -> dict[str, float]:
    """Seconds of the parts of one minibatch of RBM CD-1, and of the whole."""
    n, visible_panels = batch_size, -(-V // PANEL)
    rows = -(-n // PANEL) * PANEL
    v, h = aligned_zeros(visible_panels, rows, PANEL), aligned_zeros(JOBS, rows, PANEL)
    h_t, weight = aligned_zeros(rows // PANEL, JOBS * PANEL, PANEL), aligned_zeros(JOBS, V, PANEL)
    out_h, out_v, flat = np.empty_like(h), np.empty_like(v), aligned_zeros(2, weight.size)
    gradient = aligned_zeros(max_threads(), 1, CHUNK, PANEL)
    update = Update(0, 0.1, 0, 0.5, 0.0, 2e-4)
    batches = max(16, 6144 // n)
    X, W = np.random.default_rng(0).random((batches * n, V)).astype(np.float32), aligned_zeros(V, H)
    return {
        "products": seconds(_products, v, h, h_t, weight, out_h, out_v, gradient, n, JOBS),
        "random numbers": seconds(_random, ours.KEY, np.empty_like(h), n, JOBS),
        "elementwise": seconds(
            _elementwise, aligned_zeros(PANEL), h, v, update, aligned_zeros(CHUNK * PANEL), *flat, JOBS
        ),
        "monitoring": seconds(_monitoring, v, out_v, np.zeros(visible_panels)),
        "whole": seconds(ours.restricted(X, W, n), repeats=5) / batches,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with thread_limit(options.threads):
        rate = microkernel_rate(options.threads)
        print(
            f"RBM CD-1, 784 x 1000, {options.threads} threads, microkernel {rate:.0f} GFLOP/s; microseconds a minibatch\n"
        )
        print(
            "| minibatch | products | random numbers | elementwise | monitoring | the rest | whole | products' rate |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for batch_size in (20, 100, 256, 1024):
            found = {name: 1e6 * value for name, value in parts(batch_size).items()}
            whole = found.pop("whole")
            cells = [*found.values(), whole - sum(found.values()), whole]
            reached = 10e-3 * batch_size * V * H / found["products"]
            print(f"| {batch_size} | {' | '.join(f'{cell:.0f}' for cell in cells)} | {reached:.0f} GFLOP/s |")


if __name__ == "__main__":
    main()
