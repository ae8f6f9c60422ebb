"""The parameters of `Autoencoder`."""

from ..activations import UNIT_ACTIVATIONS
from ..parameters import Choice, Flag, Real, declared, parameter
from ..settings import GRADIENT_OPTIMIZERS, LOSS_CHOICES
from .parameters import Run, Searched, Sized, Trained

CORRUPTIONS = ("none", "masking", "salt_and_pepper", "gaussian")


@declared
class Net(Sized):
    activation: str = parameter("sigmoid", Choice(UNIT_ACTIVATIONS), "of the codes.")
    output: str = parameter(
        "sigmoid", Choice(UNIT_ACTIVATIONS), "of the reconstruction; in a stack, of the bottom layer's.",
        option=("--output-activation",),
    )  # fmt: skip
    loss: str = parameter(
        "auto", Choice(LOSS_CHOICES), "auto is cross_entropy for sigmoid outputs, else squared_error."
    )
    corruption: str = parameter(
        "masking", Choice(CORRUPTIONS, reserved=("none",)),
        "noise on the input, drawn anew for every row of every epoch; the target stays clean.", kinds=("dae",),
    )  # fmt: skip
    corruption_level: float = parameter(
        0.0, Real(), "probability of the noise, or deviation of the Gaussian one; 0 for none.", per_layer=True,
        kinds=("dae",),
    )  # fmt: skip
    tied: bool = parameter(True, Flag(), "one matrix for encoder and decoder.", option=("--tied/--untied",))
    optimizer: str = parameter("momentum", Choice(GRADIENT_OPTIMIZERS), "how gradients become steps.")


@declared
class AutoencoderParameters(Run, Searched, Trained, Net):
    pass
