"""Convolutional against dense autoencoders with a code of 32 numbers: 5,000 digits of MNIST, 30 epochs of Adam, minibatches of 128.

Both kinds start from random weights and minimise the cross-entropy; the last two columns are the squared error a pixel on training
and test digits. (Published for such nets, by others: 0.0083 convolutional, 0.0125 dense.)

    python benchmarks/convolutional_codes.py [FOLDER WITH MNIST'S IDX FILES]
"""

import argparse
import time
from pathlib import Path

from stacked import StackedAutoencoder, open_data

HERE = Path(__file__).resolve().parent
N_TRAIN, CODE = 5000, 32
NETS = {
    "dense, 784-32": [CODE],
    "dense, 784-128-64-32": [128, 64, CODE],
    "dense, 784-256-32": [256, CODE],
    "dense, 784-1000-32": [1000, CODE],
    "convolutional, c16k5s2-c32k5s2-32": ["c16k5s2", "c32k5s2", CODE],
    "convolutional, c32k5s2-c64k5s2-32": ["c32k5s2", "c64k5s2", CODE],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    options = parser.parse_args()
    train, test = (open_data(str(options.folder / f"{part}-images-idx3-ubyte.gz")) for part in ("train", "t10k"))
    X, held_out = train.array[:N_TRAIN].reshape(-1, 28, 28), test.array.reshape(-1, 28, 28)
    print("| network | learning rate | seconds | training digits | test digits |\n|---|---|---|---|---|")
    for name, sizes in NETS.items():
        for rate in (1e-3, 3e-3):
            model = StackedAutoencoder(
                sizes, unit="autoencoder", unit_settings={"activation": "relu", "tied": False}, finetune_epochs=30,
                finetune_batch_size=128, finetune_optimizer="adam", finetune_learning_rate=rate, finetune_loss="cross_entropy",
                validation_fraction=0, patience=None, random_state=0,
            )  # fmt: skip
            started = time.perf_counter()
            model.finetune(X)
            seconds = time.perf_counter() - started
            errors = " | ".join(f"{-model.score(rows) / X[0].size:.5f}" for rows in (X, held_out))
            print(f"| {name} | {rate:g} | {seconds:.0f} | {errors} |", flush=True)


if __name__ == "__main__":
    main()
