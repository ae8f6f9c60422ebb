"""The guard: data against units, units against each other, and losses that are not finite or explode."""

import math

import numpy as np
import pytest

from stacked import RBM, Autoencoder, DataError, DivergedError, SettingError, StackedAutoencoder, StackedClassifier

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
        estimator.set_params(random_state=0).fit(change(small))
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
    with pytest.raises(SettingError, match="unit 1"):
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
    with pytest.raises(DivergedError, match=rf"unit 0 .*epoch \d+.*{setting}") as caught:
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
