"""Layers: what a network is a chain of. `base` is what every kind says of itself, every other file one kind.

`records` turns layers into the records of model files, and checks those. A new kind is a file and its line here.
"""

from .base import Layer
from .convolution import Convolution, TransposedConvolution
from .dense import Dense
from .forcing import Forcing
from .gaussian import Gaussian
from .pooling import Pooling, Unpooling, Upsampling
from .recurrent import GRU, LSTM

_KINDS: tuple[type[Layer], ...] = (
    Dense, Gaussian, Convolution, TransposedConvolution, Pooling, Upsampling, Unpooling, GRU, LSTM, Forcing,
)  # fmt: skip
LAYERS: dict[str, type[Layer]] = {kind.kind: kind for kind in _KINDS}

__all__ = [
    "GRU", "LAYERS", "LSTM", "Convolution", "Dense", "Forcing", "Gaussian", "Layer", "Pooling", "TransposedConvolution",
    "Unpooling", "Upsampling",
]  # fmt: skip
