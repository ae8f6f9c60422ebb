"""Which array is meant in a file that holds several (.npz, HDF5), when the user names none."""

from collections.abc import Iterable, Mapping

from ..errors import DataError
from ..text import one_line

Shape = tuple[int, ...]

_DATA_KEYS = ("X", "x", "data", "x_train", "X_train", "train_x", "train_images", "images", "features", "train", "arr_0")
_LABEL_KEYS = ("y", "labels", "label")
_PARTNERS = (("x", "y"), ("X", "y"), ("images", "labels"), ("data", "labels"))
VALUES, LENGTHS = "values", "lengths"  # of sequences: the steps of all, one after another, and how many each has
_SHOWN = 12


def choose_data(shapes: Mapping[str, Shape], name: str) -> str:
    """The only key with two or more dimensions, else the first of the usual names; `DataError` lists what there is."""
    tables = [key for key, shape in shapes.items() if len(shape) >= 2]
    usual = [key for key in _DATA_KEYS if key in tables]
    return _choose(tables, usual, shapes, name, "array with two or more dimensions")


def choose_labels(shapes: Mapping[str, Shape], name: str) -> str:
    """The only key with one dimension, else the first of the usual names; `DataError` lists what there is."""
    columns = [key for key, shape in shapes.items() if len(shape) == 1] or [key for key in shapes]
    usual = [key for key in (*_LABEL_KEYS, "y_train", "train_labels") if key in shapes]
    return _choose(columns, usual, shapes, name, "column of labels")


def holds_sequences(shapes: Mapping[str, Shape]) -> bool:
    """Whether the arrays are the values and lengths of sequences, and none beside them has a usual name for data."""
    usual = any(len(shapes[key]) >= 2 for key in _DATA_KEYS if key in shapes)
    return VALUES in shapes and LENGTHS in shapes and not usual


def label_keys(key: str) -> list[str]:
    """The names that labels carried beside the array ``key`` may have: x_train has y_train, X has y or labels."""
    partners = [key.replace(own, other, 1) for own, other in _PARTNERS if own in key]
    return [name for name in (*partners, *_LABEL_KEYS) if name != key]


def listing(shapes: Mapping[str, Shape]) -> str:
    """The keys and shapes for a message, cut after a dozen."""
    if not shapes:
        return "no arrays"
    shown = [f"{one_line(key)} {shape}" for key, shape in list(shapes.items())[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(shapes) - _SHOWN} more" if len(shapes) > _SHOWN else "")


def _choose(fitting: list[str], usual: Iterable[str], shapes: Mapping[str, Shape], name: str, what: str) -> str:
    if len(fitting) == 1:
        return fitting[0]
    for key in usual:
        return key
    remedy = f"; name one as {name}:KEY" if fitting else ""
    raise DataError(f"{name}: expected one {what}, found {listing(shapes)}{remedy}")
