"""The fused trainers in float32 against the plain ones in float64: same algorithm, same random numbers, 1e-5 apart at most."""

from functools import partial
from itertools import product

import numpy as np
import pytest

from stacked.kernels import backprop, rbm
from stacked.kernels.arithmetic.activations import ACTIVATIONS
from stacked.kernels.arithmetic.corruption import CORRUPTIONS
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.penalties import CONTRACTION
from stacked.kernels.arithmetic.stochastic import UNIT_KINDS
from stacked.kernels.arithmetic.terms import as_terms
from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine.instructions import PANEL
from stacked.kernels.engine.panels import ROWS, weight_panels

from .cases_elementwise import corruption_of, key, samples_of, update_of
from .cases_machines import carried, machine_of, machine_params
from .cases_products import dense_network, dense_params
from .trainings import dense_args, train_dense, train_rbm

LIMIT = 1e-5  # of the largest number
OPTIMIZERS = ("momentum", "nesterov", "adam")
HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]
OUTPUTS = [("squared_error", name) for name in HIDDEN] + [("cross_entropy", "sigmoid")]
SPARSITY = (0.1, 0.5, 0.8)  # target, weight, decay
# Around the edges of panels and of blocks of rows.
WIDTHS = (1, 3, PANEL - 1, PANEL, PANEL + 1, 2 * PANEL + 5)
BATCHES = (1, 2, 20, PANEL, PANEL + 1, 100, ROWS, ROWS + 1, 2 * ROWS + 37)


def _assert_close(train, *args):
    with thread_limit(None):
        got, expected = train(np.float32, *args), train(np.float64, *args)
    for name, numbers in expected.items():
        if numbers.size:
            difference = np.abs(got[name] - numbers).max() / max(np.abs(numbers).max(), 1e-30)
            assert difference <= LIMIT, f"{name} differs by {difference:.1e}"


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("loss, output", OUTPUTS)
def test_every_activation_and_loss(loss, output, hidden, tied):
    _assert_close(train_dense, ((13, 37, 13), (hidden, output), tied, loss), "momentum", "none", 10, 23)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_classifiers(hidden):
    network = ((13, 37, 5, PANEL + 3), (hidden, hidden, "softmax"), False, "softmax_cross_entropy")
    _assert_close(train_dense, network, "adam", "none", 10, 23)


@pytest.mark.parametrize("optimizer, corruption", list(product(OPTIMIZERS, CORRUPTIONS)))
def test_every_optimizer_and_corruption(optimizer, corruption):
    network = ((40, 35, 40), ("sigmoid", "sigmoid"), True, "cross_entropy")
    _assert_close(train_dense, network, optimizer, corruption, 10, 23)


@pytest.mark.parametrize("n_visible, n_hidden", list(product(WIDTHS, WIDTHS)))
def test_dense_of_every_width(n_visible, n_hidden):
    network = ((n_visible, n_hidden, n_visible), ("tanh", "sigmoid"), False, "cross_entropy")
    _assert_close(train_dense, network, "momentum", "masking", 9, 20)


@pytest.mark.parametrize("batch_size, tied", list(product(BATCHES, (False, True))))
def test_dense_of_every_minibatch(batch_size, tied):
    network = ((45, 40, 3, 40, 45), ("tanh", "linear", "softplus", "linear"), tied, "squared_error")
    _assert_close(train_dense, network, "momentum", "none", batch_size, batch_size + batch_size // 2 + 1)


@pytest.mark.parametrize("transposed", [(0, 1, 0, 1), (1, 0, 1, 0)])
def test_a_matrix_that_four_layers_share(transposed):
    sizes = (13, 37, 13, 37, 13)
    n_weights, biases = 13 * 37, 13 * 37 + np.cumsum([0, *sizes[1:]])
    rows = [(sizes[i], sizes[i + 1], 2, 0, biases[i], transposed[i], 0) for i in range(4)]
    table = np.array(rows, np.int64)
    results = []
    for dtype in (np.float32, np.float64):
        params = dense_params(np.dtype(np.float32), 1, table[:1], n_weights, int(biases[-1])).astype(dtype)
        velocity, work = np.zeros_like(params), backprop.workspace(table, len(params), 9, np.dtype(dtype))
        objective = Objective(LOSSES["squared_error"], corruption_of("none"), n_weights)
        rows = np.arange(20)
        data = (samples_of("uint8", 2, 20, 13), rows[:0], rows, rows, 9, key(3), 0, 0, velocity, velocity[:0], work)
        with thread_limit(None):
            backprop.train(table, params, objective, update_of("momentum"), *data)
        results.append(params)
    assert np.abs(results[0] - results[1]).max() <= LIMIT * np.abs(results[1]).max()


def test_no_rows_give_no_answers():
    table, n_weights, n_params = dense_network((5, 3), ("tanh",))
    params = dense_params(np.dtype(np.float32), 1, table, n_weights, n_params)
    backprop.infer(
        table,
        params,
        backprop.prepare(table, params),
        samples_of("uint8", 1, 2, 5),
        np.arange(0),
        np.empty((0, 3), np.float32),
    )


def test_layer_of_3000_units():
    _assert_close(train_dense, ((3000, 3000), ("tanh",), False, "squared_error"), "momentum", "none", 40, 40)


@pytest.mark.parametrize("persistent, k", [(False, 1), (False, 3), (True, 1), (True, 2)])
@pytest.mark.parametrize("visible, hidden", [p for p in product(UNIT_KINDS, UNIT_KINDS) if p[0] != "rectified"])
def test_every_unit_and_method(visible, hidden, persistent, k):
    machine = machine_of(visible, hidden, 40, 35, k, persistent)
    _assert_close(train_rbm, machine, "nesterov", 10, 10)  # one: Gaussian chains magnify rounding


@pytest.mark.parametrize("n_visible, n_hidden", list(product(WIDTHS, WIDTHS)))
def test_rbm_of_every_width(n_visible, n_hidden):
    _assert_close(train_rbm, machine_of("bernoulli", "bernoulli", n_visible, n_hidden), "momentum", 9, 20)


@pytest.mark.parametrize("batch_size, persistent", list(product(BATCHES, (False, True))))
def test_rbm_of_every_minibatch(batch_size, persistent):
    machine = machine_of("bernoulli", "bernoulli", 45, 40, 2, persistent)
    _assert_close(train_rbm, machine, "momentum", batch_size, batch_size + batch_size // 2 + 1)


@pytest.mark.parametrize("visible, persistent", list(product(("bernoulli", "gaussian"), (False, True))))
@pytest.mark.parametrize("n_hidden, batch_size", [(1, 1), (PANEL + 1, ROWS + 1), (40, 10), (2 * PANEL, 2 * ROWS + 37)])
def test_rbm_with_a_sparsity_target(n_hidden, batch_size, visible, persistent):
    machine = machine_of(visible, "bernoulli", 45, n_hidden, 1, persistent, SPARSITY)
    _assert_close(train_rbm, machine, "nesterov", batch_size, batch_size + batch_size // 2 + 1)


def test_minibatch_of_4096():
    _assert_close(train_rbm, machine_of("bernoulli", "bernoulli", 20, 40), "momentum", 4096, 4100)
    network = ((20, 40, 20), ("sigmoid", "sigmoid"), True, "cross_entropy")
    _assert_close(train_dense, network, "momentum", "none", 4096, 4100)


def _split_dense(parts, bfloat16):
    table, n_weights, n_params = dense_network((37, 21, 37), ("sigmoid", "sigmoid"), True)
    params = dense_params(np.dtype(np.float32), 1, table, n_weights, n_params)
    velocity, squares = np.zeros((2, n_params), np.float32)
    objective = Objective(LOSSES["cross_entropy"], corruption_of("masking"), n_weights)
    samples, rows, step = samples_of("uint8", 1, 60, 37), np.arange(60), 0
    for part in np.split(rows, parts):
        work = backprop.workspace(table, n_params, 8, np.dtype(np.float32), bfloat16)
        state = (key(1), 2, step, velocity, squares, work)
        backprop.train(table, params, objective, update_of("adam"), samples, rows[:0], part, part + 9, 8, *state)
        step += -(-len(part) // 8)
    return params, velocity, squares


def _split_rbm(parts, bfloat16, persistent, sparsity=()):
    machine = machine_of("bernoulli", "bernoulli", 37, 21, 2, persistent, sparsity)
    params = machine_params(np.dtype(np.float32), 1, machine)
    state = carried(machine, np.zeros_like(params), np.zeros((8 if persistent else 0, 21), np.float32))
    samples, rows, step = samples_of("uint8", 1, 60, 37), np.arange(60), 0
    for part in np.split(rows, parts):
        work = rbm.workspace(machine, 8, np.dtype(np.float32), bfloat16)
        where = (key(1), key(2), 2, step)
        rbm.train(machine, params, update_of("momentum"), samples, part, part + 9, 8, *where, state, work)
        step += -(-len(part) // 8)
    return params, *state


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("parts", [(16,), (8, 24, 56)])
def test_chunks_leave_no_trace(parts, bfloat16):
    sparse = [partial(_split_rbm, persistent=chains, sparsity=SPARSITY) for chains in (False, True)]
    for split in (_split_dense, lambda *p: _split_rbm(*p, False), lambda *p: _split_rbm(*p, True), *sparse):
        for whole, chunked in zip(split((), bfloat16), split(parts, bfloat16), strict=True):
            assert whole.tobytes() == chunked.tobytes()


@pytest.mark.parametrize("width", [PANEL - 1, 2 * PANEL + 5])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_answers_of_every_last_layer(name, width):
    table, n_weights, n_params = dense_network((50, 37, width), ("tanh", name))
    params, n = dense_params(np.dtype(np.float32), 1, table, n_weights, n_params), 2 * ROWS + 37
    answers = []
    for dtype in (np.float32, np.float64):
        own, out = params.astype(dtype), np.full((n, width), np.nan, dtype)
        with thread_limit(None):
            prepared = backprop.prepare(table, own)
            backprop.infer(table, own, prepared, samples_of("uint8", 1, n, 50), np.arange(n)[::-1].copy(), out)
        answers.append(out)
    assert np.ptp(answers[1]) > 0 and np.abs(answers[0] - answers[1]).max() <= LIMIT * np.abs(answers[1]).max()


@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
def test_answers_do_not_depend_on_the_rows_beside_them(name):
    table, n_weights, n_params = dense_network((50, 70, 40), ("tanh", name))
    params = dense_params(np.dtype(np.float32), 1, table, n_weights, n_params)
    samples, prepared = samples_of("uint8", 1, 500, 50), backprop.prepare(table, params)
    whole, alone = np.empty((500, 40), np.float32), np.empty((500, 40), np.float32)
    for n_threads in (1, 2):
        with thread_limit(n_threads):
            backprop.infer(table, params, prepared, samples, np.arange(500), whole)
            for start, stop in ((0, 1), (1, 130), (130, 131), (131, 500)):
                backprop.infer(table, params, prepared, samples, np.arange(start, stop), alone[start:stop])
        assert whole.tobytes() == alone.tobytes()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("hidden", [64, 37])
@pytest.mark.parametrize("batch", [20, 150])
def test_contraction_reaches_weights_that_are_updated_tile_by_tile(tied, hidden, batch):
    left = []
    for dtype in (np.float32, np.float64):
        network = (140, hidden, 140), ("sigmoid", "sigmoid"), tied, "cross_entropy"
        args = list(dense_args(dtype, network, "momentum", "none", batch, 2 * batch + 3))
        args[2] = args[2]._replace(terms=as_terms((CONTRACTION, 0, 5.0, 0)))
        with thread_limit(None):
            backprop.train(*args)
        left.append(args[1])
    assert np.abs(left[0] - left[1]).max() <= 1e-5 * np.abs(left[1]).max()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("hidden", [3, PANEL + 3])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_padding_of_weights_stays_zero(hidden, tied, optimizer, bfloat16):
    network = (PANEL + 8, hidden, PANEL + 8), ("sigmoid", "sigmoid"), tied, "cross_entropy"  # sigmoid(0) is not 0
    *args, work = dense_args(np.float32, network, optimizer, "none", 20, 50, bfloat16)
    with thread_limit(None):
        backprop.train(*args, work)
    for layer in range(1 if tied else 2):
        n_out = network[0][layer + 1]
        weights = np.hstack(weight_panels.py_func(work.packed.table, layer, work.packed.params))
        padding = weights[:, n_out:]
        assert padding.size and np.abs(padding).max() == 0
