"""The parameters of `SequenceAutoencoder`."""

from ..parameters import Flag, Sizes, declared, parameter
from .parameters import Run, Searched, Trained
from .recurrent_parameters import Recurring, building_of


@declared
class Sequencing(Recurring):
    """What leads to one code a sequence and back."""

    hidden_layers: tuple[int, ...] = parameter(
        (), Sizes(), "hidden units of the layers between data and code, and of those back.", metavar="SIZES"
    )
    reverse: bool = parameter(
        True,
        Flag(),
        "reconstruct the steps from the last to the first; those of targets always come from the first on.",
    )
    forcing: bool = parameter(
        False,
        Flag(),
        "give the decoder at each step what it should have answered to the one before; in use, what it answered.",
    )


@declared
class SequenceAutoencoderParameters(Run, Searched, Trained, Sequencing):
    """All of them, in the order of the signature."""


BUILDING = building_of({"G": "gru", "L": "lstm"})
