"""The table of what is known of activations: it covers those of the kernels, and agrees with what they compute."""

import numpy as np
import pytest

from stacked.activations import ACTIVATIONS, UNIT_ACTIVATIONS
from stacked.kernels.arithmetic import activations as kernel
from stacked.kernels.arithmetic.losses import REQUIRED_ACTIVATION

from . import naive

PRE = np.linspace(-30, 30, 101)


def test_the_table_covers_the_kernels_activations():
    assert set(ACTIVATIONS) == set(kernel.ACTIVATIONS) >= set(REQUIRED_ACTIVATION.values())
    assert set(UNIT_ACTIVATIONS) == set(kernel.ACTIVATIONS) - {"softmax"}  # whose derivative comes with its loss


@pytest.mark.parametrize("name", UNIT_ACTIVATIONS)
def test_ranges_and_start_values_are_those_of_the_function(name):
    known, out = ACTIVATIONS[name], PRE.copy()
    naive.activate(kernel.ACTIVATIONS[name], out)
    assert known.low <= out.min() and out.max() <= known.high and known.bounded == (out.max() <= 1)
    inside = (out > known.low + known.margin) & (out < known.high - known.margin)
    np.testing.assert_allclose(known.bias_for(out[inside]), PRE[inside], atol=1e-9)


@pytest.mark.parametrize("name", UNIT_ACTIVATIONS)
def test_outputs_that_can_model_a_code_have_its_range(name):
    fits = ACTIVATIONS[name].modelled_by
    assert name in fits and "linear" in fits
    ranges = {(ACTIVATIONS[other].low, ACTIVATIONS[other].high) for other in fits if other != "linear"}
    assert ranges <= {(ACTIVATIONS[name].low, ACTIVATIONS[name].high)}
