"""From the options of ``pretrain`` to the units of a stack, each able to model the codes of the one below."""

from importlib import import_module
from typing import Any

import click

from stacked.activations import ACTIVATIONS
from stacked.registry import PACKAGE, UNITS
from stacked.settings import LINE_SEARCHES

from .declared import Kind, flag_for, table_of
from .parameters import spread

DAE_NOISE = {"corruption": "masking", "corruption_level": 0.25}


def _kind(unit: str, **defaults: Any) -> Kind:
    declares = import_module(f"{PACKAGE}.{UNITS[unit].module}_parameters")
    return Kind(unit, getattr(declares, f"{unit}Parameters"), defaults)


KINDS = {home.kind: _kind(unit) for unit, home in UNITS.items()} | {"dae": _kind("Autoencoder", **DAE_NOISE)}
_TAKEN = {kind: table_of(kind, known.declares) for kind, known in KINDS.items()}
OWN_OPTIONS = {  # those that not every kind takes
    kind: tuple(name for name in table if not all(name in other for other in _TAKEN.values()))
    for kind, table in _TAKEN.items()
}

# Default learning rates: tried on MNIST and digits with momentum 0.9; ten times as much diverges, or kills rectified codes.
BINARY_RATE = 0.1
UNBOUNDED_CODE_RATE = 0.01  # codes other than sigmoid, on binary units or sigmoid outputs
REAL_RATE = 1e-3  # visible units or outputs that are not binary, and an RBM's Gaussian codes
ADAM_RATE = 1e-3
LINEAR_CODE_SHARE = {"rbm": 0.01, "autoencoder": 0.1}  # of a single learning rate, for a linear code on binary units


def build_units(kind: str, sizes: list[int], code: str | None, options: dict[str, Any]) -> list[Any]:
    """Units of a stack: ``kind`` is "rbm", "autoencoder" or "dae", ``code`` "linear", "same" or None to choose.

    ``options`` holds the values given on the command line, None where nothing was given. A usage error names an option that
    the kind of unit does not take.
    """
    options = {name: value for name, value in options.items() if value is not None}
    _refuse_foreign(kind, options)
    table = _per_layer(options, len(sizes))
    linear = code == "linear" or (code is None and len(sizes) > 1 and sizes[-1] < sizes[-2])
    make = {"RBM": _rbm, "Autoencoder": _autoencoder}[KINDS[kind].unit]
    units: list[Any] = []
    for index, size in enumerate(sizes):
        own = {name: values[index] for name, values in table.items() if values[index] is not None}
        own = {**KINDS[kind].defaults, **own}
        below = units[-1].code_activation if units else None
        top = linear and index == len(sizes) - 1
        exact = len(options.get("learning_rate", [])) > 1
        units.append(make(size, below, top, exact, own))
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


def _per_layer(options: dict[str, Any], n_layers: int) -> dict[str, list[Any]]:
    listed = {name: value if isinstance(value, list) else [value] for name, value in options.items()}
    return {name: spread(values, n_layers, flag_of(name)) for name, values in listed.items()}


def _rbm(size: int, below: str | None, linear: bool, exact_rate: bool, own: dict[str, Any]) -> Any:
    from stacked import RBM
    from stacked.units.rbm import MEAN
    from stacked.units.rbm_parameters import VISIBLE

    visible = own.pop("visible", "bernoulli")
    if below is not None:
        fits = ACTIVATIONS[below].modelled_by
        visible = next(kind for kind in VISIBLE if MEAN[kind] in fits)
    hidden = own.pop("hidden", "bernoulli")
    if linear:
        hidden = "gaussian"
    if "learning_rate" not in own:
        default = {"bernoulli": BINARY_RATE, "rectified": UNBOUNDED_CODE_RATE}.get(hidden, REAL_RATE)
        own["learning_rate"] = default if visible == "bernoulli" else REAL_RATE
    elif linear and visible == "bernoulli" and not exact_rate:
        own["learning_rate"] = _scaled(own["learning_rate"], LINEAR_CODE_SHARE["rbm"])
    return RBM(size, visible=visible, hidden=hidden, **own)


def _autoencoder(size: int, below: str | None, linear: bool, exact_rate: bool, own: dict[str, Any]) -> Any:
    from stacked import Autoencoder

    output = own.pop("output_activation", "sigmoid")
    if below is not None:
        output = ACTIVATIONS[below].modelled_by[0]
        if output != "sigmoid":
            own.pop("loss", None)  # squared error is the only one defined there
    if linear:
        own["activation"] = "linear"
    adam = own.get("optimizer") == "adam"
    if "learning_rate" not in own:
        default = BINARY_RATE if own.get("activation", "sigmoid") == "sigmoid" else UNBOUNDED_CODE_RATE
        own["learning_rate"] = ADAM_RATE if adam else default if output == "sigmoid" else REAL_RATE
    elif linear and output == "sigmoid" and not exact_rate and not adam:
        own["learning_rate"] = _scaled(own["learning_rate"], LINEAR_CODE_SHARE["autoencoder"])
    return Autoencoder(size, output=output, **own)


def _scaled(rate: Any, share: float) -> Any:
    if isinstance(rate, list):
        return [(epoch, value * share) for epoch, value in rate]
    return rate * share
