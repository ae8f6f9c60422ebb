"""Small variational models, and what they compute in NumPy."""

import numpy as np

from stacked import (
    VariationalAutoencoder,
)  # fmt: skip

from . import naive

FROZEN = {"learning_rate": 0.0, "random_state": 0, "precision": "float64"}
SHORT = {"epochs": 2, "batch_size": 20, "random_state": 0}


def unit_rows():
    """(90, 12) numbers in [0, 1]: more rows than are decoded at once."""
    return np.random.default_rng(0).random((90, 12))


def small_vae(**params):
    return VariationalAutoencoder(3, **{"hidden_layers": (6,), **FROZEN, **params})


def moved(model, size=1.0):
    """The model with other weights: those of the start hardly tell means from zero."""
    rng = np.random.default_rng(5)
    model.network_.params[:] = size * rng.standard_normal(len(model.network_.params)) * 0.5
    return model


def forward(network, first, last, x):
    """Layers of a network in NumPy; the last stays linear."""
    for index in range(first, last):
        x = x @ network.weight(index) + network.bias(index)
        x = np.tanh(x) if network.layers[index].activation == "tanh" else x
    return x


def noise_of(key, epoch, rows, draw, n):
    out = np.empty((len(rows), n))
    for row, own in zip(rows, out, strict=True):
        naive.fill_normal(key, epoch, row, draw, 0, own)
    return out


def divergence(below):
    mean, log_variance = np.split(below, 2, axis=1)
    return (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1) / 2


def drawn(below, noise):
    mean, log_variance = np.split(below, 2, axis=1)
    return mean + np.exp(log_variance / 2) * noise


def log_bernoulli(x, logits):
    return (x * logits - np.logaddexp(0, logits)).sum(axis=-1)


def log_normal(x, mean):
    return -(((x - mean) ** 2 + np.log(2 * np.pi)) / 2).sum(axis=-1)


def linear_model(rows, precision="float64", **params):
    own = {"hidden_layers": (), "output": "gaussian", "precision": precision, "random_state": 0}
    own |= {"scaling": "none", **params}
    return VariationalAutoencoder(2, **own).fit(rows)


def some_vae(**params):
    own = {"hidden_layers": (20,), "binarize": True, "samples": 2, "kl_warmup": 3, "epochs": 4, "batch_size": 16}
    return VariationalAutoencoder(4, **{**own, **params})
