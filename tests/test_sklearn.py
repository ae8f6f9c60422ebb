"""scikit-learn's own estimator checks.

Units for values in [0, 1] refuse other data, and the checks use data of any range, so the estimators are checked with Gaussian
visible units (linear outputs) and with ``scaling="minmax"``. Checks that do not apply are those that scikit-learn itself
skips: `check_array_api_input` without SCIPY_ARRAY_API, and a pandas check where pandas is not installed.
"""

import warnings

import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from stacked import (
    RBM,
    Autoencoder,
    ConvolutionalAutoencoder,
    StackedAutoencoder,
    StackedClassifier,
    VariationalAutoencoder,
)

SHORT = {"epochs": 2, "batch_size": 10}
TOP = RBM(2, hidden="gaussian", learning_rate=0.001, **SHORT)
ESTIMATORS = {
    "gaussian RBM": RBM(3, visible="gaussian", learning_rate=0.01, random_state=0, **SHORT),
    "rectified RBM": RBM(3, hidden="rectified", learning_rate=0.001, scaling="minmax", random_state=0, **SHORT),
    "persistent RBM": RBM(3, persistent=True, scaling="minmax", random_state=0, **SHORT),
    "sparse RBM": RBM(3, sparsity_target=0.1, sparsity_weight=0.1, scaling="minmax", random_state=0, **SHORT),
    "linear Autoencoder": Autoencoder(3, output="linear", learning_rate=0.01, random_state=0, **SHORT),
    "denoising Autoencoder": Autoencoder(3, corruption_level=0.2, scaling="minmax", random_state=0, **SHORT),
    "contractive Autoencoder": Autoencoder(3, contraction=0.1, scaling="minmax", random_state=0, **SHORT),
    "convolutional": ConvolutionalAutoencoder(2, scaling="minmax", random_state=0, **SHORT),
    "pooled": ConvolutionalAutoencoder(
        2, pool=2, unpool="switches", output="linear", tied=True, random_state=0, learning_rate=0.001, **SHORT
    ),
    "stacked convolutional": StackedAutoencoder(
        [
            ConvolutionalAutoencoder(2, output="linear", **SHORT),
            ConvolutionalAutoencoder(2, stride=2, output="relu", **SHORT),
        ],
        finetune_epochs=2,
        random_state=0,
    ),
    "variational": VariationalAutoencoder(2, hidden_layers=(5,), scaling="minmax", random_state=0, **SHORT),
    "Gaussian variational": VariationalAutoencoder(2, hidden_layers=(), output="gaussian", random_state=0, **SHORT),
    "StackedAutoencoder": StackedAutoencoder(
        [RBM(4, **SHORT), TOP], finetune_epochs=2, scaling="minmax", random_state=0
    ),
    "StackedClassifier": StackedClassifier(
        [Autoencoder(20, epochs=5, batch_size=10)],
        finetune_epochs=60,
        finetune_learning_rate=0.01,
        finetune_batch_size=10,
        scaling="minmax",
        random_state=0,
    ),
}
MAY_BE_SKIPPED = {"check_array_api_input", "check_classifier_data_not_an_array"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_passes_scikit_learns_checks(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        results = check_estimator(ESTIMATORS[name], on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert not failed
    assert skipped <= MAY_BE_SKIPPED
    assert sum(r["status"] == "passed" for r in results) >= 40
