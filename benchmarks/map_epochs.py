"""Epochs of networks on images and sequences beside PyTorch's, from the same weights, compared before any timing.

Prints a table like that of `epochs.py`, whose way of timing it shares: medians of interleaved rounds, every ratio the peer's time
over ours. PyTorch runs eager and compiled, with maps channels first and channels last. With --memory, in place of times: by how
much a pass raises the memory that a process of its own holds at most, ours and PyTorch's eager one.


    python benchmarks/map_epochs.py [--rounds 5] [--rows 2048] [--threads 2] [--only TEXT] [--no-compile] [--memory]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import numpy as np
from breakdown import microkernel_rate
from epochs import FLOAT32, HAVE_TORCH, PARITY, Task, images, median_and_spread, ratio, timed
from llvmlite.binding import get_host_cpu_name
from map_networks import clustering, keras_blog, states
from threadpoolctl import threadpool_limits

from stacked.kernels import backprop
from stacked.kernels.arithmetic.corruption import NO_CORRUPTION
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.random import stream_key
from stacked.kernels.arithmetic.samples import as_samples
from stacked.kernels.arithmetic.updates import OPTIMIZERS, Update
from stacked.kernels.cpu import thread_limit
from stacked.layers import Dense, Layer
from stacked.layers.maps import MapLayer
from stacked.network import Network

RATE = 1e-3


def network_of(layers: tuple[Layer, ...]) -> Network:
    """The network with its starting weights."""
    network = Network.zeros(layers, "float32")
    network.randomize(0, 0)
    return network


def flops_of(layers: tuple[Layer, ...]) -> float:
    """Floating-point operations in products for one row, forward, backward and gradient."""
    total = 0.0
    for index, layer in enumerate(layers):
        if isinstance(layer, Dense):
            places = 1
        elif isinstance(layer, MapLayer):
            small = layer.small if hasattr(layer, "small") else layer.shape_in
            places = small[0] * small[1]
        total += 2.0 * places * layer.n_weights * (3 if index else 2)
    return total


def ours(network: Network, X: np.ndarray, loss: str, batch_size: int) -> Callable[[], float]:
    """A pass of our training by Adam; the mean loss of a row."""
    objective = Objective(LOSSES[loss], NO_CORRUPTION, network.n_weights)
    work = backprop.workspace(network.table, len(network.params), batch_size, FLOAT32)
    velocity, squares = np.zeros((2, len(network.params)), np.float32)
    rows, samples, key, step = np.arange(len(X)), as_samples(X), stream_key(0, 0), [0]
    update = Update(OPTIMIZERS["adam"], RATE, 0, 0.9, 0.0, 0.0)

    def run() -> float:
        data = (samples, rows[:0], rows, rows, batch_size, key, 0, step[0])
        sums = backprop.train(network.table, network.params, objective, update, *data, velocity, squares, work)
        step[0] += len(X) // batch_size
        return float(sums[0]) / len(X)

    return run


def torchs(
    network: Network, X: np.ndarray, loss: str, batch_size: int, compile_it: bool = False, channels_last: bool = False
) -> Callable[[], float]:
    """The same in PyTorch."""
    import torch
    from torch_chains import module_of

    module = module_of(network, loss == "cross_entropy")
    if channels_last:
        module = module.to(memory_format=torch.channels_last)
    loss_of = torch.nn.BCEWithLogitsLoss if loss == "cross_entropy" else torch.nn.MSELoss
    criterion, rows = loss_of(reduction="sum"), torch.from_numpy(X)
    optimizer = torch.optim.Adam(module.parameters(), RATE, fused=True)
    forward = torch.compile(module) if compile_it else module

    def run() -> float:
        total = torch.zeros(())
        for start in range(0, len(X), batch_size):
            batch = rows[start : start + batch_size]
            optimizer.zero_grad(set_to_none=True)
            value = criterion(forward(batch), batch)
            (value / batch_size).backward()
            optimizer.step()
            total += value.detach()
        return float(total) / len(X)

    return run


def task_of(name: str, layers: tuple[Layer, ...], X: np.ndarray, loss: str, batch_size: int, compile_it: bool) -> Task:
    """One row of the table."""
    X = X[: len(X) // batch_size * batch_size]
    ways = {"ours": ours(network_of(layers), X, loss, batch_size)}
    task = Task(f"{name}, minibatch {batch_size}", len(X), flops_of(layers), ways)
    if HAVE_TORCH:
        few = X[: 3 * batch_size]
        mine, peer = (make(network_of(layers), few, loss, batch_size) for make in (ours, torchs))
        task.checks.append(lambda: abs(mine() / peer() - 1))  # the later losses depend on the updates
        for compiled in (False, True) if compile_it else (False,):
            for last in (
                (False, True) if any(layer.height > 1 for layer in layers if isinstance(layer, MapLayer)) else (False,)
            ):
                name = "torch" + " compiled" * compiled + " channels last" * last
                ways[name] = torchs(network_of(layers), X, loss, batch_size, compiled, last)
    return task


def tasks(n: int, compile_it: bool) -> dict[str, Callable[[], Task]]:
    """All rows of the table, made when their turn comes."""
    return {
        "pooling": lambda: task_of(
            "16, 8, 8 filters with pooling", keras_blog(), images(n), "cross_entropy", 128, compile_it
        ),
        **{
            f"{cell}-{n_steps}": partial(_recurrent, cell, n_steps, width, n, compile_it)
            for cell in ("gru", "lstm")
            for n_steps, width in ((28, 28), (140, 1))
        },
        "strides": lambda: task_of(
            "32, 64, 128 filters with strides", clustering(), images(n), "squared_error", 256, compile_it
        ),
    }


def _recurrent(cell: str, n_steps: int, width: int, n: int, compile_it: bool) -> Task:
    name = f"{cell.upper()} of 128, {n_steps} steps of {width}"
    return task_of(name, states(cell, n_steps, width), sequences(n, n_steps, width), "squared_error", 100, compile_it)


def sequences(n: int, n_steps: int, width: int) -> np.ndarray:
    """Random walks (n, n_steps * width) of some smoothness."""
    steps = np.random.default_rng(0).standard_normal((n, n_steps, width)).astype(FLOAT32)
    return (np.cumsum(steps, axis=1) / n_steps**0.5).reshape(n, -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="rows of the table whose name has this in it")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--memory", action="store_true", help="peaks of memory in place of times")
    parser.add_argument("--peak", nargs=2, metavar=("ROW", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if HAVE_TORCH:
        import torch

        torch.set_num_threads(options.threads)
    if options.peak or options.memory:
        peaks(options)
        return
    with threadpool_limits(options.threads):
        print(f"{get_host_cpu_name()}, {options.threads} threads; seconds for 10,000 rows\n")
        print("| work | peer as installed | peer's best | GFLOP/s (share of the microkernel's) | seconds |")
        print("|---|---|---|---|---|")
        for name, make in tasks(options.rows, not options.no_compile).items():
            if options.only is None or options.only in name:
                print(row_of(make(), options), flush=True)


def peaks(options: argparse.Namespace) -> None:
    """Print MiB that a pass adds to what a process holds at most, of all rows; or in such a process of one way of one row."""
    if options.peak:
        row, way = options.peak
        run = tasks(options.rows, False)[row]().ways[way]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with thread_limit(options.threads) if way == "ours" else nullcontext():
            run()
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
        return
    print("| work | MiB, ours | MiB, PyTorch |")
    print("|---|---|---|")
    for row, make in tasks(options.rows, False).items():
        found = []
        for way in ("ours", "torch") if HAVE_TORCH else ("ours",):
            given = (sys.executable, *sys.argv, "--peak", row, way)
            found.append(float(subprocess.run(given, capture_output=True, text=True, check=True).stdout))
        print(f"| {make().name} | {' | '.join(f'{mib:.0f}' for mib in found)} |", flush=True)


def row_of(task: Task, options: argparse.Namespace) -> str:
    """Compare, then time one task: a row of the table."""
    with thread_limit(options.threads):
        rate, differences = microkernel_rate(options.threads), [check() for check in task.checks]
    if differences and max(differences) > PARITY:
        raise SystemExit(f"{task.name}: losses differ from the peer's by {max(differences):.1e}; nothing was timed")
    seconds, _ = timed(task, options.rounds, options.threads)
    peers = [name for name in seconds if name != "ours"]
    found = (ratio(seconds, "ours", [name for name in peers if "last" not in name]), ratio(seconds, "ours", peers))
    gflops, per = task.flops * task.n_rows / statistics.median(seconds["ours"]) / 1e9, 10000 / task.n_rows
    shown = {name: median_and_spread(values) for name, values in seconds.items()}
    ways = ", ".join(f"{name} {m * per:.3f} ± {s * per:.3f}" for name, (m, s) in shown.items())
    ratios = " | ".join(f"{r:.2f}" if r else "-" for r in found)
    return f"| {task.name} | {ratios} | {gflops:.0f} ({gflops / rate:.0%}) | {ways} |"


if __name__ == "__main__":
    main()
