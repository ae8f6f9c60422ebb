"""The guard: data against units, units against each other, and losses that are not finite or explode."""

import math

import numpy as np
import pytest

from stacked import RBM, Autoencoder, DataError, DivergedError, SettingError, StackedAutoencoder, StackedClassifier
from stacked.checks import check_chain, check_range, check_width
from stacked.data import ArrayRows, summarize
from stacked.training.guard import trivial_loss

OUT_OF_RANGE = [
    (RBM(4), lambda x: x * 3, r"\[0, 1\]"),
    (RBM(4), lambda x: x - 0.5, r"\[0, 1\]"),
    (Autoencoder(4), lambda x: x * 3, r"\[0, 1\]"),
    (Autoencoder(4, output="tanh"), lambda x: x * 3, r"\[-1, 1\]"),
    (Autoencoder(4, output="relu"), lambda x: x - 1, "at least 0"),
    (StackedAutoencoder([RBM(4)]), lambda x: x * 3, r"\[0, 1\]"),
    (RBM(4), lambda x: np.full_like(x, 0.5), "constant"),
    (RBM(4), lambda x: np.where(np.arange(64) == 5, np.nan, x), "column 5"),
    (RBM(4), lambda x: np.where(np.arange(64) == 7, np.inf, x), "column 7"),
]


@pytest.mark.parametrize(("estimator", "change", "message"), OUT_OF_RANGE)
def test_unfit_data_are_refused_before_training(estimator, change, message, small):
    with pytest.raises(DataError, match=message):
        estimator.set_params(random_state=0, scaling="none").fit(change(small))
    assert not hasattr(estimator, "network_")


def test_gaussian_units_and_scaling_accept_what_bernoulli_units_refuse(small):
    RBM(4, visible="gaussian", learning_rate=0.001, epochs=1, random_state=0).fit(small * 3)
    RBM(4, scaling="minmax", epochs=1, random_state=0).fit(small * 3)


MISMATCHED = [
    [RBM(8, hidden="rectified"), RBM(4)],
    [RBM(8, hidden="gaussian"), RBM(4)],
    [Autoencoder(8, activation="tanh"), Autoencoder(4)],
    [Autoencoder(8, activation="linear"), RBM(4)],
]


@pytest.mark.parametrize("units", MISMATCHED)
def test_units_whose_activations_disagree_are_refused(units, small):
    with pytest.raises(SettingError, match=r"^unit 2: .* codes of unit 1;"):
        StackedAutoencoder(units, random_state=0).fit(small)


@pytest.mark.parametrize(
    ("unit", "setting"),
    [
        (RBM(32, visible="gaussian", hidden="gaussian", learning_rate=5.0, batch_size=20), "learning_rate"),
        (Autoencoder(32, activation="relu", output="linear", learning_rate=50.0, batch_size=20), "learning_rate"),
    ],
)
def test_divergence_names_unit_epoch_and_setting_and_keeps_good_weights(unit, setting, small):
    unit.set_params(random_state=0, epochs=20)
    with pytest.raises(DivergedError, match=rf"unit 1 .*epoch \d+.*{setting}") as caught:
        unit.fit(small)
    assert "\n" not in str(caught.value)
    assert np.isfinite(unit.network_.params).all()
    assert math.isfinite(unit.score(small))


def test_divergence_later_keeps_the_last_good_epoch(small):
    unit = Autoencoder(
        16, activation="relu", output="linear", learning_rate=[(0, 0.01), (3, 1e4)], random_state=0, epochs=9
    )
    kept = []
    with pytest.raises(DivergedError, match="epoch 4"):
        unit.fit(small, callback=lambda record: kept.append(unit.network_.params.copy()))
    assert len(kept) == 3
    np.testing.assert_array_equal(unit.network_.params, kept[-1])


def test_finetuning_that_diverges_names_its_own_setting(small, digits):
    clf = StackedClassifier(
        [Autoencoder(16, activation="relu", output="linear", learning_rate=0.01, epochs=1)], random_state=0
    )
    clf.set_params(finetune_optimizer="momentum", finetune_learning_rate=1e6)
    with pytest.raises(DivergedError, match=r"fine-tuning.*finetune_learning_rate"):
        clf.fit(small, digits.labels[:300])
    assert np.isfinite(clf.network_.params).all()


@pytest.mark.parametrize("width", [63, 65])
def test_wrong_width_is_named(width, small):
    unit = RBM(4, epochs=1, random_state=0).fit(small)
    with pytest.raises(ValueError, match=f"X has {width} features"):
        unit.transform(np.zeros((3, width), np.float32))


def _summary(low, high):
    return summarize(ArrayRows(np.array([[low, high], [low, low]])))


ALLOWED = {
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, 1e9),
    "softplus": (0.0, 1e9),
    "linear": (-1e9, 1e9),
}


@pytest.mark.parametrize("kind", ALLOWED)
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.25, -0.5)])
def test_the_scaled_range_may_reach_the_bounds_of_the_outputs_with_a_little_slack(kind, scale, offset):
    low, high = ALLOWED[kind]

    def check(least, most):
        check_range(kind, (scale, offset), _summary((least - offset) / scale, (most - offset) / scale), "here")

    check(low, high)
    check(low - 5e-7, high + 5e-7)
    beyond = [(low - 2e-6, high)] if kind != "linear" else []
    beyond += [(low, high + 2e-6)] if kind in ("sigmoid", "tanh") else []
    for least, most in beyond:
        with pytest.raises(DataError, match=rf"^here: {kind} "):
            check(least, most)


@pytest.mark.parametrize(
    ("fitted", "advice", "never"), [(False, "set scaling", "training"), (True, "training data", "set")]
)
def test_the_advice_suits_the_use(fitted, advice, never):
    """Training data are not beyond their own range, and who uses a model can set nothing any more."""
    with pytest.raises(DataError, match=advice) as caught:
        check_range("sigmoid", (1.0, 0.0), _summary(0.0, 2.0), "here", fitted)
    assert never not in str(caught.value)


def test_what_a_fitted_model_cannot_take_is_refused_without_a_setting(small):
    unit = RBM(4, epochs=1, random_state=0).fit(small)
    stack = StackedAutoencoder([RBM(4, epochs=1)], random_state=0).pretrain(small)
    for use in (unit.transform, unit.reconstruct, stack.transform, stack.finetune):
        with pytest.raises(
            DataError, match=r"found \[0, 3\]; these are beyond the range of the training data; give data"
        ):
            use(3 * small)


FITS = {
    "sigmoid": {"sigmoid", "linear"},
    "tanh": {"tanh", "linear"},
    "relu": {"relu", "linear", "softplus"},
    "softplus": {"relu", "linear", "softplus"},
    "linear": {"linear"},
}


@pytest.mark.parametrize("code", FITS)
@pytest.mark.parametrize("visible", FITS)
def test_which_visible_side_models_which_codes(code, visible):
    units = [Autoencoder(4), Autoencoder(4, activation=code), Autoencoder(4, output=visible)]
    if visible in FITS[code]:
        check_chain(units)
    else:
        with pytest.raises(SettingError, match=rf"^unit 3: .*{visible}, .*{code} codes of unit 2;"):
            check_chain(units)


def test_a_trivial_loss_is_that_of_the_best_constant_answer_in_scaled_units():
    x = np.random.default_rng(0).random((40, 3))
    data, scaled = summarize(ArrayRows(4 * x - 1)), (0.25, 0.25)
    p = x.mean()
    assert trivial_loss("squared_error", data, scaled) == pytest.approx(3 * x.var())
    entropy = -3 * (p * np.log(p) + (1 - p) * np.log(1 - p))
    assert trivial_loss("cross_entropy", data, scaled) == pytest.approx(entropy)
    assert trivial_loss("softmax_cross_entropy", data, scaled, 5) == pytest.approx(np.log(5))
    for mean, clipped in ((0.0, 0.001), (1.0, 0.999)):
        all_alike = -(clipped * np.log(clipped) + (1 - clipped) * np.log(1 - clipped))
        found = trivial_loss("cross_entropy", summarize(ArrayRows(np.full((4, 3), mean))), (1.0, 0.0))
        assert found == pytest.approx(3 * all_alike)


def test_rows_of_the_expected_width_pass():
    check_width(ArrayRows(np.zeros((2, 3))), 3)
    for width in (2, 4):
        with pytest.raises(DataError, match=f"X has 3 features, but the model is expecting {width} features"):
            check_width(ArrayRows(np.zeros((2, 3))), width)
