"""The frozen plan that a training loop follows, made from the checked parameters of an estimator."""

from dataclasses import dataclass
from typing import Any

from ..errors import SettingError
from ..parameters import checked
from ..settings import LINE_SEARCHES, Schedule


@dataclass(frozen=True)
class Plan:
    """How one phase trains: everything the loop needs to know, checked."""

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: Schedule
    momentum: Schedule
    linear_decay: bool = False
    l1: float = 0.0
    l2: float = 0.0
    validation_fraction: float = 0.0
    patience: int | None = None
    line_searches: int = 3


def training_plan(estimator: Any, prefix: str = "") -> Plan:
    """The plan of an estimator, every parameter checked; ``prefix`` ("finetune_") selects those of a stack's second phase."""
    values = checked(estimator)
    if values["patience"] is not None and not values["validation_fraction"]:
        raise SettingError("patience: early stopping needs a validation set; set validation_fraction too")
    return Plan(
        epochs=values[prefix + "epochs"],
        batch_size=values[prefix + "batch_size"],
        optimizer=values.get(prefix + "optimizer", "momentum"),
        learning_rate=values[prefix + "learning_rate"],
        momentum=values[prefix + "momentum"],
        linear_decay=values.get(prefix + "linear_decay", False),
        l1=values[prefix + "l1"],
        l2=values[prefix + "weight_decay"],
        validation_fraction=values["validation_fraction"],
        patience=values["patience"],
        line_searches=values.get("line_searches", 3),
    )


def remedy(plan: Plan, prefix: str = "") -> str:
    """The setting to change when training diverges."""
    if plan.optimizer in LINE_SEARCHES:
        return f"lower line_searches, or raise {prefix}batch_size or {prefix}weight_decay"
    return f"lower {prefix}learning_rate"
