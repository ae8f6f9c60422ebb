"""The kinds of layers that there are, and their steps by kind: what a program's instructions about a layer run."""

from .._jit import jit
from ..engine.packed_network import OUTPUT, keep_block, keep_rows
from ..engine.panels import GAUSSIAN, KIND
from . import dense, gaussian


@jit
def forward(net, layer, objective, batch):
    """Outputs of a layer for a minibatch."""
    if net.table[layer, KIND] == GAUSSIAN:
        gaussian.forward(net, layer, objective.n_samples, batch.row_ids, batch.key, batch.epoch)
        keep_rows(net, layer + 1, OUTPUT, batch.positions.shape[0])
        return
    dense.forward(net, layer, objective.loss, batch.positions.shape[0])


@jit
def backward(net, layer, terms, n_rows):
    """Delta of the layer below ``layer``, for that layer's inputs."""
    if net.table[layer, KIND] == GAUSSIAN:
        gaussian.backward(net, layer, terms, n_rows)
        return
    dense.backward(net, layer, terms, n_rows)


@jit
def change(net, layer, operation, terms, update, step, n_rows):
    """UPDATE, WRITE or APPLY a layer's parameters, see `program`."""
    dense.change(net, layer, operation, terms, update, step, n_rows)


@jit
def answer(net, layer, block, n_rows):
    """What a layer answers to one block of rows once it is trained."""
    if net.table[layer, KIND] == GAUSSIAN:
        gaussian.answer(net, layer, block, n_rows)
        keep_block(net, layer + 1, OUTPUT, block, n_rows)
        return
    dense.answer(net, layer, block, n_rows)
