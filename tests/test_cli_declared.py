"""The options of commands are those that units and stacks declare."""

import click
import pytest

from stacked.cli.declared import Kind, unit_options
from stacked.cli.finetune import SETTINGS, finetune
from stacked.cli.options import together
from stacked.cli.pretrain import STACK_OPTIONS, UNIT_OPTIONS, pretrain
from stacked.cli.units import KINDS, OWN_OPTIONS, flags_of_units
from stacked.models.parameters import StackedAutoencoderParameters
from stacked.parameters import Choice, declared, parameter, parameters_of
from stacked.units.parameters import Sized
from stacked.units.rbm_parameters import RBMParameters

from .test_cli_boundary import misused
from .test_parameters import ToyParameters

TOYS = {"rbm": Kind("RBM", RBMParameters), "toy": Kind("Toy", ToyParameters, {"sharpness": 1.5})}


@pytest.fixture
def toy():
    """A command with the options of a machine and of a unit with one more parameter."""
    return click.command("toy")(together(*unit_options(TOYS).values())(lambda **given: given))


def option(command, name):
    return next(param for param in command.params if param.name == name)


def test_one_more_parameter_is_one_more_option(toy):
    sharpness = option(toy, "sharpness")
    assert sharpness.opts == ["--sharpness"] and sharpness.type.name == "number[,...]"
    assert sharpness.help == "toy: how steep the codes are.  [default: 1.5]"
    given = toy.main(["--sharpness", "1,0.5", "--no-persistent"], standalone_mode=False)
    assert given["sharpness"] == [1, 0.5] and given["persistent"] is False and given["tied"] is None
    with pytest.raises(click.BadParameter, match="expected a number, found 'x'"):
        toy.main(["--sharpness", "x"], standalone_mode=False)


def test_what_every_kind_takes_says_where_defaults_differ(toy):
    assert option(toy, "weight_decay").help == "L2 penalty on weights.  [default: 0.0002 (rbm), 0 (toy)]"
    assert option(toy, "epochs").help == "Passes over the data; auto makes more of them over few rows.  [default: auto]"
    assert option(toy, "persistent").help.endswith("[default: no-persistent]")
    assert option(toy, "patience").help.endswith("[default: auto]")


def test_an_option_offers_the_words_of_all_kinds_that_take_it():
    def declaring(*names, reserved=()):
        return declared(type("Words", (Sized,), {
            "__annotations__": {"hidden": str}, "hidden": parameter(names[0], Choice(names, reserved), "units of the codes."),
        }))  # fmt: skip

    kinds = {
        "rbm": Kind("RBM", RBMParameters),
        "new": Kind("New", declaring("poisson", "rectified", "own", reserved=("own",))),
    }
    command = click.command("toy")(together(*unit_options(kinds).values())(lambda **given: given))
    assert option(command, "hidden").type.choices == ("bernoulli", "rectified", "poisson")
    assert option(command, "hidden").help.endswith("[default: bernoulli (rbm), poisson (new)]")
    same = {"rbm": Kind("RBM", RBMParameters), "new": Kind("New", declaring("rectified", "bernoulli"))}
    command = click.command("toy")(together(*unit_options(same).values())(lambda **given: given))
    assert option(command, "hidden").type.choices == ("bernoulli", "rectified")


def test_noise_is_of_denoising_autoencoders_and_of_those_without_a_name_for_it(toy):
    assert not {"corruption", "corruption_level", "n_hidden"} & {param.name for param in toy.params}
    assert option(pretrain, "corruption").type.choices == ("masking", "salt_and_pepper", "gaussian")
    assert {kind for kind, names in OWN_OPTIONS.items() if "corruption" in names} == {
        "dae", "convolutional", "recurrent", "sequence",
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_of_a_unit_is_an_option_of_pretrain(kind):
    found = {param.name for param in pretrain.params}
    hidden = {"n_hidden", "output", "verbose", *(() if kind == "dae" else ("corruption", "corruption_level"))}
    hidden |= {"sample_shape"} if kind == "convolutional" else set()
    assert set(parameters_of(KINDS[kind].declares)) - hidden <= found >= {*UNIT_OPTIONS, *STACK_OPTIONS}


def test_every_parameter_of_a_stack_is_an_option_of_finetune():
    found = {param.name for param in finetune.params}
    given_by_units = {"units", "unit", "code", "unit_settings"}
    for name in set(parameters_of(StackedAutoencoderParameters)) - {"scaling", "verbose"} - given_by_units:
        assert name.removeprefix("finetune_") in found
        assert name == "precision" or SETTINGS[name] == name.removeprefix("finetune_")


def test_flags_of_messages_are_those_of_options():
    flags = {flag for param in pretrain.params for flag in param.opts}
    assert set(flags_of_units().values()) <= flags
    assert flags_of_units()["validation_fraction"] == "--validation" and flags_of_units()["tied"] == "--tied"


def test_words_that_units_give_by_themselves_are_not_offered(tmp_path):
    assert "'gaussian' is not one of" in misused("pretrain", "digits", "-o", tmp_path / "m.h5", "--hidden", "gaussian")
