"""Upsampling on maps, in panels: every pixel as often as its window has pixels (`pooling`)."""

from numba import intp

from .._jit import linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.packed_network import NET
from ..engine.windows import COPIES, SUMS
from .pooling import give_answer, go_backward, go_forward


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """Copies of every pixel."""
    go_forward(COPIES, net, layer, layer + 1, layer, layer, batch.positions.shape[0])


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """Sums over the copies."""
    go_backward(SUMS, net, layer, layer + 1, layer, layer, objective, batch.positions.shape[0])


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """Copies of every pixel, for one block of rows."""
    give_answer(COPIES, net, layer, layer + 1, layer, layer, block, n_rows)
