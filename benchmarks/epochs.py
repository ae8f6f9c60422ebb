"""Our products and epochs beside those of PyTorch, NumPy and scikit-learn, interleaved in one process; compared before any timing.

Prints the README's table: medians over the rounds with the spread (half the distance of the quartiles), every ratio the peer's
time over ours, so above 1 we are faster. The first ratio is of float32 against PyTorch as it is installed, eager or compiled; the
second against its best that is accurate to float32, by oneDNN too; the third of our bfloat16 against the best of all that was
tried, bfloat16 by casts or autocast included. scikit-learn's training is timed only: its persistent chains are another algorithm.
``share`` is the epoch's rate in products over the rate of the microkernel of that precision, measured before and after the
row's rounds; so is an empty parallel region, which tells whether the cores shared a cache just then. Behind the seconds stands
the processor time over the wall clock's: how many cores were at work.

    python benchmarks/epochs.py [--rounds 5] [--rows 6144] [--threads 2] [--only rbm] [--no-compile] [--json FILE]
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import ours
from breakdown import microkernel_rate, region_microseconds
from llvmlite.binding import get_host_cpu_name
from threadpoolctl import threadpool_limits

from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine.bfloat16 import obstacle

V, H = 784, 1000
DEEP = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)
FLOAT32 = np.dtype(np.float32)
PARITY = 2e-3  # largest difference of a peer's change of the first weights, relative to the largest change
PARITY_BFLOAT16 = 5e-2  # the same in bfloat16
HAVE_BFLOAT16 = obstacle() is None
HAVE_TORCH, HAVE_SKLEARN = find_spec("torch") is not None, find_spec("sklearn") is not None


@dataclass
class Task:
    """One row of the table: ways to make one pass over ``n_rows`` rows; ``checks`` compare a peer's pass with ours."""

    name: str
    n_rows: int
    flops: float
    ways: dict[str, Callable]
    checks: list[Callable[[], float]] = field(default_factory=list)


def weights(*sizes: int, scale: float = 1.0) -> list[np.ndarray]:
    """Random matrices that keep the size of what passes through."""
    rng = np.random.default_rng(1)
    return [(scale * rng.standard_normal(s) * s[0] ** -0.5).astype(FLOAT32) for s in pairwise(sizes)]


def images(n: int) -> np.ndarray:
    """Rows like images: mostly 0, in [0, 1]."""
    rng = np.random.default_rng(0)
    return (rng.random((n, V)) * (rng.random((n, V)) < 0.3)).astype(FLOAT32)


def difference(mine: Callable, peer: Callable, start: np.ndarray) -> float:
    """Largest difference between the changes of the first weights in one pass, relative to the largest change."""
    (a, loss), (b, other) = mine(), peer()
    change = np.abs(a - start).max()
    return max(float(np.abs(a - b).max() / change), abs(loss / other - 1))


def own_ways(make: Callable[[str], Callable]) -> dict[str, Callable]:
    """Our ways: ``make`` takes a precision."""
    ways = {"ours": make("float32")}
    if HAVE_BFLOAT16:
        ways["ours bf16"] = make("bfloat16")
    return ways


def rounded(check: Callable[[], float]) -> Callable[[], float]:
    """A check of something in bfloat16, in units of what is allowed in float32."""
    return lambda: check() * PARITY / PARITY_BFLOAT16


def torch_ways(make: Callable[..., Callable], compile_it: bool, rounding: str) -> dict[str, Callable]:
    """PyTorch's ways: ``make`` takes ``compile_it`` and the argument called ``rounding``, which turns bfloat16 on."""
    import torch_peers as peers

    mode, ways = peers.onednn_mode(), {}
    for compiled in (False, True) if compile_it else (False,):
        name = "torch compiled" if compiled else "torch"
        ways[name] = make(compile_it=compiled)
        ways[f"{name} {mode}"] = peers.in_onednn(make(compile_it=compiled))
        ways[f"{name} bf16"] = make(compile_it=compiled, **{rounding: True})
    return ways


def rbm_task(n: int, batch_size: int, compile_it: bool) -> Task:
    """CD-1 of 784 x 1000."""
    X, (W,) = images(n), weights(V, H, scale=0.3)
    few = X[: 3 * batch_size]
    ways = own_ways(lambda precision: ours.restricted(X, W, batch_size, precision))
    task = Task(f"RBM CD-1, minibatch {batch_size}", n // batch_size * batch_size, 10.0 * V * H, ways)
    mine, start = ours.restricted, (few, W, batch_size)
    if HAVE_BFLOAT16:
        task.checks.append(rounded(lambda: difference(mine(*start), mine(*start, "bfloat16"), W)))
    if HAVE_TORCH:
        import torch_peers as peers

        ways |= torch_ways(partial(peers.rbm, X, W, batch_size), compile_it, "bfloat16")
        task.checks.append(lambda: difference(mine(*start), peers.rbm(*start, ours.noise), W))
        task.checks.append(rounded(lambda: difference(mine(*start), peers.rbm(*start, ours.noise, bfloat16=True), W)))
    return task


def sklearn_task(n: int, batch_size: int) -> Task:
    """An epoch of scikit-learn's BernoulliRBM, which keeps persistent chains: as many products as CD-1."""
    from sklearn.neural_network import BernoulliRBM

    n -= n % batch_size
    X, (W,) = images(n), weights(V, H, scale=0.3)
    peer = BernoulliRBM(H, learning_rate=0.1, batch_size=batch_size, n_iter=1, random_state=0)
    ways = {"ours": ours.restricted(X, W, batch_size), "sklearn": lambda: peer.fit(X)}

    def same_means() -> float:
        peer.components_, peer.intercept_hidden_ = W.T.copy(), np.zeros(H, FLOAT32)
        return float(np.abs(peer.transform(X[:50]) - 1 / (1 + np.exp(-(X[:50] @ W)))).max())

    return Task(f"RBM against scikit-learn, minibatch {batch_size}", n, 10.0 * V * H, ways, [same_means])


def denoising_task(n: int, batch_size: int, compile_it: bool) -> Task:
    """A denoising autoencoder 784-1000-784."""
    X, (W1, W2) = images(n), weights(V, H, V)
    few = X[: 3 * batch_size]
    ways = own_ways(lambda precision: ours.denoising(X, W1, W2, batch_size, precision))
    name = f"denoising autoencoder, minibatch {batch_size}"
    task = Task(name, n // batch_size * batch_size, 10.0 * V * H, ways)
    mine, start = ours.denoising, (few, W1, W2, batch_size)
    if HAVE_BFLOAT16:
        task.checks.append(rounded(lambda: difference(mine(*start), mine(*start, "bfloat16"), W1)))
    if HAVE_TORCH:
        import torch_peers as peers

        ways |= torch_ways(partial(peers.denoising, X, W1, W2, batch_size), compile_it, "autocast")
        task.checks.append(lambda: difference(mine(*start), peers.denoising(*start, ours.noise), W1))
        rounding = partial(peers.denoising, *start, ours.noise, autocast=True)
        task.checks.append(rounded(lambda: difference(mine(*start), rounding(), W1)))
    return task


def deep_task(n: int, batch_size: int, compile_it: bool) -> Task:
    """Fine-tuning of 784-1000-500-250-30 and back by Adam."""
    X, matrices = images(n), weights(*DEEP)
    ways = own_ways(lambda precision: ours.deep(X, matrices, 3, batch_size, precision))
    n_weights = sum(W.size for W in matrices)
    flops = 2.0 * (3 * n_weights - matrices[0].size)
    task = Task(f"fine-tuning by Adam, minibatch {batch_size}", n // batch_size * batch_size, flops, ways)
    start = (X[: 3 * batch_size], matrices, 3, batch_size)  # the later losses depend on the updates

    def losses_differ(peer: Callable) -> float:
        return abs(ours.deep(*start)()[1] / peer()[1] - 1)

    if HAVE_BFLOAT16:
        task.checks.append(rounded(lambda: losses_differ(ours.deep(*start, "bfloat16"))))
    if HAVE_TORCH:
        import torch_peers as peers

        ways |= torch_ways(partial(peers.deep, X, matrices, 3, batch_size), compile_it, "autocast")
        task.checks.append(lambda: losses_differ(peers.deep(*start)))
        task.checks.append(rounded(lambda: losses_differ(peers.deep(*start, autocast=True))))
    return task


def encode_task(n: int, compile_it: bool) -> Task:
    """Codes of uint8 rows by 784-1000-500-250-30."""
    X, matrices = (images(n) * 255).astype(np.uint8), weights(*DEEP[:5])
    ways = own_ways(lambda precision: ours.encode(X, matrices, precision))
    task = Task("encode uint8 rows", n, 2.0 * sum(W.size for W in matrices), ways)
    few = X[:500]

    def codes_differ(peer: Callable) -> float:
        mine, other = ours.encode(few, matrices)()[0], peer()[0]
        return float(np.abs(mine - other).max() / np.abs(mine).max())

    if HAVE_BFLOAT16:
        task.checks.append(rounded(lambda: codes_differ(ours.encode(few, matrices, "bfloat16"))))
    if HAVE_TORCH:
        import torch_peers as peers

        ways |= torch_ways(partial(peers.encode, X, matrices), compile_it, "bfloat16")
        task.checks.append(lambda: codes_differ(peers.encode(few, matrices)))
        task.checks.append(rounded(lambda: codes_differ(peers.encode(few, matrices, bfloat16=True))))
    return task


def product_task(n_rows: int) -> Task:
    """One layer, linear: the product alone, beside NumPy's and PyTorch's, again and again to 50,000 rows."""
    X, (W,) = images(n_rows), weights(V, H)
    times = max(1, 50000 // n_rows)

    def repeated(run: Callable) -> Callable:
        return lambda: [run() for _ in range(times)]

    out, mine = np.empty((n_rows, H), FLOAT32), ours.layer(X, W)
    ways = own_ways(lambda precision: repeated(ours.layer(X, W, precision)))
    ways["numpy"] = repeated(lambda: np.matmul(X, W, out=out))
    task = Task(f"one product, {n_rows} rows", n_rows * times, 2.0 * V * H, ways)
    task.checks.append(lambda: float(np.abs(mine() - X @ W).max()))
    if HAVE_BFLOAT16:
        task.checks.append(rounded(lambda: float(np.abs(ours.layer(X, W, "bfloat16")() - X @ W).max())))
    if HAVE_TORCH:
        import torch
        import torch_peers as peers

        x, w, answer = torch.from_numpy(X), torch.from_numpy(W), torch.empty(n_rows, H)
        half, rounded_answer = w.to(torch.bfloat16), torch.empty(n_rows, H, dtype=torch.bfloat16)
        task.ways["torch"] = repeated(lambda: torch.mm(x, w, out=answer))
        task.ways[f"torch {peers.onednn_mode()}"] = repeated(peers.in_onednn(lambda: torch.mm(x, w, out=answer)))
        task.ways["torch bf16"] = repeated(lambda: torch.mm(x.to(torch.bfloat16), half, out=rounded_answer))
    return task


def roofs(threads: int) -> dict[str, float]:
    """GFLOP/s of the microkernels now, by the name of our way."""
    with thread_limit(threads):
        rates = {"ours": microkernel_rate(threads)}
        if HAVE_BFLOAT16:
            rates["ours bf16"] = microkernel_rate(threads, "bfloat16")
    return rates


def region(threads: int) -> float:
    """Microseconds of an empty parallel region now."""
    with thread_limit(threads):
        return region_microseconds(threads)


def timed(task: Task, rounds: int, threads: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of every way, one after the other in every round, and its cores at work; the first round is not counted.

    Our kernels hold BLAS to one thread while they run, so the peers run outside of that.
    """
    seconds: dict[str, list[float]] = {name: [] for name in task.ways}
    processor = dict.fromkeys(task.ways, 0.0)
    for number in range(rounds + 1):
        for name, run in task.ways.items():
            with thread_limit(threads) if name.startswith("ours") else nullcontext():
                time.sleep(0.2)  # until the waiting threads of the others sleep
                started, used = time.perf_counter(), time.process_time()
                run()
                if number:
                    seconds[name].append(time.perf_counter() - started)
                    processor[name] += time.process_time() - used
    return seconds, {name: processor[name] / sum(seconds[name]) for name in seconds}


def median_and_spread(values: list[float]) -> tuple[float, float]:
    """Median, and half the distance of the quartiles."""
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return statistics.median(values), (quartiles[2] - quartiles[0]) / 2


def ratio(seconds: dict[str, list[float]], mine: str, peers: list[str]) -> float | None:
    """The fastest peer's median over ours."""
    found = [statistics.median(seconds[name]) for name in peers if name in seconds]
    return min(found) / statistics.median(seconds[mine]) if found and mine in seconds else None


def measure(task: Task, rounds: int, threads: int) -> dict:
    """Compare, then time one task."""
    with thread_limit(threads):
        differences = [check() for check in task.checks]
    if differences and max(differences) > PARITY:
        raise SystemExit(f"{task.name}: results differ from the peer's by {max(differences):.1e}; nothing was timed")
    before, regions = roofs(threads), [region(threads)]
    seconds, cores = timed(task, rounds, threads)
    regions.append(region(threads))
    rates = {name: (rate + before[name]) / 2 for name, rate in roofs(threads).items()}
    peers = [name for name in seconds if not name.startswith("ours")]
    gflops = {
        name: task.flops * task.n_rows / statistics.median(seconds[name]) / 1e9 for name in rates if name in seconds
    }
    return {
        "task": task.name,
        "rows": task.n_rows,
        "difference": max(differences, default=None),
        "seconds": {name: median_and_spread(values) for name, values in seconds.items()},
        "cores": cores,
        "microkernel": rates,
        "region": regions,
        "gflops": gflops,
        "share": {name: gflops[name] / rates[name] for name in gflops},
        "as_installed": ratio(seconds, "ours", ["torch", "torch compiled", "numpy", "sklearn"]),
        "float32": ratio(seconds, "ours", [name for name in peers if "bf16" not in name]),
        "bfloat16": ratio(seconds, "ours bf16", peers),
    }


def line(result: dict) -> str:
    """A row of the table."""
    per = 10000 / result["rows"]  # the table's seconds are for 10,000 rows
    ways = ", ".join(
        f"{name} {m * per:.3f} ± {s * per:.3f} ({result['cores'][name]:.1f})"
        for name, (m, s) in result["seconds"].items()
    )
    found = (result["as_installed"], result["float32"], result["bfloat16"])
    ratios = " | ".join(f"{r:.2f}" if r else "-" for r in found)
    rates = [
        f"{result['gflops'][name]:.0f} ({result['share'][name]:.0%})" if name in result["gflops"] else "-"
        for name in ("ours", "ours bf16")
    ]
    regions = " ".join(f"{microseconds:.1f}" for microseconds in result["region"])
    return f"| {result['task']} | {ratios} | {rates[0]} | {rates[1]} | {regions} | {ways} |"


def tasks(n: int, compile_it: bool) -> dict[str, list[Callable[[], Task]]]:
    """All rows of the table, made when their turn comes."""
    batches = (20, 100, 256, 1024)
    table = {
        "product": [lambda b=b: product_task(b) for b in (100, 10000)],
        "rbm": [lambda b=b: rbm_task(n, b, compile_it) for b in batches],
        "denoising": [lambda b=b: denoising_task(n, b, compile_it) for b in batches],
        "deep": [lambda b=b: deep_task(n, b, compile_it) for b in (100, 1000)],
        "encode": [lambda: encode_task(60000, compile_it)],
    }
    if HAVE_SKLEARN:
        table["sklearn"] = [lambda b=b: sklearn_task(n // 3, b) for b in (10, 100)]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=6144)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="a kind of work: product, rbm, denoising, deep, encode, sklearn")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    missing = [name for name, have in (("torch", HAVE_TORCH), ("scikit-learn", HAVE_SKLEARN)) if not have]
    if missing:
        print(f"not installed, and left out: {', '.join(missing)}")
    if HAVE_TORCH:
        import torch

        torch.set_num_threads(options.threads)
    results = []
    with threadpool_limits(options.threads):
        print(f"{get_host_cpu_name()}, {options.threads} threads; seconds for 10,000 rows (cores at work)\n")
        print(
            "| work | float32, peer as installed | float32, peer's best | bfloat16, peer's best of all |"
            " GFLOP/s, float32 (share) | GFLOP/s, bfloat16 (share) | us of an empty region | seconds |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for kind, makers in tasks(options.rows, not options.no_compile).items():
            for make in makers if options.only in (None, kind) else []:
                results.append(measure(make(), options.rounds, options.threads))
                print(line(results[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "results": results}, indent=1))


if __name__ == "__main__":
    main()
