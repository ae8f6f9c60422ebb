"""Anomaly scores: how unlike the training rows a row is to a fitted autoencoder; near 0 for a usual row, higher for a stranger one.

Three distances of a row x are added, each standardised over the training rows on a logarithmic scale:

    error        sum_j (x_j - r_j)^2, of its reconstruction r
    density      sum_k z_k^2 / v_k + sum_j (x_j - p_j)^2 / v, of at most `COMPONENTS` principal components z with variances v_k, or
                 as many as the code has units, and what they leave with the variance v: minus twice the log density of a Gaussian
                 (Tipping & Bishop 1999), but for constants
    neighbours   the mean distance to the `NEAREST` nearest of at most `KEPT` training rows, not of the rows themselves but of the
                 first layer's answers to them, each unit divided by its deviation

The answers are projected on `PROJECTED` random directions of signs (Achlioptas 2003): a file keeps a small table, and no row.
An autoencoder's error misses what it extrapolates well; the density sees that, and neighbours what lies between clusters:
`benchmarks/anomalies.py` has what each does alone and together. A single RBM is scored by its free energy, a classifier by minus
the log of its summed exponentials (Liu et al. 2020), and a file that does not hold what this needs by the error.

Where some of the training rows are sequences that end early the error is all there is. Of such a row it is that of as many numbers
as the longest have, were all like those that are there: no row is strange for its length.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .answers import Answerer
from .baseline import surprise
from .decoding import Decoder
from .errors import DataError, SettingError
from .files import Baseline
from .network import Network

KEPT, NEAREST, PROJECTED = 1000, 5, 64
COMPONENTS = 128  # at least, where there are so many
SCORED = 3000  # training rows of which quantiles are kept
VALUES = 2**23  # answers of the first layer that are looked at: of large maps fewer rows
QUANTILES = 1001
_LEAST = 1e-3  # of a usual distance: smaller ones are all alike
_AT_ONCE = 128
_SIGNS = 0x5354  # key of the random directions


class Seen(NamedTuple):
    """What a network makes of some rows: the first layer's answers (n, H), NaN to rows that end early, and errors (n,)."""

    answers: np.ndarray
    errors: np.ndarray


class Eye:
    """A network that decodes, ready to look at blocks of scaled rows."""

    def __init__(self, network: Network):
        self._network, self._first, self._others = network, network.answerer(0, 1), network.answerer(1)

    def look(self, block: np.ndarray) -> Seen:
        """At rows (n, V) in the network's dtype."""
        ended = np.isnan(block).any(axis=1)
        if not ended.any():
            return self._look_at_whole(block)
        answers, errors = np.full((len(block), self._first.n_out), np.nan), np.empty(len(block))
        answers[~ended], errors[~ended] = self._look_at_whole(block[~ended])
        errors[ended] = self._errors_of_ended(block[ended])
        return Seen(answers, errors)

    def _look_at_whole(self, block: np.ndarray) -> Seen:
        """At rows that do not end early."""
        answers = _answered(self._first, block)
        outputs = _answered(self._others, answers)
        return Seen(answers.astype(np.float64), np.square(block.astype(np.float64) - outputs).sum(axis=1))

    def _errors_of_ended(self, block: np.ndarray) -> np.ndarray:
        """Of rows that end early, in NaN; a code alone does not tell where."""
        there, outputs = ~np.isnan(block), _answered(self._network.answerer(), block)
        apart = np.where(there, block.astype(np.float64) - outputs, 0)
        return np.square(apart).sum(axis=1) * block.shape[1] / there.sum(axis=1)


def _answered(answer: Answerer | Decoder, block: np.ndarray) -> np.ndarray:
    """Answers (n, ...) to scaled rows, a fixed number at once: the bits of a product may depend on how many rows it has."""
    out = np.empty((len(block), answer.n_out), block.dtype)
    for start in range(0, len(block), _AT_ONCE):
        part = block[start : start + _AT_ONCE]
        padded = np.zeros((_AT_ONCE, block.shape[1]), block.dtype)
        padded[: len(part)] = part
        out[start : start + len(part)] = answer.block(padded, 1.0, 0.0)[: len(part)]
    return out


def scores(model: Any, X: Any) -> np.ndarray:
    """Anomaly scores (n_samples,) float64 of X (n_samples, n_features), higher for stranger rows."""
    rows, scaled = model._fitted_rows(X)
    require_own(model, "anomaly scores")
    network, found = model._network, np.empty(rows.n_rows)
    eye = Eye(network)
    with model._threads():
        for start, block in network.blocks(rows, *scaled):
            _check_ends(model.baseline_, rows.name, start, block)
            seen = eye.look(block)
            found[start : start + len(block)] = _combined(model.baseline_, block, seen)
    return checked(rows.name, found)


def _check_ends(baseline: Baseline | None, name: str, start: int, block: np.ndarray) -> None:
    """DataError for a row (n, V) that ends early, where scores add up more than errors."""
    ended = np.isnan(block[:, -1])
    if baseline is not None and baseline.components is not None and ended.any():
        raise DataError(
            f"{name}: expected sequences that go on to the last step, as those of the training, for anomaly scores; row"
            f" {start + int(np.argmax(ended))} ends early; train on such sequences, too"
        )


def require_own(model: Any, what: str) -> None:
    """SettingError for a model that answers with other rows than its input."""
    if model.target_ is not None and model.target_.scaling is not None:
        raise SettingError(
            f"model: expected one that answers with its input, for {what}; found one that was trained towards targets"
        )


def energies(model: Any, X: Any) -> np.ndarray:
    """Minus log sum exp of a classifier's logits, (n_samples,) float64."""
    rows, scaled = model._fitted_rows(X)
    network = model._network
    with model._threads():
        parts = [energies_of(network, block) for _, block in network.blocks(rows, *scaled)]
    return checked(rows.name, np.concatenate(parts))


def energies_of(network: Network, block: np.ndarray) -> np.ndarray:
    """Those of scaled rows (n, V) in the network's dtype."""
    logits = _answered(network.answerer(logits_of="softmax_cross_entropy"), block).astype(np.float64)
    top = logits.max(axis=1)
    return -top - np.log(np.exp(logits - top[:, None]).sum(axis=1))


def checked(name: str, found: np.ndarray) -> np.ndarray:
    """The scores, or a DataError where one is not finite."""
    if not np.isfinite(found).all():
        raise DataError(
            f"{name}: the score of row {int(np.argmin(np.isfinite(found)))} is not finite; its values are too large"
        )
    return found


def threshold(model: Any, quantile: float) -> float | None:
    """The score that this share of the training rows did not exceed, None where the model does not know."""
    if model.baseline_ is None or model.baseline_.scores is None:
        return None
    kept = model.baseline_.scores
    return float(np.interp(quantile, np.linspace(0, 1, len(kept)), kept))


def fitted(baseline: Baseline, network: Network, sample: np.ndarray) -> Baseline:
    """The baseline with what `scores` needs, from scaled training rows (n, V)."""
    most = min(SCORED, max(2 * NEAREST, VALUES // network.layers[0].n_out))
    sample = sample[np.linspace(0, len(sample) - 1, min(len(sample), most)).astype(np.int64)]
    eye, ragged = Eye(network), bool(np.isnan(sample).any())
    looked = [eye.look(sample[start:stop].astype(network.params.dtype)) for start, stop in _parts(len(sample))]
    seen = Seen(*(np.concatenate(parts) for parts in zip(*looked, strict=True)))
    kept = baseline if ragged else _with_neighbours(baseline, seen.answers)
    distances = _distances(kept, sample, seen, own=_chosen(len(sample)))
    if not np.isfinite(distances).all():
        return baseline
    usual = np.array([_usual(found) for found in distances])
    return with_quantiles(replace(kept, distances=usual), _added(distances, usual))


def with_quantiles(baseline: Baseline, found: np.ndarray) -> Baseline:
    """The baseline with quantiles of training rows' scores (n,)."""
    if not np.isfinite(found).all():
        return baseline
    return replace(baseline, scores=np.quantile(found, np.linspace(0, 1, QUANTILES)))


def _chosen(n: int) -> np.ndarray:
    """Which of n rows are kept as neighbours."""
    return np.linspace(0, n - 1, min(n, KEPT)).astype(np.int64)


def _with_neighbours(baseline: Baseline, answers: np.ndarray) -> Baseline:
    """Deviations of the answers (n, H), and the projected answers to the rows that are kept."""
    if len(answers) <= NEAREST:
        return baseline
    spread = answers.std(axis=0)
    spread += 0.1 * spread.mean() + np.finfo(np.float32).tiny
    kept = replace(baseline, spread=spread.astype(np.float32))
    return replace(kept, neighbours=_projected(kept, answers[_chosen(len(answers))]).astype(np.float32))


def _projected(baseline: Baseline, answers: np.ndarray) -> np.ndarray:
    """Answers (n, H) over their deviations, on at most `PROJECTED` random directions."""
    assert baseline.spread is not None
    scaled = answers / baseline.spread
    width = scaled.shape[1]
    if width <= PROJECTED:
        return scaled
    words = np.random.Philox(key=_SIGNS).random_raw(width * PROJECTED // 64)
    signs = np.unpackbits(words.astype("<u8").view(np.uint8)).reshape(width, PROJECTED)
    return scaled @ (2.0 * signs - 1) / np.sqrt(PROJECTED)


def _combined(baseline: Baseline | None, block: np.ndarray, seen: Seen) -> np.ndarray:
    if baseline is None or baseline.distances is None:
        return seen.errors
    distances = _distances(baseline, block, seen)
    return _added(distances, baseline.distances)


def _distances(baseline: Baseline, block: np.ndarray, seen: Seen, own: np.ndarray | None = None) -> list[np.ndarray]:
    """The distances that are known for this model, (n,) each; ``own`` tells which of the rows are those that are kept."""
    found = [seen.errors]
    if baseline.components is not None:
        found.append(surprise(baseline, block))
    if baseline.neighbours is not None:
        found.append(_to_nearest(baseline.neighbours.astype(np.float64), _projected(baseline, seen.answers), own))
    return found


def _to_nearest(kept: np.ndarray, points: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    """Mean distance (n,) of points (n, D) to their nearest among the kept; point ``own[i]`` is not near to kept point i, itself."""
    out = np.empty(len(points))
    for start, stop in _parts(len(points)):
        part = points[start:stop]
        squares = np.square(part).sum(axis=1)[:, None] + np.square(kept).sum(axis=1) - 2 * part @ kept.T
        if own is not None:
            inside = np.flatnonzero((own >= start) & (own < stop))
            squares[own[inside] - start, inside] = np.inf
        nearest = np.argpartition(squares, NEAREST - 1, axis=1)[:, :NEAREST]
        apart = part[:, None] - kept[nearest]  # anew: a small distance is not left over by the squares
        out[start:stop] = np.sort(np.sqrt(np.square(apart).sum(axis=2)), axis=1).mean(axis=1)
    return out


def _parts(n: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n, 1024):
        yield start, min(start + 1024, n)


def _usual(found: np.ndarray) -> tuple[float, float, float]:
    """A usual distance, and the mean and deviation of the logarithms of distances (n,) over it."""
    usual = float(np.median(found)) or float(found.mean()) or 1.0
    logs = np.log(found / usual + _LEAST)
    return usual, float(logs.mean()), float(logs.std()) or 1.0


def _added(distances: list[np.ndarray], usual: np.ndarray) -> np.ndarray:
    return np.sum([_standard(found, *row) for found, row in zip(distances, usual, strict=True)], axis=0)


def _standard(found: np.ndarray, usual: float, mean: float, std: float) -> np.ndarray:
    return (np.log(found / usual + _LEAST) - mean) / std
