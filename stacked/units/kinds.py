"""The kinds of units by the word that asks for them, ``--unit`` on the command line: every unit of the registry, and its variants.

Nothing heavy is imported: classes are named, their declarations loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ..parameters import Parameter, parameters_of
from ..registry import PACKAGE, UNITS
from .building import Building


@dataclass(frozen=True)
class Kind:
    """A unit's class by name, what declares its parameters, defaults of its own, and how stacks are built of it."""

    unit: str
    declares: type
    defaults: Mapping[str, Any] = field(default_factory=dict)
    building: Building = field(default_factory=Building)

    def parameters(self, word: str) -> dict[str, Parameter]:
        """The parameters that may be given for units of this kind, which ``word`` asks for, by name."""
        records = parameters_of(self.declares).items()
        return {
            name: record
            for name, record in records
            if record.option is not None and (not record.kinds or word in record.kinds)
        }


def _kinds() -> dict[str, Kind]:
    """Of the words that take some parameters the first is chosen, so those on maps, which have letters, come last."""
    plain, variants = {}, {}
    for unit, home in UNITS.items():
        module = import_module(f"{PACKAGE}.{home.module}_parameters")
        declares, building = getattr(module, f"{unit}Parameters"), module.BUILDING
        plain[home.kind] = Kind(unit, declares, {}, building)
        for word, defaults in building.variants.items():
            variants[word] = Kind(unit, declares, defaults, building)
    found = plain | variants
    return dict(sorted(found.items(), key=lambda item: bool(item[1].building.letters)))


KINDS = _kinds()
