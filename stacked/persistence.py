"""Estimators to model files and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np

from .data import ArrayRows
from .errors import DataError, ModelFileError, StackedError
from .files import (
    HISTORY_DTYPE,
    MAX_LAYERS,
    Checkpoint,
    InputSpec,
    LayerArrays,
    ModelRecord,
    Probe,
    UnitArrays,
    file_name,
    of_file,
    read_model,
    refusal,
    write_model,
)
from .kernels.cpu import thread_limit
from .models.model import Model
from .models.stack import Stack
from .models.stacked_autoencoder import StackedAutoencoder
from .models.stacked_classifier import StackedClassifier
from .network import Layer, Network
from .scaling import SCALINGS, InputScaling, identity
from .settings import MAX_SEED, choice, flag, precision_dtype, whole
from .text import one_line, shown
from .training.loop import Record
from .units.autoencoder import Autoencoder
from .units.base import Unit
from .units.rbm import RBM

KINDS: dict[str, type[Model]] = {cls.kind: cls for cls in (RBM, Autoencoder, StackedAutoencoder, StackedClassifier)}
UNIT_CLASSES: dict[str, type[Unit]] = {cls.__name__: cls for cls in (RBM, Autoencoder)}
PROBE_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}  # another CPU's products may round differently


def save(model: Model, path: str | PathLike[str], checkpoint: Checkpoint | None = None) -> None:
    """Write a fitted estimator, or with ``checkpoint`` one in training, to ``path``, atomically."""
    if checkpoint is None and isinstance(model, Stack) and model.n_code_layers_ >= len(model.templates):
        model._check_unchanged()
    write_model(path, to_record(model, checkpoint))


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


def to_record(model: Model, checkpoint: Checkpoint | None = None) -> ModelRecord:
    """The plain record that the store writes."""
    network, n_code = model.network_, model.n_code_layers_
    arrays = [_layer_arrays(network, index) for index in range(len(network.layers))]
    estimator = _params(model)
    if checkpoint is None and isinstance(
        model, Stack
    ):  # a stack that did not come to its upper units is saved without them
        estimator["units"] = estimator["units"][:n_code]
    classes = getattr(model, "classes_", None)
    scaling = model.scaling_
    return ModelRecord(
        kind=model.kind,
        params={
            "estimator": estimator,
            "seed": model.seed_,
            "scaling": scaling.mode,
            "unit_range": scaling.unit_range,
        },
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


def from_record(record: ModelRecord, path: str | PathLike[str]) -> Model:
    """The estimator that a record describes; ``path`` is its file, for messages."""
    with of_file(path):
        with _described_at("/@config"):
            model = _build(record)
        if isinstance(model, Stack):
            for index, unit in enumerate(record.units):
                with _described_at(f"/units/{index}@params"):
                    model.units_.append(_unit(unit, index, model, record.precision))
        if record.probe is not None:
            _check_probe(model, record.probe)
    return model


@contextmanager
def _described_at(where: str) -> Iterator[None]:
    """What a hostile description makes of the code inside is said of ``where`` in the file."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = one_line(error if isinstance(error, StackedError) else repr(error), 200)
        raise refusal(where, f"does not describe a model that this program knows ({found})") from None


def _build(record: ModelRecord) -> Model:
    params = dict(record.params["estimator"])
    if "units" in params:
        if len(params["units"]) > MAX_LAYERS:
            raise ValueError(f"{len(params['units'])} units, at most {MAX_LAYERS} are read")
        params["units"] = [UNIT_CLASSES[unit["class"]](**unit["params"]) for unit in params["units"]]
    model = KINDS[record.kind](**params)
    assert isinstance(model, Stack | Unit)
    if model.precision != record.precision:
        raise ValueError(f"parameters for {shown(model.precision)}, but weights of {record.precision}")
    model.seed_ = whole("seed", record.params["seed"], 0, MAX_SEED)
    mode = choice("scaling", record.params["scaling"], SCALINGS)
    given = record.input
    if given.scale <= 0:
        raise ValueError(f"a scale of {given.scale}")
    unit_range = flag("unit_range", record.params["unit_range"])
    model.scaling_ = InputScaling(
        given.scale, given.offset, tuple(given.sample_shape), given.dtype, mode, unit_range
    )  # fmt: skip
    model.n_code_layers_ = len(record.encoder)
    model.n_features_in_ = record.encoder[0].weight.shape[0]
    if record.classes is not None:
        model.classes_ = record.classes
    stored = [*record.encoder, *record.decoder] + ([record.head] if record.head is not None else [])
    if isinstance(model, Stack):
        model.plan()
        if model.n_code_layers_ != len(model.templates) and record.checkpoint is None:
            raise ValueError(f"{len(model.templates)} units, but {model.n_code_layers_} layers of an encoder")
        layers = model._layers([model.n_features_in_, *(layer.weight.shape[1] for layer in record.encoder)])
        model.units_ = []
        sizes = [unit.n_hidden for unit in model.templates]
    else:
        model.validate()
        layers, sizes = list(model.layers(model.n_features_in_)), [model.n_hidden]
    if [layer.n_out for layer in layers[: model.n_code_layers_]] != sizes[: model.n_code_layers_]:
        raise ValueError(f"units of {sizes} hidden units, but other weights")
    model.network_ = _network(layers, stored, record.precision)
    model.history_ = _records(record.history, model)
    return model


def jsonable(value: Any) -> Any:
    """Parameters in JSON's types: NumPy scalars become numbers, tuples lists, a generator (not a seed) None."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, Real) and not isinstance(value, bool | int):
        return float(value)
    return value if value is None or isinstance(value, bool | int | str) else None


def _params(model: Model) -> dict[str, Any]:
    params = {name: value for name, value in model.get_params(deep=False).items() if name != "units"}
    out = {name: jsonable(value) for name, value in params.items()}
    out["n_threads"] = None  # of the machine, not of the model
    if isinstance(model, Stack):
        out["units"] = [{"class": _class_name(unit), "params": _params(unit)} for unit in model.templates]
    return out


def _class_name(unit: Unit) -> str:
    name = type(unit).__name__
    if UNIT_CLASSES.get(name) is not type(unit):
        raise ModelFileError(f"{name}: only {' and '.join(UNIT_CLASSES)} units can be written to a file")
    return name


def _units(model: Model) -> list[Unit]:
    return list(model.units_) if isinstance(model, Stack) else [model]


def _layer_arrays(network: Network, index: int) -> LayerArrays:
    weight = np.ascontiguousarray(network.weight(index))
    return LayerArrays(weight, network.bias(index), network.layers[index].activation)


def _unit_arrays(unit: Unit) -> UnitArrays:
    arrays = {"weight": unit.weight_, "visible_bias": unit.visible_bias_, "hidden_bias": unit.hidden_bias_}
    if not unit.tied:
        arrays["decoder_weight"] = unit.network_.weight(1)
    return UnitArrays(_class_name(unit), _params(unit), arrays)


def _network(layers: list[Layer], stored: list[LayerArrays], precision: str) -> Network:
    """The network of ``layers`` with the stored parameters, which must have these very shapes and activations."""
    expected = [(layer.n_in, layer.n_out, layer.activation) for layer in layers]
    found = [(*layer.weight.shape, layer.activation) for layer in stored]
    if found != expected:
        raise ValueError(f"layers {found} where its parameters mean {expected}")
    network = Network.zeros(layers, precision)  # no larger than what was read
    for index, arrays in enumerate(stored):
        if layers[index].tied_to is None:
            network.weight(index)[:] = arrays.weight
        elif not np.array_equal(network.weight(index), arrays.weight):
            raise ValueError(f"a tied decoder whose layer {index} is not the transposed encoder")
        network.bias(index)[:] = arrays.bias
    return network


def _unit(stored: UnitArrays, index: int, stack: Stack, precision: str) -> Unit:
    unit = UNIT_CLASSES[stored.kind](**stored.params)
    unit.validate()
    n_visible = stored.arrays["weight"].shape[0]
    encoder, decoder = unit.layers(n_visible)
    weight = stored.arrays["weight"]
    halves = [
        LayerArrays(weight, stored.arrays["hidden_bias"], encoder.activation),
        LayerArrays(stored.arrays.get("decoder_weight", weight.T), stored.arrays["visible_bias"], decoder.activation),
    ]
    unit.network_ = _network([encoder, decoder], halves, precision)
    unit.n_features_in_, unit.n_code_layers_, unit.seed_ = n_visible, 1, stack.seed_
    unit.scaling_ = stack.scaling_ if index == 0 else identity(n_visible, precision_dtype(precision).name)
    unit.history_ = [record for record in stack.history_ if record.unit == index]
    return unit


def _stored_classes(classes: np.ndarray) -> np.ndarray:
    """Classes as the file keeps them: int64 or text; a number that is not whole, or beyond int64, is refused."""
    if classes.dtype.kind in "US":
        return classes.astype(str)
    if classes.dtype.kind in "iufb" and (classes == classes.astype(np.int64)).all():
        return classes.astype(np.int64)
    if classes.dtype.kind == "O" and all(isinstance(label, str) for label in classes):
        return classes.astype(str)
    raise ModelFileError(
        "classes: expected whole numbers or text as labels, to write them to a file; rename the classes"
    )


def _history(records: list[Record]) -> dict[str, np.ndarray]:
    phases: dict[str, list[tuple]] = {}
    for r in records:
        name = "finetune" if r.phase == "finetune" else f"unit_{r.unit}"
        validation = np.nan if r.validation_loss is None else r.validation_loss
        phases.setdefault(name, []).append((r.epoch, r.loss, validation, r.seconds, r.samples_per_second))
    return {name: np.array(rows, HISTORY_DTYPE) for name, rows in phases.items()}


def _records(history: dict[str, np.ndarray], model: Stack | Unit) -> list[Record]:
    """Records in order: unit 0, unit 1, ..., fine-tuning."""
    names = sorted(history, key=lambda name: (name == "finetune", len(name), name))
    out = []
    for name in names:
        phase, unit = ("finetune", -1) if name == "finetune" else ("pretrain", int(name.removeprefix("unit_")))
        planned = model.templates[unit] if isinstance(model, Stack) and unit >= 0 else model
        epochs = getattr(planned, "epochs" if unit >= 0 else "finetune_epochs")
        for row in history[name]:
            validation = None if np.isnan(row["validation_loss"]) else float(row["validation_loss"])
            out.append(
                Record(
                    phase, unit, int(row["epoch"]), epochs, float(row["loss"]), validation,
                    float(row["seconds"]), float(row["samples_per_second"]),
                )
            )  # fmt: skip
    return out


def _probe(model: Model) -> Probe:
    """Four rows of raw input from the model's own seed, and the whole network's answer to them."""
    scaling = model.scaling_
    unit_values = np.random.Generator(np.random.Philox(model.seed_)).random((4, model.n_features_in_))
    dtype = model.network_.params.dtype
    largest = np.finfo(dtype).max / 4
    raw = np.clip((unit_values - scaling.offset) / scaling.scale, -largest, largest).astype(dtype)
    return Probe(raw, _answer(model, raw))


def _answer(model: Model, raw: np.ndarray) -> np.ndarray:
    """In float32 where the precision is bfloat16: a file loads on any CPU."""
    with thread_limit(1):
        return replace(model.network_, bfloat16=False).apply(
            ArrayRows(raw), model.scaling_.scale, model.scaling_.offset
        )


def _check_probe(model: Model, probe: Probe) -> None:
    try:
        found, expected = _answer(model, np.ascontiguousarray(probe.input)), probe.output
    except DataError as error:
        raise refusal("/probe", f"the loaded model cannot answer ({one_line(error, 200)})") from None
    if found.shape != expected.shape:
        raise refusal("/probe/output", f"expected shape {found.shape}, found {expected.shape}")
    tolerance = PROBE_TOLERANCE[str(model.network_.params.dtype)]
    with np.errstate(over="ignore"):
        worst = float(np.max(np.abs(found - expected) / (1 + np.abs(expected))))
    if not worst <= tolerance:
        text = f"the loaded model answers differently from the saved one (by {worst:.2g}, allowed {tolerance:g})"
        raise refusal("/probe", text)
