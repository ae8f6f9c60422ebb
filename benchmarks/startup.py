"""How long the command line takes to start: ``--help``, and a whole small training on compiled kernels.

Medians of whole processes, started one after another.

    python benchmarks/startup.py [--runs 7]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(runs: int, *arguments: str) -> float:
    """Median seconds of a command, after one run that is not counted."""
    found = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "stacked.cli", *arguments], check=True, capture_output=True)
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "model.h5")
        training = ("pretrain", "digits", "-o", output, "--layers", "64-16", "--epochs", "1", "--seed", "0", "--quiet")
        print(f"stacked --help: {seconds(runs, '--help'):.2f} s")
        print(f"stacked pretrain digits, 64-64-16, 1 epoch, start to end: {seconds(runs, *training):.2f} s")


if __name__ == "__main__":
    main()
