"""Sets of rows with outliers, for `anomalies.py`: real ones at hand (scikit-learn's, ``../shared/data``) and generated ones.

Each gives inliers (n, V), outliers (m, V) and the name of its kind. ``unit`` values lie in [0, 1] and are taken as they are;
``table`` columns are to be standardised one by one, ``real`` ones by one number.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


class Outliers(NamedTuple):
    """Rows that are alike, rows that are not, and what their columns are."""

    inliers: np.ndarray
    outliers: np.ndarray
    kind: str


def _digits(one: int) -> Outliers:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Outliers(x[y == one] / 16, x[y != one] / 16, "unit")


def _digits_but(one: int) -> Outliers:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Outliers(x[y != one] / 16, x[y == one] / 16, "unit")


def _breast_cancer() -> Outliers:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return Outliers(x[y == 1], x[y == 0], "table")


def _wine() -> Outliers:
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    return Outliers(x[y != 0], x[y == 0], "table")


def _letter(inside: str) -> Outliers:
    with np.load(DATA / "letter" / "letter.npz") as file:
        x, y = file["X"].astype(float), file["y"]
    alike = np.isin(y, [ord(name) - ord("A") for name in inside])
    return Outliers(x[alike], x[~alike], "table")


def _adult() -> Outliers:
    lines = gzip.decompress((DATA / "adult" / "adult.data.gz").read_bytes()).decode().splitlines()
    cells = [line.split(", ") for line in lines if line]
    x = np.array([[float(row[i]) for i in (0, 2, 4, 10, 11, 12)] for row in cells])
    rich = np.array([row[-1].startswith(">") for row in cells])
    return Outliers(x[~rich], x[rich], "table")


def _images(name: str, one: int) -> Outliers:
    folder = DATA / name
    x = np.frombuffer(gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    y = np.frombuffer(gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    x, y = x.reshape(-1, 784)[:20_000], y[:20_000]
    return Outliers(x[y == one] / 255, x[y != one] / 255, "unit")


def _faces() -> Outliers:
    with np.load(DATA / "cbcl-faces" / "cbcl_faces.npz") as file:
        x = file["X"] / 255.0
    upside_down = np.random.default_rng(0).permutation(len(x))[: len(x) // 4]
    rest = np.setdiff1d(np.arange(len(x)), upside_down)
    return Outliers(x[rest].reshape(len(rest), -1), x[upside_down, ::-1, :].reshape(len(upside_down), -1), "unit")


def _mixture(rng: np.random.Generator, n: int, n_columns: int, n_centres: int) -> np.ndarray:
    centres = rng.normal(0, 3, (n_centres, n_columns))
    shapes = rng.normal(0, 1, (n_centres, n_columns, n_columns)) / np.sqrt(n_columns)
    chosen = rng.integers(0, n_centres, n)
    return centres[chosen] + np.einsum("nij,nj->ni", shapes[chosen], rng.normal(size=(n, n_columns)))


def _uniform_among_gaussians() -> Outliers:
    rng = np.random.default_rng(1)
    x = _mixture(rng, 2200, 10, 4)
    return Outliers(x, rng.uniform(x.min(0), x.max(0), (300, 10)), "table")


def _broken_dependence() -> Outliers:
    """Rows of a curved 3-dimensional sheet in 15 columns; of outliers each column is from another row."""
    rng = np.random.default_rng(2)
    hidden, first, second = rng.normal(size=(2200, 3)), rng.normal(size=(3, 30)), rng.normal(size=(30, 15))
    x = np.tanh(hidden @ first) @ second + rng.normal(0, 0.3, (2200, 15))
    return Outliers(x, np.column_stack([rng.permutation(column) for column in x.T])[:300], "table")


def _local() -> Outliers:
    """Outliers are draws from the clusters that are 2 times as wide."""
    rng = np.random.default_rng(3)
    centres, widths = rng.normal(0, 4, (3, 8)), np.array([0.3, 1.0, 2.0])
    chosen = rng.integers(0, 3, 2500)
    noise = rng.normal(size=(2500, 8)) * widths[chosen, None]
    noise[2200:] *= 2
    x = centres[chosen] + noise
    return Outliers(x[:2200], x[2200:], "table")


def _heartbeats() -> Outliers:
    rng, n, t = np.random.default_rng(4), 1800, np.arange(140)

    def beats(n: int, sick: bool) -> np.ndarray:
        out = 0.05 * rng.normal(size=(n, 140))
        for centre, width, height in ((30, 6, 0.3), (55, 2, 1.6), (60, 3, -0.5), (95, 10, 0.5)):
            at = centre + rng.normal(0, 2, (n, 1)) + (rng.normal(0, 4, (n, 1)) if sick else 0)
            wide = width * np.exp(rng.normal(0, 0.1 + 0.25 * sick, (n, 1)))
            high = height * np.exp(rng.normal(0, 0.15 + 0.2 * sick, (n, 1)))
            out += high * np.exp(-0.5 * ((t - at) / wide) ** 2)
        return out

    return Outliers(beats(n, False), beats(200, True), "real")


def _spectra() -> Outliers:
    rng, w = np.random.default_rng(5), np.linspace(0, 1, 200)
    peaks = [np.exp(-0.5 * ((w - c) / s) ** 2) for c, s in zip(rng.random(8), rng.uniform(0.01, 0.05, 8), strict=True)]
    basis = np.stack([*peaks, w, np.ones(200)])

    def mixtures(n: int) -> np.ndarray:
        return rng.gamma(2, 0.5, (n, 10)) @ basis + 0.05 * rng.normal(size=(n, 200))

    strange = mixtures(100)
    for row in strange:
        row += rng.uniform(0.2, 0.6) * np.exp(-0.5 * ((w - rng.random()) / rng.uniform(0.01, 0.03)) ** 2)
    return Outliers(mixtures(600), strange, "real")


def _counts() -> Outliers:
    rng = np.random.default_rng(6)
    topics = rng.dirichlet(np.full(300, 0.05), 13)

    def texts(n: int, some: np.ndarray) -> np.ndarray:
        return rng.poisson(80 * rng.dirichlet(np.full(len(some), 0.3), n) @ some)

    return Outliers(np.log1p(texts(1500, topics[:10])), np.log1p(texts(150, topics[9:])), "real")


def _far_columns() -> Outliers:
    """Skewed columns of very different size; outliers are large in two of them."""
    rng = np.random.default_rng(7)
    mix = rng.normal(size=(20, 20)) / 4 + np.eye(20)
    x = np.exp(0.5 * rng.normal(size=(2300, 20)) @ mix) * np.logspace(0, 4, 20)
    for row in x[2000:]:
        row[rng.permutation(20)[:2]] *= rng.uniform(2, 6)
    return Outliers(x[:2000], x[2000:], "table")


SETS: dict[str, Callable[[], Outliers]] = {
    "digits, one class (3)": lambda: _digits(3),
    "digits, all but 8": lambda: _digits_but(8),
    "breast cancer": _breast_cancer,
    "wine": _wine,
    "letters A, B, C": lambda: _letter("ABC"),
    "letters H to P": lambda: _letter("HIJKLMNOP"),
    "adult's numbers": _adult,
    "MNIST, 4 against the rest": lambda: _images("mnist", 4),
    "MNIST, 8 against the rest": lambda: _images("mnist", 8),
    "Fashion, shirts": lambda: _images("fashion-mnist", 6),
    "faces, upside down": _faces,
    "uniform among Gaussians": _uniform_among_gaussians,
    "broken dependence": _broken_dependence,
    "wider clusters": _local,
    "heartbeats": _heartbeats,
    "spectra": _spectra,
    "counts of words": _counts,
    "skewed columns": _far_columns,
}


def split(name: str, contaminated: bool, share: float = 0.07) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(training rows, test rows, labels of these, 1 for an outlier), scaled, at most 3,000 inliers.

    Clean: half of the inliers train, the others and the outliers test. Contaminated: all train and test, and ``share`` of them
    are outliers.
    """
    found, rng = SETS[name](), np.random.default_rng(0)
    inliers = found.inliers[rng.permutation(len(found.inliers))[:3000]]
    n_out = max(10, round(len(inliers) * share / (1 - share))) if contaminated else len(inliers)
    outliers = found.outliers[rng.permutation(len(found.outliers))[:n_out]]
    half = len(inliers) // 2
    train, test = (inliers[:half], inliers[half:]) if not contaminated else (np.vstack([inliers, outliers]), inliers)
    labels = np.repeat([0, 1], [len(test), len(outliers)])
    mean, std = scaling(train, found.kind)
    both = ((rows - mean) / std for rows in (train, np.vstack([test, outliers])))
    return *(np.ascontiguousarray(rows, np.float32) for rows in both), labels


def scaling(rows: np.ndarray, kind: str) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Mean and deviation to scale rows with: by column, by one number, or not at all."""
    if kind == "unit":
        return 0.0, 1.0
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    if kind == "real":
        return mean, float(np.sqrt(np.square(std).mean()))
    return mean, np.where(std > 0, std, 1.0)
