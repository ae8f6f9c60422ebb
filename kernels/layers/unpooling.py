"""Unpooling on maps, in panels: every number goes where the pooling layer PARTNER found its window's largest (`pooling`)."""

from numba import intp

from .._jit import linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.packed_network import NET
from ..engine.panels import PARTNER
from ..engine.windows import CHOSEN, PLACED
from .pooling import give_answer, go_backward, go_forward


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """The numbers at their places, zeros elsewhere."""
    go_forward(PLACED, net, layer, layer + 1, layer, net.table[layer, PARTNER], batch.positions.shape[0])


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """What is found at these places."""
    partner, n_rows = net.table[layer, PARTNER], batch.positions.shape[0]
    go_backward(CHOSEN, net, layer, layer + 1, layer, partner, objective, n_rows)


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """The numbers at their places, for one block of rows."""
    give_answer(PLACED, net, layer, layer + 1, layer, net.table[layer, PARTNER], block, n_rows)
