"""A few rows and what the model answered to them when it was saved: whoever reads the file checks the answer."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import ArrayRows
from ..errors import DataError, SettingError
from ..files import Probe, refusal
from ..kernels.cpu import thread_limit
from ..text import one_line

if TYPE_CHECKING:
    from .model import Model

PROBE_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}  # another CPU's products may round differently


def probe_of(model: "Model") -> Probe:
    """Four rows of raw input from the model's own seed, and the whole network's answer to them."""
    unit_values = np.random.Generator(np.random.Philox(model.seed_)).random((4, model.n_features_in_))
    dtype = model.network_.params.dtype
    largest = np.finfo(dtype).max / 4
    raw = np.clip(model.scaling_.undo(unit_values), -largest, largest).astype(dtype)
    return Probe(raw, _answer(model, raw))


def _answer(model: "Model", raw: np.ndarray) -> np.ndarray:
    """In float32 where the precision is bfloat16: a file loads on any CPU; and without jumps, which rounding would move."""
    with thread_limit(1):
        rows, scaled = model.scaling_.as_trained(ArrayRows(raw), raw.dtype)
        layers = tuple(layer.smooth() for layer in model.network_.layers)
        return replace(model.network_, layers=layers, bfloat16=False).apply(rows, *scaled)


def check_probe(model: "Model", probe: Probe) -> None:
    """A refusal of the file whose model answers its probe differently, in another shape, or not at all."""
    try:
        found, expected = _answer(model, np.ascontiguousarray(probe.input)), probe.output
    except (DataError, SettingError) as error:
        raise refusal("/probe", f"the loaded model cannot answer ({one_line(error, 200)})") from None
    if found.shape != expected.shape:
        raise refusal("/probe/output", f"expected shape {found.shape}, found {expected.shape}")
    tolerance = PROBE_TOLERANCE[str(model.network_.params.dtype)]
    with np.errstate(over="ignore"):
        worst = float(np.max(np.abs(found - expected) / (1 + np.abs(expected))))
    if not worst <= tolerance:
        text = f"the loaded model answers differently from the saved one (by {worst:.2g}, allowed {tolerance:g})"
        raise refusal("/probe", text)
