"""Stacks: what units inherit, how layers are laid out, snapshots, histories, classifiers and their heads, hooks."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, DataError, SettingError, StackedAutoencoder, StackedClassifier
from stacked.data import ArrayRows
from stacked.layers import Dense
from stacked.models import stack as stack_module
from stacked.training.loop import Record
from stacked.units import base as unit_module

SHORT = {"epochs": 2, "batch_size": 50}


def _units():
    relu = Autoencoder(6, activation="relu", output="linear", learning_rate=0.01, **SHORT)
    return [RBM(8, **SHORT), relu, Autoencoder(3, activation="tanh", output="softplus", tied=False, **SHORT)]


def _deep(**settings):
    return StackedAutoencoder(_units(), finetune_epochs=2, random_state=0, **settings)


@pytest.fixture
def y(digits):
    """(300,) labels of the small rows."""
    return digits.labels[:300]


def test_units_have_the_stacks_settings_and_its_patience_only_where_they_have_none(small):
    units = [RBM(8, patience=4, precision="float32", scaling="none", validation_fraction=0.9, **SHORT), RBM(4, **SHORT)]
    shared = {"precision": "float64", "n_threads": 1, "scaling": "minmax", "validation_fraction": 0.25}
    deep = StackedAutoencoder(units, patience=2, random_state=0, **shared).pretrain(small)
    for unit, patience in zip(deep.units_, (4, 2), strict=True):
        assert {name: getattr(unit, name) for name in shared} == shared
        assert unit.patience == patience and unit.network_.params.dtype == np.float64
    assert units[0].validation_fraction == 0.9 and not hasattr(units[0], "network_")


def test_layers_are_the_encoders_and_then_the_decoders_turned_round(small):
    layers = (
        Dense(64, 8, "sigmoid"), Dense(8, 6, "relu"), Dense(6, 3, "tanh"),
        Dense(3, 6, "softplus"), Dense(6, 8, "linear"), Dense(8, 64, "sigmoid"),
    )  # fmt: skip
    pretrained, random = _deep().pretrain(small), _deep(finetune_optimizer="momentum").finetune(small)
    assert pretrained.network_.layers == random.network_.layers == layers
    assert pretrained.n_code_layers_ == random.n_code_layers_ == 3
    for index, unit in enumerate(pretrained.units_):
        for layer, half in ((index, 0), (5 - index, 1)):
            np.testing.assert_array_equal(pretrained.network_.weight(layer), unit.network_.weight(half))
            np.testing.assert_array_equal(pretrained.network_.bias(layer), unit.network_.bias(half))
    assert not any(np.shares_memory(pretrained.network_.params, unit.network_.params) for unit in pretrained.units_)


def test_finetuning_leaves_the_units_as_pretrained(small):
    deep = _deep().pretrain(small)
    before = [unit.network_.params.copy() for unit in deep.units_]
    start = deep.network_.params.copy()
    deep.finetune(small)
    for unit, params in zip(deep.units_, before, strict=True):
        np.testing.assert_array_equal(unit.network_.params, params)
    assert not np.array_equal(deep.network_.params, start)


def _places(history):
    return [(r.phase, r.unit, r.epoch, r.epochs) for r in history]


def test_a_history_holds_all_units_and_the_last_finetuning(small):
    seen, deep = [], _deep()
    deep.fit(small, callback=seen.append)
    expected = [("pretrain", unit, epoch, 2) for unit in range(3) for epoch in range(2)]
    tuned = [("finetune", -1, epoch, 2) for epoch in range(2)]
    assert _places(deep.history_) == _places(seen) == expected + tuned
    assert [_places(unit.history_) for unit in deep.units_] == [expected[:2], expected[2:4], expected[4:]]
    deep.set_params(finetune_epochs=1).finetune(small)
    assert _places(deep.history_) == [*expected, ("finetune", -1, 0, 1)]
    deep.pretrain(small)
    assert _places(deep.history_) == expected


def test_a_callback_stops_a_unit_and_not_the_stack(small):
    deep = _deep().fit(small, callback=lambda record: record.unit == 1)
    counts = [sum(r.unit == unit for r in deep.history_) for unit in (0, 1, 2, -1)]
    assert counts == [2, 1, 2, 2]


def _record(phase, unit, epoch):
    return Record(phase, unit, epoch, 2, 1.0, None, 1.0, 1.0)


def test_a_snapshot_has_the_given_parameters_and_a_history_up_to_there(small):
    deep = _deep().fit(small)
    kept = [unit.network_.params.copy() for unit in deep.units_] + [deep.network_.params.copy()]
    params, now = np.full_like(kept[1], 5), [_record("pretrain", 1, 0)]
    copy = deep.snapshot(1, params, now)
    assert len(copy.units_) == 2 and copy.units_[0] is deep.units_[0]
    assert copy.units_[1].network_.params is params and (copy.network_.weight(1) == 5).all()
    np.testing.assert_array_equal(copy.network_.weight(0), deep.units_[0].weight_)
    assert copy.history_ == [r for r in deep.history_ if r.unit == 0] + now
    tuned = deep.snapshot(None, np.zeros_like(kept[3]), [_record("finetune", -1, 0)])
    assert not tuned.network_.params.any() and len(tuned.units_) == 3
    assert _places(tuned.history_) == [*_places(deep.history_)[:6], ("finetune", -1, 0, 2)]
    for found, before in zip([*(unit.network_ for unit in deep.units_), deep.network_], kept, strict=True):
        np.testing.assert_array_equal(found.params, before)
    assert len(deep.history_) == 8 and deep.n_code_layers_ == 3


class Hook:
    """Stands for a checkpointer: notes for which phase it was asked, and every state."""

    def __init__(self):
        self.asked, self.reached = [], []

    def at(self, stack, phase, unit):
        """The hook of one phase."""
        self.asked.append((phase, unit))
        return lambda progress, arrays: self.reached.append((phase, unit, progress.epoch))


def test_a_checkpointer_is_asked_for_each_phase(small):
    hook = Hook()
    deep = _deep().pretrain(small, checkpoint=hook)
    deep.finetune(small, checkpoint=hook)
    phases = [("pretrain", 0), ("pretrain", 1), ("pretrain", 2), ("finetune", -1)]
    assert hook.asked == phases
    assert hook.reached == [(*phase, epoch) for phase in phases for epoch in range(3)]


@pytest.mark.parametrize(
    "change",
    [{"units": [RBM(8), RBM(6)]}, {"units": [RBM(8), RBM(5)]}, {"units": [RBM(8, hidden="gaussian"), RBM(4, visible="gaussian")]},
     {"precision": "float64"}, {"units": [RBM(8), RBM(4), RBM(2)]}, {"units": [RBM(8)]}],
)  # fmt: skip
def test_finetuning_refuses_units_that_are_not_the_pretrained_ones(change, small):
    deep = StackedAutoencoder([RBM(8, epochs=1), RBM(4, epochs=1)], finetune_epochs=1, random_state=0).pretrain(small)
    params = deep.network_.params.copy()
    with pytest.raises(SettingError, match=r"pretrain(ed with)?"):
        deep.set_params(**change).finetune(small)
    np.testing.assert_array_equal(deep.network_.params, params)


# ---- classifiers -----------------------------------------------------------------------------------------------------


def _classifier():
    return StackedClassifier(_units(), finetune_epochs=2, random_state=0)


def test_a_head_starts_at_zero_on_the_pretrained_encoder(small, y):
    clf = _classifier().set_params(finetune_epochs=0).pretrain(small)
    codes = clf.transform(small)
    clf.finetune(small, y)
    assert clf.network_.layers[-1] == Dense(3, 10, "softmax") and len(clf.network_.layers) == 4
    assert not clf.network_.weight(3).any() and not clf.network_.bias(3).any()
    np.testing.assert_array_equal(clf.transform(small), codes)


def test_a_classifier_keeps_its_head_for_the_same_classes_and_its_encoder_for_others(small, y):
    clf = _classifier().fit(small, y)
    head, codes = clf.network_.weight(3).copy(), clf.transform(small)
    clf.set_params(finetune_epochs=0).finetune(small, y)
    np.testing.assert_array_equal(clf.network_.weight(3), head)
    clf.finetune(small, y + 1)
    assert not clf.network_.weight(3).any() and clf.classes_.tolist() == list(range(1, 11))
    np.testing.assert_array_equal(clf.transform(small), codes)


def test_pretraining_again_takes_the_head_away(small, y):
    clf = _classifier().fit(small, y).pretrain(small)
    assert not hasattr(clf, "classes_") and clf.network_.layers == _deep().pretrain(small).network_.layers[:3]


def test_labels_are_numbered_in_sorted_order_row_by_row(small, monkeypatch):
    phases = []
    monkeypatch.setattr(stack_module, "run", lambda phase, hooks, progress: phases.append(phase) or progress)
    names = np.array(["pear", "apple", "fig"])[np.arange(300) % 3]
    clf = StackedClassifier([RBM(4)], random_state=0).finetune(small, names)
    assert clf.classes_.tolist() == ["apple", "fig", "pear"]
    numbers = np.array([2, 0, 1])[np.arange(300) % 3]
    np.testing.assert_array_equal(phases[0].feed.labels, numbers)
    np.testing.assert_array_equal(phases[0].trainee.source.labels, numbers)
    assert phases[0].feed.labels.dtype == np.int64 and phases[0].trainee.loss == "softmax_cross_entropy"


def test_labels_given_win_over_those_of_the_rows_in_training(small):
    rows = ArrayRows(small, labels=np.arange(300) % 2)
    clf = StackedClassifier([RBM(4)], finetune_epochs=0, random_state=0)
    assert clf.finetune(rows).classes_.tolist() == [0, 1]
    assert clf.finetune(rows, 5 + np.arange(300) % 3).classes_.tolist() == [5, 6, 7]


def test_predictions_are_the_most_probable_classes(small, y):
    clf = _classifier().fit(small, y + 3)
    proba = clf.predict_proba(small)
    assert proba.shape == (300, 10)
    np.testing.assert_array_equal(clf.predict(small), clf.classes_[proba.argmax(1)])
    by_hand = clf.transform(small).astype(np.float64) @ clf.network_.weight(3) + clf.network_.bias(3)
    by_hand = np.exp(by_hand - by_hand.max(1, keepdims=True))
    np.testing.assert_allclose(proba, by_hand / by_hand.sum(1, keepdims=True), rtol=1e-4)


@pytest.mark.parametrize(("labels", "message"), [(299, "299 labels for 300 rows"), (301, "301 labels for 300 rows")])
def test_as_many_labels_as_rows(labels, message, small):
    with pytest.raises(DataError, match=message):
        _classifier().finetune(small, np.arange(labels) % 3)


def test_two_classes_are_enough_and_one_is_not(small):
    assert (
        StackedClassifier([RBM(4)], finetune_epochs=1, random_state=0).finetune(small, np.arange(300) % 2).classes_.size
        == 2
    )
    with pytest.raises(DataError, match=r"at least two classes, found one class \(7\)"):
        _classifier().finetune(small, np.full(300, 7))


def test_pretraining_is_on_the_unlabelled_rows_and_finetuning_on_the_labelled(small, y, monkeypatch):
    counts = []
    for module in (unit_module, stack_module):
        monkeypatch.setattr(module, "run", lambda phase, hooks, progress: counts.append(phase.feed.n_rows) or progress)
    _classifier().fit(small[:40], y[:40], X_unlabelled=small)
    _classifier().fit(small[:40], y[:40])
    assert counts == [300, 300, 300, 40, 40, 40, 40, 40]


def test_a_classifier_made_of_a_stack_has_its_settings_its_encoder_and_its_pretraining(small):
    deep = _deep(validation_fraction=0.2, patience=5, scaling="minmax", n_threads=1).fit(9 * small)
    clf = StackedClassifier.on(deep, finetune_epochs=7, patience=6)
    assert (clf.finetune_epochs, clf.patience, clf.validation_fraction, clf.scaling, clf.n_threads) == (
        7,
        6,
        0.2,
        "minmax",
        1,
    )
    assert clf.random_state == 0 and clf.units is deep.units and clf.units_ is deep.units_
    assert (clf.seed_, clf.scaling_, clf.n_features_in_, clf.n_code_layers_) == (0, deep.scaling_, 64, 3)
    assert _places(clf.history_) == _places(deep.history_)[:6]
    assert clf.network_.layers == deep.network_.layers[:3] and not np.shares_memory(
        clf.network_.params, deep.network_.params
    )
    for index in range(3):
        np.testing.assert_array_equal(clf.network_.weight(index), deep.network_.weight(index))
        np.testing.assert_array_equal(clf.network_.bias(index), deep.network_.bias(index))
