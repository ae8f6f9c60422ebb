"""SciPy's conjugate gradient and L-BFGS on the flat parameter vector, minibatch by minibatch.

Hinton & Salakhutdinov 2006 fine-tuned with three line searches of conjugate gradient on each minibatch of 1,000 rows; here a
line search is one iteration of the solver.
"""

import numpy as np

from ..kernels import backprop
from ..kernels.arithmetic.objective import Objective
from ..network import Network
from .plan import Plan

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # inputs, targets, labels
METHODS = {"cg": "CG", "lbfgs": "L-BFGS-B"}


def loss_at(
    flat: np.ndarray, network: Network, objective: Objective, plan: Plan, batch: Batch, work: backprop.Workspace
) -> float:
    """Loss of a minibatch with terms and penalty at the parameters ``flat``; the gradient lands in the workspace."""
    params = flat.astype(network.params.dtype, copy=False)
    return backprop.loss_gradient(network.table, params, objective, plan.l1, plan.l2, *batch, work)


def minimize_batch(
    network: Network, objective: Objective, plan: Plan, batch: Batch, work: backprop.Workspace
) -> np.ndarray:
    """Improve ``network.params`` in place by ``plan.line_searches`` iterations on one minibatch (inputs, targets, labels).

    Returns the sums over its rows of the losses and of the terms before, (2,), without the penalty on weights. A result that is
    not finite leaves the parameters as they were.
    """
    from scipy.optimize import minimize

    found: list[tuple[float, float]] = []  # loss with everything, and terms alone, at every point

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value = loss_at(flat, network, objective, plan, batch, work)
        found.append((value, backprop.value_of_terms(network.table, objective.terms, work.measured)))
        return value, work.gradient.astype(np.float64)

    start = network.params.astype(np.float64)
    weights = start[: network.n_weights]
    penalty = plan.l1 * np.abs(weights).sum() + 0.5 * plan.l2 * np.square(weights).sum()
    options = {"maxiter": plan.line_searches}
    result = minimize(loss_and_gradient, start, jac=True, method=METHODS[plan.optimizer], options=options)
    (before, terms), *_ = found
    if np.isfinite(result.fun) and np.isfinite(result.x).all() and result.fun <= before:
        network.params[:] = result.x
    return len(batch[0]) * np.array([before - penalty - terms, terms])
