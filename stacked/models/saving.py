"""Estimators to the records that model files hold."""

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelFileError
from ..files import HISTORY_DTYPE, Checkpoint, InputSpec, ModelRecord, UnitArrays
from ..layers.records import record_of
from ..registry import UNIT_NAMES, is_registered
from ..scaling import InputScaling
from ..targets import Target
from ..training.loop import Record
from .parts import check_parts
from .probe import probe_of

if TYPE_CHECKING:
    from ..units.base import Unit
    from .model import Model


_AS_UNITS = ("units", "unit", "code", "unit_settings")  # a stack's, which its units say one by one


def to_record(model: "Model", checkpoint: Checkpoint | None = None) -> ModelRecord:
    """The plain record of a fitted estimator, or with ``checkpoint`` of one in training; its parts are those of a model."""
    network, n_code = model.network_, model.n_code_layers_
    arrays = [record_of(layer, network.arrays(index)) for index, layer in enumerate(network.layers)]
    classes = getattr(model, "classes_", None)
    scaling = model.scaling_
    record = ModelRecord(
        kind=model.kind,
        params={
            # a stack that did not come to its upper units is saved without them
            "estimator": _params(model, model._built if checkpoint is None else model.templates),
            "seed": model.seed_,
            "scaling": scaling.mode,
            "method": scaling.method,
            "unit_range": scaling.unit_range,
            "target": _described(model.target_),
        },
        encoder=tuple(arrays[:n_code]),
        decoder=() if classes is not None else tuple(arrays[n_code:]),
        head=arrays[n_code] if classes is not None else None,
        classes=None if classes is None else _stored_classes(classes),
        units=tuple(_unit_arrays(unit) for unit in model._trained_units()),
        input=_columns(scaling, getattr(model, "table_", None)),
        history=_history(model.history_),
        probe=None if checkpoint is not None else probe_of(model),
        checkpoint=checkpoint,
        precision=model.precision,
        stacked_version="",
        baseline=model.baseline_ if checkpoint is None else None,
        target=None if model.target_ is None or model.target_.scaling is None else _columns(model.target_.scaling),
    )
    return check_parts(record)


def jsonable(value: Any) -> Any:
    """Parameters in JSON's types: NumPy scalars become numbers, tuples lists, a generator (not a seed) None."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, Real) and not isinstance(value, bool | int):
        return float(value)
    return value if value is None or isinstance(value, bool | int | str) else None


def _columns(scaling: InputScaling, table: dict[str, Any] | None = None) -> InputSpec:
    arrays = (scaling.scale, scaling.offset, scaling.log.astype(np.uint8), scaling.constant)
    return InputSpec(*arrays, scaling.sample_shape, scaling.dtype, table)


def _described(target: Target | None) -> dict[str, Any] | None:
    """What the parameters say of what a model should answer with."""
    if target is None:
        return None
    scaling = target.scaling
    own = (
        {} if scaling is None else {"scaling": scaling.mode, "method": scaling.method, "unit_range": scaling.unit_range}
    )
    return {"one_hot": target.one_hot, **own}


def _params(model: "Model", units: Sequence["Unit"] = ()) -> dict[str, Any]:
    """Parameters in JSON's types; of a stack's units those given."""
    params = {name: value for name, value in model.get_params(deep=False).items() if name not in _AS_UNITS}
    out = {name: jsonable(value) for name, value in params.items()}
    out |= {"n_threads": None, "verbose": 0}  # of the machine and of who watches, not of the model
    if units:
        out["units"] = [{"class": _class_name(unit), "params": _params(unit)} for unit in units]
    return out


def _class_name(unit: "Unit") -> str:
    if not is_registered(type(unit)):
        raise ModelFileError(f"{type(unit).__name__}: only {UNIT_NAMES} units can be written to a file")
    return type(unit).__name__


def _unit_arrays(unit: "Unit") -> UnitArrays:
    return UnitArrays(_class_name(unit), unit._sizes(unit._sample_shape), _params(unit), unit._arrays())


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
        phases.setdefault(name, []).append((r.epoch, r.loss, validation, r.seconds, r.samples_per_second, r.penalty))
    return {name: np.array(rows, HISTORY_DTYPE) for name, rows in phases.items()}
