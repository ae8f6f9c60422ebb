"""Every kernel, on every small case, in both precisions, equals its NumPy twin and leaves its inputs alone."""

import copy
import inspect
from importlib import import_module

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from stacked.kernels import HOMES, KERNELS
from stacked.kernels._jit import Linked
from stacked.kernels.arithmetic import activations, corruption, losses, penalties, samples, stochastic, updates
from stacked.kernels.engine import bfloat16
from stacked.kernels.layers import gaussian

from . import naive, naive_panels
from .cases import TWINS, call, cases, compiled, excesses
from .cases_problem import parameters

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
NAMES = [f"{leaf}.{name}" for leaf, module in HOMES.items() for name in KERNELS[module]]

# Public compiled functions that need no twin, and why.
HELPERS = {
    "activations.sigmoid": "a scalar, measured through activate",
    "activations.softplus": "a scalar, measured through activate",
    "losses.loss_row": "one row of loss_and_delta",
    "losses.loss_packed": "loss_row in float32, seen through the training of classifiers",
    "losses.even_loss_row": "one row of loss_and_delta",
    "losses.weighted_loss": "one row of loss_and_delta",
    "corruption.emphasises": "a question about a corruption",
    "corruption.corrupt_packed": "corrupt in float32, seen through training",
    "corruption.emphasis_packed": "emphasis_row in float32, seen through training",
    "samples.row_length": "steps of a row, seen through sequences that end early",
    "samples.end_row": "zeros after the end, seen through sequences that end early",
    "samples.end_emphasis": "zeros after the end, seen through sequences that end early",
    "samples.longest_first": "an order, seen through sequences that end early",
    "samples.has_targets": "a question about a table, seen through training towards targets",
    "samples.targets_of": "a view",
    "samples.load_packed": "load_row in float32, seen through training and infer",
    "activations.derivative": "a scalar, seen through the slopes of terms",
    "losses.forward_activation": "chooses a code, seen through backprop.forward",
    "blas.multiply_tile": "one tile of layer_forward",
    "blas.affine_tile": "one tile of layer_forward before its activation",
    "blas.tile_count": "index arithmetic, seen through every product of several tiles",
    "blas.tile_bounds": "index arithmetic, seen through every product of several tiles",
    "panels.panel_count": "index arithmetic, seen through every product",
    "panels.panel_width": "index arithmetic, seen through every product",
    "panels.weight_shape": "a question about the layer table, seen through every network",
    "panels.bias_count": "a question about the layer table, seen through every network",
    "panels.has_parameters": "a question about the layer table, seen through every network",
    "panels.is_map_layer": "a question about the layer table, seen through every network",
    "panels.is_recurrent": "a question about the layer table, seen through recurrent networks",
    "panels.step_width": "a question about the layer table, seen through targets that end early",
    "panels.answers_end": "a question about the layer table, seen through sequences that end early",
    "panels.shares_weights": "a question about the layer table, seen through tied networks",
    "panels.is_owner": "a question about the layer table, seen through tied networks",
    "panels.copy_matrix": "half of copy_vector",
    "panels.copy_vector": "seen through training: what it packs is what it unpacks",
    "panels.weight_panels": "a view",
    "panels.bias_panels": "a view",
    "panels.gather_row": "seen through infer",
    "panels.scatter_row": "seen through infer",
    "bfloat16.clear_edges": "half of write_form",
    "bfloat16.round_rows": "half of write_form",
    "bfloat16.round_pairs": "half of write_form",
    "products.vector_count": "index arithmetic, seen through every product",
    "products.turns": "a question about a number of rows",
    "products.multiply_turned": "multiply_transposed for few rows, and the same bits (test_rows)",
    "products.start_rows": "what sums start from, seen through every layer",
    "products.start_columns": "what sums start from, seen through multiply_transposed",
    "packed_update.settings_of": "numbers of a rule, seen through update_packed",
    "products.add_bias": "seen through sparsity targets of RBMs",
    "products.clear_padding": "seen through loss_panel",
    "products.sum_rows": "seen through the biases of every trained network",
    "panel_objective.squared_error_panel": "half of loss_panel",
    "panel_objective.cross_entropy_panel": "half of loss_panel",
    "panel_objective.output_layer": "loss_panel on a layer, seen through training",
    "panel_objective.row_losses": "loss_and_delta in panels, seen through the training of classifiers",
    "panel_objective.measure": "terms in panels, seen through training",
    "stochastic.sample_row": "one row of sample_layer",
    "updates.scale_to_norm": "a scalar, seen through clip_gradient",
    "updates.clip_gradient": "seen through clipped training",
    "updates.update_range": "one range of apply_update",
    "backprop.train_plain": "backprop.train in float64",
    "backprop.infer_plain": "backprop.infer in float64",
    "backprop.evaluate_plain": "backprop.evaluate in float64",
    "rbm.train_plain": "rbm.train in float64",
    "updates.learning_rate_at": "a scalar, seen through the schedules of apply_update",
    "updates.penalty_slope": "a scalar, seen through add_penalty",
    "backprop.layer_rows": "a view",
    "backprop.inputs_of": "a view",
    "backprop.other_of": "a view, seen through unpooling and sequences that end early",
    "backprop.backward": "the second half of batch_gradient",
    "backprop.value_of_terms": "terms, seen through batch_gradient",
    "backprop.measure": "terms, seen through batch_gradient",
    "backprop.load_targets": "load_row, and zeros after the end, seen through training towards targets",
    "backprop.target_of": "a view",
    "backprop.load_minibatch": "load_batch and emphasis_row",
    "gaussian.fill_noise": "the numbers of a row, seen through the training of variational networks",
    "gaussian.deviation": "a scalar, seen through draw",
    "gaussian.draw_row": "one row of draw",
    "gaussian.draw_rows": "draw in panels, seen through the training of variational networks",
    "gaussian.delta_row": "one row of draw_backward",
    "gaussian.forward": "draw in panels, seen through the training of variational networks",
    "gaussian.answer": "means in panels, seen through infer",
    "gaussian.backward": "draw_backward in panels, seen through the training of variational networks",
    "gaussian.spread_delta": "half of backward",
    "gaussian.finish_below": "half of backward",
    "rbm.split": "views",
    "rbm.subtract_sparsity": "what a sparsity target adds to divergence_gradient",
    "rbm.gibbs_reconstruct": "the loop inside divergence_gradient",
    "rbm.hidden_free_energy": "one unit of free_energy",
    "rbm.visible_energy": "one row of free_energy",
}


def _same(left, right):
    """Whether two arguments are equal to the bit."""
    if isinstance(left, tuple):
        return all(map(_same, left, right))
    return np.array_equal(np.asarray(left), np.asarray(right), equal_nan=np.asarray(left).dtype.kind == "f")


@pytest.mark.parametrize(
    "case, dtype",
    [(case, dtype) for case in cases("small") for dtype in DTYPES if dtype.name in case.dtypes],
    ids=str,
)
def test_kernel_equals_its_twin(case, dtype):
    problem = case.make(dtype, 1)
    got = call(case.kernel, compiled(case.kernel), problem)
    expected = call(case.kernel, TWINS[case.kernel], problem)
    worst = excesses(problem, got, expected, dtype)
    assert all(value <= 1 for value in worst.values()), worst
    outputs = {output.partition(".")[0] for output in problem.outputs} | set(problem.scratch)
    for name, before in zip(parameters(case.kernel), problem.args, strict=True):
        assert name in outputs or _same(before, got[name]), f"{name} was modified"


def test_every_kernel_has_a_case_and_a_twin():
    assert {case.kernel for case in cases("small")} == set(NAMES) == set(TWINS)


def test_every_kernel_but_the_scalar_one_has_a_benchmark():
    assert {case.kernel for case in cases("bench")} == set(NAMES) - {"random.philox"}


def test_labels_of_cases_are_unique():
    for size in ("small", "bench"):
        labels = [str(case) for case in cases(size)]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", NAMES)
def test_twin_has_the_same_parameters(name):
    assert tuple(inspect.signature(TWINS[name]).parameters) == parameters(name)


def test_twins_import_nothing_but_numpy():
    for module, others in ((naive, []), (naive_panels, ["from . import naive"])):
        lines = inspect.getsource(module).splitlines()
        found = [line for line in lines if line.lstrip().startswith(("import ", "from "))]
        assert found == ["import numpy as np", *others]


def test_every_public_compiled_function_is_a_kernel_or_a_helper():
    public = set()
    for name, home in HOMES.items():
        module = import_module(f"stacked.kernels.{home}")
        for function, value in vars(module).items():
            compiled_here = isinstance(value, Dispatcher | Linked) or hasattr(value, "kernels")
            own = compiled_here and getattr(value, "py_func", value).__module__ == module.__name__
            if own and not function.startswith("_"):
                assert value.__doc__, f"{name}.{function} has no docstring"
                public.add(f"{name}.{function}")
    assert public == set(NAMES) | set(HELPERS)


@pytest.mark.parametrize(
    "module, names",
    [
        (activations, ("LINEAR", "SIGMOID", "TANH", "RELU", "SOFTPLUS", "SOFTMAX")),
        (losses, ("SQUARED_ERROR", "CROSS_ENTROPY", "SOFTMAX_CROSS_ENTROPY", "GAUSSIAN_NLL")),
        (corruption, ("MASKING", "SALT_AND_PEPPER")),
        (samples, ("UINT8", "FLOAT32", "FLOAT64")),
        (updates, ("MOMENTUM", "NESTEROV", "ADAM")),
        (penalties, ("L1", "SPARSITY", "CONTRACTION", "DIVERGENCE", "MARGIN")),
        (bfloat16, ("LEFT", "RIGHT", "LEFT_T", "RIGHT_T")),
        (stochastic, ("GAUSSIAN", "BERNOULLI", "RECTIFIED")),
        (gaussian, ("LIMIT", "CODE_DRAW", "SAMPLE_STRIDE")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_twins_use_the_codes_of_the_kernels(module, names):
    twins = naive_panels if module is bfloat16 else naive
    assert [getattr(twins, name) for name in names] == [getattr(module, name) for name in names]


def _wide_range(dtype):
    small = np.geomspace(1e-6, 80, 4000)
    return np.concatenate([-small[::-1], [0.0], small]).astype(dtype)


@pytest.mark.parametrize("dtype, limit", [(DTYPES[0], 1e-6), (DTYPES[1], 1e-13)], ids=str)
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus"])
def test_relative_error_of_activations_over_their_whole_range(name, dtype, limit):
    row = _wide_range(dtype)
    got, expected = row.copy(), row.astype(np.float64)
    activations.activate(activations.ACTIVATIONS[name], got)
    naive.activate(activations.ACTIVATIONS[name], expected)
    np.testing.assert_allclose(got, expected, rtol=limit, atol=0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_activations_keep_nan(name, dtype):
    row = np.array([0.5, np.nan, -0.5], dtype)
    activations.activate(activations.ACTIVATIONS[name], row)
    assert np.isnan(row[1])


@pytest.mark.parametrize("raw", ["uint8", "float32", "float64"])
def test_as_samples_is_a_view(raw):
    rows = np.arange(6).reshape(2, 3).astype(raw)
    before = copy.deepcopy(rows)
    table = samples.as_samples(rows, 2.0, 1.0)
    assert np.shares_memory(table.bytes, rows) and table.bytes.shape == (2, 3 * rows.itemsize)
    out = np.empty(3)
    samples.load_row(table, 1, out)
    assert out.tolist() == [7.0, 9.0, 11.0]
    assert np.array_equal(rows, before)
