"""Layers as text: c16k5s2-d30 on the command line and in Python, and the units that it means."""

import json

import numpy as np
import pytest

from stacked import Autoencoder, ConvolutionalAutoencoder, SettingError, StackedAutoencoder
from stacked.units.layer_text import Asked, asked_layers, described, words_of
from stacked.units.usual import Each, units_for

from .test_cli_boundary import misused, run_well

CONVOLUTIONAL = {
    "c16": {},
    "c16k5s2": {"kernel": 5, "stride": 2},
    "c16s2k5": {"kernel": 5, "stride": 2},
    "c16p2": {"pool": 2},
    "c16v": {"padding": "valid"},
    "c16k3vp2": {"kernel": 3, "padding": "valid", "pool": 2},
    "c16vk03": {"kernel": 3, "padding": "valid"},
}


@pytest.mark.parametrize("text", CONVOLUTIONAL)
def test_a_letter_a_number_and_marks(text):
    assert asked_layers("units", [text]) == [Asked(16, "convolutional", CONVOLUTIONAL[text])]


def test_numbers_alone_and_dense_units():
    assert asked_layers("units", [500, "30", "d20"]) == [Asked(500), Asked(30), Asked(20, "d")]
    assert words_of(asked_layers("units", ["c8", 4, "c4", "d2"])) == ["convolutional"]
    assert words_of(asked_layers("units", [8, "d2"]), "convolutional") == ["convolutional"]
    assert described() == (
        "c filters [k kernel] [s stride] [p pool] [v: valid], g or l units (recurrent), G or L units (sequence), d or a number"
        " alone: dense"
    )


WRONG = (
    "", "c", "16c", "x3", "C16", "c16q", "c16k", "c16v2", "c16k5x", "c-16", "c1.5", "d", "d30k5", "30v", "c16 k5", "c\u0661",
    "c16k5\n", "c" + "9" * 19, "c16k" + "9" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_names_the_part_and_what_is_known(text):
    with pytest.raises(SettingError) as caught:
        asked_layers("units", [16, text])
    line = str(caught.value)
    assert line.startswith("units: expected a number of units, or c filters [k kernel]") and line.isprintable()
    assert repr(text)[:20] in line and len(line) < 250


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["c16k5k3"], "units: expected each mark once, found 'c16k5k3'"),
        (["c0"], "units: layer 1, 'c0': expected a whole number of at least 1, found 0"),
        ([8, "d0"], "units: layer 2, 'd0': expected a whole number of at least 1, found 0"),
        (["c8k0"], "units: layer 1, 'c8k0': kernel: expected a whole number of at least 1, found 0"),
        ([8, "c4s0"], "units: layer 2, 'c4s0': stride: expected a whole number of at least 1, found 0"),
        (["c4k9999"], "units: layer 1, 'c4k9999': kernel: expected a whole number of at most 4096, found 9999"),
        ([0], "units: expected a whole number of at least 1, found 0"),
        ([True], "units: expected a whole number of at least 1, found True"),
        ("c16", "units: expected a sequence of whole numbers from 1 on, found 'c16'"),
        ([1] * 101, "units: expected at most 100 sizes, found 101"),
    ],
)
def test_layers_that_cannot_be(layers, message):
    with pytest.raises(SettingError) as caught:
        asked_layers("units", layers)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("layers", "settings", "message"),
    [
        (["c8k9v"], {}, "layer 1, 'c8k9v': a kernel of 9 does not fit 8 pixels; use a smaller one, or no v"),
        (["c4", "c8k9v"], {}, "layer 2, 'c8k9v': a kernel of 9 does not fit 8 pixels; use a smaller one, or no v"),
        (["c8v"], {"kernel": 9}, "layer 1, 'c8v': kernel: a kernel of 9 does not fit 8 pixels; use a smaller one, or no v"),
        (
            ["c8k9"], {"padding": "valid"},
            "layer 1, 'c8k9': a kernel of 9 does not fit 8 pixels; use a smaller one, or padding='same'",
        ),
        (["c4", "g3"], {}, "layer 2, 'g3': expected sequences of (steps, numbers) for a recurrent unit, found"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("train", ["pretrain", "finetune"])
def test_a_layer_that_does_not_fit_is_called_by_its_text(layers, settings, message, train, small):
    model = StackedAutoencoder(layers, unit_settings=settings)
    with pytest.raises(SettingError) as caught:
        getattr(model, train)(small.reshape(-1, 8, 8))
    assert str(caught.value).startswith(message)


# ---- the units -------------------------------------------------------------------------------------------------------


def kinds(units):
    return [type(unit).__name__ for unit in units]


def test_dense_units_follow_maps():
    units = units_for(["c16k5s2", "c32p2", "d30"], data="ink", n_rows=60_000)
    assert kinds(units) == ["ConvolutionalAutoencoder", "ConvolutionalAutoencoder", "Autoencoder"]
    first, second, top = units
    assert (first.n_hidden, first.kernel, first.stride, first.pool, first.output) == (16, 5, 2, 0, "sigmoid")
    assert (second.n_hidden, second.kernel, second.pool, second.output) == (32, 3, 2, "relu")
    assert (top.activation, top.output, top.start, top.optimizer) == ("linear", "relu", "principal", "adam")
    real, _ = units_for(["c16", 30], data="real")
    assert real.output == "linear"


def test_maps_on_top_are_not_linear_unless_asked():
    assert [unit.activation for unit in units_for(["c16", "c4"])] == ["relu", "relu"]
    assert [unit.activation for unit in units_for(["c16", "c4"], code="linear")] == ["relu", "linear"]
    assert [unit.activation for unit in units_for(["c4", 30])] == ["relu", "linear"]  # of 30 numbers, not of 4
    assert [unit.activation for unit in units_for(["c4", 30], classifies=True)][1] != "linear"


def test_numbers_are_of_the_kind_that_is_asked_for_and_d_is_dense():
    assert kinds(units_for([8, "d4"], "convolutional")) == ["ConvolutionalAutoencoder", "Autoencoder"]
    assert kinds(units_for(["c8", 4, "d3"], "rbm")) == ["ConvolutionalAutoencoder", "RBM", "RBM"]
    assert kinds(units_for([8], given={"kernel": 5})) == ["ConvolutionalAutoencoder"]
    assert kinds(units_for([8, 4])) == ["Autoencoder", "Autoencoder"]


def test_each_unit_takes_of_what_is_given_what_it_has():
    given = {"kernel": 5, "pool": Each((2, 0, 0)), "weight_decay": 0.1, "tied": False}
    first, second, top = units_for(["c8", "c4k3", 6], given=given)
    assert (first.kernel, second.kernel, first.pool, second.pool) == (5, 3, 2, 0)
    assert (first.weight_decay, top.weight_decay, first.tied, top.tied) == (0.1, 0.1, False, False)
    noisy, dense = units_for(["c8", 6], given={"corruption_level": 0.2})
    assert noisy.corruption_level == dense.corruption_level == 0.2
    first, second = units_for(["c8", "c4"], given={"sample_shape": (8, 8)})
    assert (first.sample_shape, second.sample_shape) == ((8, 8), None)
    with pytest.raises(SettingError, match="unit: expected parameters that one kind of unit takes, found k"):
        units_for(["c8", "c6"], given={"k": 5})
    with pytest.raises(
        SettingError, match="unit: expected parameters that one kind of unit takes, found kernel, persistent, start"
    ):
        units_for(["c8", 6], given={"kernel": 5, "persistent": True, "start": "random"})


# ---- the command line ------------------------------------------------------------------------------------------------


def pretrained(home, *flags):
    run_well("pretrain", "digits", "-o", home / "m.h5", "--epochs", 1, "--seed", 0, "--quiet", "--force", *flags)
    return json.loads(run_well("info", home / "m.h5", "--json").stdout)


def test_layers_of_the_command_line_and_of_a_file(tmp_path):
    found = pretrained(tmp_path, "--layers", "c4k5s2-c3p2-d6", "--kernel", "4", "--activation", "relu")
    layers = [(layer["kind"], layer.get("kernel_height")) for layer in found["layers"][: len(found["layers"]) // 2]]
    assert layers == [("convolution", 5), ("convolution", 4), ("pooling", 2), ("dense", None)]
    assert found["input"]["sample_shape"] == [8, 8]
    (tmp_path / "run.toml").write_text('layers = ["c4k5s2", "c3p2", 6]\nkernel = 4\nactivation = "relu"\n')
    assert pretrained(tmp_path, "--config", tmp_path / "run.toml")["layers"] == found["layers"]
    (tmp_path / "run.toml").write_text('layers = "c4k5s2-c3p2-6"\nkernel = 4\nactivation = "relu"\n')
    assert pretrained(tmp_path, "--config", tmp_path / "run.toml")["layers"] == found["layers"]


def test_a_bare_number_is_of_the_kind_of_unit(tmp_path):
    found = pretrained(tmp_path, "--layers", "4-3", "--unit", "convolutional", "--stride", "2,1")
    assert [unit["kind"] for unit in found["units"]] == ["ConvolutionalAutoencoder"] * 2
    assert [layer["stride_width"] for layer in found["layers"]] == [2, 1, 1, 2]


def test_flat_rows_of_the_command_line_are_signals_or_have_a_shape(small, tmp_path):
    np.savetxt(tmp_path / "x.csv", small, delimiter=",", fmt="%.4f")
    flags = ("pretrain", tmp_path / "x.csv", "-o", tmp_path / "m.h5", "--layers", "c3p2", "--epochs", 1, "--force")
    line = "x.csv: flat rows of 64 numbers are taken for signals, maps of 1 x 64; images need --shape"
    assert line in run_well(*flags).stderr
    assert json.loads(run_well("info", tmp_path / "m.h5", "--json").stdout)["input"]["sample_shape"] == [1, 64, 1]
    assert "signals" not in run_well(*flags, "--shape", "8x8").stderr
    info = run_well("info", tmp_path / "m.h5").stdout
    assert "encoder     8x8x1 -> 8x8x3 relu kind=convolution kernel=3x3 stride=1x1 pad=1x1" in info
    assert "encoder     8x8x3 -> 4x4x3 kind=pooling kernel=2x2" in info
    result = run_well("encode", tmp_path / "m.h5", tmp_path / "x.csv", "-o", tmp_path / "codes.npy")
    assert np.load(tmp_path / "codes.npy").shape == (300, 48) and not result.exception


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("5", "each column to mean 0 and deviation 1"),
        ("d5", "each column to mean 0 and deviation 1"),
        ("c3k3", "each column minus its mean, all divided by one deviation, as samples of 1 x 6 x 1"),
        ("g3", "each column to mean 0 and deviation 1, alike at all steps"),
        ("G3", "each column to mean 0 and deviation 1, alike at all steps"),
    ],
)
def test_how_a_table_is_scaled_under_letters_is_told(layers, said, tmp_path):
    x = np.random.default_rng(0).normal(5, 1, (50, 6)) * [1, 10, 100, 1, 10, 100]
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", fmt="%.4f")
    lines = run_well("pretrain", tmp_path / "x.csv", "-o", tmp_path / "m.h5", "--layers", layers, "--epochs", 1).stderr
    assert f"{tmp_path / 'x.csv'}: --scaling auto: {said}" in lines.splitlines()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--layers", "c16x3-30"), "expected a number of units, or c filters [k kernel] [s stride] [p pool] [v: valid]"),
        (("--layers", "c16x3-30"), "found 'c16x3'"),
        (("--layers", "c16k3k5"), "'--layers': expected each mark once, found 'c16k3k5'"),
        (("--layers", "c8-8", "--k", 3, "--unit", "autoencoder"), "--k is an option of --unit rbm, not of autoencoder and conv"),
        (("--layers", "c8-c4", "--start", "principal"), "--start is an option of --unit autoencoder and dae, not of convolutional"),
        (("--layers", "8-4", "--unit", "rbm", "--kernel", 3), "--kernel is an option of --unit convolutional, not of rbm"),
        (("--layers", "c8-4", "--kernel", "3,5,7"), "--kernel: expected 1 value or 2, one a layer, found 3"),
        (("--layers", "c8", "--unpool", "switches"), "--unpool: switches has no effect without pooling"),
        (("--layers", "c8s0"), "'--layers': layer 1, 'c8s0': stride: expected a whole number of at least 1, found 0"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(flags, message, tmp_path):
    assert message in misused("pretrain", "digits", "-o", tmp_path / "m.h5", *flags)
    assert not list(tmp_path.iterdir())


def test_units_given_as_text_are_fitted_and_cloned(small):
    from sklearn.base import clone

    model = StackedAutoencoder(["c3s2", 4], unit_settings={"epochs": 1}, finetune_epochs=1, random_state=0)
    fitted = clone(model).fit(small.reshape(-1, 8, 8))
    assert [type(unit) for unit in fitted.units_] == [ConvolutionalAutoencoder, Autoencoder]
    assert fitted.transform(small).shape == (300, 4)
