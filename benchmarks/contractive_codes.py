"""Does a code that resists noise make a better classifier? MNIST, one hidden layer of 500, 1,000 labelled digits, test error.

After Rifai et al. 2011, table 1. For each seed 20,000 training images without labels pretrain an autoencoder of each kind (tied,
sigmoid, cross-entropy), and 1,000 of them with labels fine-tune it as a classifier, all kinds with the same steps on the same
rows. The knobs of plain, masking and contractive codes are the best that ``--tune`` prints: validation error on 10,000 other
training images, for a seed that is not among those reported. That of Gaussian noise was not tuned.

    python benchmarks/contractive_codes.py [FOLDER WITH MNIST'S IDX FILES] [--tune] [--seeds 3] [--rows 20000] [--threads 2]
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stacked import Autoencoder, StackedClassifier, open_data
from stacked.data import Rows

HERE = Path(__file__).resolve().parent
N_HIDDEN, N_LABELLED, N_VALIDATION = 500, 1000, 10_000
TUNING_SEED = 100
STEPS = {"batch_size": 20, "learning_rate": 0.2, "momentum": 0.5}
FINETUNE = {
    "finetune_epochs": 50, "finetune_batch_size": 20, "finetune_optimizer": "momentum", "finetune_learning_rate": 1.0,
    "finetune_momentum": 0.0,
}  # fmt: skip
MASKING, GAUSSIAN = {"corruption": "masking"}, {"corruption": "gaussian"}
KINDS = {
    "random start": {"epochs": 0},
    "plain": {},
    "masking": MASKING | {"corruption_level": 0.5},
    "contractive": {"contraction": 0.5},
    "Gaussian": GAUSSIAN | {"corruption_level": 0.5},
}
GRID = {
    "plain": [{"learning_rate": rate} for rate in (0.2, 0.4)],
    "masking": [MASKING | {"corruption_level": level} for level in (0.35, 0.5, 0.65)],
    "contractive": [{"contraction": weight} for weight in (0.2, 0.5, 1.0)],
}


class Split:
    """Rows of the training set for one seed: those that pretrain, those of them that are labelled, and those for validation."""

    def __init__(self, train: Rows, n_rows: int, seed: int):
        order = np.random.default_rng(seed).permutation(train.n_rows)
        rest = order[N_VALIDATION:][:n_rows]
        validation, rows, labelled = (np.sort(part) for part in (order[:N_VALIDATION], rest, rest[:N_LABELLED]))
        images, labels = train.array, np.asarray(train.labels)
        self.rows, self.labelled = images[rows], (images[labelled], labels[labelled])
        self.validation = images[validation], labels[validation]


class Trial:
    """Trains classifiers of one seed."""

    def __init__(self, split: Split, options: argparse.Namespace, seed: int):
        self.split, self.epochs = split, options.epochs
        self.common = {"random_state": seed, "n_threads": options.threads}

    def error(self, knobs: dict, asked: tuple[np.ndarray, np.ndarray]) -> float:
        """Per cent of ``asked``, (images, labels), that a classifier from an autoencoder of these knobs gets wrong."""
        unit = Autoencoder(N_HIDDEN, **{"epochs": self.epochs} | STEPS | knobs)
        model = StackedClassifier([unit], **FINETUNE, **self.common)
        if unit.epochs:
            model.pretrain(self.split.rows)
        return 100 * (1 - model.finetune(*self.split.labelled).score(*asked))


def tune(train: Rows, options: argparse.Namespace) -> None:
    """Print the validation error of every knob's values."""
    trial = Trial(Split(train, options.rows, TUNING_SEED), options, TUNING_SEED)
    print(f"| kind | knob | validation error, seed {TUNING_SEED} |\n|---|---|---|")
    for kind, several in GRID.items():
        for knobs in several:
            (name, value) = list(knobs.items())[-1]
            print(f"| {kind} | {name} {value} | {trial.error(knobs, trial.split.validation):.2f} % |", flush=True)


def compare(train: Rows, test: Rows, options: argparse.Namespace) -> None:
    """Print the test error of every kind for every seed."""
    trials = [Trial(Split(train, options.rows, seed), options, seed) for seed in range(options.seeds)]
    asked = test.array, np.asarray(test.labels)
    seeds = " | ".join(f"seed {seed}" for seed in range(options.seeds))
    print(f"| code | {seeds} | mean | seconds a seed |\n|---|{'---|' * (options.seeds + 2)}")
    errors = {}
    for kind, knobs in KINDS.items():
        start = time.perf_counter()
        errors[kind] = [trial.error(knobs, asked) for trial in trials]
        seconds = (time.perf_counter() - start) / options.seeds
        each = " | ".join(f"{error:.2f} %" for error in errors[kind])
        print(f"| {kind} | {each} | {np.mean(errors[kind]):.2f} % | {seconds:.0f} |", flush=True)
    print("\n".join(verdicts(errors)))


def verdicts(errors: dict[str, list[float]]) -> Iterator[str]:
    """Whether contractive codes are as good as masking ones and these better than plain ones: by the mean, and for each seed."""
    contractive, masking, plain = (np.array(errors[kind]) for kind in ("contractive", "masking", "plain"))
    for name, lower, upper in (
        ("contractive <= masking", contractive, masking),
        ("masking < plain", masking, plain),
        ("contractive < plain", contractive, plain),
    ):
        strict = "<=" not in name
        holds = lower < upper if strict else lower <= upper
        mean = lower.mean() < upper.mean() if strict else lower.mean() <= upper.mean()
        yield f"{name}: {'yes' if mean else 'NO'} by the mean, for {int(holds.sum())} of {len(holds)} seeds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    train, test = (
        open_data(
            str(options.folder / f"{part}-images-idx3-ubyte.gz"), str(options.folder / f"{part}-labels-idx1-ubyte.gz")
        )
        for part in ("train", "t10k")
    )
    if options.tune:
        tune(train, options)
    else:
        compare(train, test, options)


if __name__ == "__main__":
    main()
