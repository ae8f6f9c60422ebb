"""Sampling from a deep belief net (Hinton, Osindero & Teh 2006): Gibbs steps in the top RBM, then one pass down.

The top two layers are an undirected machine, everything below is directed: each unit's visible layer is drawn given its hidden
one, and the data are the mean of the lowest visible layer. A single RBM is a net of one unit. Chains start with all hidden units
of the top RBM at 0, so that their first visible state is drawn from the visible biases alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import SettingError
from ..kernels import rbm as kernel
from ..kernels.arithmetic.random import SAMPLING, stream_key
from ..kernels.arithmetic.samples import declared_writable
from ..settings import MAX_COUNT, seed_from, whole

MAX_STEPS = MAX_COUNT // 2  # a step draws twice, and draws are counted in 32 bits
_STREAM = 2**21  # in the keys of random streams: the units' own training has lower numbers
_CHAINS = 64  # that move at once: a fixed number, for the bits of a product may depend on how many rows it has
_STEPS = 100  # between which a signal can stop the chains


def sample(units: Sequence[Any], n: Any, steps: Any, random_state: Any) -> np.ndarray:
    """n samples (n, V), in the units of the data, from fitted RBMs, the lowest first; chain i depends on the seed and i alone.

    ``steps`` is the number of Gibbs steps in the top RBM. Products are of float32 also for models in bfloat16. SettingError if a
    unit is no RBM, or there is none.
    """
    n, steps = whole("n", n), whole("steps", steps, 1, MAX_STEPS)
    _check_machines(units)
    seed, lowest = seed_from(random_state), units[0].network_
    out = np.empty((n, lowest.layers[0].n_in), lowest.params.dtype)
    for start in range(0, n, _CHAINS):
        part = out[start : start + _CHAINS]
        part[:] = _block(units, np.arange(start, start + _CHAINS), steps, seed)[: len(part)]
    return units[0].scaling_.undo(out)


def _check_machines(units: Sequence[Any]) -> None:
    other = next((index for index, unit in enumerate(units) if unit.kind != "rbm"), None)
    if other is not None or not units:
        found = "no pretrained units" if other is None else f"{type(units[other]).__name__} as unit {other + 1}"
        raise SettingError(
            f"units: expected pretrained RBMs alone, or one variational autoencoder on top, to sample from, found {found};"
            " pretrain with unit='rbm', or a single layer with unit='vae'"
        )


def _block(units: Sequence[Any], chains: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Visible means (n, V) of chains (n,), by their numbers, in scaled units."""
    mean, state = _top(units[-1], chains, steps, seed)
    for level in range(len(units) - 2, -1, -1):
        key = stream_key(seed, SAMPLING, _STREAM + level)
        mean, state = _down(units[level], state, key, chains)
    return mean


def _top(unit: Any, chains: np.ndarray, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Visible mean and visible sample (n, V) of one RBM after ``steps`` Gibbs steps."""
    machine, params = _machine(unit)
    mean, visible = np.zeros((2, len(chains), machine.n_visible), params.dtype)
    hidden_mean, hidden = np.zeros((2, len(chains), machine.n_hidden), params.dtype)
    key = stream_key(seed, SAMPLING, _STREAM - 1)
    for done in range(0, steps, _STEPS):
        kernel.gibbs_reconstruct(
            machine, params, key, 0, chains, 2 * done, hidden, mean, visible, hidden_mean, min(_STEPS, steps - done)
        )  # fmt: skip
    return mean, visible


def _down(unit: Any, hidden: np.ndarray, key: Any, chains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and a sample (n, V) of an RBM's visible units given hidden ones (n, H)."""
    machine, params = _machine(unit)
    weight, _, visible_bias = kernel.split.py_func(machine, params)
    mean, visible = np.empty((2, len(hidden), machine.n_visible), params.dtype)
    kernel.sample_layer(
        hidden, weight, True, visible_bias, machine.visible, key, 0, chains, 0, mean, visible
    )  # fmt: skip
    return mean, visible


def _machine(unit: Any) -> tuple[kernel.Machine, np.ndarray]:
    network = unit.network_
    return unit._machine(network.layers[0].n_in), declared_writable(network.params)
