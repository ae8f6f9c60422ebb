"""The fused trainer of networks: packed weights, epilogues, and updates applied tile by tile.

A minibatch is a program (`program`): load the rows, forward, the loss and its delta, and for every layer from the top the delta of
the layer below, then gradient and update of its own weights. Every instruction is a parallel region over independent panels or
rows; threads share them out, and no sum is cut by their number.
"""

import numpy as np
from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.corruption import NOISE, corrupt_packed, emphasis_packed, emphasises
from ..arithmetic.objective import Batch
from ..arithmetic.random import KEY
from ..arithmetic.samples import (
    SAMPLES,
    TARGETS,
    end_emphasis,
    has_targets,
    load_packed,
    load_row,
    longest_first,
    row_length,
    targets_of,
)  # fmt: skip
from ..arithmetic.updates import ADAM, Update, clip_gradient
from ..layers import dense, steps
from ..program import BACKWARD, FORWARD, LOAD, MEASURE, OUTPUT, ROW_LOSSES
from .packed_network import DELTA, NET, block_panels, keep_rows
from .packed_network import OUTPUT as OUTPUTS
from .panel_objective import measure, output_layer, row_losses
from .panels import CHANNELS, DENSE, KIND, N_IN, N_OUT, NUMBERS, PACK, UNPACK, copy_vector, scatter_row, step_width
from .words import pack_params

NO_UPDATE = Update(0, 0.0, 0, 0.0, 0.0, 0.0)


@linked(NET, TARGETS, intp, intp)
def load_target(net, targets, position, r):
    """Row ``r`` of a minibatch's target, and the weights of its losses where sequences may have ended."""
    block, row, width = r // net.rows, r % net.rows, step_width(net.table)
    values = np.empty(net.table[net.table.shape[0] - 1, N_OUT], np.float32)
    load_row(targets, position, values)
    if net.emphasis.shape[0]:
        end = row_length(targets, position, width) * width
        values[end:] = 0
        scatter_row(values, net.target[block], row)
        end_emphasis(False, end, values)
        scatter_row(values, net.emphasis[block], row)
    else:
        scatter_row(values, net.target[block], row)


@linked(NET, SAMPLES, NUMBERS, NUMBERS, NOISE, KEY, intp, parallel=True)
def load(net, samples, positions, row_ids, corruption, key, epoch):
    """Load a minibatch into the input and the target, and the weights of its losses where there are any."""
    inputs, target, emphasis = block_panels(net, 0, OUTPUTS), net.target, net.emphasis
    n_visible = net.table[0, N_IN]
    for r in prange(positions.shape[0]):
        clean, noisy = np.empty(n_visible, np.float32), np.empty(n_visible, np.float32)
        load_packed(samples, positions[r], clean)
        end = net.lengths[r] * net.table[0, CHANNELS] if net.lengths.shape[0] else n_visible
        clean[end:] = 0
        corrupt_packed(corruption, key, epoch, row_ids[r], clean, noisy)
        noisy[end:] = 0
        scatter_row(noisy, inputs[r // net.rows], r % net.rows)
        if has_targets(samples):
            load_target(net, targets_of(samples), positions[r], r)
        else:
            scatter_row(clean, target[r // net.rows], r % net.rows)
        if emphasis.shape[0] and not has_targets(samples):
            given = emphasises(corruption)
            if given:
                emphasis_packed(corruption, key, epoch, row_ids[r], noisy)
            end_emphasis(given, end, noisy)
            scatter_row(noisy, emphasis[r // net.rows], r % net.rows)


@jit
def carry_out(operation, place, net, objective, update, step, batch):
    """Carry out an instruction of a chain of dense layers without terms; the loss that it finds."""
    n_rows = batch.positions.shape[0]
    if operation == LOAD:
        load(net, batch.samples, batch.positions, batch.row_ids, objective.corruption, batch.key, batch.epoch)
        keep_rows(net, 0, OUTPUTS, n_rows)
    elif operation == FORWARD:
        dense.forward(net, place, objective.loss, n_rows)
    elif operation == OUTPUT:
        return output_layer(net, place, objective.loss, n_rows, batch.share, 0)
    elif operation == ROW_LOSSES:
        loss = row_losses(net, objective.loss, batch.labels, batch.positions, batch.share)
        keep_rows(net, place + 1, DELTA, n_rows)
        return loss
    elif operation == BACKWARD:
        dense.backward(net, place, objective.terms, n_rows)
    else:
        dense.change(net, place, operation, objective.terms, update, step, n_rows)
    return 0.0


@jit
def ordered(net, batch):
    """A minibatch with the longest sequences first, where they have several lengths, which the network notes."""
    if net.lengths.shape[0] == 0:
        return batch
    order = longest_first(batch.samples, batch.positions, net.table[0, CHANNELS], net.lengths)
    positions, row_ids = batch.positions[order], batch.row_ids[order]
    return Batch(batch.samples, batch.labels, positions, row_ids, batch.key, batch.epoch, batch.share)


@jit
def execute(program, net, objective, update, step, batch):
    """Carry out a program for one minibatch; the sums of its losses and of its terms, (2,)."""
    sums = np.zeros(2)
    for number in range(program.shape[0]):
        operation, place = program[number]
        if operation == MEASURE:
            sums[1] += measure(net, place, objective.terms, batch.positions.shape[0], batch.share) / batch.share
        elif steps.is_own(net, operation, place):
            sums[0] += steps.carry_out(operation, place, net, objective, update, step, batch)
        else:
            sums[0] += carry_out(operation, place, net, objective, update, step, batch)
    return sums


def is_plain(program: np.ndarray, table: np.ndarray) -> bool:
    """Whether `train_dense` can carry out a program: it is all that most trainings need, and compiles in less time than `train`."""
    return bool((program[:, 0] != MEASURE).all() and (table[:, KIND] == DENSE).all())


@jit
def copy_state(table, params, velocity, squares, update, net, direction):
    """PACK parameters and what the optimiser keeps, or UNPACK them."""
    if direction == PACK:
        pack_params(table, params, net)
    else:
        copy_vector(table, net.table, params, net.params, UNPACK)
    copy_vector(table, net.table, velocity, net.velocity, direction)
    if update.optimizer == ADAM:
        copy_vector(table, net.table, squares, net.squares, direction)


@jit
def train(
    program, table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, net,
):  # fmt: skip
    """`backprop.train` in float32, with products of either kind; params, velocity and, for Adam, squares are modified in place."""
    copy_state(table, params, velocity, squares, update, net, PACK)
    sums = np.zeros(2)
    for start in range(0, positions.shape[0], batch_size):
        chosen, ids = positions[start : start + batch_size], row_ids[start : start + batch_size]
        batch = ordered(net, Batch(samples, labels, chosen, ids, key, epoch, 1.0 / chosen.shape[0]))
        sums += execute(program, net, objective, update, step, batch)
        step += 1
    copy_state(table, params, velocity, squares, update, net, UNPACK)
    return sums


@jit
def train_dense(
    program, table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, net,
):  # fmt: skip
    """`train` for programs that are `is_plain`: the same regions in the same order."""
    copy_state(table, params, velocity, squares, update, net, PACK)
    sums = np.zeros(2)
    for start in range(0, positions.shape[0], batch_size):
        chosen, ids = positions[start : start + batch_size], row_ids[start : start + batch_size]
        batch = Batch(samples, labels, chosen, ids, key, epoch, 1.0 / chosen.shape[0])
        for number in range(program.shape[0]):
            sums[0] += carry_out(program[number, 0], program[number, 1], net, objective, update, step, batch)
        step += 1
    copy_state(table, params, velocity, squares, update, net, UNPACK)
    return sums


@jit
def train_clipped(
    program, finish, table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, net,
):  # fmt: skip
    """`train` by gradients of a norm of at most ``update.clip_norm``; in the sums, (3,), the number of longer ones follows.

    The program is in the gradient form; what it wrote is clipped and then applied by the program ``finish``.
    """
    copy_state(table, params, velocity, squares, update, net, PACK)
    sums = np.zeros(3)
    for start in range(0, positions.shape[0], batch_size):
        chosen, ids = positions[start : start + batch_size], row_ids[start : start + batch_size]
        batch = ordered(net, Batch(samples, labels, chosen, ids, key, epoch, 1.0 / chosen.shape[0]))
        sums[:2] += execute(program, net, objective, update, step, batch)
        sums[2] += clip_gradient(update.clip_norm, net.gradient)
        for number in range(finish.shape[0]):
            dense.apply(net, finish[number, 1], update, step)
        step += 1
    copy_state(table, params, velocity, squares, update, net, UNPACK)
    return sums


@jit
def evaluate(program, table, params, objective, samples, labels, positions, row_ids, batch_size, key, epoch, net):
    """`backprop.evaluate` in float32: the head of the program of `train`."""
    pack_params(table, params, net)
    sums = np.zeros(2)
    for start in range(0, positions.shape[0], batch_size):
        chosen, ids = positions[start : start + batch_size], row_ids[start : start + batch_size]
        batch = ordered(net, Batch(samples, labels, chosen, ids, key, epoch, 1.0 / chosen.shape[0]))
        sums += execute(program, net, objective, NO_UPDATE, 0, batch)
    return sums


@jit
def write_gradient(program, table, params, objective, batch, gradient, net):
    """``gradient`` (P,) = the packed gradient of one minibatch's mean, of which a row has the batch's share; the sums of `execute`.

    The program is in the gradient form. Tiles are those of `train`, written where it would apply them.
    """
    pack_params(table, params, net)
    sums = execute(program, net, objective, NO_UPDATE, 0, ordered(net, batch))
    copy_vector(table, net.table, gradient, net.gradient, UNPACK)
    return sums


@jit
def apply_gradient(program, table, params, update, step, gradient, velocity, squares, net):
    """One update by a ``gradient`` (P,), tile by tile as `train` makes it; params, velocity and squares are modified in place."""
    copy_state(table, params, velocity, squares, update, net, PACK)
    copy_vector(table, net.table, gradient, net.gradient, PACK)
    for number in range(program.shape[0]):
        dense.apply(net, program[number, 1], update, step)
    copy_state(table, params, velocity, squares, update, net, UNPACK)
