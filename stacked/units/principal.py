"""A start at the principal components of the data, each held by a pair of mirrored units.

With m the mean of the data and A (V, k) their leading components, units relu(A'(x - m)) and relu(-A'(x - m)) differ by A'(x - m),
so that a decoder of weights [A, -A]' answers m + AA'(x - m). The unit starts as PCA, exactly, and each half may bend on its own (a
start that "looks linear": Balduzzi et al. 2017). A unit on such codes (``Source.paired``) takes the differences of their halves
for its data: its outputs, rectified, are then both halves of a difference again. So a whole stack starts as PCA, if no layer has
fewer than twice as many units as the linear code on top.
"""

from math import sqrt

import numpy as np
from scipy.linalg import eigh

from ..network import Network
from ..training.phase import Source

LEFT_OVER = 0.1  # what units beyond the components keep of their random weights
_VALUES = 2**23  # of the rows that are looked at
_LEAST = 1e-10  # variance of a component over that of the first


def start_at_components(network: Network, source: Source, subset: np.ndarray | None) -> None:
    """Set the weights and biases of a one-layer unit, whose random ones are drawn, by rows ``subset`` (None: all) of its source."""
    encoder, decoder = network.layers[0], network.layers[-1]
    paired, on_pairs = encoder.activation == "relu", source.paired and decoder.activation == "relu"
    half, data = encoder.n_out // 2, _rows(source, subset)
    scale = _slope(data) if decoder.activation == "sigmoid" else 1.0
    if on_pairs:
        data = data[:, : data.shape[1] // 2] - data[:, data.shape[1] // 2 : data.shape[1] // 2 * 2]
    mean, components = _components(data, half if paired else encoder.n_out)
    components = components * scale
    weight, hidden, visible = network.weight(0), network.bias(0), network.bias(len(network.layers) - 1)
    weight *= LEFT_OVER
    for place, signed in ((0, components), (half, -components))[: 1 + paired]:
        columns = slice(place, place + components.shape[1])
        weight[:, columns] = 0
        weight[: len(mean), columns] = signed
        if on_pairs:
            weight[len(mean) : 2 * len(mean), columns] = -signed
        hidden[columns] = -mean @ signed
    if on_pairs:
        visible[: 2 * len(mean)] = np.concatenate([mean, -mean])
    if decoder.tied_to is None:
        network.weight(len(network.layers) - 1)[:] = weight.T


def _rows(source: Source, subset: np.ndarray | None) -> np.ndarray:
    """At most `_VALUES` of the scaled values, float64: rows at equal distances."""
    rows, (scale, offset) = source.rows, source.scaled
    numbers = np.arange(rows.n_rows) if subset is None else subset
    numbers = numbers[:: -(-len(numbers) * rows.n_columns // _VALUES)]
    blocks = [
        rows.read(start, stop)[inside - start]
        for start, stop in rows.slices()
        if len(inside := numbers[(numbers >= start) & (numbers < stop)])
    ]
    return np.concatenate(blocks).astype(np.float64) * scale + offset


def _slope(data: np.ndarray) -> float:
    """What takes deviations of data to those of their log odds, the root of it, for it is in the weights of both layers."""
    mean, variance = np.clip(data.mean(axis=0), 0.05, 0.95), data.var(axis=0)
    return sqrt(float(((1 / (mean * (1 - mean))) @ variance) / max(variance.sum(), 1e-30)))


def _components(data: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean (V,), components (V, k) of length 1, the leading first): ``most`` of them, or as many as vary."""
    n_rows, n_columns = data.shape
    wide = n_columns > n_rows  # then by way of the rows' products
    with np.errstate(over="ignore", invalid="ignore"):
        mean = data.mean(axis=0)
        centred = data - mean
        products = centred @ centred.T if wide else centred.T @ centred
    last = len(products) - 1
    most = min(most, len(products))
    if most == 0 or not np.isfinite(products).all():  # values whose squares no number holds have no components
        return np.where(np.isfinite(mean), mean, 0.0), np.zeros((n_columns, 0))
    values, vectors = eigh(products, subset_by_index=(last + 1 - most, last))
    kept = values > _LEAST * max(values[-1], 1e-30)
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    return mean, (centred.T @ vectors) / np.sqrt(values) if wide else vectors
