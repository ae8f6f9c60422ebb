"""Terms of an objective: penalties on the outputs of layers (`penalties`), in a table that forward, backward and update look at.

A term is measured when its layer's outputs are there: means over the minibatch of its statistic, unit by unit, from them its value
and what the slopes need. The delta of the layer below the next and the gradient of the layer's weights then take their share.
Rows and columns may be a whole matrix (B, n) or a part of a panel: the same functions serve both.
"""

from typing import NamedTuple

import numpy as np
from numba import typeof

from .._jit import jit
from . import penalties

MAX_TERMS = 8
KIND, LAYER = range(2)  # columns of Terms.places
WEIGHT, TARGET = range(2)  # columns of Terms.numbers


class Terms(NamedTuple):
    """A table of penalties, one a row: ``places`` (T, 2) int64 kind and layer, ``numbers`` (T, 2) float64 weight and target.

    The weight multiplies the penalty summed over the layer's units; a target is what the kind makes of it.
    """

    places: np.ndarray
    numbers: np.ndarray


NO_TERMS = Terms(np.zeros((0, 2), np.int64), np.zeros((0, 2)))
TERMS = typeof(NO_TERMS)  # type of an argument


class Measured(NamedTuple):
    """What was measured of a minibatch, column by column of each term: values, factors of slopes and of weights; (T, n) float64.

    Functions take this or another record with the same fields as ``found``.
    """

    values: np.ndarray
    gains: np.ndarray
    weight_gains: np.ndarray


def as_terms(*terms: tuple[int, int, float, float]) -> Terms:
    """The table of some terms: kind, layer, weight, target."""
    if not terms:
        return NO_TERMS
    return Terms(np.array([term[:2] for term in terms], np.int64), np.array([term[2:] for term in terms], np.float64))


def joined(first: Terms, second: Terms) -> Terms:
    """The terms of two tables."""
    return Terms(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def measured(n_columns: int) -> Measured:
    """Room for what is measured of layers of at most so many columns."""
    return Measured(*np.zeros((3, MAX_TERMS, n_columns)))


@jit
def sum_statistics(terms, term, activation, outputs, first_column, sums):
    """Add the statistics of ``outputs`` (B, n) to ``sums`` (n,) float64; the columns are counted from ``first_column``."""
    kind, target = terms.places[term, KIND], terms.numbers[term, TARGET]
    for r in range(outputs.shape[0]):
        for c in range(outputs.shape[1]):
            sums[c] += penalties.statistic(kind, activation, target, outputs[r, c], first_column + c)


@jit
def sum_squares(weight, sums):
    """Add the squares of ``weight`` (n_in, n) to ``sums`` (n,) float64, column by column."""
    for r in range(weight.shape[0]):
        for c in range(weight.shape[1]):
            w = np.float64(weight[r, c])
            sums[c] += w * w


@jit
def measure_columns(terms, term, share, sums, norms, width, first_column, found):
    """Fill in what was measured of ``width`` columns from the sums of statistics and squared weights, (width or more,)."""
    kind, weight, target = terms.places[term, KIND], terms.numbers[term, WEIGHT], terms.numbers[term, TARGET]
    for c in range(width):
        mean, column = sums[c] * share, first_column + c
        found.values[term, column] = weight * penalties.value(kind, target, mean, norms[c])
        found.gains[term, column] = weight * share * penalties.gain(kind, target, mean, norms[c])
        found.weight_gains[term, column] = weight * penalties.weight_gain(kind, mean)


@jit
def add_slopes(terms, layer, activation, outputs, first_column, width, found, delta):
    """Add the slopes of the terms on ``layer`` to its ``delta`` (B, width or more), the derivative for its inputs."""
    cast = delta.dtype.type
    for term in range(terms.places.shape[0]):
        if terms.places[term, LAYER] == layer:
            kind, target = terms.places[term, KIND], terms.numbers[term, TARGET]
            for r in range(outputs.shape[0]):
                for c in range(width):
                    own = penalties.slope(kind, activation, target, outputs[r, c], first_column + c)
                    delta[r, c] += own * cast(found.gains[term, first_column + c])


@jit
def add_weight_slopes(term, weight, first_column, width, found, gradient):
    """Add a term's slopes to the ``gradient`` (R, width or more) of its layer's ``weight`` of the same shape."""
    for c in range(width):
        own = gradient.dtype.type(found.weight_gains[term, first_column + c])
        for r in range(weight.shape[0]):
            gradient[r, c] += own * weight[r, c]


@jit
def changes_weights(terms, term, layer):
    """Whether a term is one on ``layer`` that has slopes for the layer's weights."""
    return terms.places[term, LAYER] == layer and penalties.reaches_weights(terms.places[term, KIND])
