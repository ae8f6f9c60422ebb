"""From what a user passes as X to `Rows`, by scikit-learn's conventions."""

from typing import Any

import numpy as np

from .checks import check_width
from .data import Rows, TableRows, as_rows
from .data.choice import Choice
from .data.frames import FrameTable, is_frame, is_plain
from .data.missing import refuse_masked
from .data.recipe import sequence_column_of
from .data.rows import ArrayRows
from .data.sequences import is_list_of_samples
from .data.shapes import as_sequences, like_training
from .data.table_rows import as_bytes, fitted_rows, table_rows

_NOT_LABELS = Choice(label_column="none")  # of a frame: labels are passed as y


def rows_for(estimator: Any, X: Any, *, reset: bool, min_rows: int = 1) -> Rows:
    """Rows of X; ``reset`` notes the number (and names) of features on the estimator, else they are checked against it.

    X: array-like or SciPy sparse (n, V), an array (n, ...) of images or sequences, a list of sequences (steps, numbers), an
    `h5py.Dataset`, `Rows` such as `open_data` gives, or a frame of pandas or polars. Values are checked for NaN when they are read.
    Text, booleans and gaps of a frame or table become numbers by a recipe, which ``reset`` notes as ``table_``;
    ``n_features_in_`` then counts the encoded columns. For an estimator that ``takes_sequences`` flat rows are made sequences of
    single numbers, and once it is fitted, shorter sequences are padded.
    """
    if isinstance(X, TableRows):
        rows: Rows = X if reset else table_in_use(estimator, X)
    elif is_frame(X) and _recipe_applies(estimator, X, reset):
        rows = _frame_rows(estimator, X, reset)
    else:
        return _plain_rows(estimator, X, reset, min_rows)
    if reset:
        estimator.table_, estimator.n_features_in_ = rows.table, rows.n_columns
        estimator.__dict__.pop("feature_names_in_", None)
    return _in_shape(estimator, rows, reset)


def table_in_use(estimator: Any, rows: TableRows) -> ArrayRows:
    """The rows of a table for a fitted estimator, as its recipe has them; for one of images of bytes, such are taken as bytes."""
    rows = rows.by(_recipe(estimator))
    scaling = getattr(estimator, "scaling_", None)
    return as_bytes(rows) if scaling is not None and scaling.takes_bytes else rows


def _plain_rows(estimator: Any, X: Any, reset: bool, min_rows: int) -> Rows:
    """Rows of what has nothing but numbers, which are taken as they are."""
    samples = (isinstance(X, np.ndarray) and X.ndim > 2) or is_list_of_samples(X)
    tabular = not (samples or isinstance(X, Rows) or type(X).__module__.partition(".")[0] == "h5py")
    refuse_masked(X, "<array>")  # scikit-learn would drop the mask
    if tabular:
        from sklearn.utils.validation import validate_data

        X = validate_data(
            estimator, X, reset=reset, accept_sparse="csr", dtype="numeric", ensure_all_finite=False,
            ensure_min_samples=min_rows,
        )  # fmt: skip
    rows = as_rows(X)
    if reset:
        estimator.n_features_in_, estimator.table_ = rows.n_columns, rows.table
    return _in_shape(estimator, rows, reset)


def _in_shape(estimator: Any, rows: Rows, reset: bool) -> Rows:
    """Rows with samples of a shape that the estimator takes: for training its own kind's, in use the training's."""
    sequences = getattr(estimator, "takes_sequences", False)
    if reset:
        return as_sequences(rows) if sequences else rows
    scaling = getattr(estimator, "scaling_", None)
    rows = rows if scaling is None else like_training(rows, scaling.sample_shape, sequences)
    check_width(rows, estimator.n_features_in_)
    return rows


def _recipe(estimator: Any) -> dict[str, Any] | None:
    """That of a fitted estimator, by which rows of a table are made; that of steps makes none. Upper units of a stack have none."""
    recipe = getattr(estimator, "table_", None)
    return recipe if sequence_column_of(recipe) is None else None


def _recipe_applies(estimator: Any, X: Any, reset: bool) -> bool:
    """Whether a frame is encoded: for training if it has more than numbers, in use if there is a recipe."""
    return not is_plain(X) if reset else _recipe(estimator) is not None


def _frame_rows(estimator: Any, X: Any, reset: bool) -> TableRows:
    frame = FrameTable(X)
    return fitted_rows(frame, _NOT_LABELS) if reset else table_rows(frame, _NOT_LABELS, _recipe(estimator))
