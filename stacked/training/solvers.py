"""SciPy's conjugate gradient and L-BFGS on the flat parameter vector, minibatch by minibatch.

Hinton & Salakhutdinov 2006 fine-tuned with three line searches of conjugate gradient on each minibatch of 1,000 rows; here a
line search is one iteration of the solver.
"""

import numpy as np

from ..kernels import dense
from ..kernels.objective import Objective
from ..network import Network
from .plan import Plan

METHODS = {"cg": "CG", "lbfgs": "L-BFGS-B"}


def loss_at(
    flat: np.ndarray,
    network: Network,
    objective: Objective,
    plan: Plan,
    batch: tuple[np.ndarray, np.ndarray, np.ndarray],
    work: dense.Workspace,
) -> float:
    """Loss of a minibatch with penalty at the parameters ``flat``; the gradient lands in the workspace."""
    params = flat.astype(network.params.dtype, copy=False)
    return dense.loss_gradient(network.table, params, objective, plan.l1, plan.l2, *batch, work)


def minimize_batch(
    network: Network,
    objective: Objective,
    plan: Plan,
    batch: tuple[np.ndarray, np.ndarray, np.ndarray],
    work: dense.Workspace,
) -> float:
    """Improve ``network.params`` in place by ``plan.line_searches`` iterations on one minibatch (inputs, targets, labels).

    Returns the mean loss before, without penalty. A result that is not finite leaves the parameters as they were.
    """
    from scipy.optimize import minimize

    losses: list[float] = []

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        losses.append(loss_at(flat, network, objective, plan, batch, work))
        return losses[-1], work.gradient.astype(np.float64)

    start = network.params.astype(np.float64)
    weights = start[: network.n_weights]
    penalty = plan.l1 * np.abs(weights).sum() + 0.5 * plan.l2 * np.square(weights).sum()
    options = {"maxiter": plan.line_searches}
    result = minimize(loss_and_gradient, start, jac=True, method=METHODS[plan.optimizer], options=options)
    if np.isfinite(result.fun) and np.isfinite(result.x).all() and result.fun <= losses[0]:
        network.params[:] = result.x
    return losses[0] - penalty
