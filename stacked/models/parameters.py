"""The parameters of the stacks."""

from typing import Any

from ..parameters import Flag, Unchecked, declared, like, parameter
from ..penalties import Penalised
from ..units.autoencoder_parameters import AutoencoderParameters
from ..units.parameters import Run, Searched, Trained

_WHOLE_NET = {"per_layer": False, "kinds": ()}


@declared
class Finetuned:
    """The units, and how the whole network is fine-tuned."""

    units: Any = parameter(
        None, Unchecked("list of units"),
        "from the data upwards; None for one `Autoencoder`. Their precision, threads, scaling, validation split, seed and verbosity"
        " are those of the stack, and its patience if they have none.", option=None,
    )  # fmt: skip
    finetune_epochs: int = like(Trained, "epochs", 20, **_WHOLE_NET)
    finetune_optimizer: str = like(AutoencoderParameters, "optimizer", "adam")
    finetune_learning_rate: Any = like(Trained, "learning_rate", 1e-3, **_WHOLE_NET)
    finetune_momentum: Any = like(Trained, "momentum", 0.9, **_WHOLE_NET)
    finetune_linear_decay: bool = parameter(True, Flag(), "let the learning rate fall to zero over the epochs.")
    finetune_batch_size: int = like(Trained, "batch_size", 100, **_WHOLE_NET)
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
