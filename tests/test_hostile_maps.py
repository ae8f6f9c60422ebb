"""Files with layers on maps whose numbers do not go together: refused in one line, before anything is allocated or computed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stacked import Autoencoder, ConvolutionalAutoencoder, ModelFileError, StackedAutoencoder, load
from stacked.cli import info as cli_info
from stacked.files import read_info, write_model
from stacked.models import parts
from stacked.models.saving import to_record
from stacked.network import Network

from .store_records import with_arrays, with_attributes

HUGE = 2**62
SHORT = {"epochs": 0, "batch_size": 50}


@pytest.fixture(scope="module")
def record():
    """Convolution 8x8x1 - 8x8x4, pooling - 4x4x4, convolution - 2x2x3, dense - 5, and back with switches."""
    x = np.random.default_rng(0).random((20, 8, 8)).astype(np.float32)
    units = [
        ConvolutionalAutoencoder(4, pool=2, unpool="switches", **SHORT),
        ConvolutionalAutoencoder(3, kernel=2, stride=2, output="relu", **SHORT),
        Autoencoder(5, output="relu", **SHORT),
    ]
    return to_record(StackedAutoencoder(units, finetune_epochs=0, random_state=0).fit(x))


def changed(record, part, index, change=with_attributes, **changes):
    layers = list(getattr(record, part))
    layers[index] = change(layers[index], **changes)
    return replace(record, **{part: tuple(layers)})


ATTRIBUTES = {  # part, layer, attributes, and the line
    "n_in of other maps": (
        "encoder",
        0,
        {"n_in": 63},
        "/encoder/0: n_in: expected the numbers of a map (8, 8, 1), found 63",
    ),
    "height": ("encoder", 0, {"height": 9}, "/encoder/0: n_in: expected the numbers of a map (9, 8, 1), found 64"),
    "channels out": (
        "encoder",
        0,
        {"out_channels": 5},
        "/encoder/0: n_out: expected the numbers of a map (8, 8, 5), found 256",
    ),
    "no pixels": (
        "encoder",
        0,
        {"height": 0, "n_in": 0},
        "/encoder/0: n_in: expected the numbers of a map (0, 8, 1), found 0",
    ),
    "fewer than none": (
        "encoder",
        0,
        {"height": -8, "width": -8},
        "/encoder/0: n_in: expected the numbers of a map (-8, -8, 1)",
    ),
    "huge maps": (
        "encoder",
        0,
        {"n_in": HUGE, "height": 2**31, "width": 2**31},
        "/decoder: the decoder gives 64 values for 4611686018427387904 inputs",
    ),
    "an overflow": (
        "encoder",
        0,
        {"n_in": 64, "height": 2**33, "width": 2**33},
        "/encoder/0: n_in: expected the numbers of a map",
    ),
    "stride 0": (
        "encoder",
        0,
        {"stride_height": 0},
        "/encoder/0: height: expected a stride of at least 1 and padding below",
    ),
    "a stride back": ("encoder", 2, {"stride_width": -2}, "/encoder/2: width: expected a stride of at least 1"),
    "a stride over the border": (
        "encoder",
        0,
        {"stride_height": 9},
        "/encoder/0: height: 8 places of a kernel of 3 by 9 do not fit",
    ),
    "padding": (
        "encoder",
        0,
        {"pad_top": 3},
        "/encoder/0: height: expected a stride of at least 1 and padding below the kernel's 3",
    ),
    "padding below none": (
        "encoder",
        0,
        {"pad_left": -1},
        "/encoder/0: width: expected a stride of at least 1 and padding below",
    ),
    "no kernel": ("encoder", 0, {"kernel_height": 0}, "/encoder/0: expected a kernel of at least 1 x 1, found 0 x 3"),
    "a huge kernel": (
        "encoder",
        0,
        {"kernel_height": 10**9},
        "/encoder/0: height: 8 places of a kernel of 1000000000 by 1 do not fit",
    ),
    "another kernel": (
        "encoder",
        0,
        {"kernel_height": 2},
        "/encoder/0/weight: expected the shape (2, 3, 1, 4), found (3, 3, 1, 4)",
    ),
    "windows": (
        "encoder",
        1,
        {"kernel_height": 3},
        "/encoder/1: expected a map of (3, 4, 4) for windows of (8, 8, 4), found (4, 4, 4)",
    ),
    "a huge window": (
        "encoder",
        1,
        {"kernel_height": HUGE, "kernel_width": HUGE},
        "/encoder/1: expected a map of (1, 1, 4)",
    ),
    "no window": ("encoder", 1, {"kernel_width": 0}, "/encoder/1: expected a kernel of at least 1 x 1"),
    "maps of another shape": (
        "encoder",
        2,
        {
            "height": 16,
            "width": 1,
            "out_height": 12,
            "out_width": 1,
            "out_channels": 1,
            "kernel_height": 1,
            "kernel_width": 1,
            "stride_height": 1,
            "stride_width": 1,
            "pad_top": 0,
            "pad_left": 0,
        },
        "/encoder/2/weight: expected the shape (1, 1, 4, 1), found (2, 2, 4, 3)",
    ),
    "a text for a size": (
        "encoder",
        0,
        {"stride_height": "two"},
        "/encoder/0: expected the attributes n_in (int), n_out (int), height",
    ),
    "an attribute more": ("encoder", 1, {"stride_height": 1}, "/encoder/1: expected the attributes n_in (int)"),
    "no such partner": (
        "decoder",
        2,
        {"partner": 9},
        "/decoder/2: expected a pooling layer as partner 9, found no layer before this",
    ),
    "a partner before all": (
        "decoder",
        2,
        {"partner": -1},
        "/decoder/2: expected a pooling layer as partner -1, found no layer",
    ),
    "itself": (
        "decoder",
        2,
        {"partner": 6},
        "/decoder/2: expected a pooling layer as partner 6, found no layer before this",
    ),
    "a partner that does not pool": (
        "decoder",
        2,
        {"partner": 2},
        "/decoder/2: expected a pooling layer as partner 2, found a convolution",
    ),
    "an activation": (
        "encoder",
        0,
        {"activation": "evil"},
        "/@config: does not describe a model that this program knows",
    ),
    "another activation": (
        "encoder",
        0,
        {"activation": "tanh"},
        "/@config: does not describe a model that this program knows",
    ),
    "another padding": ("encoder", 0, {"pad_left": 0}, "/@config: does not describe a model that this program knows"),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_numbers_of_layers_that_do_not_go_together(name, record, tmp_path, monkeypatch):
    part, index, attributes, line = ATTRIBUTES[name]
    write_model(tmp_path / "model.h5", changed(record, part, index, **attributes))
    monkeypatch.setattr(Network, "zeros", lambda *args: pytest.fail("allocated"))
    with pytest.raises(ModelFileError) as caught:
        load(tmp_path / "model.h5")
    assert str(caught.value).startswith(f"{tmp_path / 'model.h5'}: {line}") and "\n" not in str(caught.value)
    info = read_info(tmp_path / "model.h5")
    json.dumps(info, allow_nan=False)
    assert all(text.isprintable() for text in cli_info._lines("model.h5", info))


def test_maps_that_meet_in_another_shape_are_refused(record, tmp_path):
    """4x4x4 read as 16x1x4, the weights in their place, too: kernels would look beyond the maps."""
    sizes = {"height": 16, "width": 1, "out_height": 4, "out_width": 1, "kernel_height": 4, "kernel_width": 1}
    wrong = changed(record, "encoder", 2, **sizes, stride_height=4, stride_width=1)
    weight = np.zeros((4, 1, 4, 3), np.float32)
    write_model(tmp_path / "model.h5", changed(wrong, "encoder", 2, with_arrays, weight=weight))
    with pytest.raises(
        ModelFileError, match=r"/encoder/2: takes maps of \(16, 1, 4\), but the layer below gives \(4, 4, 4\)$"
    ):
        load(tmp_path / "model.h5")


UNITS = {
    "kernel": 10**9,
    "stride": 0,
    "pool": HUGE,
    "n_hidden": 10**12,
    "sample_shape": [2**31, 2**31],
    "padding": "full",
    "unpool": "evil",
}


@pytest.mark.parametrize("of_units", [False, True])
@pytest.mark.parametrize("name", UNITS)
def test_parameters_of_units_that_mean_other_layers(name, of_units, record, tmp_path, monkeypatch):
    if of_units:
        unit = record.units[0]
        wrong = replace(record, units=(replace(unit, params={**unit.params, name: UNITS[name]}), *record.units[1:]))
        monkeypatch.setattr(parts, "check_baseline", lambda record: None)
    else:
        params = json.loads(json.dumps(record.params))
        params["estimator"]["units"][0]["params"][name] = UNITS[name]
        wrong = replace(record, params=params)
        monkeypatch.setattr(Network, "zeros", lambda *args: pytest.fail("allocated"))
    write_model(tmp_path / "model.h5", wrong)
    where = "/units/0@" if of_units else "/@config"
    with pytest.raises(ModelFileError) as caught:
        load(tmp_path / "model.h5")
    assert str(caught.value).startswith(f"{tmp_path / 'model.h5'}: {where}") and "\n" not in str(caught.value)
