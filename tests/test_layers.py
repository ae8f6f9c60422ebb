"""Layers: one contract over the table of kinds, and a kind of a test's own that has no parameters."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from stacked import ModelFileError
from stacked.files import LayerArrays, read_model, write_model
from stacked.kernels.arithmetic.activations import ACTIVATIONS
from stacked.kernels.arithmetic.random import WEIGHTS, stream_key
from stacked.kernels.engine.panels import ACTIVATION, BIAS, KIND, N_COLUMNS, N_IN, N_OUT, OWN, TRANSPOSED, WEIGHT
from stacked.layers import GRU, LAYERS, LSTM, Convolution, Dense, Forcing, Gaussian, Layer, Pooling, Upsampling
from stacked.layers.records import check_record, layer_of, record_of
from stacked.network import Network

from .store_records import make_record


@dataclass(frozen=True)
class Halves(Layer):
    """Gives the first half of its inputs."""

    kind: ClassVar[str] = "halves"
    code: ClassVar[int] = 97

    def __post_init__(self):
        if self.n_in != 2 * self.n_out:
            raise ValueError(f"expected twice as many inputs as outputs, found {self.n_in} for {self.n_out}")


EXAMPLES = {
    "dense": (Dense(6, 4, "tanh"), Dense(5, 3, "linear")),
    "gaussian": (Gaussian(6, 3), Gaussian(2, 1)),
    "halves": (Halves(6, 3), Halves(2, 1)),
    "convolution": (Convolution.on((5, 6, 2), 3, 3, 2), Convolution.on((1, 7, 2), 4, 3, 1, "valid", "tanh")),
    "transposed_convolution": (
        Convolution.on((5, 6, 2), 3, 3, 2).mirror("sigmoid"), Convolution.on((1, 7, 2), 4, 2).mirror("linear"),
    ),
    "pooling": (Pooling.on((5, 6, 2), 2), Pooling.on((1, 7, 3), 3)),
    "upsampling": (Pooling.on((5, 6, 2), 2).upsampling(), Upsampling.to(3, (1, 4))),
    "unpooling": (Pooling.on((5, 6, 2), 2).unpooling(0), Pooling.on((1, 7, 3), 3).unpooling(0)),
    "forcing": (Forcing.on(3, 4, 2), Forcing.on(2, 5, 1, backwards=True, one_hot=True)),
    "gru": (GRU.on((1, 4, 3), 2), GRU.on((1, 5, 2), 6, last=True, backwards=True)),
    "lstm": (LSTM.on((1, 4, 3), 2, last=True), LSTM.on((1, 5, 2), 6, backwards=True)),
}  # fmt: skip
PARTNERS = {pooling.unpooling(0): [pooling] for pooling in (Pooling.on((5, 6, 2), 2), Pooling.on((1, 7, 3), 3))}
CHAIN = (Dense(5, 6, "tanh"), Halves(6, 3), Dense(3, 6, "linear"), Dense(6, 3, "relu", 2), Dense(3, 5, "sigmoid"))


@pytest.fixture(autouse=True)
def halves(monkeypatch):
    """The kind of this file is in the table."""
    monkeypatch.setitem(LAYERS, "halves", Halves)


def network_of(layer):
    """A network that ends in the layer, alone or after the pooling layer that it needs, every parameter different."""
    network = Network.zeros([*PARTNERS.get(layer, ()), layer], "float64")
    network.params[:] = np.arange(1.0, 1 + len(network.params))
    return network


def test_every_kind_has_examples_here():
    assert LAYERS.keys() == EXAMPLES.keys()
    assert all(kind.kind == name for name, kind in LAYERS.items())
    assert len({kind.code for kind in LAYERS.values()}) == len(LAYERS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_arrays_are_views_in_the_shapes_that_the_kind_gives_and_fill_the_vector(kind):
    for layer in EXAMPLES[kind]:
        network = network_of(layer)
        arrays = network.arrays(-1)
        assert {name: array.shape for name, array in arrays.items()} == layer.shapes == layer.owned
        assert list(arrays) == [*layer.weights, *layer.biases]
        found = np.concatenate([np.zeros(0), *(array.ravel() for array in arrays.values())])
        np.testing.assert_array_equal(found, network.params)
        assert network.n_weights == layer.n_weights and len(network.params) == layer.n_weights + layer.n_biases
        assert all(np.shares_memory(array, network.params) for array in arrays.values())


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_row_of_the_kernels_table_says_what_the_layer_is(kind):
    layer = EXAMPLES[kind][0]
    row = layer.row(17, 29)
    assert row.shape == (N_COLUMNS,) and row.dtype == np.int64
    assert row[OWN : OWN + len(layer.own)].tolist() == list(layer.own) and not row[OWN + len(layer.own) :].any()
    assert row[[N_IN, N_OUT, KIND, TRANSPOSED]].tolist() == [layer.n_in, layer.n_out, layer.code, 0]
    own = kind in ("gru", "lstm")  # they differentiate their outputs themselves
    assert row[ACTIVATION] == ACTIVATIONS["linear" if own else layer.activation]
    assert row[[WEIGHT, BIAS]].tolist() == ([17, 29] if layer.shapes else [0, 0])


@pytest.mark.parametrize("kind", EXAMPLES)
def test_starting_values_depend_on_the_stream_and_the_place_in_the_chain(kind):
    layer = EXAMPLES[kind][0]

    def drawn(seed, index):
        network = network_of(layer)
        network.params[:] = 0
        layer.draw(network.arrays(-1), stream_key(seed, WEIGHTS, 0), index)
        return network.params

    np.testing.assert_array_equal(drawn(0, 1), drawn(0, 1))
    assert not layer.weights or not np.array_equal(drawn(0, 1), drawn(0, 2))
    assert not layer.weights or not np.array_equal(drawn(0, 1), drawn(1, 1))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_record_gives_the_layer_back(kind):
    for layer in EXAMPLES[kind]:
        network = network_of(layer)
        record = record_of(layer, network.arrays(-1))
        check_record("/encoder/0", record)
        assert layer_of(record) == layer and record.kind == kind
        assert {name: type(value) for name, value in record.attributes.items()} == type(layer).ATTRIBUTES
        assert record_of(replace_sizes(layer), {}).attributes == record.attributes


def replace_sizes(layer):
    """The layer, its sizes NumPy's numbers."""
    return replace(layer, n_in=np.int32(layer.n_in), n_out=np.int64(layer.n_out))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_records_of_other_attributes_or_arrays_are_refused(kind):
    layer = EXAMPLES[kind][0]
    record = record_of(layer, network_of(layer).arrays(-1))
    extra = np.zeros(3)
    for wrong, message in (
        (
            replace(record, kind="attention"),
            "/encoder/0@kind: unknown kind of layer 'attention', expected dense, gaussian, convolution",
        ),
        (replace(record, attributes={**record.attributes, "n_in": 6.0}), "/encoder/0: expected the attributes"),
        (replace(record, attributes={**record.attributes, "stride": 2}), "/encoder/0: expected the attributes"),
        (replace(record, attributes={"n_in": 6}), "/encoder/0: expected the attributes"),
        (replace(record, arrays={**record.arrays, "extra": extra}), "/encoder/0: expected the arrays"),
        *((replace(record, arrays={**record.arrays, name: extra[None]}), f"/encoder/0/{name}: expected the shape")
          for name in layer.shapes),
        *((replace(record, arrays={}), "/encoder/0: expected the arrays") for _ in list(layer.shapes)[:1]),
    ):  # fmt: skip
        with pytest.raises(ModelFileError) as caught:
            check_record("/encoder/0", wrong)
        assert str(caught.value).startswith(message)


def test_sizes_that_do_not_go_together_are_refused():
    with pytest.raises(ModelFileError, match=r"^/encoder/1: expected twice as many inputs as outputs, found 5 for 3$"):
        check_record("/encoder/1", LayerArrays("halves", {"n_in": 5, "n_out": 3}, {}))


@pytest.mark.parametrize("n_in, n_out", [(6, 6), (5, 2), (3, 6), (1, 0)])
def test_a_gaussian_code_takes_means_and_log_variances(n_in, n_out):
    message = rf"^/encoder/1: a Gaussian code of {n_out} numbers takes {2 * n_out}, not {n_in}$"
    with pytest.raises(ModelFileError, match=message):
        check_record("/encoder/1", LayerArrays("gaussian", {"n_in": n_in, "n_out": n_out}, {}))


def test_kinds_differ_though_their_sizes_agree():
    assert Halves(6, 3) != Dense(6, 3, "linear") and Halves(6, 3) == Halves(6, 3)
    with pytest.raises(TypeError):
        Dense(6, 3)


def test_a_layer_without_parameters_takes_no_space_between_others():
    network = Network.zeros(CHAIN, "float64")
    network.params[:] = np.arange(len(network.params))
    weights, biases = 30 + 18 + 15, 6 + 6 + 3 + 5
    assert network.n_weights == weights and len(network.params) == weights + biases
    assert network.table[:, KIND].tolist() == [0, 97, 0, 0, 0]
    assert network.table[:, TRANSPOSED].tolist() == [0, 0, 0, 1, 0]
    assert network.table[:, WEIGHT].tolist() == [0, 0, 30, 30, 48]
    assert network.table[:, BIAS].tolist() == [63, 0, 69, 75, 78]
    assert network.arrays(1) == {} and CHAIN[3].owned == {"bias": (3,)}
    np.testing.assert_array_equal(network.weight(3), network.weight(2).T)
    np.testing.assert_array_equal(network.bias(3), network.params[75:78])


def test_a_layer_without_parameters_in_the_middle_of_a_chain_draws_none():
    network, dense = Network.zeros(CHAIN, "float64"), Network.zeros([CHAIN[0]], "float64")
    network.randomize(3, 1)
    dense.randomize(3, 1)
    np.testing.assert_array_equal(network.weight(0), dense.weight(0))
    assert network.weight(2).any() and network.weight(4).any() and not network.params[network.n_weights :].any()


def test_a_network_regrown_keeps_layers_with_and_without_parameters():
    network = Network.zeros(CHAIN[:2], "float64")
    network.randomize(3, 1)
    other = network.regrown((*CHAIN[:2], Dense(3, 2, "softmax")))
    np.testing.assert_array_equal(other.weight(0), network.weight(0))
    assert other.arrays(1) == {} and not other.weight(2).any()


def test_untied_layers_are_the_layers_with_weights_of_their_own():
    assert CHAIN[3].untied() == Dense(6, 3, "relu") and CHAIN[0].untied() is CHAIN[0]
    assert CHAIN[1].untied() is CHAIN[1]


def test_a_file_holds_layers_without_arrays(tmp_path):
    record = make_record(unfinished=False)
    halves = record_of(Halves(6, 3), {})
    write_model(tmp_path / "model.h5", replace(record, encoder=(record.encoder[0], halves)))
    again = read_model(tmp_path / "model.h5").encoder[1]
    assert (again.kind, again.attributes, again.arrays) == ("halves", {"n_in": 6, "n_out": 3}, {})
    assert layer_of(again) == Halves(6, 3)
