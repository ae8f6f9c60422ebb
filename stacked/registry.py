"""The units and the kinds of models, by name and once: model files, the command line and messages take them from here.

Classes are named, not imported, so that this costs nothing; `models.loading` imports them.
"""

from typing import NamedTuple

PACKAGE = __name__.rpartition(".")[0]


class Home(NamedTuple):
    """Where a class lives: ``module`` is in this package; and ``kind``, what a file calls a model of the class.

    A unit's parameters are declared beside it, for ``units.rbm`` and `RBM` by ``RBMParameters`` in ``units.rbm_parameters``.
    """

    module: str
    kind: str


UNITS = {
    "RBM": Home("units.rbm", "rbm"),
    "Autoencoder": Home("units.autoencoder", "autoencoder"),
    "ConvolutionalAutoencoder": Home("units.convolutional", "convolutional"),
    "RecurrentAutoencoder": Home("units.recurrent", "recurrent"),
    "SequenceAutoencoder": Home("units.sequence", "sequence"),
    "VariationalAutoencoder": Home("units.variational", "vae"),
}
CLASSIFIER = "stacked_classifier"
STACKS = {
    "StackedAutoencoder": Home("models.stacked_autoencoder", "stacked_autoencoder"),
    "StackedClassifier": Home("models.stacked_classifier", CLASSIFIER),
}
MODELS = UNITS | STACKS
KINDS = tuple(home.kind for home in MODELS.values())
UNIT_NAMES = " and ".join(", ".join(UNITS).rsplit(", ", 1))  # in messages


def is_stack(kind: str) -> bool:
    """Whether models of this kind are stacks of units."""
    return any(home.kind == kind for home in STACKS.values())


def is_registered(cls: type) -> bool:
    """Whether ``cls`` is the very unit of its name: a unit of a user's own cannot be read back from a file."""
    home = UNITS.get(cls.__name__)
    return home is not None and cls.__module__ == f"{PACKAGE}.{home.module}"
