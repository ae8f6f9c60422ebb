"""Data sets for comparisons: those of scikit-learn, those of ``../shared/data`` (or the folder that the variable SHARED_DATA
names), and some drawn from a seed.

Each is scaled as its kind asks: values in [0, 1] as they are; tables by column to mean 0 and deviation 1, but for 0/1 columns;
other real values (patches, spectra, heartbeats) less their columns' means, by one number; counts by log(1 + x), then as the latter.
"""

import csv
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn import datasets

SHARED = Path(os.environ.get("SHARED_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
HELD_OUT = 0.2
_NUMERIC = (0, 2, 4, 10, 11, 12)  # columns of adult.data


@dataclass(frozen=True)
class DataSet:
    """``train`` and ``test`` (n_rows, n_columns) float32, scaled; ``kind`` is that of `stacked.defaults`."""

    name: str
    kind: str
    train: np.ndarray
    test: np.ndarray

    def sizes(self, n_layers: int = 3) -> list[int]:
        """Layers for a comparison: half and a quarter of the columns, at most 500 and 200, and a code of 2 to 30."""
        n = self.train.shape[1]
        code = min(30, max(2, n // 8))
        upper = [min(500, max(code + 2, n // 2)), min(200, max(code + 1, n // 4))]
        return [*upper[: n_layers - 1], code]


def load(name: str, seed: int = 0) -> DataSet:
    """A set of `NAMES`; ``seed`` chooses the rows held out, a fifth of all."""
    kind, rows = SETS[name]
    x = np.asarray(rows(), np.float64)
    order = np.random.default_rng(seed).permutation(len(x))
    n_test = round(HELD_OUT * len(x))
    test, train = x[order[:n_test]], x[order[n_test:]]
    if kind == "counts":
        train, test = np.log1p(train), np.log1p(test)
    if kind in ("real", "counts"):
        by_column = name in TABLES
        scale, offset = _scaling(train, by_column)
        train, test = (train - offset) * scale, (test - offset) * scale
    return DataSet(name, kind, train.astype(np.float32), test.astype(np.float32))


def _scaling(x: np.ndarray, by_column: bool) -> tuple[np.ndarray | float, np.ndarray | float]:
    """(scale, offset): by column but for those of 0 and 1 only and constant ones, or one scale for all."""
    mean = x.mean(axis=0)
    if not by_column:
        return 1 / (x - mean).std(), mean
    std = x.std(axis=0)
    kept = np.isin(x, (0, 1)).all(axis=0) | (std == 0)
    return 1 / np.where(kept, 1, std), np.where(kept, 0, mean)


def mnist(fashion: bool = False, n_rows: int = 2000, size: int = 28) -> np.ndarray:
    """Images (n_rows, size * size) in [0, 1], the first of the training set of MNIST, or Fashion-MNIST, or means of their areas."""
    folder = SHARED / ("fashion-mnist" if fashion else "mnist")
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + n_rows * 784)[16:], np.uint8).reshape(-1, 28, 28) / 255
    if size != 28:
        area = _areas(28, size)
        images = area @ images @ area.T
    return images.reshape(len(images), -1)


def mnist_labels(n_rows: int) -> np.ndarray:
    """Labels (n_rows,) of the first of MNIST's training set."""
    with gzip.open(SHARED / "mnist" / "train-labels-idx1-ubyte.gz") as file:
        return np.frombuffer(file.read(8 + n_rows)[8:], np.uint8)


def _areas(n: int, m: int) -> np.ndarray:
    """(m, n): m pixels as means of n, by the area that they share."""
    edges = np.arange(m + 1) * n / m
    overlap = np.minimum(edges[1:, None], np.arange(1, n + 1)) - np.maximum(edges[:-1, None], np.arange(n))
    return np.maximum(overlap, 0) * m / n


def _faces() -> np.ndarray:
    return np.load(SHARED / "cbcl-faces" / "cbcl_faces.npz")["X"].reshape(-1, 361) / 255


def _letter() -> np.ndarray:
    return np.load(SHARED / "letter" / "letter.npz")["X"][:8000]


def _adult() -> np.ndarray:
    """Numbers, and one-hot columns of words; the first 5,000 rows, the class left out."""
    with gzip.open(SHARED / "adult" / "adult.data.gz", "rt") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if len(row) == 15][:5000]
    columns = list(zip(*rows, strict=True))[:14]
    numbers = np.array([columns[i] for i in _NUMERIC], float).T
    words = [np.array(column) for i, column in enumerate(columns) if i not in _NUMERIC]
    return np.hstack([numbers, *(column[:, None] == np.unique(column) for column in words)])


def _patches(size: int = 12, n_rows: int = 6000) -> np.ndarray:
    """Grey patches of scikit-learn's two photographs, each less its mean."""
    rng = np.random.default_rng(0)
    photographs = [image.mean(axis=2) for image in datasets.load_sample_images().images]
    patches = np.empty((n_rows, size, size))
    for patch in patches:
        image = photographs[rng.integers(2)]
        row, column = (rng.integers(length - size + 1) for length in image.shape)
        patch[:] = image[row : row + size, column : column + size]
    return patches.reshape(n_rows, -1) - patches.mean(axis=(1, 2))[:, None]


def _words(n_rows: int, n_words: int, n_topics: int, length: float) -> np.ndarray:
    """Counts of words, of mixtures of topics whose words are drawn from a power law."""
    rng = np.random.default_rng(1)
    frequency = 1 / np.arange(1, n_words + 1)
    topics = rng.dirichlet(300 * frequency / frequency.sum(), n_topics)
    shares = rng.dirichlet(np.full(n_topics, 0.1), n_rows)
    return rng.poisson(length * rng.gamma(4, 0.25, (n_rows, 1)) * (shares @ topics))


def _spectra() -> np.ndarray:
    """500 spectra at 200 wavelengths: mixtures of six substances of a few peaks each, which shift; a baseline, noise."""
    rng, x = np.random.default_rng(2), np.linspace(0, 1, 200)
    places, widths, heights = rng.uniform(0, 1, (6, 4)), rng.uniform(0.01, 0.05, (6, 4)), rng.gamma(2, 1, (6, 4))
    shift = rng.normal(0, 0.01, (500, 6, 1, 1))
    peaks = heights[..., None] * np.exp(-0.5 * ((x - places[..., None] - shift) / widths[..., None]) ** 2)
    share = rng.dirichlet(np.ones(6), 500)
    baseline = rng.normal(0, 0.2, (500, 3)) @ np.stack([np.ones(200), x, x**2])
    return np.einsum("rs,rspx->rx", share, peaks) + baseline + rng.normal(0, 0.01, (500, 200))


def _heartbeats() -> np.ndarray:
    """2,000 windows of 140 points from an idealised electrocardiogram: rate, phase, and widths and heights of the waves vary."""
    rng, time = np.random.default_rng(3), np.arange(140) / 140
    waves = np.array(
        [(-0.2, 0.12, 0.025), (-0.03, -0.15, 0.01), (0, 1.0, 0.011), (0.03, -0.25, 0.012), (0.25, 0.3, 0.04)]
    )
    period = rng.uniform(0.7, 1.0, (2000, 1, 1))
    phase = rng.normal(0.4, 0.05, (2000, 1, 1)) + period * np.arange(-1, 2)
    beats = np.zeros((2000, 140))
    for place, height, width in waves:
        heights, widths = height * rng.normal(1, 0.15, (2000, 1)), width * rng.gamma(40, 1 / 40, (2000, 1, 1))
        distance = (time[:, None] - phase - place * period) / widths
        beats += heights * np.exp(-0.5 * distance**2).sum(axis=2)
    return beats + rng.normal(0, 0.02, beats.shape)


def _few() -> np.ndarray:
    """200 rows of 30 correlated columns, curved by squares of five factors."""
    rng = np.random.default_rng(4)
    factors = rng.normal(size=(200, 5))
    curved = np.hstack([factors, factors**2 - 1])
    return curved @ rng.normal(size=(10, 30)) + rng.normal(size=(200, 30))


def _wide() -> np.ndarray:
    """400 smooth images of 40 by 50 pixels in [0, 1]: two soft blobs on a slope."""
    rng, rows, columns = np.random.default_rng(5), np.arange(40)[:, None] / 40, np.arange(50) / 50
    images = np.zeros((400, 40, 50))
    for image in images:
        image += rng.uniform(0.1, 0.4) + rng.normal(0, 0.1) * rows + rng.normal(0, 0.1) * columns
        for _ in range(2):
            row, column, width = *rng.uniform(0.2, 0.8, 2), rng.uniform(0.08, 0.25)
            image += rng.uniform(0.2, 0.5) * np.exp(-0.5 * ((rows - row) ** 2 + (columns - column) ** 2) / width**2)
    return np.clip(images + rng.normal(0, 0.02, images.shape), 0, 1).reshape(400, -1)


TABLES = {"letter", "adult", "breast cancer", "wine", "diabetes", "few rows"}
SETS: dict[str, tuple[str, Callable[[], np.ndarray]]] = {  # name -> (kind, rows)
    "faces 19x19": ("unit", _faces),
    "letter": ("real", _letter),
    "adult": ("real", _adult),
    "MNIST, 2,000": ("ink", mnist),
    "MNIST, 10,000": ("ink", lambda: mnist(n_rows=10_000)),
    "Fashion, 2,000": ("shades", lambda: mnist(fashion=True)),
    "Fashion, 10,000": ("shades", lambda: mnist(fashion=True, n_rows=10_000)),
    "MNIST 16x16": ("shades", lambda: mnist(size=16)),
    "digits": ("shades", lambda: datasets.load_digits().data / 16),
    "digits, 300": ("shades", lambda: datasets.load_digits().data[:300] / 16),
    "breast cancer": ("real", lambda: datasets.load_breast_cancer().data),
    "wine": ("real", lambda: datasets.load_wine().data),
    "diabetes": ("real", lambda: datasets.load_diabetes().data),
    "patches 12x12": ("real", _patches),
    "spectra": ("real", _spectra),
    "heartbeats": ("real", _heartbeats),
    "counts of words": ("counts", lambda: _words(3000, 1000, 20, 150)),
    "words, yes or no": ("binary", lambda: _words(3000, 500, 20, 60) > 0),
    "few rows": ("real", _few),
    "wide": ("unit", _wide),
}
