"""Recurrent layers against the formulas step by step, sequences that end early against the same cut short, clipped gradients."""

import numpy as np
import pytest

from stacked.kernels import backprop
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.samples import as_samples
from stacked.kernels.cpu import thread_limit
from stacked.layers import GRU, LSTM, Convolution, Upsampling
from stacked.network import Network

from . import naive_recurrent
from .cases_elementwise import corruption_of, key, uniform, update_of

CELLS = {"gru": GRU, "lstm": LSTM}
LIMIT = {"float32": 1e-5, "float64": 1e-12}
N_STEPS, WIDTH = 6, 3
LENGTHS = np.array([6, 1, 4, 4, 2, 6, 5, 3, 3, 1, 6])


def network_of(layers, dtype):
    network = Network.zeros(layers, np.dtype(dtype).name)
    network.randomize(3, 0)
    return network


# ---- the formulas ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_states_are_those_of_the_formulas(kind, last, backwards, dtype):
    for n_steps, width, n_hidden in ((1, 1, 1), (5, 3, 4), (7, 40, 35), (3, 33, 64), (2, 32, 97)):
        layer = CELLS[kind].on((1, n_steps, width), n_hidden, last, backwards)
        network, x = network_of((layer,), dtype), uniform(np.dtype(dtype), 5, 40, n_steps * width)
        expected = [
            naive_recurrent.answer(kind, network.arrays(0), row.reshape(n_steps, width), last, backwards).ravel() for row in x
        ]  # fmt: skip
        answer = network.answerer().block(x, 1.0, 0.0)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=LIMIT[dtype])


@pytest.mark.parametrize("kind", CELLS)
def test_starting_values_fill_their_range(kind):
    layer = CELLS[kind].on((1, 4, 30), 25)
    arrays = network_of((layer,), "float64").arrays(0)
    assert {name: array.shape for name, array in arrays.items()} == layer.shapes
    assert list(arrays) == ["weight", "recurrent_weight", "bias"]
    for array in arrays.values():
        assert 0.18 < np.abs(array).max() <= 0.2 and abs(array.mean()) < 0.05
    flat = np.concatenate([array.ravel() for array in arrays.values()])
    assert len(np.unique(flat)) > len(flat) - 5  # numbers of 24 bits


@pytest.mark.parametrize(
    "change", [{"height": 2}, {"out_width": 3}, {"kernel_width": 2}, {"backwards": 2}, {"n_out": 5}, {"channels": 0}]
)
@pytest.mark.parametrize("kind", CELLS)
def test_sizes_that_are_no_sequence_are_refused(kind, change):
    attributes = CELLS[kind].on((1, 4, 3), 2).attributes
    assert CELLS[kind].of_attributes(attributes).attributes == attributes
    with pytest.raises(ValueError):
        CELLS[kind].of_attributes({**attributes, **change})


# ---- sequences that end early ----------------------------------------------------------------------------------------


def chain(kind, n_steps, last):
    """A code a sequence and back in reverse order, or two layers of states."""
    cell = CELLS[kind]
    if last:
        middle = (cell.on((1, n_steps, WIDTH), 5, last=True), Upsampling.to(5, (1, n_steps)))
        return (
            *middle,
            cell.on((1, n_steps, 5), 4, backwards=True),
            Convolution.on((1, n_steps, 4), WIDTH, 1, activation="linear"),
        )
    states = (cell.on((1, n_steps, WIDTH), 5), cell.on((1, n_steps, 5), 4, backwards=True))
    return (*states, Convolution.on((1, n_steps, 4), WIDTH, 1, activation="linear"))


def sequences(dtype="float64"):
    """Rows of a table (N, T * D), of which some end early, in NaN."""
    x = uniform(np.dtype(dtype), 6, len(LENGTHS), N_STEPS, WIDTH)
    x[np.arange(N_STEPS) >= LENGTHS[:, None]] = np.nan
    return x.reshape(len(x), -1)


def objective_of(network, noise="none", ragged=1):
    return Objective(LOSSES["squared_error"], corruption_of(noise), network.n_weights, ragged=ragged)


def workspace(network, size, ragged=True, **more):
    return backprop.workspace(
        network.table, len(network.params), size, network.params.dtype, emphasis=ragged, ragged=ragged, **more
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_a_sequence_is_answered_as_if_it_were_cut_where_it_ends(kind, last, dtype):
    network, x = network_of(chain(kind, N_STEPS, last), dtype), sequences(dtype)
    codes = network.answerer(0, 1).block(x, 1.0, 0.0)
    answers = network.answerer().block(x, 1.0, 0.0)
    for row, code, answer, length in zip(x, codes, answers, LENGTHS, strict=True):
        cut = Network(chain(kind, int(length), last), network.params)
        part = np.ascontiguousarray(row[None, : length * WIDTH])
        np.testing.assert_array_equal(answer[: length * WIDTH], cut.answerer().block(part, 1.0, 0.0)[0])
        assert np.isnan(answer[length * WIDTH :]).all()
        n = 5 if last else 5 * length
        np.testing.assert_array_equal(code[:n], cut.answerer(0, 1).block(part, 1.0, 0.0)[0])
        assert np.isnan(code[n:]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", CELLS)
def test_a_sequence_is_answered_alike_among_others_and_alone(kind, dtype):
    network, x = network_of(chain(kind, N_STEPS, False), dtype), sequences(dtype)
    answer = network.answerer()
    whole = answer.block(x, 1.0, 0.0)
    for rows in ([0], [5, 3], [*range(10, -1, -1)]):
        np.testing.assert_allclose(
            answer.block(np.ascontiguousarray(x[rows]), 1.0, 0.0),
            whole[rows],
            rtol=0,
            atol=0 if dtype == "float32" else 1e-14,
        )


def gradient(network, x, ragged):
    """Mean loss and its gradient."""
    objective, work, rows = (
        objective_of(network, ragged=int(ragged)),
        workspace(network, len(x), ragged),
        np.arange(len(x)),
    )
    backprop.load_minibatch(network.table, objective, as_samples(x), rows, rows, key(1), 0, work)
    no_labels = np.zeros(0, np.int64)
    value = backprop.loss_gradient(
        network.table, network.params, objective, 0.0, 0.0, work.corrupted, work.clean, no_labels, work
    )
    return value, work.gradient.copy()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_what_is_after_the_end_adds_nothing_to_the_gradient(kind, last):
    network, x = network_of(chain(kind, N_STEPS, last), "float64"), sequences()
    value, found = gradient(network, x, True)
    values, gradients = [], []
    for row, length in zip(x, LENGTHS, strict=True):
        cut = Network(chain(kind, int(length), last), network.params)
        one, own = gradient(cut, np.ascontiguousarray(row[None, : length * WIDTH]), False)
        values.append(one)
        gradients.append(own)
    np.testing.assert_allclose(value, np.mean(values), rtol=1e-12)
    np.testing.assert_allclose(found, np.mean(gradients, axis=0), rtol=1e-10, atol=1e-13)


def trained(kind, last, dtype, noise="none", n_threads=None, clip_norm=0.0, ragged=True, optimizer="momentum", **more):
    """Parameters and sums after an epoch."""
    network = network_of(chain(kind, N_STEPS, last), dtype)
    x = sequences() if ragged else np.nan_to_num(sequences())
    work = workspace(network, 4, ragged)
    update = update_of(optimizer, 20, 0.0, 1e-3)._replace(learning_rate=0.01, clip_norm=clip_norm, **more)
    velocity, squares, rows = (
        np.zeros_like(network.params),
        np.full_like(network.params, 0.01),
        np.arange(len(x))[::-1].copy(),
    )
    with thread_limit(n_threads):
        sums = backprop.train(
            network.table, network.params, objective_of(network, noise, int(ragged)), update, as_samples(x), np.zeros(0, np.int64),
            rows, rows + 9, 4, key(3), 2, 1, velocity, squares, work,
        )  # fmt: skip
    return network.params, sums


@pytest.mark.parametrize("noise", ["none", "masking"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_training_in_panels_equals_the_plain_one(kind, last, noise):
    (params, sums), (expected, expected_sums) = (trained(kind, last, dtype, noise) for dtype in ("float32", "float64"))
    assert np.abs(params - expected).max() <= 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-5)


@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
@pytest.mark.parametrize("kind", CELLS)
def test_the_number_of_threads_leaves_no_trace(kind, clip_norm):
    one, two = (trained(kind, True, "float32", n_threads=n_threads, clip_norm=clip_norm) for n_threads in (1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))


# ---- clipped gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("kind", CELLS)
def test_a_limit_that_no_gradient_reaches_changes_no_bit(kind, optimizer):
    (free, sums), (held, clipped) = (
        trained(kind, False, "float32", clip_norm=limit, ragged=False, optimizer=optimizer) for limit in (0.0, 1e6)
    )
    assert free.tobytes() == held.tobytes()
    assert clipped.tolist() == [*sums, 0.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", CELLS)
def test_steps_are_as_long_as_the_limit_says(kind, dtype):
    before = network_of(chain(kind, N_STEPS, True), dtype).params
    limit, n_batches = 1e-3, 3
    after, sums = trained(kind, True, dtype, clip_norm=limit, momentum=0.0, l2=0.0)
    assert sums.shape == (3,) and sums[2] == n_batches
    moved = np.linalg.norm(after.astype(float) - before) / 0.01
    assert 0.5 * n_batches * limit < moved <= n_batches * limit * (1 + 1e-3)


@pytest.mark.parametrize("kind", CELLS)
def test_clipped_training_in_panels_equals_the_plain_one(kind):
    (params, sums), (expected, expected_sums) = (
        trained(kind, True, dtype, clip_norm=0.5) for dtype in ("float32", "float64")
    )
    assert 0 < sums[2] == expected_sums[2]
    assert np.abs(params - expected).max() <= 1e-5 * np.abs(expected).max()
