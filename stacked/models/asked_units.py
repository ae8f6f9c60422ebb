"""The units that a stack is asked for: given one by one, or by their sizes, of which the data then decide the rest."""

from typing import Any

from ..defaults import usual_rate
from ..errors import SettingError
from ..parameters import value_of
from ..registry import CLASSIFIER
from ..settings import sizes
from ..text import shown
from ..units.autoencoder import Autoencoder
from ..units.base import Unit
from ..units.usual import units_for
from .nested import NestedUnits


class AskedUnits(NestedUnits):
    """Base of the stacks: ``units``, and with their sizes alone ``unit``, ``code`` and ``unit_settings``.

    ``data_kind_`` is what the units were chosen for: the kind of data and the number of rows.
    """

    kind: str
    unit: str
    code: str
    unit_settings: Any
    data_kind_: tuple[str, int]

    @property
    def templates(self) -> Any:
        """The unfitted units: ``units``, or one `Autoencoder` for None, or of the sizes given; before the data are known these are
        what would suit values in [0, 1].
        """
        if self.units is None:
            return [Autoencoder()]
        return self._usual(*getattr(self, "data_kind_", ("unit", 0))) if self._are_sizes else self.units

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

    def _usual_rate(self, n_inputs: int) -> float:
        """The learning rate of fine-tuning that suits the widest layer, the data's own columns among them."""
        return usual_rate(max(n_inputs, *(unit.n_hidden for unit in self.templates)), "finetune")

    def _usual(self, data: str, n_rows: int) -> list[Unit]:
        """Units of the sizes given, for a kind of data and a number of rows."""
        given = value_of(self, "unit_settings")
        settings = {} if given is None else given
        if not isinstance(settings, dict):
            raise SettingError(f"unit_settings: expected a dict of parameters, found {shown(given)}")
        widths = sizes("units", list(self.units))
        return units_for(
            widths, value_of(self, "unit"), value_of(self, "code"), settings, data, n_rows, self.kind == CLASSIFIER
        )
