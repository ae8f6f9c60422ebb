"""What recurrent autoencoders make of sequences: digits read row by row, a digit that bounces, faults in a periodic signal.

digits    MNIST, 28 steps of 28 pixels, into one code of 64 numbers: squared error an image beside a dense autoencoder with as many
movies    the built-in set, 16 frames of 24 x 24, into a code of 256: squared error a frame of the reconstruction, of each frame as
          the one before, and of each as the last one
faults    periods of a noisy signal, 140 samples, seven a step, trained on sound ones: area under the curve (ROC AUC) by the error
          of reconstruction, of periods in 8 % of which a peak is missing, late, inverted or flat

    python benchmarks/sequence_codes.py [FOLDER WITH MNIST'S IDX FILES] [--only digits|movies|faults] [--threads 2]
"""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from stacked import SequenceAutoencoder, StackedAutoencoder, open_data

HERE = Path(__file__).resolve().parent
CODE, MOVIE_CODE = 64, 256  # numbers; of a digit or a period, and of a movie


def trained(
    X: Any, n_hidden: int, epochs: int, rate: float, threads: int, **settings: Any
) -> tuple[SequenceAutoencoder, float]:
    """A unit fitted in small minibatches, and the seconds that it took; the rate falls to 0 in the second half."""
    started, held = time.perf_counter(), epochs // 2
    falling = [(epoch, rate * (epochs - epoch) / (epochs - held)) for epoch in range(held + 1, epochs)]
    unit = SequenceAutoencoder(
        n_hidden, epochs=epochs, learning_rate=[(0, rate), *falling], batch_size=20, validation_fraction=0, patience=None,
        random_state=0, n_threads=threads, **settings,
    )  # fmt: skip
    unit.fit(X)
    return unit, time.perf_counter() - started


def digits(folder: Path, threads: int, n: int = 10000) -> None:
    """Rows of MNIST's images as steps, beside a dense net."""
    train, test = (open_data(str(folder / f"{part}-images-idx3-ubyte.gz")) for part in ("train", "t10k"))
    X, held_out = (data.array.reshape(-1, 28, 28) for data in (train, test))
    X = X[:n]
    linear = PCA(CODE, random_state=0).fit(X.reshape(len(X), -1) / 255)
    flat = held_out.reshape(len(held_out), -1) / 255
    error = np.square(flat - linear.inverse_transform(linear.transform(flat))).sum(axis=1).mean()
    print(f"digits: PCA, {CODE} components: {error:.2f} a test image, {n:,} training images", flush=True)
    started = time.perf_counter()
    dense = StackedAutoencoder([256, CODE], finetune_epochs=30, random_state=0, n_threads=threads).fit(X)
    print(
        f"digits: dense 784-256-{CODE}: {-dense.score(held_out):.2f}, {time.perf_counter() - started:.0f} s", flush=True
    )
    for cell in ("gru", "lstm"):
        unit, seconds = trained(X, CODE, 30, 3e-3, threads, cell=cell, output="sigmoid")
        print(f"digits: {cell} 28-{CODE}: {-unit.score(held_out):.2f}, {seconds:.0f} s", flush=True)


def movies(threads: int) -> None:
    """A bouncing digit."""
    data = open_data("movies")
    frames = data.array.reshape(data.n_rows, *data.sample_shape)
    X, held_out = frames[:4000], frames[4000:]
    scale = frames.max()
    before, last = (
        np.square((held_out[:, :-1] - others.astype(float)) / scale).sum(axis=2).mean()
        for others in (held_out[:, 1:], held_out[:, -1:])
    )
    unit, seconds = trained(X, MOVIE_CODE, 20, 1e-3, threads, output="sigmoid")
    error = np.square((unit.reconstruct(held_out).reshape(held_out.shape) - held_out) / scale).sum(axis=2).mean()
    print(
        f"movies: gru 576-{MOVIE_CODE}: {error:.2f} a frame; the frame before repeated {before:.2f}, the last one {last:.2f};"
        f" {seconds:.0f} s",
        flush=True,
    )


def periods(n: int, faulty: np.ndarray, seed: int) -> np.ndarray:
    """Periods (n, 20, 7) of two peaks of varying height and place, seven samples a step; with faults where ``faulty`` (n,) says."""
    rng, t = np.random.default_rng(seed), np.linspace(0, 1, 140)
    place, height = rng.normal(0, 0.02, (n, 2)), rng.normal(1, 0.1, (n, 2))
    kind = np.where(faulty, rng.integers(1, 5, n), 0)
    height[kind == 1, 1] = 0.0
    place[kind == 2, 1] += 0.15
    height[kind == 3, 0] *= -1
    first, second = (
        h[:, None] * np.exp(-(((t - at - p[:, None]) / wide) ** 2))
        for h, p, at, wide in ((height[:, 0], place[:, 0], 0.3, 0.04), (0.5 * height[:, 1], place[:, 1], 0.65, 0.08))
    )
    signal = first + second + 0.1 * np.sin(2 * np.pi * t)
    signal[kind == 4, 40:100] = signal[kind == 4, 40:41]
    return (signal + rng.normal(0, 0.05, signal.shape)).reshape(n, 20, 7)


def faults(threads: int) -> None:
    """Periods with faults among sound ones."""
    faulty = np.random.default_rng(1).random(2000) < 0.08
    X, mixed = periods(4000, np.zeros(4000, bool), 0), periods(2000, faulty, 2)
    unit, seconds = trained(X, CODE, 40, 3e-3, threads)
    errors = np.square(unit.reconstruct(mixed).reshape(mixed.shape) - mixed).sum(axis=(1, 2))
    print(f"faults: ROC AUC {roc_auc_score(faulty, errors):.3f}, {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--only", choices=("digits", "movies", "faults"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for name, run in (("faults", faults), ("movies", movies), ("digits", partial(digits, options.folder))):
        if options.only in (None, name):
            run(threads=options.threads)


if __name__ == "__main__":
    main()
