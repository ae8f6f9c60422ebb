"""What whoever builds a stack from a list of sizes must know of a unit, so that its units suit each other.

A unit says it beside its parameters, as ``BUILDING`` in its ``NAME_parameters.py``; like those it loads nothing heavy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..activations import ACTIVATIONS

Values = Mapping[str, Any]  # parameters by name

# Default learning rates: tried on MNIST and digits with momentum 0.9; ten times as much diverges, or kills rectified codes.
BINARY_RATE = 0.1
UNBOUNDED_CODE_RATE = 0.01  # codes other than sigmoid, on binary units or sigmoid outputs
REAL_RATE = 1e-3  # visible units or outputs that are not binary, and an RBM's Gaussian codes
ADAM_RATE = 1e-3


@dataclass(frozen=True)
class Building:
    """Facts about a unit; names are those of its parameters.

    ``outputs`` names the parameter that says what models the unit's input, and ``means`` gives the activation that is the mean of
    each of its values; a unit that models one kind of input only has neither. ``linear_code`` is what makes the code of the
    uppermost unit linear. ``rate`` is the learning rate that suits some values of the parameters, and so many inputs;
    ``not_linear`` are parameters that a linear code cannot have: of values given for all units it takes none.
    ``linear_share`` is the share that a linear code takes of a single rate that was given for all units. ``given_up`` are
    parameters that go only with outputs of some mean, and are not passed on to upper units of other outputs. ``variants`` are
    further names of the unit, with the defaults that make them differ. ``lowest`` are parameters about the data, which upper units
    do not take. ``letters`` ask for the unit in a text (`layer_text`), each with the values that it stands for; ``counts`` says
    what the number behind it counts, ``marks`` are letters before the value of a parameter, ``switches`` those that stand for
    values. Units with letters work on maps: their size is not the width of their code.
    """

    outputs: str = ""
    means: Mapping[str, str] = field(default_factory=dict)
    linear_code: Values = field(default_factory=dict)
    rate: Callable[[Values, int], float] = lambda values, n_inputs: BINARY_RATE
    not_linear: tuple[str, ...] = ()
    linear_share: Callable[[Values], float] | None = None
    given_up: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, Values] = field(default_factory=dict)
    lowest: tuple[str, ...] = ()
    letters: Mapping[str, Values] = field(default_factory=dict)
    counts: str = "units"
    marks: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, Values] = field(default_factory=dict)

    def modelling(self, code: str) -> str | None:
        """The value of ``outputs`` that models codes of an activation best, or None where no value can."""
        fits = ACTIVATIONS[code].modelled_by
        return next((value for fit in fits for value, mean in self.means.items() if mean == fit), None)

    def on(self, code: str, values: Values) -> dict[str, Any]:
        """``values`` for a unit on codes of this activation."""
        outputs = self.modelling(code)
        if outputs is None:
            return dict(values)
        lost = {name for name, mean in self.given_up.items() if mean != self.means[outputs]}
        return {**{name: value for name, value in values.items() if name not in lost}, self.outputs: outputs}
