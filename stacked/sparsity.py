"""How sparse a model's codes are, over rows: what ``stacked evaluate`` says of them.

With a the codes (n, H) of the rows, a unit answers to a row where |a| exceeds a threshold: a tenth of the largest answer where that
is 1 (sigmoid, tanh, softmax), 0.001 elsewhere.

    active                share of the codes that answer, of the n H that there are
    dead_units            number of units that answer to no row
    lifetime_sparseness   mean over the other units of  (1 - (mean |a|)^2 / mean a^2) / (1 - 1 / n), means over the rows: 0 for a
                          unit that answers alike to all rows, 1 for one that answers to a single one (Vinje & Gallant,
                          Science 287 (2000), after Treves & Rolls 1991). Linear codes have signs; |a| counts.
    mean_activation       lower quartile, median and upper quartile over the units of the mean over the rows of a

Where sequences have a code a step, each number of each step is a unit. Those after the end of a sequence, NaN, are no codes: n is
then the number of rows that have the unit's step, and a unit whose step none has is none.
"""

from typing import Any

import numpy as np

from .activations import ACTIVATIONS
from .data import ArrayRows

BOUNDED_THRESHOLD, THRESHOLD = 0.1, 1e-3


def code_sparsity(model: Any, X: Any) -> dict[str, Any]:
    """Of a fitted model's codes of X (n_samples, n_features): ``units``, their number, and the four numbers above.

    ``lifetime_sparseness`` is None where no unit that lives has more than one row. Rows are encoded block by block.
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
        self.threshold = threshold
        self.n_rows, self.total, self.size, self.square, self.answers = np.zeros((5, n_units))

    def add(self, codes: np.ndarray) -> None:
        """Count codes (B, H) float64, but for NaN."""
        there = ~np.isnan(codes)
        codes = np.where(there, codes, 0)
        size = np.abs(codes)
        self.n_rows += there.sum(axis=0)
        self.total += codes.sum(axis=0)
        self.size += size.sum(axis=0)
        self.square += np.square(codes).sum(axis=0)
        self.answers += (size > self.threshold).sum(axis=0)

    def report(self) -> dict[str, Any]:
        units = self.n_rows > 0
        counted, sparseness = (self.answers > 0) & (self.n_rows > 1), None
        if counted.any():
            n = self.n_rows[counted]
            ratio = np.square(self.size[counted]) / (n * self.square[counted])
            sparseness = float(((1 - ratio) / (1 - 1 / n)).mean())
        return {
            "units": int(units.sum()),
            "active": float(self.answers.sum() / self.n_rows.sum()),
            "dead_units": int((units & (self.answers == 0)).sum()),
            "lifetime_sparseness": sparseness,
            "mean_activation": np.quantile(self.total[units] / self.n_rows[units], [0.25, 0.5, 0.75]).tolist(),
        }
