"""Files with Gaussian codes where no model has them, or of wrong sizes: refused in a line, before a kernel sees a layer."""

from dataclasses import replace

import numpy as np
import pytest

from stacked import Autoencoder, ModelFileError, StackedAutoencoder, StackedClassifier, VariationalAutoencoder, load
from stacked.files import LayerArrays, write_model
from stacked.models.saving import to_record

from .store_records import layer, with_attributes

X = np.random.default_rng(0).random((20, 6)).astype(np.float32)
RNG = np.random.default_rng(1)
PARAMETERS = "/@config: does not describe a model that this program knows"


def gaussian(n_in, n_out, **arrays):
    return LayerArrays("gaussian", {"n_in": n_in, "n_out": n_out}, arrays)


def dense(n_in, n_out, activation="linear"):
    return layer(RNG, "f4", n_in, n_out, activation)


def vae():
    return VariationalAutoencoder(2, hidden_layers=(5,), epochs=0, random_state=0)


def _record(model):
    """What a file holds but for the training rows."""
    return replace(to_record(model), baseline=None)


SINGLE = _record(vae().fit(X))
STACK = _record(StackedAutoencoder([vae()], random_state=0).pretrain(X))
PLAIN = _record(StackedAutoencoder([Autoencoder(4, epochs=0)], random_state=0).pretrain(X))
CLASSIFIER = _record(
    StackedClassifier([Autoencoder(4, epochs=0)], finetune_epochs=0, random_state=0).fit(X, np.arange(20) % 2)
)


def with_encoder(record, *layers, **units):
    """A record whose encoder is these layers, its first unit of matching sizes."""
    sizes = {"n_visible": layers[0].attributes["n_in"], "n_hidden": layers[-1].attributes["n_out"]}
    unit = with_attributes(record.units[0], **sizes, n_code_layers=len(layers), **units)
    return replace(record, encoder=layers, units=(unit,))


FIRST, CODE = SINGLE.encoder[:2], SINGLE.encoder[2]
HOSTILE = {
    "n_in is not twice n_out": (
        replace(SINGLE, encoder=(*FIRST, with_attributes(CODE, n_out=3))),
        "/encoder/2: a Gaussian code of 3 numbers takes 6, not 4",
    ),
    "n_out larger than n_in": (
        replace(SINGLE, encoder=(*FIRST, gaussian(4, 4000))), "/encoder/2: a Gaussian code of 4000 numbers takes 8000, not 4",
    ),
    "sizes that wrap around": (
        replace(SINGLE, encoder=(*FIRST, gaussian(4, 2**62 + 2))), "/encoder/2: a Gaussian code of",
    ),
    "negative sizes": (replace(SINGLE, encoder=(*FIRST, gaussian(-4, -2))), "/encoder/2: takes -4 inputs"),
    "sizes that are no whole numbers": (
        replace(SINGLE, encoder=(*FIRST, with_attributes(CODE, n_in=4.0))), "/encoder/2: expected the attributes n_in (int), n_out",
    ),
    "an activation": (
        replace(SINGLE, encoder=(*FIRST, with_attributes(CODE, activation="tanh"))), "/encoder/2: expected the attributes n_in",
    ),
    "arrays": (
        replace(SINGLE, encoder=(*FIRST, gaussian(4, 2, weight=np.zeros((4, 2), "f4"), bias=np.zeros(2, "f4")))),
        "/encoder/2: expected the arrays , found ['bias', 'weight']",
    ),
    "the first layer": (with_encoder(SINGLE, gaussian(6, 3), dense(3, 2)), PARAMETERS),
    "the only layer": (
        replace(with_encoder(SINGLE, gaussian(6, 3)), decoder=(dense(3, 6, "sigmoid"),)), PARAMETERS,
    ),
    "below it outputs that are not linear": (
        replace(SINGLE, encoder=(FIRST[0], with_attributes(FIRST[1], activation="relu"), CODE)), PARAMETERS,
    ),
    "two of them": (with_encoder(SINGLE, dense(6, 8), gaussian(8, 4), gaussian(4, 2)), PARAMETERS),
    "one more of a stack": (with_encoder(STACK, dense(6, 8), gaussian(8, 4), gaussian(4, 2)), PARAMETERS),
    "none in a variational model": (with_encoder(STACK, dense(6, 5, "tanh"), dense(5, 4), dense(4, 2)), PARAMETERS),
    "one in another model": (replace(PLAIN, decoder=(dense(4, 12), gaussian(12, 6))), PARAMETERS),
    "in place of a layer of another model": (with_encoder(PLAIN, dense(6, 8), gaussian(8, 4)), PARAMETERS),
    "in the decoder": (replace(SINGLE, decoder=(dense(2, 12), gaussian(12, 6))), PARAMETERS),
    "the head": (replace(CLASSIFIER, head=gaussian(4, 2)), PARAMETERS),
    "a head of wrong sizes": (replace(CLASSIFIER, head=gaussian(4, 3)), "/head: a Gaussian code of 3 numbers takes 6, not 4"),
}  # fmt: skip


@pytest.mark.parametrize("record", [SINGLE, STACK, PLAIN, CLASSIFIER], ids=["single", "stack", "plain", "classifier"])
def test_the_records_that_are_spoilt_here_are_good(record, tmp_path):
    write_model(tmp_path / "model.h5", record)
    assert np.isfinite(load(tmp_path / "model.h5").transform(X)).all()


@pytest.mark.parametrize("name", HOSTILE)
def test_codes_that_make_no_model_are_refused(name, tmp_path):
    record, message = HOSTILE[name]
    path = tmp_path / "model.h5"
    write_model(path, record)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "own",
    [
        {"hidden_layers": [5, 5]}, {"hidden_layers": []}, {"hidden_layers": [6]}, {"hidden_layers": 5}, {"hidden_layers": [2**62]},
        {"hidden_layers": [5] * 2000}, {"hidden_layers": [[5]]}, {"n_hidden": 3}, {"n_hidden": 2**62}, {"output": "gaussian"},
        {"activation": "relu"}, {"binarize": "yes"}, {"samples": 0}, {"samples": None}, {"kl_warmup": -1}, {"kl_warmup": 2**40},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("kind", ["single", "stack"])
def test_parameters_that_do_not_fit_the_layers_are_refused(kind, own, tmp_path):
    record = SINGLE if kind == "single" else STACK
    estimator = dict(record.params["estimator"])
    if kind == "single":
        estimator |= own
    else:
        (unit,) = estimator["units"]
        estimator["units"] = [{**unit, "params": {**unit["params"], **own}}]
    write_model(tmp_path / "model.h5", replace(record, params={**record.params, "estimator": estimator}))
    with pytest.raises(ModelFileError, match=r"model\.h5: /"):
        load(tmp_path / "model.h5")
