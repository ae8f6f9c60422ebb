"""A parameter is declared once: signature, checks, docstring and configuration follow from the declaration."""

import inspect

import pytest
from sklearn.base import clone

from stacked import RBM, Autoencoder, SettingError, StackedAutoencoder, StackedClassifier, VariationalAutoencoder
from stacked.kernels.arithmetic.corruption import CORRUPTIONS
from stacked.kernels.arithmetic.losses import LOSSES
from stacked.kernels.arithmetic.stochastic import UNIT_KINDS
from stacked.kernels.arithmetic.updates import OPTIMIZERS
from stacked.parameters import Real, checked, declared, parameter, parameters_of
from stacked.settings import GRADIENT_OPTIMIZERS, LINE_SEARCHES, LOSS_CHOICES
from stacked.units import autoencoder_parameters, rbm_parameters

ESTIMATORS = [RBM, Autoencoder, VariationalAutoencoder, StackedAutoencoder, StackedClassifier]


@declared
class ToyParameters(autoencoder_parameters.AutoencoderParameters):
    sharpness: float = parameter(0.5, Real(0.0, 2.0), "how steep the codes are.", per_layer=True)


@declared
class Toy(Autoencoder, ToyParameters):
    """A unit with one more parameter.

    And more about it.
    """


def test_one_more_parameter_is_one_more_line():
    assert inspect.signature(Toy).parameters["sharpness"].default == 0.5
    assert Toy(3, sharpness=1).get_params()["sharpness"] == 1 == clone(Toy(sharpness=1)).sharpness
    assert Toy(sharpness=2).validate() == Autoencoder().validate()
    with pytest.raises(SettingError, match=r"^sharpness: expected a number in \[0, 2\], found 3"):
        Toy(sharpness=3).validate()
    section = inspect.getdoc(Toy).partition("Parameters\n----------\n")
    assert section[0] == "A unit with one more parameter.\n\n"
    assert section[2].endswith("sharpness : float, default 0.5\n    How steep the codes are.\n\nAnd more about it.")


def test_an_optional_number_is_one_within_its_bounds_or_none():
    check = Real(0.0, 1.0, open_low=True, open_high=True, optional=True)
    assert check("share", None) is None and check("share", 0.25) == 0.25
    assert (check.expects, Real().expects) == ("float or None", "float")
    for value in (0.0, 1, "x"):
        with pytest.raises(SettingError, match=r"^share: expected a number in \(0, 1\), found "):
            check("share", value)
    with pytest.raises(SettingError, match=r"^share: expected a number in \[0, 1\], found None"):
        Real(0.0, 1.0)("share", None)


def test_nothing_is_checked_before_training():
    assert Toy(sharpness="x", n_hidden=-1).sharpness == "x"


@pytest.mark.parametrize("make", ESTIMATORS)
def test_declarations_signatures_and_docstrings_agree(make):
    names = list(parameters_of(make))
    assert list(inspect.signature(make).parameters) == names and sorted(names) == sorted(make().get_params(deep=False))
    for name, record in parameters_of(make).items():
        assert record.name == name and record.help.endswith(".") and len(record.help.splitlines()) == 1
        assert f"\n{name} : {record.check.expects}, default " in inspect.getdoc(make)


@pytest.mark.parametrize("make", ESTIMATORS)
def test_defaults_pass_their_own_checks(make):
    assert list(checked(make())) == list(parameters_of(make))


@pytest.mark.parametrize("make", ESTIMATORS)
def test_the_first_arguments_may_be_positional(make):
    assert next(iter(parameters_of(make))) in ("n_hidden", "units")


def test_words_are_those_of_the_kernels():
    assert tuple(CORRUPTIONS) == autoencoder_parameters.CORRUPTIONS
    assert {*rbm_parameters.VISIBLE, *rbm_parameters.HIDDEN} == set(UNIT_KINDS)
    assert set(LOSS_CHOICES) == {"auto", *LOSSES} - {"softmax_cross_entropy", "gaussian_nll"}
    assert set(GRADIENT_OPTIMIZERS) == {*OPTIMIZERS, *LINE_SEARCHES}
