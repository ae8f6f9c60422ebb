"""Small trainings of the two trainers, the same in any precision, from arguments that tests choose."""

import numpy as np

from stacked.kernels import backprop, rbm
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective

from .cases_elementwise import corruption_of, key, samples_of, update_of
from .cases_machines import carried, machine_params
from .cases_products import dense_network, dense_params


def dense_args(dtype, network, optimizer, corruption, batch_size, n, bfloat16=False):
    """Arguments of ``backprop.train`` for a network (sizes, activations, tied, loss), from weights drawn in float32."""
    sizes, activations, tied, loss = network
    table, n_weights, n_params = dense_network(sizes, activations, tied)
    params = dense_params(np.dtype(np.float32), 1, table, n_weights, n_params).astype(dtype)
    classify = loss == "softmax_cross_entropy"
    labels = np.random.default_rng(1).integers(0, sizes[-1], n if classify else 0)
    objective = Objective(LOSSES[loss], corruption_of(corruption), n_weights)
    # Adam divides by the root of the squares: with none before, a gradient near 0 would be blown up to a full step.
    velocity, squares = np.zeros_like(params), np.full_like(params, 0.01)
    update = update_of(optimizer, 20, 0.0, 1e-3)._replace(learning_rate=0.01)
    rows = np.arange(n)[::-1].copy()
    work = backprop.workspace(table, n_params, batch_size, np.dtype(dtype), bfloat16)
    data = (samples_of("uint8", 2, n, sizes[0]), labels, rows, rows + 10, batch_size, key(3), 2, 1)
    return table, params, objective, update, *data, velocity, squares, work


def rbm_args(dtype, machine, optimizer, batch_size, n, n_chains=7, bfloat16=False):
    """Arguments of ``rbm.train``, from weights drawn in float32."""
    params = machine_params(np.dtype(np.float32), 1, machine).astype(dtype)
    rng = np.random.default_rng(5)
    chains = (rng.random((n_chains if machine.persistent else 0, machine.n_hidden)) < 0.5).astype(dtype)
    rows = np.arange(n)[::-1].copy()
    work = rbm.workspace(machine, max(batch_size, len(chains)), np.dtype(dtype), bfloat16)
    data = (samples_of("uint8", 2, n, machine.n_visible), rows, rows + 10, batch_size, key(3), key(4), 2, 1)
    update = update_of(optimizer, 20, 0.0, 1e-3)._replace(learning_rate=0.01)
    return machine, params, update, *data, carried(machine, np.zeros_like(params), chains), work


def train_dense(*args, train=backprop.train):
    """What a training of a network leaves behind, by name."""
    arguments = dense_args(*args)
    loss, terms = train(*arguments)
    left = {"params": arguments[1], "velocity": arguments[12], "squares": arguments[13]}
    return {**left, "loss": np.array([loss]), "terms": np.array([terms])}


def train_rbm(*args, train=rbm.train):
    """What a training of a machine leaves behind, by name."""
    arguments = rbm_args(*args)
    total = train(*arguments)
    return {"params": arguments[1], **arguments[11]._asdict(), "loss": np.array([total])}
