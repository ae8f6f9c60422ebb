"""Layers: what a network is a chain of. `base` is what every kind says of itself, every other file one kind.

`records` turns layers into the records of model files, and checks those. A new kind is a file and its line here.
"""

from .base import Layer
from .dense import Dense
from .gaussian import Gaussian

LAYERS: dict[str, type[Layer]] = {kind.kind: kind for kind in (Dense, Gaussian)}

__all__ = ["LAYERS", "Dense", "Gaussian", "Layer"]
