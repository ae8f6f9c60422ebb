"""Programs of a training step: what they hold, and that faults are found when they are laid out."""

import numpy as np
import pytest

from stacked.kernels import program
from stacked.kernels.program import (
    APPLY,
    BACKWARD,
    EVALUATE,
    FORWARD,
    GRADIENT,
    LOAD,
    MEASURE,
    OUTPUT,
    ROW_LOSSES,
    STEP,
    TRAIN,
    UPDATE,
    WRITE,
)  # fmt: skip

KINDS, WEIGHTS = (0, 0, 0), (0, 12, 0)  # the third layer borrows the first one's matrix
TRAINING = [
    (LOAD, 0), (FORWARD, 0), (FORWARD, 1), (MEASURE, 0), (OUTPUT, 2), (BACKWARD, 2), (UPDATE, 2), (BACKWARD, 1), (UPDATE, 1),
    (UPDATE, 0),
]  # fmt: skip


def emitted(form, row_losses=False):
    return list(program.emit(KINDS, row_losses, (1,), form))


def refused(instructions):
    with pytest.raises(ValueError) as caught:
        program.check(instructions, KINDS, WEIGHTS, (1,))
    return str(caught.value)


def test_what_a_training_step_is():
    assert emitted(TRAIN) == TRAINING
    assert emitted(EVALUATE) == TRAINING[:5]
    assert emitted(GRADIENT) == [(WRITE if op == UPDATE else op, place) for op, place in TRAINING]
    assert emitted(STEP) == [(APPLY, 2), (APPLY, 1), (APPLY, 0)]
    assert emitted(EVALUATE, row_losses=True)[-3:] == [(MEASURE, 0), (FORWARD, 2), (ROW_LOSSES, 2)]


@pytest.mark.parametrize("row_losses", [False, True])
@pytest.mark.parametrize("form", [TRAIN, GRADIENT, EVALUATE, STEP])
def test_what_is_laid_out_passes_the_check(form, row_losses):
    program.check(emitted(form, row_losses), KINDS, WEIGHTS, (1,))


@pytest.mark.parametrize("left_out", range(len(TRAINING)))
def test_no_instruction_can_be_left_out(left_out):
    refused(TRAINING[:left_out] + TRAINING[left_out + 1 :])


@pytest.mark.parametrize("twice", [number for number, (op, _) in enumerate(TRAINING) if op == UPDATE])
def test_no_parameter_changes_twice(twice):
    assert "once more" in refused([*TRAINING, TRAINING[twice]])


def test_a_matrix_does_not_change_before_its_last_reader():
    early = [TRAINING[-1], *TRAINING[:-1]]
    assert "reads" in refused(early)
    moved = [*TRAINING[:5], (UPDATE, 0), *TRAINING[5:-1]]
    assert "reads" in refused(moved)


def test_terms_are_measured_before_a_delta_takes_them():
    late = [*TRAINING[:3], *TRAINING[4:8], TRAINING[3], *TRAINING[8:]]
    assert "('measured', 0)" in refused(late)


def test_programs_are_arrays_of_instructions():
    made = program._program(KINDS, WEIGHTS, False, (1,), TRAIN)
    assert made.dtype == np.int64 and made.tolist() == [list(pair) for pair in TRAINING]
