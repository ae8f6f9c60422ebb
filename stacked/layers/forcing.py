"""Forcing: a code becomes a sequence of steps [code, what the step before should have been answered with] (Williams & Zipser 1989).

In training that is the target's step t - 1, zeros before the first. In use it is what the network answered before: `decoding` goes
step by step. No arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..kernels.engine.panels import FORCING
from .base import Layer
from .maps import MapLayer


@dataclass(frozen=True)
class Forcing(MapLayer):
    """From a code (1, 1, K) to steps (1, T, K + D), of targets (T, D).

    With ``backwards`` 1 the step before is the later one, t + 1. Where the targets are ``one_hot`` (1, else 0) answers become so
    before they are fed back: a 1 in place of the largest number, 0 in that of the others.
    """

    kind: ClassVar[str] = "forcing"
    code: ClassVar[int] = FORCING
    ATTRIBUTES: ClassVar[dict[str, type]] = {**MapLayer.ATTRIBUTES, "backwards": int, "one_hot": int}

    backwards: int
    one_hot: int

    @classmethod
    def on(cls, n_code: int, steps: int, width: int, backwards: bool = False, one_hot: bool = False) -> "Forcing":
        """The layer for targets (steps, width)."""
        out = (1, steps, n_code + width)
        return cls(n_code, steps * out[2], 1, 1, n_code, *out, 1, 1, int(backwards), int(one_hot))

    @property
    def n_forced(self) -> int:
        """Numbers of a step's target."""
        return self.out_channels - self.channels

    @property
    def own(self) -> tuple[int, ...]:
        """Sizes, in the order of the kernels' table."""
        return (*super().own, self.backwards)

    @property
    def reach(self) -> int:
        """The steps."""
        return self.out_width

    def smooth(self) -> "Forcing":
        """This layer, fed back with answers as they are."""
        return replace(self, one_hot=0)

    def check_before(self, last: Layer) -> None:
        """ValueError unless the chain ends here, or in a layer that answers with as much as this one is given."""
        if last is not self and last.n_out != self.out_width * self.n_forced:
            raise ValueError(
                f"is given steps of {self.out_width} x {self.n_forced} numbers, but the chain answers with {last.n_out}"
            )

    def check(self) -> None:
        """ValueError unless the sizes are those of a code and of steps that hold more."""
        super().check()
        if (self.height, self.width, self.out_height) != (1, 1, 1) or (self.kernel_height, self.kernel_width) != (1, 1):
            raise ValueError(f"expected a code and a sequence, found {self.shape_in} and {self.shape_out}")
        if self.n_forced < 1:
            raise ValueError(f"expected steps of more than {self.channels} numbers, found {self.out_channels}")
        for name in ("backwards", "one_hot"):
            if getattr(self, name) not in (0, 1):
                raise ValueError(f"{name}: expected 0 or 1, found {getattr(self, name)}")

    @classmethod
    def of_attributes(cls, attributes: Mapping[str, Any]) -> "Forcing":
        """The layer of which a file keeps these; ValueError where they do not go together."""
        layer = cls(**attributes)
        layer.check()
        return layer
