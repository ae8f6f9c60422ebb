"""How good a fitted model is on rows: the numbers of ``stacked evaluate``.

All are computed block by block, so rows may be larger than memory. With x the scaled rows (n, V) and r their reconstruction:

    squared_error   mean over the rows of  sum_j (x_j - r_j)^2
    cross_entropy   mean over the rows of  -sum_j [x_j log r_j + (1 - x_j) log(1 - r_j)], in nats
    rmse            sqrt(squared_error / V): the root of the mean over rows and features

Of sequences that end early, and of targets that do, sums are over the steps that are there, and V is the mean over the rows of the
numbers in these.

They are held against answers that need no training (`comparison`), and against labels of anomalies (`anomalies`).
"""

import math
from typing import Any

import numpy as np

from .comparison import compared, verdict
from .data import BLOCK_ROWS, Rows, lengths_of
from .decoding import Goal
from .errors import DataError
from .targets import are_symbols, goal_for, shares_right
from .training.losses import is_defined


def reconstruction_metrics(model: Any, X: Any, target: Any = None) -> dict[str, Any]:
    """Of a fitted model with a decoder, on X (n_samples, n_features): n_samples, n_features, and the three numbers above.

    ``cross_entropy`` is None where the outputs are not sigmoid. Of a model with targets x are the ``target`` of X, and n_features
    counts theirs; one that is told its own answers as it goes is told x.
    """
    rows, scaled = model._fitted_rows(X)
    network, goal = model._network, goal_for(model.target_, target, rows, model.network_.params.dtype)
    n_features = network.layers[-1].n_out
    defined = is_defined("cross_entropy", network.layers[-1].activation)
    with model._threads():
        squared_error = network.loss(rows, *scaled, "squared_error", goal=goal)
        cross_entropy = network.loss(rows, *scaled, "cross_entropy", goal=goal) if defined else None
    if not math.isfinite(squared_error + (cross_entropy or 0.0)):
        raise DataError(f"{rows.name}: the model's error on these rows is not finite; their values are too large")
    return {
        "n_samples": rows.n_rows,
        "n_features": n_features,
        "squared_error": squared_error,
        "cross_entropy": cross_entropy,
        "rmse": math.sqrt(squared_error / _values_a_row(model, rows, goal)),
    }


def _values_a_row(model: Any, rows: Rows, goal: Goal | None) -> float:
    """How many numbers a row should be answered with, in the mean."""
    if goal is not None:
        return float((~np.isnan(goal.table)).sum() / rows.n_rows)
    if not model.takes_sequences:
        return rows.n_columns
    return float(lengths_of(rows).sum() * rows.sample_shape[1] / rows.n_rows)


def symbol_metrics(model: Any, X: Any, target: Any = None) -> dict[str, float]:
    """Of a fitted model of sequences of symbols, each step a single 1 among zeros: ``steps_right`` and ``sequences_right``, shares.

    A step is right where the largest number of the answer is the 1, a sequence where all its steps are; steps after its end do not
    count. Nothing of other models.
    """
    if not model.takes_sequences or not hasattr(model, "reconstruct"):
        return {}
    rows, scaled = model._fitted_rows(X)
    goal = goal_for(model.target_, target, rows, model.network_.params.dtype)
    scaling = model.scaling_ if goal is None else model.target_.scaling
    if len(scaling.sample_shape) != 2 or scaling.sample_shape[1] < 2:
        return {}
    width = scaling.sample_shape[1]
    if not are_symbols(rows.read(0, min(rows.n_rows, BLOCK_ROWS)) if goal is None else goal.table, width):
        return {}
    expected = rows.read(0, rows.n_rows) if goal is None else goal.table
    if not are_symbols(expected, width):
        return {}
    with model._threads():
        steps, sequences = shares_right(model._network.apply(rows, *scaled), expected, width)
    return {"steps_right": steps, "sequences_right": sequences}


def comparison_metrics(model: Any, X: Any) -> dict[str, Any]:
    """Of a fitted model with a decoder: how a constant answer and PCA, both of the training rows, would do on X.

    ``constant_squared_error``, ``pca_squared_error`` and ``pca_components``, each None where the model does not know;
    ``worse_than``, those of "constant" and "pca" that do better than the model; and ``verdict``, a line about these or None.
    """
    rows, scaled = model._fitted_rows(X)
    with model._threads():
        found = compared(model, rows, scaled)
    return {
        "constant_squared_error": None if found is None else found.constant,
        "pca_squared_error": None if found is None else found.pca,
        "pca_components": None if found is None or found.pca is None else found.n_components,
        "worse_than": [] if found is None else found.worse_than,
        "verdict": None if found is None else verdict(model, found),
    }


def majority_metrics(model: Any, X: Any, accuracy: float) -> dict[str, Any]:
    """Of a fitted classifier on labelled `Rows` X: ``constant_accuracy``, that of always the class most frequent in training.

    None where the model does not know; ``worse_than`` and ``verdict`` as of `comparison_metrics`, a model that is as good being
    worse, too.
    """
    share = None if model.baseline_ is None else model.baseline_.class_share
    if share is None:
        return {"constant_accuracy": None, "worse_than": [], "verdict": None}
    most = int(share.argmax())
    constant = float((class_numbers(X, X.labels, model.classes_) == most).mean())
    found = accuracy <= constant
    line = f"no better than always answering {model.classes_[most]} ({constant:.2%}): train longer, or on more labelled rows"
    return {"constant_accuracy": constant, "worse_than": ["constant"] * found, "verdict": line if found else None}


def anomaly_metrics(model: Any, X: Any, labels: Any) -> dict[str, Any]:
    """How well anomaly scores of X (n_samples, n_features) tell rows labelled 1, the anomalies, from rows labelled 0.

    ``roc_auc``, ``average_precision`` and ``anomalies``, their number. DataError for other labels.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = -model.score_samples(X)
    true = _zeros_and_ones(X, labels, len(found))
    return {
        "roc_auc": float(roc_auc_score(true, found)),
        "average_precision": float(average_precision_score(true, found)),
        "anomalies": int(true.sum()),
    }


def _zeros_and_ones(rows: Any, labels: Any, n_rows: int) -> np.ndarray:
    name, values = getattr(rows, "name", "<array>"), np.asarray(labels)
    if values.shape != (n_rows,):
        raise DataError(f"{name}: expected {n_rows} labels, one a row, found shape {values.shape}")
    kinds = {str(value) for value in np.unique(values)[:3].tolist()}
    if kinds != {"0", "1"}:
        found = ", ".join(sorted(kinds))
        raise DataError(
            f"{name}: expected labels 0 (usual) and 1 (anomaly) to judge anomaly scores by, found {found}; labels of classes are"
            " for a classifier"
        )
    return (values.astype(str) == "1").astype(np.int64)


def likelihood_metrics(model: Any, X: Any, samples: int) -> dict[str, Any]:
    """Of a model with a Gaussian code: ``samples``, and the mean ``bound`` on log p(x) in nats with so many draws a row."""
    values = model.bound(X, samples)
    return {
        "samples": samples,
        "bound": float(values.mean()),
        "standard_error": float(values.std() / len(values) ** 0.5),
    }


def classification_metrics(model: Any, X: Any, y: Any = None) -> dict[str, Any]:
    """Of a fitted classifier, on X (n_samples, n_features) with labels y (n_samples,); y=None takes those of `Rows`.

    n_samples, n_features, accuracy, errors (their number), cross_entropy (nats a sample), classes, and confusion: a row a true
    class, a column a predicted one. DataError if a label is not among the model's classes.
    """
    rows, scaled = model._fitted_rows(X)
    classes = model.classes_
    true = class_numbers(rows, rows.labels if y is None else y, classes)
    with model._threads():
        predicted = model._network.apply(rows, *scaled).argmax(axis=1)
        cross_entropy = model._network.loss(rows, *scaled, "softmax_cross_entropy", true)
    n_classes = len(classes)
    confusion = np.bincount(true * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
    errors = int((true != predicted).sum())
    return {
        "n_samples": rows.n_rows,
        "n_features": rows.n_columns,
        "accuracy": 1 - errors / rows.n_rows,
        "errors": errors,
        "cross_entropy": cross_entropy,
        "classes": classes.tolist(),
        "confusion": confusion.tolist(),
    }


def class_numbers(rows: Rows, labels: Any, classes: np.ndarray) -> np.ndarray:
    """Positions (n_rows,) int64 of the labels among the sorted classes."""
    if labels is None:
        raise DataError(f"{rows.name}: expected rows with labels, found none")
    labels = np.asarray(labels)
    if labels.shape != (rows.n_rows,):
        raise DataError(f"{rows.name}: expected {rows.n_rows} labels, one a row, found shape {labels.shape}")
    known = np.isin(labels, classes)
    if not known.all():
        shown = ", ".join(map(str, classes[:10].tolist())) + (", ..." if len(classes) > 10 else "")
        raise DataError(
            f"{rows.name}: expected labels among {shown}; found {labels[np.argmin(known)]} at row {np.argmin(known)}"
        )
    return np.searchsorted(classes, labels).astype(np.int64)
