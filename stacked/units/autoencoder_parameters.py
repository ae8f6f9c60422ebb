"""The parameters of `Autoencoder`."""

from collections.abc import Mapping
from typing import Any

from ..activations import UNIT_ACTIVATIONS
from ..defaults import usual_rate
from ..parameters import Choice, Flag, Pair, Real, declared, parameter, parameters_of
from ..penalties import Penalised, Targeted
from ..settings import GRADIENT_OPTIMIZERS, LOSS_CHOICES
from .building import BINARY_RATE, REAL_RATE, UNBOUNDED_CODE_RATE, Building
from .parameters import Run, Searched, Sized, Trained

CORRUPTIONS = ("none", "masking", "salt_and_pepper", "gaussian")
SOME_INPUTS = ("masking", "salt_and_pepper")  # the noises that spoil some inputs and keep the others
EVEN = (1.0, 1.0)
STARTS = ("random", "principal")
STARTING = ("relu", "linear")  # codes that may start at principal components


@declared
class Reconstructing(Sized):
    """What an autoencoder answers with, to which input, and what it is trained by."""

    activation: str = parameter("sigmoid", Choice(UNIT_ACTIVATIONS), "activation of the codes.")
    output: str = parameter(
        "sigmoid",
        Choice(UNIT_ACTIVATIONS),
        "activation of the reconstruction; pretrain gives upper layers one that suits the codes below.",
        option=("--output-activation",),
    )
    loss: str = parameter(
        "auto",
        Choice(LOSS_CHOICES),
        "what training minimises; auto is cross_entropy for sigmoid outputs, else squared_error.",
    )
    corruption: str = parameter(
        "masking",
        Choice(CORRUPTIONS, reserved=("none",)),
        "noise on the input, drawn anew for every row of every epoch; the target stays clean.",
        kinds=("dae",),
    )
    corruption_level: float = parameter(
        0.0,
        Real(),
        "probability of the noise, or deviation of the Gaussian one; 0 for none.",
        per_layer=True,
        kinds=("dae",),
    )
    emphasis: tuple[float, float] = parameter(
        EVEN,
        Pair(),
        "how much the losses of spoilt and of kept inputs count, as 1:0.5.",
        kinds=("dae",),
        metavar="SPOILT:KEPT",
    )


@declared
class Net(Reconstructing):
    """What an autoencoder is, and how its gradient is followed."""

    tied: bool = parameter(True, Flag(), "one matrix for encoder and decoder.", option=("--tied/--untied",))
    start: str = parameter(
        "random",
        Choice(STARTS),
        "weights at the start: random, or principal components of the data, in pairs of units for relu codes.",
    )
    optimizer: str = parameter(
        "momentum",
        Choice(GRADIENT_OPTIMIZERS),
        "how gradients become steps; cg and lbfgs make line searches on each minibatch.",
    )


@declared
class AutoencoderParameters(Run, Searched, Trained, Penalised, Net):
    """All of them, in the order of the signature."""


def _rate(values: Mapping[str, Any], n_inputs: int) -> float:
    if values["optimizer"] == "adam":
        return usual_rate(max(n_inputs, values["n_hidden"]), "pretrain")
    if values["output"] != "sigmoid":
        return REAL_RATE
    return BINARY_RATE if values["activation"] == "sigmoid" else UNBOUNDED_CODE_RATE


def _linear_share(values: Mapping[str, Any]) -> float:
    return 0.1 if values["output"] == "sigmoid" and values["optimizer"] != "adam" else 1.0


BUILDING = Building(
    outputs="output",
    means={name: name for name in UNIT_ACTIVATIONS},
    linear_code={"activation": "linear"},
    not_linear=tuple(parameters_of(Targeted)),
    rate=_rate,
    linear_share=_linear_share,
    given_up={"loss": "sigmoid"},  # on other outputs the squared error is the only one defined
    variants={"dae": {"corruption": "masking", "corruption_level": 0.25}},
)
