"""Whether what a file says of the training rows fits its model: types, shapes, and numbers that can be what they are called."""

import numpy as np

from ..anomalies import NEAREST, PROJECTED
from ..files import ModelRecord, refusal

TYPES = {
    "mean": "<f4", "components": "<f4", "variances": "<f8", "class_share": "<f8", "spread": "<f4", "neighbours": "<f4",
    "distances": "<f8", "scores": "<f8",
}  # fmt: skip
TOGETHER = (("components", "mean"), ("components", "variances"), ("neighbours", "spread"), ("neighbours", "distances"))
MOST_SCORES, MOST_NEIGHBOURS = 100_001, 100_000
_SLACK = 1e-3  # that rounding leaves of a length or a sum of one


def check_baseline(record: ModelRecord) -> None:
    """A refusal that names the first array in /baseline that cannot belong to the record's model."""
    if record.baseline is None:
        return
    arrays = record.baseline.arrays()
    for name, array in arrays.items():
        _check_shape(f"/baseline/{name}", array, TYPES[name], _shapes(record)[name])
    for one, other in TOGETHER:
        if one in arrays and other not in arrays:
            raise refusal("/baseline", f"expected {other} beside {one}, found none")
    _check_values(arrays)


def _shapes(record: ModelRecord) -> dict[str, tuple[int | str, ...]]:
    """The shape of each array; a text says how many numbers there may be, as "1 to 5"."""
    width, first = record.encoder[0].attributes["n_in"], record.encoder[0].attributes["n_out"]
    classes = 0 if record.classes is None else len(record.classes)
    found = record.baseline.arrays() if record.baseline is not None else {}
    k = len(found.get("components", ()))
    return {
        "mean": (width,),
        "components": (f"1 to {max(1, width - 1)}", width),
        "variances": (k + 1,),
        "class_share": (classes,),
        "spread": (first,),
        "neighbours": (f"{NEAREST} to {MOST_NEIGHBOURS}", min(first, PROJECTED)),
        "distances": (1 + ("components" in found) + ("neighbours" in found), 3),
        "scores": (f"2 to {MOST_SCORES}",),
    }


def _check_shape(where: str, array: np.ndarray, dtype: str, expected: tuple[int | str, ...]) -> None:
    if array.dtype.newbyteorder("<").str != dtype:
        raise refusal(where, f"expected the type {dtype}, found {array.dtype.str}")
    fits = array.ndim == len(expected) and all(map(_within, array.shape, expected))
    if not fits:
        raise refusal(where, f"expected the shape ({', '.join(map(str, expected))}), found {array.shape}")


def _within(length: int, expected: int | str) -> bool:
    if isinstance(expected, int):
        return length == expected
    least, most = map(int, expected.split(" to "))
    return least <= length <= most


def _check_values(arrays: dict[str, np.ndarray]) -> None:
    if "components" in arrays:
        with np.errstate(over="ignore"):
            lengths = np.square(arrays["components"].astype(np.float64)).sum(axis=1)
        if np.abs(lengths - 1).max() > _SLACK:
            raise refusal("/baseline/components", "expected rows of length 1")
    for name in ("variances", "spread"):
        if name in arrays and arrays[name].min() <= 0:
            raise refusal(f"/baseline/{name}", f"expected numbers above 0, found {arrays[name].min():g}")
    if "distances" in arrays and arrays["distances"][:, ::2].min() <= 0:
        raise refusal("/baseline/distances", "expected usual distances and deviations above 0")
    if "class_share" in arrays:
        share = arrays["class_share"]
        if share.min() < 0 or abs(share.sum() - 1) > _SLACK:
            raise refusal("/baseline/class_share", "expected shares of 0 or more whose sum is 1")
    if "scores" in arrays and (np.diff(arrays["scores"]) < 0).any():
        raise refusal("/baseline/scores", "expected quantiles in ascending order")
