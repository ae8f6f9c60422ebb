"""Pictures, drawn by matplotlib without a screen. Importing this file raises ImportError where matplotlib is missing."""

import io
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import numpy as np

INCHES, DPI = 0.9, 160  # a sample's side


def reconstruction_png(originals: "np.ndarray", reconstructions: "np.ndarray", shape: tuple[int, int]) -> bytes:
    """A PNG of n originals over their reconstructions; both (n, height * width) in [0, 1], shape (height, width)."""
    n = len(originals)
    figure = Figure(figsize=(INCHES * (n + 1.6), INCHES * 2.2), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, n + 1, width_ratios=[1.6] + [1] * n)
    for row, (title, images) in enumerate((("original", originals), ("reconstructed", reconstructions))):
        label = figure.add_subplot(grid[row, 0])
        label.text(1, 0.5, title, ha="right", va="center", fontsize=10)
        label.set_axis_off()
        for column, image in enumerate(images):
            axes = figure.add_subplot(grid[row, column + 1])
            axes.imshow(image.reshape(shape), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
            axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
