"""Cases of the fused trainers' parts: products of matrices in panels, and their epilogues. They exist in float32 only."""

from itertools import product

import numpy as np

from stacked.kernels.arithmetic.activations import ACTIVATIONS, SOFTMAX
from stacked.kernels.arithmetic.losses import CROSS_ENTROPY, GAUSSIAN_NLL, LOSSES, SQUARED_ERROR
from stacked.kernels.arithmetic.stochastic import UNIT_KINDS
from stacked.kernels.engine.instructions import LANES, PANEL
from stacked.kernels.engine.panels import CHUNK, aligned_zeros

from .cases_elementwise import key, normal, uniform, update_of
from .cases_problem import ELEMENTWISE, EXACT, PRODUCT, STATES, Case, Problem

SINGLE = ("float32",)


def panels(matrix: np.ndarray, capacity: int | None = None) -> np.ndarray:
    """A matrix (R, C) as panels (n, capacity, PANEL), with zeros for padding."""
    n_rows, n_columns = matrix.shape
    out = aligned_zeros(-(-n_columns // PANEL), capacity or n_rows, PANEL)
    for c in range(n_columns):
        out[c // PANEL, :n_rows, c % PANEL] = matrix[:, c]
    return out


def _whole(n: int) -> int:
    return -(-n // PANEL) * PANEL


def _flops(*shape: int) -> float:
    return 2.0 * float(np.prod(shape))


def _multiply(n_rows: int, depth: int, n: int, first_row: int, keep: int = 0, begin: int = 0) -> Case:
    panel = (n - 1) // PANEL
    width = n - panel * PANEL

    def make(dtype, seed):
        x, b = normal(dtype, seed, n_rows + first_row, depth), normal(dtype, seed + 1, depth, n)
        out = normal(dtype, seed + 2, 2, n_rows, PANEL) * keep
        args = (panels(x), first_row, n_rows, begin, depth, panels(b), panel, width, keep, out, 1)
        return Problem(args, {"out": PRODUCT})

    label = f"rows {first_row}+{n_rows}, depth {begin} to {depth}, last panel of {n}{' added' if keep else ''}"
    return Case("products.multiply", label, make, _flops(n_rows, depth - begin, width), SINGLE)


def _multiply_transposed(n_rows: int, depth: int, n: int, biased: int = 0, begin: int = 0, given: int = 1) -> Case:
    panel = (n - 1) // PANEL
    width = n - panel * PANEL

    def make(dtype, seed):
        x_t = np.zeros((_whole(n_rows) // PANEL, _whole(depth), PANEL), dtype)
        x_t[:, :depth] = normal(dtype, seed, len(x_t), depth, PANEL)
        x = panels(np.concatenate([block[:depth].T for block in x_t]))[: None if given else 0]
        weight = panels(normal(dtype, seed + 1, n, depth))
        out = aligned_zeros(panel + 1, _whole(n_rows), PANEL)
        bias = np.zeros(PANEL * biased, dtype)
        bias[:width] = normal(dtype, seed + 2, width) if biased else 0
        args = (x, x_t, 0, n_rows, begin, depth, weight, panel, width, bias, aligned_zeros(1, PANEL, PANEL), out)
        promised = (slice(None), slice(n_rows))  # the kernel may leave anything in the rows beyond
        return Problem(args, {"out": PRODUCT}, ("scratch",), {"out": promised})

    label = f"{n_rows} rows, depth {begin} to {depth}, last panel of {n}{' from biases' if biased else ''}"
    label += "" if given else ", of the transpose"
    return Case("products.multiply_transposed", label, make, _flops(n_rows, depth - begin, width), SINGLE)


def _outer(n_rows: int, n_x: int, n_d: int, first: int, keep: int) -> Case:
    n_panels = -(-n_d // PANEL)
    first_panel = max(0, n_panels - 2)

    def make(dtype, seed):
        x, d = panels(normal(dtype, seed, n_rows, n_x)), panels(normal(dtype, seed + 1, n_rows, n_d))
        out = aligned_zeros(2, CHUNK, PANEL)
        for q in range(n_panels - first_panel):
            width = min(PANEL, n_d - (first_panel + q) * PANEL)
            out[q, :, :width] = normal(dtype, seed + q, CHUNK, width)
        args = (x, first, n_x, d, first_panel, n_panels - first_panel, n_d, n_rows, keep, out)
        return Problem(args, {"out": PRODUCT})

    label = f"{n_rows} rows, {first}:{n_x} by last panels of {n_d}{' added' if keep else ''}"
    return Case("products.outer", label, make, _flops(n_rows, n_x - first, n_d - first_panel * PANEL), SINGLE)


def _transpose_panel(n_rows: int) -> Case:
    def make(dtype, seed):
        x = normal(dtype, seed, 2, _whole(n_rows), PANEL)
        out = np.zeros((_whole(n_rows) // PANEL, 2 * PANEL, PANEL), dtype)
        return Problem((x, 1, n_rows, out), {"out": EXACT})

    return Case("panels.transpose_panel", f"{n_rows} rows", make, dtypes=SINGLE)


def _loss_panel(loss: int, name: str, n_rows: int, width: int) -> Case:
    def make(dtype, seed):
        target = np.zeros((n_rows, PANEL), dtype)
        target[:, :width] = uniform(dtype, seed, n_rows, width)
        output = uniform(dtype, seed + 1, n_rows, PANEL)
        share = np.float32(1 / n_rows)
        args = (loss, ACTIVATIONS[name], share, width, output, target, np.ones((n_rows, PANEL), dtype))
        return Problem(args, {"delta": ELEMENTWISE, "return": ELEMENTWISE})

    names = {code: name for name, code in LOSSES.items()}
    label = f"{names[loss]} of {name}, {n_rows} rows, {width} columns"
    return Case("panel_objective.loss_panel", label, make, dtypes=SINGLE)


def _sample_panel(kind: str, n_rows: int, width: int) -> Case:
    def make(dtype, seed):
        mean = np.zeros((n_rows, PANEL), dtype)
        mean[:, :width] = normal(dtype, seed, n_rows, width)
        ids = np.arange(n_rows)[::-1] + 70000
        args = (UNIT_KINDS[kind], key(seed), 3, ids, 2, 3 * PANEL, width, mean, np.zeros((n_rows, PANEL), dtype))
        return Problem(args, {"sample": STATES if kind == "bernoulli" else PRODUCT}, ("mean",))

    return Case("stochastic.sample_panel", f"{kind}, {n_rows} rows, {width} columns", make, dtypes=SINGLE)


def _update_packed(optimizer: str, n: int, is_weight: int) -> Case:
    def make(dtype, seed):
        gradient, params, velocity = normal(dtype, seed, 3, n)
        args = (update_of(optimizer), 0.03, 4, gradient, params, velocity, uniform(dtype, seed, n), is_weight)
        outputs = {"params": ELEMENTWISE, "velocity": ELEMENTWISE, "squares": ELEMENTWISE}
        return Problem(args, outputs)

    return Case(
        "packed_update.update_packed", f"{optimizer}, {n} {'weights' if is_weight else 'biases'}", make, dtypes=SINGLE
    )


def panel_cases(small: bool) -> list[Case]:
    """Cases of this file."""
    if not small:
        return [
            _multiply(100, 784, 1000, 0), _multiply_transposed(100, 1000, 784), _outer(100, CHUNK, 1000, 0, 0),
            _transpose_panel(100), _loss_panel(CROSS_ENTROPY, "sigmoid", 100, PANEL),
            _sample_panel("bernoulli", 100, PANEL), _update_packed("momentum", CHUNK * PANEL, 1),
        ]  # fmt: skip
    edges = (1, 7, PANEL // 2, PANEL, PANEL + 1)
    cases = [_multiply(*c) for c in product((1, 5, 12, 100), (1, PANEL - 1, 2 * PANEL + 3), edges, (0, 3), (0, 1))]
    cases += [_multiply(7, 2 * PANEL + 3, PANEL + 1, 3, keep, begin) for keep in (0, 1) for begin in (PANEL, 2 * PANEL)]
    cases += [_multiply_transposed(PANEL + 5, 2 * PANEL + 3, n, b, PANEL) for n in (40, 2 * PANEL) for b in (0, 1)]
    heights = (1, 5, PANEL, 3 * PANEL, 3 * PANEL + 4)
    cases += [_multiply_transposed(*c) for c in product(heights, (1, PANEL + 1), edges, (0, 1))]
    cases += [_multiply_transposed(PANEL + 1, PANEL + 1, PANEL, biased, 0, 0) for biased in (0, 1)]
    cases += [
        _outer(n_rows, *c, keep)
        for n_rows in (1, 23)
        for c in ((5, 3, 0), (CHUNK, PANEL, 0), (PANEL + 9, 2 * PANEL + 1, PANEL))
        for keep in (0, 1)
    ]
    cases += [_transpose_panel(n) for n in (1, PANEL, 2 * PANEL + 1)]
    names = [name for name, code in ACTIVATIONS.items() if code != SOFTMAX]
    kinds = [*product((SQUARED_ERROR, GAUSSIAN_NLL), names), (CROSS_ENTROPY, "sigmoid")]
    cases += [_loss_panel(*kind, *shape) for kind, shape in product(kinds, ((1, 1), (9, PANEL)))]
    cases += [_sample_panel(*c) for c in product(UNIT_KINDS, (1, 13), (5, PANEL))]
    return cases + [
        _update_packed(*c) for c in product(("momentum", "nesterov", "adam"), (PANEL, 31 * PANEL + LANES), (0, 1))
    ]
