"""Whether the parts of a record make a model: its layers chain, and units, head, probe and input fit them.

The gate has checked the arrays one by one and knows no estimator; what the parameters mean is checked when one is built.
"""

import math
from itertools import pairwise
from typing import Any

from ..data.recipe import check_recipe, recipe_width, sequence_column_of
from ..errors import DataError
from ..files import LayerArrays, ModelRecord, UnitArrays, refusal
from ..layers.records import check_attributes, check_record, layer_of
from ..registry import CLASSIFIER, KINDS, UNITS
from ..text import shown
from .baseline_parts import check_baseline

UNIT_ATTRIBUTES = {"n_visible": int, "n_hidden": int, "n_code_layers": int}
SINGLE_UNITS = {home.kind: name for name, home in UNITS.items()}


def check_parts(record: ModelRecord) -> ModelRecord:
    """The record, or a refusal that names the first part that fits no model of its kind."""
    if record.kind not in KINDS:
        raise refusal("/@kind", f"unknown kind of model {shown(record.kind)}, expected one of {', '.join(KINDS)}")
    for path, layer in _layers(record).items():
        check_record(path, layer)
    _check_counts(record)
    _check_chain(record)
    _check_units(record)
    _check_head(record)
    _check_rows(record)
    check_baseline(record)
    return record


def _layers(record: ModelRecord) -> dict[str, LayerArrays]:
    """Path -> layer, in the order encoder, decoder, head."""
    layers = {f"/encoder/{i}": layer for i, layer in enumerate(record.encoder)}
    layers |= {f"/decoder/{i}": layer for i, layer in enumerate(record.decoder)}
    return layers if record.head is None else layers | {"/head": record.head}


def _check_counts(record: ModelRecord) -> None:
    """Every model encodes, all but a classifier decode, and a single unit is kept as pretrained, too."""
    if not record.encoder:
        raise refusal("/encoder", "no layers")
    if bool(record.decoder) == (record.kind == CLASSIFIER):
        raise refusal("/decoder", "a classifier has none" if record.decoder else "no layers")
    found = [unit.kind for unit in record.units]
    if record.kind in SINGLE_UNITS and found != [SINGLE_UNITS[record.kind]]:
        raise refusal("/@kind", f"expected one unit {SINGLE_UNITS[record.kind]}, found {shown(found)}")


def _check_chain(record: ModelRecord) -> None:
    """Each layer takes what the one before it gives, and the decoder ends with the width of the input."""
    layers = _layers(record)
    for (below, one), (path, layer) in pairwise(layers.items()):
        if one.attributes["n_out"] != layer.attributes["n_in"]:
            text = f"takes {layer.attributes['n_in']} inputs, but {below} gives {one.attributes['n_out']}"
            raise refusal(path, text)
    chain = [layer_of(layer) for layer in layers.values()]
    for index, path in enumerate(layers):
        try:
            chain[index].check_after(chain[:index])
        except ValueError as error:
            raise refusal(path, str(error)) from None
    for index, path in enumerate(layers):
        try:
            chain[index].check_before(chain[-1])
        except ValueError as error:
            raise refusal(path, str(error)) from None
    own = record.target is None
    width = record.encoder[0].attributes["n_in"] if record.target is None else math.prod(record.target.sample_shape)
    if record.decoder and record.decoder[-1].attributes["n_out"] != width:
        text = f"the decoder gives {record.decoder[-1].attributes['n_out']} values for {width} {'inputs' if own else 'targets'}"
        raise refusal("/decoder", text)


def _check_units(record: ModelRecord) -> None:
    """Units chain, and each has the sizes of its span of the encoder, of which together they leave nothing; or there are none."""
    sizes = [_unit_sizes(f"/units/{i}", unit) for i, unit in enumerate(record.units)]
    for i, (below, above) in enumerate(pairwise(sizes)):
        if below["n_hidden"] != above["n_visible"]:
            text = (
                f"expected {below['n_hidden']} visible units as /units/{i} has hidden ones, found {above['n_visible']}"
            )
            raise refusal(f"/units/{i + 1}", text)
    start = 0
    for i, unit in enumerate(sizes):
        start = _check_span(f"/units/{i}", unit, record.encoder, start)
    if sizes and start < len(record.encoder):
        raise refusal("/units", f"expected units of all {len(record.encoder)} layers of the encoder, found {start}")


def _check_span(path: str, unit: dict[str, int], encoder: tuple[LayerArrays, ...], start: int) -> int:
    """Where the span of the encoder ends that a unit beginning at ``start`` is unrolled to."""
    stop, left = start + unit["n_code_layers"], len(encoder) - start
    if not start < stop <= len(encoder):
        text = f"expected at least one layer and at most the {left} left of the encoder, found {stop - start}"
        raise refusal(f"{path}@n_code_layers", text)
    expected = encoder[start].attributes["n_in"], encoder[stop - 1].attributes["n_out"]
    found = unit["n_visible"], unit["n_hidden"]
    if found != expected:
        raise refusal(path, f"expected {expected} units as in the encoder, found {found}")
    return stop


def _unit_sizes(path: str, unit: UnitArrays) -> dict[str, int]:
    if unit.kind not in UNITS:
        raise refusal(f"{path}@kind", f"expected one of {', '.join(UNITS)}, found {shown(unit.kind)}")
    check_attributes(path, unit.attributes, UNIT_ATTRIBUTES)
    return unit.attributes


def _check_head(record: ModelRecord) -> None:
    if record.kind != CLASSIFIER and (record.head is not None or record.classes is not None):
        raise refusal("/head", f"only a classifier has a head and classes, this is of kind {record.kind}")
    if (record.head is None) != (record.classes is None):
        raise refusal("/head", "a head needs classes, and classes a head")
    if record.head is None or record.classes is None:
        return
    if record.classes.shape != (record.head.attributes["n_out"],):
        text = f"expected {record.head.attributes['n_out']} labels, found {len(record.classes)}"
        raise refusal("/classes", text)


def _check_rows(record: ModelRecord) -> None:
    """The input and the probe have as many columns as the encoder takes; what comes out of it is compared when it answers."""
    width, shape = record.encoder[0].attributes["n_in"], record.input.sample_shape
    if math.prod(shape) != width:
        raise refusal("/input@sample_shape", f"expected a shape of {width} values as the encoder takes, found {shape}")
    if record.input.table is not None:
        _check_table(record.input.table, width)
    if record.probe is not None and record.probe.input.shape[1:] != (width,):
        raise refusal("/probe/input", f"expected rows of {width} numbers, found the shape {record.probe.input.shape}")


def _check_table(table: dict[str, Any], width: int) -> None:
    """A recipe of a table that becomes as many columns as the encoder takes, or steps that make these up."""
    try:
        found, steps = recipe_width(check_recipe(table)), sequence_column_of(table) is not None
    except DataError as error:
        raise refusal("/input@table", str(error)) from None
    if width % found if steps else found != width:
        raise refusal("/input@table", f"expected columns that become {width} as the encoder takes, found {found}")
