"""Layers that answer: a part of a network with what its kernel can prepare once for many calls."""

from typing import NamedTuple

import numpy as np

from .kernels import backprop
from .kernels.arithmetic.samples import Samples, as_samples
from .kernels.engine import panels


class Answerer(NamedTuple):
    """Some layers of a network with what their kernel can prepare once."""

    table: np.ndarray
    params: np.ndarray
    prepared: backprop.Prepared

    @property
    def n_out(self) -> int:
        """Numbers in an answer."""
        return int(self.table[-1, panels.N_OUT])

    def block(self, table: np.ndarray, scale: float, offset: float) -> np.ndarray:
        """Answers (n, n_out) to raw rows (n, V)."""
        out = np.empty((len(table), self.n_out), self.params.dtype)
        self(as_samples(table, scale, offset), np.arange(len(table)), out)
        return out

    def __call__(self, samples: Samples, positions: np.ndarray, out: np.ndarray) -> None:
        """out (n, n_out) = the layers' answer to rows ``positions`` (n,) of ``samples``."""
        backprop.infer(self.table, self.params, self.prepared, samples, positions, out)
