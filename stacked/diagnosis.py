"""What a phase of training came to, said in words: codes that do not vary, dead and saturated units, a loss that did not fall.

Looked at are the answers of the layers to at most `ROWS` of the training rows (of large maps to fewer), after the phase. Each
finding is one line that names the phase, how much is affected, and a setting that helps. Runs of fewer than `LEAST_STEPS`
minibatches have only begun and are not judged, nor fewer than `LEAST_ROWS` rows.
"""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from .baseline import sample_rows
from .data import ArrayRows
from .decoding import forcing_in
from .network import Network
from .settings import LINE_SEARCHES
from .training.loop import Phase, Progress
from .training.trainees import RBMTrainee

ROWS = 2048
VALUES = 2**23  # of the answers of a layer: of large maps fewer rows are looked at
LEAST_STEPS, LEAST_ROWS = 100, 10
FEW_STEPS = 1000  # minibatches, before which more of them are the first thing to try
STILL = 1e-3  # a deviation over the rows, as a share of the largest answer, that is none
ALIKE = 1e-3  # a share of the variance of the data that is none
MOST_STILL, MOST_DEAD, MOST_PINNED = 0.9, 0.75, 0.95  # shares from which units are spoken of
MOST_CLIPPED = 0.5  # share of the minibatches
PINNED = 1e-3  # from an end of the range
_ENDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_LOG = logging.getLogger("stacked.training")


def warn_of(phase: Phase, progress: Progress, n_code_layers: int) -> list[str]:
    """Log what `findings` finds, a warning each, and return it."""
    found = findings(phase, progress, n_code_layers)
    for line in found:
        _LOG.warning("%s", line)
    return found


def findings(phase: Phase, progress: Progress, n_code_layers: int) -> list[str]:
    """Of a phase that has ended; the leading ``n_code_layers`` layers of its network encode."""
    feed = phase.feed
    if progress.step < LEAST_STEPS or feed.n_rows < LEAST_ROWS:
        return []
    sequences = phase.trainee.network.takes_sequences
    most = min(ROWS, max(LEAST_ROWS, VALUES // max(layer.n_out for layer in phase.trainee.network.layers)))
    sample = sample_rows(feed.rows, (feed.scale, feed.offset), feed.subset, most, sequences)
    if not np.isfinite(sample).all():
        return []  # numbers that float32 does not hold, or sequences that end early
    answers = _answers(phase.trainee.network, sample)
    lines = [
        *_of_gradients(phase, progress),
        *_of_codes(phase, progress, answers[:n_code_layers]),
        *_of_outputs(phase, progress, sample, answers),
        *_of_losses(phase, progress),
    ]
    return [f"{phase.where}: {line}" for line in lines]


def _answers(network: Network, sample: np.ndarray) -> list[np.ndarray]:
    """The answers (n, width) of each layer, in float64."""
    inputs = [sample.astype(network.params.dtype)]
    forced = forcing_in(network.layers)
    for index, layer in enumerate(network.layers[:forced]):
        first = layer.needs_from(index)
        inputs.append(network.apply(ArrayRows(inputs[first]), first=first, last=index + 1))
    return [table.astype(np.float64) for table in inputs[1:]]


def _of_gradients(phase: Phase, progress: Progress) -> Iterator[str]:
    """Gradients that were scaled down so often that the limit is what they go by."""
    share = phase.trainee.n_clipped / progress.step
    if share > MOST_CLIPPED:
        yield f"{share:.0%} of the gradients were longer than clip_norm allows; raise clip_norm of the unit, or {_lower(phase)}"


def _of_codes(phase: Phase, progress: Progress, answers: Sequence[np.ndarray]) -> Iterator[str]:
    """Of each layer up to the code, the first thing that is wrong with it."""
    layers = phase.trainee.network.layers
    for index, table in enumerate(answers):
        kind = layers[index].activation
        what = "codes" if len(answers) == 1 else f"answers of layer {index + 1}"
        size = np.abs(table).max()
        still = np.mean(np.ptp(table, axis=0) <= STILL * size) if size > 0 else 1.0
        dead = np.mean(~(table > 0).any(axis=0)) if kind == "relu" else 0.0
        pinned = _pinned(kind, table)
        if dead >= MOST_DEAD:
            yield f"{dead:.0%} of the {table.shape[1]:,} relu units never answer; {_dead_remedy(phase)}"
        elif pinned >= MOST_PINNED:
            yield f"{pinned:.0%} of the {what} lie at the ends of the range of {kind}; {_lower(phase)}"
        elif still >= MOST_STILL:
            yield f"{still:.0%} of the {what} do not vary from row to row; {_still_remedy(phase, progress)}"


def _pinned(kind: str, table: np.ndarray) -> float:
    if kind not in _ENDS:
        return 0.0
    low, high = _ENDS[kind]
    return float(np.mean((table < low + PINNED * (high - low)) | (table > high - PINNED * (high - low))))


def _of_outputs(phase: Phase, progress: Progress, sample: np.ndarray, answers: Sequence[np.ndarray]) -> Iterator[str]:
    """Of a network that decodes: reconstructions that are all alike."""
    outputs = answers[-1]
    if len(answers) < len(phase.trainee.network.layers) or phase.feed.goal is not None:
        return  # nothing is told, or targets are other rows
    if outputs.shape != sample.shape or phase.trainee.network.layers[-1].activation == "softmax":
        return
    if outputs.var(axis=0).sum() <= ALIKE * sample.astype(np.float64).var(axis=0).sum():
        yield f"the reconstructions of all rows are alike; {_still_remedy(phase, progress)}"


def _of_losses(phase: Phase, progress: Progress) -> Iterator[str]:
    """A loss that ended no lower than it began; where penalties, chains or draws move it, too, nothing is said."""
    records = progress.history
    moved = any(record.penalty for record in records) or "chains" in phase.trainee.arrays
    if len(records) < 2 or moved or records[0].epoch > 0:
        return
    first, last = records[0].loss, records[-1].loss
    if last >= first and last > 0:
        yield f"the loss did not fall, from {first:.4g} in the first epoch to {last:.4g} in the last; {_lower(phase)}"


def _lower(phase: Phase) -> str:
    """The setting to change where steps were too long."""
    if _has_optimizer(phase) and phase.plan.optimizer not in ("adam", *LINE_SEARCHES):
        return f"{phase.remedy}, or set {_prefix(phase)}optimizer='adam'"
    return phase.remedy


def _dead_remedy(phase: Phase) -> str:
    """Units die of steps that are too long, and tanh units cannot."""
    return f"{phase.remedy}, or pretrain units with activation='tanh'"


def _still_remedy(phase: Phase, progress: Progress) -> str:
    """What makes units look at their input at all: time, steps of the right length, an input that varies."""
    if progress.step < FEW_STEPS:
        return f"train longer: raise {_prefix(phase)}epochs, for it took {progress.step:,} minibatches only"
    if _has_optimizer(phase) and phase.plan.optimizer not in ("adam", *LINE_SEARCHES):
        return f"set {_prefix(phase)}optimizer='adam'"
    return f"{phase.remedy}, or pretrain autoencoder units with activation='tanh' and optimizer='adam'"


def _has_optimizer(phase: Phase) -> bool:
    return not isinstance(phase.trainee, RBMTrainee)


def _prefix(phase: Phase) -> str:
    return "finetune_" if phase.name == "finetune" else ""
