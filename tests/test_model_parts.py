"""Files that the gate takes, whose parts make no model: `load` refuses each, naming file and place, and `info` shows it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stacked import RBM, ModelFileError, load
from stacked.cli import info as cli_info
from stacked.files import Baseline, InputSpec, Probe, read_info, write_model
from stacked.models.saving import to_record

from .store_records import layer, make_record, unit, with_arrays, with_attributes

RNG = np.random.default_rng(1)
SINGLE = make_record("rbm", unfinished=False)
STACK, CLASSIFIER = make_record(unfinished=False), make_record("stacked_classifier", unfinished=False)


def dense(n_in, n_out):
    return layer(RNG, "f4", n_in, n_out)


def rbm(n_visible, n_hidden):
    return unit(RNG, "f4", "RBM", n_visible, n_hidden)


def with_layer(index, change, **changes):
    layers = list(STACK.encoder)
    layers[index] = change(layers[index], **changes)
    return replace(STACK, encoder=tuple(layers))


def with_unit(index, change, **changes):
    units = list(STACK.units)
    units[index] = change(units[index], **changes)
    return replace(STACK, units=tuple(units))


UNFIT = {
    "kind": (replace(STACK, kind="gan"), "/@kind: unknown kind of model 'gan', expected one of rbm"),
    "kind of a layer": (
        with_layer(1, replace, kind="attention"),
        "/encoder/1@kind: unknown kind of layer 'attention', expected dense, gaussian",
    ),
    "no attributes": (
        with_layer(0, replace, attributes={}),
        "/encoder/0: expected the attributes activation (str), n_in",
    ),
    "a text for a size": (with_layer(0, with_attributes, n_in="six"), "/encoder/0: expected the attributes activation"),
    "an attribute more": (with_layer(0, with_attributes, stride=2), "/encoder/0: expected the attributes activation"),
    "no bias": (
        with_layer(0, replace, arrays={"weight": STACK.encoder[0].arrays["weight"]}),
        "/encoder/0: expected the arrays bias, weight, found ['weight']",
    ),
    "an array more": (
        with_layer(0, with_arrays, extra=np.zeros(3, "f4")),
        "/encoder/0: expected the arrays bias, weight, found ['bias', 'extra', 'weight']",
    ),
    "shape of a weight": (
        with_layer(0, with_arrays, weight=np.zeros((4, 6), "f4")),
        "/encoder/0/weight: expected the shape (6, 4), found (4, 6)",
    ),
    "shape of a bias": (
        with_layer(0, with_arrays, bias=np.zeros(3, "f4")),
        "/encoder/0/bias: expected the shape (4,), found (3,)",
    ),
    "no encoder": (replace(STACK, encoder=()), "/encoder: no layers"),
    "no decoder": (replace(STACK, decoder=()), "/decoder: no layers"),
    "decoder of a classifier": (replace(CLASSIFIER, decoder=(dense(3, 6),)), "/decoder: a classifier has none"),
    "chain": (with_layer(1, lambda old: dense(5, 3)), "/encoder/1: takes 5 inputs, but /encoder/0 gives 4"),
    "decoder": (replace(STACK, decoder=(dense(2, 6),)), "/decoder/0: takes 2 inputs, but /encoder/1 gives 3"),
    "last layer": (replace(STACK, decoder=(dense(3, 5),)), "/decoder: the decoder gives 5 values for 6 inputs"),
    "last layer for targets": (
        replace(STACK, target=InputSpec(*(array[:5] for array in STACK.input.arrays.values()), (5, 1), "uint8")),
        "/decoder: the decoder gives 6 values for 5 targets",
    ),
    "two layers of an RBM": (
        replace(STACK, kind="rbm"),
        "/@kind: expected one unit RBM, found ['RBM', 'RBM']",
    ),
    "a classifier as an RBM": (replace(CLASSIFIER, kind="rbm"), "/decoder: no layers"),
    "another unit": (
        replace(make_record("rbm", unfinished=False), kind="autoencoder"),
        "/@kind: expected one unit Autoencoder, found ['RBM']",
    ),
    "class of a unit": (
        with_unit(0, replace, kind="Popen"),
        "/units/0@kind: expected one of RBM, Autoencoder, ConvolutionalAutoencoder, RecurrentAutoencoder, SequenceAutoencoder,"
        " VariationalAutoencoder, found 'Popen'",
    ),
    "sizes of a unit": (
        with_unit(0, replace, attributes={"n_visible": 6}),
        "/units/0: expected the attributes n_visible (int), n_hidden (int), n_code_layers (int), found {'n_visible': 6}",
    ),
    "chain of units": (
        with_unit(1, lambda old: rbm(5, 3)),
        "/units/1: expected 4 visible units as /units/0 has hidden ones, found 5",
    ),
    "unit and encoder": (
        with_unit(1, lambda old: rbm(4, 2)),
        "/units/1: expected (4, 3) units as in the encoder, found (4, 2)",
    ),
    "a layer more than the unit's": (
        replace(SINGLE, encoder=(*SINGLE.encoder, dense(4, 4))),
        "/units: expected units of all 2 layers of the encoder, found 1",
    ),
    "a unit fewer": (
        replace(STACK, units=STACK.units[:1]),
        "/units: expected units of all 2 layers of the encoder, found 1",
    ),
    "a unit more": (
        replace(STACK, units=(*STACK.units, rbm(3, 2))),
        "/units/2@n_code_layers: expected at least one layer and at most the 0 left of the encoder, found 1",
    ),
    "no layer of a unit": (
        with_unit(0, with_attributes, n_code_layers=0),
        "/units/0@n_code_layers: expected at least one layer and at most the 2 left of the encoder, found 0",
    ),
    "fewer layers than none": (
        with_unit(1, with_attributes, n_code_layers=-1),
        "/units/1@n_code_layers: expected at least one layer and at most the 1 left of the encoder, found -1",
    ),
    "layers of a unit": (
        with_unit(1, with_attributes, n_code_layers=2),
        "/units/1@n_code_layers: expected at least one layer and at most the 1 left of the encoder, found 2",
    ),
    "a unit of two layers": (
        replace(STACK, units=(with_attributes(rbm(6, 4), n_code_layers=2),)),
        "/units/0: expected (6, 3) units as in the encoder, found (6, 4)",
    ),
    "head of an autoencoder": (
        replace(STACK, head=dense(6, 2), classes=CLASSIFIER.classes),
        "/head: only a classifier has a head and classes, this is of kind stacked_autoencoder",
    ),
    "classes of an autoencoder": (
        replace(STACK, classes=CLASSIFIER.classes),
        "/head: only a classifier has a head and classes, this is of kind stacked_autoencoder",
    ),
    "no head": (replace(CLASSIFIER, head=None), "/head: a head needs classes, and classes a head"),
    "no classes": (replace(CLASSIFIER, classes=None), "/head: a head needs classes, and classes a head"),
    "classes": (replace(CLASSIFIER, classes=np.arange(3)), "/classes: expected 2 labels, found 3"),
    "head": (replace(CLASSIFIER, head=dense(9, 2)), "/head: takes 9 inputs, but /encoder/1 gives 3"),
    "sample shape": (
        replace(STACK, input=InputSpec(*(np.ones(7, t) for t in ("f8", "f8", "u1", "f8")), (7,), "uint8")),
        "/input@sample_shape: expected a shape of 6 values as the encoder takes, found (7,)",
    ),
    "probe's width": (
        replace(STACK, probe=Probe(np.zeros((2, 7)), np.zeros((2, 6)))),
        "/probe/input: expected rows of 6 numbers, found the shape (2, 7)",
    ),
    "probe's rank": (
        replace(STACK, probe=Probe(np.zeros((2, 3, 2)), np.zeros((2, 6)))),
        "/probe/input: expected rows of 6 numbers, found the shape (2, 3, 2)",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_parts_that_make_no_model(name, tmp_path):
    record, message = UNFIT[name]
    path = tmp_path / "model.h5"
    write_model(path, record)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)
    info = read_info(path)
    json.dumps(info, allow_nan=False)
    assert all(line.isprintable() for line in cli_info._lines("model.h5", info))


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    model = RBM(4, epochs=0, random_state=0).fit(np.random.default_rng(0).random((20, 6)))
    model.baseline_ = Baseline(class_share=np.full(2, 0.5))
    with pytest.raises(ModelFileError, match=r"/baseline/class_share: expected the shape \(0\), found \(2,\)"):
        model.save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


def test_a_unit_s_own_arrays_are_those_of_its_parameters(tmp_path):
    model = RBM(4, epochs=0, random_state=0).fit(np.random.default_rng(0).random((20, 6)))
    record = to_record(model)
    units = (with_arrays(record.units[0], visible_bias=np.zeros(5, "f4")),)
    write_model(tmp_path / "model.h5", replace(record, units=units))
    with pytest.raises(ModelFileError, match=r"/units/0/visible_bias: expected the shape \(6,\), found \(5,\)"):
        load(tmp_path / "model.h5")
