"""The parameters of `RBM`."""

from collections.abc import Mapping
from typing import Any

from ..parameters import Choice, Flag, Real, Whole, declared, like, parameter, parameters_of
from ..penalties import Targeted
from ..settings import MAX_COUNT
from .building import BINARY_RATE, REAL_RATE, UNBOUNDED_CODE_RATE, Building
from .parameters import Run, Sized, Trained

VISIBLE = ("bernoulli", "gaussian")
HIDDEN = ("bernoulli", "gaussian", "rectified")
MEAN = {"bernoulli": "sigmoid", "gaussian": "linear", "rectified": "relu"}  # the activation that is a unit's mean


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
        "units of the codes: bernoulli (binary), rectified (noisy rectified linear), or gaussian (linear, of unit variance), which"
        " code linear makes of the top layer.",
    )  # fmt: skip
    k: int = parameter(
        1, Whole(maximum=MAX_COUNT), "Gibbs steps of CD-k, or per update of persistent chains.", per_layer=True
    )
    persistent: bool = parameter(
        False, Flag(), "as many chains as a minibatch has rows, which never restart at the data."
    )


@declared
class Sparse(Targeted):
    """A target for the activity of hidden units, and the penalty that draws them there (Hinton 2010, section 11)."""

    sparsity_decay: float = parameter(
        0.9, Real(0.0, 1.0, open_high=True),
        "share that the running mean of a unit's activity keeps from one minibatch to the next.", per_layer=True,
    )  # fmt: skip


@declared
class RBMParameters(Run, Trained, Sparse, Machine):
    """All of them, in the order of the signature."""

    weight_decay: float = like(Trained, "weight_decay", 2e-4)


def _rate(values: Mapping[str, Any], n_inputs: int) -> float:
    if values["visible"] != "bernoulli":
        return REAL_RATE
    return {"bernoulli": BINARY_RATE, "rectified": UNBOUNDED_CODE_RATE}.get(values["hidden"], REAL_RATE)


def _linear_share(values: Mapping[str, Any]) -> float:
    return 0.01 if values["visible"] == "bernoulli" else 1.0


BUILDING = Building(
    outputs="visible",
    means={name: MEAN[name] for name in VISIBLE},
    linear_code={"hidden": "gaussian"},
    not_linear=tuple(parameters_of(Targeted)),
    rate=_rate,
    linear_share=_linear_share,
)
