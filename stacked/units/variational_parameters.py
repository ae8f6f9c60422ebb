"""The parameters of `VariationalAutoencoder`."""

from collections.abc import Mapping
from typing import Any

from ..activations import UNIT_ACTIVATIONS
from ..parameters import Choice, Flag, Sizes, Whole, declared, like, parameter
from ..settings import MAX_COUNT
from .autoencoder_parameters import Net
from .building import ADAM_RATE, Building
from .parameters import Run, Searched, Sized, Trained

MAX_SAMPLES = 1000  # rows of a minibatch are so many times as many
OUTPUTS = {"bernoulli": "sigmoid", "gaussian": "linear"}  # the mean of the data given a code, as an activation


@declared
class Generative(Sized):
    """What a variational autoencoder is, and how its gradient is followed."""

    n_hidden: int = like(Sized, "n_hidden", 50)
    hidden_layers: tuple[int, ...] = parameter(
        (200, 200), Sizes(), "hidden units of the layers between data and code, and of those back.", metavar="SIZES"
    )
    activation: str = parameter("tanh", Choice(UNIT_ACTIVATIONS), "activation of the hidden layers.", kinds=("vae",))
    output: str = parameter(
        "bernoulli",
        Choice(tuple(OUTPUTS)),
        "what the data are, given a code: binary, or Gaussian with unit variance; pretrain gives upper layers what suits the codes"
        " below.",
        option=("--likelihood",),
    )
    binarize: bool = parameter(
        False, Flag(), "take data in [0, 1] for probabilities, of which every epoch draws zeros and ones anew."
    )
    samples: int = parameter(1, Whole(1, MAX_SAMPLES), "draws of the code for each row of a minibatch.")
    kl_warmup: int = parameter(
        0, Whole(0, MAX_COUNT), "epochs in which the divergence of codes from their prior comes to count in full."
    )
    optimizer: str = like(Net, "optimizer", "adam")


@declared
class VariationalAutoencoderParameters(Run, Searched, Trained, Generative):
    """All of them, in the order of the signature."""

    learning_rate: Any = like(Trained, "learning_rate", ADAM_RATE)


def _rate(values: Mapping[str, Any], n_inputs: int) -> float:
    return ADAM_RATE


BUILDING = Building(
    outputs="output",
    means=OUTPUTS,
    rate=_rate,
    given_up={"binarize": OUTPUTS["bernoulli"]},
)
