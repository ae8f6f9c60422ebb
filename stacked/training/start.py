"""Where training starts: output biases that answer with the data's mean, or the arrays of a checkpoint."""

from dataclasses import dataclass

import numpy as np

from ..data import Summary
from ..errors import ModelFileError
from ..scaling import InputScaling
from .loop import Progress, Trainee

BIAS_CLIP = 1e-3  # a visible unit's mean is kept this far from 0 and 1 when its bias starts at the logit


@dataclass
class Resume:
    """Where a phase goes on: its progress and the trainee's arrays at the end of an epoch, and the file that they are from."""

    unit: int
    progress: Progress
    arrays: dict[str, np.ndarray]
    source: str = "checkpoint"


def initial_output_bias(activation: str, scaling: InputScaling | None, data: Summary) -> np.ndarray:
    """Output biases (V,) that make an otherwise silent network answer with the data's mean.

    ``scaling`` is None for codes, which are taken as they are.
    """
    scale, offset = (1.0, 0.0) if scaling is None else (scaling.scale, scaling.offset)
    mean = data.column_mean * scale + offset
    if activation == "sigmoid":
        p = np.clip(mean, BIAS_CLIP, 1 - BIAS_CLIP)
        return np.log(p) - np.log1p(-p)
    if activation == "tanh":
        return np.arctanh(np.clip(mean, BIAS_CLIP - 1, 1 - BIAS_CLIP))
    if activation == "softplus":
        mean = np.maximum(mean, BIAS_CLIP)
        return mean + np.log(-np.expm1(-mean))
    return np.maximum(mean, 0.0) if activation == "relu" else mean


def restore(trainee: Trainee, resume: Resume) -> None:
    """Copy a checkpoint's arrays into a trainee; ModelFileError if they are not the very ones that it has."""
    expected = {name: (array.shape, array.dtype) for name, array in trainee.arrays.items()}
    found = {name: (array.shape, array.dtype) for name, array in resume.arrays.items()}
    best = found.pop("best_params", expected["params"])
    if found != expected or best != expected["params"]:
        names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name)) or ["best_params"]
        raise ModelFileError(
            f"{resume.source}: /checkpoint: {', '.join(names)}: not what this training keeps, on this many rows"
        )
    for name, array in trainee.arrays.items():
        array[...] = resume.arrays[name]
    resume.progress.best_params = resume.arrays.get("best_params")
