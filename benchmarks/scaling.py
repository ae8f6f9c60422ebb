"""How the time of an RBM epoch grows: with the size of the layer, with the minibatch, and with the number of rows.

python benchmarks/scaling.py [--threads 2]
"""

import argparse
import statistics
import time

import numpy as np
import ours

from stacked.kernels.cpu import thread_limit


def seconds(n_rows: int, n_visible: int, n_hidden: int, batch_size: int) -> float:
    """Median seconds of a pass of CD-1."""
    rng = np.random.default_rng(0)
    X = rng.random((n_rows, n_visible)).astype(np.float32)
    W = (rng.standard_normal((n_visible, n_hidden)) * 0.1 * n_visible**-0.5).astype(np.float32)
    run = ours.restricted(X, W, batch_size)
    run()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(
        "| layer | minibatch | rows | microseconds a row | picoseconds a row and weight | GFLOP/s |\n|---|---|---|---|---|---|"
    )
    cases = [(4000, n, n, 100) for n in (100, 300, 1000, 2000, 3000)]
    cases += [(4096 * 2, 784, 1000, b) for b in (10, 100, 1024, 4096)] + [
        (n, 784, 1000, 100) for n in (2000, 20000, 60000)
    ]
    with thread_limit(options.threads):
        for n_rows, n_visible, n_hidden, batch_size in cases:
            row = seconds(n_rows, n_visible, n_hidden, batch_size) / (n_rows // batch_size * batch_size)
            weights = n_visible * n_hidden
            cells = f"{row * 1e6:.2f} | {row / weights * 1e12:.1f} | {10 * weights / row / 1e9:.0f}"
            print(f"| {n_visible} x {n_hidden} | {batch_size} | {n_rows} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
