"""What a layout may be: JSON from the file becomes a :class:`~.layout.Layout` here, or a one-line refusal.

Sizes and counts are bounded, layers and units must chain, and the parts must fit the kind of model.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from ..registry import CLASSIFIER, UNITS
from . import expect
from .layout import ArraySpec, Layout, Pair, UnitLayout
from .refusal import refusal, shown

WHERE = "/@config: layout"
MAX_LAYERS = 1000
SINGLE_UNITS = {home.kind: name for name, home in UNITS.items()}
OPTIONAL_UNIT_ARRAYS = {"decoder_weight"}
CHECKPOINT_DTYPES = ("<f4", "<f8", "<i8", "|u1")
PROBE_DTYPES = ("<f4", "<f8", "|u1")

_CHECKPOINT_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")
_LABEL_DTYPE = re.compile(r"\|S([1-9][0-9]{0,3})")


def parse_layout(value: object, kind: str, precision: str) -> Layout:
    """The layout that the parsed JSON gives for a model of this kind and precision."""
    keys = ("encoder", "decoder", "head", "classes", "units", "history", "probe", "checkpoint")
    data = expect.table(value, WHERE, keys)
    layout = Layout(
        precision=precision,
        encoder=_pairs(data["encoder"], f"{WHERE}.encoder"),
        decoder=_pairs(data["decoder"], f"{WHERE}.decoder"),
        head=None if data["head"] is None else _pair(data["head"], f"{WHERE}.head"),
        classes=_classes(data["classes"]),
        units=_units(data["units"]),
        history=_history(data["history"]),
        probe=_probe(data["probe"]),
        checkpoint=_checkpoint(data["checkpoint"]),
    )
    _check(kind, layout)
    return layout


def _pair(value: object, where: str) -> Pair:
    pair = expect.sequence(value, where, 2)
    if len(pair) != 2:
        raise refusal(where, f"expected [n_in, n_out], found {shown(value)}")
    return expect.size(pair[0], where), expect.size(pair[1], where)


def _pairs(value: object, where: str) -> tuple[Pair, ...]:
    return tuple(_pair(item, f"{where}[{i}]") for i, item in enumerate(expect.sequence(value, where, MAX_LAYERS)))


def _units(value: object) -> tuple[UnitLayout, ...]:
    where = f"{WHERE}.units"
    return tuple(_unit(item, f"{where}[{i}]") for i, item in enumerate(expect.sequence(value, where, MAX_LAYERS)))


def _unit(value: object, where: str) -> UnitLayout:
    data = expect.table(value, where, ("kind", "n_visible", "n_hidden", "arrays"))
    kind = expect.one_of(data["kind"], f"{where}.kind", UNITS)
    names = expect.sequence(data["arrays"], f"{where}.arrays", len(UNITS[kind].arrays))
    arrays = tuple(expect.one_of(name, f"{where}.arrays", UNITS[kind].arrays) for name in names)
    sizes = (expect.size(data["n_visible"], f"{where}.n_visible"), expect.size(data["n_hidden"], f"{where}.n_hidden"))
    return UnitLayout(kind, *sizes, arrays)


def _history(value: object) -> dict[str, int]:
    phases = expect.table(value, f"{WHERE}.history", most=2 * MAX_LAYERS)
    where = f"{WHERE}.history"
    return {expect.name(phase, where): expect.size(rows, where, 0) for phase, rows in phases.items()}


def _spec(value: object, where: str, dtypes: tuple[str, ...], least: int = 1, most_dimensions: int = 3) -> ArraySpec:
    parts = expect.sequence(value, where, 2)
    if len(parts) != 2:
        raise refusal(where, f"expected [dtype, shape], found {shown(value)}")
    dtype = np.dtype(expect.one_of(parts[0], where, dtypes))
    shape = expect.sequence(parts[1], where, most_dimensions)
    return ArraySpec(dtype, tuple(expect.size(length, where, least) for length in shape))


def _classes(value: object) -> ArraySpec | None:
    if value is None:
        return None
    where = f"{WHERE}.classes"
    label = expect.sequence(value, where, 2)[0] if value else None
    dtypes = (label,) if isinstance(label, str) and _LABEL_DTYPE.fullmatch(label) else ("<i8",)
    return _spec(value, where, dtypes)


def _probe(value: object) -> dict[str, ArraySpec] | None:
    if value is None:
        return None
    data = expect.table(value, f"{WHERE}.probe", ("input", "output"))
    return {name: _spec(data[name], f"{WHERE}.probe.{name}", PROBE_DTYPES) for name in ("input", "output")}


def _checkpoint(value: object) -> dict[str, ArraySpec] | None:
    if value is None:
        return None
    where = f"{WHERE}.checkpoint"
    data = expect.table(value, where)
    return {name: _spec(spec, f"{where}.{shown(name)}", CHECKPOINT_DTYPES, least=0) for name, spec in data.items()}


# How the parts fit ---------------------------------------------------------------------------------------------------


def _check(kind: str, layout: Layout) -> None:
    _check_counts(kind, layout)
    _check_chain(layout)
    _check_units(layout)
    _check_head(kind, layout)
    if layout.probe is not None:
        _check_probe(layout, layout.probe)
    if layout.checkpoint is not None:
        _check_checkpoint_names(layout.checkpoint)


def _check_counts(kind: str, layout: Layout) -> None:
    """Every model encodes, all but a classifier decode, and a single unit is one layer there and one back."""
    if not layout.encoder:
        raise refusal(f"{WHERE}.encoder", "no layers")
    if bool(layout.decoder) == (kind == CLASSIFIER):
        raise refusal(f"{WHERE}.decoder", "a classifier has none" if layout.decoder else "no layers")
    found = (len(layout.encoder), len(layout.decoder), *(unit.kind for unit in layout.units))
    if kind in SINGLE_UNITS and found != (1, 1, SINGLE_UNITS[kind]):
        raise refusal(WHERE, f"expected one layer each way and one unit {SINGLE_UNITS[kind]}, found {shown(found)}")


def _check_chain(layout: Layout) -> None:
    """Each layer takes what the one before it gives, and the decoder ends with the width of the input."""
    layers = layout.encoder + layout.decoder
    for i, ((_, width), (n_in, _)) in enumerate(pairwise(layers)):
        if width != n_in:
            raise refusal(WHERE, f"layer {i + 1} takes {n_in} inputs, but layer {i} gives {width}")
    if layout.decoder and layout.encoder[0][0] != layout.decoder[-1][1]:
        text = f"the decoder gives {layout.decoder[-1][1]} values for {layout.encoder[0][0]} inputs"
        raise refusal(f"{WHERE}.decoder", text)


def _check_units(layout: Layout) -> None:
    for i, unit in enumerate(layout.units):
        names, known = sorted(unit.arrays), set(UNITS[unit.kind].arrays)
        if not known - OPTIONAL_UNIT_ARRAYS <= set(names) or len(set(names)) != len(names):
            raise refusal(f"{WHERE}.units[{i}].arrays", f"expected {sorted(known)}, found {names}")
    for i, (below, above) in enumerate(pairwise(layout.units)):
        if below.n_hidden != above.n_visible:
            text = f"expected {below.n_hidden} visible units as unit {i} has hidden ones, found {above.n_visible}"
            raise refusal(f"{WHERE}.units[{i + 1}]", text)
    for i, (unit, pair) in enumerate(zip(layout.units, layout.encoder, strict=False)):
        if (unit.n_visible, unit.n_hidden) != pair:
            text = f"expected {pair} as in the encoder, found {(unit.n_visible, unit.n_hidden)}"
            raise refusal(f"{WHERE}.units[{i}]", text)


def _check_head(kind: str, layout: Layout) -> None:
    if kind != CLASSIFIER and (layout.head or layout.classes):
        raise refusal(f"{WHERE}.head", f"only a classifier has a head and classes, this is of kind {kind}")
    if (layout.head is None) != (layout.classes is None):
        raise refusal(f"{WHERE}.head", "a head needs classes, and classes a head")
    if layout.head is None or layout.classes is None:
        return
    if layout.classes.shape != (layout.head[1],):
        raise refusal(f"{WHERE}.classes", f"expected {layout.head[1]} labels, found shape {layout.classes.shape}")
    if layout.encoder[-1][1] != layout.head[0]:
        text = f"takes {layout.head[0]} inputs, but the encoder gives {layout.encoder[-1][1]}"
        raise refusal(f"{WHERE}.head", text)


def _check_probe(layout: Layout, probe: dict[str, ArraySpec]) -> None:
    for name, spec in probe.items():
        if len(spec.shape) != 2:
            raise refusal(f"{WHERE}.probe.{name}", f"expected a matrix, found shape {spec.shape}")
    rows, width = probe["input"].shape
    if probe["output"].shape[0] != rows:
        raise refusal(f"{WHERE}.probe.output", f"expected {rows} rows, found {probe['output'].shape[0]}")
    if width != layout.encoder[0][0]:
        raise refusal(f"{WHERE}.probe.input", f"expected {layout.encoder[0][0]} columns, found {width}")


def _check_checkpoint_names(arrays: dict[str, ArraySpec]) -> None:
    where = f"{WHERE}.checkpoint"
    for name in arrays:
        if len(name) > 256 or not _CHECKPOINT_NAME.fullmatch(name):
            raise refusal(where, f"expected names of a-z, 0-9, _ and /, found {shown(name)}")
        parts = name.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in arrays:
                raise refusal(where, f"{shown('/'.join(parts[:end]))} is an array and the folder of {shown(name)}")
