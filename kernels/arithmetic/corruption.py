"""Corruption of the input of a denoising autoencoder (Vincent et al. 2010, section 3).

masking: a value becomes 0 with probability ``level``. salt_and_pepper: with probability ``level`` it becomes the lowest or the
highest value of the data, by a fair coin. gaussian: normal noise of standard deviation ``level`` is added. Nothing is rescaled.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, intp, typeof

from .._jit import jit, linked
from .random import KEY, fill_normal, fill_uniform

NONE, MASKING, SALT_AND_PEPPER, GAUSSIAN = range(4)
CORRUPTIONS = {"none": NONE, "masking": MASKING, "salt_and_pepper": SALT_AND_PEPPER, "gaussian": GAUSSIAN}


class Corruption(NamedTuple):
    """Kind code, level, the values that pepper and salt stand for, and how much the losses of spoilt and of kept inputs count.

    With ``binarize`` the clean values are probabilities, of which each row of each epoch draws zeros and ones first.
    """

    kind: int
    level: float
    low: float
    high: float
    spoilt_weight: float = 1.0
    kept_weight: float = 1.0
    binarize: int = 0


NO_CORRUPTION = Corruption(NONE, 0.0, 0.0, 1.0)
NOISE, VECTOR = typeof(NO_CORRUPTION), float32[::1]  # types of arguments


@jit
def draw_binary(key, epoch, row, values):
    """Turn probabilities ``values`` (V,) into zeros and ones, for one row of one epoch."""
    numbers, one, zero = np.empty_like(values), values.dtype.type(1), values.dtype.type(0)
    fill_uniform(key, epoch, row, 2, 0, numbers)
    for j in range(values.shape[0]):
        values[j] = one if numbers[j] < values[j] else zero


@jit
def corrupt(corruption, key, epoch, row, clean, out):
    """out (V,) = corrupted copy of ``clean`` (V,), for one row of one epoch. Both may be one array only for kind NONE.

    clean is modified in place where it is to be binarised.
    """
    cast = out.dtype.type
    if corruption.binarize:
        draw_binary(key, epoch, row, clean)
    level = cast(corruption.level)
    if corruption.kind == NONE:
        if clean.ctypes.data != out.ctypes.data:
            out[:] = clean
    elif corruption.kind == MASKING:
        fill_uniform(key, epoch, row, 0, 0, out)
        for j in range(out.shape[0]):
            out[j] = cast(0) if out[j] < level else clean[j]
    elif corruption.kind == SALT_AND_PEPPER:
        low, high = cast(corruption.low), cast(corruption.high)
        coin = np.empty(out.shape[0], out.dtype)
        fill_uniform(key, epoch, row, 0, 0, out)
        fill_uniform(key, epoch, row, 1, 0, coin)
        for j in range(out.shape[0]):
            replacement = low if coin[j] < cast(0.5) else high
            out[j] = replacement if out[j] < level else clean[j]
    else:
        fill_normal(key, epoch, row, 0, 0, out)
        for j in range(out.shape[0]):
            out[j] = clean[j] + level * out[j]


@linked(NOISE, KEY, intp, intp, VECTOR, VECTOR)
def corrupt_packed(corruption, key, epoch, row, clean, out):
    """`corrupt` in float32."""
    corrupt(corruption, key, epoch, row, clean, out)


@jit
def emphasises(corruption):
    """Whether the losses of inputs have weights."""
    return corruption.spoilt_weight != 1.0 or corruption.kept_weight != 1.0


@jit
def emphasis_row(corruption, key, epoch, row, out):
    """out (V,) = weights of the losses of one row's inputs: one where `corrupt` chose to spoil, the other where it did not.

    For noise that spoils some of the inputs: masking, salt and pepper (Vincent et al. 2010, section 3.4).
    """
    cast = out.dtype.type
    fill_uniform(key, epoch, row, 0, 0, out)
    for j in range(out.shape[0]):
        out[j] = cast(corruption.spoilt_weight) if out[j] < cast(corruption.level) else cast(corruption.kept_weight)


@linked(NOISE, KEY, intp, intp, VECTOR)
def emphasis_packed(corruption, key, epoch, row, out):
    """`emphasis_row` in float32."""
    emphasis_row(corruption, key, epoch, row, out)
