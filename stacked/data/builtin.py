"""Built-in data sets: scikit-learn's digits, and others that are drawn on the spot from a seed.

``curves`` follows G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks",
Science 313 (2006), supporting material: three random points with increasing x, a cubic spline through them, inked into
28 x 28 pixels, so that six numbers describe each image. ``blocks`` counts: one to four rectangles on 16 x 16 pixels.
``rectangles`` has two degrees of freedom: the height and the width of one white rectangle in the middle of 28 x 28 pixels.
``movies`` are sequences of 16 frames of 24 x 24 pixels, in which one of the digits bounces off the borders, and ``symbols`` ones of
10 to 30 symbols out of eight, each drawn by itself.
Row i depends on the seed and i alone, so a smaller set is the start of a larger one.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ..errors import DataError
from . import builtin_sequences as sequences
from .files import exists
from .memory import require_memory
from .rows import BLOCK_ROWS, ArrayRows, Rows

BUILTIN_NAMES = ("digits", "curves", "blocks", "rectangles", "movies", "symbols")

# Second half of the Philox key, so that sets of equal seeds share no numbers.
_CURVES, _BLOCKS, _RECTANGLES, _MOVIES, _SYMBOLS = 1, 2, 3, 4, 5
_CURVE_SIZE, _MARGIN, _MIN_GAP = 28, 3.0, 4.0  # pixels
_SAMPLES = 128  # points along a curve
_BRUSH = 0.8  # standard deviation of the brush, pixels
_INK = 1.3  # ink on the middle of a stroke, before it saturates at 1: strokes have a full core and soft edges
_BLOCK_SIZE, _CELL, _SHORTEST, _LONGEST = 16, 8, 2, 6  # pixels
_MAX_LABEL = 4
_RECTANGLE_SIZE, _MIN_SIDE, _MAX_SIDE = 28, 4.0, 26.0  # pixels


def is_builtin(spec: str) -> bool:
    """Whether DATA names a built-in set, settings behind a colon included, and not a path (with a key) of the same start."""
    name, colon, _ = spec.partition(":")
    return name in BUILTIN_NAMES and not (colon and exists(spec))


def open_builtin(spec: str) -> Rows:
    """The rows of ``digits``, or of another of `BUILTIN_NAMES` with [:N[:SEED]]; `DataError` for other arguments."""
    name, *arguments = spec.split(":")
    if name == "digits" and not arguments:
        return _digits()
    usage = f"{spec}: expected {name}" + ("" if name == "digits" else "[:N[:SEED]] with N from 1 and SEED from 0")
    if name == "digits" or len(arguments) > 2 or not all(word.isascii() and word.isdigit() for word in arguments):
        raise DataError(f"{usage}, found {spec!r}")
    draw, default, row_bytes = _DRAWN[name]
    numbers = [int(word[:25]) for word in arguments]  # longer ones are out of range just the same
    n_rows, seed = (*numbers, *(default, 0)[len(numbers) :])
    if n_rows < 1 or seed >= 2**64:
        raise DataError(f"{usage}, found {spec!r}")
    require_memory(spec, n_rows * row_bytes)
    return draw(n_rows, seed, spec)


def _digits() -> Rows:
    """1,797 digits of 8 x 8 pixels with labels 0..9; the counts 0..16 of the file become float32 from 0 to 1."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return ArrayRows((bunch.images / 16).astype(np.float32), "digits", bunch.target)


def _curves(n_rows: int, seed: int, name: str) -> Rows:
    """(n_rows, 28, 28) uint8: an inked spline each, no labels."""
    images = np.empty((n_rows, _CURVE_SIZE, _CURVE_SIZE), np.uint8)
    for start, uniform in _blocks_of_uniform(n_rows, 6, seed, _CURVES):
        x, y = _spline(uniform[:, :3], uniform[:, 3:])
        images[start : start + len(uniform)] = _ink(x, y)
    return ArrayRows(images, name)


def _spline(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (B, samples) of the natural cubic splines through three points with coordinates u, v (B, 3) in [0, 1).

    A curve that would leave the image is squeezed in y, which makes another spline through three points of it.
    """
    low, high = _MARGIN, _CURVE_SIZE - 1 - _MARGIN
    knots = low + np.sort(u, axis=1) * (high - low - 2 * _MIN_GAP) + _MIN_GAP * np.arange(3)
    values = low + v * (high - low)
    x1, x2, x3 = (knots[:, i, None] for i in range(3))
    y1, y2, y3 = (values[:, i, None] for i in range(3))
    bend = 3 * ((y3 - y2) / (x3 - x2) - (y2 - y1) / (x2 - x1)) / (x3 - x1)  # second derivative at the middle point
    x = x1 + (x3 - x1) * np.linspace(0, 1, _SAMPLES)
    left = _natural(x, x1, x2, y1, y2, bend)
    right = _natural(x, x3, x2, y3, y2, bend)
    y = np.where(x < x2, left, right)
    bottom, top = y.min(axis=1, keepdims=True), y.max(axis=1, keepdims=True)
    to_low, to_high = np.maximum(bottom, low), np.minimum(top, high)
    return x, to_low + (y - bottom) * (to_high - to_low) / np.maximum(top - bottom, 1e-9)


def _natural(
    x: np.ndarray, outer: np.ndarray, middle: np.ndarray, y_outer: np.ndarray, y_middle: np.ndarray, bend: np.ndarray
) -> np.ndarray:
    """One piece of a natural cubic spline: straight at the outer knot, second derivative ``bend`` at the middle one."""
    width = middle - outer
    t = (x - outer) / width
    return y_outer + (y_middle - y_outer) * t + bend * width * width * (t**3 - t) / 6


def _ink(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Images (B, 28, 28) uint8 of the line integral of a Gaussian brush along the curves; row 0 is the top."""
    length = np.hypot(np.gradient(x, axis=1), np.gradient(y, axis=1))
    pixels = np.arange(_CURVE_SIZE)
    across = np.exp(-0.5 * np.square((x[:, :, None] - pixels) / _BRUSH))
    down = np.exp(-0.5 * np.square(((_CURVE_SIZE - 1 - y)[:, :, None] - pixels) / _BRUSH))
    ink = (down * length[:, :, None]).transpose(0, 2, 1) @ across
    return np.rint(255 * np.minimum(1.0, ink * (_INK / (_BRUSH * np.sqrt(2 * np.pi))))).astype(np.uint8)


def _blocks(n_rows: int, seed: int, name: str) -> Rows:
    """(n_rows, 16, 16) uint8, 0 or 255: one to four rectangles that do not touch, as many as the label says.

    Each lies in its own quarter of the image, a pixel from the next, with sides of 2 to 6 pixels.
    """
    images = np.empty((n_rows, _BLOCK_SIZE, _BLOCK_SIZE), np.uint8)
    labels = np.empty(n_rows, np.int64)
    for start, uniform in _blocks_of_uniform(n_rows, 21, seed, _BLOCKS):
        stop = start + len(uniform)
        count = 1 + np.floor(uniform[:, 0] * _MAX_LABEL)
        used = np.argsort(np.argsort(uniform[:, 1:5], axis=1), axis=1) < count[:, None]  # which quarters
        sides, places = uniform[:, 5:13].reshape(-1, 4, 2), uniform[:, 13:].reshape(-1, 4, 2)
        length = _SHORTEST + np.floor(sides * (_LONGEST - _SHORTEST + 1))
        corner = np.floor(places * (_CELL - length)) + _CELL * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        pixels = np.arange(_BLOCK_SIZE)
        inside = (pixels >= corner[..., None]) & (pixels < (corner + length)[..., None])  # (B, quarter, axis, pixel)
        filled = inside[:, :, 0, :, None] & inside[:, :, 1, None, :] & used[:, :, None, None]
        images[start:stop] = filled.any(axis=1) * np.uint8(255)
        labels[start:stop] = count
    return ArrayRows(images, name, labels)


def _rectangles(n_rows: int, seed: int, name: str) -> Rows:
    """(n_rows, 28, 28) uint8: a centred rectangle each, no labels.

    Height and width are independent and uniform in [4, 26) pixels, and no whole numbers: a pixel is as white as the share of it
    that the rectangle covers. The sum of column 14 over 255 is the height, that of row 14 the width, up to rounding.
    """
    images = np.empty((n_rows, _RECTANGLE_SIZE, _RECTANGLE_SIZE), np.uint8)
    from_middle = np.abs(np.arange(_RECTANGLE_SIZE) + 0.5 - _RECTANGLE_SIZE / 2)
    for start, uniform in _blocks_of_uniform(n_rows, 2, seed, _RECTANGLES):
        sides = _MIN_SIDE + uniform * (_MAX_SIDE - _MIN_SIDE)
        covered = np.clip(sides[:, :, None] / 2 + 0.5 - from_middle, 0, 1)  # (B, axis, pixel)
        white = covered[:, 0, :, None] * covered[:, 1, None, :]
        images[start : start + len(uniform)] = np.rint(255 * white).astype(np.uint8)
    return ArrayRows(images, name)


def _movies(n_rows: int, seed: int, name: str) -> Rows:
    """(n_rows, 16, 576) uint8 with the digits' labels 0..9."""
    digits = _digits()
    assert digits.labels is not None
    images = digits.read(0, digits.n_rows).reshape(-1, *digits.sample_shape)
    frames = np.empty((n_rows, sequences.N_FRAMES, sequences.FRAME_SIZE**2), np.uint8)
    labels = np.empty(n_rows, np.int64)
    for start, uniform in _blocks_of_uniform(n_rows, sequences.MOVIE_NUMBERS, seed, _MOVIES):
        stop = start + len(uniform)
        frames[start:stop], chosen = sequences.movies(uniform, images)
        labels[start:stop] = digits.labels[chosen]
    return ArrayRows(frames, name, labels)


def _symbols(n_rows: int, seed: int, name: str) -> Rows:
    """(n_rows, 30, 8) float32, no labels."""
    table = np.empty((n_rows, sequences.LONGEST, sequences.ALPHABET), np.float32)
    for start, uniform in _blocks_of_uniform(n_rows, sequences.SYMBOL_NUMBERS, seed, _SYMBOLS):
        table[start : start + len(uniform)] = sequences.symbols(uniform)
    return ArrayRows(table, name)


def _blocks_of_uniform(n_rows: int, width: int, seed: int, purpose: int) -> Iterator[tuple[int, np.ndarray]]:
    """(start, numbers in [0, 1) of shape (B, width)) for blocks of rows."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, purpose], np.uint64)))
    for start in range(0, n_rows, BLOCK_ROWS):
        yield start, generator.random((min(BLOCK_ROWS, n_rows - start), width))


_Draw = Callable[[int, int, str], Rows]
_DRAWN: dict[str, tuple[_Draw, int, int]] = {
    "curves": (_curves, 20_000, _CURVE_SIZE**2),
    "blocks": (_blocks, 5_000, _BLOCK_SIZE**2),
    "rectangles": (_rectangles, 20_000, _RECTANGLE_SIZE**2),
    "movies": (_movies, 5_000, sequences.N_FRAMES * sequences.FRAME_SIZE**2),
    "symbols": (_symbols, 10_000, 4 * sequences.LONGEST * sequences.ALPHABET),
}
