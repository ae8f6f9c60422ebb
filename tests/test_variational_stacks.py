"""Variational units in stacks and classifiers, and what is refused of them."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from stacked import (
    RBM,
    Autoencoder,
    DataError,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    VariationalAutoencoder,
)  # fmt: skip
from stacked.models.variational import has_gaussian_code
from stacked.training.trainees import MEANS

from .variational_models import (
    forward,
    linear_model,
    moved,
    small_vae,
    some_vae,
    unit_rows,
)


@pytest.fixture(scope="module")
def rows():
    return unit_rows()


# ---- in stacks -------------------------------------------------------------------------------------------------------


def test_codes_are_means(rows):
    model = moved(small_vae(epochs=0).fit(rows))
    np.testing.assert_allclose(model.transform(rows), forward(model.network_, 0, 2, rows)[:, :3], rtol=1e-10)
    assert has_gaussian_code(model) and model.n_code_layers_ == 3


def test_the_next_unit_trains_on_the_means(small, monkeypatch):
    seen, original = [], VariationalAutoencoder.trainee

    def trainee(self, network, source, plan):
        seen.append(source.rows.read(0, source.rows.n_rows))
        return original(self, network, source, plan)

    monkeypatch.setattr(VariationalAutoencoder, "trainee", trainee)
    upper = VariationalAutoencoder(2, hidden_layers=(), output="gaussian", epochs=1)
    model = StackedAutoencoder([some_vae(), upper], random_state=0).pretrain(small)
    np.testing.assert_array_equal(seen[1], model.units_[0].transform(small))
    assert not has_gaussian_code(model)  # two of them
    with pytest.raises(SettingError, match=r"^units: expected one Gaussian code on top of StackedAutoencoder"):
        model.bound(small)
    assert model.set_params(finetune_epochs=1).finetune(small).reconstruct(small).shape == small.shape


def test_on_top_of_machines_fine_tuning_raises_the_bound(digits):
    units = [RBM(60, epochs=3), VariationalAutoencoder(6, hidden_layers=(20,), epochs=3)]
    model = StackedAutoencoder(units, finetune_epochs=15, finetune_learning_rate=0.003, random_state=0).pretrain(digits)
    x = digits.array[:200]
    before = model.bound(x, 50).mean()
    model.finetune(digits)
    assert model.bound(x, 50).mean() > before + 1
    record = model.history_[-1]
    assert record.phase == "finetune" and record.penalty > 1  # a divergence is in it
    assert -record.loss - record.penalty < model.bound(digits.array, 50).mean()
    samples = model.sample(30, random_state=2)
    assert samples.shape == (30, 64) and samples.min() >= 0 and samples.max() <= 1
    np.testing.assert_array_equal(model.sample(4, random_state=2), samples[:4])


def test_a_stack_without_pretraining_is_a_deep_variational_model(digits):
    units = [Autoencoder(40), VariationalAutoencoder(4, hidden_layers=(20,))]
    model = StackedAutoencoder(units, finetune_epochs=10, finetune_learning_rate=0.003, random_state=0).finetune(digits)
    assert has_gaussian_code(model) and model.history_[-1].loss < model.history_[0].loss - 2
    assert np.isfinite(model.bound(digits.array[:20], 20)).all()


def test_the_lowest_unit_says_whether_a_stack_draws_binary_data(rows):
    def stack(binarize):
        unit = VariationalAutoencoder(3, hidden_layers=(6,), binarize=binarize)
        return StackedAutoencoder(
            [unit], finetune_epochs=1, finetune_learning_rate=0.0, precision="float64", random_state=0
        )

    gray, binary = (stack(b).finetune(rows) for b in (False, True))
    np.testing.assert_array_equal(gray.network_.params, binary.network_.params)
    assert gray.history_[0].loss != binary.history_[0].loss
    assert not np.array_equal(gray.bound(rows, 5), binary.bound(rows, 5))


def test_a_classifier_sees_the_means_and_no_noise(rows):
    x, y = rows.astype(np.float32), np.arange(90) % 3
    units = [VariationalAutoencoder(3, hidden_layers=(6,), epochs=1, batch_size=20)]
    frozen = StackedClassifier(units, finetune_epochs=2, finetune_learning_rate=0.0, random_state=0).fit(x, y)
    first, second = (record for record in frozen.history_ if record.phase == "finetune")
    assert frozen._stochastic() == MEANS and first.penalty == second.penalty == 0
    assert first.loss == pytest.approx(second.loss, rel=1e-9) == pytest.approx(np.log(3), rel=1e-6)
    learned = StackedClassifier(units, finetune_epochs=3, random_state=0).fit(x, y)
    np.testing.assert_allclose(learned.predict_proba(x).sum(axis=1), 1, rtol=1e-5)
    assert learned.history_[-1].loss < np.log(3)


# ---- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden_layers", ["abc", 3, None, (0,), (2.5,), (-1, 3), (True,), [[3]], {3}])
def test_hidden_layers_that_are_no_sizes(hidden_layers, rows):
    with pytest.raises(SettingError, match=r"^hidden_layers: expected a "):
        VariationalAutoencoder(3, hidden_layers=hidden_layers).fit(rows)


@pytest.mark.parametrize("hidden_layers", [(), [7], (9, 7, 5), np.arange(1, 1), (np.int64(4),)])
def test_hidden_layers_lie_between_data_and_code_and_back(hidden_layers, rows):
    if isinstance(hidden_layers, np.ndarray):
        with pytest.raises(SettingError, match=r"^hidden_layers: "):
            VariationalAutoencoder(3, hidden_layers=hidden_layers, epochs=0).fit(rows)
        return
    model = VariationalAutoencoder(3, hidden_layers=hidden_layers, epochs=0).fit(rows)
    sizes = [layer.n_out for layer in model.network_.layers]
    assert sizes == [*hidden_layers, 6, 3, *reversed(hidden_layers), 12]


@pytest.mark.parametrize(
    "params, message",
    [
        ({"samples": 1001}, "samples: expected a whole number of at most 1000, found 1001"),
        ({"hidden_layers": (3,) * 101}, "hidden_layers: expected at most 100 sizes, found 101"),
        ({"samples": 0}, "samples: expected a whole number of at least 1, found 0"),
        ({"kl_warmup": -1}, "kl_warmup: expected a whole number of at least 0, found -1"),
        ({"output": "sigmoid"}, "output: expected one of bernoulli, gaussian; found 'sigmoid'"),
        ({"binarize": 1}, "binarize: expected True or False, found 1"),
        (
            {"binarize": True, "output": "gaussian"},
            "binarize: expected binary data, which output='bernoulli' models, found output='gaussian'; leave it out",
        ),
        ({"activation": "softmax"}, "activation: expected one of"),
    ],
)
def test_settings_that_are_refused(params, message, rows):
    with pytest.raises(SettingError) as caught:
        VariationalAutoencoder(3, **params).fit(rows)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("binarize", [False, True])
def test_binary_likelihoods_want_data_in_the_unit_range(binarize, rows):
    for x in (2 * rows, rows - 0.5):
        with pytest.raises(DataError, match=r"VariationalAutoencoder: sigmoid units expect data in \[0, 1\], found"):
            VariationalAutoencoder(3, binarize=binarize, scaling="none").fit(x)
    model = small_vae(epochs=0, binarize=binarize).fit(rows)
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        model.bound(2 * rows)


def test_rows_of_absurd_values_have_no_bound(rows):
    model = linear_model(rows - 0.5, precision="float32", epochs=0)
    with pytest.raises(DataError, match=r"the bound of some rows is not finite; their values are too large$"):
        model.bound(1e30 * rows, 3)


@pytest.mark.parametrize("model", [VariationalAutoencoder(3), StackedAutoencoder([VariationalAutoencoder(3)])])
def test_models_that_are_not_fitted_have_neither_bound_nor_samples(model, rows):
    for call in (lambda: model.bound(rows), lambda: model.sample(3), lambda: model.score(rows)):
        with pytest.raises(NotFittedError):
            call()


def test_models_without_a_gaussian_code_have_no_bound(small):
    assert not hasattr(Autoencoder(3), "bound") and not hasattr(RBM(3), "bound")
    model = StackedAutoencoder([RBM(3, epochs=0)], random_state=0).pretrain(small)
    with pytest.raises(
        SettingError, match=r"^units: expected one Gaussian code .* make the uppermost unit a Variational"
    ):
        model.bound(small)


@pytest.mark.parametrize("samples", [0, -3, 1.5, "x", 2**32])
def test_numbers_of_draws_that_are_refused(samples, rows):
    with pytest.raises(SettingError, match=r"^samples: expected a whole number"):
        small_vae(epochs=0).fit(rows).bound(rows, samples)


def test_more_gaussian_codes_than_there_is_room_for_are_refused(small):
    lowest = VariationalAutoencoder(2, hidden_layers=(), epochs=0)
    upper = [VariationalAutoencoder(2, hidden_layers=(), output="gaussian", epochs=0) for _ in range(8)]
    StackedAutoencoder([lowest, *upper[:7]], finetune_epochs=0, random_state=0).finetune(small)
    with pytest.raises(
        SettingError, match=r"^units: expected at most 8 penalties on the codes of a network, .* found 9; "
    ):
        StackedAutoencoder([lowest, *upper], finetune_epochs=0, random_state=0).finetune(small)
