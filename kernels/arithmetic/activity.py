"""A target for the activity of hidden units (Hinton 2010, "A practical guide to training RBMs", section 11).

With p_j the mean of P(h_j = 1 | data) over a minibatch, q_j its running mean, t the target, c the weight and d the decay:

    q_j <- d q_j + (1 - d) p_j        the first minibatch: q_j <- p_j
    c (q_j - t)                       the penalty's slope by the unit's total input, the same for every row of the minibatch

Gradients for descent grow by what a row's slope gives: that of the hidden bias by c (q_j - t), that of the weight W_ij by
c (q_j - t) times the minibatch's mean of v_i.
"""

from .._jit import jit


@jit
def follow_activity(machine, step, mean, activity, slope):
    """Take a minibatch's ``mean`` (n,) into the running mean ``activity`` (n,), in place; slope (n,) = the penalty's slopes.

    machine is any record with the fields sparsity_target, sparsity_weight and sparsity_decay. ``step`` is the number of
    minibatches before this one.
    """
    cast = activity.dtype.type
    decay = machine.sparsity_decay if step > 0 else 0.0
    old, new = cast(decay), cast(1.0 - decay)
    weight, target = cast(machine.sparsity_weight), cast(machine.sparsity_target)
    for j in range(mean.shape[0]):
        activity[j] = old * activity[j] + new * mean[j]
        slope[j] = weight * (activity[j] - target)
