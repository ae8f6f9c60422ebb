"""Whatever holds samples in a program, as `Rows`."""

import sys
from typing import Any

import numpy as np

from ..errors import DataError
from .h5rows import H5Rows
from .missing import refuse_masked
from .rows import ArrayRows, Rows
from .sequences import is_list_of_samples, rows_of_list
from .sparse import SparseRows


def as_rows(X: Any, name: str = "<array>") -> Rows:
    """Whatever holds samples, as `Rows`: rows, an array or array-like, a SciPy sparse matrix, an HDF5 dataset, a list of sequences.

    `DataError` names ``name`` when X has fewer than two dimensions, no rows, no columns, or is not real. Values are not
    looked at: `summarize` does that.
    """
    if isinstance(X, Rows):
        return X
    if "scipy.sparse" in sys.modules and sys.modules["scipy.sparse"].issparse(X):
        return SparseRows(X, name)
    if "h5py" in sys.modules and isinstance(X, sys.modules["h5py"].Dataset):
        return H5Rows(X, name=name)
    if is_list_of_samples(X):
        return rows_of_list(X, name)
    refuse_masked(X, name)
    try:
        array = X if isinstance(X, np.ndarray) else np.asarray(X)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name}: expected a table of numbers, found rows of different lengths or types") from error
    return ArrayRows(array, name)
