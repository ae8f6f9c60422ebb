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
        assert part_count.py_func(packed, 1, 1) == 2
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
    "n_rows, n_columns, batch_size, bfloat16, cut",
    [
        (784, 1000, 20, False, 16 * PANEL if PANEL == 32 else None),
        (parts.LEAST, 1, 20, False, 0),  # one panel
        (parts.LEAST, 2 * PANEL, 20, False, PANEL),
        (parts.LEAST // PANEL - 1, PANEL, 20, False, 0),
        (784, 1000, ROWS, False, 16 * PANEL if PANEL == 32 else None),
        (784, 1000, ROWS + 1, False, 0),
        (784, 1000, 20, True, 0),
    ],
)
def test_where_sums_are_cut(n_rows, n_columns, batch_size, bfloat16, cut):
    found = parts.cut_of.py_func(_packed(8, 8, batch_size, bfloat16), n_rows, n_columns)
    assert found == cut or cut is None


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_every_part_of_every_job_is_a_piece_of_work(n_jobs):
    pieces = [parts.job_of.py_func(piece, n_jobs) for piece in range(2 * n_jobs)]
    assert sorted(pieces) == list(product((0, 1), range(n_jobs)))


def test_one_of_two_is_second_and_nothing_is_left():
    arrivals = np.zeros(3, np.int64)
    assert [parts.is_second(arrivals, 1) for _ in range(4)] == [False, True, False, True]
    assert not arrivals.any()
