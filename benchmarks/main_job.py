"""The main job, as a user runs it: MNIST from the IDX files to a tuned 784-1000-500-250-30 autoencoder, by the command line.

Prints the squared error per test image (summed over pixels in [0, 1]), that of PCA with 30 components, and the seconds.

    python benchmarks/main_job.py [FOLDER WITH MNIST'S IDX FILES] [--unit rbm] [--epochs 5]
        [--finetune-epochs 10] [--precision bfloat16]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sklearn.decomposition import PCA

from stacked import open_data

HERE = Path(__file__).resolve().parent


def stacked(*arguments: object) -> tuple[float, str]:
    """Seconds and output of one command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "stacked.cli", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, done.stdout


def pca_error(train: Path, test: Path, n_components: int) -> float:
    """Squared error per test row of PCA."""
    x, y = (open_data(str(path)).array / 255.0 for path in (train, test))
    pca = PCA(n_components).fit(x)
    return float(((y - pca.inverse_transform(pca.transform(y))) ** 2).sum(axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--unit", default="rbm")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--finetune-epochs", type=int, default=10)
    options = parser.parse_args()
    train, test = (options.folder / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k"))
    with tempfile.TemporaryDirectory() as folder:
        model, tuned = Path(folder) / "model.h5", Path(folder) / "tuned.h5"
        layers = ["--layers", "1000-500-250-30", "--unit", options.unit, "--precision", options.precision]
        first, _ = stacked("pretrain", train, "-o", model, *layers, "--epochs", options.epochs, "--seed", 0)
        second, _ = stacked("finetune", model, train, "-o", tuned, "--epochs", options.finetune_epochs)
        _, before = stacked("evaluate", model, test, "--json")
        _, after = stacked("evaluate", tuned, test, "--json")
    print(
        f"{options.unit}, {options.precision}: {options.epochs} + {options.finetune_epochs} epochs, {first:.0f} + {second:.0f} s"
    )
    print(f"squared error per test image: {json.loads(before)['squared_error']:.2f} pretrained", end=", ")
    print(f"{json.loads(after)['squared_error']:.2f} fine-tuned, {pca_error(train, test, 30):.2f} PCA")


if __name__ == "__main__":
    main()
