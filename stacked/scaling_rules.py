"""Which scaling suits which data: the rule of ``auto``, and the modes that can be asked for.

auto looks at the values. Images of 0..255 and values in [0, 1] are taken as they are meant. Of other tables a column is a quantity
of its own, unless the columns measure one quantity at many places, as pixels, wavelengths and moments do:

    many places, with common bounds      the whole table to [0, 1], by two numbers
    many places                          each column minus its mean, all divided by one deviation
    counts, mostly zero                  the logarithm first, then the same
    columns of their own                 each to mean 0 and deviation 1, counts with long tails by their logarithm first, those of
                                         zeros and ones as they are

Only in the last does an error in one column not count as it does in the raw data. Columns that do not vary are set aside.

Of sequences, samples (T, D), the columns are the D numbers of a step: what is found for them holds for all steps.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .data import Rows, Summary
from .data.columns import Columns, describe_channels, describe_columns
from .defaults import kind_in_unit_range
from .errors import DataError
from .scaling import AS_IS, IMAGES, SLACK, InputScaling, identity, uniform_scaling

_PLACES = 16  # fewer columns than these are taken for quantities of their own
_ALIKE, _RELATED = (
    5.0,
    50.0,
)  # how many times the deviations of columns of one quantity differ; of correlated neighbours
_NEIGHBOURS = 0.6  # mean correlation of neighbours that measure the same
_PIXELS, _BRIGHT = 64, 128  # flat rows of bytes are images if there are so many columns, and a value so large
_COMMON = 0.9  # of the range of the table: columns that reach so far share its bounds
_LONG_TAIL = 10.0  # deviations above the mean that make a largest value extreme
_SPARSE = 0.5  # share of zeros in tables of counts


def check_varies(rows: Rows, summary: Summary) -> None:
    """DataError for rows that are all the same number."""
    if summary.constant:
        raise DataError(f"{rows.name}: every value is {summary.minimum:g}; constant data cannot be learnt")


def fit_scaling(
    mode: str, rows: Rows, summary: Summary, dtype: np.dtype, bounded: bool = False, sequences: bool = False
) -> InputScaling:
    """Scaling for training rows of a model of ``dtype``; DataError if their range cannot be scaled, or not held.

    ``mode`` is one of `settings.SCALINGS`: auto as above, none, or for every column (for all pixels of images of two dimensions or
    more together) minmax, to [0, 1], or standard, to mean 0 and deviation 1; center, each column minus its mean, all divided by
    one deviation; log, the logarithm of every value, then center. Under auto, ``bounded`` asks for values in [0, 1], as sigmoid
    outputs do: what is not taken as it is goes there by minmax. ``sequences`` says that samples (T, D) are no images.
    """
    check_varies(rows, summary)
    if mode == "none" or (mode == "auto" and summary.minimum >= -SLACK and summary.maximum <= 1 + SLACK):
        return _uniform(rows, summary, dtype, mode, AS_IS, 1.0, 0.0)
    if mode == "auto" and _are_images(rows, summary):
        return _uniform(rows, summary, dtype, mode, IMAGES, 1 / 255, 0.0)
    shape = rows.sample_shape[1:] if sequences else rows.sample_shape
    if mode in ("minmax", "standard") and len(shape) > 1:
        return _whole_table(rows, summary, dtype, mode)
    describe = describe_channels if sequences else describe_columns
    columns = describe(rows)
    method = _method_for(columns, shape) if mode == "auto" else mode
    if mode == "auto" and bounded and method != "range":
        method = "minmax" if method == "columns" or len(shape) == 1 else "range"
    if method == "range":
        return _whole_table(rows, summary, dtype, mode, "minmax")
    return _by_column(rows, columns, describe, dtype, mode, method)


def kind_of(scaling: InputScaling, scaled: tuple[float, float], data: Summary) -> str:
    """The kind of data, as `defaults` has them, of training rows that are scaled by a scaling and two numbers."""
    if not scaling.unit_range:
        return "counts" if scaling.log.all() else "real"
    scale, offset = scaled
    return kind_in_unit_range(data.mean * scale + offset, data.std * scale)


def _are_images(rows: Rows, summary: Summary) -> bool:
    """Whether bytes are pixels: images by their shape, or many columns with bright values."""
    pixels = len(rows.sample_shape) > 1 or rows.n_columns >= _PIXELS
    return rows.value_dtype == np.uint8 and pixels and summary.maximum >= _BRIGHT


def _method_for(columns: Columns, shape: tuple[int, ...]) -> str:
    """What ``auto`` does to a table whose values leave [0, 1]."""
    image, measured = len(shape) > 1, columns.varies & ~columns.binary
    many = image or int(measured.sum()) >= _PLACES
    if many and _have_common_bounds(columns):
        return "range"
    if many and not image and _are_counts(columns, measured):
        return "log"
    return "center" if image or (many and _is_one_quantity(columns, measured)) else "columns"


def _are_counts(columns: Columns, measured: np.ndarray) -> bool:
    """Whether all values are whole numbers from 0 on, and most in the columns ``measured`` 0."""
    return bool(columns.whole.all() and columns.minimum.min() >= 0 and columns.zeros[measured].mean() >= _SPARSE)


def _is_one_quantity(columns: Columns, measured: np.ndarray) -> bool:
    """Whether the columns ``measured`` spread alike, or neighbours are correlated and spread not too differently."""
    spreads = columns.std[measured]
    low, middle, high = np.quantile(spreads, (0.1, 0.5, 0.9))
    alike = high <= _ALIKE * low or (columns.neighbours >= _NEIGHBOURS and high <= _RELATED * low)
    return bool(alike and spreads.max() <= _RELATED * middle)


def _have_common_bounds(columns: Columns) -> bool:
    """Whether most columns that vary reach both ends of the range of all, nearly."""
    varies = columns.varies
    low, high = columns.minimum[varies], columns.maximum[varies]
    return bool(varies.any()) and bool(np.median(high - low) >= _COMMON * (high.max() - low.min()))


def _whole_table(rows: Rows, summary: Summary, dtype: np.dtype, mode: str, method: str | None = None) -> InputScaling:
    """minmax or standard by two numbers for the whole table."""
    method = mode if method is None else method
    if method == "minmax":
        scale = 1 / (summary.maximum - summary.minimum)
        return _uniform(rows, summary, dtype, mode, "the whole table to [0, 1]", scale, 0.0 - summary.minimum * scale)
    scale = 1 / summary.std if summary.std > 0 else math.inf
    text = "the whole table to mean 0 and deviation 1"
    return _uniform(rows, summary, dtype, mode, text, scale, -summary.mean * scale)


def _uniform(
    rows: Rows, summary: Summary, dtype: np.dtype, mode: str, method: str, scale: float, offset: float
) -> InputScaling:
    low, high = summary.minimum * scale + offset, summary.maximum * scale + offset
    _check_held(rows.name, summary.minimum, summary.maximum, scale, offset, low, high, dtype)
    within = low >= -SLACK and high <= 1 + SLACK
    return uniform_scaling((scale, offset), tuple(rows.sample_shape), rows.value_dtype.name, mode, method, within)


def _by_column(
    rows: Rows, columns: Columns, describe: Callable[[Rows], Columns], dtype: np.dtype, mode: str, method: str
) -> InputScaling:
    """A scaling whose numbers differ from column to column, as ``describe`` has these; those that do not vary are set aside."""
    raw, log = columns, _logarithmic(columns, method)
    n_steps = rows.n_columns // len(log)
    if log.any():
        logs, _ = replace(identity((rows.n_columns,), ""), log=np.tile(log, n_steps)).as_trained(
            rows, np.dtype(np.float64)
        )
        columns = describe(logs)
    varies = columns.varies
    if not varies.any():
        raise DataError(f"{rows.name}: n_samples={rows.n_rows}, all rows are alike; there is nothing to learn")
    with np.errstate(all="ignore"):
        scale, offset = _SCALES[method](columns)
        scale, offset = np.where(varies, scale, 0.0), np.where(varies, offset, 0.0)
        low, high = columns.minimum * scale + offset, columns.maximum * scale + offset
    constant = np.where(varies, 0.0, raw.mean)
    for j in np.flatnonzero(varies):
        _check_held(
            f"{rows.name}, column {j}", raw.minimum[j], raw.maximum[j], scale[j], offset[j], low[j], high[j], dtype
        )
    within = bool((low >= -SLACK).all() and (high <= 1 + SLACK).all())
    text = _TEXTS[method] + _asides(bool((columns.binary & varies).any()), log & varies, ~varies, method)
    scale, offset, log, constant = (np.tile(numbers, n_steps) for numbers in (scale, offset, log, constant))
    return InputScaling(
        scale, offset, log, constant, tuple(rows.sample_shape), rows.value_dtype.name, mode, text, within
    )


def _logarithmic(columns: Columns, method: str) -> np.ndarray:
    """Which columns are taken by their logarithm (V,): all, or those of counts and sizes with long tails."""
    if method == "log":
        return np.ones(len(columns.mean), bool)
    if method != "columns":
        return np.zeros(len(columns.mean), bool)
    tail = columns.maximum - columns.mean > _LONG_TAIL * columns.std
    return (columns.minimum >= 0) & (columns.maximum >= 10) & columns.varies & tail


def _standard(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    return 1 / columns.std, -columns.mean / columns.std


def _minmax(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    width = columns.maximum - columns.minimum
    return 1 / width, -columns.minimum / width


def _center(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    scale = 1 / math.sqrt(np.square(columns.std[columns.varies]).mean())
    return np.full(len(columns.mean), scale), -columns.mean * scale


def _columns(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """`_standard`, but for zeros and ones."""
    scale, offset = _standard(columns)
    return np.where(columns.binary, 1.0, scale), np.where(columns.binary, 0.0, offset)


_SCALES: dict[str, Callable[[Columns], tuple[np.ndarray, np.ndarray]]] = {
    "standard": _standard, "minmax": _minmax, "center": _center, "log": _center, "columns": _columns,
}  # fmt: skip
_TEXTS = {
    "standard": "each column to mean 0 and deviation 1",
    "minmax": "each column to [0, 1]",
    "center": "each column minus its mean, all divided by one deviation",
    "log": "logarithms, each column minus its mean, all divided by one deviation",
    "columns": "each column to mean 0 and deviation 1",
}


def _asides(ones: bool, log: np.ndarray, constant: np.ndarray, method: str) -> str:
    text = ", zeros and ones as they are" if ones and method == "columns" else ""
    text += f"; {log.sum()} by their logarithm" if log.any() and method != "log" else ""
    return text + (f"; {constant.sum()} that do not vary set aside" if constant.any() else "")


def _check_held(
    where: str, minimum: float, maximum: float, scale: float, offset: float, low: float, high: float, dtype: np.dtype
) -> None:
    """DataError where values, or their scale, are beyond the numbers of ``dtype``."""
    largest = float(np.finfo(dtype).max)
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(offset) and -largest <= low <= high <= largest):
        raise DataError(
            f"{where}: values from {minimum:g} to {maximum:g} cannot be scaled to {dtype} numbers; rescale the data"
        )
