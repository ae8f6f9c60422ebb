"""A variational autoencoder on MNIST against Burda et al. 2016: bounds on the test images, and a picture of samples.

784-200-200-50, tanh, images binarised anew at each draw, minibatches of 20, Adam; stage i is 3^i epochs at the rate
0.001 10^(-i / 7), as in the authors' code, of which the first five or six are run here (121 or 364 epochs; the paper: 3,280). The
bound takes 5,000 draws an image. They report 86.76 nats; one draw an image is minus the evidence lower bound.

    python benchmarks/variational.py MNIST_FOLDER PICTURE.png [--stages 5] [--images N] [--draws 5000] [--threads N]
"""

import argparse
from pathlib import Path

from stacked import VariationalAutoencoder, open_data

FIRST_RATE, STAGES = 1e-3, 8


def schedule(stages: int) -> tuple[list[tuple[int, float]], int]:
    """(first epoch, rate) of every stage, and the number of epochs in all."""
    starts = [sum(3**j for j in range(i)) for i in range(stages + 1)]
    return [(starts[i], FIRST_RATE * 10 ** (-i / (STAGES - 1))) for i in range(stages)], starts[-1]


class Progress:
    """A callback that prints a line after some epochs: seconds of training, and nats a test image by one draw and by many."""

    def __init__(self, model, test, draws: int, epochs: set[int]):
        self._model, self._test, self._draws, self._epochs, self._seconds = model, test, draws, epochs, 0.0

    def __call__(self, record) -> None:
        self._seconds += record.seconds
        if record.epoch + 1 in self._epochs:
            one, many = (-self._model.bound(self._test, k) for k in (1, self._draws))
            error = many.std() / len(many) ** 0.5
            print(
                f"| {record.epoch + 1} | {self._seconds:.0f} | {one.mean():.2f} | {many.mean():.2f} ± {error:.2f} |",
                flush=True,
            )


def picture(model, path: str) -> None:
    """A grid of samples: the means that the decoder gives for codes from the prior."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    images = model.sample(100, 0).reshape(10, 10, 28, 28).transpose(0, 2, 1, 3).reshape(280, 280)
    plt.imsave(path, images, cmap="gray_r", vmin=0, vmax=images.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture")
    parser.add_argument("--stages", type=int, default=5)
    parser.add_argument("--images", type=int, default=60000)
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    with open_data(str(options.folder / "train-images-idx3-ubyte.gz")) as rows:
        train = rows.read(0, options.images)
    with open_data(str(options.folder / "t10k-images-idx3-ubyte.gz")) as rows:
        test = rows.read(0, rows.n_rows)
    rates, epochs = schedule(options.stages)
    settings = {"batch_size": 20, "learning_rate": rates, "binarize": True, "n_threads": options.threads}
    model = VariationalAutoencoder(50, hidden_layers=(200, 200), epochs=epochs, random_state=0, **settings)
    progress = Progress(model, test, options.draws, {sum(3**j for j in range(i)) for i in (5, options.stages)})
    print(f"{len(train):,} images\n| epochs | seconds | one draw | {options.draws:,} draws |\n|---|---|---|---|")
    model.fit(train, callback=progress)
    picture(model, options.picture)


if __name__ == "__main__":
    main()
