"""The benchmarks' work by our kernels: the same passes as in ``torch_peers``, from the same weights."""

from collections.abc import Callable

import numpy as np

from stacked.kernels import backprop as kernel
from stacked.kernels import rbm
from stacked.kernels.arithmetic.corruption import MASKING, NO_CORRUPTION, Corruption
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.random import fill_uniform, stream_key
from stacked.kernels.arithmetic.samples import as_samples
from stacked.kernels.arithmetic.updates import OPTIMIZERS, Update
from stacked.kernels.rbm import Carried, Machine
from stacked.layers import Dense
from stacked.network import Network

KEY = stream_key(0, 0)
FLOAT32 = np.dtype(np.float32)


def noise(start: int, n_rows: int, n_columns: int) -> np.ndarray:
    """The uniform numbers (n_rows, n_columns) that our kernels draw for rows ``start`` onwards of epoch 0."""
    out = np.empty((n_rows, n_columns), FLOAT32)
    for r in range(n_rows):
        fill_uniform(KEY, 0, start + r, 0, 0, out[r])
    return out


def restricted(X: np.ndarray, W: np.ndarray, batch_size: int, precision: str = "float32") -> Callable:
    """A pass of CD-1 with momentum and weight decay."""
    V, H = W.shape
    machine = Machine(V, H, 1, 1, 1, False)
    params = np.concatenate([W.ravel(), np.zeros(H + V, FLOAT32)])
    carried = Carried(np.zeros_like(params), np.zeros((0, H), FLOAT32), np.zeros(0, FLOAT32))
    work, samples = rbm.workspace(machine, batch_size, FLOAT32, precision == "bfloat16"), as_samples(X)
    update = Update(OPTIMIZERS["momentum"], 0.1, 0, 0.5, 0.0, 2e-4)
    rows = np.arange(len(X) // batch_size * batch_size)

    def run():
        data = (machine, params, update, samples, rows, rows, batch_size, KEY, KEY, 0, 0, carried, work)
        return params[: W.size].reshape(W.shape), rbm.train(*data)

    return run


def backprop(
    X: np.ndarray, weights: list[np.ndarray], activations: list[str], batch_size: int, optimizer: str, rate: float,
    corruption: Corruption = NO_CORRUPTION, precision: str = "float32",
) -> Callable:  # fmt: skip
    """A pass of backpropagation by cross-entropy."""
    layers = [Dense(*W.shape, name) for W, name in zip(weights, activations, strict=True)]
    net = Network.zeros(layers, precision)
    for index, W in enumerate(weights):
        net.weight(index)[:] = W
    velocity, squares = np.zeros_like(net.params), np.zeros_like(net.params)
    objective = Objective(LOSSES["cross_entropy"], corruption, net.n_weights)
    update = Update(OPTIMIZERS[optimizer], rate, 0, 0.9 if optimizer == "adam" else 0.5, 0.0, 0.0)
    work = kernel.workspace(net.table, len(net.params), batch_size, FLOAT32, net.bfloat16)
    rows = np.arange(len(X) // batch_size * batch_size)
    samples, step = as_samples(X), [0]

    def run():
        data = (samples, rows[:0], rows, rows, batch_size, KEY, 0, step[0])
        loss, _ = kernel.train(net.table, net.params, objective, update, *data, velocity, squares, work)
        step[0] += len(rows) // batch_size
        return net.weight(0), loss

    return run


def denoising(X: np.ndarray, W1: np.ndarray, W2: np.ndarray, batch_size: int, precision: str = "float32") -> Callable:
    """A pass of a denoising autoencoder with masking 0.25 and momentum."""
    masking = Corruption(MASKING, 0.25, 0.0, 1.0)
    return backprop(X, [W1, W2], ["sigmoid", "sigmoid"], batch_size, "momentum", 0.1, masking, precision)


def deep(
    X: np.ndarray, weights: list[np.ndarray], linear: int, batch_size: int, precision: str = "float32"
) -> Callable:
    """A pass of fine-tuning by Adam."""
    names = ["linear" if index == linear else "sigmoid" for index in range(len(weights))]
    return backprop(X, weights, names, batch_size, "adam", 0.001, precision=precision)


def encode(X: np.ndarray, weights: list[np.ndarray], precision: str = "float32") -> Callable:
    """Codes of uint8 rows."""
    from stacked.data import ArrayRows

    last = len(weights) - 1
    layers = [Dense(*W.shape, "linear" if i == last else "sigmoid") for i, W in enumerate(weights)]
    net = Network.zeros(layers, precision)
    for index, W in enumerate(weights):
        net.weight(index)[:] = W
    rows = ArrayRows(X)
    return lambda: (net.apply(rows, 1 / 255), 0.0)


def layer(X: np.ndarray, W: np.ndarray, precision: str = "float32") -> Callable:
    """The product X @ W, as inference makes it."""
    net = Network.zeros([Dense(*W.shape, "linear")], precision)
    net.weight(0)[:] = W
    prepared, samples = kernel.prepare(net.table, net.params, net.bfloat16), as_samples(X)
    out, rows = np.empty((len(X), W.shape[1]), FLOAT32), np.arange(len(X))

    def run():
        kernel.infer(net.table, net.params, prepared, samples, rows, out)
        return out

    return run
