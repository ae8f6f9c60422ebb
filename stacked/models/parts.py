"""Whether the parts of a record make a model: its layers chain, and units, head, probe and input fit them.

The gate has checked the arrays one by one and knows no estimator; what the parameters mean is checked when one is built.
"""

import math
from itertools import pairwise

from ..files import LayerArrays, ModelRecord, UnitArrays, refusal
from ..layers.records import check_attributes, check_record
from ..registry import CLASSIFIER, KINDS, UNITS
from ..text import shown

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
    return record


def _layers(record: ModelRecord) -> dict[str, LayerArrays]:
    """Path -> layer, in the order encoder, decoder, head."""
    layers = {f"/encoder/{i}": layer for i, layer in enumerate(record.encoder)}
    layers |= {f"/decoder/{i}": layer for i, layer in enumerate(record.decoder)}
    return layers if record.head is None else layers | {"/head": record.head}


def _check_counts(record: ModelRecord) -> None:
    """Every model encodes, all but a classifier decode, and a single unit is one layer there and one back."""
    if not record.encoder:
        raise refusal("/encoder", "no layers")
    if bool(record.decoder) == (record.kind == CLASSIFIER):
        raise refusal("/decoder", "a classifier has none" if record.decoder else "no layers")
    found = (len(record.encoder), len(record.decoder), *(unit.kind for unit in record.units))
    if record.kind in SINGLE_UNITS and found != (1, 1, SINGLE_UNITS[record.kind]):
        text = f"expected one layer each way and one unit {SINGLE_UNITS[record.kind]}, found {shown(found)}"
        raise refusal("/@kind", text)


def _check_chain(record: ModelRecord) -> None:
    """Each layer takes what the one before it gives, and the decoder ends with the width of the input."""
    for (below, one), (path, layer) in pairwise(_layers(record).items()):
        if one.attributes["n_out"] != layer.attributes["n_in"]:
            text = f"takes {layer.attributes['n_in']} inputs, but {below} gives {one.attributes['n_out']}"
            raise refusal(path, text)
    width = record.encoder[0].attributes["n_in"]
    if record.decoder and record.decoder[-1].attributes["n_out"] != width:
        text = f"the decoder gives {record.decoder[-1].attributes['n_out']} values for {width} inputs"
        raise refusal("/decoder", text)


def _check_units(record: ModelRecord) -> None:
    """Units chain, and each has the sizes of its layer of the encoder."""
    sizes = [_unit_sizes(f"/units/{i}", unit) for i, unit in enumerate(record.units)]
    for i, ((_, hidden), (visible, _)) in enumerate(pairwise(sizes)):
        if hidden != visible:
            text = f"expected {hidden} visible units as unit {i} has hidden ones, found {visible}"
            raise refusal(f"/units/{i + 1}", text)
    for i, (found, layer) in enumerate(zip(sizes, record.encoder, strict=False)):
        expected = layer.attributes["n_in"], layer.attributes["n_out"]
        if found != expected:
            raise refusal(f"/units/{i}", f"expected {expected} units as in the encoder, found {found}")


def _unit_sizes(path: str, unit: UnitArrays) -> tuple[int, int]:
    if unit.kind not in UNITS:
        raise refusal(f"{path}@kind", f"expected one of {', '.join(UNITS)}, found {shown(unit.kind)}")
    check_attributes(path, unit.attributes, {"n_visible": int, "n_hidden": int})
    return unit.attributes["n_visible"], unit.attributes["n_hidden"]


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
    if record.probe is not None and record.probe.input.shape[1:] != (width,):
        raise refusal("/probe/input", f"expected rows of {width} numbers, found the shape {record.probe.input.shape}")
