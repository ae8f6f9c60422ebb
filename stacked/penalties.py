"""Penalties on the codes of an autoencoder: what may be asked for, and the terms of the objective that it becomes.

Each is a sum over the hidden units of a mean over the minibatch, times its weight; the arithmetic is in
`kernels.arithmetic.penalties`. Sparse codes: L1, or a target for the mean activation of every unit (Ng 2011, "Sparse autoencoder").
Contractive ones: the squared norm of the Jacobian of the codes by their input (Rifai et al. 2011).
"""

from typing import TYPE_CHECKING, Any

from .errors import SettingError
from .parameters import Real, checked, declared, parameter

if TYPE_CHECKING:
    from .kernels.arithmetic.terms import Terms


PROBABILITIES = ("sigmoid", "tanh")  # codes that a target can be for


@declared
class Targeted:
    """A target for the mean activation of every unit of a code."""

    sparsity_target: float | None = parameter(
        None, Real(0.0, 1.0, open_low=True, open_high=True, optional=True),
        "mean activation that each hidden unit is drawn to, or None; of sigmoid or bernoulli units, or tanh ones as (1 + a) / 2.",
        per_layer=True,
    )  # fmt: skip
    sparsity_weight: float = parameter(0.0, Real(), "of the penalty for the distance from the target.", per_layer=True)


@declared
class Sparse(Targeted):
    """What makes codes sparse."""

    code_l1: float = parameter(0.0, Real(), "weight of the sum of the codes' absolute values.", per_layer=True)


@declared
class Penalised(Sparse):
    """What is asked of the codes of an autoencoder."""

    contraction: float = parameter(
        0.0, Real(), "weight of the squared norm of the codes' Jacobian: how much they may change with the input.",
        per_layer=True,
    )  # fmt: skip


def check_target(estimator: Any, prefix: str = "") -> float | None:
    """The target for the activation of an estimator's codes; SettingError for one without a weight, or a weight without one."""
    target = getattr(estimator, f"{prefix}sparsity_target", None)
    weight = getattr(estimator, f"{prefix}sparsity_weight", 0.0)
    if target is None and weight > 0:
        raise SettingError(f"{prefix}sparsity_weight: has no effect without a target; set {prefix}sparsity_target too")
    if target is not None and weight == 0:
        raise SettingError(f"{prefix}sparsity_target: has no effect without a weight; set {prefix}sparsity_weight too")
    return target


def check_penalties(estimator: Any, activation: str, prefix: str = "") -> None:
    """SettingError unless the penalties of an estimator can be had with codes of this activation."""
    if check_target(estimator, prefix) is not None and activation not in PROBABILITIES:
        raise SettingError(
            f"{prefix}sparsity_target: expected {' or '.join(PROBABILITIES)} codes, which have a lowest and a highest value, found"
            f" {activation}; leave the target out, or use {prefix}code_l1"
        )


def terms_of(estimator: Any, layer: int, prefix: str = "") -> "Terms":
    """The terms that the parameters of an estimator ask for, on the codes that ``layer`` answers."""
    from .kernels.arithmetic.penalties import PENALTIES
    from .kernels.arithmetic.terms import as_terms

    values = {name.removeprefix(prefix): value for name, value in checked(estimator).items() if name.startswith(prefix)}
    asked = {
        "l1": (values["code_l1"], 0.0),
        "sparsity": (values.get("sparsity_weight", 0.0), values.get("sparsity_target") or 0.0),
        "contraction": (values.get("contraction", 0.0), 0.0),
    }
    return as_terms(*((PENALTIES[kind], layer, *numbers) for kind, numbers in asked.items() if numbers[0] > 0))
