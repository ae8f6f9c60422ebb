"""What models with a Gaussian code do besides: sampling, and bounds on the likelihood (Kingma & Welling 2014; Burda et al. 2016).

Such a model says that codes are standard normal and that data given a code are binary with the outputs as probabilities (sigmoid
outputs), or Gaussian round the outputs with unit variance.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..data import ArrayRows
from ..errors import DataError, SettingError
from ..kernels.arithmetic.activations import ACTIVATIONS
from ..kernels.arithmetic.corruption import draw_binary
from ..kernels.arithmetic.losses import LOSSES
from ..kernels.arithmetic.random import CORRUPTION, SAMPLING, fill_normal_matrix, stream_key
from ..kernels.likelihood import add_exponentials, add_log_likelihoods, draw_codes
from ..settings import MAX_COUNT, seed_from, whole

if TYPE_CHECKING:
    from .model import Model

_STREAM = 2**23  # in the keys of random streams: apart from those of training and of other samples
_ROWS, _DRAWS = 64, 128  # of a block that is decoded at once


def has_gaussian_code(model: Any) -> bool:
    """Whether the code of a fitted model is a Gaussian one, and the only one."""
    kinds = [layer.kind for layer in model.network_.layers]
    return kinds[model.n_code_layers_ - 1] == "gaussian" and kinds.count("gaussian") == 1


def likelihood_of(output: str) -> str:
    """The loss that is minus the log likelihood, for outputs of this activation."""
    return "cross_entropy" if output == "sigmoid" else "gaussian_nll"


def sample(model: "Model", n: Any, random_state: Any) -> np.ndarray:
    """Means (n, V), in the units of the data, that the decoder gives for n codes from the prior.

    Row i depends on the seed and i alone.
    """
    _require(model)
    codes = np.empty((whole("n", n), model._n_features_out), model.network_.params.dtype)
    fill_normal_matrix(stream_key(seed_from(random_state), SAMPLING, _STREAM), 0, 0, codes)
    out = model._network.apply(ArrayRows(codes), first=model.n_code_layers_)
    return model.scaling_.undo(out)


def bound(model: "Model", X: Any, samples: Any, random_state: Any, binarize: bool = False) -> np.ndarray:
    """Importance-weighted bound (n_samples,) float64 on log p(x), in nats, with so many draws a row of X (n_samples, n_features).

    With ``binarize`` the rows are probabilities, of which zeros and ones are drawn first. Binary likelihoods are those of whole
    rows; Gaussian ones are densities of the scaled data.
    """
    _require(model)
    rows, scaled = model._fitted_rows(X)
    samples, seed, network = whole("samples", samples, 1, MAX_COUNT), seed_from(random_state), model._network
    loss = likelihood_of(network.layers[-1].activation)
    encoder = network.answerer(0, model.n_code_layers_ - 1)
    decoder = network.answerer(model.n_code_layers_, logits_of=loss)
    noise, key = stream_key(seed, CORRUPTION, _STREAM), stream_key(seed, SAMPLING, _STREAM + 1)
    out = np.empty(rows.n_rows)
    for start, block in network.blocks(rows, *scaled):
        for row in range(len(block) if binarize else 0):
            draw_binary(noise, 0, start + row, block[row])
        codes = encoder.block(block, 1.0, 0.0)
        for first in range(0, len(block), _ROWS):
            part = slice(first, min(first + _ROWS, len(block)))
            ids = np.arange(start + part.start, start + part.stop)
            found = _log_means(decoder, LOSSES[loss], network, block[part], codes[part], ids, samples, key)
            out[start + part.start : start + part.stop] = found
    if not np.isfinite(out).all():
        raise DataError(f"{rows.name}: the bound of some rows is not finite; their values are too large")
    return out


def _log_means(
    decoder: Any, loss: int, network: Any, rows: np.ndarray, codes: np.ndarray, ids: np.ndarray, samples: int, key: Any
) -> np.ndarray:
    """log of the mean weight of a few rows (B, V) over their draws, a fixed number at once."""
    activation = ACTIVATIONS[network.layers[-1].activation]
    peaks, sums = np.full(len(rows), -np.inf), np.zeros(len(rows))
    for first in range(0, samples, _DRAWS):
        n = len(rows) * min(_DRAWS, samples - first)
        drawn, weights = np.empty((n, codes.shape[1] // 2), codes.dtype), np.empty(n)
        draw_codes(key, ids, first, codes, drawn, weights)
        add_log_likelihoods(loss, activation, decoder.block(drawn, 1.0, 0.0), rows, weights)
        add_exponentials(weights, peaks, sums)
    return peaks + np.log(sums) - np.log(samples)


def _require(model: Any) -> None:
    check_is_fitted(model, "network_")
    if not has_gaussian_code(model):
        raise SettingError(
            f"units: expected one Gaussian code on top of {type(model).__name__}, found none, or more; make the uppermost unit a"
            " VariationalAutoencoder"
        )
