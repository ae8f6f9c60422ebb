"""Where training starts: output biases that answer with the data's mean, or the arrays of a checkpoint."""

from dataclasses import dataclass

import numpy as np

from ..activations import ACTIVATIONS
from ..data import Summary
from ..errors import ModelFileError
from .loop import Progress, Trainee


@dataclass
class Resume:
    """Where a phase goes on: its progress and the trainee's arrays at the end of an epoch, and the file that they are from."""

    unit: int
    progress: Progress
    arrays: dict[str, np.ndarray]
    source: str = "checkpoint"


def initial_output_bias(activation: str, scaled: tuple[float, float], data: Summary) -> np.ndarray:
    """Output biases (V,) that make an otherwise silent network answer with the data's mean, scaled by (scale, offset)."""
    scale, offset = scaled
    mean = data.column_mean * scale + offset
    known = ACTIVATIONS[activation]
    return np.asarray(known.bias_for(np.clip(mean, known.low + known.margin, known.high - known.margin)))


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
