"""The parameters of `DeepUnit`."""

from stacked.parameters import Whole, declared, parameter
from stacked.units.building import Building
from stacked.units.parameters import Run, Sized, Trained


@declared
class Shape(Sized):
    """What a deep unit is."""

    n_between: int = parameter(7, Whole(), "width of the layer between the input and the codes.", per_layer=True)


@declared
class DeepUnitParameters(Run, Trained, Shape):
    """All of them, in the order of the signature."""


BUILDING = Building(variants={"wide": {"n_between": 30}})
