"""The gradient form of the fused RBM trainer: written, then applied, it is the fused update; parts of a minibatch add up."""

import numpy as np
import pytest

from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine import fused_rbm
from stacked.kernels.engine.instructions import PANEL
from stacked.kernels.engine.machine_gradient import Counts
from stacked.kernels.engine.panels import PACK, ROWS, UNPACK

from .cases_machines import machine_of
from .trainings import rbm_args, train_rbm

SPARSITY = (0.1, 0.5, 0.8)
MACHINES = {
    "CD-1": machine_of("bernoulli", "bernoulli", 45, 40),
    "CD-3": machine_of("bernoulli", "bernoulli", 45, 40, 3),
    "wide": machine_of("gaussian", "rectified", 5 * PANEL + 3, PANEL),  # weights of more than one tile a panel
    "persistent": machine_of("bernoulli", "bernoulli", 45, 40, 2, True),
    "sparse": machine_of("bernoulli", "bernoulli", 45, 40, 1, False, SPARSITY),
    "sparse persistent": machine_of("bernoulli", "bernoulli", 45, 40, 1, True, SPARSITY),
}
EITHER = pytest.mark.parametrize("bfloat16", [False, True], ids=["float32", "bfloat16"])


class _Minibatches:
    """What `fused_rbm.train` is given, taken minibatch by minibatch."""

    def __init__(self, machine, params, update, samples, positions, row_ids, batch_size, *where_and_state):
        self.machine, self.params, self.update, self.batch_size = machine, params, update, batch_size
        self.samples, self.positions, self.row_ids = samples, positions, row_ids
        self.key, self.chain_key, self.epoch, self.step, self.carried, self.m = where_and_state

    def copy(self, direction, carried=None):
        fused_rbm.copy_state(self.machine, self.m, self.params, carried or self.carried, direction)

    def write(self, rows, chain_ids, whole, gradient):
        """Write what some rows of the data, and some chains, add to the gradient of a minibatch; their error."""
        m, ids, where = self.m, self.row_ids[rows], (self.key, self.chain_key, self.epoch, self.step)
        counts = Counts(len(ids), len(chain_ids) if self.machine.persistent else len(ids))
        fused_rbm.load(m, 0, self.samples, self.positions[rows])
        fused_rbm.infer(m, 0, self.key, self.epoch, self.step, ids, whole.data)
        error = fused_rbm.model_side(self.machine, m, 0, *where, ids, chain_ids)
        fused_rbm.write_gradient(m, 0, counts, whole, gradient)
        return error

    def train(self):
        """`fused_rbm.train` with every gradient written before it is applied."""
        gradient, total, chain_ids = np.full_like(self.m.params, np.nan), 0.0, np.arange(len(self.carried.chains))
        self.copy(PACK)
        for start in range(0, len(self.positions), self.batch_size):
            rows = slice(start, min(start + self.batch_size, len(self.positions)))
            n = rows.stop - start
            whole = Counts(n, len(chain_ids) if self.machine.persistent else n)
            total += self.write(rows, chain_ids, whole, gradient)
            fused_rbm.apply_gradient(self.m, self.update, self.step, gradient)
            self.step += 1
        self.copy(UNPACK)
        return total


@EITHER
@pytest.mark.parametrize("batch_size", [9, ROWS + 5])
@pytest.mark.parametrize("name", MACHINES)
def test_a_gradient_that_is_written_and_then_applied_is_the_fused_update(name, batch_size, bfloat16):
    args = np.float32, MACHINES[name], "nesterov", batch_size, batch_size + batch_size // 2, 7, bfloat16
    with thread_limit(None):
        fused = train_rbm(*args)
        written = train_rbm(*args, train=lambda *given: _Minibatches(*given[:-1], given[-1].packed).train())
    assert fused.keys() == written.keys() == {"params", "velocity", "chains", "activity", "loss"}
    for part, expected in fused.items():
        assert np.isfinite(expected).all() and written[part].tobytes() == expected.tobytes(), part


@EITHER
@pytest.mark.parametrize("name", [name for name, machine in MACHINES.items() if not machine.sparsity_target])
def test_the_gradients_of_two_parts_add_up_to_that_of_the_minibatch(name, bfloat16):
    gradients, errors = np.zeros(2, object), np.zeros(2)
    for index, parts in enumerate(([slice(0, 16)], [slice(0, 7), slice(7, 16)])):
        given = rbm_args(np.float32, MACHINES[name], "momentum", 16, 16, 16, bfloat16)
        batch = _Minibatches(*given[:-1], given[-1].packed)
        for rows in parts:
            batch.copy(PACK, batch.carried._replace(chains=batch.carried.chains[rows]))
            gradient = np.full_like(batch.m.params, np.nan)
            with thread_limit(None):
                errors[index] += batch.write(rows, np.arange(16)[rows], Counts(16, 16), gradient)
            gradients[index] = gradients[index] + gradient
    whole, summed = gradients
    assert np.abs(summed - whole).max() <= 1e-6 * np.abs(whole).max() and np.abs(whole).max() > 0.1
    assert errors[1] == pytest.approx(errors[0], rel=1e-6)
