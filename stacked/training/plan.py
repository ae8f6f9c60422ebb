"""The frozen plan that a training loop follows, made from the checked parameters of an estimator."""

from dataclasses import dataclass, replace
from typing import Any

from ..defaults import usual_batch, usual_epochs, usual_share, usual_validation
from ..errors import SettingError
from ..parameters import checked
from ..settings import LINE_SEARCHES, Schedule

AUTO = "auto"
ADAM_RATE = 1e-3


@dataclass(frozen=True)
class Plan:
    """How one phase trains: everything the loop needs to know, checked.

    Epochs, batch size, learning rate, validation fraction and patience may be "auto" until the data are known (`on`).
    """

    epochs: Any
    batch_size: Any
    optimizer: str
    learning_rate: Any  # a `Schedule`
    momentum: Schedule
    linear_decay: bool = False
    l1: float = 0.0
    l2: float = 0.0
    validation_fraction: Any = 0.0
    patience: Any = None
    line_searches: int = 3
    clip_norm: float = 0.0
    phase: str = "pretrain"

    def on(self, n_rows: int, rate: float = ADAM_RATE, n_weights: int = 0) -> "Plan":
        """The plan for so many rows and weights of the encoder, with nothing left to choose; ``rate`` is taken if none is given.

        Rows are held out by choice only where the number of epochs is chosen, too, or patience was asked for.
        """
        batch_size = usual_batch(n_rows) if self.batch_size == AUTO else self.batch_size
        chosen = self.epochs == AUTO
        epochs = usual_epochs(n_rows, batch_size, self.phase, n_weights) if chosen else self.epochs
        fraction, patience = usual_validation(n_rows) if chosen else (0.0, None)
        if self.patience != AUTO:
            fraction, patience = fraction or (HELD_OUT if self.patience else 0.0), self.patience
        if self.validation_fraction != AUTO:
            fraction = self.validation_fraction
        return replace(
            self, epochs=epochs, batch_size=batch_size, validation_fraction=fraction,
            patience=patience if fraction else None,
            learning_rate=((0, rate),) if self.learning_rate == AUTO else self.learning_rate,
        )  # fmt: skip

    def eased(self, left: float) -> "Plan":
        """The plan with its rates lowered as `usual_share` has it."""
        share = usual_share(left)
        return replace(self, learning_rate=tuple((epoch, rate * share) for epoch, rate in self.learning_rate))


HELD_OUT = 0.1  # share of the rows, where patience is asked for and no share


def training_plan(estimator: Any, prefix: str = "") -> Plan:
    """The plan of an estimator, every parameter checked; ``prefix`` ("finetune_") selects those of a stack's second phase."""
    values = checked(estimator)
    if values["patience"] not in (None, AUTO) and values["validation_fraction"] == 0:
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
        clip_norm=values.get("clip_norm", 0.0),
        phase="finetune" if prefix else "pretrain",
    )


def remedy(plan: Plan, prefix: str = "") -> str:
    """The setting to change when training diverges."""
    if plan.optimizer in LINE_SEARCHES:
        return f"lower line_searches, or raise {prefix}batch_size or {prefix}weight_decay"
    return f"lower {prefix}learning_rate"
