"""The kinds of layers that there are, and their steps by kind: what a program's instructions about a layer run."""

from .._jit import jit
from . import dense


@jit
def forward(net, layer, objective, batch):
    """Outputs of a layer for a minibatch."""
    dense.forward(net, layer, objective.loss, batch.positions.shape[0])


@jit
def backward(net, layer, terms, n_rows):
    """Delta of the layer below ``layer``, for that layer's inputs."""
    dense.backward(net, layer, terms, n_rows)


@jit
def change(net, layer, operation, terms, update, step, n_rows):
    """UPDATE, WRITE or APPLY a layer's parameters, see `program`."""
    dense.change(net, layer, operation, terms, update, step, n_rows)
