"""What rounding products to bfloat16 costs: reconstruction errors on MNIST's test images after 5 epochs, beside float32.

An RBM and a denoising autoencoder of 784 x 1000, and the four RBMs of 784-1000-500-250-30, each with a few seeds.

    python benchmarks/bfloat16_errors.py [FOLDER WITH MNIST'S IDX FILES] [--seeds 3] [--epochs 5]
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacked import RBM, Autoencoder, StackedAutoencoder, open_data

HERE = Path(__file__).resolve().parent


def _stack(epochs: int, precision: str, seed: int) -> StackedAutoencoder:
    units = [RBM(n, epochs=epochs) for n in (1000, 500, 250)]
    units.append(RBM(30, hidden="gaussian", learning_rate=0.001, epochs=epochs))
    return StackedAutoencoder(units, finetune_epochs=0, precision=precision, random_state=seed)


MODELS: dict[str, Callable[[int, str, int], Any]] = {
    "RBM 784-1000": lambda epochs, precision, seed: RBM(1000, epochs=epochs, precision=precision, random_state=seed),
    "denoising autoencoder 784-1000": lambda epochs, precision, seed: Autoencoder(
        1000, corruption_level=0.25, epochs=epochs, precision=precision, random_state=seed
    ),
    "RBMs 784-1000-500-250-30": _stack,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    train, test = (open_data(str(options.folder / f"{part}-images-idx3-ubyte.gz")).array for part in ("train", "t10k"))
    print("| model | float32, by seed | bfloat16, by seed | difference of the means |\n|---|---|---|---|")
    for name, make in MODELS.items():
        errors = {
            precision: [
                -make(options.epochs, precision, seed).fit(train).set_params(precision="float32").score(test)
                for seed in range(options.seeds)
            ]
            for precision in ("float32", "bfloat16")
        }
        means = [statistics.mean(values) for values in errors.values()]
        cells = [" ".join(f"{value:.3f}" for value in values) for values in errors.values()]
        print(f"| {name} | {cells[0]} | {cells[1]} | {means[1] / means[0] - 1:+.2%} |", flush=True)


if __name__ == "__main__":
    main()
