"""One contract over the table of kinds of layers: shapes, gradients, either form of training, rows on their own, threads, files."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.base import clone

from stacked import (
    Autoencoder,
    ConvolutionalAutoencoder,
    RecurrentAutoencoder,
    SequenceAutoencoder,
    StackedAutoencoder,
    VariationalAutoencoder,
    load,
)
from stacked.kernels import backprop, program
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.penalties import PENALTIES
from stacked.kernels.arithmetic.terms import as_terms
from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine.panels import ROWS
from stacked.layers import GRU, LAYERS, LSTM, Convolution, Dense, Forcing, Gaussian, Layer, Pooling, Upsampling
from stacked.network import Network
from stacked.units.base import Unit
from stacked.units.chain import chained, decoders, encoders

from .cases_elementwise import corruption_of, key, normal, samples_of, uniform, update_of

LIMIT = 1e-5  # of the largest number: float32 panels against float64
STEP = 1e-6
N_ROWS = 23
FORMS = (program.TRAIN, program.GRADIENT, program.EVALUATE, program.STEP)


def folded(shape, *sizes, output="sigmoid", tied=False, pool=0, switches=False, kernel=3, **settings):
    """Convolutions of so many filters, each pooled or not, and the way back to maps of a shape."""
    up, down = [], []
    for filters in sizes:
        convolution = Convolution.on(shape, filters, kernel, **settings)
        own = [convolution.mirror("relu" if up else output, len(up) if tied else None)]
        up.append(convolution)
        shape = convolution.shape_out
        if pool:
            pooling = Pooling.on(shape, pool)
            own.insert(0, pooling.unpooling(len(up)) if switches else pooling.upsampling())
            up.append(pooling)
            shape = pooling.shape_out
        down = own + down
    return (*up, *down)


class Example(NamedTuple):
    """A chain, the loss of its outputs, how often codes are drawn for a row, and the corruption of the input."""

    layers: tuple[Layer, ...]
    loss: str
    n_samples: int = 1
    noise: str = "none"

    @property
    def repeats(self):
        return max(1, self.n_samples)

    def network(self, dtype):
        """The chain with weights that keep the size of what passes through."""
        network = Network.zeros(self.layers, np.dtype(dtype).name)
        network.randomize(1, 0)
        network.params[network.n_weights :] = normal(
            np.dtype(np.float32), 2, len(network.params) - network.n_weights, scale=0.1
        )
        return network

    def objective(self, network):
        asked = (
            [term for index, layer in enumerate(self.layers) for term in layer.terms(index)] if self.n_samples else []
        )
        terms = as_terms(*((PENALTIES[kind], layer, 0.7, target) for kind, layer, target in asked))
        return Objective(LOSSES[self.loss], corruption_of(self.noise), network.n_weights, terms, self.n_samples)

    def labels(self):
        n_labels = N_ROWS if self.loss == "softmax_cross_entropy" else 0
        return np.random.default_rng(1).integers(0, self.layers[-1].n_out, n_labels)

    def samples(self):
        return samples_of("uint8", 2, N_ROWS, self.layers[0].n_in)


def recurrent_examples(cell):
    """Chains with a recurrent layer at either end, between rows, reading either way, of less and of more than a panel."""
    return {
        "states": Example(
            (cell.on((1, 5, 8), 35), Convolution.on((1, 5, 35), 8, 1, activation="sigmoid")), "cross_entropy", noise="masking"
        ),
        "code": Example(
            (
                cell.on((1, 3, 34), 7, last=True), Upsampling.to(7, (1, 3)), cell.on((1, 3, 7), 33, backwards=True),
                Convolution.on((1, 3, 33), 34, 1, activation="linear"),
            ),
            "squared_error",
        ),
        "between rows": Example(
            (Dense(9, 12, "tanh"), cell.on((1, 4, 3), 5), cell.on((1, 4, 5), 4, last=True, backwards=True), Dense(4, 3, "softmax")),
            "softmax_cross_entropy",
        ),
        "to the end": Example((cell.on((1, 5, 4), 6), cell.on((1, 5, 6), 4)), "squared_error"),
    }  # fmt: skip


EXAMPLES = {
    "gru": recurrent_examples(GRU),
    "lstm": recurrent_examples(LSTM),
    "dense": {
        "untied": Example((Dense(40, 35, "tanh"), Dense(35, 40, "sigmoid")), "cross_entropy", noise="masking"),
        "tied": Example((Dense(9, 7, "softplus"), Dense(7, 9, "linear", 0)), "squared_error"),
        "classifier": Example((Dense(9, 7, "tanh"), Dense(7, 4, "softmax")), "softmax_cross_entropy"),
    },
    "gaussian": {
        "binary": Example(
            (Dense(9, 8, "tanh"), Dense(8, 6, "linear"), Gaussian(6, 3), Dense(3, 9, "sigmoid")),
            "cross_entropy", noise="binary none",
        ),
        "several panels": Example(
            (Dense(40, 35, "tanh"), Dense(35, 74, "linear"), Gaussian(74, 37), Dense(37, 35, "tanh"), Dense(35, 40, "sigmoid")),
            "cross_entropy",
        ),
        "three draws": Example(
            (Dense(9, 4, "linear"), Gaussian(4, 2), Dense(2, 9, "linear")), "gaussian_nll", n_samples=3
        ),
        "two codes": Example(
            (Dense(9, 8, "linear"), Gaussian(8, 4), Dense(4, 2, "linear"), Gaussian(2, 1), Dense(1, 9, "tanh")), "squared_error"
        ),
        "means": Example(
            (Dense(9, 6, "linear"), Gaussian(6, 3), Dense(3, 4, "softmax")), "softmax_cross_entropy", n_samples=0
        ),
    },
}  # fmt: skip
EXAMPLES |= {
    "convolution": {
        "between maps": Example(folded((6, 5, 1), 3, 2, kernel=3, activation="tanh"), "cross_entropy"),
        "strides": Example(folded((7, 9, 2), 3, kernel=4, stride=2, activation="softplus"), "cross_entropy", noise="masking"),
        "signals": Example(
            folded((1, 11, 3), 5, kernel=4, stride=3, padding="valid", output="linear", activation="tanh"), "squared_error"
        ),
        "under a dense code": Example(
            (Convolution.on((5, 5, 1), 3, 3, 2, "same", "tanh"), Dense(27, 4, "tanh"), Dense(4, 27, "tanh"),
             Convolution.on((5, 5, 1), 3, 3, 2).mirror("sigmoid")), "cross_entropy",
        ),
        "on a dense layer": Example((Dense(9, 18, "tanh"), Convolution.on((3, 3, 2), 1, 3, 1, "same", "sigmoid")), "squared_error"),
        "classifier": Example(
            (Convolution.on((5, 4, 1), 35, 3, 1, "valid", "tanh"), Dense(210, 4, "softmax")), "softmax_cross_entropy"
        ),
    },
    "transposed_convolution": {
        "tied": Example(folded((5, 6, 2), 4, 3, tied=True, activation="tanh"), "squared_error"),
        "tied with strides": Example(folded((6, 7, 1), 33, tied=True, kernel=5, stride=2, activation="tanh"), "cross_entropy"),
    },
    "pooling": {
        "cut at the border": Example(
            (*folded((7, 5, 1), 3, pool=2, activation="tanh")[:2], Dense(36, 4, "softmax")), "softmax_cross_entropy"
        ),
    },
    "upsampling": {
        "of pooled maps": Example(folded((5, 7, 1), 3, 2, pool=2, activation="tanh"), "cross_entropy"),
        "of a code": Example(
            (Dense(12, 4, "tanh"), Upsampling.to(4, (1, 5)), Convolution.on((1, 5, 4), 2, 1, 1, "same", "sigmoid")), "squared_error"
        ),
    },
    "unpooling": {
        "of pooled maps": Example(folded((5, 7, 1), 3, 2, pool=2, switches=True, activation="tanh"), "cross_entropy"),
        "under a dense code": Example(
            (*folded((6, 6, 1), 2, pool=3, activation="tanh")[:2], Dense(8, 3, "tanh"), Dense(3, 8, "tanh"),
             *folded((6, 6, 1), 2, pool=3, switches=True)[2:]), "cross_entropy",
        ),
    },
    "forcing": {
        "of a code": Example(
            (GRU.on((1, 5, 4), 6, last=True), Forcing.on(6, 5, 4), GRU.on((1, 5, 10), 7), Convolution.on((1, 5, 7), 4, 1)),
            "squared_error",
        ),
        "under rows": Example(
            (Dense(12, 33, "tanh"), Forcing.on(33, 4, 3, backwards=True), LSTM.on((1, 4, 36), 4, backwards=True),
             Convolution.on((1, 4, 4), 3, 1, activation="sigmoid")), "cross_entropy", noise="masking",
        ),
    },
}  # fmt: skip
MODELS = {  # one that holds a layer of the kind
    "dense": Autoencoder(3, epochs=1),
    "gaussian": VariationalAutoencoder(3, hidden_layers=(5, 4), epochs=1, binarize=True),
    "convolution": ConvolutionalAutoencoder(3, epochs=1, sample_shape=(8, 8)),
    "transposed_convolution": ConvolutionalAutoencoder(3, epochs=1, sample_shape=(8, 8), stride=2, tied=True),
    "pooling": ConvolutionalAutoencoder(3, epochs=1, sample_shape=(8, 8), pool=3),
    "upsampling": ConvolutionalAutoencoder(3, epochs=1, sample_shape=(8, 8), pool=2, padding="valid"),
    "unpooling": ConvolutionalAutoencoder(3, epochs=1, sample_shape=(8, 8), pool=2, unpool="switches"),
    "gru": RecurrentAutoencoder(3, epochs=1),
    "lstm": RecurrentAutoencoder(3, cell="lstm", epochs=1),
    "forcing": SequenceAutoencoder(3, forcing=True, epochs=1),
}
CHAINS = [pytest.param(example, id=f"{kind}-{name}") for kind in EXAMPLES for name, example in EXAMPLES[kind].items()]
PLAIN_CHAINS = [  # whose layers answer one after the other
    pytest.param(example, id=f"{kind}-{name}")
    for kind in EXAMPLES
    if kind != "forcing"
    for name, example in EXAMPLES[kind].items()
]


def test_every_kind_has_examples_here():
    assert LAYERS.keys() == EXAMPLES.keys() == MODELS.keys()
    for kind, examples in EXAMPLES.items():
        assert examples and all(kind in {layer.kind for layer in example.layers} for example in examples.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("example", PLAIN_CHAINS)
def test_every_layer_answers_in_its_shape(example, dtype):
    network, inputs = example.network(dtype), [uniform(np.dtype(dtype), 3, 5, example.layers[0].n_in)]
    for index, layer in enumerate(example.layers):
        first = layer.needs_from(index)
        answer = network.answerer(first, index + 1).block(inputs[first], 1.0, 0.0)
        assert answer.shape == (5, layer.n_out) and answer.dtype == dtype and np.isfinite(answer).all()
        inputs.append(answer)
    whole = network.answerer().block(inputs[0], 1.0, 0.0)
    np.testing.assert_allclose(whole, inputs[-1], rtol=1e-5)


def trained(example, dtype, optimizer="momentum", n_threads=None, batch_size=7):
    """Parameters, velocity and sums after an epoch of minibatches, the last one short."""
    network = example.network(dtype)
    rows = np.repeat(np.arange(N_ROWS)[::-1], example.repeats)
    velocity, squares = np.zeros_like(network.params), np.full_like(network.params, 0.01)
    size = batch_size * example.repeats
    work = backprop.workspace(network.table, len(network.params), size, network.params.dtype)
    update = update_of(optimizer, 20, 0.0, 1e-3)._replace(learning_rate=0.01)
    with thread_limit(n_threads):
        sums = backprop.train(
            network.table, network.params, example.objective(network), update, example.samples(), example.labels(), rows, rows + 9,
            size, key(3), 2, 1, velocity, squares, work,
        )  # fmt: skip
    return {"params": network.params, "velocity": velocity, "sums": sums}


@pytest.mark.parametrize("batch_size", [1, 7, ROWS + 1])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("example", CHAINS)
def test_training_in_panels_equals_the_plain_one(example, optimizer, batch_size):
    got, expected = (trained(example, dtype, optimizer, batch_size=batch_size) for dtype in ("float32", "float64"))
    for name, numbers in expected.items():
        assert np.abs(got[name] - numbers).max() <= LIMIT * np.abs(numbers).max(), name
    assert expected["velocity"].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("example", CHAINS)
def test_the_number_of_threads_leaves_no_trace(example, dtype):
    one, two = (trained(example, dtype, n_threads=n_threads) for n_threads in (1, 2))
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


@pytest.mark.parametrize("example", CHAINS)
def test_central_differences_of_every_parameter(example):
    network = example.network("float64")
    n_rows = 3 * example.repeats
    work = backprop.workspace(network.table, len(network.params), n_rows, network.params.dtype)
    objective, rows = example.objective(network), np.repeat(np.arange(3), example.repeats)
    backprop.load_minibatch(network.table, objective, example.samples(), rows, rows, key(4), 1, work)
    labels = example.labels()[rows] if len(example.labels()) else example.labels()
    inputs, target = work.corrupted.copy(), work.clean.copy()

    def loss(flat):
        return backprop.loss_gradient(network.table, flat, objective, 0.0, 0.01, inputs, target, labels, work)

    loss(network.params)
    gradient, expected = work.gradient.copy(), np.empty_like(network.params)
    for i in range(len(expected)):
        moved = np.tile(network.params, (2, 1))
        moved[:, i] += STEP, -STEP
        expected[i] = (loss(moved[0]) - loss(moved[1])) / (2 * STEP)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("example", CHAINS)
def test_a_row_is_answered_alike_among_others_and_alone(example, dtype):
    network = example.network(dtype)
    x = uniform(np.dtype(dtype), 5, ROWS + 30, example.layers[0].n_in)
    answer = network.answerer()
    whole = answer.block(x, 1.0, 0.0)
    close = (
        {"rtol": 0, "atol": 0} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-14}
    )  # BLAS sums by its own shapes
    for rows in ([0], [5, 3], [*range(ROWS + 29, -1, -1)]):
        np.testing.assert_allclose(answer.block(np.ascontiguousarray(x[rows]), 1.0, 0.0), whole[rows], **close)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("example", CHAINS)
def test_what_is_drawn_for_a_row_depends_on_its_number_alone(example, dtype):
    network = example.network(dtype)
    objective = example.objective(network)

    def measured(rows, shift=9, batch_size=N_ROWS):
        rows, size = np.repeat(rows, example.repeats), batch_size * example.repeats
        work = backprop.workspace(network.table, len(network.params), size, network.params.dtype)
        data = (example.samples(), example.labels(), rows, rows + shift, size, key(3), 2, work)
        return backprop.evaluate(network.table, network.params, objective, *data)

    alone = np.array([measured([row]) for row in range(N_ROWS)])
    for rows in (np.arange(N_ROWS), np.arange(N_ROWS)[::-1], np.array([3, 17, 5])):
        for batch_size in (2, N_ROWS):
            np.testing.assert_allclose(measured(rows, batch_size=batch_size), alone[rows].sum(axis=0), rtol=2e-6)
    draws = example.noise != "none" or (example.n_samples and "gaussian" in {layer.kind for layer in example.layers})
    others = np.array([measured([row], shift=50) for row in range(N_ROWS)])
    assert (others[:, 0] != alone[:, 0]).all() if draws else (others == alone).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("example", CHAINS)
def test_programs_pass_the_check_and_nothing_can_be_left_out(example, form):
    network = example.network("float32")
    objective = example.objective(network)
    instructions = [tuple(pair) for pair in program.program_for(network.table, objective, form).tolist()]
    kinds, weights = (network.table[:, column].tolist() for column in (program.KIND, program.WEIGHT))
    measured = objective.terms.places[:, program.LAYER].tolist()
    program.check(instructions, kinds, weights, measured)
    if form == program.TRAIN:
        for left_out in range(len(instructions)):
            with pytest.raises(ValueError):
                program.check(instructions[:left_out] + instructions[left_out + 1 :], kinds, weights, measured)
    if form != program.STEP:
        forward = [place for operation, place in instructions if operation in (program.FORWARD, program.OUTPUT)]
        assert forward == list(range(len(example.layers)))
    if form in (program.TRAIN, program.GRADIENT):
        backward = [place for operation, place in instructions if operation == program.BACKWARD]
        assert backward == list(range(len(example.layers) - 1, 0, -1))


@pytest.mark.parametrize("kind", MODELS)
def test_decoders_mirror_encoders(kind):
    unit = MODELS[kind]
    shape = unit.sample_shape if "sample_shape" in unit.get_params() else (11,)
    halves = unit.layers(shape)
    assert kind in {layer.kind for layer in halves.whole}
    assert halves.encoder[0].n_in == halves.decoder[-1].n_out == np.prod(shape)
    assert halves.n_code == halves.decoder[0].n_in and halves.code_shape[-1] == unit.n_hidden == 3
    upper = clone(unit).set_params(sample_shape=None) if len(shape) > 1 else unit
    if len(halves.code_shape) == 1 and unit.takes_sequences:
        upper = Autoencoder(3)  # on one code a sequence
    chain = chained([unit, upper], shape)
    layers = [*encoders(chain), *decoders(chain)]
    for index, layer in enumerate(layers):
        layer.check_after(layers[:index])
    assert all(one.n_out == other.n_in for one, other in pairwise(layers))
    assert layers[0].n_in == layers[-1].n_out == np.prod(shape) and all(layer.tied_to is None for layer in layers)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_models_that_hold_a_layer_survive_in_a_file(kind, stacked, small, tmp_path):
    unit: Unit = MODELS[kind]
    model = (
        StackedAutoencoder([unit], finetune_epochs=1, random_state=0) if stacked else unit.set_params(random_state=0)
    )
    model.fit(small).save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert kind in {layer.kind for layer in again.network_.layers} and again.network_.layers == model.network_.layers
    assert again.network_.params.tobytes() == model.network_.params.tobytes()
    np.testing.assert_array_equal(again.network_.table, model.network_.table)
    for name in ("transform", "reconstruct"):
        np.testing.assert_array_equal(getattr(again, name)(small), getattr(model, name)(small))
