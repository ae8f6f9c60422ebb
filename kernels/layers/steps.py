"""The kinds of layers that there are besides dense ones, and their steps: what a program's instructions about such a layer run.

A packed network carries the addresses of the steps of its kinds (`equip`), which are compiled when the first such network is
packed: nobody waits for kinds that his network has not. A kind is a file that names its kernels as `Kind` has them, and its line in
KINDS.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numba import intp

from .._jit import jit, step
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.maps import Needs, lay_out
from ..engine.packed_network import NET, Packed
from ..engine.panel_objective import output_layer
from ..engine.panels import (
    CONVOLUTION,
    DENSE,
    FORCING,
    GAUSSIAN,
    GRU,
    KIND,
    LSTM,
    N_KINDS,
    POOLING,
    TRANSPOSED_CONVOLUTION,
    UNPOOLING,
    UPSAMPLING,
    WITH_PARAMETERS,
    is_map_layer,
)  # fmt: skip
from ..program import BACKWARD, FORWARD, OUTPUT, UPDATE, WRITE
from . import convolution, dense, forcing, gaussian, pooling, recurrent, unpooling, upsampling


class Kind(NamedTuple):
    """The kernels of a kind, each `linked`, and what a layer of it asks of the maps.

    forward, backward and write (net, layer, objective, batch) for a minibatch: outputs; the finished delta of the layer below; the
    gradient of weights and biases, in ``net.gradient``. answer (net, layer, block, n_rows): outputs for one block of rows once it
    is trained, on one thread; ready (net, layer) comes before, where weights have another form to be read in.
    """

    forward: Any
    backward: Any
    answer: Any
    write: Any = None
    ready: Any = None
    needs: Callable[[np.ndarray, int, bool], Needs] | None = None


def _kind(module: Any) -> Kind:
    return Kind(*(getattr(module, name, None) for name in Kind._fields))


KINDS = {
    GAUSSIAN: _kind(gaussian),
    CONVOLUTION: _kind(convolution),
    TRANSPOSED_CONVOLUTION: _kind(convolution),
    POOLING: _kind(pooling),
    UPSAMPLING: _kind(upsampling),
    UNPOOLING: _kind(unpooling),
    GRU: _kind(recurrent),
    LSTM: _kind(recurrent),
    FORCING: _kind(forcing),
}
_TRAINING, _ANSWERING = ("forward", "backward", "write"), ("answer", "ready")
_FORWARD, _BACKWARD, _WRITE, _ANSWER, _READY = range(5)  # columns of ``net.steps``
_step, _answer, _ready = step((NET, intp, OBJECTIVE, BATCH)), step((NET, intp, intp, intp)), step((NET, intp))


def equip(net: Packed, training: bool = True) -> Packed:
    """A packed network with its maps and the addresses of its steps."""
    found = sorted({int(kind) for kind in net.table[:, KIND]} - {DENSE})
    if not found:
        return net
    steps = np.zeros((N_KINDS, len(_TRAINING + _ANSWERING)), np.int64)
    for kind in found:
        for column, name in enumerate(_TRAINING + _ANSWERING):
            kernel = getattr(KINDS[kind], name)
            if kernel is not None and (name in _TRAINING) == training:
                steps[kind, column] = kernel.address
    places, maps = lay_out(net.table, net.rows * net.n_blocks, training, _needs(net.table, training))
    return replace(net, steps=steps, map_table=places, maps=maps)


def _needs(table: np.ndarray, training: bool) -> Sequence[Needs]:
    asked = [KINDS[int(kind)].needs if kind != DENSE else None for kind in table[:, KIND]]
    return [Needs() if ask is None else ask(table, layer, training) for layer, ask in enumerate(asked)]


@jit
def is_own(net, operation, layer):
    """Whether an instruction is one about a layer that is not dense."""
    return operation in (FORWARD, BACKWARD, OUTPUT, UPDATE, WRITE) and net.table[layer, KIND] != DENSE


@jit
def carry_out(operation, layer, net, objective, update, step, batch):
    """Carry out an instruction about a layer that is not dense, whose kind the table says; the loss that it finds."""
    kind, n_rows = net.table[layer, KIND], batch.positions.shape[0]
    if operation == BACKWARD:
        _step(net.steps[kind, _BACKWARD], net, layer, objective, batch)
    elif operation in (UPDATE, WRITE):
        _step(net.steps[kind, _WRITE], net, layer, objective, batch)
        if operation == UPDATE:
            dense.apply(net, layer, update, step)
    else:
        _step(net.steps[kind, _FORWARD], net, layer, objective, batch)
        if operation == OUTPUT:
            return output_layer(net, layer, objective.loss, n_rows, batch.share, 1)
    return 0.0


@jit
def answer(net, layer, block, n_rows):
    """What a layer answers to one block of rows once it is trained."""
    kind = net.table[layer, KIND]
    if kind == DENSE:
        dense.answer(net, layer, block, n_rows)
    else:
        _answer(net.steps[kind, _ANSWER], net, layer, block, n_rows)


@jit
def make_ready(net):
    """Prepare the weights of all layers for `answer`."""
    for layer in range(net.table.shape[0]):
        kind = net.table[layer, KIND]
        if kind in WITH_PARAMETERS and is_map_layer(net.table, layer):
            _ready(net.steps[kind, _READY], net, layer)
