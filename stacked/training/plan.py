"""The frozen plan that a training loop follows, made from the checked parameters of an estimator."""

from dataclasses import dataclass
from typing import Any

from ..errors import SettingError
from ..settings import LINE_SEARCHES, MAX_COUNT, Schedule, choice, flag, real, schedule, whole

GRADIENT_OPTIMIZERS = ("momentum", "nesterov", "adam", *LINE_SEARCHES)  # of what has a loss with a gradient


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


def training_plan(unit: Any, prefix: str = "", optimizers: tuple[str, ...] = ("momentum",)) -> Plan:
    """The checked training parameters of an estimator; ``prefix`` ("finetune_") selects those of a stack's second phase."""

    def value(name: str, default: Any = None) -> Any:
        return getattr(unit, prefix + name, default)

    validation_fraction = real("validation_fraction", unit.validation_fraction, 0.0, 1.0, open_high=True)
    patience = unit.patience
    if patience is not None:
        whole("patience", patience)
        if not validation_fraction:
            raise SettingError("patience: early stopping needs a validation set; set validation_fraction too")
    optimizer = value("optimizer", "momentum")
    return Plan(
        epochs=whole(prefix + "epochs", value("epochs"), 0, MAX_COUNT),
        batch_size=whole(prefix + "batch_size", value("batch_size")),
        optimizer=choice(prefix + "optimizer", optimizer, optimizers) if optimizers != ("momentum",) else optimizer,
        learning_rate=schedule(prefix + "learning_rate", value("learning_rate")),
        momentum=schedule(prefix + "momentum", value("momentum"), high=1.0),
        linear_decay=flag(prefix + "linear_decay", value("linear_decay", False)),
        l1=real(prefix + "l1", value("l1")),
        l2=real(prefix + "weight_decay", value("weight_decay")),
        validation_fraction=validation_fraction,
        patience=patience,
        line_searches=whole("line_searches", getattr(unit, "line_searches", 3)),
    )


def remedy(plan: Plan, prefix: str = "") -> str:
    """The setting to change when training diverges."""
    if plan.optimizer in LINE_SEARCHES:
        return f"lower line_searches, or raise {prefix}batch_size or {prefix}weight_decay"
    return f"lower {prefix}learning_rate"
