"""The units that a stack is asked for: given one by one, or by their sizes, of which the data then decide the rest."""

from copy import copy
from typing import Any

from ..defaults import usual_rate
from ..errors import SettingError
from ..layers.base import SampleShape
from ..parameters import value_of
from ..registry import CLASSIFIER
from ..targets import Target
from ..text import shown
from ..training.plan import Plan
from ..units.autoencoder import Autoencoder
from ..units.base import Unit
from ..units.chain import chained, encoders
from ..units.usual import units_for
from .nested import NestedUnits


class AskedUnits(NestedUnits):
    """Base of the stacks: ``units``, and with their sizes alone ``unit``, ``code`` and ``unit_settings``.

    ``data_kind_`` is what the units were chosen for: the kind of data, the number of rows and that of columns.
    """

    kind: str
    unit: str
    code: str
    unit_settings: Any
    data_kind_: tuple[str, int, int]
    target_: Target | None

    def plan(self) -> Plan:
        """The plan of fine-tuning; the stack's own."""
        raise NotImplementedError

    @property
    def templates(self) -> Any:
        """The unfitted units: ``units``, or one `Autoencoder` for None, or of the sizes given; before the data are known these are
        what would suit values in [0, 1]. The lowest knows what it should answer with.
        """
        units = self._asked()
        return units if self.target_ is None else [_told(units[0], self.target_), *units[1:]]

    def _asked(self) -> Any:
        if self.units is None:
            return [Autoencoder()]
        return self._usual(*getattr(self, "data_kind_", ("unit", 0, 0))) if self._are_sizes else self.units

    @property
    def _are_sizes(self) -> bool:
        units = self.units
        return isinstance(units, list | tuple) and bool(units) and not any(isinstance(unit, Unit) for unit in units)

    @property
    def _is_bounded(self) -> bool:
        """Whether the units were asked to answer in [0, 1], whatever the data are."""
        lowest = self.templates[0]
        asked = not self._are_sizes or lowest.building.outputs in (self.unit_settings or {})
        return asked and lowest.output_activation == "sigmoid"

    def _plan_on(self, n_rows: int, shape: SampleShape) -> Plan:
        """The plan of fine-tuning on so many rows of samples of a shape; the rate suits the widest layer, the data among them."""
        layers = encoders(chained(self.templates, shape))
        rate = usual_rate(max(layer.reach for layer in layers), "finetune")
        return self.plan().on(n_rows, rate, sum(layer.n_weights for layer in layers))

    def _usual(self, data: str, n_rows: int, n_columns: int) -> list[Unit]:
        """Units of the sizes given, for a kind of data, so many rows and columns."""
        given = value_of(self, "unit_settings")
        settings = {} if given is None else given
        if not isinstance(settings, dict):
            raise SettingError(f"unit_settings: expected a dict of parameters, found {shown(given)}")
        known: dict[str, Any] = {
            "data": data,
            "n_rows": n_rows,
            "n_columns": n_columns,
            "classifies": self.kind == CLASSIFIER,
        }
        return units_for(list(self.units), value_of(self, "unit"), value_of(self, "code"), settings, **known)


def _told(unit: Unit, target: Target) -> Unit:
    """A copy of an unfitted unit that knows what it should answer with."""
    other = copy(unit)
    other.target_ = target
    return other
