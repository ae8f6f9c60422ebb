"""HDF5 files as data: which dataset is meant, whether it is loaded or streamed, and the labels beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import memory
from .files import reading
from .h5gate import dataset_at, holds, shapes
from .h5rows import H5Rows
from .keys import LENGTHS, VALUES, choose_data, choose_labels, holds_sequences, label_keys
from .labels import optional_labels
from .rows import ArrayRows, Rows
from .sequences import sequence_rows


def open_hdf5(path: Path, key: str | None, name: str) -> Rows:
    """The rows of the dataset ``key``, or of the one that `choose_data` finds, with the labels beside it.

    They are loaded, unless they would take more than a quarter of the available memory: then they are `H5Rows`. Where ``key``
    names a group, or none is given, that holds ``values`` (S, D) and ``lengths`` (N,), these are sequences.
    """
    with reading(name, "an HDF5 file"):
        found = _find_sequences(path, key, name)
        if found is not None:
            return _open_sequences(path, *found, name)
        inner, labels = _find(path, key, name)
        rows = H5Rows(path, inner, name)
        rows.labels = None if labels is None else optional_labels(labels, rows.n_rows, name)
        if rows.nbytes > memory.available_memory() // 4:
            return rows
        with rows:
            array = np.empty((rows.n_rows, *rows.sample_shape), rows.dtype)
            for start, stop in rows.slices():
                array[start:stop] = rows.read(start, stop).reshape(-1, *rows.sample_shape)
        return ArrayRows(array, name, rows.labels)


def _open_sequences(path: Path, inner: str, lengths: np.ndarray, labels: np.ndarray | None, name: str) -> Rows:
    steps = H5Rows(path, inner, name)
    try:
        rows = sequence_rows(steps, lengths, name)
        rows.labels = None if labels is None else optional_labels(labels, rows.n_rows, name)
        return rows
    except BaseException:
        steps.close()
        raise


def _find_sequences(path: Path, key: str | None, name: str) -> tuple[str, np.ndarray, np.ndarray | None] | None:
    """The path of the values, the lengths, and what may be labels, where the file or the group ``key`` holds sequences."""
    import h5py

    with h5py.File(path, "r") as file:
        group = (key or "").strip("/")
        if not (holds_sequences(shapes(file)) if key is None else holds(file, group, (VALUES, LENGTHS))):
            return None
        values, lengths = f"{group}/{VALUES}", dataset_at(file, f"{group}/{LENGTHS}", name)
        return values, _read_column(lengths, name, LENGTHS), _labels_beside(file, values, len(lengths), name)


def read_hdf5_labels(path: Path, key: str | None, name: str) -> np.ndarray:
    """The dataset ``key``, or the only column, or the one with a usual name for labels; numbers or text."""
    import h5py

    with reading(name, "an HDF5 file"), h5py.File(path, "r") as file:
        if key is None:
            key = choose_labels(shapes(file), name)
        return _read_column(dataset_at(file, key, name), name)


def _find(path: Path, key: str | None, name: str) -> tuple[str, np.ndarray | None]:
    """The path of the dataset meant and the values of a column beside it that may be its labels."""
    import h5py

    with h5py.File(path, "r") as file:
        inner = choose_data(shapes(file), name) if key is None else key
        dataset = dataset_at(file, inner, name)
        return inner, _labels_beside(file, dataset.name, dataset.shape[0] if dataset.shape else 0, name)


def _labels_beside(file: Any, path: str, n_rows: int, name: str) -> np.ndarray | None:
    """The values of a column beside the dataset at ``path`` that may be the labels of its rows."""
    parent, _, own = path.rpartition("/")
    for candidate in label_keys(own):
        try:
            labels = dataset_at(file, f"{parent}/{candidate}", name)
            if labels.ndim in (1, 2) and labels.shape[0] == labels.size == n_rows:
                return _read_column(labels, name)
        except DataError:  # not there, or not to be trusted: then there are no labels
            continue
    return None


def _read_column(dataset: Any, name: str, what: str = "labels") -> np.ndarray:
    import h5py

    from .h5heap import read_texts
    from .h5table import table_of

    if dataset.ndim not in (1, 2) or dataset.shape[0] != dataset.size:
        raise DataError(f"{name}: expected one column of {what}, found shape {dataset.shape}")
    memory.require_memory(name, dataset.size * max(dataset.dtype.itemsize, 64))
    if h5py.check_string_dtype(dataset.dtype) is not None and dataset.dtype.kind == "O":
        return read_texts(dataset, name)
    if dataset.dtype.kind not in "biufS":
        raise DataError(f"{name}: expected integer or text {what}, found dtype {dataset.dtype}")
    return table_of(dataset, name)[: dataset.shape[0]]
