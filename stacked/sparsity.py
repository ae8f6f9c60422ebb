"""How sparse a model's codes are, over rows: what ``stacked evaluate`` says of them.

With a the codes (n, H) of the rows, a unit answers to a row where |a| exceeds a threshold: a tenth of the largest answer where that
is 1 (sigmoid, tanh, softmax), 0.001 elsewhere.

    active                share of the n H codes that answer
    dead_units            number of units that answer to no row
    lifetime_sparseness   mean over the other units of  (1 - (mean |a|)^2 / mean a^2) / (1 - 1 / n), means over the rows: 0 for a
                          unit that answers alike to all rows, 1 for one that answers to a single one (Vinje & Gallant,
                          Science 287 (2000), after Treves & Rolls 1991). Linear codes have signs; |a| counts.
    mean_activation       lower quartile, median and upper quartile over the units of the mean over the rows of a
"""

from typing import Any

import numpy as np

from .activations import ACTIVATIONS
from .data import ArrayRows

BOUNDED_THRESHOLD, THRESHOLD = 0.1, 1e-3


def code_sparsity(model: Any, X: Any) -> dict[str, Any]:
    """Of a fitted model's codes of X (n_samples, n_features): ``units``, their number, and the four numbers above.

    ``lifetime_sparseness`` is None for a single row, and where all units are dead. Rows are encoded block by block.
    """
    rows, scaled = model._fitted_rows(X)
    network, last = model._network, model.n_code_layers_
    layer = network.layers[last - 1]
    tally = _Tally(layer.n_out, BOUNDED_THRESHOLD if ACTIVATIONS[layer.activation].bounded else THRESHOLD)
    with model._threads():
        for _, block in network.blocks(rows, *scaled):
            part = ArrayRows(block.reshape(len(block), *rows.sample_shape), rows.name)
            tally.add(network.apply(part, last=last).astype(np.float64))
    return tally.report()


class _Tally:
    """Sums over the rows so far, a number a unit."""

    def __init__(self, n_units: int, threshold: float):
        self.threshold, self.n_rows = threshold, 0
        self.total, self.size, self.square, self.answers = np.zeros((4, n_units))

    def add(self, codes: np.ndarray) -> None:
        """Count codes (B, H) float64; those of a sequence's steps after its end, NaN, as 0."""
        codes = np.nan_to_num(codes)
        size = np.abs(codes)
        self.n_rows += len(codes)
        self.total += codes.sum(axis=0)
        self.size += size.sum(axis=0)
        self.square += np.square(codes).sum(axis=0)
        self.answers += (size > self.threshold).sum(axis=0)

    def report(self) -> dict[str, Any]:
        n, alive = self.n_rows, self.answers > 0
        sparseness = None
        if n > 1 and alive.any():
            ratio = np.square(self.size[alive]) / (n * self.square[alive])
            sparseness = float(((1 - ratio) / (1 - 1 / n)).mean())
        return {
            "units": len(alive),
            "active": float(self.answers.mean() / n),
            "dead_units": int((~alive).sum()),
            "lifetime_sparseness": sparseness,
            "mean_activation": np.quantile(self.total / n, [0.25, 0.5, 0.75]).tolist(),
        }
