"""Small model records of every kind, a comparison of records, and the file digest written out a second time."""

import hashlib
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise

import h5py
import numpy as np

from stacked.files import (
    HISTORY_DTYPE,
    Baseline,
    Checkpoint,
    InputSpec,
    LayerArrays,
    ModelRecord,
    Probe,
    UnitArrays,
    weights_dtype,
)

SIZES = (6, 4, 3)


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def layer(rng, dtype, n_in, n_out, activation="sigmoid"):
    attributes = {"activation": activation, "n_in": n_in, "n_out": n_out}
    arrays = {"weight": normal(rng, dtype, n_in, n_out), "bias": normal(rng, dtype, n_out)}
    return LayerArrays("dense", attributes, arrays)


def with_arrays(part, **arrays):
    """A layer or unit with some of its arrays replaced."""
    return replace(part, arrays={**part.arrays, **arrays})


def with_attributes(part, **attributes):
    return replace(part, attributes={**part.attributes, **attributes})


def unit(rng, dtype, kind, visible, hidden, tied=True):
    arrays = {
        "weight": normal(rng, dtype, visible, hidden),
        "visible_bias": normal(rng, dtype, visible),
        "hidden_bias": normal(rng, dtype, hidden),
    }
    if not tied:
        arrays["decoder_weight"] = normal(rng, dtype, hidden, visible)
    params = {"n_hidden": hidden, "learning_rate": 0.1, "tied": tied, "note": None}
    return UnitArrays(kind, {"n_visible": visible, "n_hidden": hidden, "n_code_layers": 1}, params, arrays)


def history(rows):
    table = np.zeros(rows, HISTORY_DTYPE)
    table["epoch"] = np.arange(rows)
    table["loss"] = 1 / (1 + np.arange(rows))
    table["validation_loss"] = np.nan
    table["seconds"], table["samples_per_second"], table["penalty"] = 0.5, 1e5, 0.25
    return table


def checkpoint(rng):
    arrays = {
        "velocity/weight": normal(rng, "f4", 6, 4),
        "velocity/bias": normal(rng, "f8", 4),
        "chains": np.zeros((2, 3, 4), "u1"),
        "step": np.array(7, "i8"),
        "nothing": np.empty((0, 4), "f4"),
    }
    return Checkpoint({"phase": "finetune", "unit": -1, "epoch": 3, "best": [0.5, None]}, arrays)


def baseline(rng):
    """Of 6 columns and 4 units in the first layer."""
    return Baseline(
        mean=normal(rng, "f4", 6), components=np.eye(3, 6, dtype="f4"), variances=rng.random(4) + 0.1,
        spread=rng.random(4).astype("f4") + 1, neighbours=normal(rng, "f4", 7, 4), distances=rng.random((3, 3)) + 0.1,
        scores=np.sort(rng.random(11)),
    )  # fmt: skip


def make_record(kind="stacked_autoencoder", precision="float32", unfinished=True, labels=None, untied=False):
    rng, dtype = np.random.default_rng(0), weights_dtype(precision)
    widths = SIZES if kind.startswith("stacked") else SIZES[:2]
    classifier = kind == "stacked_classifier"
    pairs = list(pairwise(widths))
    unit_kind = "Autoencoder" if untied or kind == "autoencoder" else "RBM"
    labels = np.array([3, 5], "i8") if labels is None else labels
    return ModelRecord(
        kind=kind,
        params={"units": [{"n_hidden": n} for n in widths[1:]], "random_state": 0, "precision": precision},
        encoder=tuple(layer(rng, dtype, *pair) for pair in pairs),
        decoder=() if classifier else tuple(layer(rng, dtype, b, a, "linear") for a, b in reversed(pairs)),
        head=layer(rng, dtype, widths[-1], len(labels), "softmax") if classifier else None,
        classes=labels if classifier else None,
        units=tuple(unit(rng, dtype, unit_kind, *pair, tied=not untied) for pair in pairs),
        input=input_spec(),
        history={"unit_0": history(3), "finetune": history(0)},
        probe=Probe(normal(rng, dtype, 2, 6), normal(rng, dtype, 2, 6)),
        baseline=Baseline(class_share=np.full(len(labels), 1 / len(labels))) if classifier else baseline(rng),
        checkpoint=checkpoint(rng) if unfinished else None,
        precision=precision,
    )


def assert_same(a, b, path="record"):
    """Equal in every field, type, shape and bit."""
    if is_dataclass(a):
        assert type(a) is type(b), path
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{path}.{field.name}")
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}[{key}]")
    elif isinstance(a, tuple):
        assert len(a) == len(b), path
        for i, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, f"{path}[{i}]")
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), path
    else:
        assert a == b, path


def input_spec():
    """Six columns of images: one is set aside, one is taken by its logarithm."""
    scale, offset = np.full(6, 1 / 255), np.zeros(6)
    scale[2], offset[5] = 0.0, -0.5
    return InputSpec(scale, offset, np.array([0, 0, 0, 0, 0, 1], "u1"), np.full(6, 3.0), (2, 3), "uint8")


def stamped(record, version):
    return replace(record, stacked_version=version)


def naive_digest(path):
    """The digest as its documentation describes it, from what plain h5py sees."""
    elements = {}
    with h5py.File(path) as file:
        names = ["/"]
        file.visit(lambda name: names.append("/" + name))
        for name in names:
            if isinstance(file[name], h5py.Dataset):
                elements[name] = file[name][()]
            elements |= {f"{name}@{key}": value for key, value in file[name].attrs.items()}
    del elements["/@digest"]
    total = hashlib.sha256()
    for name, value in sorted(elements.items()):
        if "@" in name and isinstance(value, bytes):
            total.update(b"%s utf-8 %d\n%s" % (name.encode(), len(value), value))
            continue
        array = np.asarray(value)
        kind = array.dtype.str if array.dtype.names is None else "<i8,<f8,<f8,<f8,<f8,<f8"
        shape = ",".join(str(length) for length in array.shape) or "-"
        total.update(f"{name} {kind} {shape}\n".encode() + array.tobytes())
    return total.hexdigest()
