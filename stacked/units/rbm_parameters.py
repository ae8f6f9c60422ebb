"""The parameters of `RBM`."""

from ..parameters import Choice, Flag, Real, Whole, declared, like, parameter
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
class Sparse:
    """A target for the activity of hidden units, and the penalty that draws them there (Hinton 2010, section 11)."""

    sparsity_target: float | None = parameter(
        None, Real(0.0, 1.0, open_low=True, open_high=True, optional=True),
        "mean activity that each hidden unit is drawn to, or None; bernoulli hidden units only.", per_layer=True,
    )  # fmt: skip
    sparsity_weight: float = parameter(0.0, Real(), "of the penalty for the distance from the target.", per_layer=True)
    sparsity_decay: float = parameter(
        0.9, Real(0.0, 1.0, open_high=True),
        "share that the running mean of a unit's activity keeps from one minibatch to the next.", per_layer=True,
    )  # fmt: skip


@declared
class RBMParameters(Run, Trained, Sparse, Machine):
    """All of them, in the order of the signature."""

    weight_decay: float = like(Trained, "weight_decay", 2e-4)
