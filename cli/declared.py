"""Click options made of the parameters that estimators declare: their names, types, help and defaults."""

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import Any

import click

from stacked.parameters import (
    Auto,
    Check,
    Choice,
    Flag,
    Pair,
    Parameter,
    Real,
    Seed,
    Sizes,
    Steps,
    Threads,
    Whole,
    parameters_of,
)
from stacked.units.kinds import Kind

from .parameters import INTEGER, LAYERS, PAIR, REAL, OrAuto, PerLayer, Schedule, Within

Decorator = Callable[[Any], Any]
_NONE = "none"


def option(record: Parameter, text: str, per_layer: bool = False) -> Decorator:
    """The option that asks for a parameter; not given it is None, and the estimator's default holds."""
    if isinstance(record.check, Flag):
        return click.option(*declarations(record), default=None, help=text)
    kind = _type(record.check)
    return click.option(
        *declarations(record), type=PerLayer(kind) if per_layer else kind, metavar=record.metavar, help=text
    )


def declarations(record: Parameter) -> tuple[str, ...]:
    """What click declares the option by."""
    name = record.name.replace("_", "-")
    own = f"--{name}/--no-{name}" if isinstance(record.check, Flag) else f"--{name}"
    return record.option or (own,)


def flag_for(record: Parameter) -> str:
    """The flag, of two the one that says yes."""
    return declarations(record)[0].partition("/")[0]


def name_of(record: Parameter) -> str:
    """The name that click gives to the option's value."""
    return str(click.Option(declarations(record)).name)


def table_of(kind: str, declares: type) -> dict[str, Parameter]:
    """The parameters that the command line asks for, for one value of ``--unit``, by the names of their options."""
    records = parameters_of(declares).values()
    return {name_of(r): r for r in records if r.option is not None and (not r.kinds or kind in r.kinds)}


def unit_options(kinds: Mapping[str, Kind], chosen: Container[str] = ()) -> dict[str, Decorator]:
    """An option for every parameter of these kinds of units, by name; those of some kinds only come first, and say of which.

    The ``chosen`` ones have no fixed default.
    """
    tables = {kind: table_of(kind, known.declares) for kind, known in kinds.items()}
    common = [name for name in next(iter(tables.values())) if all(name in table for table in tables.values())]
    own = [name for table in tables.values() for name in table if name not in common]
    made = {}
    for name in dict.fromkeys((*own, *common)):
        takers = {kind: table[name] for kind, table in tables.items() if name in table}
        record = _joined(list(takers.values()))
        text = sentence(record, "" if name in common else ", ".join(takers))
        default = "" if name in chosen else _defaults(kinds, takers)
        made[name] = option(record, text + default, record.per_layer)
    return made


def _joined(records: list[Parameter]) -> Parameter:
    """The parameter that the option of several kinds asks for: the first, but for words that only others know."""
    offered = [name for r in records if isinstance(r.check, Choice) for name in _words(r.check)]
    if not isinstance(records[0].check, Choice) or set(offered) == set(_words(records[0].check)):
        return records[0]
    return replace(records[0], check=Choice(tuple(dict.fromkeys(offered))))


def _words(check: Choice) -> list[str]:
    return [name for name in check.names if name not in check.reserved]


def sentence(record: Parameter, of: str = "") -> str:
    """A parameter's help as an option's, which may be ``of`` something."""
    text = f"{of}: {record.help}" if of else record.help[:1].upper() + record.help[1:]
    return text + (" A schedule is written 0:0.1/10:0.01." if isinstance(_inner(record.check), Steps) else "")


def _inner(check: Check) -> Check:
    return check.other if isinstance(check, Auto) else check


def shown_default(record: Parameter, value: Any) -> str:
    """A default as one would type it, or in words."""
    if isinstance(record.check, Flag):
        on, _, off = declarations(record)[0].partition("/")
        return (on if value else off).lstrip("-")
    if isinstance(record.check, Pair):
        return ":".join(f"{number:g}" for number in value)
    if isinstance(record.check, Sizes):
        return "-".join(map(str, value)) or _NONE
    if value is None:
        return "drawn anew" if isinstance(record.check, Seed) else _NONE
    return f"{value:g}" if isinstance(value, float) else str(value)


def _defaults(kinds: Mapping[str, Kind], takers: Mapping[str, Parameter]) -> str:
    """The default, or the defaults where kinds differ in them."""
    found: dict[str, list[str]] = {}
    for kind, record in takers.items():
        value = kinds[kind].defaults.get(record.name, record.default)
        found.setdefault(shown_default(record, value), []).append(kind)
    if list(found) == [_NONE]:
        return ""
    several = [f"{value} ({', '.join(those)})" for value, those in found.items()]
    return f"  [default: {', '.join(several if len(found) > 1 else found)}]"


def _type(check: Check) -> click.ParamType:
    if isinstance(check, Auto):
        return OrAuto(_type(check.other))
    if isinstance(check, Choice):
        return click.Choice(_words(check))
    types: dict[type, click.ParamType] = {
        Whole: INTEGER, Threads: INTEGER, Real: REAL, Pair: PAIR, Sizes: LAYERS, Steps: Schedule(), Seed: Within(int, 0),
    }  # fmt: skip
    return types[type(check)]
