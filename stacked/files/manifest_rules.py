"""What a manifest may be: JSON from the file becomes a :class:`~.manifest.Manifest` here, or a one-line refusal.

Names, types, sizes and counts are bounded, and every array lies in a part of the file that is there. Whether the parts make a
model is not asked here.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from ..text import shown
from . import expect
from .manifest import MAX_DIMENSIONS, ArraySpec, Manifest, by_group, type_text
from .record import HISTORY_DTYPE, INPUT_ARRAYS, Baseline, weights_dtype
from .refusal import refusal

WHERE = "/@config: manifest"
ARRAYS = f"{WHERE}.arrays"
MAX_LAYERS = 1000
MAX_ARRAYS = 10_000
MAX_ATTRIBUTES = 32  # of a layer or unit
MAX_PATH, MAX_DEPTH = 256, 8
NAMES = {
    "/input": set(INPUT_ARRAYS),
    "/target": set(INPUT_ARRAYS),
    "/probe": {"input", "output"},
}  # parts whose arrays are known
BASELINE = {field.name for field in fields(Baseline)}

_PATH = re.compile(r"(/[a-z0-9_]+)+")
_ATTRIBUTE = re.compile(r"[a-z0-9_]{1,64}")
_LABEL = re.compile(r"\|S([1-9][0-9]{0,3})")


class Rule(NamedTuple):
    """What the arrays in one part of a file may be: types, the least length, and how many dimensions."""

    dtypes: tuple[str, ...]
    least: int = 1
    dimensions: tuple[int, int] = (0, MAX_DIMENSIONS)


_HISTORY = type_text(HISTORY_DTYPE)
_RULES = {
    "classes": Rule(("<i8",), 1, (1, 1)),  # or text of any fixed length
    "input": Rule(("<f8", "|u1"), 1, (1, 1)),
    "target": Rule(("<f8", "|u1"), 1, (1, 1)),
    "history": Rule((_HISTORY,), 0, (1, 1)),
    "probe": Rule(("<f4", "<f8", "|u1")),
    "baseline": Rule(("<f4", "<f8"), 1, (1, 2)),
    "checkpoint": Rule(("<f4", "<f8", "<i8", "|u1"), 0, (0, 3)),
}


def parse_manifest(value: object, precision: str) -> Manifest:
    """The manifest that the parsed JSON gives for a model whose weights have this precision."""
    data = expect.table(value, WHERE, ("arrays", "encoder", "decoder", "head", "units"))
    manifest = Manifest(
        precision=precision,
        arrays=_arrays(data["arrays"], Rule((weights_dtype(precision).str,))),
        encoder=_records(data["encoder"], f"{WHERE}.encoder"),
        decoder=_records(data["decoder"], f"{WHERE}.decoder"),
        head=None if data["head"] is None else _record(data["head"], f"{WHERE}.head"),
        units=_records(data["units"], f"{WHERE}.units", reserved="params"),
    )
    _check_places(manifest)
    return manifest


def _arrays(value: object, of_layers: Rule) -> dict[str, ArraySpec]:
    table = expect.table(value, ARRAYS, most=MAX_ARRAYS)
    for path in table:
        if len(path) > MAX_PATH or not _PATH.fullmatch(path) or path.count("/") > MAX_DEPTH:
            text = f"expected at most {MAX_DEPTH} names of a-z, 0-9 and _, each after a /, found {shown(path)}"
            raise refusal(ARRAYS, text)
    return {path: _spec(spec, f"{ARRAYS}: {path}", _rule(path, spec, of_layers)) for path, spec in table.items()}


def _rule(path: str, spec: object, of_layers: Rule) -> Rule:
    part = path.split("/")[1]
    dtype = spec[0] if part == "classes" and isinstance(spec, list) and spec else None
    if isinstance(dtype, str) and _LABEL.fullmatch(dtype):
        return _RULES[part]._replace(dtypes=(dtype,))
    return _RULES.get(part, of_layers)


def _spec(value: object, where: str, rule: Rule) -> ArraySpec:
    parts = expect.sequence(value, where, 2)
    if len(parts) != 2:
        raise refusal(where, f"expected [dtype, shape], found {shown(value)}")
    dtype = expect.one_of(parts[0], where, rule.dtypes)
    fewest, most = rule.dimensions
    shape = expect.sequence(parts[1], where, most)
    if len(shape) < fewest:
        raise refusal(where, f"expected {fewest} dimension, found {len(shape)}")
    stored = HISTORY_DTYPE if dtype == _HISTORY else np.dtype(dtype)
    return ArraySpec(stored, tuple(expect.size(length, where, rule.least) for length in shape))


def _records(value: object, where: str, reserved: str | None = None) -> tuple[dict[str, Any], ...]:
    items = expect.sequence(value, where, MAX_LAYERS)
    return tuple(_record(item, f"{where}[{i}]", reserved) for i, item in enumerate(items))


def _record(value: object, where: str, reserved: str | None = None) -> dict[str, Any]:
    """The attributes of one layer or unit: texts that are names, integers, floats, and lists of integers."""
    table = expect.table(value, where, most=MAX_ATTRIBUTES)
    if "kind" not in table:
        raise refusal(f"{where}.kind", "missing")
    expect.name(table["kind"], f"{where}.kind")
    for name in table:
        if not _ATTRIBUTE.fullmatch(name) or name == reserved:
            raise refusal(where, f"expected attributes named by a-z, 0-9 and _, found {shown(name)}")
    return {name: _value(item, f"{where}.{name}") for name, item in table.items()}


def _value(value: object, where: str) -> Any:
    if isinstance(value, str):
        return expect.name(value, where)
    if isinstance(value, float):
        return value
    if isinstance(value, list) and value:
        return tuple(expect.whole(item, where) for item in expect.sequence(value, where, MAX_DIMENSIONS))
    return expect.whole(value, where)


def _check_places(manifest: Manifest) -> None:
    """Each array is in a layer or unit that is listed, or in one of the other parts; no array is a folder of others."""
    groups = manifest.groups().keys() | {f"/{part}" for part in _RULES}
    found = by_group(manifest.arrays)
    for group, names in found.items():
        if group not in groups:
            raise refusal(
                ARRAYS, f"{group} holds arrays, but the manifest names no such layer, unit or part of the file"
            )
        if (list(names) == [""]) != (group == "/classes"):
            wanted = "one array" if group == "/classes" else "a group of arrays"
            raise refusal(ARRAYS, f"{group}: expected {wanted}, found the names {shown(sorted(names))}")
    if "/input" not in found:
        raise refusal(ARRAYS, "/input: missing")
    for group, expected in NAMES.items():
        if group in found and found[group].keys() != expected:
            raise refusal(
                ARRAYS, f"{group}: expected the names {sorted(expected)}, found {shown(sorted(found[group]))}"
            )
    if not found.get("/baseline", {}).keys() <= BASELINE:
        text = f"/baseline: expected names among {sorted(BASELINE)}, found {shown(sorted(found['/baseline']))}"
        raise refusal(ARRAYS, text)
    for name in found.get("/history", ()):
        expect.name(name, f"{ARRAYS}: /history")
    _check_folders(manifest.arrays)


def _check_folders(arrays: dict[str, ArraySpec]) -> None:
    for path in arrays:
        above = path.rpartition("/")[0]
        while above:
            if above in arrays:
                raise refusal(ARRAYS, f"{above} is an array and the folder of {path}")
            above = above.rpartition("/")[0]
