"""Rows corrupted on purpose, and what a model makes of them: does it repair?

Of every row: ``gaussian``, ``masking`` and ``salt_and_pepper`` noise, by which denoising autoencoders are trained
(`kernels.arithmetic.corruption`). Of images: ``blocks`` sets one block of pixels to 0 that covers a share of the image, square
where the image is wide enough and anywhere by chance; ``blur`` is a Gaussian blur, pixels at the border repeated outwards. Nothing
is clipped.

Corruption happens in scaled units, as in training. A row's noise depends on the seed, the kind and the row's number alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .anomalies import require_own
from .checks import require_images
from .data import BLOCK_ROWS, ArrayRows, Rows, as_rows, summarize
from .errors import SettingError
from .kernels.arithmetic.corruption import CORRUPTIONS, NONE, Corruption
from .kernels.arithmetic.random import CORRUPTION, fill_uniform, stream_key
from .kernels.arithmetic.samples import as_samples, load_batch, load_rows
from .settings import choice, real, seed_from

NOISES = {"gaussian": math.inf, "masking": 1.0, "salt_and_pepper": 1.0}  # name -> largest level
OF_IMAGES = {"blocks": 1.0, "blur": 100.0}  # pixels
KINDS = NOISES | OF_IMAGES
_STREAM = 2**21  # in the keys of random streams: the units' own training has lower numbers


class Repair(NamedTuple):
    """What a model makes of corrupted rows, with the squared errors against the clean rows, per sample, in scaled units."""

    reconstructions: np.ndarray  # (n, V), in the units of the rows
    corrupted_error: float
    error: float


class Example(NamedTuple):
    """A block of rows as they were, corrupted, and reconstructed, all (n, V) in scaled units."""

    clean: np.ndarray
    corrupted: np.ndarray
    repaired: np.ndarray


@dataclass(frozen=True)
class Damage:
    """A kind of corruption at its level, for rows whose samples have ``shape`` and values from ``low`` to ``high``, and a seed."""

    kind: str
    level: float
    seed: int
    shape: tuple[int, ...]
    low: float
    high: float

    def __call__(self, clean: np.ndarray, first_row: int) -> np.ndarray:
        """The corrupted copy of scaled rows (n, V) float32 or float64, which count from ``first_row``."""
        if self.kind == "blur":
            return _blurred(clean, self.level, self.shape)
        key = stream_key(self.seed, CORRUPTION, _STREAM)
        if self.kind == "blocks":
            return _with_blocks(clean, self.level, self.shape, key, first_row)
        noise = Corruption(CORRUPTIONS[self.kind] if self.level > 0 else NONE, self.level, self.low, self.high)
        corrupted, numbers = np.empty_like(clean), np.arange(len(clean))
        load_batch(as_samples(clean), numbers, numbers + first_row, noise, key, 0, np.empty_like(clean), corrupted)
        return corrupted


def check_level(kind: str, level: Any) -> float:
    """The level as a float; SettingError for an unknown kind, or for a level that the kind does not have.

    gaussian: standard deviation; masking, salt_and_pepper: probability; blocks: share of the image; blur: standard deviation in
    pixels, at most 100.
    """
    return real(kind, level, 0.0, KINDS[choice("corruption", kind, tuple(KINDS))])


def corrupt(X: Any, kind: str, level: float, random_state: Any = None) -> np.ndarray:
    """A corrupted copy of X (n_samples, ...), of the same shape: float32, or float64 if X is.

    X is taken as scaled, except that uint8 images of 0..255 become [0, 1] first. Salt and pepper are the highest and the lowest
    value of X. DataError for a kind of images if a sample of X is none: (height, width) or (height, width, channels).
    """
    level, rows, seed = check_level(kind, level), as_rows(X), seed_from(random_state)
    data = summarize(rows)
    scale = 1 / 255 if rows.dtype == np.uint8 and data.maximum > 1 else 1.0
    shape = _shape(kind, rows)
    damage = Damage(kind, level, seed, shape, data.minimum * scale, data.maximum * scale)
    out = np.empty((rows.n_rows, rows.n_columns), np.float64 if rows.dtype == np.float64 else np.float32)
    for start in range(0, rows.n_rows, BLOCK_ROWS):
        part = out[start : start + BLOCK_ROWS]
        load_rows(as_samples(rows.read(start, start + len(part)), scale), np.arange(len(part)), part)
        part[:] = damage(part, start)
    return out.reshape(rows.n_rows, *rows.sample_shape)


def repair(model: Any, X: Any, kind: str, level: float, random_state: Any = None) -> Repair:
    """Corrupt X (n_samples, n_features) and let a fitted model with a decoder reconstruct it.

    X is scaled first; as in training, the noise may leave the range that ``model.reconstruct`` insists on. SettingError for a model
    that does not decode; the other errors are those of `corrupt`.
    """
    rows, scaled = model._fitted_rows(X)
    out = np.empty((rows.n_rows, rows.n_columns), model.network_.params.dtype)
    damaged = error = 0.0
    done = 0
    for clean, corrupted, repaired in _examples(model, rows, scaled, kind, level, random_state):
        damaged += _squared(corrupted, clean)
        error += _squared(repaired, clean)
        out[done : done + len(clean)] = model.scaling_.undo(repaired, scaled)
        done += len(clean)
    return Repair(out, damaged / rows.n_rows, error / rows.n_rows)


def examples(model: Any, X: Any, kind: str, level: float, random_state: Any = None) -> Iterator[Example]:
    """Block by block, X (n_samples, n_features) clean, corrupted and as a fitted model with a decoder reconstructs it."""
    rows, scaled = model._fitted_rows(X)
    return _examples(model, rows, scaled, kind, level, random_state)


def _examples(
    model: Any, rows: Rows, scaled: tuple[float, float], kind: str, level: float, random_state: Any
) -> Iterator[Example]:
    if not hasattr(model, "reconstruct"):
        raise SettingError(
            f"model: expected one that decodes, found {type(model).__name__}; give an autoencoder or an RBM"
        )
    require_own(model, "what it makes of corrupted rows")
    damage = _damage(model, rows, scaled, kind, check_level(kind, level), seed_from(random_state))
    for start, clean in model._network.blocks(rows, *scaled):
        with model._threads():
            corrupted = damage(clean, start)
            corrupted[np.isnan(clean)] = np.nan  # noise does not lengthen a sequence
            repaired = model._network.apply(ArrayRows(corrupted.reshape(-1, *rows.sample_shape), rows.name))
        yield Example(clean, corrupted, repaired)


def _damage(model: Any, rows: Rows, scaled: tuple[float, float], kind: str, level: float, seed: int) -> Damage:
    """What happens to rows that a model is given; salt and pepper are their own highest and lowest value."""
    shape, low, high = _shape(kind, rows, model.scaling_.sample_shape), 0.0, 0.0
    if kind == "salt_and_pepper":
        data = summarize(rows, model.takes_sequences)
        low, high = (value * scaled[0] + scaled[1] for value in (data.minimum, data.maximum))
    return Damage(kind, level, seed, shape, low, high)


def _shape(kind: str, rows: Rows, *others: tuple[int, ...]) -> tuple[int, ...]:
    return require_images(rows.name, rows.sample_shape, *others) if kind in OF_IMAGES else rows.sample_shape


def _blurred(clean: np.ndarray, level: float, shape: tuple[int, ...]) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    images = clean.reshape(len(clean), *shape)
    sigma = (0, level, level, *(0 for _ in shape[2:]))
    return np.asarray(gaussian_filter(images, sigma, mode="nearest")).reshape(clean.shape)


def _with_blocks(clean: np.ndarray, level: float, shape: tuple[int, ...], key: Any, first_row: int) -> np.ndarray:
    """A block of zeros in each row, in a place drawn for it."""
    corrupted, place = clean.copy(), np.empty(2, np.float64)
    images = corrupted.reshape(len(clean), *shape)
    height, width = _block_size(level, *shape[:2])
    free = np.array(shape[:2]) - (height, width) + 1
    for number, image in enumerate(images):
        fill_uniform(key, 0, first_row + number, 0, 0, place)
        top, left = (place * free).astype(int)
        image[top : top + height, left : left + width] = 0
    return corrupted


def _block_size(level: float, height: int, width: int) -> tuple[int, int]:
    """Sides of the block, in pixels, that covers about the share ``level`` of an image: square, unless one side is too short."""
    area = level * height * width
    side = round(math.sqrt(area))
    if side <= min(height, width):
        return side, side
    return (height, round(area / height)) if height < width else (round(area / width), width)


def _squared(a: np.ndarray, b: np.ndarray) -> float:
    """The sum of squares, but for what comes after the end of a sequence, NaN in both."""
    return float(np.nansum(np.square(a.astype(np.float64) - b)))
