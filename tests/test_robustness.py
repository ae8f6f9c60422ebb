"""What goes wrong must not damage what was there: failed refits, late refusals, threads, changed settings, odd stops."""

import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    DataError,
    DivergedError,
    ModelFileError,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    load,
)
from stacked.files import read_model, write_model
from stacked.training.checkpoint import Checkpointer, load_checkpoint

SHORT = {"epochs": 2, "batch_size": 50}


def _stack(**settings):
    return StackedAutoencoder([RBM(8, **SHORT), RBM(4, **SHORT)], finetune_epochs=2, random_state=0, **settings)


@pytest.mark.parametrize("make", [lambda: RBM(8, random_state=0, **SHORT), _stack])
@pytest.mark.parametrize("bad", ["out of range", "wider", "constant", "empty"])
def test_a_refused_refit_leaves_the_fitted_model_as_it_was(make, bad, small):
    model = make().fit(small)
    codes = model.transform(small)
    data = {
        "out of range": np.where(small > 0.9, np.inf, small),
        "wider": np.full((9, 2000), 2.0, np.float32),
        "constant": np.zeros((9, 30)),
        "empty": np.zeros((0, 64)),
    }[bad]
    with pytest.raises(ValueError):
        model.fit(data)
    np.testing.assert_array_equal(model.transform(small), codes)


def test_a_refused_finetuning_leaves_the_classifier_as_it_was(small, digits):
    y = digits.labels[:300]
    clf = StackedClassifier([RBM(8, **SHORT)], finetune_epochs=2, random_state=0).fit(small, y)
    before = clf.predict_proba(small)
    with pytest.raises(DataError):
        clf.finetune(small * 3, y % 2)
    np.testing.assert_array_equal(clf.predict_proba(small), before)


def test_labels_and_range_are_checked_before_pretraining(small, digits):
    y = digits.labels[:300]
    clf = StackedClassifier([RBM(8, **SHORT)], random_state=0)
    epochs = []
    for x, labels, unlabelled in (
        (small, y[:50], None),
        (small, np.zeros(300), None),
        (small, None, None),
        (small * 3, y, small),
        (small[:, :5], y, small),
    ):
        with pytest.raises(ValueError):
            clf.fit(x, labels, X_unlabelled=unlabelled, callback=epochs.append)
    assert epochs == []


def test_a_stack_that_diverges_while_pretraining_holds_the_good_units_and_can_be_saved(small, tmp_path):
    relu = Autoencoder(6, activation="relu", output="linear", learning_rate=[(0, 0.001), (1, 1e6)], **SHORT)
    deep = StackedAutoencoder([RBM(8, **SHORT), relu], random_state=0)
    with pytest.raises(DivergedError, match=r"unit 2 .*epoch 2"):
        deep.pretrain(small)
    assert deep.transform(small).shape == (300, 6) and np.isfinite(deep.transform(small)).all()
    deep.save(tmp_path / "kept.h5")
    np.testing.assert_array_equal(load(tmp_path / "kept.h5").transform(small), deep.transform(small))


def test_saving_an_unfitted_model_says_so(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        RBM(4).save(tmp_path / "model.h5")


@pytest.mark.parametrize(
    "unit",
    [
        RBM(16, learning_rate=1e5, batch_size=20, epochs=10, random_state=0),
        Autoencoder(16, loss="squared_error", learning_rate=1e5, batch_size=20, epochs=10, random_state=0),
        Autoencoder(16, loss="squared_error", learning_rate=1e30, batch_size=20, epochs=10, random_state=0),
    ],
)
def test_a_bounded_loss_that_explodes_is_seen(unit, small):
    with pytest.raises(DivergedError, match="learning_rate"):
        unit.fit(small)
    assert np.abs(unit.network_.params).max() < 100


def test_the_remedy_suits_the_optimizer(small):
    from stacked.training.plan import remedy

    assert "line_searches" in remedy(Autoencoder(4, optimizer="cg").validate())
    assert remedy(Autoencoder(4).validate()) == "lower learning_rate"


def test_bits_do_not_depend_on_the_python_thread():
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_info

    x = np.random.default_rng(0).random((400, 600), np.float32)  # wide enough for BLAS to want threads

    def fit(seed):
        return RBM(520, epochs=1, random_state=seed).fit(x).weight_

    before = [library["num_threads"] for library in threadpool_info()]
    alone = [fit(seed) for seed in range(3)]
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            for one, other in zip(alone, pool.map(fit, range(3)), strict=True):
                np.testing.assert_array_equal(one, other)
    assert [library["num_threads"] for library in threadpool_info()][: len(before)] == before


def test_upper_units_of_a_scaled_stack_take_codes_as_they_are(small):
    raw = small * 50 - 7
    deep = _stack(scaling="minmax").pretrain(raw)
    lower, upper = deep.units_
    np.testing.assert_allclose(upper.transform(lower.transform(raw)), deep.transform(raw), atol=1e-6)
    codes = upper.inverse_transform(upper.transform(lower.transform(raw)))
    np.testing.assert_allclose(lower.inverse_transform(codes), deep.reconstruct(raw), atol=1e-3)


@pytest.mark.parametrize("scale", [1e200, 1e-310])
def test_ranges_that_cannot_be_scaled_are_refused(scale, small):
    data = small.astype(np.float64) * scale
    for unit in (
        RBM(4, visible="gaussian", scaling="standard", random_state=0),
        Autoencoder(4, output="linear", scaling="none", random_state=0),
    ):
        if scale < 1 and unit.scaling == "none":
            continue
        with pytest.raises(DataError, match="rescale"):
            unit.fit(data)


def test_softplus_outputs_start_at_a_large_mean():
    x = 1000 + np.random.default_rng(0).random((50, 5))
    unit = Autoencoder(3, output="softplus", scaling="none", epochs=0, random_state=0).fit(x)
    np.testing.assert_allclose(unit.visible_bias_, x.mean(0), rtol=1e-4)


@pytest.mark.parametrize("x", [np.random.default_rng(0).random((1, 5)), np.random.default_rng(0).random((1, 5, 2))])
def test_one_row_cannot_be_split(x):
    for model in (RBM(4, validation_fraction=0.2), StackedAutoencoder([RBM(4)], validation_fraction=0.2)):
        with pytest.raises(DataError, match="at least 2 rows"):
            model.set_params(random_state=0).fit(x)


def test_a_stacks_patience_is_its_units_too(small):
    flat = [RBM(4, learning_rate=0.0, epochs=30)]
    deep = StackedAutoencoder(flat, validation_fraction=0.2, patience=2, random_state=0).pretrain(small)
    assert len(deep.history_) == 3


def test_units_changed_between_the_phases_are_refused(small):
    deep = _stack().pretrain(small)
    with pytest.raises(SettingError, match="pretrain again"):
        deep.set_params(units=[Autoencoder(8, output="linear"), RBM(4)]).finetune(small)
    with pytest.raises(SettingError, match="pretrain again"):
        _stack().pretrain(small).set_params(precision="float64").finetune(small)


def test_an_unfinished_stack_is_not_finetuned(small, tmp_path):
    path = tmp_path / "model.h5"
    with pytest.raises(ZeroDivisionError):
        _stack().pretrain(small, callback=lambda record: 1 / 0, checkpoint=Checkpointer(path, 0))
    with pytest.raises(SettingError, match="pretrain again"):
        load(path, allow_unfinished=True).finetune(small)


@pytest.mark.parametrize("damage", ["without velocity", "another shape", "another dtype", "epoch", "step", "best_loss"])
def test_a_damaged_checkpoint_is_refused(damage, small, tmp_path):
    from dataclasses import replace

    path = tmp_path / "model.h5"
    with pytest.raises(ZeroDivisionError):
        _stack().pretrain(small, callback=lambda record: 1 / 0, checkpoint=Checkpointer(path, 0))
    record = read_model(path)
    arrays, cursor = dict(record.checkpoint.arrays), dict(record.checkpoint.cursor)
    if damage == "without velocity":
        del arrays["velocity"]
    elif damage == "another shape":
        arrays["velocity"] = arrays["velocity"][:1]
    elif damage == "another dtype":
        arrays["velocity"] = arrays["velocity"].astype(np.float64)
    else:
        cursor[damage] = {"epoch": -5, "step": 1.5, "best_loss": "abc"}[damage]
    write_model(path, replace(record, checkpoint=replace(record.checkpoint, arrays=arrays, cursor=cursor)))
    with pytest.raises(ModelFileError, match="/checkpoint"):
        run = load_checkpoint(path)
        run.model.pretrain(small, resume=run.resume)


def test_classifier_score_takes_weights_and_the_labels_of_rows(digits):
    clf = StackedClassifier([RBM(16, **SHORT)], finetune_epochs=5, random_state=0).fit(digits, None)
    right = clf.predict(digits) == digits.labels
    assert clf.score(digits) == clf.score(digits, digits.labels) == right.mean()
    assert clf.score(digits, digits.labels, sample_weight=right) == 1.0
    with pytest.raises(ValueError):
        clf.score(digits, digits.labels[:5])


def test_a_numpy_true_stops_too(small):
    unit = RBM(4, epochs=5, random_state=0).fit(small, callback=lambda record: np.bool_(True))
    assert len(unit.history_) == 1


def test_default_construction_fits(small, digits):
    assert StackedAutoencoder(finetune_epochs=1, random_state=0).fit(small).transform(small).shape == (300, 256)
    StackedClassifier(finetune_epochs=1, random_state=0).fit(small, digits.labels[:300])


def test_losses_of_every_optimizer_leave_the_penalty_out(small):
    def first(optimizer):
        unit = Autoencoder(8, optimizer=optimizer, weight_decay=5.0, batch_size=300, epochs=1, random_state=0)
        return unit.fit(small).history_[0].loss

    assert first("cg") == pytest.approx(first("momentum"), rel=1e-5)


def test_weights_mapped_read_only_from_a_file_are_copied_for_training(small, tmp_path):
    import joblib

    joblib.dump(_stack().pretrain(small), tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    mapped.finetune(small)
    np.testing.assert_array_equal(mapped.network_.params, _stack().fit(small).network_.params)


def test_labels_that_a_file_cannot_hold_are_refused(small, tmp_path):
    y = np.array([3, 2**63 + 5], np.uint64)[np.arange(300) % 2]
    clf = StackedClassifier([RBM(4, **SHORT)], finetune_epochs=1, random_state=0).fit(small, y)
    with pytest.raises(ModelFileError, match="classes"):
        clf.save(tmp_path / "model.h5")


def test_the_weights_of_a_run_that_diverged_load(small, tmp_path):
    path = tmp_path / "model.h5"
    relu = Autoencoder(6, activation="relu", output="linear", learning_rate=[(0, 0.001), (1, 1e6)], **SHORT)
    deep, checkpointer = StackedAutoencoder([RBM(8, **SHORT), relu], random_state=0), Checkpointer(path, 0)
    with pytest.raises(DivergedError):
        deep.pretrain(small, checkpoint=checkpointer)
    checkpointer.flush_diverged()
    np.testing.assert_array_equal(load(path).transform(small), deep.transform(small))
    with pytest.raises(ModelFileError, match="diverged"):
        load_checkpoint(path)


def test_compilation_is_not_counted_in_the_first_epoch(small):
    """Every epoch of a phase trains compiled code: what compiles is called on no rows before the first."""
    calls = []

    class Trainee:
        def train(self, window, rows, *rest):
            calls.append(rows)
            return 0.0, 0.0

    from stacked.data import as_rows
    from stacked.training.feed import Feed
    from stacked.training.loop import Phase, _compile

    plan = RBM(4, epochs=1).validate().on(300, 0.1)
    _compile(Phase("pretrain", 0, plan, Feed(as_rows(small), 1.0, 0.0, 0, 0), Trainee(), "unit 0", "", 1.0))
    assert calls == [slice(0, 0)]


@pytest.mark.parametrize(
    "unit",
    [
        Autoencoder(16, learning_rate=1e6),
        Autoencoder(16, output="linear", learning_rate=10.0),
        RBM(16, visible="gaussian", learning_rate=10.0),
    ],
)
def test_divergence_in_the_first_epoch_is_seen_in_that_epoch(unit, small):
    unit.set_params(random_state=0, epochs=3, batch_size=20)
    with pytest.raises(DivergedError, match="epoch 1:"):
        unit.fit(small)
    kept = unit.network_.params.copy()
    np.testing.assert_array_equal(kept, unit.set_params(epochs=0).fit(small).network_.params)  # the starting weights


def test_a_classifier_that_diverges_at_once_is_seen(small, digits):
    clf = StackedClassifier([RBM(8, **SHORT)], finetune_learning_rate=1e5, finetune_epochs=2, random_state=0)
    with pytest.raises(DivergedError, match="fine-tuning, epoch 1"):
        clf.fit(small, digits.labels[:300])


@pytest.mark.parametrize("bad", ["range", "labels", "width of the unlabelled", "one row to split"])
def test_a_refused_refit_leaves_the_classifier_as_it_was(bad, small, digits):
    y = digits.labels[:300]
    clf = StackedClassifier([RBM(8, **SHORT)], finetune_epochs=2, validation_fraction=0.2, random_state=0).fit(small, y)
    before = clf.predict_proba(small)
    with pytest.raises(ValueError):
        {
            "range": lambda: clf.fit(np.full((300, 4), np.inf), y),
            "labels": lambda: clf.fit(small, y[:9]),
            "width of the unlabelled": lambda: clf.fit(small, y, X_unlabelled=small[:, :9]),
            "one row to split": lambda: clf.fit(small, y, X_unlabelled=small[:1]),
        }[bad]()
    np.testing.assert_array_equal(clf.predict_proba(small), before)


def test_a_stack_of_whose_units_one_does_not_fit_into_memory_holds_those_below(small, tmp_path, monkeypatch):
    """Where that is seen only when it is about to train, as when the memory is taken by others meanwhile."""
    monkeypatch.setattr("stacked.models.stack.check_fit", lambda *_: None)
    deep = StackedAutoencoder([RBM(5, **SHORT), RBM(10**13, **SHORT)], random_state=0)
    with pytest.raises((MemoryError, ValueError)):
        deep.pretrain(small)
    assert deep.transform(small).shape == (300, 5)
    deep.save(tmp_path / "part.h5")
    np.testing.assert_array_equal(load(tmp_path / "part.h5").transform(small), deep.transform(small))
    with pytest.raises(SettingError, match="only 1 of 2"):
        deep.finetune(small)


def test_a_model_whose_units_were_changed_is_not_saved(small, tmp_path):
    deep = _stack().fit(small).set_params(units=[Autoencoder(7)])
    with pytest.raises(SettingError):
        deep.save(tmp_path / "model.h5")
    assert not (tmp_path / "model.h5").exists()


def test_minmax_models_tune_on_slightly_wider_data(small, digits):
    clf = StackedClassifier([RBM(8, **SHORT)], scaling="minmax", finetune_epochs=1, random_state=0)
    clf.fit(3.01 * small, digits.labels[:300], X_unlabelled=3 * small)
    _stack(scaling="minmax").pretrain(small).finetune(small * 1.01)


def test_an_unpretrained_classifier_takes_any_range(small, digits):
    x = np.random.default_rng(0).standard_normal((300, 6))
    StackedClassifier([Autoencoder(4)], finetune_epochs=1, random_state=0).finetune(x, digits.labels[:300])


def test_the_seed_does_not_depend_on_naming_the_unlabelled_rows(small, digits):
    def fit(**unlabelled):
        clf = StackedClassifier([RBM(4, **SHORT)], finetune_epochs=1, random_state=np.random.RandomState(0))
        return clf.fit(small, digits.labels[:300], **unlabelled).seed_

    assert fit() == fit(X_unlabelled=small)
