"""From estimators to records and back: classes, JSON, the probe, and records whose parts do not fit together."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from stacked import RBM, Autoencoder, ModelFileError, SettingError, StackedAutoencoder, StackedClassifier, load
from stacked.files import read_model, write_model
from stacked.models import stack
from stacked.models.loading import from_record
from stacked.models.probe import PROBE_TOLERANCE
from stacked.models.saving import jsonable, to_record
from stacked.units.prepare import prepare_unit

from .store_records import assert_same, with_arrays, with_attributes

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)
SHORT = {"epochs": 1, "batch_size": 20}


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (3, 3), (True, True), (0.5, 0.5), (None, None),
        ("a", "a"),         ((1, 2), [1, 2]), ([(0, np.float64(0.5)), (5, 0.9)], [[0, 0.5], [5, 0.9]]),
        (np.random.RandomState(0), None),
        (np.random.default_rng(0), None),
    ],
)  # fmt: skip
def test_values_in_json_s_types(value, expected):
    found = jsonable(value)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    "labels, expected",
    [
        (np.array([2, 9, 5], np.uint8), [2, 5, 9]),
        (np.array([-1, 0, 7]), [-1, 0, 7]),
        (np.array([1.0, 2.0, -3.0]), [-3, 1, 2]),
        (np.array(["b", "ä", "c"]), ["b", "c", "ä"]),
        (np.array(["b", "a", "c"], object), ["a", "b", "c"]),
        (np.array([False, True, True]), [0, 1]),
        (np.array([0, 2**62, 1], np.uint64), [0, 1, 2**62]),
    ],
)
def test_classes_in_a_file(labels, expected, tmp_path):
    y = labels[np.arange(40) % 3]
    model = StackedClassifier([RBM(3, **SHORT)], finetune_epochs=1, random_state=0).fit(X, y)
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert again.classes_.tolist() == expected and again.classes_.dtype.kind in "iU"
    assert again.classes_.dtype.kind == "U" or again.classes_.dtype == np.int64
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.score(X, y) == model.score(X, y)


@pytest.mark.parametrize("classes", [np.array([0.5, 1.0]), np.array([0, 2**63], np.uint64), np.array(["a", 1], object)])
def test_classes_that_no_file_takes(classes, tmp_path):
    model = StackedClassifier([RBM(3, **SHORT)], finetune_epochs=1, random_state=0).fit(X, np.arange(40) % 2)
    model.classes_ = classes
    with pytest.raises(ModelFileError, match="classes: expected whole numbers or text as labels"):
        model.save(tmp_path / "model.h5")
    assert list(tmp_path.iterdir()) == []


def test_only_known_units_are_written(tmp_path):
    class Mine(RBM):
        """A unit of somebody else's."""

    model = StackedAutoencoder([Mine(3, **SHORT)], random_state=0).pretrain(X)
    names = "RBM, Autoencoder, ConvolutionalAutoencoder, RecurrentAutoencoder, SequenceAutoencoder and VariationalAutoencoder"
    with pytest.raises(ModelFileError, match=f"Mine: only {names} units can be written"):
        model.save(tmp_path / "model.h5")


def test_a_stack_whose_parameters_were_changed_after_the_training_is_not_saved(tmp_path):
    model = StackedAutoencoder([RBM(3, **SHORT)], random_state=0).pretrain(X)
    model.set_params(units=[RBM(4, **SHORT)])
    with pytest.raises(SettingError, match="pretrain again"):
        model.save(tmp_path / "model.h5")


@pytest.mark.parametrize(
    ("unit", "change"),
    [(RBM(3, **SHORT), {"n_hidden": 4}), (RBM(3, **SHORT), {"precision": "float64"}), (RBM(3, **SHORT), {"hidden": "rectified"}),
     (Autoencoder(3, **SHORT), {"tied": False}), (Autoencoder(3, **SHORT), {"activation": "tanh"})],
)  # fmt: skip
def test_a_unit_whose_parameters_were_changed_after_the_training_is_not_saved(unit, change, tmp_path):
    model = clone(unit).set_params(random_state=0).fit(X)
    model.set_params(learning_rate=0.2).save(tmp_path / "model.h5")
    with pytest.raises(SettingError, match="not what it was trained with; train again"):
        model.set_params(**change).save(tmp_path / "other.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_a_stack_that_did_not_come_to_its_upper_units_is_saved_without_them(tmp_path, monkeypatch):
    def prepare(unit, source, scaling, resume=None):
        if source.stream == 2:
            raise MemoryError
        return prepare_unit(unit, source, scaling, resume)

    monkeypatch.setattr(stack, "prepare_unit", prepare)
    model = StackedAutoencoder([RBM(5, **SHORT), RBM(4, **SHORT), RBM(3, **SHORT)], random_state=0)
    with pytest.raises(MemoryError):
        model.pretrain(X)
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert [unit.n_hidden for unit in again.units] == [5, 4] == [unit.n_hidden for unit in again.units_]
    assert again.n_code_layers_ == 2 and [record.unit for record in again.history_] == [0, 1]
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


MODELS = {
    "unit": lambda: Autoencoder(4, scaling="minmax", random_state=5, **SHORT).fit(X * 7 - 2),
    "float64": lambda: RBM(4, precision="float64", random_state=5, **SHORT).fit(X),
    "stack": lambda: StackedAutoencoder(
        [RBM(4, **SHORT), Autoencoder(3, tied=False, **SHORT)], random_state=5
    ).pretrain(X),
    "classifier": lambda: StackedClassifier([RBM(4, **SHORT)], finetune_epochs=1, random_state=5).fit(
        X, np.arange(40) % 2
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_probe_is_four_raw_rows_and_the_whole_network_s_answer(name):
    model = MODELS[name]()
    probe = to_record(model).probe
    rows = np.random.Generator(np.random.Philox(5)).random((4, 6))
    raw = model.scaling_.undo(rows)
    np.testing.assert_allclose(probe.input, raw, rtol=1e-6)
    assert probe.input.dtype == probe.output.dtype == model.network_.params.dtype
    if name == "classifier":
        np.testing.assert_allclose(probe.output, model.predict_proba(probe.input), rtol=1e-6)
    else:
        expected = model.scaling_.apply(model.reconstruct(probe.input), probe.output.dtype)
        np.testing.assert_allclose(probe.output, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name, allowed", [("stack", 1e-4), ("float64", 1e-9)])
def test_answers_may_differ_from_the_probe_s_by_rounding_only(name, allowed):
    record = to_record(MODELS[name]())
    assert PROBE_TOLERANCE == {"float32": 1e-4, "float64": 1e-9}
    for share, fits in ((0.9, True), (-0.9, True), (1.2, False), (-1.2, False)):
        output = record.probe.output + share * allowed * (1 + np.abs(record.probe.output))
        other = replace(record, probe=replace(record.probe, output=output.astype(record.probe.output.dtype)))
        if fits:
            from_record(other, "m.h5")
        else:
            with pytest.raises(
                ModelFileError, match=rf"m\.h5: /probe: the loaded model answers differently .*allowed {allowed:g}"
            ):
                from_record(other, "m.h5")
    short = replace(record, probe=replace(record.probe, output=record.probe.output[:3]))
    with pytest.raises(ModelFileError, match=r"m\.h5: /probe/output: expected shape \(4, 6\), found \(3, 6\)"):
        from_record(short, "m.h5")


def changed(record, part, index, change, **changes):
    """A record with one layer of its encoder or decoder changed."""
    layers = list(getattr(record, part))
    layers[index] = change(layers[index], **changes)
    return replace(record, **{part: tuple(layers)}, probe=None)


def with_estimator(record, **changes):
    return replace(record, params={**record.params, "estimator": {**record.params["estimator"], **changes}}, probe=None)


def with_unit(record, index, **changes):
    units = list(record.params["estimator"]["units"])
    units[index] = {**units[index], "params": {**units[index]["params"], **changes}}
    return with_estimator(record, units=units)


def with_first_unit(record, arrays, params=None):
    unit = replace(record.units[0], arrays=arrays, params=params or record.units[0].params)
    return replace(record, units=(unit, record.units[1]), probe=None)


UNFIT = {
    "a scale of zero": lambda r: replace(r, input=replace(r.input, scale=0.0), probe=None),
    "a negative scale": lambda r: replace(r, input=replace(r.input, scale=-1.0), probe=None),
    "a seed below zero": lambda r: replace(r, params={**r.params, "seed": -1}, probe=None),
    "a range that is no truth value": lambda r: replace(r, params={**r.params, "unit_range": 1}, probe=None),
    "a scaling that nobody knows": lambda r: replace(r, params={**r.params, "scaling": "logs"}, probe=None),
    "fewer units than layers": lambda r: with_estimator(r, units=r.params["estimator"]["units"][:1]),
    "more units than layers": lambda r: with_estimator(r, units=r.params["estimator"]["units"] * 2),
    "a unit of another size": lambda r: with_unit(r, 1, n_hidden=5),
    "a unit of another activation": lambda r: with_unit(r, 1, activation="tanh", output="linear"),
    "an output of another activation": lambda r: with_unit(r, 0, visible="gaussian"),
    "a bad setting": lambda r: with_estimator(r, finetune_batch_size=0),
    "an encoder's layer of another activation": lambda r: changed(r, "encoder", 0, with_attributes, activation="tanh"),
    "a decoder's layer of another activation": lambda r: changed(r, "decoder", 1, with_attributes, activation="linear"),
    "a unit without an array": lambda r: with_first_unit(r, {"weight": np.zeros((6, 4), "f4")}),
    "a unit with an array more": lambda r: with_first_unit(r, {**r.units[0].arrays, "x": np.zeros(4, "f4")}),
    "a unit with an array of another shape": lambda r: with_first_unit(
        r, {**r.units[0].arrays, "hidden_bias": np.zeros(3, "f4")}
    ),
    "a unit of another size than it says": lambda r: with_first_unit(
        r,
        {"weight": np.zeros((6, 2), "f4"), "visible_bias": np.zeros(6, "f4"), "hidden_bias": np.zeros(2, "f4")},
        {**r.units[0].params, "n_hidden": 2},
    ),
    "units of more layers than their parameters say": lambda r: replace(
        r,
        units=(
            replace(
                r.units[0],
                attributes={"n_visible": 6, "n_hidden": 3, "n_code_layers": 2},
                params={**r.units[0].params, "n_hidden": 3},
            ),
        ),
    ),
    "a unit of another activation than the stack's": lambda r: replace(
        r, units=(replace(r.units[0], params={**r.units[0].params, "visible": "gaussian"}), r.units[1])
    ),
    "a unit of other parameters": lambda r: replace(
        r, units=(r.units[0], replace(r.units[1], params={**r.units[1].params, "n_hidden": 2})), probe=None
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_records_whose_parts_do_not_fit_together(name):
    record = to_record(MODELS["stack"]())
    assert type(from_record(replace(record, probe=None), "m.h5")) is StackedAutoencoder
    with pytest.raises(
        ModelFileError, match=r"^m\.h5: (/@config|/units/\d@params): does not describe a model that this program knows"
    ) as caught:
        from_record(UNFIT[name](record), "m.h5")
    assert "\n" not in str(caught.value)


def test_a_tied_decoder_must_be_the_transposed_encoder():
    record = to_record(Autoencoder(4, random_state=0, **SHORT).fit(X))
    weight = record.decoder[0].arrays["weight"].copy()
    weight[1, 2] += 1e-6
    with pytest.raises(ModelFileError, match="a tied decoder whose layer 1 is not the transposed encoder"):
        from_record(changed(record, "decoder", 0, with_arrays, weight=weight), "m.h5")


def test_files_and_records_agree(tmp_path):
    model = MODELS["stack"]()
    model.save(tmp_path / "model.h5")
    found, expected = read_model(tmp_path / "model.h5"), to_record(model)
    assert (found.kind, found.params, found.precision) == (expected.kind, expected.params, expected.precision)
    assert_same(found.input, expected.input)
    assert found.checkpoint is None and found.head is None
    for part in ("encoder", "decoder", "units"):
        for one, other in zip(getattr(found, part), getattr(expected, part), strict=True):
            assert (one.kind, one.attributes, one.arrays.keys()) == (other.kind, other.attributes, other.arrays.keys())
            assert part != "units" or one.params == other.params
            for name, array in other.arrays.items():
                np.testing.assert_array_equal(one.arrays[name], array)
    write_model(tmp_path / "again.h5", found)
    again, model = (load(tmp_path / name).get_params() for name in ("again.h5", "model.h5"))
    plain = {name for name in model if name.count("__") == 2 or not name.startswith("units")}
    assert again.keys() == model.keys() and all(again[name] == model[name] for name in plain)
