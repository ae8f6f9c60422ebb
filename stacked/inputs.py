"""From what a user passes as X to `Rows`, by scikit-learn's conventions."""

from typing import Any

import numpy as np

from .checks import check_width
from .data import Rows, as_rows
from .data.missing import refuse_masked


def rows_for(estimator: Any, X: Any, *, reset: bool, min_rows: int = 1) -> Rows:
    """Rows of X; ``reset`` notes the number (and names) of features on the estimator, else they are checked against it.

    X: array-like or SciPy sparse (n, V), an array (n, ...) of images, an `h5py.Dataset`, or `Rows` such as `open_data`
    gives. Values are checked for NaN when they are read.
    """
    images = isinstance(X, np.ndarray) and X.ndim > 2
    tabular = not (images or isinstance(X, Rows) or type(X).__module__.partition(".")[0] == "h5py")
    refuse_masked(X, "<array>")  # scikit-learn would drop the mask
    if tabular:
        from sklearn.utils.validation import validate_data

        X = validate_data(
            estimator, X, reset=reset, accept_sparse="csr", dtype="numeric", ensure_all_finite=False,
            ensure_min_samples=min_rows,
        )  # fmt: skip
    rows = as_rows(X)
    if reset:
        estimator.n_features_in_ = rows.n_columns
    elif not tabular:
        check_width(rows, estimator.n_features_in_)
    return rows
