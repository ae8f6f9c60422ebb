"""Which loss goes with which outputs."""

from ..errors import SettingError
from ..kernels.arithmetic.losses import REQUIRED_ACTIVATION
from ..settings import LOSS_CHOICES, choice


def is_defined(loss: str, output: str) -> bool:
    """Whether the loss is defined for outputs of this activation: the cross-entropies are for one each."""
    return output == REQUIRED_ACTIVATION.get(loss, output)


def loss_for(loss: str, output: str, name: str = "loss") -> str:
    """The loss that "auto" stands for, or the checked loss: cross-entropy is defined for sigmoid outputs only."""
    choice(name, loss, LOSS_CHOICES)
    if loss == "auto":
        return "cross_entropy" if is_defined("cross_entropy", output) else "squared_error"
    if not is_defined(loss, output):
        required = REQUIRED_ACTIVATION[loss]
        raise SettingError(f"{name}: {loss} needs {required} outputs, found {output}; set {name}='squared_error'")
    return loss
