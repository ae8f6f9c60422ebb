"""Units of more than one layer: alone, between others in a stack, in files, and under a classifier."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    ModelFileError,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    load,
    registry,
)
from stacked.files import read_model, write_model
from stacked.layers import Dense
from stacked.models import loading, parts, stack
from stacked.models.saving import to_record
from stacked.tests.deep_unit import DeepUnit
from stacked.training.checkpoint import Checkpointer, load_checkpoint

from .store_records import with_attributes

SHORT = {"epochs": 2, "batch_size": 50}
ARRAYS = {
    "encoder_0_weight": (64, 7), "encoder_0_bias": (7,), "encoder_1_weight": (7, 5), "encoder_1_bias": (5,),
    "decoder_0_bias": (7,), "decoder_1_bias": (64,),
}  # fmt: skip


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The unit has its line in the registry."""
    home = registry.Home("tests.deep_unit", "deep_unit")
    monkeypatch.setitem(registry.UNITS, "DeepUnit", home)
    monkeypatch.setattr(parts, "KINDS", (*registry.KINDS, "deep_unit"))
    monkeypatch.setitem(parts.SINGLE_UNITS, "deep_unit", "DeepUnit")
    monkeypatch.setitem(loading.KINDS, "deep_unit", DeepUnit)
    monkeypatch.setitem(loading.UNIT_CLASSES, "DeepUnit", DeepUnit)


def _units():
    return [RBM(12, **SHORT), DeepUnit(6, 9, **SHORT), Autoencoder(3, tied=False, activation="tanh", **SHORT)]


def _deep(**settings):
    return StackedAutoencoder(_units(), **{"finetune_epochs": 2, "random_state": 0, **settings})


def _copied(network):
    return [{name: array.copy() for name, array in network.arrays(i).items()} for i in range(len(network.layers))]


def _assert_layers(network, expected):
    for index, arrays in enumerate(expected):
        for name, array in network.arrays(index).items():
            np.testing.assert_array_equal(array, arrays[name])


def test_a_unit_of_two_layers_trains_encodes_and_decodes(small):
    unit = DeepUnit(5, learning_rate=0.05, epochs=10, random_state=0).fit(small)
    assert unit.n_code_layers_ == 2 and unit.transform(small).shape == (300, 5)
    assert unit.history_[-1].loss < unit.history_[0].loss
    np.testing.assert_allclose(unit.inverse_transform(unit.transform(small)), unit.reconstruct(small), rtol=1e-5)
    by_hand = np.tanh(small.astype(np.float64) @ unit.network_.weight(0) + unit.network_.bias(0))
    by_hand = 1 / (1 + np.exp(-(by_hand @ unit.network_.weight(1) + unit.network_.bias(1))))
    np.testing.assert_allclose(unit.transform(small), by_hand, rtol=1e-4)
    np.testing.assert_array_equal(unit.network_.weight(3), unit.network_.weight(0).T)


def test_outputs_of_the_last_layer_start_at_the_mean(small):
    unit = DeepUnit(5, epochs=0, random_state=0).fit(small)
    mean = np.clip(small.mean(0), 1e-3, 1 - 1e-3)
    np.testing.assert_allclose(unit.network_.bias(3), np.log(mean / (1 - mean)), rtol=1e-4)
    assert not any(unit.network_.bias(layer).any() for layer in range(3))


def test_a_stack_concatenates_encoders_and_turns_decoders_round(small):
    deep = _deep().pretrain(small)
    lower, middle, upper = deep.units_
    assert deep.network_.layers == (
        Dense(64, 12, "sigmoid"), Dense(12, 9, "tanh"), Dense(9, 6, "sigmoid"), Dense(6, 3, "tanh"),
        Dense(3, 6, "sigmoid"), Dense(6, 9, "tanh"), Dense(9, 12, "sigmoid"), Dense(12, 64, "sigmoid"),
    )  # fmt: skip
    assert (deep.n_code_layers_, middle.n_code_layers_, upper.n_features_in_) == (4, 2, 6)
    (one, back), (two, three, four, five), (six, seven) = (_copied(unit.network_) for unit in deep.units_)
    _assert_layers(deep.network_, [one, two, three, six, seven, four, five, back])
    codes = upper.transform(middle.transform(lower.transform(small)))
    np.testing.assert_allclose(deep.transform(small), codes, rtol=1e-4, atol=1e-6)
    down = lower.inverse_transform(middle.inverse_transform(upper.inverse_transform(codes)))
    np.testing.assert_allclose(deep.reconstruct(small), down, rtol=1e-4, atol=1e-6)


def test_a_stack_with_a_deep_unit_is_fine_tuned(small):
    deep = _deep(finetune_epochs=5).pretrain(small)
    before, units = deep.score(small), [_copied(unit.network_) for unit in deep.units_]
    deep.finetune(small)
    assert deep.score(small) > before and deep.transform(small).shape == (300, 3)
    for unit, arrays in zip(deep.units_, units, strict=True):
        _assert_layers(unit.network_, arrays)
    again = _deep(finetune_epochs=5).fit(small)
    np.testing.assert_array_equal(again.network_.params, deep.network_.params)


def test_without_pretraining_all_layers_start_at_random(small):
    deep = _deep(finetune_epochs=0).finetune(small)
    assert deep.n_code_layers_ == 4 and deep.network_.layers == _deep().pretrain(small).network_.layers
    assert all(deep.network_.weight(layer).any() for layer in range(8)) and deep.transform(small).shape == (300, 3)


@pytest.mark.parametrize("at", [0, 2])
def test_a_message_about_a_unit_gives_all_of_its_sizes(at, small, monkeypatch):
    phases = []
    monkeypatch.setattr(stack, "run", lambda phase, hooks, progress: phases.append(phase.where) or progress)
    units = [RBM(12), RBM(8), RBM(6)]
    units[at] = DeepUnit(units[at].n_hidden, 9)
    StackedAutoencoder(units, random_state=0).pretrain(small)
    assert phases[at] == f"unit {at + 1} (DeepUnit, {(64, 12, 8)[at]}-9-{units[at].n_hidden})"


# ---- stacks that did not come to their upper units, and units that were changed -------------------------------------------


def _stopped(units, index, small, monkeypatch):
    """A stack in which unit ``index`` fails before it has a network."""
    prepare = stack.prepare_unit

    def failing(unit, *args):
        if unit.n_hidden == units[index].n_hidden:
            raise MemoryError
        return prepare(unit, *args)

    monkeypatch.setattr(stack, "prepare_unit", failing)
    deep = StackedAutoencoder(units, random_state=0, finetune_epochs=1)
    with pytest.raises(MemoryError):
        deep.pretrain(small)
    return deep


def test_units_that_were_not_come_to_are_counted_in_units_and_not_in_layers(small, monkeypatch, tmp_path):
    units = [DeepUnit(12, 20, **SHORT), DeepUnit(6, 9, **SHORT), RBM(3, **SHORT)]
    deep = _stopped(units, 2, small, monkeypatch)
    assert deep.n_code_layers_ == 4 and len(deep.units_) == 2
    with pytest.raises(SettingError, match=r"^units: only 2 of 3 were pretrained; pretrain again, or resume$"):
        deep.finetune(small)
    deep.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert [unit.n_hidden for unit in again.units] == [12, 6] == [unit.n_hidden for unit in again.units_]
    np.testing.assert_array_equal(again.transform(small), deep.transform(small))
    again.finetune(small)


def test_a_lower_unit_that_was_changed_since_is_not_saved(small, monkeypatch, tmp_path):
    deep = _stopped([RBM(12, **SHORT), DeepUnit(6, 9, **SHORT)], 1, small, monkeypatch)
    for units in ([RBM(11), DeepUnit(6, 9)], [DeepUnit(12, 20), RBM(6)]):
        with pytest.raises(SettingError, match="not what the network was pretrained with"):
            deep.set_params(units=units).save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


def test_a_unit_whose_inner_width_was_changed_since_is_not_saved(small, tmp_path):
    unit = DeepUnit(5, random_state=0, **SHORT).fit(small)
    with pytest.raises(
        SettingError, match=r"^DeepUnit: its layers, or the precision, are not what it was trained with"
    ):
        unit.set_params(n_between=8).save(tmp_path / "unit.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("unit", [DeepUnit(6, 8), DeepUnit(5, 9), RBM(6)])
def test_fine_tuning_refuses_another_unit_of_several_layers(unit, small):
    deep = _deep().pretrain(small)
    with pytest.raises(SettingError, match="pretrain"):
        deep.set_params(units=[deep.units[0], unit, deep.units[2]]).finetune(small)


def test_two_units_are_not_one_of_their_layers(small, tmp_path):
    deep = StackedAutoencoder([Autoencoder(9, activation="tanh", output="sigmoid", **SHORT),
                               Autoencoder(6, output="tanh", **SHORT)], random_state=0).pretrain(small)  # fmt: skip
    other = StackedAutoencoder([DeepUnit(6, 9, **SHORT)], random_state=0).pretrain(small)
    assert other.network_.layers == deep.network_.layers
    with pytest.raises(SettingError, match="not what the network was pretrained with"):
        deep.set_params(units=other.units).save(tmp_path / "model.h5")


# ---- files ---------------------------------------------------------------------------------------------------------------


def test_a_file_keeps_a_unit_layer_by_layer(small, tmp_path):
    unit = DeepUnit(5, random_state=0, **SHORT).fit(small)
    unit.save(tmp_path / "unit.h5")
    assert unit._array_shapes((64,)) == ARRAYS == {name: array.shape for name, array in unit._arrays().items()}
    with h5py.File(tmp_path / "unit.h5") as file:
        assert {name: array.shape for name, array in file["units/0"].items()} == ARRAYS
        assert (file["units/0"].attrs["n_hidden"], file["units/0"].attrs["n_code_layers"]) == (5, 2)
        assert set(file["encoder"]) == set(file["decoder"]) == {"0", "1"}
    again = load(tmp_path / "unit.h5")
    assert type(again) is DeepUnit and again.n_code_layers_ == 2 and again.get_params() == unit.get_params()
    np.testing.assert_array_equal(again.network_.params, unit.network_.params)


def test_a_stack_of_units_of_several_layers_is_what_was_saved(small, tmp_path):
    deep = _deep().fit(small)
    deep.save(tmp_path / "deep.h5")
    again = load(tmp_path / "deep.h5")
    assert again.n_code_layers_ == 4 and [unit.n_code_layers_ for unit in again.units_] == [1, 2, 1]
    for one, other in zip([again, *again.units_], [deep, *deep.units_], strict=True):
        assert one.network_.layers == other.network_.layers
        np.testing.assert_array_equal(one.network_.params, other.network_.params)
    np.testing.assert_array_equal(again.finetune(small).network_.params, deep.finetune(small).network_.params)


def _tampered(record, index, **changes):
    units = list(record.units)
    units[index] = replace(units[index], **changes)
    return replace(record, units=tuple(units))


def _params(record, **changes):
    return _tampered(record, 1, params={**record.units[1].params, **changes})


UNFIT = {
    "width within a unit": (lambda r: _params(r, n_between=8), "/units/1@params: .*/units/1/encoder_0_weight: expected"),
    "layers of a unit": (
        lambda r: _tampered(r, 1, attributes={**r.units[1].attributes, "n_code_layers": 1}),
        r"/units/1: expected \(12, 9\) units as in the encoder, found \(12, 6\)",
    ),
    "one array less": (
        lambda r: _tampered(r, 1, arrays={n: a for n, a in r.units[1].arrays.items() if n != "decoder_0_bias"}),
        "/units/1@params: .*/units/1: expected the arrays",
    ),
    "a unit in the place of two": (
        lambda r: replace(r, units=(r.units[0], with_attributes(r.units[1], n_hidden=3, n_code_layers=3))),
        "/units/1@params: .*/units/1@n_hidden: expected 6 as its parameters say, found 3",
    ),
    "a unit's class": (
        lambda r: _tampered(r, 1, kind="Autoencoder", params={"n_hidden": 6}),
        "/units/1@params: .*/units/1@n_code_layers: expected 1 as its parameters say, found 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_units_that_do_not_fit_into_the_stack_are_refused(name, small, tmp_path):
    change, message = UNFIT[name]
    record = to_record(_deep().pretrain(small))
    write_model(tmp_path / "bad.h5", change(record))
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path / "bad.h5")


def test_a_unit_whose_inner_width_is_not_the_stack_s_is_refused(small, tmp_path):
    record = to_record(_deep().pretrain(small))
    other = to_record(StackedAutoencoder([RBM(12, **SHORT), DeepUnit(6, 8, **SHORT)], random_state=0).pretrain(small))
    units = (record.units[0], other.units[1], record.units[2])
    write_model(tmp_path / "bad.h5", replace(record, units=units))
    with pytest.raises(
        ModelFileError, match=r"/units/1@params: .*in the stack, layer 0 is dense .* parameters mean dense"
    ):
        load(tmp_path / "bad.h5")
    assert len(read_model(tmp_path / "bad.h5").units) == 3


STOPS = [("pretrain", 0, 0), ("pretrain", 1, 0), ("pretrain", 1, 1), ("pretrain", 2, 0), ("finetune", -1, 0)]


@pytest.mark.parametrize("stop", STOPS)
def test_a_run_that_was_interrupted_ends_with_the_same_bits(stop, small, tmp_path):
    def interrupt(record):
        if (record.phase, record.unit, record.epoch) == stop:
            raise InterruptedError

    whole, deep = _deep().fit(small), _deep()
    with pytest.raises(InterruptedError):
        deep.pretrain(small, callback=interrupt, checkpoint=Checkpointer(tmp_path / "run.h5", 0))
        deep.finetune(small, callback=interrupt, checkpoint=Checkpointer(tmp_path / "run.h5", 0))
    run = load_checkpoint(tmp_path / "run.h5")
    assert (run.phase, run.resume.unit) == stop[:2]
    getattr(run.model, run.phase)(small, resume=run.resume)
    if run.phase == "pretrain":
        run.model.finetune(small)
    np.testing.assert_array_equal(run.model.network_.params, whole.network_.params)
    for one, other in zip(run.model.units_, whole.units_, strict=True):
        np.testing.assert_array_equal(one.network_.params, other.network_.params)


# ---- classifiers ---------------------------------------------------------------------------------------------------------


def test_a_classifier_on_units_of_several_layers(small, digits, tmp_path):
    y = digits.labels[:300]
    deep = _deep().pretrain(small)
    clf = StackedClassifier.on(deep, finetune_epochs=0).finetune(small, y)
    assert clf.network_.layers == (*deep.network_.layers[:4], Dense(3, 10, "softmax")) and clf.n_code_layers_ == 4
    np.testing.assert_array_equal(clf.transform(small), deep.transform(small))
    clf.set_params(finetune_epochs=2).finetune(small, y)
    clf.save(tmp_path / "clf.h5")
    np.testing.assert_array_equal(load(tmp_path / "clf.h5").predict_proba(small), clf.predict_proba(small))
    codes = clf.transform(small)
    clf.set_params(finetune_epochs=0).finetune(small, y // 2)
    np.testing.assert_array_equal(clf.transform(small), codes)
    assert StackedClassifier(_units(), finetune_epochs=1, random_state=0).fit(small, y).predict(small).shape == (300,)
