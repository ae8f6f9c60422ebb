"""``stacked info``."""

import re
from typing import Any

import click

from stacked.errors import DataError
from stacked.text import one_line

from . import options as opt
from .output import echo, print_json

_PRECISIONS = {"float32": "float32", "float64": "float64", "bfloat16": "float32 (products in bfloat16)"}


@click.command()
@click.argument("model", metavar="MODEL")
@opt.json_option
@opt.config_option
def info(model: str, as_json: bool) -> None:
    """Show what a model file holds, after checking all of it.

    The digest is that of the whole file; that of the result leaves out how long epochs took, and is the same for the same training.

    \b
    Example:
      stacked info model.h5
      stacked info model.h5 --json
    """
    from stacked.files import read_info

    found = read_info(model)
    print_json(found) if as_json else echo(*_lines(model, found))


def _lines(model: str, found: dict[str, Any]) -> list[str]:
    source = found["input"]
    shape = " x ".join(map(str, source["sample_shape"])) or "1"
    lines = [
        f"{model}: {found['kind']}, {found['parameters']:,} parameters in {_PRECISIONS[found['precision']]},"
        f" {found['file_size']:,} bytes, format {found['version']}, stacked {found['stacked_version']}",
        _line("input", f"{shape} of {source['dtype']}, {_scaling(source)}"),
    ]
    if found["target"] is not None:
        aim = found["target"]
        lines.append(_line("target", f"{' x '.join(map(str, aim['sample_shape']))} of {aim['dtype']}, {_scaling(aim)}"))
    if source["table"] is not None:
        lines.append(_line("table", _table(source["table"])))
    for layer in found["layers"]:
        lines.append(_line(layer["part"], _layer(layer)))
    if found["classes"] is not None:
        lines.append(_line("classes", ", ".join(map(str, found["classes"]))))
    if found["units"]:
        units = (f"{unit['kind']} {unit.get('n_visible', '?')}-{unit.get('n_hidden', '?')}" for unit in found["units"])
        lines.append(_line("units", ", ".join(units)))
    phases = sorted(found["history"].items(), key=lambda item: (item[0] == "finetune", len(item[0]), item[0]))
    lines += [_line("history", _phase(_called(name), phase)) for name, phase in phases]
    if found["checkpoint"] is not None:
        cursor = found["checkpoint"]["cursor"]
        unit = "" if cursor["phase"] == "finetune" else f"unit {cursor['unit'] + 1}, "
        done = f"{cursor['phase']}, {unit}{cursor['epoch']} epochs done"
        if cursor.get("diverged"):
            lines.append(_line("diverged", f"after {done}; these are the last good weights"))
        else:
            lines.append(_line("unfinished", f"{done}; go on with `stacked {cursor['phase']} --resume {model}`"))
    return [*lines, _line("digest", found["digest"]), _line("result", f"{found['result_digest']}, without times")]


def _scaling(source: dict[str, Any]) -> str:
    """What was done to the columns, and by which numbers where they are the same for all."""
    scale, offset, method = source["scale"], source["offset"], one_line(source["method"])
    if isinstance(scale, list) or isinstance(offset, list) or source["log"] != 0:
        return method
    return f"{method}: times {scale:.6g} plus {offset + 0.0:.6g}"


def _table(recipe: dict[str, Any]) -> str:
    """What of a table the model was trained on; the whole recipe is in the JSON."""
    from stacked.data.choice import listing
    from stacked.data.recipe import check_recipe, described, sequence_column_of

    try:
        known = check_recipe(recipe)
    except DataError as error:
        return f"unknown: {error}"
    names = [column["name"] for column in known["columns"]]
    found = f"by name: {listing(names)}" if known["header"] else f"by position: {listing(names)}"
    steps = sequence_column_of(known)
    return f"{described(known)}, {found}" + (
        "" if steps is None else f"; steps of sequences named by {one_line(steps)}"
    )


def _layer(layer: dict[str, Any]) -> str:
    """Sizes first, then the activation, then whatever else a layer of this kind says of itself."""
    left = {name: value for name, value in layer.items() if name not in ("part", "n_in", "n_out", "activation")}
    sizes = [_joined(left, names) or str(layer.get(n, "?")) for n, names in (("n_in", _MAP), ("n_out", _MAP_OUT))]
    words = [" -> ".join(sizes), str(layer.get("activation", ""))]
    for called, names in _PAIRS.items():
        if found := _joined(left, names):
            left[called] = found
    if layer.get("height") == 1 and left.get("kernel") == "1x1":  # of a sequence, whose steps are looked at one by one
        left = {name: value for name, value in left.items() if _ALONE.get(name) != value}
    if left != {"kind": "dense"}:
        words += [f"{name}={value}" for name, value in left.items() if name not in _SWITCHES]
        words += [word for name, word in _SWITCHES.items() if left.get(name)]
    return " ".join(filter(None, words))


_MAP = ("height", "width", "channels")
_MAP_OUT = ("out_height", "out_width", "out_channels")
_PAIRS = {name: (f"{name}_height", f"{name}_width") for name in ("kernel", "stride")} | {"pad": ("pad_top", "pad_left")}

_ALONE = {"kernel": "1x1", "stride": "1x1", "pad": "0x0"}
_SWITCHES = {"backwards": "backwards", "whole": "over all steps", "one_hot": "answering in symbols"}


def _joined(left: dict[str, Any], names: tuple[str, ...]) -> str:
    """The numbers of these names as 28x28x1, taken out of what is left, or nothing where one is missing."""
    if not all(name in left for name in names):
        return ""
    return "x".join(str(left.pop(name)) for name in names)


def _line(name: str, text: str) -> str:
    return f"{name:11} {text}"


def _called(name: str) -> str:
    """A phase as progress calls it, where units count from 1; the file's own names are in the JSON."""
    match = re.fullmatch(r"unit_([0-9]{1,9})", name, re.ASCII)
    return name if match is None else f"unit {int(match[1]) + 1}"


def _phase(name: str, phase: dict[str, Any]) -> str:
    if not phase["epochs"]:
        return f"{name}: 0 epochs"
    validation = "" if phase["validation_loss"] is None else f", validation {phase['validation_loss']:.5g}"
    return f"{name}: {phase['epochs']} epochs, loss {phase['loss']:.5g}{validation}, {phase['seconds']:.1f} s"
