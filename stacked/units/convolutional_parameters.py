"""The parameters of `ConvolutionalAutoencoder`."""

from collections.abc import Mapping
from typing import Any

from ..activations import UNIT_ACTIVATIONS
from ..parameters import Choice, MapShape, Whole, declared, like, parameter, parameters_of
from ..penalties import Sparse, Targeted
from ..settings import MAX_KERNEL
from .autoencoder_parameters import Net, Reconstructing
from .building import Building
from .parameters import Run, Searched, Sized, Trained

PADDINGS = ("same", "valid")
UNPOOLINGS = ("upsample", "switches")


@declared
class Convolving(Reconstructing):
    """What a convolutional autoencoder is, and how its gradient is followed."""

    n_hidden: int = like(Sized, "n_hidden", 16, help="number of filters: channels of the feature maps.")
    activation: str = like(Reconstructing, "activation", "relu")
    corruption: str = like(Reconstructing, "corruption", "masking", kinds=())
    corruption_level: float = like(Reconstructing, "corruption_level", 0.0, kinds=())
    emphasis: tuple[float, float] = like(Reconstructing, "emphasis", (1.0, 1.0), kinds=())
    kernel: int = parameter(
        3, Whole(maximum=MAX_KERNEL), "height and width of a filter, in pixels; of signals the width.", per_layer=True
    )
    stride: int = parameter(
        1, Whole(maximum=MAX_KERNEL), "pixels from one place of a filter to the next.", per_layer=True
    )
    padding: str = parameter(
        "same", Choice(PADDINGS), "same: zeros round the maps, so that stride 1 keeps their size; valid: none."
    )
    pool: int = parameter(
        0,
        Whole(0, MAX_KERNEL),
        "side of the windows of which only the largest number is kept; 0 for none.",
        per_layer=True,
    )
    unpool: str = parameter(
        "upsample",
        Choice(UNPOOLINGS),
        "the way back from pooling: copies, or to the places where the numbers were found; such codes cannot be decoded alone.",
    )
    tied: bool = like(Net, "tied", False)
    sample_shape: Any = parameter(
        None,
        MapShape(),
        "shape of a sample, of rows that are given flat; None for the shape that they have, and flat ones for signals.",
        option=None,
    )
    optimizer: str = like(Net, "optimizer", "adam")


@declared
class ConvolutionalAutoencoderParameters(Run, Searched, Trained, Sparse, Convolving):
    """All of them, in the order of the signature."""


# Tried on MNIST. Sums run over a kernel only, so that Adam's steps may be longer than those of dense units; a gradient itself is
# summed over the pixels.
CONVOLUTIONAL_RATES = {"adam": 3e-3}
SUMMED_RATE = 1e-3


def _rate(values: Mapping[str, Any], n_inputs: int) -> float:
    return CONVOLUTIONAL_RATES.get(values["optimizer"], SUMMED_RATE)


BUILDING = Building(
    outputs="output",
    means={name: name for name in UNIT_ACTIVATIONS},
    linear_code={"activation": "linear"},
    not_linear=tuple(parameters_of(Targeted)),
    rate=_rate,
    given_up={"loss": "sigmoid"},  # on other outputs the squared error is the only one defined
    lowest=("sample_shape",),
    letters={"c": {}},
    counts="filters",
    marks={"k": "kernel", "s": "stride", "p": "pool"},
    switches={"v": {"padding": "valid"}},
)
