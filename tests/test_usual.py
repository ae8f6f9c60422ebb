"""What is chosen when only sizes are given: units by the data, epochs and minibatches by the number of rows."""

import logging

import numpy as np
import pytest
from sklearn.base import clone

from stacked import RBM, Autoencoder, SettingError, StackedAutoencoder, StackedClassifier, load
from stacked.data import ArrayRows, summarize
from stacked.defaults import KINDS, usual_batch, usual_epochs, usual_units, usual_validation
from stacked.scaling_rules import fit_scaling, kind_of
from stacked.training.plan import training_plan
from stacked.units.kinds import KINDS as UNIT_KINDS
from stacked.units.usual import Each, units_for

RNG = np.random.default_rng(3)
TABLE = RNG.normal(size=(120, 3)) @ RNG.normal(size=(3, 6)) * [1, 10, 100, 1, 1, 1] + 5
SHORT = {"finetune_epochs": 2, "unit_settings": {"epochs": 2}}


def _kind(array, mode="auto"):
    rows = ArrayRows(array)
    data = summarize(rows)
    scaling = fit_scaling(mode, rows, data, np.dtype(np.float32))
    return kind_of(scaling, *scaling.for_training(rows, data, np.dtype(np.float32))[1:])


def test_kinds_of_data():
    shares = RNG.random((80, 20))
    assert _kind((shares > 0.7).astype(np.float32)) == "binary"
    assert _kind(((shares > 0.7) * 255).astype(np.uint8).reshape(80, 4, 5)) == "binary"
    assert _kind(np.clip(9 * shares - 5, 0, 1)) == "ink"
    assert _kind(0.3 + 0.4 * shares) == "unit"
    assert _kind(TABLE) == "real" and _kind(TABLE, "minmax") == "unit"
    assert _kind(RNG.poisson(0.3 + RNG.gamma(0.2, 1.0, 40), (80, 40))) == "counts"


@pytest.mark.parametrize("data", KINDS)
@pytest.mark.parametrize("sizes", [[4], [20, 8, 2], [6, 6]])
@pytest.mark.parametrize("n_rows", [1, 200, 60_000])
def test_what_is_chosen_is_a_stack_that_can_be_trained(data, sizes, n_rows):
    units = units_for(sizes, data=data, n_rows=n_rows)
    StackedAutoencoder(units).plan()
    assert [unit.n_hidden for unit in units] == sizes
    low, _ = (-10, 10) if data in ("real", "counts") else (0, 1)
    assert units[0].output_activation == "linear" or low == 0
    assert usual_units(data, n_rows)[0] in UNIT_KINDS


def test_more_rows_never_get_more_epochs_and_few_get_enough_updates():
    for phase in ("pretrain", "finetune"):
        counts = [usual_epochs(n, usual_batch(n), phase) for n in (50, 500, 5_000, 50_000, 500_000)]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] * -(-50 // min(usual_batch(50), 50)) >= 1000
    assert usual_epochs(60_000, 100, "pretrain") == 10 and usual_epochs(60_000, 100, "finetune") == 20
    assert usual_batch(60_000) == 100 and usual_validation(60_000) == (0.0, None)
    assert usual_validation(1) == (0.0, None)


def test_a_plan_chooses_when_it_knows_the_rows():
    def chosen(**settings):
        plan = training_plan(RBM(4, **settings)).on(1000)
        return plan.epochs, plan.batch_size, plan.validation_fraction, plan.patience

    batch = usual_batch(1000)
    epochs, held = usual_epochs(1000, batch, "pretrain"), usual_validation(1000)
    assert chosen() == (epochs, batch, *held)
    assert chosen(epochs=3) == (3, batch, 0.0, None)
    assert chosen(epochs=3, patience=2) == (3, batch, 0.1, 2)
    assert chosen(batch_size=1000) == (usual_epochs(1000, 1000, "pretrain"), 1000, *held)
    assert chosen(validation_fraction=0.5) == (epochs, batch, 0.5, held[1])
    assert chosen(validation_fraction=0.0) == (epochs, batch, 0.0, None)
    assert chosen(patience=None) == (epochs, batch, held[0], None)


@pytest.mark.parametrize(
    ("unit", "rate"),
    [
        (RBM(4), 0.1),
        (RBM(4, visible="gaussian"), 1e-3),
        (RBM(4, hidden="gaussian"), 1e-3),
        (Autoencoder(4), 0.1),
        (Autoencoder(4, optimizer="adam"), 1e-3),
        (Autoencoder(4, output="linear"), 1e-3),
    ],
)
def test_an_automatic_rate_suits_the_unit(unit, rate):
    assert unit.validate().on(100, unit.usual_rate(1600)).learning_rate == ((0, pytest.approx(rate)),)


def test_sizes_alone_make_a_stack_for_the_data(tmp_path, caplog):
    model = StackedAutoencoder([5, 2], random_state=0, **SHORT)
    with caplog.at_level(logging.INFO, "stacked.choices"):
        model.fit(TABLE)
    said = " ".join(caplog.messages)
    assert "scaling='auto': each column to mean 0" in said and "unit='auto' makes" in said
    assert model.units == [5, 2] and [unit.n_hidden for unit in model.units_] == [5, 2]
    assert model.network_.layers[-1].activation == "linear"
    model.save(tmp_path / "m.h5")
    again = load(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.transform(TABLE), model.transform(TABLE))
    assert [type(unit) for unit in again.units] == [type(unit) for unit in model.units_]
    twin = clone(model).fit(TABLE)
    np.testing.assert_array_equal(twin.network_.params, model.network_.params)
    given = StackedAutoencoder(model.templates, finetune_epochs=2, random_state=0).fit(TABLE)
    np.testing.assert_array_equal(given.network_.params, model.network_.params)


def test_units_that_answer_in_the_unit_range_get_data_in_it():
    for model in (RBM(3, epochs=1), StackedAutoencoder([RBM(3, epochs=1)]), StackedClassifier([RBM(3, epochs=1)])):
        model.set_params(random_state=0).fit(TABLE, np.arange(120) % 2)
        assert model.scaling_.method == "each column to [0, 1]"
    asked = StackedAutoencoder([3], random_state=0, **SHORT)
    asked.set_params(unit_settings={"epochs": 1, "visible": "bernoulli"}).pretrain(TABLE)
    assert asked.scaling_.unit_range and asked.units_[0].visible == "bernoulli"
    asked.set_params(unit="rbm", unit_settings={"epochs": 1}).pretrain(TABLE)
    assert not asked.scaling_.unit_range and asked.units_[0].visible == "gaussian"


def test_a_stack_of_sizes_goes_on_with_other_data_of_its_kind_and_chooses_anew_when_it_is_pretrained(small):
    model = StackedAutoencoder([4], random_state=0, **SHORT).pretrain(TABLE)
    model.finetune(TABLE)
    model.pretrain(np.where(small > 0.5, 1, small / 4))  # ink
    assert model.units_[0].output_activation == "sigmoid" and model.n_features_in_ == 64


def test_classifiers_of_sizes(small, digits):
    model = StackedClassifier([12, 6], random_state=0, finetune_epochs=5, unit_settings={"epochs": 3})
    labels = np.arange(120) % 2
    assert model.fit(TABLE, labels).predict(TABLE).shape == (120,)
    stack = StackedAutoencoder([12, 6], random_state=0, **SHORT).pretrain(TABLE)
    on = StackedClassifier.on(stack, finetune_epochs=3).finetune(TABLE, labels)
    assert on.n_code_layers_ == 2 and on.network_.layers[1] == stack.network_.layers[1]
    ink = StackedClassifier([12, 6], random_state=0, finetune_epochs=1, unit_settings={"epochs": 1})
    ink.fit((small > 0.5).astype(np.float32), digits.labels[:300])
    assert [unit.hidden for unit in ink.units_] == ["bernoulli", "bernoulli"]


def test_settings_for_all_units_or_each():
    units = units_for([8, 4], "rbm", "same", {"learning_rate": 0.3, "epochs": Each((3, 5))})
    assert [(unit.learning_rate, unit.epochs) for unit in units] == [(0.3, 3), (0.3, 5)]
    (unit,) = units_for([8], given={"k": 3}, data="real")
    assert isinstance(unit, RBM) and (unit.k, unit.visible) == (3, "gaussian")
    (unit,) = units_for([8], given={"corruption_level": 0.3}, data="binary")
    assert isinstance(unit, Autoencoder) and unit.corruption_level == 0.3
    with pytest.raises(
        SettingError, match="unit: expected parameters that one kind of unit takes, found contraction, k"
    ):
        units_for([8], given={"k": 3, "contraction": 0.1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": [0]}, "units"),
        ({"units": [5, 2.5]}, "units"),
        ({"units": [5, RBM(3)]}, "units"),
        ({"units": [5], "unit": "gan"}, "unit: expected one of auto, rbm"),
        ({"units": [5], "code": "odd"}, "code: expected one of auto, linear, same"),
        ({"units": [5], "unit_settings": [1]}, "unit_settings: expected a dict of parameters"),
        ({"units": [5], "unit_settings": {"epochs": -1}}, "epochs"),
        ({"units": [5], "unit_settings": {"colour": 1}}, "colour"),
        (
            {"units": [5], "unit_settings": {"epochs": Each((1, 2))}},
            "epochs: expected 1 values, one for each unit, found 2",
        ),
    ],
)
def test_bad_settings_are_refused_before_training(settings, message):
    with pytest.raises(SettingError, match=message):
        StackedAutoencoder(**settings).fit(TABLE)


def test_a_single_narrow_layer_is_linear_where_the_data_decide():
    (unit,) = units_for([3], data="real", n_columns=10)
    assert unit.code_activation == "linear" == unit.output_activation
    (wide,) = units_for([30], data="real", n_columns=10)
    (asked,) = units_for([3], "autoencoder", data="unit", n_columns=10)
    assert (wide.code_activation, asked.code_activation) == ("relu", "sigmoid")


@pytest.mark.parametrize(("activation", "start"), [("tanh", "random"), ("relu", "principal"), ("linear", "principal")])
def test_other_activations_start_at_random(activation, start):
    units = units_for([8, 4], data="real", given={"activation": activation})
    assert [unit.start for unit in units] == [start, "principal" if start == "principal" else "random"]
    StackedAutoencoder(units).plan()


def test_many_weights_get_fewer_updates_of_few_rows():
    few, many = (training_plan(RBM(4)).on(400, n_weights=n).epochs for n in (1000, 10**7))
    assert few > many >= 10


def test_the_rate_of_fine_tuning_goes_by_the_widest_layer_the_data_among_them():
    model = StackedAutoencoder([30, 5])
    assert model._plan_on(100, (100, 100)).learning_rate == ((0, pytest.approx(4e-4)),)
    assert model._plan_on(100, (40,)).learning_rate == ((0, pytest.approx(min(3e-3, 0.04 / 40**0.5))),)


def test_two_rows_take_no_more_updates_than_many():
    assert usual_epochs(2, usual_batch(2), "pretrain") <= 1000


def test_the_rate_of_fine_tuning_falls_with_what_pretraining_left(monkeypatch):
    from stacked.training import loop

    seen = []
    real = loop.update_settings
    monkeypatch.setattr(loop, "update_settings", lambda *args: seen.append(real(*args)) or seen[-1])
    model = StackedAutoencoder([6, 3], random_state=0, finetune_epochs=1, unit_settings={"epochs": 1}).pretrain(TABLE)
    usual = model._plan_on(120, (6,)).learning_rate[0][1]
    for settings, low, high in (({}, 0.3, 0.99), ({"finetune_learning_rate": usual}, 1, 1)):
        model.set_params(**settings)
        del seen[:]
        model.finetune(TABLE)
        assert all(low * 0.999 <= update.learning_rate / usual <= high * 1.001 for update in seen)
    random = StackedAutoencoder([6, 3], random_state=0, finetune_epochs=1)
    del seen[:]
    random.finetune(TABLE)
    assert all(update.learning_rate == pytest.approx(usual) for update in seen)
