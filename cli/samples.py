"""Samples as commands write them: in the shape that samples have, and where they are images of bytes as bytes.

So that what was written can be read for the same model: floats beyond [0, 1] are not taken for its images.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from stacked.data import Rows


def as_in_data(fitted: Any, rows: "Rows", answers: "np.ndarray") -> "np.ndarray":
    """Answers (n, V) of a model to rows, in their shape and type; those that are other samples as of `as_in_training`."""
    if _own_scaling(fitted) is not fitted.scaling_:
        return as_in_training(fitted, answers)
    own = answers[:, : rows.n_columns]  # where all sequences are shorter than the longest of the training
    return _told(fitted.scaling_, _dtype_in_use(fitted, rows), rows.sample_shape, own)


def as_in_training(fitted: Any, answers: "np.ndarray") -> "np.ndarray":
    """Answers (n, V) of a model in shape and type of the samples that it was trained to answer with."""
    scaling = _own_scaling(fitted)
    return _told(scaling, scaling.dtype, scaling.sample_shape, answers)


def _dtype_in_use(fitted: Any, rows: "Rows") -> str:
    """The dtype that the model takes rows for, as a table states none."""
    from stacked.data import TableRows
    from stacked.inputs import table_in_use

    return (table_in_use(fitted, rows) if isinstance(rows, TableRows) else rows).dtype.name


def _own_scaling(fitted: Any) -> Any:
    """That of the answers: of the targets, where there are such."""
    target = fitted.target_
    return fitted.scaling_ if target is None or target.scaling is None else target.scaling


def _told(scaling: Any, dtype: str, shape: tuple[int, ...], answers: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if scaling.gives_bytes(dtype):
        answers = np.clip(np.rint(answers), 0, 255).astype(np.uint8)
    return answers.reshape(len(answers), *shape)
