"""What a model file holds, as plain typed records of arrays: B rows, V visible, H hidden units.

Records compare by identity (``eq=False``), because arrays have no single truth value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FORMAT_NAME = "stacked-model"
FORMAT_VERSION = 1
INPUT_ARRAYS = ("scale", "offset", "log", "constant")
INPUT_DTYPES = ("uint8", "float32", "float64")
# bfloat16 is a precision of the products: its master weights are float32.
PRECISIONS: dict[str, np.dtype] = {"float32": np.dtype("<f4"), "bfloat16": np.dtype("<f4"), "float64": np.dtype("<f8")}
HISTORY_DTYPE = np.dtype(
    [
        ("epoch", "<i8"),
        ("loss", "<f8"),
        ("validation_loss", "<f8"),  # NaN where the epoch was not validated
        ("seconds", "<f8"),
        ("samples_per_second", "<f8"),
        ("penalty", "<f8"),  # what the objective adds to the loss
    ]
)


def weights_dtype(precision: str) -> np.dtype:
    """The dtype in which weights trained at ``precision`` are stored."""
    return PRECISIONS[precision]


@dataclass(frozen=True, eq=False)
class LayerArrays:
    """One layer, of any ``kind``: its attributes (names, numbers, tuples of integers) and its arrays, of the weights' dtype.

    Which of them a kind has is for those to say who build the layer.
    """

    kind: str
    attributes: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class UnitArrays:
    """One unit as pretrained: ``kind`` is the name of its class, ``params`` its JSON-able parameters, the others as of a layer."""

    kind: str
    attributes: dict[str, Any]
    params: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class InputSpec:
    """What raw rows look like, and what is done to every column (V,) before the network sees it.

    ``x * scale + offset``, float64, where x is the raw value or, in ``log`` columns (uint8, 0 or 1), sign(x) log(1 + |x|).
    ``constant`` (V,) float64 is what columns of scale 0 hold. ``table``, JSON-able, says how the columns were made of a table's;
    the gate knows no more of it than that.
    """

    scale: np.ndarray
    offset: np.ndarray
    log: np.ndarray
    constant: np.ndarray
    sample_shape: tuple[int, ...]
    dtype: str
    table: dict[str, Any] | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Those of the group."""
        return {name: vars(self)[name] for name in INPUT_ARRAYS}


@dataclass(frozen=True, eq=False)
class Probe:
    """A few rows (B, ...) and what the model answered when it was saved (B, ...)."""

    input: np.ndarray
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class Baseline:
    """What the scaled training rows were like, to hold a model against; what does not apply is None.

    ``mean`` (V,) and ``components`` (K, V), orthonormal, float32: their principal components. ``variances`` (K + 1,) float64: along
    these, and the mean one across. ``class_share`` (C,) float64: how often each class occurred. ``spread`` (H,) float32: deviations
    of the first layer's answers. ``neighbours`` (N, D) float32: projections of these answers to a few rows. ``distances`` (P, 3)
    float64: what is usual of each distance in an anomaly score. ``scores`` (Q,) float64: quantiles, evenly spaced from the least to
    the largest, of the model's anomaly scores of the rows.
    """

    mean: np.ndarray | None = None
    components: np.ndarray | None = None
    variances: np.ndarray | None = None
    class_share: np.ndarray | None = None
    spread: np.ndarray | None = None
    neighbours: np.ndarray | None = None
    distances: np.ndarray | None = None
    scores: np.ndarray | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Those that are there, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where unfinished training stands: a JSON-able cursor, and arrays of 0 to 3 dimensions.

    Names are ``[a-z0-9_]+`` parts joined by ``/``; types are float32, float64, int64 and uint8.
    """

    cursor: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ModelRecord:
    """Everything in a model file. ``stacked_version`` is filled in on write."""

    kind: str
    params: dict[str, Any]
    encoder: tuple[LayerArrays, ...]
    decoder: tuple[LayerArrays, ...]
    head: LayerArrays | None
    classes: np.ndarray | None
    units: tuple[UnitArrays, ...]
    input: InputSpec
    history: dict[str, np.ndarray]
    probe: Probe | None
    checkpoint: Checkpoint | None
    precision: str
    stacked_version: str = ""
    baseline: Baseline | None = None
    target: InputSpec | None = None  # the same of what a model should answer with, where that is not its input
