"""Saved and reloaded models answer the same, for every kind; checkpoints resume to the same bits."""

import json

import h5py
import numpy as np
import pytest

from stacked import RBM, Autoencoder, ModelFileError, StackedAutoencoder, StackedClassifier, load
from stacked.training.checkpoint import Checkpointer, load_checkpoint
from stacked.units.base import Unit

from .store_records import with_arrays, with_attributes

TRAINED = {"epochs": 2, "batch_size": 50}


def _stack(**settings):
    units = [
        RBM(24, persistent=True, **TRAINED),
        Autoencoder(12, corruption_level=0.2, tied=False, **TRAINED),
        RBM(4, hidden="gaussian", learning_rate=0.001, **TRAINED),
    ]
    return StackedAutoencoder(units, finetune_epochs=3, **{"random_state": 0, **settings})


MODELS = {
    "rbm": lambda x, y: RBM(8, random_state=0, **TRAINED).fit(x),
    "rectified": lambda x, y: RBM(8, hidden="rectified", learning_rate=0.01, random_state=0, **TRAINED).fit(x),
    "autoencoder": lambda x, y: Autoencoder(8, random_state=np.random.RandomState(1), **TRAINED).fit(x),
    "untied": lambda x, y: Autoencoder(8, tied=False, momentum=[(0, 0.5), (1, 0.9)], random_state=0, **TRAINED).fit(x),
    "minmax": lambda x, y: Autoencoder(8, scaling="minmax", random_state=0, **TRAINED).fit(x * 9 - 3),
    "float64": lambda x, y: Autoencoder(8, precision="float64", random_state=0, **TRAINED).fit(x),
    "stack": lambda x, y: _stack().fit(x),
    "only pretrained": lambda x, y: _stack().pretrain(x),
    "classifier": lambda x, y: StackedClassifier([RBM(8, **TRAINED)], finetune_epochs=2, random_state=0).fit(x, y),
    "headless": lambda x, y: StackedClassifier([RBM(8, **TRAINED)], random_state=0).pretrain(x),
    "unpretrained": lambda x, y: StackedAutoencoder([RBM(8)], finetune_epochs=1, random_state=0).finetune(x),
}


def _plain(value):
    """A parameter as a file can hold it: tuples are lists, a generator is nothing, a unit its class and parameters."""
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Unit):
        return [type(value), _settings(value)]
    return None if isinstance(value, np.random.RandomState) else value


def _settings(model):
    return {name: _plain(value) for name, value in model.get_params(deep=False).items()}


def _answers(model, x):
    """All that a model says about rows."""
    names = ["transform"]
    names += ["reconstruct", "score"] if hasattr(model, "reconstruct") else []
    names += ["predict", "predict_proba"] if hasattr(model, "classes_") else []
    found = {name: getattr(model, name)(x) for name in names}
    if hasattr(model, "reconstruct"):
        found["inverse_transform"] = model.inverse_transform(found["transform"])
    return found


def _state(model):
    """What a model is: parameters, fitted attributes, and those of its units."""
    plain = {
        name: getattr(model, name) for name in ("scaling_", "seed_", "n_code_layers_", "n_features_in_", "history_")
    }
    units = [_state(unit) for unit in getattr(model, "units_", ())]
    classes = list(getattr(model, "classes_", ()))
    layers, params = model.network_.layers, model.network_.params.tolist()
    return [type(model), _settings(model), plain, units, classes, layers, params, model.network_.params.dtype]


@pytest.mark.parametrize("name", MODELS)
def test_11_a_reloaded_model_is_the_saved_one_and_answers_like_it(name, small, digits, tmp_path):
    model = MODELS[name](small, digits.labels[:300])
    answers, state = _answers(model, small), _state(model)
    model.save(tmp_path / "model.h5")
    load(tmp_path / "model.h5").save(tmp_path / "again.h5")
    for found in (model, load(tmp_path / "model.h5"), load(tmp_path / "again.h5")):
        assert _state(found) == state
        for what, answer in _answers(found, small).items():
            np.testing.assert_array_equal(answer, answers[what], err_msg=what)


def test_string_labels_survive(small, digits, tmp_path):
    labels = np.array(["ä", "bee", "c"])[digits.labels[:300] % 3]
    model = StackedClassifier([RBM(8, **TRAINED)], finetune_epochs=1, random_state=0).fit(small, labels)
    model.save(tmp_path / "model.h5")
    np.testing.assert_array_equal(load(tmp_path / "model.h5").predict(small), model.predict(small))


def test_weights_that_answer_otherwise_than_the_probe_are_refused(small, tmp_path):
    from dataclasses import replace

    from stacked.files import read_model, write_model

    RBM(8, random_state=0, **TRAINED).fit(small).save(tmp_path / "model.h5")
    record = read_model(tmp_path / "model.h5")
    layer = record.encoder[0]
    write_model(tmp_path / "bad.h5", replace(record, encoder=(with_arrays(layer, bias=layer.arrays["bias"] + 1),)))
    with pytest.raises(ModelFileError, match="/probe"):
        load(tmp_path / "bad.h5")


def _tampered(record, **changes):
    """A copy of a record with other estimator parameters."""
    from dataclasses import replace

    params = {**record.params, "estimator": {**record.params["estimator"], **changes}}
    return replace(record, params=params)


HOSTILE = {
    "unknown parameter": lambda r: _tampered(r, colour="red"),
    "parameter of a wrong type": lambda r: _tampered(r, finetune_epochs="many"),
    "no units": lambda r: _tampered(r, units=[]),
    "unknown unit": lambda r: _tampered(r, units=[{"class": "os.system", "params": {}}]),
    "unit of another size": lambda r: _resized(r),
    "unknown activation": lambda r: _replaced(
        r, encoder=(with_attributes(r.encoder[0], activation="exec"), *r.encoder[1:])
    ),
    "unknown scaling": lambda r: _replaced(r, params={**r.params, "scaling": "best"}),
    "no seed": lambda r: _replaced(r, params={"estimator": r.params["estimator"], "scaling": "auto"}),
}


def _replaced(record, **changes):
    from dataclasses import replace

    return replace(record, **changes)


def _resized(record):
    unit = record.units[0]
    return _replaced(record, units=(_replaced(unit, params={**unit.params, "n_hidden": 999}), *record.units[1:]))


@pytest.mark.parametrize("threat", HOSTILE)
def test_a_whole_file_that_describes_no_known_model_is_refused(threat, small, tmp_path):
    from stacked.files import read_model, write_model

    _stack().pretrain(small).save(tmp_path / "model.h5")
    write_model(tmp_path / "bad.h5", HOSTILE[threat](read_model(tmp_path / "model.h5")))
    with pytest.raises(ModelFileError) as caught:
        load(tmp_path / "bad.h5")
    assert "bad.h5" in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_saved_with_more_threads_than_here_still_answers(small, tmp_path):
    model = RBM(8, random_state=0, **TRAINED).fit(small).set_params(n_threads=512)
    model.save(tmp_path / "model.h5")
    assert load(tmp_path / "model.h5").transform(small).shape == (300, 8)


class Killed(Exception):
    """Stands for a kill between two epochs."""


def _interrupt(model, phase, x, path, after):
    """Train with checkpoints at every epoch and stop after ``after`` epochs."""
    seen = []

    def callback(record):
        seen.append(record)
        if len(seen) > after:
            raise Killed

    with pytest.raises(Killed):
        getattr(model, phase)(x, callback=callback, checkpoint=Checkpointer(path, 0, {"note": 1}))


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("settings", [{}, {"validation_fraction": 0.2}])
def test_interrupted_pretraining_resumes_to_the_same_bits(after, settings, small, tmp_path):
    path = tmp_path / "model.h5"
    reference = _stack(**settings).pretrain(small)
    _interrupt(_stack(**settings), "pretrain", small, path, after)
    with pytest.raises(ModelFileError, match="unfinished"):
        load(path)
    run = load_checkpoint(path)
    assert (run.phase, run.notes) == ("pretrain", {"note": 1})
    run.model.pretrain(small, resume=run.resume)
    np.testing.assert_array_equal(reference.network_.params, run.model.network_.params)
    assert [r[:2] + r[4:6] for r in reference.history_] == [r[:2] + r[4:6] for r in run.model.history_]


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam", "cg", "lbfgs"])
def test_interrupted_finetuning_resumes_to_the_same_bits(optimizer, small, tmp_path):
    path = tmp_path / "tuned.h5"
    settings = {"finetune_optimizer": optimizer, "validation_fraction": 0.2, "patience": 2}
    settings["finetune_learning_rate"] = 0.01
    reference = _stack(**settings).fit(small)
    started = _stack(**settings).pretrain(small)
    _interrupt(started, "finetune", small, path, 1)
    run = load_checkpoint(path)
    run.model.finetune(small, resume=run.resume)
    np.testing.assert_array_equal(reference.network_.params, run.model.network_.params)
    assert len(reference.history_) == len(run.model.history_)


def test_interrupted_classifier_resumes_to_the_same_bits(small, digits, tmp_path):
    y = digits.labels[:300]

    def make():
        return StackedClassifier([RBM(8, **TRAINED)], finetune_epochs=3, random_state=0)

    reference = make().fit(small, y)

    class Tuner:
        def finetune(self, x, **hooks):
            make().pretrain(x).finetune(x, y, **hooks)

    _interrupt(Tuner(), "finetune", small, tmp_path / "c.h5", 1)
    run = load_checkpoint(tmp_path / "c.h5")
    run.model.finetune(small, y, resume=run.resume)
    np.testing.assert_array_equal(reference.network_.params, run.model.network_.params)


def test_a_finished_model_has_nothing_to_resume(small, tmp_path):
    RBM(8, random_state=0, **TRAINED).fit(small).save(tmp_path / "model.h5")
    with pytest.raises(ModelFileError, match="finished"):
        load_checkpoint(tmp_path / "model.h5")


def test_the_file_is_what_the_documentation_says(small, digits, tmp_path):
    model = _stack().fit(small)
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as file:
        assert bytes(file.attrs["format"]) == b"stacked-model" and file.attrs["format_version"] == 1
        assert bytes(file.attrs["kind"]) == b"stacked_autoencoder"
        assert json.loads(file.attrs["config"])["params"]["estimator"]["finetune_epochs"] == 3
        x = small[:5] * file["input/scale"][:] + file["input/offset"][:]
        for index in range(len(file["encoder"])):
            layer = file[f"encoder/{index}"]
            assert layer["weight"].dtype == np.float32
            activation = bytes(layer.attrs["activation"])
            x = x @ layer["weight"][:] + layer["bias"][:]
            x = 1 / (1 + np.exp(-x)) if activation == b"sigmoid" else x
        np.testing.assert_allclose(x, model.transform(small[:5]), atol=1e-5)
        assert set(file["units/1"]) == {"weight", "hidden_bias", "visible_bias", "decoder_weight"}
        assert len(file["history/finetune"]) == 3
