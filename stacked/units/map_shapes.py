"""In which shape units on maps take their samples: (height, width, channels)."""

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
