"""What all estimators share: widths, scaled units, the loss that "auto" means, images, and attributes put back after errors."""

import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    DataError,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    VariationalAutoencoder,
)  # fmt: skip
from stacked.data import ArrayRows
from stacked.inputs import rows_for
from stacked.training.losses import loss_for

SHORT = {"epochs": 1, "batch_size": 50}


@pytest.mark.parametrize(
    ("loss", "output", "meant"),
    [
        ("auto", "sigmoid", "cross_entropy"),
        ("auto", "linear", "squared_error"),
        ("auto", "tanh", "squared_error"),
        ("cross_entropy", "sigmoid", "cross_entropy"),
        ("squared_error", "sigmoid", "squared_error"),
        ("squared_error", "relu", "squared_error"),
    ],
)
def test_the_loss_that_is_meant(loss, output, meant):
    assert loss_for(loss, output) == meant
    assert StackedAutoencoder([Autoencoder(4, output=output)], finetune_loss=loss)._loss() == meant
    assert StackedClassifier([Autoencoder(4, output=output)])._loss() == "softmax_cross_entropy"


@pytest.mark.parametrize("output", ["linear", "tanh", "relu", "softplus"])
def test_cross_entropy_needs_sigmoid_outputs(output):
    for name, check in (
        ("loss", Autoencoder(4, output=output, loss="cross_entropy").validate),
        ("finetune_loss", StackedAutoencoder([Autoencoder(4, output=output)], finetune_loss="cross_entropy").plan),
    ):
        with pytest.raises(SettingError, match=rf"^{name}: cross_entropy needs sigmoid outputs, found {output}"):
            check()
    with pytest.raises(SettingError, match=r"^loss: expected one of auto, .*; found 'mse'"):
        loss_for("mse", "sigmoid")


@pytest.mark.parametrize(
    ("visible", "hidden"), [("bernoulli", "gaussian"), ("gaussian", "rectified"), ("bernoulli", "bernoulli")]
)
def test_the_units_of_a_machine_are_the_activations_of_its_network(visible, hidden, small):
    names = {"bernoulli": "sigmoid", "gaussian": "linear", "rectified": "relu"}
    unit = RBM(4, visible=visible, hidden=hidden, epochs=0, random_state=0).fit(small)
    assert (unit.code_activation, unit.output_activation) == (names[hidden], names[visible])
    encoder, decoder = unit.network_.layers
    assert (encoder.activation, decoder.activation, decoder.tied_to) == (names[hidden], names[visible], 0)
    assert unit.visible_activation == names[visible]


def test_views_of_a_fitted_unit_are_its_networks(small):
    unit = Autoencoder(5, tied=False, random_state=0, **SHORT).fit(small)
    assert (unit.weight_.shape, unit.hidden_bias_.shape, unit.visible_bias_.shape) == ((64, 5), (5,), (64,))
    by_hand = 1 / (1 + np.exp(-(small.astype(np.float64) @ unit.weight_ + unit.hidden_bias_)))
    np.testing.assert_allclose(unit.transform(small), by_hand, rtol=1e-5)
    decoded = 1 / (1 + np.exp(-(by_hand @ unit.network_.weight(1) + unit.visible_bias_)))
    np.testing.assert_allclose(unit.reconstruct(small), decoded, rtol=1e-4)
    assert unit.network_.layers[1].tied_to is None
    assert (unit.n_features_in_, unit.n_code_layers_, unit.seed_) == (64, 1, 0)


def test_a_score_is_minus_the_squared_error_in_scaled_units(small):
    raw = 9 * small - 2
    unit = RBM(5, scaling="minmax", random_state=0, **SHORT).fit(raw)
    error = ((raw - unit.reconstruct(raw)).astype(np.float64) ** 2).sum(1).mean() * unit.scaling_.scale**2
    assert unit.score(raw) == pytest.approx(-error, rel=1e-4)


@pytest.mark.parametrize("width", [2, 4])
def test_codes_of_another_width_are_refused(width, small):
    deep = StackedAutoencoder([RBM(5, **SHORT), RBM(3, **SHORT)], finetune_epochs=1, random_state=0).fit(small)
    assert deep.inverse_transform(np.zeros((2, 3))).shape == (2, 64)
    assert list(deep.get_feature_names_out()) == [f"stackedautoencoder{i}" for i in range(3)]
    with pytest.raises(DataError, match=f"<codes>: X has {width} features, but the model is expecting 3"):
        deep.inverse_transform(np.zeros((2, width)))


def test_rows_for_an_estimator_note_or_check_the_number_of_features(small):
    unit, images = RBM(4), small.reshape(300, 8, 8)
    for x in (small, images, ArrayRows(small), small.tolist()):
        rows = rows_for(unit, x, reset=True)
        assert unit.n_features_in_ == rows.n_columns == 64 and rows.n_rows == 300
        unit.n_features_in_ = 63
        with pytest.raises(ValueError, match="63 features"):
            rows_for(unit, x, reset=False)
    rows = ArrayRows(small)
    assert rows_for(unit, rows, reset=True) is rows
    assert rows_for(unit, images, reset=True).sample_shape == (8, 8)
    assert rows_for(unit, rows, reset=False) is rows


def test_attributes_are_put_back_after_an_error_and_kept_otherwise():
    unit = RBM(4)
    before = dict(vars(unit))
    with pytest.raises(KeyboardInterrupt), unit._all_or_nothing():
        unit.n_hidden, unit.other_ = 5, 1
        raise KeyboardInterrupt
    assert vars(unit) == before
    with unit._all_or_nothing():
        unit.n_hidden = 5
    assert unit.n_hidden == 5


@pytest.mark.parametrize("scaling", ["auto", "none", "minmax"])
def test_only_floats_for_a_model_of_the_unit_range_must_lie_in_it_in_use(scaling, small):
    unit = RBM(4, scaling=scaling, random_state=0, **SHORT).fit(small)
    wide = 2 * small
    if scaling == "minmax":
        assert unit.transform(wide).shape == (300, 4)
    else:
        with pytest.raises(DataError, match=r"\[0, 1\], found \[0, 2\]"):
            unit.transform(wide)
    assert RBM(4, visible="gaussian", learning_rate=0.001, scaling=scaling, **SHORT).fit(small).transform(wide).any()


def test_a_model_that_was_trained_beyond_the_unit_range_takes_such_rows_in_use(digits):
    x = np.random.default_rng(0).standard_normal((300, 6))
    clf = StackedClassifier([Autoencoder(4)], finetune_epochs=1, random_state=0).finetune(x, digits.labels[:300])
    assert clf.predict(x).shape == (300,) and clf.transform(3 * x).shape == (300, 4)


def test_the_precision_that_is_set_now_is_that_of_the_answers(small):
    unit = RBM(4, random_state=0, **SHORT).fit(small)
    assert not unit._network.bfloat16 and unit.set_params(precision="bfloat16")._network.bfloat16
    with pytest.raises(SettingError, match="precision: expected float32"):
        unit.set_params(precision="float64").transform(small)


DEFAULTS = {
    RBM: {
        "n_hidden": 256, "visible": "bernoulli", "hidden": "bernoulli", "k": 1, "persistent": False,
        "sparsity_target": None, "sparsity_weight": 0.0, "sparsity_decay": 0.9, "learning_rate": 0.1,
        "momentum": 0.9, "weight_decay": 2e-4, "l1": 0.0, "batch_size": 100, "epochs": 10, "validation_fraction": 0.0,
        "patience": None, "scaling": "auto", "precision": "float32", "n_threads": None, "random_state": None,
    },
    Autoencoder: {
        "n_hidden": 256, "activation": "sigmoid", "output": "sigmoid", "loss": "auto", "corruption": "masking",
        "corruption_level": 0.0, "emphasis": (1.0, 1.0), "code_l1": 0.0, "contraction": 0.0, "sparsity_target": None,
        "sparsity_weight": 0.0, "tied": True, "start": "random", "optimizer": "momentum", "learning_rate": 0.1, "momentum": 0.9,
        "weight_decay": 0.0, "l1": 0.0, "batch_size": 100, "epochs": 10, "line_searches": 3, "validation_fraction": 0.0,
        "patience": None, "scaling": "auto", "precision": "float32", "n_threads": None, "random_state": None,
    },
    VariationalAutoencoder: {
        "n_hidden": 50, "hidden_layers": (200, 200), "activation": "tanh", "output": "bernoulli", "binarize": False, "samples": 1,
        "kl_warmup": 0, "optimizer": "adam", "learning_rate": 1e-3, "momentum": 0.9, "weight_decay": 0.0, "l1": 0.0,
        "batch_size": 100, "epochs": 10, "line_searches": 3, "validation_fraction": 0.0, "patience": None, "scaling": "auto",
        "precision": "float32", "n_threads": None, "random_state": None,
    },
    StackedClassifier: {
        "units": None, "finetune_epochs": 20, "finetune_optimizer": "adam", "finetune_learning_rate": 1e-3,
        "finetune_momentum": 0.9, "finetune_linear_decay": True, "finetune_batch_size": 100, "finetune_weight_decay": 0.0,
        "finetune_l1": 0.0, "line_searches": 3, "validation_fraction": 0.0, "patience": None, "scaling": "auto",
        "precision": "float32", "n_threads": None, "random_state": None,
    },
}  # fmt: skip
DEFAULTS[StackedAutoencoder] = {
    **DEFAULTS[StackedClassifier], "finetune_loss": "auto", "finetune_code_l1": 0.0, "finetune_sparsity_target": None,
    "finetune_sparsity_weight": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("make", DEFAULTS, ids=lambda make: make.__name__)
def test_defaults_are_those_that_results_were_measured_with(make):
    assert make().get_params(deep=False) == DEFAULTS[make]
