"""Pictures, drawn by matplotlib without a screen. Importing this file raises ImportError where matplotlib is missing."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import numpy as np

INCHES, DPI = 0.9, 160  # a sample's side
GREY: dict[str, Any] = {
    "cmap": "gray_r",
    "vmin": 0,
    "vmax": 1,
    "interpolation": "nearest",
}  # ones are black; colours stay colours
Limits = tuple[float, float]


def reconstruction_png(originals: "np.ndarray", reconstructions: "np.ndarray", shape: tuple[int, ...]) -> bytes:
    """`rows_png` of n originals over their reconstructions, in [0, 1]."""
    return rows_png([("original", originals), ("reconstructed", reconstructions)], shape)


def rows_png(titled: "Sequence[tuple[str, np.ndarray]]", shape: tuple[int, ...], limits: Limits = (0, 1)) -> bytes:
    """A PNG of rows of images, one under another, a title before each: (title, (n, V)), the first as long as any.

    shape is (height, width), or (height, width, 3 or 4) in colour; values are drawn within ``limits``.
    """
    n = len(titled[0][1])
    figure = Figure(figsize=(INCHES * (n + 1.6), INCHES * 1.1 * len(titled)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(titled), n + 1, width_ratios=[1.6] + [1] * n)
    for row, (title, images) in enumerate(titled):
        label = figure.add_subplot(grid[row, 0])
        label.text(1, 0.5, title, ha="right", va="center", fontsize=10)
        label.set_axis_off()
        for column, image in enumerate(_within(images, limits)):
            axes = figure.add_subplot(grid[row, column + 1])
            axes.imshow(image.reshape(shape), **GREY)
            axes.set_axis_off()
    return _png(figure)


def grid_png(images: "np.ndarray", shape: tuple[int, ...], limits: Limits = (0, 1)) -> bytes:
    """A PNG of images (n, V) in a square of as many columns as rows, or one row less; arguments as for `rows_png`."""
    import numpy as np

    columns = math.ceil(math.sqrt(len(images)))
    rows = -(-len(images) // columns)
    height, width = shape[:2]
    gap = 1 + min(height, width) // 28
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, *shape[2:]), 0.5)
    for number, image in enumerate(_within(images, limits)):
        top, left = gap + number // columns * (height + gap), gap + number % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image.reshape(shape)
    figure = Figure(figsize=(INCHES * columns, INCHES * columns * sheet.shape[0] / sheet.shape[1]), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet, aspect="auto", **GREY)
    axes.set_axis_off()
    return _png(figure)


def limits(unit_range: bool, images: "np.ndarray") -> Limits:
    """What values to draw as white and as black: 0 and 1 for data in [0, 1], else the smallest and the largest that are there."""
    import numpy as np

    return (0, 1) if unit_range else (float(np.nanmin(images)), float(np.nanmax(images)))


def _within(images: "np.ndarray", limits: Limits) -> "np.ndarray":
    """The images with the limits at 0 and 1, and what lies beyond them cut; NaN, after the end of a sequence, is not drawn."""
    import numpy as np

    low, high = limits
    return np.clip((images - low) / max(high - low, 1e-30), 0, 1)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
