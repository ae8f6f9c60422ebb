"""Do codes become as sparse as they were asked to be? Autoencoders and RBMs of MNIST with a target of 0.05, and with an L1 penalty.

For each model: the share of hidden units whose mean activation lies within 0.01 of 0.05, over the training rows, over 10,000 rows
of the training set held out, and over the test images; how sparse the codes of the rows held out are (`stacked.sparsity`); the
squared error of their reconstructions; and seconds of training.

    python benchmarks/sparse_codes.py [FOLDER WITH MNIST'S IDX FILES] [--rows 50000] [--seed 0] [--threads 2]
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from stacked import RBM, Autoencoder, open_data
from stacked.sparsity import code_sparsity

HERE = Path(__file__).resolve().parent
TARGET, TOLERANCE = 0.05, 0.01
N_HELD_OUT = 10_000
COLUMNS = ("training", "held out", "test", "active", "lifetime sparseness", "dead", "squared error", "seconds")

TO_TARGET = {"sparsity_target": TARGET, "sparsity_weight": 20}
MACHINE = {"momentum": 0.5, "learning_rate": 0.1, "epochs": 10}
N_OVERCOMPLETE = 1600  # hidden units, for 784 inputs


def steps(epochs: int) -> dict[str, Any]:
    """Large minibatches: the target is for the mean of each, and the smaller they are the more it varies.

    Small steps first, or a unit that overshoots is silent for all rows and stays so; small ones last, which draw units together.
    """
    starts = [round(epochs * share) for share in (0, 0.12, 0.72, 0.88)]
    return {
        "batch_size": 500,
        "epochs": epochs,
        "learning_rate": list(zip(starts, (0.01, 0.05, 0.01, 0.002), strict=True)),
    }


def models() -> dict[str, Any]:
    """By the names in the table."""
    short = steps(10)
    return {
        "autoencoder, 400": Autoencoder(400, **steps(25)),
        "autoencoder, 400, target": Autoencoder(400, **steps(25), **TO_TARGET),
        "RBM, 400": RBM(400, **MACHINE),
        "RBM, 400, target": RBM(400, **MACHINE, sparsity_target=TARGET, sparsity_weight=1),
        f"autoencoder, {N_OVERCOMPLETE}": Autoencoder(N_OVERCOMPLETE, **short),
        f"autoencoder, {N_OVERCOMPLETE}, L1": Autoencoder(N_OVERCOMPLETE, **short, code_l1=0.1),
        f"autoencoder, {N_OVERCOMPLETE}, target": Autoencoder(N_OVERCOMPLETE, **short, **TO_TARGET),
    }


def on_target(model: Any, images: np.ndarray) -> float:
    """Per cent of the hidden units whose mean activation over images (n, 784) is the target or nearly."""
    means = model.transform(images).mean(axis=0, dtype=np.float64)
    return 100 * float((np.abs(means - TARGET) <= TOLERANCE).mean())


def line(name: str, model: Any, sets: tuple[np.ndarray, ...]) -> str:
    """Train a model on the first of the sets (training, held out, test); its line of the table."""
    start = time.perf_counter()
    model.fit(sets[0])
    seconds, held_out = time.perf_counter() - start, sets[1]
    code = code_sparsity(model, held_out)
    reached = " | ".join(f"{on_target(model, images):.1f} %" for images in sets)
    sparsity = f"{100 * code['active']:.1f} % | {code['lifetime_sparseness']:.3f} | {code['dead_units']}"
    return f"| {name} | {reached} | {sparsity} | {-model.score(held_out):.2f} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    train, test = (open_data(str(options.folder / f"{part}-images-idx3-ubyte.gz")).array for part in ("train", "t10k"))
    order = np.random.default_rng(options.seed).permutation(len(train))
    held_out, rows = (np.sort(part) for part in (order[:N_HELD_OUT], order[N_HELD_OUT:][: options.rows]))
    print(f"| codes | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for name, model in models().items():
        model.set_params(n_threads=options.threads, random_state=options.seed)
        print(line(name, model, (train[rows], train[held_out], test)), flush=True)


if __name__ == "__main__":
    main()
