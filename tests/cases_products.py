"""Cases of the products with epilogues, and of the trainer of networks made of them."""

from itertools import product

import numpy as np

from stacked.kernels import backprop
from stacked.kernels.arithmetic.activations import ACTIVATIONS, LINEAR
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.penalties import CONTRACTION, DIVERGENCE, L1, SPARSITY
from stacked.kernels.arithmetic.terms import as_terms
from stacked.kernels.arithmetic.updates import Update
from stacked.kernels.engine.panels import DENSE, GAUSSIAN, KIND

from .cases_elementwise import corruption_of, key, normal, output_of, samples_of, uniform, update_of
from .cases_problem import PRODUCT, TRAINING, Case, Problem

SMALL_SHAPES = ((1, 3, 5), (7, 13, 1), (33, 17, 29), (530, 19, 261))  # rows, n_in, n_out; the last is 2 x 2 tiles
BENCH_SHAPES = ((100, 784, 1000), (1000, 1000, 500))


def flops(*shape: int) -> float:
    return 2.0 * float(np.prod(shape))


# ---- products --------------------------------------------------------------------------------------------------------


def weight_of(dtype: np.dtype, seed: int, n_in: int, n_out: int, transposed: bool) -> np.ndarray:
    return normal(dtype, seed, *((n_out, n_in) if transposed else (n_in, n_out)), scale=n_in**-0.5)


def name_of(shape: tuple[int, int, int], transposed: bool) -> str:
    return f"{shape[0]}x{shape[1]} -> {shape[2]}{' transposed' if transposed else ''}"


def _layer_forward(activation: str, shape: tuple[int, int, int], transposed: bool) -> Case:
    def make(dtype, seed):
        n_rows, n_in, n_out = shape
        weight, bias = weight_of(dtype, seed, n_in, n_out, transposed), normal(dtype, seed + 1, n_out)
        out = np.full((n_rows, n_out), 7, dtype)
        args = (uniform(dtype, seed, n_rows, n_in), weight, transposed, bias, ACTIVATIONS[activation], out)
        return Problem(args, {"out": PRODUCT})

    return Case("blas.layer_forward", f"{activation} {name_of(shape, transposed)}", make, flops(*shape))


def _layer_backward(activation: str, shape: tuple[int, int, int], transposed: bool) -> Case:
    def make(dtype, seed):
        n_rows, n_in, n_out = shape
        code = ACTIVATIONS[activation]
        below = output_of(code, dtype, seed, n_rows, n_in)
        weight = weight_of(dtype, seed, n_in, n_out, transposed)
        delta, out = normal(dtype, seed, n_rows, n_out), np.full((n_rows, n_in), 7, dtype)
        return Problem((delta, weight, transposed, below, code, out), {"out": PRODUCT})

    return Case("blas.layer_backward", f"{activation} {name_of(shape, transposed)}", make, flops(*shape))


def _weight_gradient(shape: tuple[int, int, int], transposed: bool, keep: bool) -> Case:
    def make(dtype, seed):
        n_rows, n_in, n_out = shape
        x, delta = uniform(dtype, seed, n_rows, n_in), normal(dtype, seed, n_rows, n_out)
        return Problem((x, delta, transposed, keep, weight_of(dtype, seed, n_in, n_out, transposed)), {"out": PRODUCT})

    label = f"{name_of(shape, transposed)}{' added' if keep else ''}"
    return Case("blas.weight_gradient", label, make, flops(*shape))


def _column_sums(n_rows: int, n: int) -> Case:
    def make(dtype, seed):
        return Problem((uniform(dtype, seed, n_rows, n), np.full(n, 7, dtype)), {"out": PRODUCT})

    return Case("blas.column_sums", f"{n_rows}x{n}", make)


def _products(small: bool) -> list[Case]:
    shapes = SMALL_SHAPES if small else BENCH_SHAPES
    names = tuple(ACTIVATIONS) if small else ("sigmoid", "relu")
    either = (False, True) if small else (False,)
    # As x.T @ delta has n_in x n_out tiles, it needs wide layers to have several.
    gradients = (*shapes, (19, 530, 261)) if small else shapes
    cases = [_layer_forward(*c) for c in product(names, shapes, either)]
    cases += [_layer_backward(*c) for c in product(names, shapes, either) if c[0] != "softmax"]
    cases += [_weight_gradient(*c) for c in product(gradients, either, either)]
    return cases + [_column_sums(n_rows, n) for n_rows, n, _ in shapes]


# ---- dense networks --------------------------------------------------------------------------------------------------


def dense_network(
    sizes: tuple[int, ...], activations: tuple[str, ...], tied: bool = False
) -> tuple[np.ndarray, int, int]:
    """Layer table, number of weights and number of parameters; ``tied`` takes the second half's matrices from the first.

    The activation "gaussian" is a Gaussian code in place of a dense layer.
    """
    n_layers = len(activations)
    n_own = n_layers // 2 if tied else n_layers
    dense = [name != "gaussian" for name in activations]
    weights = np.cumsum([0, *(dense[i] * sizes[i] * sizes[i + 1] for i in range(n_own))])
    biases = int(weights[-1]) + np.cumsum([0, *np.multiply(dense, sizes[1:])])
    rows = []
    for i, name in enumerate(activations):
        own = weights[i if i < n_own else n_layers - 1 - i]
        places = (ACTIVATIONS[name], own, biases[i], i >= n_own, DENSE) if dense[i] else (LINEAR, 0, 0, 0, GAUSSIAN)
        rows.append((sizes[i], sizes[i + 1], *places))
    return np.array(rows, np.int64), int(weights[-1]), int(biases[-1])


def dense_params(dtype: np.dtype, seed: int, table: np.ndarray, n_weights: int, n_params: int) -> np.ndarray:
    """Weights that keep the size of what passes through, and small biases."""
    params = normal(dtype, seed, n_params, scale=0.1)
    for n_in, n_out, _, start, *_ in table[table[:, KIND] == DENSE]:
        block = params[start : start + n_in * n_out]
        block[:] = normal(dtype, seed + int(start), block.size, scale=n_in**-0.5)
    return params


_TERMS = ((L1, 0, 0.02, 0.0), (SPARSITY, 1, 0.3, 0.05), (SPARSITY, 0, 0.1, 0.1), (CONTRACTION, 0, 0.2, 0.0))
_VARIATIONAL = ("tanh", "linear", "gaussian", "tanh", "sigmoid")
_DRAWN = ((DIVERGENCE, 1, 0.7, 3.0), (L1, 2, 0.05, 0.0))
# Sizes, activations, tied, loss, and for some terms, weights of the losses of spoilt and of kept inputs, and draws of codes a row.
_DEFAULTS = ((), (1.0, 1.0), 1)
_NETWORKS = {
    "tied sigmoid": ((13, 7, 13), ("sigmoid", "sigmoid"), True, "cross_entropy"),
    "one layer": ((5, 3), ("softmax",), False, "softmax_cross_entropy"),
    "classifier": ((17, 11, 6, 4), ("relu", "tanh", "softmax"), False, "softmax_cross_entropy"),
    "deep tied": ((13, 8, 3, 8, 13), ("softplus", "linear", "tanh", "linear"), True, "squared_error"),
    "penalised": ((13, 7, 5, 13), ("sigmoid", "sigmoid", "linear"), False, "squared_error", _TERMS),
    "tied and penalised": ((13, 7, 13), ("sigmoid", "sigmoid"), True, "cross_entropy", _TERMS[::3], (2.0, 0.5)),
    "contractive": ((40, 35, 40), ("tanh", "linear"), True, "squared_error", ((CONTRACTION, 0, 0.3, 0.0),)),
    "contractive softplus": (
        (13, 7, 13),
        ("softplus", "linear"),
        False,
        "squared_error",
        ((CONTRACTION, 0, 0.3, 0.0),),
    ),
    "emphasised": ((13, 7, 13), ("relu", "tanh"), False, "squared_error", (), (1.0, 0.0)),
    "variational": ((13, 9, 6, 3, 8, 13), _VARIATIONAL, False, "cross_entropy", _DRAWN[:1]),
    "three draws": ((13, 9, 6, 3, 8, 13), _VARIATIONAL, False, "cross_entropy", _DRAWN, (1.0, 1.0), 3),
    "means of codes": (
        (13, 9, 6, 3, 4),
        (*_VARIATIONAL[:3], "softmax"),
        False,
        "softmax_cross_entropy",
        (),
        (1.0, 1.0),
        0,
    ),
    "linear variational": (
        (5, 4, 2, 5),
        ("linear", "gaussian", "linear"),
        False,
        "gaussian_nll",
        ((DIVERGENCE, 0, 1.0, 2.0),),
    ),
    "several tiles": ((530, 261, 530), ("tanh", "sigmoid"), True, "squared_error"),
}
_BENCH_NETWORKS = {
    "denoising 784-1000": ((784, 1000, 784), ("sigmoid", "sigmoid"), True, "cross_entropy"),
    "784-1000-500-250-30": (
        (784, 1000, 500, 250, 30, 250, 500, 1000, 784),
        ("sigmoid", "sigmoid", "sigmoid", "linear", "sigmoid", "sigmoid", "sigmoid", "sigmoid"),
        False,
        "cross_entropy",
    ),
}


class _Dense:
    """A network of the tables above and a minibatch for it."""

    def __init__(self, spec: tuple, dtype: np.dtype, seed: int, n_rows: int, capacity: int, corruption: str = "none"):
        sizes, activations, tied, loss, terms, counts, n_samples = (*spec, *_DEFAULTS[len(spec) - 4 :])
        self.table, n_weights, n_params = dense_network(sizes, activations, tied)
        self.params = dense_params(dtype, seed, self.table, n_weights, n_params)
        noise, emphasis = corruption_of(corruption), counts != (1.0, 1.0)
        noise = noise._replace(spoilt_weight=counts[0], kept_weight=counts[1])
        self.objective = Objective(LOSSES[loss], noise, n_weights, as_terms(*terms), n_samples)
        self.repeats = max(1, n_samples)
        self.inputs = uniform(dtype, seed, n_rows, sizes[0])
        classify = loss == "softmax_cross_entropy"
        self.target = np.empty((0, 0), dtype) if classify else uniform(dtype, seed + 1, n_rows, sizes[-1])
        self.labels = np.random.default_rng(seed).integers(0, sizes[-1], n_rows if classify else 0)
        self.work = backprop.workspace(self.table, n_params, capacity, dtype, emphasis=emphasis)
        self.work.emphasis[:] = uniform(dtype, seed + 2, *self.work.emphasis.shape)
        self.work.noise[:] = normal(dtype, seed + 3, *self.work.noise.shape)


def _network_flops(spec: tuple) -> float:
    return sum(flops(n_in, n_out) for n_in, n_out in zip(spec[0], spec[0][1:], strict=False))


def _forward(name: str, spec: tuple, n_rows: int) -> Case:
    def make(dtype, seed):
        net = _Dense(spec, dtype, seed, n_rows, n_rows + 3)
        own = (net.work.plain, net.table, net.params, net.objective.loss)
        args = (*own, net.inputs, net.work.noise[:n_rows], net.work.outputs)
        return Problem(args, {"outputs": PRODUCT})

    return Case("backprop.forward", f"{name}, {n_rows} rows", make, n_rows * _network_flops(spec))


def _infer(name: str, spec: tuple, n_rows: int) -> Case:
    def make(dtype, seed):
        net = _Dense(spec, dtype, seed, 1, 1)
        samples = samples_of("uint8", seed, 2 * n_rows, spec[0][0])
        positions = np.random.default_rng(seed).permutation(2 * n_rows)[:n_rows]
        out = np.empty((n_rows, spec[0][-1]), dtype)
        args = (net.table, net.params, backprop.prepare(net.table, net.params), samples, positions, out)
        return Problem(args, {"out": PRODUCT}, ("prepared",))

    return Case("backprop.infer", f"{name}, {n_rows} rows", make, n_rows * _network_flops(spec))


def _batch_gradient(name: str, spec: tuple, n_rows: int) -> Case:
    def make(dtype, seed):
        net = _Dense(spec, dtype, seed, n_rows, n_rows + 3)
        batch = (net.inputs, net.target, net.labels)
        args = (net.table, net.params, net.objective, *batch, net.work)
        return Problem(args, {"work.gradient": PRODUCT, "return": PRODUCT}, ("work",))

    return Case("backprop.batch_gradient", f"{name}, {n_rows} rows", make, _gradient_flops(spec, n_rows))


def _loss_gradient(name: str, spec: tuple, n_rows: int) -> Case:
    def make(dtype, seed):
        net = _Dense(spec, dtype, seed, n_rows, n_rows + 3)
        batch = (net.inputs, net.target, net.labels)
        args = (net.table, net.params, net.objective, 0.002, 0.03, *batch, net.work)
        return Problem(args, {"work.gradient": PRODUCT, "return": PRODUCT}, ("work",))

    return Case("backprop.loss_gradient", f"{name}, {n_rows} rows", make, _gradient_flops(spec, n_rows))


def _gradient_flops(spec: tuple, n_rows: int) -> float:
    """Forward and weights' gradient for all layers, backward for all but the first."""
    return n_rows * (3 * _network_flops(spec) - flops(*spec[0][:2]))


def settings_of(optimizer: str, small: bool) -> Update:
    """L1 only for few weights: among many, one whose sign hangs on rounding is sure to be found."""
    update = update_of(optimizer, 10, 1e-4 if small else 0.0, 1e-3)
    return update._replace(learning_rate=0.001 if optimizer == "adam" else 0.02)


def _rows_of(net: _Dense, spec: tuple, seed: int, n: int) -> tuple:
    """Samples, labels, positions and row numbers of n rows, each as often as codes are drawn for it."""
    positions = np.repeat(np.random.default_rng(seed).permutation(2 * n)[:n], net.repeats)
    return samples_of("uint8", seed, 2 * n, spec[0][0]), net.labels, positions, positions + 500


def _dense_train(name: str, spec: tuple, optimizer: str, corruption: str, n: int, batch_size: int) -> Case:
    def make(dtype, seed):
        net = _Dense(spec, dtype, seed, 2 * n, batch_size * max((1, *spec[6:])), corruption)
        zeros = np.zeros_like(net.params)
        squares = zeros.copy() if optimizer == "adam" else zeros[:0]
        args = (
            net.table,
            net.params,
            net.objective,
            settings_of(optimizer, spec[0][0] < 100),
            *_rows_of(net, spec, seed, n),
        )
        args += (batch_size * net.repeats, key(seed), 2, 3, zeros, squares, net.work)
        outputs = {"params": TRAINING, "velocity": TRAINING, "squares": TRAINING, "return": TRAINING}
        return Problem(args, outputs, ("work",))

    label = f"{name}, {optimizer}, {corruption}, {n} rows by {batch_size}"
    return Case("backprop.train", label, make, _gradient_flops(spec, n))


def _evaluate(name: str, spec: tuple, corruption: str, n: int, batch_size: int) -> Case:
    def make(dtype, seed):
        net = _Dense(spec, dtype, seed, 2 * n, batch_size * max((1, *spec[6:])), corruption)
        rows = (*_rows_of(net, spec, seed, n), batch_size * net.repeats)
        return Problem(
            (net.table, net.params, net.objective, *rows, key(seed), 2, net.work), {"return": PRODUCT}, ("work",)
        )

    label = f"{name}, {corruption}, {n} rows by {batch_size}"
    return Case("backprop.evaluate", label, make, n * _network_flops(spec))


def _dense(small: bool) -> list[Case]:
    networks = (_NETWORKS if small else _BENCH_NETWORKS).items()
    rows = (1, 7) if small else (100,)
    makers = (_forward, _batch_gradient, _loss_gradient)
    cases = [maker(*net, n_rows) for maker, net, n_rows in product(makers, networks, rows)]
    cases += [_infer(*net, n_rows) for net, n_rows in product(networks, (1, 300) if small else (10000,))]
    if not small:
        cases += [_evaluate(*net, "masking", 1000, 100) for net in networks]
        return cases + [_dense_train(*net, "momentum", "masking", 1000, 100) for net in networks]
    kinds = (("momentum", "masking"), ("nesterov", "salt_and_pepper"), ("adam", "gaussian"), ("adam", "none"))
    kinds += (("momentum", "binary none"),)
    some = [net for net in networks if net[0] != "several tiles"]
    cases += [
        _evaluate(*net, corruption, 20, 7) for net, corruption in product(some, ("none", "binary salt_and_pepper"))
    ]
    return cases + [_dense_train(*net, *kind, 20, 7) for net, kind in product(some, kinds)]


def product_cases(small: bool) -> list[Case]:
    """Cases of this file."""
    return _products(small) + _dense(small)
