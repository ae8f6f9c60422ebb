"""Sequences of 10 to 30 symbols copied, or turned round, by way of one code: shares of unseen ones that come back without a fault.

The sequences are those of the built-in set `symbols`, eight symbols drawn at random. Copies are made again by a decoder that begins
with the last step; turned round, each sequence is answered with a target, its own steps from the last to the first. Training begins
with the first few steps of each sequence and takes more of them from epoch to epoch, for what comes last is learned by way of what
comes first. Each epoch has new sequences, or with --fixed all have the same.

    python benchmarks/symbol_sequences.py [--task copy] [--units 256] [--cell gru] [--epochs 80] [--rows 40000] [--threads 2]
"""

import argparse
import time

import numpy as np

from stacked import SequenceAutoencoder
from stacked.data.builtin_sequences import LONGEST, SYMBOL_NUMBERS, symbols
from stacked.metrics import symbol_metrics

UNSEEN = 2000  # sequences
TOLD_EVERY = 5  # epochs


def drawn(n: int, seed: int) -> np.ndarray:
    """Sequences (n, 30, 8)."""
    return symbols(np.random.Generator(np.random.Philox(seed)).random((n, SYMBOL_NUMBERS)))


def first_steps(x: np.ndarray, n: int) -> np.ndarray:
    """The first ``n`` steps of each sequence, NaN after them."""
    out = x.copy()
    out[:, n:] = np.nan
    return out


def turned_round(x: np.ndarray) -> np.ndarray:
    """Each sequence from its last step to its first, NaN after that."""
    out = np.full_like(x, np.nan)
    for row, length in enumerate((~np.isnan(x[..., 0])).sum(axis=1)):
        out[row, :length] = x[row, :length][::-1]
    return out


def schedule(rate: float, epochs: int) -> tuple[tuple[int, float], ...]:
    """The rate for two fifths of the epochs, then ever less, in a straight line that would end at 0."""
    held = 2 * epochs // 5
    falling = ((epoch, rate * (epochs - epoch) / (epochs - held)) for epoch in range(held + 1, epochs))
    return ((0, rate), *falling)


def train(args: argparse.Namespace) -> None:
    """Train by the arguments, and print a row a few epochs apart."""
    unseen = drawn(UNSEEN, 0)
    unit = SequenceAutoencoder(
        args.units, cell=args.cell, forcing=args.forcing, learning_rate=schedule(args.rate, args.epochs),
        batch_size=args.batch_size, epochs=args.epochs, validation_fraction=0, scaling="none", random_state=0,
        n_threads=args.threads,
    )  # fmt: skip
    started = time.perf_counter()
    print(f"{'epoch':>5} {'seconds':>8} {'steps':>5} {'loss':>8} {'symbols right':>14} {'sequences right':>16}")
    for epoch in range(args.epochs):
        n = min(LONGEST, args.first + (LONGEST - args.first) * epoch // max(1, args.growing))
        own = first_steps(drawn(args.rows, 1 if args.fixed else 1 + epoch), n)
        unit.partial_fit(own, target=turned_round(own) if args.task == "reverse" else None)
        if (epoch + 1) % TOLD_EVERY == 0 or epoch + 1 == args.epochs:
            seconds, known = time.perf_counter() - started, first_steps(unseen, n)
            found = symbol_metrics(unit, known, turned_round(known) if args.task == "reverse" else None)
            shares = f"{found['steps_right']:14.3%} {found['sequences_right']:16.2%}"
            print(f"{epoch + 1:5} {seconds:8.0f} {n:5} {unit.history_[-1].loss:8.4f} {shares}", flush=True)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=("copy", "reverse"), default="copy")
    parser.add_argument("--cell", choices=("gru", "lstm"), default="gru")
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--forcing", action="store_true", help="tell the decoder the symbol before")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--growing", type=int, default=22, help="epochs until all steps are taken")
    parser.add_argument("--first", type=int, default=6, help="steps that are taken in the first epoch")
    parser.add_argument("--rows", type=int, default=40000)
    parser.add_argument("--fixed", action="store_true", help="train on the same sequences in each epoch")
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
