"""The mistakes of others that live above the kernels, one test each; the numbers are those of `test_kernels_mistakes.py`."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, SettingError, StackedAutoencoder
from stacked.metrics import reconstruction_metrics
from stacked.training.feed import Feed


def test_03_visible_biases_start_at_the_logit_of_the_clipped_mean(small):
    for unit in (RBM(4, epochs=0, random_state=0), Autoencoder(4, epochs=0, random_state=0)):
        unit.fit(small)
        p = np.clip(small.mean(0), 0.001, 0.999)
        np.testing.assert_allclose(unit.visible_bias_, np.log(p / (1 - p)), rtol=1e-4)
    gaussian = RBM(4, visible="gaussian", epochs=0, random_state=0).fit(small)
    np.testing.assert_allclose(gaussian.visible_bias_, small.mean(0), rtol=1e-4, atol=1e-7)
    codes = StackedAutoencoder([RBM(6, epochs=1), RBM(3, epochs=0)], random_state=0).pretrain(small).units_
    mean = codes[0].transform(small).mean(0)
    np.testing.assert_allclose(codes[1].visible_bias_, np.log(mean / (1 - mean)), rtol=1e-3, atol=1e-6)


def test_04_unrolling_keeps_the_visible_biases_in_the_decoder(small):
    units = [
        RBM(12, epochs=2),
        Autoencoder(8, epochs=2, tied=False),
        RBM(4, hidden="gaussian", learning_rate=0.01, epochs=2),
    ]
    deep = StackedAutoencoder(units, random_state=0).pretrain(small)
    codes = small
    for unit in deep.units_:
        codes = unit.transform(codes)
    np.testing.assert_allclose(deep.transform(small), codes, atol=1e-6)
    for unit in reversed(deep.units_):
        codes = unit.inverse_transform(codes)
    np.testing.assert_allclose(deep.reconstruct(small), codes, atol=1e-6)
    assert np.abs(deep.units_[0].visible_bias_).max() > 1


def test_05_pretraining_and_finetuning_use_one_activation(small):
    relu = Autoencoder(6, activation="relu", output="linear", learning_rate=0.01, epochs=1)
    deep = StackedAutoencoder([RBM(8, epochs=1), relu], random_state=0)
    with pytest.raises(SettingError, match="unit 2"):
        StackedAutoencoder([relu, RBM(4)], random_state=0).fit(small)
    deep.pretrain(small)
    activations = [layer.activation for layer in deep.network_.layers]
    assert activations == ["sigmoid", "relu", "linear", "sigmoid"]


def test_06_the_target_is_clean_and_so_are_the_codes_for_the_next_unit(small, monkeypatch):
    noisy = Autoencoder(16, corruption_level=0.5, epochs=1, random_state=0)
    deep = StackedAutoencoder([noisy, RBM(4, epochs=1)], random_state=0)
    dealt = []
    original = Feed.__init__

    def spy(self, rows, *args, **kwargs):
        dealt.append(rows)
        original(self, rows, *args, **kwargs)

    monkeypatch.setattr(Feed, "__init__", spy)
    deep.pretrain(small)
    np.testing.assert_array_equal(dealt[0].array, small)
    np.testing.assert_array_equal(dealt[1].array, deep.units_[0].transform(small))


def test_06_validation_is_on_clean_rows(small):
    unit = Autoencoder(16, corruption_level=0.5, epochs=3, validation_fraction=0.2, random_state=0).fit(small)
    assert unit.history_[-1].validation_loss < unit.history_[-1].loss


def test_07_codes_are_the_mean_given_the_data_by_the_final_weights(small):
    deep = StackedAutoencoder([RBM(8, epochs=2), RBM(4, epochs=2)], random_state=0).pretrain(small)
    weight, bias = deep.units_[0].weight_, deep.units_[0].hidden_bias_
    by_hand = 1 / (1 + np.exp(-(small.astype(float) @ weight + bias)))
    np.testing.assert_allclose(deep.units_[0].transform(small), by_hand, atol=1e-6)
    alone = StackedAutoencoder([RBM(8, epochs=2)], random_state=0).pretrain(small)
    np.testing.assert_array_equal(alone.units_[0].weight_, weight)  # training unit 1 left unit 0 alone


def test_10_rmse_is_the_root_and_training_leaves_the_callers_rows_in_order(small):
    kept = small.copy()
    unit = RBM(8, epochs=2, random_state=0).fit(small)
    np.testing.assert_array_equal(small, kept)
    found = reconstruction_metrics(unit, small)
    difference = (small - unit.reconstruct(small)).astype(float)
    assert found["rmse"] == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-5)
    assert found["squared_error"] == pytest.approx((difference**2).sum(1).mean(), rel=1e-5)
