"""Cases of the products and forms of bfloat16. They exist beside float32 only."""

from itertools import product

import numpy as np

from stacked.kernels.engine.bfloat16 import LEFT, LEFT_T, RIGHT, RIGHT_T
from stacked.kernels.engine.instructions import LANES, PANEL
from stacked.kernels.engine.panels import aligned_zeros

from .cases_elementwise import normal
from .cases_panels import SINGLE, panels
from .cases_problem import EXACT, PRODUCT, Case, Problem
from .naive_panels import write_form

FORMS = {"left": LEFT, "right": RIGHT, "left of the transpose": LEFT_T, "right of the transpose": RIGHT_T}


def _whole(n: int) -> int:
    return -(-n // PANEL) * PANEL


def words_of(matrix: np.ndarray, form: int) -> np.ndarray:
    """A matrix in one form."""
    x = panels(matrix, _whole(len(matrix)))
    words = np.zeros(x.size // 2, np.uint32)
    for panel in range(len(x)):
        write_form(x, panel, min(PANEL, matrix.shape[1] - panel * PANEL), 0, len(matrix), form, words, 0)
    return words


def _both(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two matrices in one vector that starts a cache line."""
    words = aligned_zeros(left.size + right.size).view(np.uint32)
    words[: left.size], words[left.size :] = left, right
    return words


def _multiply_words(n_rows: int, depth: int, n: int, keep: int) -> Case:
    def make(dtype, seed):
        left = words_of(normal(dtype, seed, n_rows, depth), LEFT)
        right = words_of(normal(dtype, seed + 1, depth, n), RIGHT)
        out = panels(normal(dtype, seed + 2, n_rows, n), _whole(n_rows))
        out = np.concatenate([np.zeros_like(out[:1]), out])
        words, right_words = _both(left, right), _whole(depth) // 2
        args = (words, 0, _whole(n_rows), n_rows, depth, left.size, right_words, n, keep, out, 1)
        return Problem(args, {"out": PRODUCT})

    label = f"{n_rows} x {depth} by {depth} x {n}{' added' if keep else ''}"
    return Case("bfloat16.multiply_words", label, make, 2.0 * n_rows * depth * n, SINGLE)


def _multiply_words_transposed(n_rows: int, depth: int, n: int, biased: int = 0) -> Case:
    panel = (n - 1) // PANEL

    def make(dtype, seed):
        right_t = words_of(normal(dtype, seed, n_rows, depth), RIGHT_T)
        left = words_of(normal(dtype, seed + 1, n, depth), LEFT)
        words, out = _both(right_t, left), aligned_zeros(panel + 1, _whole(n_rows), PANEL)
        where = (0, _whole(depth) // 2, 0, n_rows, depth, right_t.size, _whole(n), panel, n - panel * PANEL)
        bias = np.zeros(PANEL * biased, dtype)
        bias[: n - panel * PANEL] = normal(dtype, seed + 2, n - panel * PANEL) if biased else 0
        return Problem((words, *where, bias, aligned_zeros(1, PANEL, PANEL), out), {"out": PRODUCT}, ("scratch",))

    label = f"{n_rows} rows, depth {depth}, last panel of {n}{' from biases' if biased else ''}"
    return Case("bfloat16.multiply_words_transposed", label, make, 2.0 * n_rows * depth * (n - panel * PANEL), SINGLE)


def _write_form(name: str, first_row: int, n_rows: int, width: int) -> Case:
    def make(dtype, seed):
        x = normal(dtype, seed, 3, _whole(n_rows) + PANEL, PANEL)
        x[1, 0, :3] = 1.00390625, 1.01171875, 3e38  # between two, twice; near the largest
        args = (x, 1, width, first_row, n_rows, FORMS[name], np.ones(x.size // 2 + 5, np.uint32), 5)
        return Problem(args, {"words": EXACT, "x": EXACT})

    return Case("bfloat16.write_form", f"{name}, rows {first_row} to {n_rows}, {width} columns", make, dtypes=SINGLE)


def _write_weights(first: int, stop: int, n_rows: int) -> Case:
    def make(dtype, seed):
        rows = _whole(n_rows)
        size = 2 * rows * LANES
        args = (
            normal(dtype, seed, 2, n_rows, PANEL),
            1,
            first,
            stop,
            np.ones(2 * size + 3, np.uint32),
            3,
            size + 3,
            rows,
        )
        return Problem(args, {"words": EXACT})

    return Case("bfloat16.write_weights", f"rows {first} to {stop} of {n_rows}", make, dtypes=SINGLE)


def word_cases(small: bool) -> list[Case]:
    """Cases of this file."""
    if not small:
        return [
            _multiply_words(100, 784, 1000, 0), _multiply_words_transposed(100, 1000, 784),
            _write_form("left of the transpose", 0, 100, PANEL), _write_weights(0, 784, 784),
        ]  # fmt: skip
    edges = (1, PANEL // 2, PANEL // 2 + 1, PANEL, 2 * PANEL + 3)
    cases = [_multiply_words(*c) for c in product((1, 5, 12, 33), (1, 2, PANEL - 1, 2 * PANEL + 3), edges, (0, 1))]
    cases += [_multiply_words(23, 2 * 1024 + 37, 5, keep) for keep in (0, 1)]
    cases += [_multiply_words_transposed(*c) for c in product((1, PANEL, 2 * PANEL + 5), (1, PANEL + 1), edges, (0, 1))]
    cases += [
        _write_form(name, *c) for name in FORMS for c in ((0, 1, 1), (0, PANEL, PANEL), (PANEL, 2 * PANEL + 3, 7))
    ]
    return cases + [_write_weights(*c) for c in ((0, 1, 1), (0, PANEL, PANEL), (4, 13, 13), (2, 6, 40))]
