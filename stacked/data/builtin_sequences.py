"""Sequences that are drawn on the spot: numbers in, uniform in [0, 1), a row of them a sequence."""

import numpy as np

N_FRAMES, FRAME_SIZE, _DIGIT_SIZE = 16, 24, 12  # frames; pixels
_SLOWEST, _FASTEST = 0.5, 2.5  # pixels a frame, along each side
MOVIE_NUMBERS = 5
ALPHABET, _SHORTEST, LONGEST = 8, 10, 30  # symbols
SYMBOL_NUMBERS = 1 + LONGEST


def movies(uniform: np.ndarray, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Movies (B, 16, 24 * 24) uint8 of one digit each that bounces off the borders, and which of ``digits`` it is (B,).

    ``uniform`` (B, 5) says which of the digits (n, 8, 8) in [0, 1], where it starts, and how fast it moves, and which way. It
    is twelve pixels wide, and lies at whole pixels.
    """
    chosen = np.minimum((uniform[:, 0] * len(digits)).astype(np.int64), len(digits) - 1)
    large = np.rint(255 * _enlarged(digits)).astype(np.uint8)[chosen]
    room = FRAME_SIZE - _DIGIT_SIZE
    both_ways = 2 * uniform[:, 3:5] - 1
    speed = np.copysign(_SLOWEST + (_FASTEST - _SLOWEST) * np.abs(both_ways), both_ways)
    way = (uniform[:, 1:3] * room)[:, None, :] + np.arange(N_FRAMES)[:, None] * speed[:, None, :]
    corner = np.rint(room - np.abs(np.mod(way, 2 * room) - room)).astype(np.int64)  # unfolded, borders are mirrors
    out = np.zeros((len(uniform), N_FRAMES, FRAME_SIZE, FRAME_SIZE), np.uint8)
    inside = np.arange(_DIGIT_SIZE)
    sample, frame = (at[..., None, None] for at in np.ogrid[: len(uniform), :N_FRAMES])
    rows, columns = corner[..., 0, None, None] + inside[:, None], corner[..., 1, None, None] + inside
    out[sample, frame, rows, columns] = large[:, None]
    return out.reshape(len(uniform), N_FRAMES, -1), chosen


def _enlarged(digits: np.ndarray) -> np.ndarray:
    """Images (n, 12, 12) that interpolate these linearly, between the middles of their pixels."""
    size = digits.shape[1]
    middles = np.clip((np.arange(_DIGIT_SIZE) + 0.5) * size / _DIGIT_SIZE - 0.5, 0, size - 1)
    weights = np.clip(1 - np.abs(middles[:, None] - np.arange(size)), 0, 1)
    return np.einsum("ij,njk,lk->nil", weights, digits, weights)


def symbols(uniform: np.ndarray) -> np.ndarray:
    """Sequences (B, 30, 8) float32 of 10 to 30 symbols, each one of eight: a 1 among zeros, NaN after the last."""
    lengths = _SHORTEST + (uniform[:, 0] * (LONGEST - _SHORTEST + 1)).astype(np.int64)
    drawn = (uniform[:, 1:] * ALPHABET).astype(np.int64)
    out = np.eye(ALPHABET, dtype=np.float32)[drawn]
    out[np.arange(LONGEST) >= lengths[:, None]] = np.nan
    return out
