"""In which shape units on maps take their samples: (height, width, channels), of sequences (1, steps, numbers)."""

from math import prod

from ..data.shapes import called
from ..errors import SettingError
from ..layers.base import SampleShape
from ..layers.maps import Shape


def map_of(shape: SampleShape, asked: SampleShape | None = None) -> Shape:
    """The maps that samples of a shape are, or that a unit's ``sample_shape`` asks for; SettingError where they cannot be that.

    Images without channels have one, and a flat row is a signal, of height 1.
    """
    if asked is not None and prod(asked) != prod(shape):
        raise SettingError(
            f"sample_shape: expected the shape of samples of {prod(shape):,} numbers, found {called(asked)}, which are"
            f" {prod(asked):,}; leave it out for data that have their shape"
        )
    given = shape if asked is None else asked
    if len(given) > 3:
        raise SettingError(
            f"sample_shape: expected samples of (height, width) or (height, width, channels), found {called(given)}; reshape the"
            " data, or set it"
        )
    height, width, channels = {1: (1, *given, 1), 2: (*given, 1), 3: given}[len(given)]
    return height, width, channels


def sequence_of(shape: SampleShape) -> Shape:
    """The maps (1, steps, numbers) that sequences of a shape are, flat ones with one number a step; SettingError for others."""
    if len(shape) > 3 or (len(shape) == 3 and shape[0] != 1):
        raise SettingError(
            f"units: expected sequences of (steps, numbers) for a recurrent unit, found samples of shape {called(shape)}; reshape"
            " the data, or put units before it that end in sequences"
        )
    steps, width = (*shape, 1) if len(shape) == 1 else shape[-2:]
    return 1, steps, width
