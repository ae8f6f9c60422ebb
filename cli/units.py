"""From the options of ``pretrain`` to the units of a stack, each able to model the codes of the one below."""

from collections.abc import Sequence
from typing import Any

import click

from stacked.parameters import Parameter
from stacked.settings import LINE_SEARCHES
from stacked.units.kinds import KINDS
from stacked.units.layer_text import asked_layers, words_of
from stacked.units.usual import Each

from .declared import flag_for, table_of
from .parameters import spread

CHOSEN = ("rbm", "autoencoder")  # what `defaults` choose from
_TAKEN = {kind: table_of(kind, known.declares) for kind, known in KINDS.items()}
OWN_OPTIONS = {  # those that not every kind takes
    kind: tuple(name for name in table if not all(name in other for other in _TAKEN.values()))
    for kind, table in _TAKEN.items()
}


def settings_for(kind: str, layers: Sequence[int | str], options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of unit, and what the options give for its parameters by name: one value for all layers, or `Each`.

    ``kind`` is one of `KINDS`, or "auto", which stays if any kind takes the options, but for those that kinds take that ``layers``
    ask for by letter; ``options`` holds the values given on the command line, None where nothing was given. A usage error names an
    option that no kind takes, or that is not given for each layer.
    """
    options = {name: value for name, value in options.items() if value is not None}
    asked = asked_layers("layers", layers)
    others = words_of(asked)
    if all(one.word in others for one in asked):
        _refuse_foreign(others, options)
        tables = [_TAKEN[word] for word in others]
    else:
        kind = _narrowed(options, others) if kind == "auto" else kind
        _refuse_foreign([kind, *others], options)
        tables = [_TAKEN[CHOSEN[0] if kind == "auto" else kind], *(_TAKEN[word] for word in others)]
    found = {}
    for name, value in options.items():
        record = next(table[name] for table in tables if name in table)
        values = _listed(record, value)
        found[record.name] = Each(spread(values, len(asked), flag_of(name))) if len(values) > 1 else values[0]
    return kind, found


def _narrowed(options: dict[str, Any], others: Sequence[str]) -> str:
    """ "auto" if every kind that it may stand for takes the options, else the kind that takes the most of them.

    Options that ``others`` take, kinds beside it, count only where there is a choice.
    """
    left = options.keys() - {name for word in others for name in _TAKEN[word]}
    if all(left <= _TAKEN[word].keys() for word in CHOSEN):
        return "auto"
    return max(_TAKEN, key=lambda word: (len(left & _TAKEN[word].keys()), len(options.keys() & _TAKEN[word].keys())))


def _refuse_foreign(kinds: Sequence[str], options: dict[str, Any]) -> None:
    for name in options:
        takers = [other for other, own in OWN_OPTIONS.items() if name in own]
        if takers and not {*takers, "auto"} & {*kinds}:
            found = " and ".join(dict.fromkeys(kinds))
            raise click.UsageError(f"{flag_of(name)} is an option of --unit {' and '.join(takers)}, not of {found}")
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


def _listed(record: Parameter, value: Any) -> list[Any]:
    """The values of an option, one a layer or one for all; a list may also be one value, of sizes."""
    return value if record.per_layer and isinstance(value, list) else [value]
