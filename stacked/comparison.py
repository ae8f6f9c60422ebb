"""A fitted model against answers that need no training: the mean of its training rows, their principal components, one class.

``conclude`` notes at the end of training what the rows were like, and warns (logger ``stacked.training``) of a model that is no
better than these; ``stacked evaluate`` and the end of a run on the command line say it, too.
"""

import logging
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from . import anomalies
from .baseline import baseline_of, is_comparable, left_over, sample_rows, squared_errors
from .data import ArrayRows, Rows
from .diagnosis import LEAST_ROWS, LEAST_STEPS, ROWS
from .files import Baseline
from .registry import CLASSIFIER, is_stack
from .training.feed import split_rows
from .training.loop import FINETUNE
from .training.plan import Plan

CLOSE = 1.05  # an error so many times that of PCA is no reason to warn
OVERFITTED = 1.3  # an error so many times that of training
_LOG = logging.getLogger("stacked.training")


class Comparison(NamedTuple):
    """Squared errors a row, of scaled rows: the model's, that of a constant answer, and of PCA.

    The latter is None where it would be exact, and of rows that end early.
    """

    squared_error: float
    constant: float
    pca: float | None
    n_components: int

    @property
    def worse_than(self) -> list[str]:
        """Of "constant" and "pca" those that do better than the model."""
        others = {"constant": self.constant, "pca": self.pca}
        return [name for name, error in others.items() if error is not None and self.squared_error > error]


def conclude(model: Any, rows: Rows, scaled: tuple[Any, Any], labels: np.ndarray | None = None) -> None:
    """Set ``baseline_`` of a model whose training, on rows loaded with (scale, offset), has ended; warn if it is no good."""
    network, (train, _) = model.network_, _split(model, rows.n_rows)
    if model.kind == CLASSIFIER:
        model.baseline_ = None if labels is None else _of_classes(model, rows, scaled, labels, train)
        return
    if model.target_ is not None:  # answers are other rows, or not those that it was trained for
        model.baseline_ = None
        return
    sample = sample_rows(rows, scaled, train, sequences=model.takes_sequences)
    if np.isinf(sample).any():  # of numbers that float32 does not hold nothing is kept
        model.baseline_ = None
        return
    if hasattr(model, "free_energy"):
        baseline = baseline_of(sample, model._n_features_out)
        model.baseline_ = replace(baseline, scores=_energy_quantiles(model, sample))
    else:
        baseline = baseline_of(sample, model._n_features_out, anomalies.COMPONENTS)
        model.baseline_ = anomalies.fitted(baseline, network, sample)
    _warn(model, rows, scaled)


def _of_classes(
    model: Any, rows: Rows, scaled: tuple[Any, Any], labels: np.ndarray, train: np.ndarray | None
) -> Baseline:
    chosen = labels if train is None else labels[train]
    share = np.bincount(chosen, minlength=len(model.classes_)) / len(chosen)
    sample = sample_rows(rows, scaled, train, anomalies.SCORED, model.takes_sequences)
    found = anomalies.energies_of(model.network_, sample.astype(model.network_.params.dtype))
    return anomalies.with_quantiles(Baseline(class_share=share), found)


def _energy_quantiles(model: Any, sample: np.ndarray) -> np.ndarray | None:
    """Of the free energies of scaled rows."""
    chosen = sample[np.linspace(0, len(sample) - 1, min(len(sample), anomalies.SCORED)).astype(np.int64)]
    found = model._energies(ArrayRows(chosen.astype(model.network_.params.dtype)), (1.0, 0.0))
    return anomalies.with_quantiles(Baseline(), found).scores


def at_the_end(model: Any, rows: Rows, scaled: tuple[Any, Any]) -> tuple[Comparison | None, str]:
    """The comparison on some of the rows held out, or of the training's where none were; and which they are."""
    train, held_out = _split(model, rows.n_rows)
    chosen, name = (train, "training rows") if held_out is None else (held_out, "rows held out")
    sample = sample_rows(rows, scaled, chosen, ROWS, model.takes_sequences)
    table = _as_sampled(model, rows, sample)
    return compared(model, table, (1.0, 0.0)), f"{len(sample):,} {name}"


def _as_sampled(model: Any, rows: Rows, sample: np.ndarray) -> ArrayRows:
    """A sample (n, V) of rows, in the shape that tells where their sequences end."""
    return ArrayRows(sample.astype(model.network_.params.dtype).reshape(len(sample), *rows.sample_shape), rows.name)


def summary_line(model: Any, X: Any) -> str | None:
    """What the training on X came to, beside the answers that need none; None where that is not known or was warned of."""
    if model.kind == CLASSIFIER:
        return _accuracy_line(model, X)
    rows, scaled = model._fitted_rows(X)
    with model._threads():
        found, where = at_the_end(model, rows, scaled)
    no_good = found is not None and _is_no_good(model, found)
    if found is None or (no_good and _is_judged(model, rows.n_rows)):
        return None
    pca = "" if found.pca is None else f", by PCA with {found.n_components:,} components {found.pca:.4g}"
    line = f"squared error of {where}: {found.squared_error:.4g}; by a constant answer {found.constant:.4g}{pca}"
    return f"{line}; {verdict(model, found)}" if no_good else line


def _accuracy_line(model: Any, X: Any) -> str | None:
    """Of a classifier that was trained on rows with labels, and of always the most frequent class."""
    if model.baseline_ is None or model.baseline_.class_share is None or not isinstance(X, Rows) or X.labels is None:
        return None
    rows, scaled = model._fitted_rows(X)
    train, held_out = _split(model, rows.n_rows)
    chosen, name = (held_out, "rows held out") if held_out is not None else (train, "training rows")
    chosen = np.arange(rows.n_rows) if chosen is None else chosen
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), ROWS)).astype(np.int64)]
    sample = sample_rows(rows, scaled, chosen, sequences=model.takes_sequences)
    chosen = chosen[: len(sample)]
    with model._threads():
        found = model.classes_[model._network.apply(_as_sampled(model, rows, sample)).argmax(axis=1)]
    accuracy, constant = float((found == X.labels[chosen]).mean()), float(model.baseline_.class_share.max())
    hopeless = ": it has learnt nothing; train longer, or on more labelled rows" if accuracy <= constant else ""
    return (
        f"accuracy on {len(sample):,} {name}: {accuracy:.2%}; always the most frequent class {constant:.2%}{hopeless}"
    )


def compared(model: Any, rows: Rows, scaled: tuple[Any, Any]) -> Comparison | None:
    """Of a model that decodes, on rows to be loaded with (scale, offset); None where it does not know its training rows."""
    baseline, network = model.baseline_, model._network
    if baseline is None or baseline.mean is None:
        return None
    squared_error = network.loss(rows, *scaled, "squared_error")
    comparable = baseline.components is not None and is_comparable(model._n_features_out, rows.n_columns)
    k = min(len(baseline.components), model._n_features_out) if comparable else 0
    constant, pca = 0.0, 0.0
    for _, block in network.blocks(rows, *scaled):
        one, other = squared_errors(baseline, block, k)
        constant, pca = constant + one, pca + other
    known = comparable and not math.isnan(pca)
    return Comparison(squared_error, constant / rows.n_rows, pca / rows.n_rows if known else None, k)


def verdict(model: Any, found: Comparison) -> str | None:
    """One line that says what is better than the model, and what to do; None where nothing is."""
    worse = found.worse_than
    if not worse:
        return None
    if "constant" in worse:
        return f"worse than a constant answer ({found.constant:.4g}): {_remedy(model, found, True)}"
    return f"worse than PCA with {found.n_components} components ({found.pca:.4g}): {_remedy(model, found, False)}"


def _remedy(model: Any, found: Comparison, hopeless: bool) -> str:
    last = model.history_[-1] if model.history_ else None
    if is_stack(model.kind) and (last is None or last.phase != "finetune"):
        return "fine-tune the whole network"
    if hopeless:
        return f"it has learnt nothing of these rows; {_advice(model)}"
    if last is not None and _overfits(model, found, last.loss):
        held_out = last.validation_loss is not None
        help_ = (
            "fewer units, or some weight_decay, may do better" if held_out else "hold rows out (validation_fraction)"
        )
        return f"it fits its training rows better ({last.loss:.4g}); {help_}"
    return _advice(model)


def _advice(model: Any) -> str:
    """What may do better than the training that a model had."""
    if model.kind == "rbm":
        return "train longer (epochs), or take an autoencoder of relu units by adam"
    optimizer = model.finetune_optimizer if is_stack(model.kind) else model.optimizer
    hidden = {getattr(layer, "activation", "") for layer in model.network_.layers[:-1]}
    if optimizer == "adam" and "sigmoid" not in hidden:
        return "train longer (epochs), or take more units"
    return "train longer (epochs), or relu or tanh units by adam"


def _overfits(model: Any, found: Comparison, training_loss: float) -> bool:
    """Whether the rows are harder for the model than its training's by far more than they are for PCA."""
    baseline = model.baseline_
    if model.network_.layers[-1].activation == "sigmoid" or not found.pca or training_loss <= 0:
        return False  # of sigmoid outputs the loss is another than the error
    in_training = left_over(baseline, found.n_components)
    return bool(found.squared_error / training_loss > OVERFITTED * found.pca / in_training)


def _warn(model: Any, rows: Rows, scaled: tuple[Any, Any]) -> None:
    """Of a model that has been trained for long enough."""
    if not _is_judged(model, rows.n_rows):
        return
    found, where = at_the_end(model, rows, scaled)
    if found is not None and _is_no_good(model, found):
        _LOG.warning(
            "%s: its squared error of %.4g on %s is %s",
            type(model).__name__, found.squared_error, where, verdict(model, found),
        )  # fmt: skip


def _is_judged(model: Any, n_rows: int) -> bool:
    """Whether a model that was trained on so many rows has been for long enough."""
    plans = [_plan(model, n_rows, record.unit) for record in model.history_]
    return n_rows >= LEAST_ROWS and sum(-(-n_rows // plan.batch_size) for plan in plans) >= LEAST_STEPS


def _is_no_good(model: Any, found: Comparison) -> bool:
    """Whether there is something to warn of; before the whole network is fine-tuned only a constant answer counts."""
    unfinished = is_stack(model.kind) and (not model.history_ or model.history_[-1].phase != "finetune")
    close = unfinished or _varies_by_design(model) or found.squared_error <= CLOSE * (found.pca or 0.0)
    return "constant" in found.worse_than or bool(found.worse_than and not close)


def _plan(model: Any, n_rows: int, unit: int) -> Plan:
    """What the training of a model's ``unit``, or its fine-tuning, went by on so many rows."""
    if not is_stack(model.kind):
        plan = model.validate()
    else:
        plan = model.plan() if unit == FINETUNE else model._clone(model.templates[unit]).validate()
    found: Plan = plan.on(n_rows)
    return found


def _split(model: Any, n_rows: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(training rows, rows held out) of the last phase."""
    unit = model.history_[-1].unit if model.history_ else 0
    return split_rows(n_rows, _plan(model, n_rows, unit).validation_fraction, model.seed_)


def _varies_by_design(model: Any) -> bool:
    """Whether codes are drawn in training, which costs reconstruction on purpose."""
    return any(layer.kind == "gaussian" for layer in model.network_.layers)
