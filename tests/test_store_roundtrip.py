"""Model files: what is written is what is read, by us and by plain h5py."""

import json
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

import stacked
from stacked.errors import ModelFileError
from stacked.files import LayerArrays, Probe, UnitArrays, read_info, read_model, weights_dtype, write_model

from .store_records import (
    assert_same,
    history,
    input_spec,
    make_record,
    naive_digest,
    normal,
    stamped,
    with_arrays,
    with_attributes,
)


def foreign_record():
    """What no estimator of today makes: a layer of a kind of its own with arrays of many shapes, and one without arrays."""
    rng, record = np.random.default_rng(3), make_record("variational", unfinished=False)
    arrays = {
        "weight": normal(rng, "f4", 3, 3, 1, 8),
        "bias": normal(rng, "f4", 8),
        "scales/code": normal(rng, "f4", 5),
    }
    attributes = {"activation": "relu", "input_shape": (28, 28, 1), "stride": 2, "slope": 0.25, "n_in": 784}
    layers = (LayerArrays("convolution", attributes, arrays), LayerArrays("pooling", {"part": "head"}, {}))
    unit = UnitArrays("Convolver", attributes, {"n_channels": 8, "kernel": [3, 3]}, arrays)
    images = Probe(normal(rng, "f4", 2, 4, 4, 1), normal(rng, "f4", 2, 5))
    return replace(record, encoder=layers, decoder=(), head=layers[0], units=(unit,), probe=images)


RECORDS = {
    "rbm": make_record("rbm"),
    "rbm, finished": make_record("rbm", unfinished=False),
    "autoencoder": make_record("autoencoder", "float64"),
    "untied autoencoder": make_record("autoencoder", untied=True),
    "stacked_autoencoder": make_record("stacked_autoencoder", "bfloat16"),
    "stacked_classifier": make_record("stacked_classifier"),
    "classifier of texts": make_record("stacked_classifier", labels=np.array(["ant", "bee", "žába"])),
    "targets": replace(
        make_record(unfinished=False), target=replace(input_spec(), sample_shape=(3, 2), dtype="float32")
    ),
    "no probe, no history": replace(make_record(unfinished=False), probe=None, history={}, units=()),
    "layers of no known kind": foreign_record(),
    "classifier without labels yet": replace(make_record("stacked_classifier"), head=None, classes=None),
}


@pytest.mark.parametrize("name", RECORDS)
def test_round_trip(tmp_path, name):
    write_model(tmp_path / "model.h5", RECORDS[name])
    found = read_model(tmp_path / "model.h5")
    assert_same(found, stamped(RECORDS[name], stacked.__version__))
    write_model(tmp_path / "again.h5", found)
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "model.h5").read_bytes()


def test_a_second_write_gives_the_same_bytes(tmp_path):
    write_model(tmp_path / "a.h5", make_record())
    time.sleep(1.1)  # HDF5 stores times in whole seconds, unless told not to
    write_model(tmp_path / "b.h5", read_model(tmp_path / "a.h5"))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_arrays_come_back_native_and_writable(tmp_path):
    write_model(tmp_path / "model.h5", make_record())
    weight = read_model(tmp_path / "model.h5").encoder[0].arrays["weight"]
    assert weight.flags.writeable and weight.flags.c_contiguous and weight.dtype.isnative


def test_any_memory_order_and_byte_order_is_stored_alike(tmp_path):
    record = make_record()
    first = record.encoder[0]
    weight, bias = np.asfortranarray(first.arrays["weight"]), first.arrays["bias"].astype(">f4")
    other = with_arrays(first, weight=weight, bias=bias)
    write_model(tmp_path / "a.h5", record)
    write_model(tmp_path / "b.h5", replace(record, encoder=(other, *record.encoder[1:])))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_plain_h5py_reads_it(tmp_path):
    record = make_record("stacked_classifier")
    write_model(tmp_path / "model.h5", record)
    with h5py.File(tmp_path / "model.h5") as file:
        assert file.attrs["format"].decode() == "stacked-model" and file.attrs["format_version"] == 1
        assert file.attrs["kind"].decode() == record.kind
        assert json.loads(file.attrs["config"])["params"] == record.params
        np.testing.assert_array_equal(file["encoder/1/weight"], record.encoder[1].arrays["weight"])
        assert file["encoder/1"].attrs["kind"].decode() == "dense" and file["encoder/1"].attrs["n_out"] == 3
        assert file["encoder/1"].attrs["activation"].decode() == "sigmoid"
        assert file["units/0"].attrs["kind"].decode() == "RBM"
        assert json.loads(file["units/0"].attrs["params"]) == record.units[0].params
        assert tuple(file["input"].attrs["sample_shape"]) == (2, 3)
        for name, array in record.input.arrays.items():
            np.testing.assert_array_equal(file[f"input/{name}"], array)
        assert file["classes"][:].tolist() == [3, 5]
        assert file["history/unit_0"]["loss"].tolist() == record.history["unit_0"]["loss"].tolist()
        assert json.loads(file["checkpoint"].attrs["cursor"])["epoch"] == 3
        assert file["checkpoint/step"][()] == 7


def test_a_config_beyond_the_64_kib_of_an_object_header(tmp_path):
    record = replace(make_record(), params={"note": "x" * 500_000})
    write_model(tmp_path / "model.h5", record)
    assert read_model(tmp_path / "model.h5").params == record.params


@pytest.mark.parametrize("name", RECORDS)
def test_the_digest_is_as_documented(tmp_path, name):
    write_model(tmp_path / "model.h5", RECORDS[name])
    with h5py.File(tmp_path / "model.h5") as file:
        assert file.attrs["digest"].decode() == naive_digest(tmp_path / "model.h5")


@pytest.mark.parametrize(
    "options", [{"compression": "gzip"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}]
)
def test_a_file_repacked_with_gzip_reads_the_same(tmp_path, options):
    path = tmp_path / "model.h5"
    rng = np.random.default_rng(1)
    record = make_record(unfinished=False)
    record = replace(record, history={"unit_0": history(50)}, probe=Probe(rng.random((70, 6)), rng.random((70, 6))))
    write_model(path, record)
    with h5py.File(path, "r+") as file:
        for name in ("probe/input", "history/unit_0", "encoder/0/weight"):
            values = file[name][()]
            del file[name]
            chunks = tuple(1 + length // 3 for length in values.shape)
            file.create_dataset(name, data=values, chunks=chunks, **options)
    assert_same(read_model(path), stamped(record, stacked.__version__))


def test_info(tmp_path):
    path = tmp_path / "model.h5"
    write_model(path, make_record("stacked_classifier"))
    info = json.loads(json.dumps(read_info(path), allow_nan=False))
    assert (info["format"], info["version"], info["kind"]) == ("stacked-model", 1, "stacked_classifier")
    assert info["layers"][1] == {"part": "encoder", "kind": "dense", "n_in": 4, "n_out": 3, "activation": "sigmoid"}
    assert info["layers"][2] == {"part": "head", "kind": "dense", "n_in": 3, "n_out": 2, "activation": "softmax"}
    assert info["parameters"] == 7 * 4 + 5 * 3 + 4 * 2
    assert info["units"][0] == {"kind": "RBM", "n_visible": 6, "n_hidden": 4, "n_code_layers": 1}
    assert info["history"]["unit_0"] == {"epochs": 3, "loss": 1 / 3, "validation_loss": None, "seconds": 1.5}
    assert info["history"]["finetune"]["epochs"] == 0
    assert info["checkpoint"]["cursor"]["phase"] == "finetune"
    assert info["classes"] == [3, 5] and info["digest"] == naive_digest(path)
    assert info["file_size"] == path.stat().st_size


def test_weights_dtype():
    assert [weights_dtype(p).str for p in ("float32", "bfloat16", "float64")] == ["<f4", "<f4", "<f8"]


def changed(**new):
    return replace(make_record(), **new)


def first_layer(change, **new):
    record = make_record()
    return replace(record, encoder=(change(record.encoder[0], **new), record.encoder[1]))


UNWRITABLE = {
    "NaN": (first_layer(with_arrays, bias=np.full(4, np.nan, "f4")), "/encoder/0/bias: holds NaN"),
    "dtype": (first_layer(with_arrays, weight=np.zeros((6, 4))), "/encoder/0/weight: expected one of <f4, found '<f8'"),
    "empty": (first_layer(with_arrays, weight=np.zeros((6, 0), "f4")), "/encoder/0/weight: expected a size from 1"),
    "array's name": (first_layer(with_arrays, **{"W": np.zeros(3, "f4")}), "arrays: expected at most 8 names of a-z"),
    "activation": (first_layer(with_attributes, activation="no name"), "encoder[0].activation: expected a name"),
    "attribute": (first_layer(with_attributes, mask=[[1]]), "encoder[0].mask: expected a whole number"),
    "kind of a layer": (first_layer(replace, kind="a b"), "encoder[0].kind: expected a name"),
    "kind": (changed(kind="a transformer"), "/@kind: expected a name"),
    "no arrays of a checkpoint": (
        changed(checkpoint=replace(make_record().checkpoint, arrays={})),
        "/checkpoint: expected at least one array",
    ),
    "precision": (changed(precision="float16"), "precision: expected one of float32"),
    "params": (changed(params={"a": float("nan")}), "/@config: cannot be stored as JSON"),
    "object params": (changed(params={"a": object()}), "/@config: cannot be stored as JSON"),
    "sample shape": (changed(input=replace(make_record().input, sample_shape=(0,))), "/input@sample_shape"),
    "target's shape": (
        changed(target=replace(make_record().input, sample_shape=(7,))),
        "/target/constant: expected 7 numbers",
    ),
    "target's dtype": (
        changed(target=replace(make_record().input, dtype="<f4")),
        "/target@dtype: expected one of uint8",
    ),
    "phase": (changed(history={"no/phase": history(1)}), "history: expected a name"),
    "classes": (make_record("stacked_classifier", labels=np.array([1.5, 2.5])), "classes"),
    "surrogate": (make_record("stacked_classifier", labels=np.array(["a", "\ud800"])), "/classes: a label is no valid"),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_what_could_not_be_read_is_not_written(tmp_path, name):
    record, message = UNWRITABLE[name]
    with pytest.raises(ModelFileError) as caught:
        write_model(tmp_path / "model.h5", record)
    assert message in str(caught.value) and "\n" not in str(caught.value) and "damaged" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "model.h5"))
    assert not list(tmp_path.iterdir())


def test_info_shows_layers_that_nothing_here_can_load(tmp_path):
    write_model(tmp_path / "model.h5", foreign_record())
    info = json.loads(json.dumps(read_info(tmp_path / "model.h5"), allow_nan=False))
    assert info["kind"] == "variational" and info["parameters"] == 2 * (72 + 8 + 5)
    assert info["layers"][0]["kind"] == "convolution" and info["layers"][0]["input_shape"] == [28, 28, 1]
    assert info["layers"][1] == {"part": "encoder", "kind": "pooling"}


@pytest.mark.parametrize("name", ["a b", "A", "a//b", "../x", "/a", "a/", ".", ""])
def test_names_of_checkpoint_arrays(tmp_path, name):
    record = make_record()
    arrays = {name: np.zeros(2)}
    with pytest.raises(ModelFileError, match="names of a-z"):
        write_model(tmp_path / "m.h5", replace(record, checkpoint=replace(record.checkpoint, arrays=arrays)))


def test_numpy_scalars_are_parameters_too(tmp_path):
    write_model(tmp_path / "m.h5", changed(params={"seed": np.int64(3), "rate": np.float32(0.5), "on": np.True_}))
    assert read_model(tmp_path / "m.h5").params == {"seed": 3, "rate": 0.5, "on": True}


def test_the_result_s_digest_leaves_out_times_and_nothing_else(tmp_path):
    def told(**fields):
        rows = history(3)
        for name, value in fields.items():
            rows[name][1] = value
        path = tmp_path / "model.h5"
        write_model(path, replace(make_record(), history={"unit_0": rows}))
        return read_info(path)["digest"], read_info(path)["result_digest"]

    digest, result = told()
    assert digest != result
    for name, value in {"seconds": 7, "samples_per_second": 7}.items():
        other, same = told(**{name: value})
        assert other != digest and same == result
    for name, value in {"loss": 7, "epoch": 7, "validation_loss": 7, "penalty": 7}.items():
        assert told(**{name: value})[1] != result
    assert told(seconds=0, samples_per_second=0)[1] == result
