"""The parameters of `RBM`."""

from ..parameters import Choice, Flag, Whole, declared, like, parameter
from ..settings import MAX_COUNT
from .parameters import Run, Sized, Trained

VISIBLE = ("bernoulli", "gaussian")
HIDDEN = ("bernoulli", "gaussian", "rectified")


@declared
class Machine(Sized):
    """What an RBM is."""

    visible: str = parameter(
        "bernoulli",
        Choice(VISIBLE),
        "units of the data: bernoulli for data in [0, 1], gaussian (unit variance) for others.",
    )
    hidden: str = parameter(
        "bernoulli", Choice(HIDDEN, reserved=("gaussian",)),
        "units of the codes: binary, noisy rectified linear, or linear of unit variance.",
    )  # fmt: skip
    k: int = parameter(
        1, Whole(maximum=MAX_COUNT), "Gibbs steps of CD-k, or per update of persistent chains.", per_layer=True
    )
    persistent: bool = parameter(
        False, Flag(), "as many chains as a minibatch has rows, which never restart at the data."
    )


@declared
class RBMParameters(Run, Trained, Machine):
    """All of them, in the order of the signature."""

    weight_decay: float = like(Trained, "weight_decay", 2e-4)
