"""The kinds of layers that there are besides dense ones, and their steps: what a program's instructions about such a layer run."""

from .._jit import jit
from ..engine.packed_network import OUTPUT, keep_block, keep_rows
from ..engine.panels import DENSE, GAUSSIAN, KIND
from ..program import BACKWARD, FORWARD
from . import dense, gaussian


@jit
def is_own(net, operation, layer):
    """Whether an instruction is one about a layer that is not dense."""
    return operation in (FORWARD, BACKWARD) and net.table[layer, KIND] != DENSE


@jit
def carry_out(operation, layer, net, objective, batch):
    """Carry out an instruction about a layer that is not dense, whose kind the table says."""
    n_rows = batch.positions.shape[0]
    if operation == FORWARD:
        gaussian.forward(net, layer, objective.n_samples, batch.row_ids, batch.key, batch.epoch)
        keep_rows(net, layer + 1, OUTPUT, n_rows)
    else:
        gaussian.backward(net, layer, objective.terms, n_rows)


@jit
def answer(net, layer, block, n_rows):
    """What a layer answers to one block of rows once it is trained."""
    if net.table[layer, KIND] == GAUSSIAN:
        gaussian.answer(net, layer, block, n_rows)
        keep_block(net, layer + 1, OUTPUT, block, n_rows)
        return
    dense.answer(net, layer, block, n_rows)
