"""Linear autoencoders find the principal subspace (Baldi & Hornik 1989), with the mean of the data in their biases."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from stacked import Autoencoder

SEARCHES = {"batch_size": 1797, "epochs": 20, "line_searches": 50}  # the whole set is one minibatch
LARGEST_ANGLE = 1.0  # degrees
CODE = 10


@pytest.fixture(scope="module")
def pca(digits):
    return PCA(CODE).fit(digits.array.astype(np.float64))


def _trained(digits, tied, optimizer):
    model = Autoencoder(
        CODE, activation="linear", output="linear", loss="squared_error", tied=tied, optimizer=optimizer, random_state=0,
        **SEARCHES,
    )  # fmt: skip
    return model.fit(digits)


def _angle(columns, pca):
    """Degrees between the span of columns (V, n_code) and the principal subspace, the largest of the principal ones."""
    return np.degrees(subspace_angles(columns.astype(np.float64), pca.components_.T).max())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("optimizer", ["lbfgs", "cg"])
def test_the_decoder_spans_the_principal_subspace(digits, pca, tied, optimizer):
    model = _trained(digits, tied, optimizer)
    assert _angle(model.network_.weight(1).T, pca) < LARGEST_ANGLE
    if tied:  # one matrix; without ties the encoder may have any part that the data do not have
        assert _angle(model.weight_, pca) < LARGEST_ANGLE


@pytest.mark.parametrize("tied", [True, False])
def test_reconstructions_are_those_of_pca(digits, pca, tied):
    expected = pca.inverse_transform(pca.transform(digits.array))
    model = _trained(digits, tied, "lbfgs")
    assert np.sqrt(np.square(model.reconstruct(digits) - expected).mean()) < 0.005
    assert -model.score(digits) < 1.001 * np.square(digits.array - expected).sum(axis=1).mean()
