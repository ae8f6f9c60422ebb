"""Counter-based random numbers: Philox 4x32 with 10 rounds.

Reference: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A number is a pure function of
(key, epoch, row, column, draw). There is no state to save, and nothing depends on threads, chunks, or where a run was
interrupted. The key comes from (seed, purpose, unit).

The four counter words are (column // 4, row, epoch, draw); the block's four output words serve columns 4q .. 4q + 3.
``draw`` tells apart several numbers for the same cell, for example the steps of a Gibbs chain.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import typeof

from .._jit import jit
from ..engine.instructions import PANEL
from ..engine.vectors import uniform_row

SHUFFLE, WEIGHTS, CORRUPTION, SAMPLING, CHAINS, SPLIT = range(6)  # purposes

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_EIGHT = np.uint64(8)


class Key(NamedTuple):
    """The two 32-bit words that select a stream, each held as uint64."""

    word0: np.uint64
    word1: np.uint64


KEY = typeof(Key(np.uint64(0), np.uint64(0)))


def stream_key(seed: int, purpose: int, unit: int = 0) -> Key:
    """Key of the stream for one purpose of one unit; NumPy's SeedSequence mixes the three numbers."""
    words = np.random.SeedSequence([seed, purpose, unit]).generate_state(2, np.uint32)
    return Key(np.uint64(words[0]), np.uint64(words[1]))


@jit
def philox(c0, c1, c2, c3, k0, k1):
    """Four 32-bit random words (as uint64) for four counter words and two key words (all uint64)."""
    for _ in range(10):
        p0 = _MULTIPLIER_0 * c0
        p1 = _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@jit
def fill_uniform(key, epoch, row, draw, first_column, out):
    """Uniform numbers in [0, 1) on a grid of 2**-24 for columns ``first_column`` (a multiple of 4) onwards of one row.

    ``out`` (n,) float32 or float64 is overwritten; both dtypes get the same numbers.
    """
    numbers = np.empty(PANEL, np.float32)
    for start in range(0, out.shape[0], PANEL):
        uniform_row(key.word0, key.word1, epoch, row, draw, (first_column + start) // 4, numbers, 0)
        part = out[start : start + PANEL]
        for i in range(part.shape[0]):
            part[i] = numbers[i]


@jit
def fill_normal(key, epoch, row, draw, first_column, out):
    """Standard normal numbers for columns ``first_column`` (a multiple of 4) onwards of one row, by Box and Muller.

    Words (0, 1) of a block give columns 4q and 4q + 1, words (2, 3) the next two. ``out`` (n,) is overwritten.
    """
    r, e, d = np.uint64(row), np.uint64(epoch), np.uint64(draw)
    n = out.shape[0]
    for q in range((n + 3) // 4):
        words = philox(np.uint64(first_column // 4 + q), r, e, d, key.word0, key.word1)
        for pair in range(2):
            radius = math.sqrt(-2.0 * math.log((np.float64(words[2 * pair] >> _EIGHT) + 1.0) * 2.0**-24))
            angle = 2.0 * math.pi * (np.float64(words[2 * pair + 1] >> _EIGHT) * 2.0**-24)
            column = 4 * q + 2 * pair
            if column < n:
                out[column] = radius * math.cos(angle)
            if column + 1 < n:
                out[column + 1] = radius * math.sin(angle)


@jit
def fill_uniform_matrix(key, epoch, draw, out):
    """`fill_uniform` for every row of ``out`` (n, m), rows counted from 0."""
    for i in range(out.shape[0]):
        fill_uniform(key, epoch, i, draw, 0, out[i])


@jit
def fill_normal_matrix(key, epoch, draw, out):
    """`fill_normal` for every row of ``out`` (n, m), rows counted from 0."""
    for i in range(out.shape[0]):
        fill_normal(key, epoch, i, draw, 0, out[i])


@jit
def shuffle(key, epoch, part, order):
    """Permute ``order`` (n,) int64 in place, by Fisher and Yates; ``part`` tells apart several shuffles of one epoch."""
    e, p = np.uint64(epoch), np.uint64(part)
    for i in range(order.shape[0] - 1, 0, -1):
        words = philox(np.uint64(i // 4), p, e, np.uint64(0), key.word0, key.word1)
        j = np.int64((words[i % 4] * np.uint64(i + 1)) >> _HALF)
        order[i], order[j] = order[j], order[i]
