"""The gradient form of the fused trainer: the tiles that training applies, written; parts of a minibatch add up to the whole."""

import numpy as np
import pytest

from stacked.kernels import backprop, program
from stacked.kernels.arithmetic.objective import Batch
from stacked.kernels.arithmetic.penalties import CONTRACTION, L1, SPARSITY
from stacked.kernels.arithmetic.terms import as_terms
from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine import fused_network

from .trainings import dense_args

B = 150  # two blocks of rows
TERMS = ((L1, 0, 0.01, 0), (SPARSITY, 0, 0.3, 0.05), (CONTRACTION, 0, 0.2, 0))
NETWORKS = {
    "tied": (((140, 37, 140), ("sigmoid", "sigmoid"), True, "cross_entropy"), ()),
    "deep": (((40, 70, 5, 70, 40), ("tanh", "linear", "relu", "linear"), False, "squared_error"), ()),
    "classifier": (((40, 37, 5), ("relu", "softmax"), False, "softmax_cross_entropy"), ()),
    "penalised": (((40, 37, 40), ("sigmoid", "sigmoid"), True, "cross_entropy"), TERMS),
}  # fmt: skip


def _args(name, optimizer, bfloat16=False):
    network, terms = NETWORKS[name]
    args = list(dense_args(np.float32, network, optimizer, "masking", B, B, bfloat16))
    args[2] = args[2]._replace(terms=as_terms(*terms))
    args[14] = backprop.workspace(args[0], len(args[1]), B, np.dtype(np.float32), bfloat16, gradient=True)
    return args


def _gradient(args, rows, share):
    table, params, objective, _, samples, labels, positions, row_ids, _, key, epoch, *_ = args
    gradient = np.empty_like(params)
    batch = Batch(samples, labels, positions[rows], row_ids[rows], key, epoch, share)
    steps = program.program_for(table, objective, program.GRADIENT)
    sums = fused_network.write_gradient(steps, table, params, objective, batch, gradient, args[14].packed)
    return gradient, sums


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam"])
@pytest.mark.parametrize("name", NETWORKS)
def test_written_and_applied_is_what_training_does(name, optimizer, bfloat16):
    trained, args = _args(name, optimizer, bfloat16), _args(name, optimizer, bfloat16)
    with thread_limit(None):
        expected = backprop.train(*trained)
        gradient, sums = _gradient(args, slice(None), 1.0 / B)
        steps = program.program_for(args[0], args[2], program.STEP)
        fused_network.apply_gradient(
            steps, args[0], args[1], args[3], args[11], gradient, *args[12:14], args[14].packed
        )
    assert np.array_equal(sums, expected)
    for mine, its in zip((args[1], *args[12:14]), (trained[1], *trained[12:14]), strict=True):
        assert np.array_equal(mine, its)


@pytest.mark.parametrize("name", [name for name, (_, terms) in NETWORKS.items() if not terms])
def test_parts_of_a_minibatch_add_up(name):
    args = _args(name, "momentum")
    with thread_limit(None):
        whole, sums = _gradient(args, slice(None), 1.0 / B)
        parts = [_gradient(args, rows, 1.0 / B) for rows in (slice(0, 64), slice(64, B))]
    assert sums == pytest.approx(parts[0][1] + parts[1][1], rel=1e-6)
    np.testing.assert_allclose(parts[0][0] + parts[1][0], whole, rtol=0, atol=1e-5 * np.abs(whole).max())
