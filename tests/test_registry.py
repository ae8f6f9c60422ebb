"""One table names the units and the kinds of models: classes, files and the command line agree with it."""

import pytest

import stacked
from stacked import RBM, Autoencoder, ModelFileError, VariationalAutoencoder
from stacked.cli.units import OWN_OPTIONS
from stacked.registry import KINDS, MODELS, STACKS, UNITS, is_registered, is_stack


@pytest.mark.parametrize("name", MODELS)
def test_a_class_is_what_the_table_says(name):
    cls = getattr(stacked, name)
    assert (cls.__name__, cls.__module__, cls.kind) == (name, f"stacked.{MODELS[name].module}", MODELS[name].kind)
    assert is_registered(cls) == (name in UNITS) and is_stack(cls.kind) == (name in STACKS)


def test_kinds_are_distinct_and_each_is_a_stack_or_a_unit():
    assert len(set(KINDS)) == len(MODELS) == len(UNITS) + len(STACKS)
    assert not is_stack("a kind of its own")


@pytest.mark.parametrize("unit", [RBM(2), Autoencoder(2), Autoencoder(2, tied=False)], ids=["rbm", "tied", "untied"])
def test_a_unit_keeps_arrays_of_the_shapes_that_its_parameters_give(unit, small):
    shapes, arrays = unit._array_shapes(small.shape[1:]), unit.set_params(epochs=0).fit(small)._arrays()
    assert {name: array.shape for name, array in arrays.items()} == shapes
    assert ("decoder_weight" in shapes) == (not unit.tied)


def test_a_unit_of_several_layers_keeps_the_arrays_of_each(small):
    unit = VariationalAutoencoder(3, hidden_layers=(7,), epochs=0).fit(small)
    shapes, arrays = unit._array_shapes((64,)), unit._arrays()
    assert {name: array.shape for name, array in arrays.items()} == shapes
    assert shapes == {
        "encoder_0_weight": (64, 7), "encoder_0_bias": (7,), "encoder_1_weight": (7, 6), "encoder_1_bias": (6,),
        "decoder_0_weight": (3, 7), "decoder_0_bias": (7,), "decoder_1_weight": (7, 64), "decoder_1_bias": (64,),
    }  # fmt: skip


def test_every_unit_can_be_asked_for_on_the_command_line():
    assert [*OWN_OPTIONS] == [
        "rbm", "autoencoder", "vae", "dae", "convolutional", "recurrent", "sequence",
    ]  # those on maps last  # fmt: skip
    assert {*OWN_OPTIONS} == {*(home.kind for home in UNITS.values()), "dae"}  # a denoising autoencoder is no class


def test_a_unit_of_a_users_own_is_not_written_under_a_name_of_ours(small, tmp_path):
    other = type("RBM", (RBM,), {"__init__": RBM.__init__})
    assert not is_registered(other)
    with pytest.raises(
        ModelFileError,
        match=r"^RBM: only RBM, Autoencoder, ConvolutionalAutoencoder, RecurrentAutoencoder, SequenceAutoencoder and"
        r" VariationalAutoencoder units can be written to a file$",
    ):
        other(2, epochs=0).fit(small).save(tmp_path / "model.h5")
