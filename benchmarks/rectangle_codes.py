"""Does a code of two numbers find the two that the data have? Deep autoencoders of ``rectangles``, whose height and width vary.

The code plane is mapped to (height, width) by the best linear map, least squares on the training rows. Printed is Spearman's rank
correlation of each with the truth on rows held out. The picture shows the codes of those rows, coloured by height and by width, for
the recipe with the best mean.

    python benchmarks/rectangle_codes.py PICTURE.png [--seed N]
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from stacked import RBM, Autoencoder, StackedAutoencoder, open_data

N_TRAIN, N_TEST = 20_000, 5_000
TUNING = {"finetune_epochs": 50, "finetune_batch_size": 100, "finetune_learning_rate": 1e-3}
SHORT = {"epochs": 10, "batch_size": 50}
NOISE = {"corruption": "gaussian", "corruption_level": 0.5}


def autoencoders(*sizes: int, **noise) -> list:
    """Sigmoid units below a linear code of two."""
    units = [Autoencoder(size, **SHORT, **noise) for size in sizes]
    return [*units, Autoencoder(2, activation="linear", learning_rate=0.01, **SHORT)]


def machines(*sizes: int) -> list:
    """Binary RBMs below a Gaussian one of two hidden units."""
    return [*(RBM(size, **SHORT) for size in sizes), RBM(2, hidden="gaussian", learning_rate=0.001, **SHORT)]


RECIPES = {
    "784-200-2, autoencoders": autoencoders(200),
    "784-200-2, RBMs": machines(200),
    "784-200-50-2, denoising autoencoders": autoencoders(200, 50, **NOISE),
    "784-200-50-2, autoencoders": autoencoders(200, 50),
    "784-200-50-2, RBMs": machines(200, 50),
}


def sides(images: np.ndarray) -> np.ndarray:
    """Height and width (n, 2), in pixels, of rectangles (n, 784) uint8: sums of a column and of a row through the middle."""
    square = images.reshape(-1, 28, 28) / 255
    return np.stack([square[:, :, 14].sum(axis=1), square[:, 14].sum(axis=1)], axis=1)


def mapped(codes: np.ndarray, known_codes: np.ndarray, known_sides: np.ndarray) -> np.ndarray:
    """codes (n, 2) by the linear map, with a constant, that is best for the known ones."""
    plane, known = (np.column_stack([c.astype(np.float64), np.ones(len(c))]) for c in (codes, known_codes))
    return plane @ np.linalg.lstsq(known, known_sides, rcond=None)[0]


def rank_correlations(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Spearman's, of height and of width."""
    return [float(spearmanr(*pair).statistic) for pair in zip(found.T, truth.T, strict=True)]


def draw(path: Path, title: str, codes: np.ndarray, truth: np.ndarray) -> None:
    """The code plane, coloured by height and by width."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axes, name, values in zip(figure.subplots(1, 2), ("height", "width"), truth.T, strict=True):
        points = axes.scatter(*codes.T, c=values, s=4, cmap="viridis")
        axes.set(xlabel="code 1", ylabel="code 2")
        figure.colorbar(points, ax=axes, label=f"{name} in pixels")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train, test = open_data(f"rectangles:{N_TRAIN}:0").array, open_data(f"rectangles:{N_TEST}:1").array
    truth, best = sides(test), 0.0
    print(f"{'':36}  {'error':>6}  {'height':>6}  {'width':>6}  {'mean':>6}  seconds")
    for name, units in RECIPES.items():
        start = time.perf_counter()
        model = StackedAutoencoder(units, **TUNING, random_state=options.seed).fit(train)
        seconds, codes = time.perf_counter() - start, model.transform(test)
        ranks = rank_correlations(mapped(codes, model.transform(train), sides(train)), truth)
        mean = float(np.mean(ranks))
        print(
            f"{name:36}  {-model.score(test):6.3f}  {ranks[0]:.4f}  {ranks[1]:.4f}  {mean:.4f}  {seconds:7.0f}",
            flush=True,
        )
        if mean > best:
            best = mean
            draw(options.picture, name, codes, truth)


if __name__ == "__main__":
    main()
