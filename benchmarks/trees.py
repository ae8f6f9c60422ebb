"""Epochs of two checkouts of this repository in turn, whole processes beside each other: what a change of the kernels is worth.

    git worktree add ../before HEAD~1
    python benchmarks/trees.py ../before . [--work rbm20,denoising100b,...] [--seconds 120] [--threads 2]

A work is a kind and the rows of a minibatch, with b for bfloat16. A turn times every work in both trees, in a random order; a
row of the table has the medians and the median of the turns' ratios, the first tree's time over the second's, apart for turns in
which the cores shared a cache and in which they did not: those of a virtual machine can be moved from one minute to the next, and
an empty parallel region tells where they are.
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

WORK = "rbm20,rbm100,rbm1024,denoising20,denoising100,denoising1024,deep100,deep1000,encode1"
MINIBATCHES = {10: 20, 20: 20, 50: 10, 100: 8, 256: 4}  # of an epoch here, by their rows; 2 of larger ones
SHARED_MICROSECONDS = 0.6  # that an empty region takes at most where the cores share a cache
Turn = tuple[float, float, float]  # microseconds of a minibatch, of an empty region before and after it


# ---- the side of a tree ----------------------------------------------------------------------------------------------


def epoch_of(work: str) -> tuple[Callable, int]:
    """An epoch of a work, and its minibatches."""
    import epochs
    import numpy as np
    import ours

    precision, name = ("bfloat16", work[:-1]) if work.endswith("b") else ("float32", work)
    kind = name.rstrip("0123456789")
    rows = int(name[len(kind) :])
    n = MINIBATCHES.get(rows, 2)
    X = epochs.images(n * rows)
    if kind == "rbm":
        return ours.restricted(X, *epochs.weights(epochs.V, epochs.H, scale=0.3), rows, precision), n
    if kind == "denoising":
        return ours.denoising(X, *epochs.weights(epochs.V, epochs.H, epochs.V), rows, precision), n
    if kind == "deep":
        return ours.deep(X, epochs.weights(*epochs.DEEP), 3, rows, precision), n
    X = (epochs.images(4096) * 255).astype(np.uint8)
    return ours.encode(X, epochs.weights(*epochs.DEEP)[:4], precision), 1


def serve(tree: str, threads: int) -> None:
    """Time what is asked for on the standard input, a line each, with the kernels and benchmarks of a tree."""
    sys.path[:1] = [tree, str(Path(tree) / "benchmarks")]
    import numpy as np
    from numba import njit, prange

    from stacked.kernels.cpu import thread_limit

    @njit(parallel=True)
    def do_nothing(counts, times):
        for _ in range(times):
            for job in prange(counts.shape[0]):
                counts[job, 0] += 1

    def region() -> float:
        counts = np.zeros((threads, 16), np.int64)
        do_nothing(counts, 50)  # those who slept are awake now
        started = time.perf_counter()
        do_nothing(counts, 300)
        return (time.perf_counter() - started) / 300 * 1e6

    known: dict[str, tuple[Callable, int]] = {}
    with thread_limit(threads):
        for line in sys.stdin:
            work = line.strip()
            if work not in known:
                known[work] = epoch_of(work)
                known[work][0]()
            run, n_minibatches = known[work]
            before, started = region(), time.perf_counter()
            run()
            seconds = time.perf_counter() - started
            print(json.dumps((seconds / n_minibatches * 1e6, before, region())), flush=True)


# ---- the side that compares ------------------------------------------------------------------------------------------


class Tree:
    """The process of a tree."""

    def __init__(self, path: str, threads: int):
        command = [sys.executable, __file__, "--serve", str(Path(path).resolve()), "--threads", str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, work: str) -> Turn:
        """Time a work once."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(work + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._process.args)} ended")  # what went wrong is on the standard error
        return tuple(json.loads(line))


def compare(trees: list[Tree], works: list[str], seconds: float) -> dict[tuple[str, bool], list[list[float]]]:
    """Microseconds of both trees, a pair a turn, by the work and whether the cores shared a cache all the time."""
    for work in works:
        for tree in trees:
            tree.time(work)  # compiles
    found: dict[tuple[str, bool], list[list[float]]] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for work in works:
            turns = dict.fromkeys(random.sample(range(2), 2), (0.0, 0.0, 0.0))
            for number in turns:
                turns[number] = trees[number].time(work)
            shared = {region < SHARED_MICROSECONDS for turn in turns.values() for region in turn[1:]}
            if len(shared) == 1:
                found.setdefault((work, shared.pop()), []).append([turns[0][0], turns[1][0]])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", metavar="TREE")
    parser.add_argument("--work", default=WORK)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads)
        return
    if len(options.trees) != 2:
        parser.error("expected two trees")
    for tree in options.trees:
        if not (Path(tree) / "benchmarks" / "epochs.py").is_file():
            parser.error(f"expected checkouts of this repository, found {tree}")
    for work in options.work.split(","):
        if not re.fullmatch(r"(rbm|denoising|deep|encode)[1-9]\d*b?", work):
            parser.error(
                f"--work: expected rbm, denoising, deep or encode and a number of rows, as in rbm20b, found {work}"
            )
    trees = [Tree(path, options.threads) for path in options.trees]
    found = compare(trees, options.work.split(","), options.seconds)
    print("| work | cores share a cache | turns | us a minibatch, first | second | first / second |")
    print("|---|---|---|---|---|---|")
    for (work, shared), pairs in sorted(
        found.items(), key=lambda item: (options.work.find(item[0][0]), not item[0][1])
    ):
        first, second = (statistics.median(pair[number] for pair in pairs) for number in range(2))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"| {work} | {'yes' if shared else 'no'} | {len(pairs)} | {first:.0f} | {second:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
