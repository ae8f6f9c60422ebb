"""Cases of the trainer of restricted Boltzmann machines."""

from itertools import product

import numpy as np

from stacked.kernels import rbm
from stacked.kernels.arithmetic.stochastic import UNIT_KINDS
from stacked.kernels.rbm import Carried, Machine

from .cases_elementwise import key, normal, samples_of, uniform
from .cases_problem import PRODUCT, SAMPLED_TRAINING, STATES, TRAINING, Case, Problem
from .cases_products import BENCH_SHAPES, SMALL_SHAPES, flops, name_of, settings_of, weight_of


def machine_of(
    visible: str,
    hidden: str,
    n_visible: int,
    n_hidden: int,
    k: int = 1,
    persistent: bool = False,
    sparsity: tuple[float, ...] = (),
) -> Machine:
    """A machine by the names of its units; ``sparsity`` is its target, weight and decay."""
    return Machine(n_visible, n_hidden, UNIT_KINDS[visible], UNIT_KINDS[hidden], k, persistent, *sparsity)


def machine_params(dtype: np.dtype, seed: int, machine: Machine) -> np.ndarray:
    """Weights that neither saturate nor vanish, and biases."""
    n_weights = machine.n_visible * machine.n_hidden
    params = normal(dtype, seed, n_weights + machine.n_hidden + machine.n_visible, scale=0.3)
    params[:n_weights] *= dtype.type(3 * machine.n_visible**-0.5)
    return params


def _units(machine: Machine) -> str:
    names = {code: name for name, code in UNIT_KINDS.items()}
    method = f"{'PCD' if machine.persistent else 'CD'}-{machine.k}"
    target = f" to {machine.sparsity_target}" if machine.sparsity_target else ""
    return f"{names[machine.visible]}-{names[machine.hidden]} {machine.n_visible}x{machine.n_hidden} {method}{target}"


def _visible_rows(machine: Machine, dtype: np.dtype, seed: int, n_rows: int) -> np.ndarray:
    if machine.visible == UNIT_KINDS["gaussian"]:
        return normal(dtype, seed, n_rows, machine.n_visible)
    return (uniform(dtype, seed, n_rows, machine.n_visible) < 0.5).astype(dtype)


def _chains(machine: Machine, dtype: np.dtype, seed: int, n_chains: int) -> np.ndarray:
    shape = (n_chains if machine.persistent else 0, machine.n_hidden)
    return (uniform(dtype, seed, *shape) < 0.5).astype(dtype)


def carried(machine: Machine, velocity: np.ndarray, chains: np.ndarray) -> Carried:
    """What a training that has come some way carries on, with these velocities and chains."""
    activity = uniform(velocity.dtype, 7, machine.n_hidden if machine.sparsity_target else 0)
    return Carried(velocity, chains, activity)


def _sample_layer(kind: str, shape: tuple[int, int, int], transposed: bool) -> Case:
    def make(dtype, seed):
        n_rows, n_in, n_out = shape
        weight, bias = weight_of(dtype, seed, n_in, n_out, transposed), normal(dtype, seed + 1, n_out)
        args = (uniform(dtype, seed, n_rows, n_in), weight, transposed, bias, UNIT_KINDS[kind], key(seed), 1)
        args += (np.arange(n_rows) + 9, 3, *np.empty((2, n_rows, n_out), dtype))
        return Problem(args, {"mean": PRODUCT, "sample": STATES if kind == "bernoulli" else PRODUCT})

    return Case("rbm.sample_layer", f"{kind} {name_of(shape, transposed)}", make, flops(*shape))


def _statistics(machine: Machine, n_rows: int) -> Case:
    def make(dtype, seed):
        visible, hidden = uniform(dtype, seed, n_rows, machine.n_visible), normal(dtype, seed, n_rows, machine.n_hidden)
        return Problem((machine, visible, hidden, machine_params(dtype, seed, machine)), {"out": PRODUCT})

    shape = (n_rows, machine.n_visible, machine.n_hidden)
    return Case("rbm.statistics", f"{name_of(shape, False)}", make, flops(*shape))


def _steps_flops(machine: Machine, n_rows: int) -> float:
    """One product up, two per Gibbs step, one more for monitoring persistent chains, and two statistics."""
    return flops(n_rows, machine.n_visible, machine.n_hidden) * (3 + machine.persistent + 2 * machine.k)


def _divergence(machine: Machine, n_rows: int, n_chains: int, sampled) -> Case:
    def make(dtype, seed):
        data = _visible_rows(machine, dtype, seed, n_rows)
        args = (machine, machine_params(dtype, seed, machine), key(seed), key(seed + 1), 3, 8, data)
        args += (np.arange(n_rows) + 77, carried(machine, np.zeros(0, dtype), _chains(machine, dtype, seed, n_chains)))
        args += (rbm.workspace(machine, max(n_rows, n_chains) + 2, dtype),)
        outputs = {"work.gradient": sampled, "return": sampled, "carried.activity": PRODUCT}
        return Problem(args, _chain_tolerance(machine, outputs), ("work",))

    return Case("rbm.divergence_gradient", f"{_units(machine)}, {n_rows} rows", make, _steps_flops(machine, n_rows))


def _chain_tolerance(machine: Machine, outputs: dict) -> dict:
    return {**outputs, "carried.chains": STATES if machine.hidden == UNIT_KINDS["bernoulli"] else TRAINING}


def _rbm_train(machine: Machine, optimizer: str, n: int, batch_size: int, n_chains: int, sampled) -> Case:
    def make(dtype, seed):
        samples = samples_of("uint8", seed, 2 * n, machine.n_visible)
        positions = np.random.default_rng(seed).permutation(2 * n)[:n]
        params, update = machine_params(dtype, seed, machine), settings_of(optimizer, machine.n_visible < 100)
        args = (machine, params, update, samples, positions, positions + 500, batch_size)
        state = carried(machine, np.zeros_like(params), _chains(machine, dtype, seed, n_chains))
        args += (key(seed), key(seed + 1), 3, 4, state, rbm.workspace(machine, max(batch_size, n_chains), dtype))
        outputs = {name: sampled for name in ("params", "carried.velocity", "carried.activity", "return")}
        return Problem(args, _chain_tolerance(machine, outputs), ("work",))

    label = f"{_units(machine)}, {optimizer}, {n} rows by {batch_size}"
    return Case("rbm.train", label, make, _steps_flops(machine, n))


def _reconstruction_error(n_rows: int, n: int) -> Case:
    def make(dtype, seed):
        return Problem((uniform(dtype, seed, n_rows, n), uniform(dtype, seed + 1, n_rows, n)), {"return": PRODUCT})

    return Case("rbm.reconstruction_error", f"{n_rows}x{n}", make)


def _energy(name: str, machine: Machine, n_rows: int) -> Case:
    def make(dtype, seed):
        visible = _visible_rows(machine, dtype, seed, n_rows)
        args = (machine, machine_params(dtype, seed, machine), visible, np.empty((n_rows, machine.n_hidden), dtype))
        # A pseudo-likelihood adds up differences of energies, and with them the rounding of the energy of the row itself.
        tolerance = PRODUCT if name == "free_energy" else TRAINING
        return Problem((*args, np.empty(n_rows)), {"out": tolerance}, ("preactivation",))

    return Case(f"rbm.{name}", f"{_units(machine)}, {n_rows} rows", make, flops(n_rows, *machine[:2]))


_MACHINES = (
    machine_of("bernoulli", "bernoulli", 13, 7),
    machine_of("bernoulli", "bernoulli", 13, 7, 3),
    machine_of("bernoulli", "bernoulli", 13, 7, 2, True),
    machine_of("bernoulli", "gaussian", 13, 5, 2),
    machine_of("gaussian", "bernoulli", 5, 13, 2),
    machine_of("gaussian", "bernoulli", 5, 13, 1, True),
    machine_of("gaussian", "rectified", 9, 6, 2),
    machine_of("bernoulli", "rectified", 9, 6, 1, True),
    machine_of("bernoulli", "bernoulli", 13, 7, 1, False, (0.1, 0.5, 0.9)),
    machine_of("gaussian", "bernoulli", 5, 13, 2, True, (0.3, 2.0, 0.0)),
)
_BENCH_MACHINES = (
    machine_of("bernoulli", "bernoulli", 784, 1000),
    machine_of("bernoulli", "bernoulli", 784, 500, 5, True),
)


def machine_cases(small: bool) -> list[Case]:
    """Cases of this file."""
    machines, sampled = (_MACHINES, TRAINING) if small else (_BENCH_MACHINES, SAMPLED_TRAINING)
    batches = ((1, 3), (7, 5)) if small else ((100, 100),)  # rows, chains
    runs = ((20, 7, 5),) if small else ((1000, 100, 100),)
    optimizers = ("momentum", "nesterov") if small else ("momentum",)
    shapes, either = (SMALL_SHAPES, (False, True)) if small else (BENCH_SHAPES, (False,))
    cases = [_sample_layer(*c) for c in product(UNIT_KINDS, shapes, either)]
    cases += [_statistics(machine, n_rows) for machine, (n_rows, _) in product(machines[:1], batches)]
    cases += [_divergence(machine, *batch, sampled) for machine, batch in product(machines, batches)]
    cases += [_rbm_train(machine, name, *run, sampled) for machine, name, run in product(machines, optimizers, runs)]
    cases += [_reconstruction_error(n_rows, n) for n_rows, n, _ in shapes]
    batches = batches if small else ((10, 0),)  # the twin flips bit by bit
    cases += [_energy("free_energy", machine, n_rows) for machine, (n_rows, _) in product(machines, batches)]
    binary = [machine for machine in machines if machine.visible == UNIT_KINDS["bernoulli"]]
    return cases + [_energy("pseudo_likelihood", machine, n_rows) for machine, (n_rows, _) in product(binary, batches)]
