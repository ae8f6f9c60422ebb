"""A unit's line in the registry is all that the command line, and the files, need of it."""

import json
import subprocess
import sys

import pytest

from stacked.units.autoencoder_parameters import BUILDING as AUTOENCODER
from stacked.units.building import Building
from stacked.units.rbm_parameters import BUILDING as RBM

REGISTERED = """
import sys
from stacked import registry

home = registry.Home("tests.deep_unit", "deep_unit")
registry.UNITS["DeepUnit"] = registry.MODELS["DeepUnit"] = home
registry.KINDS += ("deep_unit",)
import stacked
stacked._HOME["DeepUnit"] = home.module
from stacked.cli import main
main(sys.argv[1:], prog_name="stacked")
"""


def stacked(*args):
    """The command line of a program in which the registry has one more line."""
    command = [sys.executable, "-c", REGISTERED, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def trained(path, *flags):
    """What `info` says of a stack that was pretrained with these flags."""
    result = stacked("pretrain", "digits", "-o", path, "--epochs", 1, "--seed", 0, "--quiet", *flags)
    assert result.returncode == 0, result.stderr
    return json.loads(stacked("info", path, "--json").stdout)


def test_a_new_unit_has_its_value_of_unit_and_its_flags():
    text = stacked("pretrain", "--help").stdout
    assert "[auto|rbm|autoencoder|vae|deep_unit|dae|wide|convolutional|recurrent|sequence]" in text
    assert " ".join(text.split()).count("deep_unit, wide: width of the layer between the input and the codes.") == 1
    result = stacked("pretrain", "digits", "-o", "m.h5", "--layers", 8, "--unit", "rbm", "--n-between", 5)
    assert (
        result.returncode == 2 and "--n-between is an option of --unit deep_unit and wide, not of rbm" in result.stderr
    )


def test_a_new_unit_is_trained_saved_and_fine_tuned_from_the_command_line(tmp_path):
    found = trained(tmp_path / "m.h5", "--layers", "12-8", "--unit", "deep_unit", "--n-between", "20,10")
    assert [(unit["kind"], unit["n_code_layers"]) for unit in found["units"]] == [("DeepUnit", 2)] * 2
    sizes = [(64, 20), (20, 12), (12, 10), (10, 8)]
    sizes += [size[::-1] for size in reversed(sizes)]
    assert [(layer["n_in"], layer["n_out"]) for layer in found["layers"]] == sizes
    result = stacked("finetune", tmp_path / "m.h5", "digits", "-o", tmp_path / "t.h5", "--epochs", 1, "--quiet")
    assert result.returncode == 0, result.stderr
    result = stacked("encode", tmp_path / "t.h5", "digits", "-o", tmp_path / "codes.npy")
    assert result.returncode == 0 and (tmp_path / "codes.npy").exists()


def test_a_variant_has_the_defaults_that_the_unit_declares(tmp_path):
    found = trained(tmp_path / "m.h5", "--layers", 8, "--unit", "wide", "--learning-rate", 0.05)
    (unit,) = found["params"]["estimator"]["units"]
    assert unit["class"] == "DeepUnit" and (unit["params"]["n_between"], unit["params"]["learning_rate"]) == (30, 0.05)


@pytest.mark.parametrize(
    ("building", "code", "outputs"),
    [
        (RBM, "sigmoid", "bernoulli"), (RBM, "tanh", "gaussian"), (RBM, "relu", "gaussian"), (RBM, "linear", "gaussian"),
        (AUTOENCODER, "sigmoid", "sigmoid"), (AUTOENCODER, "tanh", "tanh"), (AUTOENCODER, "relu", "relu"),
        (Building(), "sigmoid", None), (Building("output", {"counts": "relu"}), "sigmoid", None),
        (Building("output", {"counts": "relu"}), "softplus", "counts"),
    ],
)  # fmt: skip
def test_outputs_that_model_codes_best(building, code, outputs):
    assert building.modelling(code) == outputs
    values = {"loss": "squared_error", "k": 1}
    kept = {"k": 1} if building is AUTOENCODER and outputs != "sigmoid" else values
    assert building.on(code, values) == ({**kept, building.outputs: outputs} if outputs else values)
