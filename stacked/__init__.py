"""Greedy layer-wise pretraining of deep networks with compiled kernels.

Public names load on first use, so that ``import stacked`` and ``stacked --help`` stay fast.
"""

from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from ._version import __version__
from .registry import MODELS as _MODELS

if not (_Path(__file__).parent / "kernels").is_dir():
    # In a source checkout `kernels`, `cli` and `tests` lie beside this folder; an installed copy has them inside it.
    __path__.append(str(_Path(__file__).parent.parent))

if _TYPE_CHECKING:
    from .data import open_data as open_data
    from .errors import DataError as DataError
    from .errors import DivergedError as DivergedError
    from .errors import ModelFileError as ModelFileError
    from .errors import SettingError as SettingError
    from .errors import StackedError as StackedError
    from .models.loading import load as load
    from .models.stacked_autoencoder import StackedAutoencoder as StackedAutoencoder
    from .models.stacked_classifier import StackedClassifier as StackedClassifier
    from .units.autoencoder import Autoencoder as Autoencoder
    from .units.convolutional import ConvolutionalAutoencoder as ConvolutionalAutoencoder
    from .units.rbm import RBM as RBM
    from .units.recurrent import RecurrentAutoencoder as RecurrentAutoencoder
    from .units.sequence import SequenceAutoencoder as SequenceAutoencoder
    from .units.variational import VariationalAutoencoder as VariationalAutoencoder

_HOME = {
    **{name: home.module for name, home in _MODELS.items()},
    "load": "models.loading",
    "open_data": "data",
    "StackedError": "errors",
    "DataError": "errors",
    "ModelFileError": "errors",
    "SettingError": "errors",
    "DivergedError": "errors",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> _Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stacked' has no attribute {name!r}")
    return getattr(_import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
