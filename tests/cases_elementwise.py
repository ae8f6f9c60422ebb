"""Cases of the kernels that work number by number: random, activations, losses, corruption, samples, updates."""

from itertools import product
from typing import Any

import numpy as np

from stacked.kernels.arithmetic.activations import ACTIVATIONS, SIGMOID, SOFTMAX, SOFTPLUS
from stacked.kernels.arithmetic.corruption import CORRUPTIONS, Corruption
from stacked.kernels.arithmetic.losses import LOSSES, SOFTMAX_CROSS_ENTROPY
from stacked.kernels.arithmetic.random import CORRUPTION, stream_key
from stacked.kernels.arithmetic.samples import as_samples
from stacked.kernels.arithmetic.updates import OPTIMIZERS, Update
from stacked.kernels.rbm import Machine

from .cases_problem import ELEMENTWISE, EXACT, Case, Problem, Tolerance

_NO_ROWS = np.empty((0, 0))


def key(seed: int) -> Any:
    """A stream for the numbers that a case draws inside the kernel."""
    return stream_key(seed, CORRUPTION)


def normal(dtype: np.dtype, seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Normal numbers of a shape in a dtype."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def uniform(dtype: np.dtype, seed: int, *shape: int) -> np.ndarray:
    """Uniform numbers in [0, 1) of a shape in a dtype."""
    return np.random.default_rng(seed).random(shape).astype(dtype)


# ---- random ----------------------------------------------------------------------------------------------------------


def _philox(dtype: np.dtype, seed: int) -> Problem:
    words = np.random.default_rng(seed).integers(0, 2**32, 6, np.uint64)
    return Problem(tuple(words), {"return": EXACT})


def _fill(name: str, n: int, first: int) -> Case:
    def make(dtype, seed):
        tolerance = EXACT if name == "fill_uniform" else ELEMENTWISE
        return Problem((key(seed), 3, 70000 + seed, 2, first, np.empty(n, dtype)), {"out": tolerance})

    return Case(f"random.{name}", f"{n} from column {first}", make)


def _fill_matrix(name: str, n: int, m: int) -> Case:
    def make(dtype, seed):
        tolerance = EXACT if name == "fill_uniform_matrix" else ELEMENTWISE
        return Problem((key(seed), 0, 1, np.empty((n, m), dtype)), {"out": tolerance})

    return Case(f"random.{name}", f"{n}x{m}", make)


def _shuffle(n: int) -> Case:
    return Case(
        "random.shuffle", str(n), lambda dtype, seed: Problem((key(seed), 4, 1, np.arange(n)), {"order": EXACT})
    )


def _random(small: bool) -> list[Case]:
    sizes = (1, 3, 4, 261) if small else (784,)
    rows = ((1, 1), (3, 5), (33, 17)) if small else ((784, 1000),)
    orders = (1, 2, 7, 1000) if small else (60000,)
    cases = [Case("random.philox", "one block", _philox)] if small else []
    cases += [_fill(f"fill_{k}", n, first) for k, n, first in product(("uniform", "normal"), sizes, (0, 8))]
    cases += [_fill_matrix(f"fill_{k}_matrix", *shape) for k, shape in product(("uniform", "normal"), rows)]
    return cases + [_shuffle(n) for n in orders]


# ---- activations and losses ------------------------------------------------------------------------------------------


def output_of(activation: int, dtype: np.dtype, seed: int, *shape: int) -> np.ndarray:
    """Numbers that an activation can answer."""
    if activation == SIGMOID:
        return uniform(dtype, seed, *shape)
    values = np.tanh(normal(dtype, seed, *shape)) if activation == ACTIVATIONS["tanh"] else normal(dtype, seed, *shape)
    if activation == ACTIVATIONS["relu"]:
        return np.maximum(values, 0)
    return np.abs(values) + dtype.type(0.01) if activation == SOFTPLUS else values


def _activate(name: str, n: int, scale: float) -> Case:
    def make(dtype, seed):
        return Problem((ACTIVATIONS[name], normal(dtype, seed, n, scale=scale)), {"row": ELEMENTWISE})

    return Case("activations.activate", f"{name} {n} of scale {scale:g}", make)


def _differentiate(name: str, n: int) -> Case:
    def make(dtype, seed):
        code = ACTIVATIONS[name]
        args = (code, output_of(code, dtype, seed, n), normal(dtype, seed + 1, n))
        return Problem(args, {"delta": ELEMENTWISE})

    return Case("activations.differentiate", f"{name} {n}", make)


def _vector_loss(name: str, n: int, scale: float) -> Case:
    def make(dtype, seed):
        row, target = normal(dtype, seed, n, scale=scale), uniform(dtype, seed + 1, n)
        args = {
            "squared_error": (row, target),
            "cross_entropy": (row, target, np.empty_like(row)),
            "softmax_cross_entropy": (row, n // 2),
        }
        return Problem(args[name], {"return": ELEMENTWISE}, ("terms",))

    return Case(f"losses.{name}", f"{n} of scale {scale:g}", make)


def _loss_and_delta(loss: str, activation: str, n_rows: int, n: int, weighted: bool = False) -> Case:
    def make(dtype, seed):
        code, kind = LOSSES[loss], ACTIVATIONS[activation]
        is_squared = loss in ("squared_error", "gaussian_nll")
        output = output_of(kind, dtype, seed, n_rows, n) if is_squared else normal(dtype, seed, n_rows, n, scale=3)
        classify = code == SOFTMAX_CROSS_ENTROPY
        target = _NO_ROWS.astype(dtype) if classify else uniform(dtype, seed + 1, n_rows, n)
        labels = np.random.default_rng(seed).integers(0, n, n_rows if classify else 0)
        weights = uniform(dtype, seed + 2, n_rows if weighted else 0, n)
        args = (code, kind, output, target, labels, weights, np.empty_like(output))
        return Problem(args, {"delta": ELEMENTWISE, "return": ELEMENTWISE})

    label = f"{loss} of {activation}{', weighted' if weighted else ''} {n_rows}x{n}"
    return Case("losses.loss_and_delta", label, make)


def _activations(small: bool) -> list[Case]:
    sizes, scales = ((1, 7, 261), (0.1, 3.0, 1e4)) if small else ((784,), (1.0,))
    cases = [_activate(name, n, scale) for name, n, scale in product(ACTIVATIONS, sizes, scales)]
    return cases + [_differentiate(name, n) for name, n in product(ACTIVATIONS, sizes) if name != "softmax"]


def _losses(small: bool) -> list[Case]:
    sizes, scales = ((1, 7, 261), (1.0, 1e4)) if small else ((784,), (1.0,))
    shapes = ((1, 1), (3, 5), (33, 17)) if small else ((100, 784),)
    vector_losses = [loss for loss in LOSSES if loss != "gaussian_nll"]  # which is made of the squared error
    cases = [_vector_loss(loss, n, scale) for loss, n, scale in product(vector_losses, sizes, scales)]
    outputs = [name for name, code in ACTIVATIONS.items() if code != SOFTMAX]
    pairs = list(product(("squared_error", "gaussian_nll"), outputs))
    pairs += [("cross_entropy", "sigmoid"), ("softmax_cross_entropy", "softmax")]
    cases += [_loss_and_delta(*pair, *shape) for pair, shape in product(pairs, shapes)]
    return cases + [_loss_and_delta(*pair, *shapes[-1], weighted=True) for pair in pairs[:-1]]


# ---- corruption, samples, updates ------------------------------------------------------------------------------------


BINARY = ("binary none", "binary salt_and_pepper")


def corruption_of(name: str) -> Corruption:
    """A corruption of every kind that shows: pepper and salt differ from the values in the data; "binary ...": of binary draws."""
    kind = name.removeprefix("binary ")
    noise = Corruption(CORRUPTIONS[kind], 0.0 if kind == "none" else 0.3, -1.0, 2.0)
    return noise._replace(binarize=int(kind != name))


def _noise_tolerance(kind: str) -> Tolerance:
    return ELEMENTWISE if kind == "gaussian" else EXACT


def _corrupt(kind: str, n: int) -> Case:
    def make(dtype, seed):
        args = (corruption_of(kind), key(seed), 2, 11, uniform(dtype, seed, n), np.empty(n, dtype))
        return Problem(args, {"clean": EXACT, "out": _noise_tolerance(kind)})

    return Case("corruption.corrupt", f"{kind} {n}", make)


def _draw_binary(n: int) -> Case:
    def make(dtype, seed):
        return Problem((key(seed), 2, 11, uniform(dtype, seed, n)), {"values": EXACT})

    return Case("corruption.draw_binary", str(n), make)


def _emphasis_row(kind: str, n: int) -> Case:
    def make(dtype, seed):
        noise = corruption_of(kind)._replace(spoilt_weight=1.5, kept_weight=0.25)
        return Problem((noise, key(seed), 2, 11, np.empty(n, dtype)), {"out": EXACT})

    return Case("corruption.emphasis_row", f"{kind} {n}", make)


def raw_rows(raw: str, seed: int, *shape: int) -> np.ndarray:
    """Rows of a file: bytes, or floats in [0, 1)."""
    values = np.random.default_rng(seed).random(shape)
    return (values * 256).astype(np.uint8) if raw == "uint8" else values.astype(raw)


def samples_of(raw: str, seed: int, *shape: int) -> Any:
    """A table of such rows; bytes are scaled to [0, 1]."""
    return as_samples(raw_rows(raw, seed, *shape), 1 / 255 if raw == "uint8" else 1.0, 0.0)


def _load_row(raw: str, n: int) -> Case:
    def make(dtype, seed):
        samples = as_samples(raw_rows(raw, seed, 5, n), 0.37, -0.11)
        return Problem((samples, 3, np.empty(n, dtype)), {"out": ELEMENTWISE})

    return Case("samples.load_row", f"{raw} {n}", make)


def _load_rows(raw: str, n_rows: int, n: int) -> Case:
    def make(dtype, seed):
        positions = np.random.default_rng(seed).permutation(2 * n_rows)[:n_rows]
        args = (samples_of(raw, seed, 2 * n_rows, n), positions, np.empty((n_rows, n), dtype))
        return Problem(args, {"out": ELEMENTWISE})

    return Case("samples.load_rows", f"{raw} {n_rows}x{n}", make)


def _load_batch(raw: str, kind: str, n_rows: int, n: int) -> Case:
    def make(dtype, seed):
        positions = np.random.default_rng(seed).permutation(2 * n_rows)[:n_rows]
        args = (samples_of(raw, seed, 2 * n_rows, n), positions, positions + 1000, corruption_of(kind), key(seed), 3)
        clean = np.empty((n_rows, n), dtype)
        corrupted = clean if kind.endswith("none") else np.empty_like(clean)
        return Problem((*args, clean, corrupted), {"clean": ELEMENTWISE, "corrupted": ELEMENTWISE})

    return Case("samples.load_batch", f"{raw} {kind} {n_rows}x{n}", make)


def update_of(optimizer: str, decay_steps: int = 0, l1: float = 1e-3, l2: float = 1e-2) -> Update:
    """Settings in which every term counts."""
    return Update(OPTIMIZERS[optimizer], 0.05, decay_steps, 0.9, l1, l2)


def _apply_update(optimizer: str, n_weights: int, n_biases: int, step: int, decay_steps: int) -> Case:
    def make(dtype, seed):
        n = n_weights + n_biases
        params, velocity, gradient = normal(dtype, seed, 3, n)
        squares = uniform(dtype, seed, n if optimizer == "adam" else 0)
        args = (update_of(optimizer, decay_steps), step, n_weights, gradient, params, velocity, squares)
        return Problem(args, {"params": ELEMENTWISE, "velocity": ELEMENTWISE, "squares": ELEMENTWISE})

    return Case("updates.apply_update", f"{optimizer} {n_weights}+{n_biases} step {step} of {decay_steps}", make)


def _add_penalty(n_weights: int, n_biases: int) -> Case:
    def make(dtype, seed):
        params, gradient = normal(dtype, seed, 2, n_weights + n_biases)
        return Problem((params, n_weights, 0.02, 0.3, gradient), {"gradient": ELEMENTWISE, "return": ELEMENTWISE})

    return Case("updates.add_penalty", f"{n_weights}+{n_biases}", make)


def _follow_activity(n: int, step: int) -> Case:
    def make(dtype, seed):
        mean, activity = uniform(dtype, seed, 2, n)
        args = (Machine(1, n, SIGMOID, SIGMOID, 1, False, 0.05, 0.5, 0.95), step, mean, activity, np.full(n, 7, dtype))
        return Problem(args, {"activity": ELEMENTWISE, "slope": ELEMENTWISE})

    return Case("activity.follow_activity", f"{n} units, step {step}", make)


def elementwise_cases(small: bool) -> list[Case]:
    """Cases of this file."""
    sizes, tables = ((1, 13, 261), ((1, 3), (33, 17))) if small else ((784,), ((100, 784),))
    # Weights of more than one chunk of the update, and biases that start inside one.
    vectors = ((20, 7), (16384 + 100, 30)) if small else ((784000, 1784),)
    schedules = ((0, 0), (7, 10), (12, 10)) if small else ((7, 0),)
    raws = ("uint8", "float32", "float64") if small else ("uint8",)
    kinds = (*CORRUPTIONS, *BINARY)
    cases = [_corrupt(kind, n) for kind, n in product(kinds, sizes)]
    cases += [_draw_binary(n) for n in sizes]
    cases += [_emphasis_row("masking", n) for n in sizes]
    cases += [_load_row(raw, n) for raw, n in product(raws, sizes)]
    cases += [_load_rows(raw, *t) for raw, t in product(raws, tables)]
    cases += [_load_batch(raw, kind, *t) for raw, kind, t in product(raws, kinds, tables)]
    cases += [_apply_update(name, *v, *s) for name, v, s in product(OPTIMIZERS, vectors, schedules)]
    cases += [_add_penalty(*v) for v in vectors]
    cases += [_follow_activity(n, step) for n, step in product(sizes, (0, 5) if small else (5,))]
    return _random(small) + _activations(small) + _losses(small) + cases
