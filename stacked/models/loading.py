"""Model files to estimators."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from math import prod
from os import PathLike
from typing import Any

import numpy as np

from ..errors import ModelFileError, StackedError
from ..files import MAX_LAYERS, InputSpec, LayerArrays, ModelRecord, UnitArrays, file_name, of_file, read_model, refusal
from ..layers import Layer
from ..layers.base import SampleShape
from ..layers.records import check_shapes, layer_of
from ..network import Network, fill
from ..registry import MODELS, PACKAGE, UNITS
from ..scaling import InputScaling, identity
from ..settings import MAX_SEED, SCALINGS, choice, flag, precision_dtype, whole
from ..targets import Target, check_takes_targets
from ..text import one_line, shown
from ..training.loop import Record
from ..training.plan import AUTO
from ..units.base import Unit
from ..units.chain import chained
from .model import Model
from .parts import check_parts
from .probe import check_probe
from .stack import Stack


def _class_of(name: str) -> Any:
    return getattr(import_module(f"{PACKAGE}.{MODELS[name].module}"), name)


_LONGEST_METHOD = 500  # characters
KINDS: dict[str, type[Stack | Unit]] = {home.kind: _class_of(name) for name, home in MODELS.items()}
UNIT_CLASSES: dict[str, type[Unit]] = {name: _class_of(name) for name in UNITS}


def load(path: str | PathLike[str], *, allow_unfinished: bool = False) -> Any:
    """The fitted estimator in a model file.

    Raises ModelFileError for a file that is not whole, not ours, newer, or answers its probe differently; and for one whose
    training is unfinished, unless ``allow_unfinished``. A run that diverged has ended: its last good weights load.
    """
    record = read_model(path)
    cursor = record.checkpoint.cursor if record.checkpoint is not None else None
    if cursor is not None and not cursor.get("diverged") and not allow_unfinished:
        phase, name = cursor["phase"], file_name(path)
        raise ModelFileError(
            f"{name}: the training is unfinished ({phase}, epoch {cursor['epoch']} done);"
            f" go on with `stacked {phase} --resume {name}`"
        )
    return from_record(record, path)


def from_record(record: ModelRecord, path: str | PathLike[str]) -> Model:
    """The estimator that a record describes; ``path`` is its file, for messages."""
    with of_file(path):
        check_parts(record)
        with _described_at("/@config"):
            model = _build(record)
        if isinstance(model, Stack):
            for index, unit in enumerate(record.units):
                with _described_at(f"/units/{index}@params"):
                    model.units_.append(_unit(unit, index, model, record.precision))
        else:
            _check_unit(model, record.units[0], 0, model._sample_shape)
        if record.probe is not None:
            check_probe(model, record.probe)
    return model


@contextmanager
def _described_at(where: str) -> Iterator[None]:
    """What a hostile description makes of the code inside is said of ``where`` in the file."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = one_line(error if isinstance(error, StackedError) else repr(error), 200)
        raise refusal(where, f"does not describe a model that this program knows ({found})") from None


def _build(record: ModelRecord) -> Stack | Unit:
    model = KINDS[record.kind](**_params(record))
    if model.precision != record.precision:
        raise ValueError(f"parameters for {shown(model.precision)}, but weights of {record.precision}")
    model.seed_ = whole("seed", record.params["seed"], 0, MAX_SEED)
    model.scaling_ = _scaling(record.params, record.input)
    model.target_ = _target(record)
    if record.target is not None:
        model.check_target(model.target_) if isinstance(model, Stack) else check_takes_targets(model)
    model.n_code_layers_ = len(record.encoder)
    model.n_features_in_ = record.encoder[0].attributes["n_in"]
    model.table_ = record.input.table
    if record.classes is not None:
        model.classes_ = record.classes
    layers = _stack_layers(model, record) if isinstance(model, Stack) else _unit_layers(model)
    stored = [*record.encoder, *record.decoder] + ([record.head] if record.head is not None else [])
    model.network_ = _network(layers, stored, record.precision)
    model.history_ = _records(record.history, model)
    model.baseline_ = record.baseline
    return model


def _params(record: ModelRecord) -> dict[str, Any]:
    params = dict(record.params["estimator"])
    if "units" in params:
        if len(params["units"]) > MAX_LAYERS:
            raise ValueError(f"{len(params['units'])} units, at most {MAX_LAYERS} are read")
        params["units"] = [UNIT_CLASSES[unit["class"]](**unit["params"]) for unit in params["units"]]
    return params


def _target(record: ModelRecord) -> Target | None:
    described = record.params["target"]
    if described is None and record.target is None:
        return None
    scaling = None if record.target is None else _scaling(described, record.target)
    return Target(scaling, flag("one_hot", described["one_hot"]))


def _scaling(params: dict[str, Any], given: InputSpec) -> InputScaling:
    mode = choice("scaling", params["scaling"], SCALINGS)
    method = params["method"]
    if not isinstance(method, str) or len(method) > _LONGEST_METHOD or not method.isprintable():
        raise ValueError(f"a scaling method of {shown(method)}")
    if given.scale.min() < 0 or given.scale.max() == 0:
        raise ValueError(f"a scale of {given.scale.min()}")
    unit_range = flag("unit_range", params["unit_range"])
    arrays = (given.scale, given.offset, given.log.astype(bool), given.constant)
    return InputScaling(*arrays, tuple(given.sample_shape), given.dtype, mode, method, unit_range)


def _stack_layers(model: Stack, record: ModelRecord) -> list[Layer]:
    """The layers that a stack's checked parameters mean; its units have yet to be loaded."""
    model.plan()
    if len(model._built) != len(model.templates) and record.checkpoint is None:
        raise ValueError(f"{len(model.templates)} units, but the {model.n_code_layers_} layers of an encoder of fewer")
    model.units_ = []
    return model._layers(chained(model._built, model._sample_shape))


def _unit_layers(model: Unit) -> list[Layer]:
    model.validate()
    return list(model.layers(model._sample_shape).whole)


def _network(layers: list[Layer], stored: list[LayerArrays], precision: str) -> Network:
    """The network of ``layers`` with the stored parameters: each layer must be stored as this very one, untied."""
    expected, found = [layer.untied() for layer in layers], [layer_of(record) for record in stored]
    if found != expected:
        raise ValueError(_difference(found, expected))
    network = Network.zeros(layers, precision)  # no larger than what was read
    for index, (layer, record) in enumerate(zip(layers, stored, strict=True)):
        arrays = network.arrays(index)
        fill({name: arrays[name] for name in layer.owned}, record.arrays)
        if not all(np.array_equal(array, record.arrays[name]) for name, array in arrays.items()):
            raise ValueError(f"a tied decoder whose layer {index} is not the transposed encoder")
    return network


def _difference(found: Sequence[Layer], expected: Sequence[Layer]) -> str:
    """What is first different in layers that were found."""
    for index, (one, other) in enumerate(zip(found, expected, strict=False)):
        if one != other:
            return f"layer {index} is {one.kind} {one.attributes} where its parameters mean {other.kind} {other.attributes}"
    return f"{len(found)} layers where its parameters mean {len(expected)}"


def _unit(stored: UnitArrays, index: int, stack: Stack, precision: str) -> Unit:
    unit = UNIT_CLASSES[stored.kind](**stored.params)
    unit.target_ = stack.target_ if index == 0 else None
    unit.validate()
    chain = chained(stack._built, stack._sample_shape)
    shape = chain[index - 1].code_shape if index else stack._sample_shape
    _check_unit(unit, stored, index, shape)
    halves = unit.layers(shape)
    found, expected = halves.untied(), chain[index]
    if found != expected:
        raise ValueError(f"in the stack, {_difference(found.whole, expected.whole)}")
    unit.network_ = Network.zeros(halves.whole, precision)  # no larger than what was read
    unit.n_features_in_, unit.n_code_layers_, unit.seed_ = prod(shape), len(halves.encoder), stack.seed_
    unit.scaling_ = stack.scaling_ if index == 0 else identity(shape, precision_dtype(precision).name)
    fill(unit._arrays(), stored.arrays)
    unit.history_ = [record for record in stack.history_ if record.unit == index]
    return unit


def _check_unit(unit: Unit, stored: UnitArrays, index: int, shape: SampleShape) -> None:
    """A refusal of sizes and arrays that are not those of the unit that its parameters give, on samples of a shape."""
    for name, expected in unit._sizes(shape).items():
        found = stored.attributes[name]
        if found != expected:
            raise refusal(f"/units/{index}@{name}", f"expected {expected} as its parameters say, found {found}")
    check_shapes(f"/units/{index}", stored.arrays, unit._array_shapes(shape))


def _records(history: dict[str, np.ndarray], model: Stack | Unit) -> list[Record]:
    """Records in order: unit 0, unit 1, ..., fine-tuning."""
    names = sorted(history, key=lambda name: (name == "finetune", len(name), name))
    out = []
    for name in names:
        phase, unit = ("finetune", -1) if name == "finetune" else ("pretrain", int(name.removeprefix("unit_")))
        planned = model.templates[unit] if isinstance(model, Stack) and unit >= 0 else model
        epochs = getattr(planned, "epochs" if unit >= 0 else "finetune_epochs")
        epochs = len(history[name]) if epochs == AUTO else epochs
        for row in history[name]:
            validation = None if np.isnan(row["validation_loss"]) else float(row["validation_loss"])
            out.append(
                Record(
                    phase, unit, int(row["epoch"]), epochs, float(row["loss"]), validation,
                    float(row["seconds"]), float(row["samples_per_second"]), float(row["penalty"]),
                )
            )  # fmt: skip
    return out
