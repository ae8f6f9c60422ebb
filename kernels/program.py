"""A training step as a program: a list of coarse instructions, laid out in Python and executed by one compiled loop.

An instruction is a pair (operation, place); the place is a layer, a term, or nothing. Each runs one or two parallel regions over
panels. The list for two layers whose codes are penalised, as training executes it:

    LOAD -, FORWARD 0, MEASURE 0, OUTPUT 1, BACKWARD 1, UPDATE 1, UPDATE 0

A pass that only measures is the head of the same list. The gradient form has WRITE where training has UPDATE, and what it wrote is
summed, or not, and applied by a list of APPLY: tiles, order and bits are those of UPDATE. `check` proves of a
list, by what each instruction reads and writes, that nothing is read before it is written and that every parameter changes once,
after its last reader.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from .arithmetic.corruption import emphasises
from .arithmetic.losses import SOFTMAX_CROSS_ENTROPY
from .arithmetic.objective import Objective
from .arithmetic.terms import LAYER
from .engine.panels import KIND, WEIGHT, WITH_PARAMETERS

LOAD, FORWARD, MEASURE, OUTPUT, ROW_LOSSES, BACKWARD, UPDATE, WRITE, APPLY = range(9)
TRAIN, GRADIENT, EVALUATE, STEP = range(4)  # forms of a program

Instruction = tuple[int, int]


def program_for(table: np.ndarray, objective: Objective, form: int) -> np.ndarray:
    """The checked program (n, 2) int64 of a layer table and an objective, in one of its forms.

    Some losses need whole rows: softmax, and those that weigh single features, with 0 where a sequence has ended. Terms are
    measured when their layer has answered.
    """
    layers = tuple(int(layer) for layer in objective.terms.places[:, LAYER])
    kinds, weights = (tuple(int(n) for n in table[:, column]) for column in (KIND, WEIGHT))
    row_losses = bool(
        objective.loss == SOFTMAX_CROSS_ENTROPY or emphasises.py_func(objective.corruption) or objective.ragged
    )
    return _program(kinds, weights, row_losses, layers, form)


@lru_cache(maxsize=64)
def _program(
    kinds: tuple[int, ...], weights: tuple[int, ...], row_losses: bool, measured: tuple[int, ...], form: int
) -> np.ndarray:
    program = list(emit(kinds, row_losses, measured, form))
    check(program, kinds, weights, measured)
    return np.array(program, np.int64)


def emit(kinds: Sequence[int], row_losses: bool, measured: Sequence[int], form: int) -> Iterator[Instruction]:
    """The instructions for layers of these kinds, and for terms on the layers ``measured``."""
    last = len(kinds) - 1
    if form == STEP:
        yield from ((APPLY, layer) for layer in range(last, -1, -1) if kinds[layer] in WITH_PARAMETERS)
        return
    yield LOAD, 0
    for layer in range(len(kinds)):
        yield (OUTPUT if layer == last and not row_losses else FORWARD), layer
        yield from ((MEASURE, term) for term, on in enumerate(measured) if on == layer)
    if row_losses:
        yield ROW_LOSSES, last
    if form == EVALUATE:
        return
    for layer in range(last, -1, -1):
        if layer:
            yield BACKWARD, layer
        if kinds[layer] in WITH_PARAMETERS:
            yield (UPDATE if form == TRAIN else WRITE), layer


def check(
    program: Sequence[Instruction], kinds: Sequence[int], weights: Sequence[int], measured: Sequence[int]
) -> None:
    """ValueError unless the program reads only what was written, and changes every parameter once, after its last reader."""
    parameters = {thing for layer in range(len(kinds)) for thing in _parameters(layer, kinds, weights)}
    written, changed = set(parameters), set()
    for number, (operation, place) in enumerate(program):
        reads, writes, changes = _effects(operation, place, kinds, weights, measured)
        for thing in reads:
            if thing not in written or thing in changed:
                raise ValueError(f"instruction {number} reads {thing}, which is not there or has changed")
        for thing in changes:
            if thing in changed:
                raise ValueError(f"instruction {number} changes {thing} once more")
        written.update(writes)
        changed.update(changes)
    if changed and changed != parameters:
        raise ValueError(f"nothing changes {sorted(parameters - changed)}")


def _parameters(layer: int, kinds: Sequence[int], weights: Sequence[int]) -> list[tuple]:
    return [("weight", weights[layer]), ("bias", layer)] if kinds[layer] in WITH_PARAMETERS else []


def _effects(
    operation: int, place: int, kinds: Sequence[int], weights: Sequence[int], measured: Sequence[int]
) -> tuple[list[tuple], list[tuple], list[tuple]]:
    """What an instruction reads, what it writes, and which parameters it changes."""
    if operation == LOAD:
        return [], [("output", -1), ("target",)], []
    if operation == MEASURE:
        return [("output", measured[place])], [("measured", place)], []
    own = _parameters(place, kinds, weights)
    users = [layer for layer in range(len(kinds)) if own and own[0] in _parameters(layer, kinds, weights)]
    if operation == APPLY:
        return [], [], own if users[0] == place else own[1:]
    if operation == FORWARD:
        return [("output", place - 1), *own], [("output", place)], []
    if operation == OUTPUT:
        return [("output", place - 1), ("target",), *own], [("output", place), ("delta", place)], []
    if operation == ROW_LOSSES:
        return [("output", place), ("target",)], [("delta", place)], []
    if operation == BACKWARD:
        terms = [("measured", term) for term, on in enumerate(measured) if on == place - 1]
        return [("delta", place), ("output", place - 1), *own[:1], *terms], [("delta", place - 1)], []
    terms = [("measured", term) for term, on in enumerate(measured) if on == place]
    if users[0] != place:  # a matrix changes with the first layer that uses it
        return [("delta", place)], [], own[1:]
    return [*(("delta", user) for user in users), *(("output", user - 1) for user in users), *terms], [], own
