"""The rule for usual units, rates, minibatches and epochs: its bounds, and that units take what it says."""

from itertools import pairwise

import pytest

from stacked import RBM, Autoencoder
from stacked import defaults as rule

ROWS = (1, 2, 19, 20, 200, 300, 400, 2_000, 9_999, 10_000, rule.LARGE - 1, rule.LARGE, 60_000, 10**6, 10**9)
WIDTHS = (1, 2, 16, 57, 144, 784, 2_000, 10_304, 10**6)
CLASSES = {"rbm": RBM, "autoencoder": Autoencoder}


@pytest.mark.parametrize("kind", rule.KINDS)
@pytest.mark.parametrize("n_rows", ROWS)
def test_units_take_what_the_rule_says(kind, n_rows):
    unit, values = rule.usual_units(kind, n_rows)
    fraction, patience = rule.usual_validation(n_rows)
    batch = rule.usual_batch(n_rows)
    run = {"batch_size": batch, "epochs": rule.usual_epochs(n_rows, batch, "pretrain"), "validation_fraction": fraction}
    CLASSES[unit](5, **values, **run, patience=patience).validate()


@pytest.mark.parametrize("kind", rule.KINDS)
def test_outputs_can_be_the_data(kind):
    _, values = rule.usual_units(kind, 1000)
    assert values["output"] == ("sigmoid" if kind in ("binary", "ink", "shades") else "linear")


def test_machines_are_for_many_rows_of_ink_alone():
    taken = {(kind, n) for kind in rule.KINDS for n in ROWS if rule.usual_units(kind, n)[0] == "rbm"}
    assert taken == {("ink", n) for n in ROWS if n >= rule.LARGE}


@pytest.mark.parametrize("kind", rule.KINDS)
@pytest.mark.parametrize("n_rows", ROWS)
def test_classifiers_of_values_near_0_and_1_are_built_on_machines(kind, n_rows):
    near = kind in ("binary", "ink", "shades")
    assert rule.usual_units(kind, n_rows, classifies=True) == (("rbm", {}) if near else rule.usual_units(kind, n_rows))


def test_minibatches_grow_with_the_rows_within_bounds():
    batches = [rule.usual_batch(n) for n in ROWS]
    assert all(a <= b for a, b in pairwise(batches))
    assert (batches[0], batches[-1]) == (rule.SMALLEST_BATCH, rule.LARGEST_BATCH)
    assert [rule.usual_batch(n) for n in (400, 2_500, 10_000, 60_000)] == [20, 50, 100, 100]


@pytest.mark.parametrize("phase", rule.EPOCHS)
def test_small_data_get_their_updates_and_large_ones_their_epochs(phase):
    epochs = [rule.usual_epochs(n, rule.usual_batch(n), phase) for n in ROWS]
    assert all(a >= b for a, b in pairwise(epochs)) and epochs[-1] == rule.EPOCHS[phase]
    for n, number in zip(ROWS, epochs, strict=True):
        batch = min(rule.usual_batch(n), n)
        assert number * n / batch >= rule.UPDATES[phase]
        assert number == rule.EPOCHS[phase] or (number - 1) * n / batch < rule.UPDATES[phase]


@pytest.mark.parametrize("phase", rule.EPOCHS)
def test_networks_of_many_weights_get_fewer_updates(phase):
    epochs = [rule.usual_epochs(400, 20, phase, n) for n in (0, 10**6, rule.MANY_WEIGHTS, 2 * rule.MANY_WEIGHTS, 10**9)]
    assert epochs[0] == epochs[1] == epochs[2] and epochs[3] == epochs[2] // 2 and epochs[4] == rule.EPOCHS[phase]


def test_mnist_is_trained_as_long_as_ever():
    assert rule.usual_units("ink", 60_000) == ("rbm", {}) and rule.usual_batch(60_000) == 100
    assert [rule.usual_epochs(60_000, 100, phase) for phase in ("pretrain", "finetune")] == [10, 20]
    assert rule.usual_validation(60_000) == (0.0, None)


@pytest.mark.parametrize("phase", rule.HIGHEST_RATES)
def test_rates_fall_with_the_width(phase):
    rates = [rule.usual_rate(n, phase) for n in WIDTHS]
    assert all(a >= b > 0 for a, b in pairwise(rates)) and rates[0] == rule.HIGHEST_RATES[phase]


def test_small_data_are_validated():
    assert all(rule.usual_validation(n)[0] == (rule.HELD_OUT if rule.SMALL <= n < rule.LARGE else 0) for n in ROWS)


@pytest.mark.parametrize(
    ("mean", "std", "kind"),
    [
        (0.3, 0.458258, "binary"),
        (0.1307, 0.3081, "ink"),  # MNIST
        (0.2860, 0.3530, "shades"),  # Fashion-MNIST
        (0.4, 0.2, "unit"),
        (0.5, 0.1, "unit"),
        (1.0, 0.0, "binary"),
    ],
)
def test_kinds_of_data_in_the_unit_range_by_their_statistics(mean, std, kind):
    assert rule.kind_in_unit_range(mean, std) == kind


def test_rates_are_lowered_within_bounds():
    shares = [rule.usual_share(left) for left in (0.0, 0.01, 0.25, 1.0, 50.0)]
    assert shares == [rule.LEAST_SHARE, rule.LEAST_SHARE, 0.5, 1.0, 1.0]
