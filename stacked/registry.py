"""The units and the kinds of models, by name and once: model files, the command line and messages take them from here.

Classes are named, not imported, so that this costs nothing; `models.loading` imports them.
"""

from collections.abc import Mapping
from typing import NamedTuple

PACKAGE = __name__.rpartition(".")[0]


class Home(NamedTuple):
    """Where a class lives, and what stands of it in a model file.

    ``module`` is in this package, ``kind`` what a file calls a model of the class, and ``arrays`` what it keeps of each unit, with
    shapes by V visible and H hidden units. A unit's parameters are declared beside it, for ``units.rbm`` and `RBM` by
    ``RBMParameters`` in ``units.rbm_parameters``.
    """

    module: str
    kind: str
    arrays: Mapping[str, str] = {}


_BOTH = {"weight": "VH", "visible_bias": "V", "hidden_bias": "H"}
UNITS = {
    "RBM": Home("units.rbm", "rbm", _BOTH),
    "Autoencoder": Home("units.autoencoder", "autoencoder", {**_BOTH, "decoder_weight": "HV"}),
}
CLASSIFIER = "stacked_classifier"
STACKS = {
    "StackedAutoencoder": Home("models.stacked_autoencoder", "stacked_autoencoder"),
    "StackedClassifier": Home("models.stacked_classifier", CLASSIFIER),
}
MODELS = UNITS | STACKS
KINDS = tuple(home.kind for home in MODELS.values())
UNIT_NAMES = " and ".join(UNITS)  # in messages


def is_stack(kind: str) -> bool:
    """Whether models of this kind are stacks of units."""
    return any(home.kind == kind for home in STACKS.values())


def is_registered(cls: type) -> bool:
    """Whether ``cls`` is the very unit of its name: a unit of a user's own cannot be read back from a file."""
    home = UNITS.get(cls.__name__)
    return home is not None and cls.__module__ == f"{PACKAGE}.{home.module}"
