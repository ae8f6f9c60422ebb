"""Layers on maps against direct loops (`naive_maps`), and saved models read by h5py and NumPy alone."""

import numpy as np
import pytest

from stacked import Autoencoder, ConvolutionalAutoencoder, StackedAutoencoder, StackedClassifier
from stacked.layers import Convolution, Dense, Pooling, Upsampling
from stacked.network import Network

from . import naive_maps
from .cases_elementwise import normal, uniform

CONVOLUTIONS = [
    Convolution.on((5, 6, 2), 3, 3),
    Convolution.on((6, 5, 1), 4, 5, 2),
    Convolution.on((7, 7, 3), 2, 4, 2, "same", "tanh"),
    Convolution.on((7, 5, 2), 3, 4, 3, "valid", "sigmoid"),
    Convolution.on((4, 4, 1), 3, 2, 3, "valid", "softplus"),
    Convolution.on((3, 3, 2), 5, 1, 1, "same", "linear"),
    Convolution.on((2, 3, 1), 2, 5),
    Convolution.on((1, 9, 2), 4, 3, 2),
    Convolution.on((1, 9, 2), 40, 4, 1, "valid"),
    Convolution.on((1, 1, 3), 2, 1),
    Convolution.on((9, 1, 2), 3, 3, 2),
]
POOLINGS = [
    Pooling.on(shape, window) for shape in ((4, 6, 2), (5, 7, 1), (1, 7, 3), (3, 3, 2)) for window in (1, 2, 3, 5)
]
CHAINS = [
    *((layer,) for layer in CONVOLUTIONS),
    *((layer.mirror("tanh"),) for layer in CONVOLUTIONS),
    *((layer, layer.mirror("sigmoid", 0)) for layer in CONVOLUTIONS),
    *((layer, layer.upsampling()) for layer in POOLINGS),
    *((layer, layer.unpooling(0)) for layer in POOLINGS),
    (Dense(4, 3, "tanh"), Upsampling.to(3, (2, 5)), Convolution.on((2, 5, 3), 2, 3)),
]
UNITS = {
    "a unit": ConvolutionalAutoencoder(3, stride=2, kernel=4, epochs=1),
    "tied": ConvolutionalAutoencoder(3, tied=True, epochs=1, output="linear"),
    "copies": ConvolutionalAutoencoder(3, pool=3, padding="valid", epochs=1),
    "switches": ConvolutionalAutoencoder(3, pool=2, unpool="switches", epochs=1),
}


def network_of(layers, dtype):
    """Layers with weights that keep the size of what passes through, and biases."""
    network = Network.zeros(layers, dtype)
    network.randomize(1, 0)
    biases = network.params[network.n_weights :]
    biases[:] = normal(np.dtype(np.float32), 2, len(biases), scale=0.1)
    return network


def described(network):
    """The layers as a file has them."""
    return [(layer.kind, layer.attributes, network.arrays(index)) for index, layer in enumerate(network.layers)]


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("layers", CHAINS, ids=lambda layers: "-".join(f"{x.kind}{x.shape_in}" for x in layers))
def test_layers_answer_as_direct_loops_do(layers, dtype, rtol):
    network, x = network_of(layers, dtype), uniform(np.dtype(dtype), 3, 3, layers[0].n_in) - np.float32(0.5)
    expected = np.array([naive_maps.answer(described(network), row) for row in x])
    found = network.answerer().block(np.ascontiguousarray(x, dtype), 1.0, 0.0)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def test_of_equal_numbers_the_first_is_the_largest():
    pooling = Pooling.on((3, 4, 1), 2)
    x = np.array([[1, 2, 2, 1, 2, 0, 0, 2, -1, -1, 3, 3]], np.float64)
    network = Network.zeros([pooling, pooling.unpooling(0)], "float64")
    expected = [[0, 2, 2, 0, 0, 0, 0, 0, -1, 0, 3, 0]]
    np.testing.assert_array_equal(network.answerer().block(x, 1.0, 0.0), expected)
    np.testing.assert_array_equal(naive_maps.answer(described(network), x[0]), expected[0])


@pytest.mark.parametrize("name", UNITS)
def test_a_saved_unit_is_computed_from_its_file(name, small, tmp_path):
    images = small.reshape(-1, 8, 8)
    unit = UNITS[name].set_params(random_state=0).fit(images)
    unit.save(tmp_path / "model.h5")
    found = naive_maps.answer_of_file(tmp_path / "model.h5", small[:5])
    np.testing.assert_allclose(unit.reconstruct(images[:5]), found, rtol=2e-4, atol=2e-5)


def test_a_saved_stack_and_a_classifier_are_computed_from_their_files(small, digits, tmp_path):
    images = small.reshape(-1, 8, 8)
    units = [
        UNITS["switches"],
        ConvolutionalAutoencoder(2, stride=2, output="relu", epochs=1),
        Autoencoder(4, output="relu", epochs=1),
    ]
    stack = StackedAutoencoder(units, finetune_epochs=1, random_state=0).fit(images)
    stack.save(tmp_path / "stack.h5")
    found = naive_maps.answer_of_file(tmp_path / "stack.h5", small[:5])
    np.testing.assert_allclose(stack.reconstruct(images[:5]), found, rtol=2e-4, atol=2e-5)
    classifier = StackedClassifier(units, finetune_epochs=1, random_state=0).fit(images, digits.labels[:300])
    classifier.save(tmp_path / "classifier.h5")
    found = naive_maps.answer_of_file(tmp_path / "classifier.h5", small[:5])
    np.testing.assert_allclose(classifier.predict_proba(images[:5]), found, rtol=2e-4, atol=2e-5)
