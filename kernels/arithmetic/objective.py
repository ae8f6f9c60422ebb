"""What a network minimises: the loss, how its input is spoilt, terms; and a minibatch of rows, with their share in the mean."""

from typing import NamedTuple

import numpy as np
from numba import typeof

from .corruption import NO_CORRUPTION, Corruption
from .random import Key
from .samples import Samples, as_samples
from .terms import NO_TERMS, Terms


class Objective(NamedTuple):
    """A loss code, the corruption of the input, the number of weights that decay, and the terms that are added to the loss.

    Of a minibatch every ``n_samples`` rows are one row of the data, for which stochastic layers draw as often; with 0 each row is
    one, and they answer with their means. With ``ragged`` rows, or their targets, are sequences which end where NaN begins:
    losses of what is not there do not count.
    """

    loss: int
    corruption: Corruption
    n_weights: int
    terms: Terms = NO_TERMS
    n_samples: int = 1
    ragged: int = 0


class Batch(NamedTuple):
    """Rows ``positions`` (B,) of ``samples``, and of ``labels`` (N,) or (0,).

    row_ids (B,) are their numbers in the whole data set, which with ``key`` and ``epoch`` give random numbers. ``share`` is a row's
    share in the mean: one over the number of rows that a step takes, of which these may be a part.
    """

    samples: Samples
    labels: np.ndarray
    positions: np.ndarray
    row_ids: np.ndarray
    key: Key
    epoch: int
    share: float


_NOTHING, _KEY = np.zeros(0, np.int64), Key(np.uint64(0), np.uint64(0))
OBJECTIVE = typeof(Objective(0, NO_CORRUPTION, 0))  # types of arguments
BATCH = typeof(Batch(as_samples(np.zeros((1, 1), np.uint8)), _NOTHING, _NOTHING, _NOTHING, _KEY, 0, 1.0))
