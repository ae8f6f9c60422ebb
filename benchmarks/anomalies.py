"""Do anomaly scores find outliers? ROC AUC on sets with outliers, beside scikit-learn's IsolationForest and PCA.

Each set (`outlier_sets.py`) is tried twice: "clean", trained on half of its inliers and tested on the others and as many outliers,
and "mixed", trained and tested on all inliers with 7 % of outliers among them, unlabelled. The model is a deep autoencoder of relu
units with a linear code and linear outputs, pretrained and fine-tuned by Adam; PCA is its reconstruction error with as many
components as the code. `error`, `density` and `neighbours` are the three parts of the score (`stacked.anomalies`), each alone.

    python benchmarks/anomalies.py [--seed 0] [--threads 2] [--training clean mixed] [--only NAME]
"""

import argparse
import time
from typing import Any

import numpy as np
from outlier_sets import SETS, split
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from stacked import Autoencoder, StackedAutoencoder, anomalies

UPDATES, FINETUNE_UPDATES, BATCH = 2000, 4000, 50
COLUMNS = ("rows", "columns", "code", "IsolationForest", "PCA", "score", "error", "density", "neighbours", "seconds")
TIED = 5e-4  # of ROC AUC: what rounds to the same three digits is no difference


def sizes(width: int) -> list[int]:
    """Two hidden layers and a code for so many columns."""
    if width <= 30:
        return [max(2 * width, 16), max(width, 8), max(2, width // 3)]
    return [min(500, max(width // 2, 16)), min(200, max(width // 4, 8)), max(2, min(32, width // 10))]


def trained(rows: np.ndarray, seed: int, threads: int) -> StackedAutoencoder:
    """The autoencoder, by enough updates however few the rows."""
    batch = min(BATCH, len(rows))
    steps = -(-len(rows) // batch)
    common = {"output": "linear", "optimizer": "adam", "learning_rate": 1e-3, "batch_size": batch, "tied": False}
    *hidden, code = sizes(rows.shape[1])
    units = [
        *(Autoencoder(n, activation="relu", epochs=max(5, UPDATES // steps), **common) for n in hidden),
        Autoencoder(code, activation="linear", epochs=max(5, UPDATES // steps), **common),
    ]
    model = StackedAutoencoder(
        units, finetune_epochs=max(5, FINETUNE_UPDATES // steps), finetune_batch_size=batch, validation_fraction=0.1,
        patience=20, scaling="none", random_state=seed, n_threads=threads,
    )  # fmt: skip
    return model.fit(rows)


def parts_of(model: StackedAutoencoder, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The parts of the score of rows (n, V), each alone, by name."""
    network = model.network_
    found = anomalies._distances(model.baseline_, rows, anomalies.Eye(network).look(rows))
    return dict(zip(("error", "density", "neighbours"), found, strict=True))


def areas(name: str, contaminated: bool, seed: int, threads: int) -> dict[str, Any]:
    """ROC AUC of everything on one set, and what it was like."""
    train, test, labels = split(name, contaminated)
    start = time.perf_counter()
    model = trained(train, seed, threads)
    seconds = time.perf_counter() - start
    pca = PCA(min(sizes(train.shape[1])[-1], min(train.shape) - 1)).fit(train)
    found = {
        "IsolationForest": -IsolationForest(random_state=seed).fit(train).score_samples(test),
        "PCA": np.square(test - pca.inverse_transform(pca.transform(test))).sum(axis=1),
        "score": -model.score_samples(test),
        **parts_of(model, test),
    }
    about = {"rows": len(train), "columns": train.shape[1], "code": sizes(train.shape[1])[-1]}
    return {**about, **{key: roc_auc_score(labels, value) for key, value in found.items()}, "seconds": seconds}


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def summary(found: list[dict[str, Any]]) -> str:
    """On how many sets each is at least as good as the better of IsolationForest and PCA, and the mean area."""
    words = []
    for key in COLUMNS[3:9]:
        better = sum(row[key] >= max(row["IsolationForest"], row["PCA"]) - TIED for row in found)
        words.append(f"{key} {better} of {len(found)} (mean {np.mean([row[key] for row in found]):.3f})")
    return "at least the best of IsolationForest and PCA: " + ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--training", choices=["clean", "mixed"], nargs="*", default=["clean", "mixed"])
    parser.add_argument("--only", default="", help="sets whose names contain this")
    options = parser.parse_args()
    for training in options.training:
        print(f"{training}\n| set | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
        found = []
        for name in (name for name in SETS if options.only in name):
            row = areas(name, training == "mixed", options.seed, options.threads)
            row["seconds"] = round(row["seconds"])
            found.append(row)
            print(f"| {name} | {' | '.join(_cell(row[key]) for key in COLUMNS)} |", flush=True)
        print(summary(found) + "\n", flush=True)


if __name__ == "__main__":
    main()
