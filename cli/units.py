"""From the options of ``pretrain`` to the units of a stack, each able to model the codes of the one below."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from stacked.parameters import Parameter, parameters_of
from stacked.registry import PACKAGE, UNITS
from stacked.settings import LINE_SEARCHES
from stacked.units.building import Building

from .declared import Kind, flag_for, table_of
from .parameters import spread

_DECLARED = {unit: import_module(f"{PACKAGE}.{home.module}_parameters") for unit, home in UNITS.items()}


def _kind(unit: str, defaults: Mapping[str, Any]) -> Kind:
    return Kind(unit, getattr(_DECLARED[unit], f"{unit}Parameters"), defaults)


KINDS = {home.kind: _kind(unit, {}) for unit, home in UNITS.items()} | {
    variant: _kind(unit, defaults)
    for unit, declared in _DECLARED.items()
    for variant, defaults in declared.BUILDING.variants.items()
}
_TAKEN = {kind: table_of(kind, known.declares) for kind, known in KINDS.items()}
OWN_OPTIONS = {  # those that not every kind takes
    kind: tuple(name for name in table if not all(name in other for other in _TAKEN.values()))
    for kind, table in _TAKEN.items()
}


def build_units(kind: str, sizes: list[int], code: str | None, options: dict[str, Any]) -> list[Any]:
    """Units of a stack: ``kind`` is one of `KINDS`, ``code`` "linear", "same" or None to choose.

    ``options`` holds the values given on the command line, None where nothing was given. A usage error names an option that
    the kind of unit does not take.
    """
    options = {name: value for name, value in options.items() if value is not None}
    _refuse_foreign(kind, options)
    listed = {name: _listed(_TAKEN[kind][name], value) for name, value in options.items()}
    table = {name: spread(values, len(sizes), flag_of(name)) for name, values in listed.items()}
    linear = code == "linear" or (code is None and len(sizes) > 1 and sizes[-1] < sizes[-2])
    common = {_TAKEN[kind][name].name for name, values in listed.items() if len(values) == 1}
    units: list[Any] = []
    for index, size in enumerate(sizes):
        own = {_TAKEN[kind][name].name: values[index] for name, values in table.items() if values[index] is not None}
        below = units[-1].code_activation if units else None
        units.append(_unit(KINDS[kind], size, below, linear and index == len(sizes) - 1, common, own))
    return units


def _refuse_foreign(kind: str, options: dict[str, Any]) -> None:
    for name in options:
        takers = [other for other, own in OWN_OPTIONS.items() if name in own]
        if takers and kind not in takers:
            raise click.UsageError(f"{flag_of(name)} is an option of --unit {' and '.join(takers)}, not of {kind}")
    optimizer = options.get("optimizer", "momentum")
    refuse_unused(optimizer, options)


def refuse_unused(optimizer: str, options: dict[str, Any]) -> None:
    """A usage error for an option that this optimizer does not look at; ``options`` are those given."""
    unused = ("learning_rate", "momentum", "linear_decay") if optimizer in LINE_SEARCHES else ("line_searches",)
    for name in unused:
        if options.get(name) is not None:
            raise click.UsageError(f"{flag_of(name)} has no effect with --optimizer {optimizer}")


def flags_of_units() -> dict[str, str]:
    """The flag of every parameter of the units that has one."""
    return {record.name: flag_for(record) for table in _TAKEN.values() for record in table.values()}


def flag_of(name: str) -> str:
    """The flag of an option's name."""
    return "--" + name.replace("_", "-")


def _unit(kind: Kind, size: int, below: str | None, linear: bool, common: set[str], given: dict[str, Any]) -> Any:
    """A unit on codes of activation ``below``, with a linear code or not.

    ``given`` are its parameters by name, of which the ``common`` ones were given for all units alike.
    """
    import stacked

    building: Building = _DECLARED[kind.unit].BUILDING
    own = {**kind.defaults, **given}
    if below is not None:
        own = building.on(below, own)
    if linear:
        if common.intersection(building.not_linear):
            own = {name: value for name, value in own.items() if name not in building.not_linear}
        own |= building.linear_code
    values = {name: record.default for name, record in parameters_of(kind.declares).items()} | own
    if "learning_rate" not in own:
        if building.rate is not None:
            own["learning_rate"] = building.rate(values)
    elif linear and "learning_rate" in common and building.linear_share is not None:
        own["learning_rate"] = _scaled(own["learning_rate"], building.linear_share(values))
    return getattr(stacked, kind.unit)(size, **own)


def _listed(record: Parameter, value: Any) -> list[Any]:
    """The values of an option, one a layer or one for all; a list may also be one value, of sizes."""
    return value if record.per_layer and isinstance(value, list) else [value]


def _scaled(rate: Any, share: float) -> Any:
    if isinstance(rate, list):
        return [(epoch, value * share) for epoch, value in rate]
    return rate * share
