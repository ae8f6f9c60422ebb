"""Units made ready to train: plans, start values, streams of random numbers, noise, what a phase is given."""

import numpy as np
import pytest
from scipy.special import expit

from stacked import RBM, Autoencoder, ModelFileError, SettingError, StackedAutoencoder, StackedClassifier
from stacked.data import ArrayRows, summarize
from stacked.kernels.arithmetic.corruption import CORRUPTIONS, NONE
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.random import CORRUPTION, SAMPLING, SHUFFLE, WEIGHTS, stream_key
from stacked.kernels.arithmetic.stochastic import UNIT_KINDS
from stacked.layers import Dense
from stacked.models import stack as stack_module
from stacked.network import Network
from stacked.scaling_rules import fit_scaling
from stacked.training.loop import Progress
from stacked.training.plan import remedy, training_plan
from stacked.training.start import Resume, initial_output_bias, restore
from stacked.units import base as unit_module

from . import naive

FLOAT64 = np.dtype(np.float64)


@pytest.fixture
def phases(monkeypatch):
    """The phases that are to be run; nothing is trained."""
    seen = []
    for module in (unit_module, stack_module):
        monkeypatch.setattr(module, "run", lambda phase, hooks, progress: seen.append(phase) or progress)
    return seen


# ---- plans -----------------------------------------------------------------------------------------------------------

TRAINING = {
    "epochs": 3,
    "batch_size": 5,
    "learning_rate": [(0, 0.25), (2, 0.125)],
    "momentum": 0.75,
    "weight_decay": 0.01,
    "l1": 0.02,
    "validation_fraction": 0.3,
    "patience": 7,
}


@pytest.mark.parametrize(
    ("plan", "optimizer", "line_searches", "linear_decay"),
    [
        (RBM(4, **TRAINING).validate(), "momentum", 3, False),
        (Autoencoder(4, optimizer="adam", line_searches=9, **TRAINING).validate(), "adam", 9, False),
    ],
)
def test_every_training_parameter_of_a_unit_has_its_place_in_the_plan(plan, optimizer, line_searches, linear_decay):
    assert (plan.epochs, plan.batch_size, plan.optimizer) == (3, 5, optimizer)
    assert plan.learning_rate == ((0, 0.25), (2, 0.125)) and plan.momentum == ((0, 0.75),)
    assert (plan.l2, plan.l1, plan.validation_fraction, plan.patience) == (0.01, 0.02, 0.3, 7)
    assert (plan.line_searches, plan.linear_decay) == (line_searches, linear_decay)


@pytest.mark.parametrize("make", [StackedAutoencoder, StackedClassifier])
@pytest.mark.parametrize("decay", [True, False])
def test_a_stacks_plan_is_that_of_its_finetuning(make, decay):
    shared = ("validation_fraction", "patience")
    own = {name if name in shared else f"finetune_{name}": value for name, value in TRAINING.items()}
    units = [Autoencoder(4, epochs=99, batch_size=98, learning_rate=97.0, line_searches=96)]
    settings = {"finetune_optimizer": "cg", "line_searches": 9, "finetune_linear_decay": decay, **own}
    plan = make(units, **settings).plan()
    assert (plan.epochs, plan.batch_size, plan.optimizer) == (3, 5, "cg")
    assert plan.learning_rate == ((0, 0.25), (2, 0.125)) and plan.momentum == ((0, 0.75),)
    assert (plan.l2, plan.l1, plan.validation_fraction, plan.patience) == (0.01, 0.02, 0.3, 7)
    assert (plan.line_searches, plan.linear_decay) == (9, decay)


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"momentum": 1.0}, "momentum"), ({"validation_fraction": 1.0}, "validation_fraction"), ({"epochs": -1}, "epochs"),
     ({"patience": 0, "validation_fraction": 0.5}, "patience"), ({"batch_size": 0}, "batch_size"), ({"l1": -0.1}, "l1"),
     ({"patience": 2, "validation_fraction": 0.0}, "patience")],
)  # fmt: skip
def test_bounds_of_a_plan_are_named(settings, named):
    for prefix, estimator in (("", RBM(4)), ("finetune_", StackedAutoencoder([RBM(4)]))):
        names = {name if hasattr(estimator, name) else prefix + name: value for name, value in settings.items()}
        with pytest.raises(SettingError, match=rf"^(finetune_)?{named}:"):
            training_plan(estimator.set_params(**names), prefix)
    assert training_plan(RBM(4, epochs=0, momentum=0.0, batch_size=1)).epochs == 0


def test_the_remedy_names_the_setting_of_the_phase():
    plan, searched = Autoencoder(4).validate(), Autoencoder(4, optimizer="lbfgs").validate()
    assert remedy(plan, "finetune_") == "lower finetune_learning_rate"
    assert remedy(searched) == "lower line_searches, or raise batch_size or weight_decay"
    assert remedy(searched, "finetune_") == "lower line_searches, or raise finetune_batch_size or finetune_weight_decay"


# ---- start values ----------------------------------------------------------------------------------------------------

ANSWER = {
    "sigmoid": expit,
    "tanh": np.tanh,
    "softplus": lambda a: np.logaddexp(0, a),
    "relu": lambda a: np.maximum(a, 0),
    "linear": lambda a: a,
}
MEANS = {
    "sigmoid": ([0.0, 0.0004, 0.25, 0.5, 1.0], [0.001, 0.001, 0.25, 0.5, 0.999]),
    "tanh": ([-1.0, -0.5, 0.0, 0.7, 1.0], [-0.999, -0.5, 0.0, 0.7, 0.999]),
    "softplus": ([0.0, 0.0004, 0.25, 0.5, 40.0], [0.001, 0.001, 0.25, 0.5, 40.0]),
    "relu": ([-1.0, -0.5, 0.0, 0.7, 3.0], [0.0, 0.0, 0.0, 0.7, 3.0]),
    "linear": ([-1.0, -0.5, 0.0, 0.7, 3.0], [-1.0, -0.5, 0.0, 0.7, 3.0]),
}


def _rows_with_mean(mean):
    """Rows whose columns have these means."""
    return ArrayRows(np.add.outer([0.1, -0.1], mean))


@pytest.mark.parametrize("activation", MEANS)
def test_a_silent_network_answers_with_the_clipped_mean(activation):
    mean, expected = MEANS[activation]
    bias = initial_output_bias(activation, (1.0, 0.0), summarize(_rows_with_mean(mean)))
    np.testing.assert_allclose(ANSWER[activation](bias), expected, rtol=1e-9, atol=1e-12)
    assert bias.shape == (5,) and (activation != "relu" or bias.min() == 0)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "linear"])
def test_the_mean_is_that_of_the_scaled_data(activation):
    rows = ArrayRows(np.array([[[10.0, 30.0, 20.0]], [[20.0, 25.0, 12.0]]]))
    data = summarize(rows)
    scaling = fit_scaling("minmax", rows, data, FLOAT64)
    bias = initial_output_bias(activation, scaling.uniform, data)
    np.testing.assert_allclose(ANSWER[activation](bias), [0.25, 0.875, 0.3], rtol=1e-9)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softplus", "relu", "linear"])
def test_outputs_start_at_the_mean_in_units_and_in_unpretrained_stacks(output, small, phases):
    unit = Autoencoder(4, output=output, random_state=0).fit(small)
    deep = StackedAutoencoder([Autoencoder(4, output=output), RBM(2)], random_state=0).finetune(small)
    for network in (unit.network_, deep.network_):
        answer = ANSWER[output](network.bias(len(network.layers) - 1).astype(np.float64))
        expected = np.clip(small.mean(0), 0.001, 0.999) if output in ("sigmoid", "softplus") else small.mean(0)
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-6)
        assert all(not network.bias(layer).any() for layer in range(len(network.layers) - 1))


def _drawn(fill, key, layer, shape):
    out = np.empty(shape)
    fill(key, layer, 0, out)
    return out


@pytest.mark.parametrize("index", [0, 1, 5])
def test_an_rbm_starts_with_small_normal_weights_of_its_own_stream(index):
    network = Network.zeros(RBM(5).layers((9,)).whole, "float64")
    RBM(5).draw_weights(network, 3, index)
    expected = 0.01 * _drawn(naive.fill_normal_matrix, stream_key(3, WEIGHTS, index), 0, (9, 5))
    np.testing.assert_allclose(network.weight(0), expected, rtol=1e-12)
    assert not network.bias(0).any() and not network.bias(1).any()


@pytest.mark.parametrize("index", [0, 1, 5])
def test_an_autoencoder_starts_with_uniform_weights_of_its_own_stream_layer_by_layer(index):
    unit = Autoencoder(5, tied=False, output="linear")
    network = Network.zeros(unit.layers((9,)).whole, "float64")
    unit.draw_weights(network, 3, index)
    for layer, (shape, width) in enumerate((((9, 5), 4), ((5, 9), 1))):
        numbers = _drawn(naive.fill_uniform_matrix, stream_key(3, WEIGHTS, index), layer, shape)
        expected = (2 * numbers - 1) * width * np.sqrt(6 / 14)
        np.testing.assert_allclose(network.weight(layer), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("activation", "width"),
    [("sigmoid", 4 * np.sqrt(6 / 70)), ("tanh", np.sqrt(6 / 70)), ("linear", np.sqrt(6 / 70)),
     ("softmax", np.sqrt(6 / 70)), ("relu", np.sqrt(6 / 40)), ("softplus", np.sqrt(6 / 40))],
)  # fmt: skip
def test_weights_fill_the_range_that_suits_the_activation(activation, width):
    network = Network.zeros([Dense(40, 30, activation), Dense(30, 40, "linear", 0)], "float64")
    network.params[:] = 7
    network.randomize(0, 0)
    weight = network.weight(0)
    assert -width <= weight.min() < -0.98 * width and 0.98 * width < weight.max() < width
    assert abs(weight.mean()) < 0.05 * width
    assert not network.params[network.n_weights :].any()


def test_layers_units_and_seeds_of_one_shape_have_different_weights():
    def drawn(seed, unit):
        network = Network.zeros([Dense(8, 8, "sigmoid"), Dense(8, 8, "sigmoid"), Dense(8, 8, "sigmoid")], "float32")
        network.randomize(seed, unit)
        return [network.weight(layer) for layer in range(3)]

    weights = drawn(0, 0) + drawn(0, 1) + drawn(1, 0)
    assert all((weights[i] != weights[j]).mean() > 0.9 for i in range(9) for j in range(i))


# ---- noise -----------------------------------------------------------------------------------------------------------


def _images(small):
    return np.round(200 * small).astype(np.uint8) + 20


@pytest.mark.parametrize(
    ("change", "scaling", "low", "high"),
    [
        (_images, "auto", 20 / 255, 220 / 255),
        (_images, "minmax", 0.0, 1.0),
        (lambda x: 0.5 * x + 0.25, "auto", 0.25, 0.75),
        (lambda x: 9 * x - 3, "minmax", 0.0, 1.0),
    ],
)
def test_salt_and_pepper_are_the_highest_and_lowest_value_as_the_unit_sees_them(
    change, scaling, low, high, small, phases
):
    Autoencoder(4, corruption="salt_and_pepper", corruption_level=0.3, scaling=scaling, random_state=0).fit(
        change(small)
    )
    noise = phases[0].trainee.objective.corruption
    assert (noise.kind, noise.level) == (CORRUPTIONS["salt_and_pepper"], 0.3)
    assert (noise.low, noise.high) == pytest.approx((low, high), abs=1e-6)


def test_salt_and_pepper_of_an_upper_unit_are_those_of_its_codes(small, phases):
    noisy = Autoencoder(3, corruption="salt_and_pepper", corruption_level=0.1)
    deep = StackedAutoencoder([RBM(5), noisy], random_state=0).pretrain(_images(small))
    codes, noise = deep.units_[0].transform(_images(small)), phases[1].trainee.objective.corruption
    assert (noise.low, noise.high) == (codes.min(), codes.max())


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper", "gaussian", "none"])
@pytest.mark.parametrize("level", [0.0, 0.4])
def test_corruption_has_its_kind_and_level_and_none_at_level_zero(kind, level, small, phases):
    Autoencoder(4, corruption=kind, corruption_level=level, random_state=0).fit(small)
    noise = phases[0].trainee.objective.corruption
    assert noise.kind == (CORRUPTIONS[kind] if level else NONE) and noise.level == level


def test_finetuning_is_without_corruption(small, phases):
    StackedAutoencoder([Autoencoder(4, corruption_level=0.4)], random_state=0).finetune(small)
    assert phases[0].trainee.objective.corruption.kind == NONE


# ---- what a phase is given -------------------------------------------------------------------------------------------


def test_each_unit_has_its_own_plan_streams_and_scaling(small, phases):
    units = [RBM(6, epochs=3), Autoencoder(5, epochs=4, loss="squared_error"), Autoencoder(4, epochs=5)]
    deep = StackedAutoencoder(units, scaling="minmax", random_state=8, finetune_epochs=6).fit(
        9 * small.reshape(300, 8, 8)
    )
    assert [(phase.name, phase.unit, phase.plan.epochs) for phase in phases] == [
        ("pretrain", 0, 3), ("pretrain", 1, 4), ("pretrain", 2, 5), ("finetune", -1, 6),
    ]  # fmt: skip
    streams = (0, 1, 2, 2**20)
    low, high = float((9 * small.reshape(300, 8, 8)).min()), float((9 * small.reshape(300, 8, 8)).max())
    for phase, stream in zip(phases, streams, strict=True):
        raw = stream in (0, 2**20)
        scaled = (1 / (high - low), -low / (high - low)) if raw else (1.0, 0.0)
        assert (phase.feed.scale, phase.feed.offset) == pytest.approx(scaled) == phase.trainee.source.scaled
        assert phase.feed._key == stream_key(8, SHUFFLE, stream)
        assert phase.trainee._key == stream_key(8, CORRUPTION if stream else SAMPLING, stream)
    assert [phase.trainee.loss for phase in phases] == [
        "squared_error",
        "squared_error",
        "cross_entropy",
        "cross_entropy",
    ]
    assert [phase.where for phase in phases] == [
        "unit 1 (RBM, 64-6)", "unit 2 (Autoencoder, 6-5)", "unit 3 (Autoencoder, 5-4)", "fine-tuning",
    ]  # fmt: skip
    assert [phase.remedy for phase in phases] == ["lower learning_rate"] * 3 + ["lower finetune_learning_rate"]
    assert phases[3].trainee.objective.loss == LOSSES["cross_entropy"]
    assert phases[3].trainee.params is deep.network_.params


def test_the_next_units_data_are_the_codes_of_the_scaled_rows(small, phases):
    raw = 9 * small - 2
    deep = StackedAutoencoder([RBM(6), RBM(5), RBM(4)], scaling="minmax", random_state=8).pretrain(raw)
    first = deep.units_[0].transform(raw)
    np.testing.assert_allclose(phases[1].feed.rows.array, first, rtol=1e-6)
    np.testing.assert_allclose(phases[2].feed.rows.array, deep.units_[1].transform(first), rtol=1e-6)
    assert [unit.seed_ for unit in deep.units_] == [8, 8, 8]
    for index, (unit, codes) in enumerate(
        zip(deep.units_[1:], (first, deep.units_[1].transform(first)), strict=True), 1
    ):
        np.testing.assert_allclose(expit(unit.visible_bias_), codes.mean(0), rtol=1e-4)
        numbers = _drawn(naive.fill_normal_matrix, stream_key(8, WEIGHTS, index), 0, unit.weight_.shape)
        np.testing.assert_allclose(unit.weight_, 0.01 * numbers, rtol=1e-4, atol=1e-8)


def _entropy(p, n):
    return -n * (p * np.log(p) + (1 - p) * np.log(1 - p))


def test_the_trivial_loss_of_a_phase_is_that_of_its_own_data_and_loss(small, digits, phases):
    raw, scaled = 9 * small.reshape(300, 8, 8) - 2, (small - small.min()) / (small.max() - small.min())
    deep = StackedAutoencoder([RBM(6), Autoencoder(5)], scaling="minmax", random_state=8).fit(raw)
    codes = deep.units_[0].transform(raw)
    StackedClassifier.on(deep).finetune(raw, digits.labels[:300])
    expected = [64 * scaled.var(), _entropy(codes.mean(), 6), _entropy(scaled.mean(), 64), np.log(10)]
    assert [phase.trivial_loss for phase in phases] == pytest.approx(expected, rel=1e-4)


def test_an_unpretrained_stack_starts_from_a_stream_of_its_own(small, phases):
    deep = StackedAutoencoder([RBM(6), RBM(4)], random_state=8).finetune(small)
    expected = Network.zeros(deep.network_.layers, "float32")
    expected.randomize(8, 2**20)
    for layer in range(4):
        np.testing.assert_array_equal(deep.network_.weight(layer), expected.weight(layer))


@pytest.mark.parametrize(("batch_size", "chains"), [(7, 7), (300, 300), (400, 300)])
def test_there_are_as_many_chains_as_rows_in_a_minibatch(batch_size, chains, small, phases):
    unit = RBM(6, k=3, persistent=True, visible="gaussian", hidden="rectified", batch_size=batch_size, random_state=0)
    trainee = unit.fit(small) and phases[0].trainee
    assert trainee.arrays["chains"].shape == (chains, 6)
    machine = trainee.machine
    assert (machine.n_visible, machine.n_hidden, machine.k, machine.persistent) == (64, 6, 3, True)
    assert (machine.visible, machine.hidden) == (UNIT_KINDS["gaussian"], UNIT_KINDS["rectified"])


def test_energies_of_many_blocks_are_those_of_single_rows(digits):
    unit = RBM(6, epochs=1, random_state=0).fit(digits.array[:50])
    binary = (np.random.default_rng(0).random((2100, 64)) < 0.5).astype(np.float32)
    for name in ("free_energy", "pseudo_likelihood"):
        found = getattr(unit, name)(binary)
        for row in (0, 1023, 1024, 2047, 2048, 2099):
            assert found[row] == pytest.approx(getattr(unit, name)(binary[row : row + 1])[0], rel=1e-6)
        assert len(np.unique(found)) > 2000


# ---- going on --------------------------------------------------------------------------------------------------------


def _resume(trainee, **changes):
    arrays = {name: np.full_like(array, 3) for name, array in trainee.arrays.items()}
    arrays.update({name: array for name, array in changes.items() if array is not None})
    return Resume(0, Progress(), {name: a for name, a in arrays.items() if changes.get(name, a) is not None})


@pytest.fixture
def trainee(small, phases):
    """Of a persistent machine: it keeps parameters, velocity and chains."""
    RBM(4, persistent=True, batch_size=5, random_state=0).fit(small)
    return phases[0].trainee


@pytest.mark.parametrize("best", [False, True])
def test_a_checkpoints_arrays_are_copied_into_the_trainees(best, trainee):
    kept = {"best_params": np.full_like(trainee.params, 9)} if best else {}
    resume, before = _resume(trainee, **kept), dict(trainee.arrays)
    restore(trainee, resume)
    for name, array in trainee.arrays.items():
        assert array is before[name] and (array == 3).all() and array is not resume.arrays[name]
    assert resume.progress.best_params is kept.get("best_params")


@pytest.mark.parametrize(
    ("name", "change"),
    [("velocity", lambda a: None), ("chains", lambda a: a[1:]), ("params", lambda a: a.astype(np.float64)),
     ("squares", lambda a: np.zeros(3, np.float32)), ("best_params", lambda a: np.zeros(3, np.float32))],
)  # fmt: skip
def test_arrays_that_the_trainee_does_not_have_are_refused_and_nothing_is_copied(name, change, trainee):
    before = trainee.params.copy()
    with pytest.raises(ModelFileError, match=rf"/checkpoint: {name}: "):
        restore(trainee, _resume(trainee, **{name: change(trainee.arrays.get(name))}))
    np.testing.assert_array_equal(trainee.params, before)


@pytest.mark.parametrize("name", ["free_energy", "pseudo_likelihood"])
def test_energies_are_of_the_rows_as_the_unit_sees_them(name, small):
    unit = RBM(6, epochs=1, random_state=0).fit(small)
    images = np.rint(small * 255).astype(np.uint8)
    scaled = RBM(6, epochs=1, random_state=0).fit(images)
    scaled.network_.params[:] = unit.network_.params
    found, expected = getattr(scaled, name)(images), getattr(unit, name)((images / 255).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
