"""Sums that are cut in two parts: where they are, that they are right, and that nothing is left of who made which."""

from itertools import product

import numpy as np
import pytest

from stacked.kernels import backprop, rbm
from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine import parts
from stacked.kernels.engine.packed_network import part_count
from stacked.kernels.engine.panels import PANEL, ROWS

from .cases_machines import machine_of
from .trainings import dense_args, rbm_args

SIZES = 400, 350  # together more than LEAST; neither is a number of whole panels
LIMIT = 1e-5  # of the largest number
BATCHES = (1, 20, PANEL + 1, ROWS)
NETWORKS = {  # the cut sums are those of the deltas without tied weights, of the outputs with them
    "untied": ((*SIZES, SIZES[0]), ("tanh", "sigmoid"), False, "cross_entropy"),
    "tied": ((*SIZES, SIZES[0]), ("tanh", "sigmoid"), True, "cross_entropy"),
    "tied, softmax": ((*SIZES, SIZES[0]), ("tanh", "softmax"), True, "softmax_cross_entropy"),
    "four layers": ((SIZES[0], *SIZES, 30, SIZES[1]), ("tanh", "relu", "linear", "linear"), False, "squared_error"),
}


def _assert_close(train, arguments, kept):
    left = []
    for dtype in (np.float32, np.float64):
        args = arguments(dtype)
        with thread_limit(None):
            train(*args)
        left.append(np.concatenate([np.ravel(args[index]) for index in kept]))
        if dtype == np.float32:
            assert not args[-1].packed.arrivals.any()
    assert np.abs(left[0] - left[1]).max() <= LIMIT * np.abs(left[1]).max()


@pytest.mark.parametrize("name, batch_size", list(product(NETWORKS, BATCHES)))
def test_networks(name, batch_size):
    if name == "tied":
        packed = dense_args(np.float32, NETWORKS[name], "adam", "masking", batch_size, 2 * batch_size + 1)[-1].packed
        assert part_count.py_func(packed, 1, 1, batch_size) == 2
    _assert_close(
        backprop.train,
        lambda dtype: dense_args(dtype, NETWORKS[name], "adam", "none", batch_size, 2 * batch_size + 1),
        (1, 12),
    )


@pytest.mark.parametrize("persistent, batch_size", list(product((False, True), BATCHES)))
def test_machines(persistent, batch_size):
    machine = machine_of("bernoulli", "bernoulli", *SIZES, 2, persistent)
    _assert_close(
        rbm.train,
        lambda dtype: rbm_args(dtype, machine, "momentum", batch_size, 2 * batch_size + 1, n_chains=batch_size),
        (1,),
    )


def _packed(n_visible, n_hidden, batch_size, bfloat16=False):
    machine = machine_of("bernoulli", "bernoulli", n_visible, n_hidden, 1, False)
    return rbm.workspace(machine, batch_size, np.dtype(np.float32), bfloat16).packed


@pytest.mark.parametrize(
    "n_high, n_columns, n_rows, bfloat16, n_parts",
    [
        (784, 1000, 20, False, 2),
        (784, 1000, ROWS, False, 2),
        (784, 1000, ROWS + 1, False, 1),
        (784, 1000, 20, True, 1),
        (parts.LEAST, 1, 20, False, 1),  # one panel
        (parts.LEAST, PANEL + 1, 20, False, 2),
        (parts.LEAST // (2 * PANEL), 2 * PANEL, 20, False, 2),
        (parts.LEAST // (2 * PANEL) - 1, 2 * PANEL, 20, False, 1),
    ],
)
def test_where_sums_are_cut(n_high, n_columns, n_rows, bfloat16, n_parts):
    for room in (ROWS + 1, 5 * ROWS):
        assert parts.parts_of.py_func(_packed(8, 8, room, bfloat16), n_rows, n_high, n_columns) == n_parts


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch_size", [20, ROWS + 9])
def test_room_for_larger_minibatches_changes_no_bits(name, batch_size):
    left = []
    for room in (batch_size, 3 * ROWS):
        *args, work = dense_args(np.float32, NETWORKS[name], "adam", "none", batch_size, 2 * batch_size + 3)
        work = backprop.workspace(args[0], len(args[1]), room, np.dtype(np.float32), False)
        assert part_count.py_func(work.packed, 1, 1, min(20, batch_size)) == 2
        with thread_limit(None):
            backprop.train(*args, work)
        left.append(args[1].tobytes())
    assert left[0] == left[1]


@pytest.mark.parametrize("n_columns", [PANEL + 1, 5 * PANEL - 3])
def test_the_parts_are_all_columns(n_columns):
    (first, middle), (again, end) = (parts.columns_of.py_func(part, n_columns) for part in (0, 1))
    assert first == 0 and 0 < middle == again < end == n_columns and middle % PANEL == 0


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_every_part_of_every_job_is_a_piece_of_work(n_jobs):
    pieces = [parts.job_of.py_func(piece, n_jobs, 2) for piece in range(2 * n_jobs)]
    assert sorted(pieces) == list(product((0, 1), range(n_jobs)))
    assert [parts.job_of.py_func(piece, n_jobs, 1) for piece in range(n_jobs)] == [
        (parts.WHOLE, job) for job in range(n_jobs)
    ]


def test_one_of_two_is_second_and_nothing_is_left():
    arrivals = np.zeros(3, np.int64)
    assert [parts.is_second(arrivals, 1) for _ in range(4)] == [False, True, False, True]
    assert not arrivals.any()
