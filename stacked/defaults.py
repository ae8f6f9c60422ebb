"""Which units, rates, minibatches and epochs suit which data, where nobody says; chosen by ``benchmarks/defaults.py``.

Autoencoders of rectified linear units trained by Adam, with tied weights, from a start at principal components: their codes carry
real values, and they are as good as PCA before they begin. Outputs on the data are linear, but sigmoid with cross-entropy for
values near 0 and 1; smooth grey images, of which PCA misses a few percent only, are better off with linear ones. Outputs on
rectified codes are rectified too: with linear ones the whole decoder would be linear, and no better than PCA. Many rows of *ink*
are what restricted Boltzmann machines are better for.
"""

from math import ceil, sqrt
from typing import Any

KINDS = ("binary", "ink", "shades", "unit", "real", "counts")
INK, SHADES = 0.75, 0.5  # shares of the greatest possible variance

SMALLEST_BATCH, LARGEST_BATCH = 20, 100
UPDATES = {"pretrain": 1000, "finetune": 3000}  # that small data get at least
EPOCHS = {"pretrain": 10, "finetune": 20}  # that large data get at least
MANY_WEIGHTS = 3_000_000  # from which on small data get fewer updates, so that a run stays under a minute
LEAST_SHARE = 0.3  # of a rate that is lowered
LARGE = 20_000  # rows from which on nothing is held out
SMALL = 20  # of fewer none can be spared
HELD_OUT = 0.1
ROUNDING = 1e-6
RATE_BY_ROOT, HIGHEST_RATES = 0.04, {"pretrain": 1e-3, "finetune": 3e-3}  # of Adam


def kind_in_unit_range(mean: float, std: float) -> str:
    """The kind of data in [0, 1], by mean and deviation of all values.

    Their variance is at most mean (1 - mean), which 0 and 1 alone reach: the share of it says how near to the two ends values lie.
    MNIST has 0.84 (ink), Fashion-MNIST 0.61 (shades), grey faces have 0.2 (any values of the unit interval).
    """
    largest = mean * (1 - mean)
    if std**2 >= (1 - ROUNDING) * largest:
        return "binary"
    share = std**2 / max(largest, 1e-30)
    return "ink" if share >= INK else "shades" if share >= SHADES else "unit"


def usual_units(kind: str, n_rows: int, classifies: bool = False, on_maps: bool = False) -> tuple[str, dict[str, Any]]:
    """(kind of unit as ``--unit`` names it, parameters of the bottom one but its `usual_rate`).

    What must differ in upper units (outputs, a linear code) follows from `stacked.units.building`. ``classifies`` says that the
    stack is for a classifier of few labels, and not to reconstruct: there binary machines are better by one or two points. Of units
    ``on_maps`` these are no choice, for feature maps are not binary.
    """
    near_ends = kind in ("binary", "ink", "shades")
    if not on_maps and ((kind == "ink" and n_rows >= LARGE) or (classifies and near_ends)):
        return "rbm", {}
    outputs = "sigmoid" if near_ends else "linear"
    return "autoencoder", {"activation": "relu", "output": outputs, "start": "principal", "optimizer": "adam"}


def usual_rate(width: int, phase: str) -> float:
    """Adam's rate for a unit ("pretrain") or the whole network ("finetune") whose widest layer, the data among them, has ``width``.

    A step of Adam moves all weights alike, so a sum over n inputs moves with n, or with its root where they are independent.
    """
    return min(HIGHEST_RATES[phase], RATE_BY_ROOT / sqrt(width))


def usual_share(left: float) -> float:
    """Share of the usual rate of fine-tuning, where pretraining leaves the share ``left`` of a constant answer's loss.

    Where little is left to be gained, long steps only lose what is there. Of squared errors.
    """
    return min(1.0, max(LEAST_SHARE, sqrt(left)))


def usual_batch(n_rows: int) -> int:
    """Rows in a minibatch: the root of their number, within bounds."""
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, int(sqrt(n_rows))))


def usual_epochs(n_rows: int, batch: int, phase: str, n_weights: int = 0) -> int:
    """Epochs of a unit ("pretrain") or of the whole network ("finetune"): enough for `UPDATES`, and at least `EPOCHS`.

    ``n_weights`` is how many weights the unit, or the encoder, has.
    """
    updates = UPDATES[phase] * min(1.0, MANY_WEIGHTS / max(n_weights, 1))
    return max(EPOCHS[phase], ceil(updates * min(batch, n_rows) / n_rows))


def usual_validation(n_rows: int) -> tuple[float, int | None]:
    """(share of the rows held out, patience in epochs): a tenth of small data, of which the best weights are kept at the end.

    No patience: rates fall to zero over the epochs, and the best weights come late.
    """
    return (HELD_OUT if SMALL <= n_rows < LARGE else 0.0), None
