"""The Gaussian code: from 2 K numbers, means and log variances, to K; while it is trained a draw, afterwards the mean.

It has no arrays. Its input are the linear outputs of a dense layer, which a divergence keeps near the prior (`terms`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..kernels.engine.panels import GAUSSIAN
from .base import Layer


@dataclass(frozen=True)
class Gaussian(Layer):
    """n_in means and log variances, n_out = n_in / 2 codes."""

    kind: ClassVar[str] = "gaussian"
    code: ClassVar[int] = GAUSSIAN

    def terms(self, index: int) -> list[tuple[str, int, float]]:
        """The divergence of the codes from a standard normal distribution."""
        return [("divergence", index - 1, float(self.n_out))]

    @classmethod
    def of_attributes(cls, attributes: Mapping[str, Any]) -> "Gaussian":
        """The layer of which a file keeps these; ValueError unless its inputs are twice its outputs."""
        layer = cls(**attributes)
        if layer.n_in != 2 * layer.n_out:
            raise ValueError(f"a Gaussian code of {layer.n_out} numbers takes {2 * layer.n_out}, not {layer.n_in}")
        return layer
