"""The parameters of `RecurrentAutoencoder`, and those that every recurrent unit has."""

from collections.abc import Mapping

from ..activations import UNIT_ACTIVATIONS
from ..parameters import Choice, Real, declared, like, parameter
from ..penalties import Sparse
from .autoencoder_parameters import Net, Reconstructing
from .building import ADAM_RATE, Building
from .parameters import Run, Searched, Sized, Trained

CELLS = ("gru", "lstm")
SUMMED_RATE = 1e-3  # of steps by the gradient itself, which sums over the steps


@declared
class Recurring(Sized):
    """What a recurrent autoencoder is made of and answers with, and how its gradient is followed."""

    n_hidden: int = like(Sized, "n_hidden", 64, help="number of hidden units: numbers of a code.")
    cell: str = parameter("gru", Choice(CELLS), "gated recurrent units, or long short-term memory.")
    output: str = like(Reconstructing, "output", "sigmoid")
    loss: str = like(Reconstructing, "loss", "auto")
    corruption: str = like(Reconstructing, "corruption", "masking", kinds=())
    corruption_level: float = like(Reconstructing, "corruption_level", 0.0, kinds=())
    emphasis: tuple[float, float] = like(Reconstructing, "emphasis", (1.0, 1.0), kinds=())
    code_l1: float = like(Sparse, "code_l1", 0.0)
    clip_norm: float = parameter(
        1.0, Real(), "length of the longest gradient, of the loss per feature, that is not scaled down to it; 0 for any length.",
        per_layer=True,
    )  # fmt: skip
    optimizer: str = like(Net, "optimizer", "adam")


@declared
class RecurrentAutoencoderParameters(Run, Searched, Trained, Recurring):
    """All of them, in the order of the signature."""


def building_of(letters: Mapping[str, str]) -> Building:
    """What stacks go by, for a unit that letters ask for, each for a cell."""
    return Building(
        outputs="output",
        means={name: name for name in UNIT_ACTIVATIONS},
        rate=lambda values, n_inputs: ADAM_RATE if values["optimizer"] == "adam" else SUMMED_RATE,
        given_up={"loss": "sigmoid"},  # on other outputs the squared error is the only one defined
        letters={letter: {"cell": cell} for letter, cell in letters.items()},
    )


BUILDING = building_of({"g": "gru", "l": "lstm"})
