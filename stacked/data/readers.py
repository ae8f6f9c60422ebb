"""DATA: one word of the command line that names rows, or a column of labels, in any of the forms that are read.

A built-in name comes first, then a file or folder of exactly that name, then the longest existing one before a colon,
with the key behind it. What a file holds is told by its first bytes, tables of text by their suffix; "-" is the standard input,
where what nothing else is told of is a table.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..text import one_line
from .arrays import open_npz, read_npy, read_npz_labels
from .builtin import BUILTIN_NAMES, is_builtin, open_builtin
from .choice import Choice, choice_of, refuse_choice, select
from .files import SUPPORTED, exists, first_bytes, is_gzip, is_table_name, reading
from .folders import members_of
from .hdf5 import open_hdf5, read_hdf5_labels
from .idx import is_idx, read_idx
from .images import is_image, open_images
from .labels import as_labels, check_count
from .parquet import MAGIC, open_parquet
from .recipe import Recipe, sequence_column_of, sequence_title
from .rows import ArrayRows, Rows
from .shapes import check_samples
from .spool import STANDARD_INPUT, Spool, spooled
from .steps import tell_steps
from .table import Table
from .table_labels import read_table_labels
from .table_rows import code_rows, fitted_rows, table_rows
from .table_sequences import as_named, as_trained, open_sequence_folder, sequence_files, table_sequences
from .tables import TextTable


class _Format(NamedTuple):
    """How a form is read: (path, key, name) -> rows, and -> a column; and in which of the two it takes a key.

    A table has named columns, (path, name) -> `Table`, of which its rows are made; so has each of a folder of ``tables``.
    """

    rows: Callable[[Path, str | None, str], Rows] | None
    column: Callable[[Path, str | None, str], np.ndarray]
    keyed_rows: bool = False
    keyed_column: bool = False
    table: Callable[[Path, str], Table] | None = None
    tables: Callable[[Path, Choice, str], Rows] | None = None


def _images_column(path: Path, key: str | None, name: str) -> np.ndarray:
    return _labels_of(open_images(path, name))


_IDX = _Format(
    lambda path, key, name: ArrayRows(read_idx(path, name), name), lambda path, key, name: read_idx(path, name)
)
_NPY = _Format(
    lambda path, key, name: ArrayRows(read_npy(path, name), name), lambda path, key, name: read_npy(path, name)
)
_NPZ = _Format(open_npz, read_npz_labels, True, True)
_HDF5 = _Format(open_hdf5, read_hdf5_labels, True, True)
_TABLE = _Format(
    None, lambda path, key, name: read_table_labels(TextTable(path, name), key), keyed_column=True, table=TextTable
)
_PARQUET = _Format(
    None,
    lambda path, key, name: read_table_labels(open_parquet(path, name), key),
    keyed_column=True,
    table=open_parquet,
)
_IMAGES = _Format(lambda path, key, name: open_images(path, name), _images_column)
_SEQUENCES = _Format(
    None, lambda path, key, name: _labels_of(open_sequence_folder(path, Choice(), name)), tables=open_sequence_folder
)

_MAGIC = ((b"\x93NUMPY", _NPY), (b"PK\x03\x04", _NPZ), (b"PK\x05\x06", _NPZ), (b"\x89HDF\r\n\x1a\n", _HDF5),
          (MAGIC, _PARQUET))  # fmt: skip


def open_data(
    spec: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    drop: Iterable[str] = (),
    columns: Iterable[str] | None = None,
    sequence_column: str | None = None,
    shape: Iterable[int] | None = None,
) -> Rows:
    """Open DATA: IDX, .npy, .npz[:key], .h5[:/path], .csv, .tsv, .parquet, a folder of images or of tables, a sparse .npz, or a
    built-in name.

    ``labels`` is another DATA that gives one column, integers or text, one a row; without it the rows have the labels
    that their own file carries, if any. Every expected failure is a `DataError` of one line that names the file, what
    was expected and what was found. HDF5 datasets beyond a quarter of the available memory are streamed, all other
    forms are loaded.

    Of a table (.csv, .tsv, .parquet) text becomes categories, a column of 0 and 1 each, and gaps become the mean of their column
    or a category of their own: the rows' ``table`` says how, and the model that is trained on them remembers it.
    ``label_column`` names the column of labels; None takes one called label, class, target or y, and "none" takes none. Those
    called in ``drop`` are left out, and with ``columns`` all others are. Without a header columns are called by their number,
    from 1.

    Sequences become rows (N, T * D) of samples (T, D), T the length of the longest, NaN after the end of others: those of a table
    whose ``sequence_column`` names the sequence that a row is a step of; of a folder of .csv or .tsv files, one a sequence; and
    of an .npz, or a group of an .h5, that holds ``values`` (S, D), the steps of all, and ``lengths`` (N,). Columns of tables are
    then numbers, and none is taken for labels by its name alone.

    ``shape`` says what shape samples have where DATA does not, as a table of images (28, 28).
    """
    return _open(spec, labels, choice_of(label_column, drop, columns, sequence_column), _fitted, shape)


def open_data_for(
    recipe: Recipe | None,
    spec: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    drop: Iterable[str] = (),
    columns: Iterable[str] | None = None,
    sequence_column: str | None = None,
    shape: Iterable[int] | None = None,
) -> Rows:
    """As `open_data`, with a table's columns made by the recipe of a trained model, its ``table_``.

    With None, that of a model of nothing but numbers, a table must be nothing else. Of a model that was trained on the steps of
    sequences, a table with the column that named them is read so, too.
    """
    choice = choice_of(label_column, drop, columns, sequence_column)
    return _open(spec, labels, choice, lambda table, choice: _applied(table, choice, recipe), shape)


def open_codes_for(recipe: Recipe | None, spec: str | os.PathLike[str]) -> Rows:
    """As `open_data`, codes as a model of this recipe gave them: numbers, NaN after the end of sequences of a code a step.

    A table may name the sequences in a column.
    """
    title = sequence_title(recipe)

    def rows_of(table: Table, choice: Choice) -> Rows:
        return code_rows(table, Choice(drop=(title,)) if title in table.names else choice)

    return _open(spec, None, Choice(), rows_of, None)


def open_targets_for(recipe: Recipe | None, spec: str | os.PathLike[str], sequence_column: str | None = None) -> Rows:
    """As `open_data`, what the rows for a model should be answered with: a table of steps names its sequences as theirs did."""
    choice = choice_of(None, (), None, sequence_column)
    return _open(spec, None, choice, lambda table, choice: _fitted(table, as_named(table, choice, recipe)), None)


def _fitted(table: Table, choice: Choice) -> Rows:
    if choice.sequence_column is not None:
        return table_sequences(table, choice)
    tell_steps(table, select(table.names, table.named, choice, table.name).features)
    return fitted_rows(table, choice)


def _applied(table: Table, choice: Choice, recipe: Recipe | None) -> Rows:
    choice = as_trained(table, choice, recipe)
    if choice.sequence_column is not None:
        return table_sequences(table, choice, recipe)
    return table_rows(table, choice, None if sequence_column_of(recipe) is not None else recipe)


def _open(
    spec: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None,
    choice: Choice,
    rows_of: Callable[[Table, Choice], Rows],
    shape: Iterable[int] | None,
) -> Rows:
    spec = os.fspath(spec)
    name = spec if spec.isprintable() else one_line(spec)
    if spec == STANDARD_INPUT and labels is not None and os.fspath(labels) == STANDARD_INPUT:
        raise DataError("-: expected data or labels on the standard input, found both asked for; give one as a file")
    if is_builtin(spec):
        refuse_choice(choice, name)
        rows = open_builtin(name)
    else:
        place = _locate(spec, name)
        rows = _read(place, choice, rows_of)
        rows.spool = place.spool
    try:
        if shape is not None:
            rows.sample_shape, rows._ragged = check_samples(rows, shape), None
        if labels is not None:
            rows.labels = _open_labels(os.fspath(labels), rows)
    except BaseException:
        rows.close()
        raise
    return rows


def _read(place: "_Place", choice: Choice, rows_of: Callable[[Table, Choice], Rows]) -> Rows:
    found = _format(place, for_rows=True)
    if found.tables is not None and choice.sequence_column is None:
        return found.tables(place.path, choice, place.name)
    if found.table is not None:
        return rows_of(found.table(place.path, place.name), choice)
    refuse_choice(choice, place.name)
    assert found.rows is not None
    return found.rows(place.path, place.key, place.name)


def _open_labels(spec: str, rows: Rows) -> np.ndarray:
    name = one_line(spec)
    with reading(name, "labels"):
        if is_builtin(spec):
            labels = _labels_of(open_builtin(name))
        else:
            place = _locate(spec, name)
            labels = as_labels(_format(place, for_rows=False).column(place.path, place.key, place.name), place.name)
    check_count(labels, rows.n_rows, name, rows.name)
    return labels


def _labels_of(rows: Rows) -> np.ndarray:
    if rows.labels is None:
        raise DataError(f"{rows.name}: expected labels, found rows without any")
    return rows.labels


class _Place(NamedTuple):
    """An existing file or folder and the key, if any, behind it; what messages call it; and what keeps it there."""

    path: Path
    key: str | None
    name: str
    spool: Spool | None = None


def _locate(spec: str, name: str) -> _Place:
    if spec == STANDARD_INPUT:
        spool = spooled()
        return _Place(spool.path, None, "<stdin>", spool)
    if spec and exists(spec):
        return _Place(Path(spec), None, name)
    at = len(spec)
    while (at := spec.rfind(":", 0, at)) > 0:
        if exists(spec[:at]):
            return _Place(Path(spec[:at]), spec[at + 1 :], name)
    builtin = ", ".join(BUILTIN_NAMES)
    raise DataError(
        f"{name or 'DATA'}: expected a file, a folder or a built-in set ({builtin}), found nothing of this name"
    )


def _format(place: _Place, for_rows: bool) -> _Format:
    with reading(place.name, "data"):
        found = _folder_format(place) if place.path.is_dir() else _file_format(place)
    if place.key is not None and not (found.keyed_rows if for_rows else found.keyed_column):
        raise DataError(
            f"{place.name}: expected no key behind this kind of file, found {place.key!r}; .npz and .h5 take one"
        )
    return found


def _folder_format(place: _Place) -> _Format:
    """A folder of images may hold tables, too, such as one of their labels."""
    images = members_of(place.path, place.name, is_image, "images")
    return _IMAGES if images or not sequence_files(place.path, place.name) else _SEQUENCES


def _file_format(place: _Place) -> _Format:
    path, name = place.path, place.name
    if not path.is_file():
        raise DataError(f"{name}: expected a regular file or a folder, found neither")
    if path.stat().st_size == 0:
        raise DataError(f"{name}: expected data, found an empty file")
    start = first_bytes(path, 8)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if is_idx(start):
        return _IDX
    if not is_gzip(path):
        for magic, found in _MAGIC:
            if start.startswith(magic):
                return found
        if suffixes and suffixes[-1] in (".h5", ".hdf5"):  # with a user block the signature is further on
            return _HDF5
    if is_table_name(path) or place.spool is not None:
        return _TABLE
    raise DataError(f"{name}: expected {SUPPORTED}, found a file that starts with {start.hex(' ') or 'nothing'}")
