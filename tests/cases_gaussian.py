"""Cases of Gaussian codes, and of the bounds on the likelihood of data that decoders give."""

from itertools import product

import numpy as np

from stacked.kernels.arithmetic.activations import ACTIVATIONS, LINEAR
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.layers.gaussian import LIMIT

from .cases_elementwise import key, normal, output_of, uniform
from .cases_problem import ELEMENTWISE, PRODUCT, Case, Problem


def gaussians(dtype: np.dtype, seed: int, n_rows: int, n: int) -> np.ndarray:
    """Means and log variances (n_rows, 2 n); the first row's variances lie beyond the limits."""
    inputs = normal(dtype, seed, n_rows, 2 * n)
    inputs[0, n:] = np.where(inputs[0, n:] > 0, LIMIT + 3, -LIMIT - 3)
    return inputs


def _draw(n_rows: int, n: int) -> Case:
    def make(dtype, seed):
        args = (gaussians(dtype, seed, n_rows, n), normal(dtype, seed + 1, n_rows, n), np.full((n_rows, n), 7, dtype))
        return Problem(args, {"out": ELEMENTWISE})

    return Case("gaussian.draw", f"{n_rows}x{n}", make)


def _draw_backward(activation: str, n_rows: int, n: int) -> Case:
    def make(dtype, seed):
        code = ACTIVATIONS[activation]
        below = gaussians(dtype, seed, n_rows, n) if code == LINEAR else output_of(code, dtype, seed, n_rows, 2 * n)
        delta, outputs = normal(dtype, seed + 2, n_rows, n), normal(dtype, seed + 3, n_rows, n)
        return Problem((delta, below, code, outputs, np.full((n_rows, 2 * n), 7, dtype)), {"out": ELEMENTWISE})

    return Case("gaussian.draw_backward", f"{activation} {n_rows}x{n}", make)


def _draw_codes(n_rows: int, n: int, n_draws: int) -> Case:
    def make(dtype, seed):
        args = (key(seed), np.arange(n_rows)[::-1] + 70000, 256, gaussians(dtype, seed, n_rows, n))
        args += (np.empty((n_rows * n_draws, n), dtype), np.empty(n_rows * n_draws))
        return Problem(args, {"codes": ELEMENTWISE, "log_weights": PRODUCT})

    return Case("likelihood.draw_codes", f"{n_draws} of {n_rows}x{n}", make)


def _add_log_likelihoods(loss: str, output: str, n_rows: int, n: int, n_draws: int) -> Case:
    def make(dtype, seed):
        outputs = normal(dtype, seed, n_rows * n_draws, n)
        target = uniform(dtype, seed + 1, n_rows, n)
        args = (LOSSES[loss], ACTIVATIONS[output], outputs, target, normal(np.dtype(float), seed, n_rows * n_draws))
        return Problem(args, {"log_weights": PRODUCT})

    return Case("likelihood.add_log_likelihoods", f"{loss}, {n_draws} of {n_rows}x{n}", make)


def _add_exponentials(n_rows: int, n_draws: int, first: bool) -> Case:
    def make(dtype, seed):
        weights = normal(np.dtype(float), seed, n_rows * n_draws, scale=300.0)  # whose exponentials overflow
        peaks = np.full(n_rows, -np.inf) if first else normal(np.dtype(float), seed + 1, n_rows, scale=300.0)
        sums = np.zeros(n_rows) if first else 1 + uniform(np.dtype(float), seed, n_rows)
        return Problem((weights, peaks, sums), {"peaks": ELEMENTWISE, "sums": ELEMENTWISE})

    label = f"{'first' if first else 'next'} {n_draws} of {n_rows} rows"
    return Case("likelihood.add_exponentials", label, make, dtypes=("float64",))


def gaussian_cases(small: bool) -> list[Case]:
    """Cases of this file."""
    shapes, draws = (((1, 1), (7, 3), (33, 17)), (1, 5)) if small else (((100, 50),), (128,))
    likelihoods = (("cross_entropy", "sigmoid"), ("gaussian_nll", "linear"))
    cases = [_draw(*shape) for shape in shapes]
    cases += [
        _draw_backward(name, *shape) for name, shape in product(("linear", "tanh") if small else ("linear",), shapes)
    ]
    cases += [_draw_codes(*shape, n) for shape, n in product(shapes, draws)]
    cases += [_add_log_likelihoods(*pair, *shape, n) for pair, shape, n in product(likelihoods, shapes, draws)]
    return cases + [
        _add_exponentials(n_rows, n, first) for (n_rows, _), n, first in product(shapes, draws, (True, False))
    ]
