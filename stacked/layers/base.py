"""A layer: a record of a kind with static sizes. A chain of them and one flat vector of parameters are a `Network`.

In the vector the weights of all layers come first and everything else, their biases, after them. A layer's weights lie one after
another, in the order in which the kind names them, and so do its biases; the kernels' table says where they begin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, ClassVar, TypeVar

import numpy as np

from ..kernels.arithmetic.activations import ACTIVATIONS
from ..kernels.arithmetic.random import Key
from ..kernels.engine.panels import ACTIVATION, BIAS, KIND, N_COLUMNS, N_IN, N_OUT, OWN, TRANSPOSED, WEIGHT

Shapes = dict[str, tuple[int, ...]]  # names of arrays and their shapes
SampleShape = tuple[int, ...]  # of the numbers that belong to one row
Self = TypeVar("Self", bound="Layer")


@dataclass(frozen=True)
class Layer:
    """``n_in`` inputs and ``n_out`` outputs. As it stands it has no parameters; a kind says what differs.

    ``kind`` is its name in files, ``code`` its number in the kernels' table, and ``ATTRIBUTES`` are its fields that a file keeps,
    with their types. ``activation`` is that of the outputs: a loss on logits, and whoever models them, asks for it. A tied layer
    has no weights of its own: ``tied_to`` is the index in its chain of the earlier layer whose weights it uses transposed.
    """

    kind: ClassVar[str]
    code: ClassVar[int]
    ATTRIBUTES: ClassVar[dict[str, type]] = {"n_in": int, "n_out": int}

    n_in: int
    n_out: int
    activation: str = field(default="linear", init=False)
    tied_to: int | None = field(default=None, init=False)

    @property
    def shape_in(self) -> SampleShape:
        """Shape of a row's inputs."""
        return (self.n_in,)

    @property
    def shape_out(self) -> SampleShape:
        """Shape of a row's outputs."""
        return (self.n_out,)

    @property
    def code_shape(self) -> SampleShape:
        """`shape_out` as the shape of samples for what is trained on such codes."""
        return self.shape_out

    @property
    def takes_sequences(self) -> bool:
        """Whether the layer knows what to do with inputs that end early, with NaN after the last step."""
        return False

    @property
    def weights(self) -> Shapes:
        """The weights that the layer uses, which decay; a tied layer owns none of them."""
        return {}

    @property
    def biases(self) -> Shapes:
        """The parameters that do not decay."""
        return {}

    @property
    def shapes(self) -> Shapes:
        """All arrays that a file keeps of the layer."""
        return {**self.weights, **self.biases}

    @property
    def owned(self) -> Shapes:
        """Those of them that are this layer's alone."""
        return self.biases if self.tied_to is not None else self.shapes

    @property
    def n_weights(self) -> int:
        """Numbers in the weights that the layer owns, as Python's integer, which does not wrap around."""
        return 0 if self.tied_to is not None else _count(self.weights)

    @property
    def n_biases(self) -> int:
        """Numbers in the parameters that do not decay."""
        return _count(self.biases)

    @property
    def reach(self) -> int:
        """Numbers that a sum of the layer runs over, forward or backward, whichever is more."""
        return max(self.n_in, self.n_out)

    def row(self, weight: int, bias: int) -> np.ndarray:
        """The layer's row (N_COLUMNS,) int64 of the kernels' table; its weights and biases begin at these places of the vector."""
        row = np.zeros(N_COLUMNS, np.int64)
        row[[N_IN, N_OUT, ACTIVATION]] = self.n_in, self.n_out, ACTIVATIONS[self.activation]
        row[WEIGHT] = weight if self.weights else 0
        row[BIAS] = bias if self.biases else 0
        row[[TRANSPOSED, KIND]] = self.tied_to is not None, self.code
        row[OWN : OWN + len(self.own)] = self.own
        return row

    @property
    def own(self) -> tuple[int, ...]:
        """What the kernels' table says of such layers alone."""
        return ()

    @property
    def owner_weights(self) -> Shapes:
        """Shapes of a tied layer's weights as the layer that it is tied to has them."""
        return {name: shape[::-1] for name, shape in self.weights.items()}

    def of_owner(self, view: np.ndarray) -> np.ndarray:
        """A tied layer's view of weights in the shape of their owner."""
        return view.T

    def output_bias(self, values: np.ndarray) -> np.ndarray:
        """Biases with which the layer, otherwise silent, comes nearest to ``values`` (n_out,) before its activation."""
        return values

    def draw(self, arrays: Mapping[str, np.ndarray], key: Key, index: int) -> None:
        """Random starting values for the zeros in ``arrays``, from the stream of ``key`` at the layer's ``index`` in its chain."""

    def terms(self, index: int) -> list[tuple[str, int, float]]:
        """Penalties that training such a layer at ``index`` of a chain needs: kind, layer whose outputs it is on, target."""
        return []

    def untied(self: Self) -> Self:
        """This layer with weights of its own."""
        return self if self.tied_to is None else replace(self, tied_to=None)

    def moved(self: Self, by: int) -> Self:
        """This layer where the chain has so many layers more before those that it names by their index."""
        return self if self.tied_to is None else replace(self, tied_to=self.tied_to + by)

    def needs_from(self, index: int) -> int:
        """The first layer of a chain that one at ``index`` cannot answer without."""
        return index

    def check_after(self, earlier: "Sequence[Layer]") -> None:
        """ValueError unless the layer takes what the last of these gives."""
        if earlier and earlier[-1].n_out != self.n_in:
            raise ValueError(f"takes {self.n_in} inputs, but the layer below gives {earlier[-1].n_out}")

    def smooth(self: Self) -> Self:
        """A layer that answers nearly alike to inputs that are nearly alike, to compare answers by."""
        return self

    def check_before(self, last: "Layer") -> None:
        """ValueError unless the layer can be in a chain that ends in ``last``."""

    @property
    def attributes(self) -> dict[str, Any]:
        """What a file keeps of the layer besides its arrays, in Python's own types."""
        return {name: kind(getattr(self, name)) for name, kind in self.ATTRIBUTES.items()}

    @classmethod
    def of_attributes(cls: type[Self], attributes: Mapping[str, Any]) -> Self:
        """The layer, untied, of which a file keeps these; ValueError where they do not go together."""
        return cls(**attributes)


def _count(shapes: Shapes) -> int:
    return sum(prod(int(length) for length in shape) for shape in shapes.values())
