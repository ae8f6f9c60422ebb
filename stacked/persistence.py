"""Estimators to model files and back."""

from os import PathLike
from typing import Any

import numpy as np

from .autoencoder import Autoencoder
from .classifier import StackedClassifier
from .data import ArrayRows
from .deep import StackedAutoencoder
from .errors import ModelFileError
from .kernels.cpu import thread_limit
from .model import Model
from .network import Layer, Network
from .rbm import RBM
from .scaling import SCALINGS, InputScaling
from .settings import choice, precision_dtype
from .stack import Stack
from .store import (
    HISTORY_DTYPE,
    Checkpoint,
    InputSpec,
    LayerArrays,
    ModelRecord,
    Probe,
    UnitArrays,
    read_model,
    write_model,
)
from .training import Record
from .unit import Unit

KINDS: dict[str, type[Model]] = {cls.kind: cls for cls in (RBM, Autoencoder, StackedAutoencoder, StackedClassifier)}
UNIT_CLASSES: dict[str, type[Unit]] = {cls.__name__: cls for cls in (RBM, Autoencoder)}
PROBE_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}  # another CPU's products may round differently


def save(model: Model, path: str | PathLike[str], checkpoint: Checkpoint | None = None) -> None:
    """Write a fitted estimator, or with ``checkpoint`` one in training, to ``path``, atomically."""
    write_model(path, to_record(model, checkpoint))


def load(path: str | PathLike[str], *, allow_unfinished: bool = False) -> Any:
    """The fitted estimator in a model file.

    Raises ModelFileError for a file that is not whole, not ours, newer, or answers its probe differently; and for one whose
    training is unfinished, unless ``allow_unfinished``.
    """
    record = read_model(path)
    if record.checkpoint is not None and not allow_unfinished:
        cursor = record.checkpoint.cursor
        raise ModelFileError(
            f"{path}: the training is unfinished ({cursor.get('phase')}, epoch {cursor.get('epoch')} done);"
            f" go on with `stacked {cursor.get('phase')} --resume {path}`"
        )
    return from_record(record, str(path))


def to_record(model: Model, checkpoint: Checkpoint | None = None) -> ModelRecord:
    """The plain record that the store writes."""
    network, n_code = model.network_, model.n_code_layers_
    arrays = [_layer_arrays(network, index) for index in range(len(network.layers))]
    classes = getattr(model, "classes_", None)
    scaling = model.scaling_
    return ModelRecord(
        kind=model.kind,
        params={"estimator": _params(model), "seed": model.seed_, "scaling": scaling.mode},
        encoder=tuple(arrays[:n_code]),
        decoder=() if classes is not None else tuple(arrays[n_code:]),
        head=arrays[n_code] if classes is not None else None,
        classes=None if classes is None else _stored_classes(classes),
        units=tuple(_unit_arrays(unit) for unit in _units(model)),
        input=InputSpec(scaling.scale, scaling.offset, scaling.sample_shape, scaling.dtype),
        history=_history(model.history_),
        probe=None if checkpoint is not None else _probe(model),
        checkpoint=checkpoint,
        precision=model.precision,
        stacked_version="",
    )


def from_record(record: ModelRecord, name: str) -> Model:
    """The estimator that a record describes; ``name`` is the file, for messages."""
    try:
        model = _build(record)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{name}: config: does not describe a model that this program knows ({error!r})") from None
    if record.probe is not None:
        _check_probe(model, record.probe, name)
    return model


def _build(record: ModelRecord) -> Model:
    params = dict(record.params["estimator"])
    if "units" in params:
        params["units"] = [UNIT_CLASSES[unit["class"]](**unit["params"]) for unit in params["units"]]
    model = KINDS[record.kind](**params)
    model.seed_ = int(record.params["seed"])
    mode = choice("scaling", record.params["scaling"], SCALINGS)
    given = record.input
    model.scaling_ = InputScaling(given.scale, given.offset, tuple(given.sample_shape), given.dtype, mode)
    layers = [*record.encoder, *record.decoder] + ([record.head] if record.head is not None else [])
    model.n_code_layers_ = len(record.encoder)
    model.n_features_in_ = record.encoder[0].weight.shape[0]
    model.history_ = _records(record.history)
    model.network_ = _network(layers, tied=isinstance(model, Unit) and model.tied, precision=record.precision)
    if isinstance(model, Stack):
        model.plan()
        model.units_ = [_unit(stored, model, record.precision) for stored in record.units]
    elif isinstance(model, Unit):
        model.validate()
    if record.classes is not None:
        model.classes_ = record.classes
    return model


def jsonable(value: Any) -> Any:
    """Parameters in JSON's types: NumPy scalars become numbers, tuples lists, a generator (not a seed) None."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str) else None


def _params(model: Model) -> dict[str, Any]:
    params = {name: value for name, value in model.get_params(deep=False).items() if name != "units"}
    out = {name: jsonable(value) for name, value in params.items()}
    out["n_threads"] = None  # of the machine, not of the model
    if isinstance(model, Stack):
        out["units"] = [{"class": type(unit).__name__, "params": _params(unit)} for unit in model.units]
    return out


def _units(model: Model) -> list[Unit]:
    return list(model.units_) if isinstance(model, Stack) else [model]


def _layer_arrays(network: Network, index: int) -> LayerArrays:
    weight = np.ascontiguousarray(network.weight(index))
    return LayerArrays(weight, network.bias(index), network.layers[index].activation)


def _unit_arrays(unit: Unit) -> UnitArrays:
    arrays = {"weight": unit.weight_, "visible_bias": unit.visible_bias_, "hidden_bias": unit.hidden_bias_}
    if not unit.tied:
        arrays["decoder_weight"] = unit.network_.weight(1)
    return UnitArrays(type(unit).__name__, _params(unit), arrays)


def _network(layers: list[LayerArrays], tied: bool, precision: str) -> Network:
    shapes = [Layer(layer.weight.shape[0], layer.weight.shape[1], layer.activation) for layer in layers]
    if tied:
        shapes[1] = Layer(shapes[1].n_in, shapes[1].n_out, shapes[1].activation, tied_to=0)
    network = Network.zeros(shapes, precision_dtype(precision))
    for index, layer in enumerate(layers):
        if shapes[index].tied_to is None:
            network.weight(index)[:] = layer.weight
        network.bias(index)[:] = layer.bias
    return network


def _unit(stored: UnitArrays, stack: Stack, precision: str) -> Unit:
    unit = UNIT_CLASSES[stored.kind](**stored.params)
    n_visible, n_hidden = stored.arrays["weight"].shape
    if n_hidden != unit.n_hidden:
        raise ValueError(f"a unit of {unit.n_hidden} hidden units has weights of shape {(n_visible, n_hidden)}")
    network = Network.zeros(unit.layers(n_visible), precision_dtype(precision))
    network.weight(0)[:] = stored.arrays["weight"]
    network.bias(0)[:] = stored.arrays["hidden_bias"]
    network.bias(1)[:] = stored.arrays["visible_bias"]
    if not unit.tied:
        network.weight(1)[:] = stored.arrays["decoder_weight"]
    unit.network_, unit.n_features_in_, unit.n_code_layers_ = network, n_visible, 1
    unit.scaling_, unit.seed_, unit.history_ = stack.scaling_, stack.seed_, []
    return unit


def _stored_classes(classes: np.ndarray) -> np.ndarray:
    if classes.dtype.kind in "iub":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f" and (classes == np.floor(classes)).all():
        return classes.astype(np.int64)
    return classes.astype(str)


def _history(records: list[Record]) -> dict[str, np.ndarray]:
    phases: dict[str, list[tuple]] = {}
    for r in records:
        name = "finetune" if r.phase == "finetune" else f"unit_{r.unit}"
        validation = np.nan if r.validation_loss is None else r.validation_loss
        phases.setdefault(name, []).append((r.epoch, r.loss, validation, r.seconds, r.samples_per_second))
    return {name: np.array(rows, HISTORY_DTYPE) for name, rows in phases.items()}


def _records(history: dict[str, np.ndarray]) -> list[Record]:
    """Records in order: unit 0, unit 1, ..., fine-tuning."""
    names = sorted(history, key=lambda name: (name == "finetune", len(name), name))
    out = []
    for name in names:
        phase, unit = ("finetune", -1) if name == "finetune" else ("pretrain", int(name.removeprefix("unit_")))
        for row in history[name]:
            validation = None if np.isnan(row["validation_loss"]) else float(row["validation_loss"])
            out.append(
                Record(
                    phase, unit, int(row["epoch"]), len(history[name]), float(row["loss"]), validation,
                    float(row["seconds"]), float(row["samples_per_second"]),
                )
            )  # fmt: skip
    return out


def _probe(model: Model) -> Probe:
    """Four rows of raw input from the model's own seed, and the whole network's answer to them."""
    scaling = model.scaling_
    unit_values = np.random.Generator(np.random.Philox(model.seed_)).random((4, model.n_features_in_))
    dtype = model.network_.params.dtype
    raw = ((unit_values - scaling.offset) / scaling.scale).astype(dtype)
    return Probe(raw, _answer(model, raw))


def _answer(model: Model, raw: np.ndarray) -> np.ndarray:
    with thread_limit(1):
        return model.network_.apply(ArrayRows(raw), model.scaling_.scale, model.scaling_.offset)


def _check_probe(model: Model, probe: Probe, name: str) -> None:
    found, expected = _answer(model, np.ascontiguousarray(probe.input)), probe.output
    tolerance = PROBE_TOLERANCE[str(model.network_.params.dtype)]
    worst = float(np.max(np.abs(found - expected) / (1 + np.abs(expected))))
    if not worst <= tolerance:
        raise ModelFileError(
            f"{name}: /probe: the loaded model answers differently from the saved one (by {worst:.2g}, allowed {tolerance:g})"
        )
