"""Does pretraining help a classifier with few labels? MNIST, 1,000 labelled and 60,000 unlabelled digits, mean of 5 seeds.

For each seed the same network is fine-tuned twice with the same settings on the same labelled digits: pretrained on all
training images without labels, and from random weights. The network is 784-500-500-10, of RBMs; with --convolutional two layers of
16 and 32 filters of 5 x 5, tanh, with pooling, pretrained as denoising autoencoders (Masci et al. 2011 saw 7.2 against 7.6 % with a
larger one).

    python benchmarks/pretraining_helps.py [FOLDER WITH MNIST'S IDX FILES] [--seeds N] [--convolutional]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from stacked import RBM, ConvolutionalAutoencoder, StackedClassifier, open_data

HERE = Path(__file__).resolve().parent
N_LABELLED = 1000


def classifier(seed: int) -> StackedClassifier:
    """784-500-500-10."""
    units = [RBM(500, epochs=10), RBM(500, epochs=10)]
    return StackedClassifier(
        units, finetune_epochs=50, finetune_batch_size=50, finetune_learning_rate=1e-3, random_state=seed
    )


def convolutional(seed: int) -> StackedClassifier:
    """16 and 32 filters of 5 x 5, each pooled by 2 x 2, then ten classes."""
    shared = {
        "kernel": 5, "pool": 2, "activation": "tanh", "corruption_level": 0.3, "epochs": 3, "batch_size": 50,
        "validation_fraction": 0, "patience": None,
    }  # fmt: skip
    units = [
        ConvolutionalAutoencoder(16, output="sigmoid", **shared),
        ConvolutionalAutoencoder(32, output="tanh", **shared),
    ]
    return StackedClassifier(
        units, finetune_epochs=30, finetune_batch_size=25, finetune_learning_rate=1e-3, validation_fraction=0, patience=None,
        random_state=seed,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--convolutional", action="store_true")
    options = parser.parse_args()
    make = convolutional if options.convolutional else classifier
    train, test = (
        open_data(
            str(options.folder / f"{part}-images-idx3-ubyte.gz"), str(options.folder / f"{part}-labels-idx1-ubyte.gz")
        )
        for part in ("train", "t10k")
    )
    errors = []
    print(f"{'seed':>4}  {'pretrained':>10}  {'random':>10}  seconds")
    for seed in range(options.seeds):
        start = time.perf_counter()
        chosen = np.sort(np.random.default_rng(seed).choice(train.n_rows, N_LABELLED, replace=False))
        x, y = train.array[chosen].reshape(-1, 28, 28), train.labels[chosen]
        pretrained = make(seed).pretrain(train).finetune(x, y)
        random = make(seed).finetune(x, y)
        pair = [round((1 - model.score(test, test.labels)) * test.n_rows) for model in (pretrained, random)]
        errors.append(pair)
        print(f"{seed:>4}  {pair[0]:>10}  {pair[1]:>10}  {time.perf_counter() - start:7.0f}", flush=True)
    mean = np.mean(errors, axis=0)
    print(f"mean  {mean[0]:>10.1f}  {mean[1]:>10.1f}  test errors of {test.n_rows}")
    print(f"pretraining: {100 * (1 - mean[0] / mean[1]):.1f} % fewer test errors with {N_LABELLED} labels")


if __name__ == "__main__":
    main()
