"""Targets other than the input, and decoders that are told what came before: losses, gradients, training, answers."""

import numpy as np
import pytest

from stacked.data import ArrayRows, summarize
from stacked.decoding import Goal
from stacked.kernels import backprop
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.arithmetic.samples import NO_TARGETS, as_samples
from stacked.kernels.cpu import thread_limit
from stacked.layers import GRU, LSTM, Convolution, Forcing, Upsampling
from stacked.network import Network

from . import naive_recurrent
from .cases_elementwise import corruption_of, key, uniform, update_of

CELLS = {"gru": GRU, "lstm": LSTM}
STEPS, WIDTH, OUT_STEPS, OUT_WIDTH, CODE = 5, 3, 4, 2, 6
LENGTHS = np.array([5, 1, 4, 4, 2, 5, 3, 3, 1, 5, 2])
OUT_LENGTHS = np.array([1, 4, 4, 2, 3, 4, 1, 2, 2, 4, 3])
STEP = 1e-6
# What is told, whether there are targets, whether the decoder goes backwards, what ends early.
FORMS = {
    "targets": (False, True, False, ""),
    "ragged targets": (False, True, False, "targets"),
    "both ragged": (True, True, False, "rows targets"),
    "told": (True, True, False, ""),
    "told the input": (True, False, False, "rows"),
    "told the input backwards": (True, False, True, "rows"),
    "told targets backwards": (True, True, True, "targets"),
}


def chain(kind, is_told, has_targets, backwards, out_steps=OUT_STEPS):
    """A code of a sequence, and back to it or to a target."""
    steps, width = (out_steps, OUT_WIDTH) if has_targets else (STEPS, WIDTH)
    first = Forcing.on(CODE, steps, width, backwards) if is_told else Upsampling.to(CODE, (1, steps))
    states = CELLS[kind].on(first.shape_out, 4, backwards=backwards, whole=has_targets)
    encoder = CELLS[kind].on((1, STEPS, WIDTH), CODE, last=True)
    return encoder, first, states, Convolution.on(states.shape_out, width, 1, activation="linear")


def network_of(layers, dtype):
    network = Network.zeros(layers, np.dtype(dtype).name)
    network.randomize(3, 0)
    return network


def ended(table, lengths):
    """A copy of sequences (N, T, D), flat, with NaN after the end of each."""
    out = table.copy()
    out[np.arange(out.shape[1]) >= lengths[:, None]] = np.nan
    return out.reshape(len(out), -1)


def rows_of(ragged, dtype="float64"):
    x = uniform(np.dtype(dtype), 6, len(LENGTHS), STEPS, WIDTH)
    return ended(x, LENGTHS if "rows" in ragged else np.full(len(x), STEPS))


def targets_of(ragged, dtype="float64"):
    y = uniform(np.dtype(dtype), 7, len(OUT_LENGTHS), OUT_STEPS, OUT_WIDTH)
    return ended(y, OUT_LENGTHS if "targets" in ragged else np.full(len(y), OUT_STEPS))


class Problem:
    """A network of a form in one dtype, with its rows, what these should be answered with, and a workspace."""

    def __init__(self, kind, form, dtype, size=4, noise="none", out_steps=OUT_STEPS):
        is_told, has_targets, backwards, ragged = FORMS[form]
        self.network = network_of(chain(kind, is_told, has_targets, backwards, out_steps), dtype)
        self.x, table = rows_of(ragged), targets_of(ragged)[:, : out_steps * OUT_WIDTH]
        self.goal = Goal(table, (0.5, 0.25), summarize(ArrayRows(np.nan_to_num(table)))) if has_targets else None
        self.samples = as_samples(self.x, 2.0, -0.5, NO_TARGETS if self.goal is None else self.goal.of(slice(None)))
        self.objective = Objective(
            LOSSES["squared_error"], corruption_of(noise), self.network.n_weights, ragged=int(bool(ragged))
        )
        self.work = backprop.workspace(
            self.network.table, len(self.network.params), size, self.network.params.dtype, emphasis=bool(ragged),
            ragged=bool(ragged), targets=has_targets,
        )  # fmt: skip

    @property
    def expected(self):
        """What the rows should be answered with, scaled, (N, T, D)."""
        table = self.x * 2.0 - 0.5 if self.goal is None else self.goal.table * 0.5 + 0.25
        return table.reshape(len(table), -1, WIDTH if self.goal is None else OUT_WIDTH)

    def gradient(self, params, rows):
        n, no_labels = len(rows), np.zeros(0, np.int64)
        backprop.load_minibatch(self.network.table, self.objective, self.samples, rows, rows, key(1), 0, self.work)
        target = backprop.target_of(self.samples, self.work, n)
        value = backprop.loss_gradient(
            self.network.table, params, self.objective, 0.0, 0.0, self.work.corrupted[:n], target, no_labels, self.work
        )
        return value, self.work.gradient.copy()

    def train(self, optimizer="momentum", n_threads=None, **more):
        """Parameters and sums after an epoch."""
        update = update_of(optimizer, 20, 0.0, 1e-3)._replace(learning_rate=0.01, **more)
        params, rows = self.network.params, np.arange(len(self.x))[::-1].copy()
        state = np.zeros_like(params), np.full_like(params, 0.01)
        with thread_limit(n_threads):
            sums = backprop.train(
                self.network.table, params, self.objective, update, self.samples, np.zeros(0, np.int64), rows, rows + 9, 4, key(3),
                2, 1, *state, self.work,
            )  # fmt: skip
        return params, sums


# ---- losses and gradients --------------------------------------------------------------------------------------------


def naive_answer(kind, network, code, expected, backwards, length):
    """Answers (T, D) of a decoder to a code (K,), told the steps of ``expected`` (T, D); both end with ``length``."""
    order = np.arange(length)[::-1] if backwards else np.arange(length)
    forcing, inputs = network.layers[1], []
    for index, step in enumerate(order):
        before = expected[order[index - 1]] if index else np.zeros_like(expected[0])
        inputs.append((step, np.concatenate([code, before]) if isinstance(forcing, Forcing) else code))
    steps = np.array([vector for _, vector in sorted(inputs, key=lambda pair: pair[0])])
    states = naive_recurrent.answer(kind, network.arrays(2), steps, False, backwards)
    return states @ network.arrays(3)["weight"][0, 0] + network.arrays(3)["bias"]


def naive_loss(problem, kind, form, row):
    _, has_targets, backwards, _ = FORMS[form]
    x = (problem.x[row] * 2.0 - 0.5).reshape(STEPS, WIDTH)
    x, expected = x[~np.isnan(x[:, 0])], problem.expected[row]
    code = naive_recurrent.answer(kind, problem.network.arrays(0), x, True, False)
    there = ~np.isnan(expected[:, 0])
    length = len(expected) if has_targets else len(x)
    answer = naive_answer(kind, problem.network, code, np.nan_to_num(expected), backwards, length)
    return np.square(answer - expected[:length])[there[:length]].sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", CELLS)
def test_the_loss_is_that_of_the_formulas(kind, form, dtype):
    problem = Problem(kind, form, dtype)
    expected = [naive_loss(problem, kind, form, row) for row in range(len(problem.x))]
    rows, x = np.arange(len(problem.x)), ArrayRows(problem.x)
    x.sample_shape = (STEPS, WIDTH)
    found = [
        backprop.evaluate(
            problem.network.table, problem.network.params, problem.objective, problem.samples, rows[:0], rows[[row]], rows[[row]],
            1, key(1), 0, problem.work,
        )[0]
        for row in rows
    ]  # fmt: skip
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=tolerance)
    assert problem.network.loss(x, 2.0, -0.5, "squared_error", goal=problem.goal) == pytest.approx(
        np.mean(expected), rel=tolerance
    )
    part = np.array([0, 3, 7])
    of_part = problem.network.loss(x, 2.0, -0.5, "squared_error", subset=part, goal=problem.goal)
    assert of_part == pytest.approx(np.mean(np.array(expected)[part]), rel=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", CELLS)
def test_central_differences(kind, form):
    problem, rows = Problem(kind, form, "float64"), np.array([0, 4, 6])
    _, gradient = problem.gradient(problem.network.params, rows)
    expected = np.empty_like(gradient)
    for i in range(len(expected)):
        moved = np.tile(problem.network.params, (2, 1))
        moved[:, i] += STEP, -STEP
        expected[i] = (problem.gradient(moved[0], rows)[0] - problem.gradient(moved[1], rows)[0]) / (2 * STEP)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", CELLS)
def test_steps_after_the_end_of_a_target_add_nothing_to_the_gradient(kind):
    for form in ("ragged targets", "both ragged"):
        whole = Problem(kind, form, "float64", size=len(LENGTHS))
        value, found = whole.gradient(whole.network.params, np.arange(len(LENGTHS)))
        parts = []
        for row, length in enumerate(OUT_LENGTHS):
            cut = Problem(kind, form, "float64", out_steps=int(length))
            parts.append(cut.gradient(whole.network.params, np.array([row])))
        np.testing.assert_allclose(value, np.mean([one for one, _ in parts]), rtol=1e-12)
        np.testing.assert_allclose(found, np.mean([own for _, own in parts], axis=0), rtol=1e-10, atol=1e-13)


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["none", "masking"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", CELLS)
def test_training_in_panels_equals_the_plain_one(kind, form, noise):
    more = {"optimizer": "adam", "clip_norm": 0.5} if noise == "none" else {}
    (params, sums), (expected, expected_sums) = (
        Problem(kind, form, dtype, noise=noise).train(**more) for dtype in ("float32", "float64")
    )
    assert np.abs(params - expected).max() <= 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_the_number_of_threads_leaves_no_trace(form):
    one, two = (Problem("gru", form, "float32", size=4).train(n_threads=n_threads) for n_threads in (1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))


def test_a_goal_of_the_input_itself_changes_no_bit():
    """Without anything told, targets that are the rows train as no targets do."""
    layers = chain("gru", False, False, False)
    found = []
    for given in (False, True):
        network = network_of([*layers[:2], GRU.on(layers[1].shape_out, 4, whole=True), layers[3]], "float32")
        x = rows_of("")
        samples = as_samples(
            x, targets=Goal(x, (1.0, 0.0), summarize(ArrayRows(x))).of(slice(None)) if given else NO_TARGETS
        )
        work = backprop.workspace(network.table, len(network.params), 4, network.params.dtype, targets=given)
        objective = Objective(LOSSES["squared_error"], corruption_of("masking"), network.n_weights)
        rows, velocity = np.arange(len(x)), np.zeros_like(network.params)
        sums = backprop.train(
            network.table, network.params, objective, update_of("momentum", 20, 0.0, 1e-3), samples, rows[:0], rows, rows, 4,
            key(3), 0, 0, velocity, velocity[:0], work,
        )  # fmt: skip
        found.append((network.params.tobytes(), sums.tobytes()))
    assert found[0] == found[1]


# ---- decoding --------------------------------------------------------------------------------------------------------


def naive_decoded(kind, network, code, steps, backwards, one_hot):
    """Answers (T, D) step by step, each told the one before."""
    width, answers = network.layers[1].n_forced, []
    for step in range(steps):
        inputs = [np.concatenate([code, answers[i - 1] if i else np.zeros(width)]) for i in range(step + 1)]
        states = naive_recurrent.answer(kind, network.arrays(2), np.array(inputs), False, False)
        answer = states[-1] @ network.arrays(3)["weight"][0, 0] + network.arrays(3)["bias"]
        answers.append(np.eye(width)[answer.argmax()] if one_hot else answer)
    return np.array(answers[::-1] if backwards else answers)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("form", [form for form, (is_told, *_) in FORMS.items() if is_told])
@pytest.mark.parametrize("kind", CELLS)
def test_answers_are_fed_back_step_by_step(kind, form, one_hot, dtype):
    _, has_targets, backwards, ragged = FORMS[form]
    encoder, _, *above = chain(kind, True, has_targets, backwards)
    steps, width = (OUT_STEPS, OUT_WIDTH) if has_targets else (STEPS, WIDTH)
    network = network_of((encoder, Forcing.on(CODE, steps, width, backwards, one_hot), *above), dtype)
    network.params[:] *= 3  # so that symbols differ
    x = rows_of(ragged, dtype)
    answers = network.answerer().block(x, 1.0, 0.0).reshape(len(x), steps, width)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for row, answer in zip(x, answers, strict=True):
        there = row.reshape(STEPS, WIDTH)
        there = there[~np.isnan(there[:, 0])].astype(float)
        length = steps if has_targets else len(there)
        code = naive_recurrent.answer(kind, network.arrays(0), there, True, False)
        expected = naive_decoded(kind, network, code, length, backwards, one_hot)
        np.testing.assert_allclose(answer[:length], expected, rtol=0, atol=tolerance)
        assert np.isnan(answer[length:]).all()
    codes = network.answerer(0, 1).block(x, 1.0, 0.0)
    decoded = network.answerer(1).block(codes, 1.0, 0.0).reshape(len(x), steps, width)
    assert np.isfinite(decoded).all()
    if has_targets:
        np.testing.assert_array_equal(decoded, answers)


def test_rows_are_decoded_alike_alone_and_among_others():
    network = network_of(chain("gru", True, False, True), "float32")
    x = np.tile(rows_of("rows", "float32"), (60, 1))
    whole = network.answerer().block(x, 1.0, 0.0)
    np.testing.assert_array_equal(whole, np.tile(network.answerer().block(x[:11], 1.0, 0.0), (60, 1)))
    for rows in ([4], [7, 2], [*range(10, -1, -1)]):
        answer = network.answerer().block(np.ascontiguousarray(x[rows]), 1.0, 0.0)
        np.testing.assert_array_equal(answer, whole[rows])


def test_what_is_told_has_the_size_of_the_answers():
    layers = chain("gru", True, True, False)
    with pytest.raises(ValueError, match="given steps of 4 x 2 numbers, but the chain answers with 12"):
        Network.zeros((*layers[:3], Convolution.on(layers[2].shape_out, 3, 1)), "float32")


def test_a_part_of_the_layers_that_are_told_answers_is_refused():
    network = network_of(chain("gru", True, True, False), "float32")
    for first, last in ((0, 2), (1, 3)):
        with pytest.raises(ValueError, match="expected all up to layer 3, whose answers layer 1 is given"):
            network.answerer(first, last)
