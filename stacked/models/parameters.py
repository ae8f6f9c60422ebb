"""The parameters of the stacks."""

from typing import Any

from ..parameters import Choice, Flag, Unchecked, declared, like, parameter
from ..penalties import Penalised
from ..units.autoencoder_parameters import AutoencoderParameters
from ..units.kinds import KINDS
from ..units.parameters import Run, Searched, Trained
from ..units.usual import CODES

_WHOLE_NET = {"per_layer": False, "kinds": ()}


@declared
class Finetuned:
    """The units, and how the whole network is fine-tuned."""

    units: Any = parameter(
        None, Unchecked("list of units, or of int or str"),
        "from the data upwards, or their sizes alone, as texts such as c16k5s2 those of other kinds; None for one `Autoencoder`."
        " Their precision, threads, scaling, validation split, seed and verbosity are those of the stack, and its patience if they"
        " have none.", option=None,
    )  # fmt: skip
    unit: str = parameter(
        "auto",
        Choice(("auto", *KINDS)),
        "kind of the units where ``units`` gives sizes; auto goes by the data.",
        option=None,
    )
    code: str = parameter(
        "auto", Choice(CODES),
        "the uppermost of units given by sizes: linear, the same as the others, or with auto linear where it is narrower.",
        option=None,
    )  # fmt: skip
    unit_settings: Any = parameter(
        None, Unchecked("dict or None"),
        "parameters of units given by sizes: a value for all, or `Each` with one for each unit.", option=None,
    )  # fmt: skip
    finetune_epochs: int | str = like(Trained, "epochs", "auto", **_WHOLE_NET)
    finetune_optimizer: str = like(AutoencoderParameters, "optimizer", "adam")
    finetune_learning_rate: Any = like(
        Trained,
        "learning_rate",
        "auto",
        help="step down the gradient, or a schedule of it; auto suits adam.",
        **_WHOLE_NET,
    )
    finetune_momentum: Any = like(Trained, "momentum", 0.9, **_WHOLE_NET)
    finetune_linear_decay: bool = parameter(True, Flag(), "let the learning rate fall to zero over the epochs.")
    finetune_batch_size: int | str = like(Trained, "batch_size", "auto", **_WHOLE_NET)
    finetune_weight_decay: float = like(Trained, "weight_decay", 0.0, **_WHOLE_NET)
    finetune_l1: float = like(Trained, "l1", 0.0, **_WHOLE_NET)


@declared
class Reconstructing:
    """What a network that decodes has besides."""

    finetune_loss: str = like(AutoencoderParameters, "loss", "auto")
    finetune_code_l1: float = like(Penalised, "code_l1", 0.0, **_WHOLE_NET)
    finetune_sparsity_target: float | None = like(Penalised, "sparsity_target", None, **_WHOLE_NET)
    finetune_sparsity_weight: float = like(Penalised, "sparsity_weight", 0.0, **_WHOLE_NET)


@declared
class StackedAutoencoderParameters(Run, Searched, Reconstructing, Finetuned):
    """All of them, in the order of the signature."""


@declared
class StackedClassifierParameters(Run, Searched, Finetuned):
    """All of them, in the order of the signature."""
