"""Checks of parameters at their bounds, schedules, and seeds."""

from fractions import Fraction

import numpy as np
import pytest

from stacked import SettingError
from stacked.kernels.pool import max_threads
from stacked.settings import (
    check_products,
    choice,
    flag,
    precision_dtype,
    real,
    schedule,
    seed_from,
    thread_count,
    value_at,
    whole,
)


def _refused(match, call, *args, **kwargs):
    with pytest.raises(SettingError, match=match) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1, 7, np.int64(1), np.uint8(3)])
def test_whole_numbers_become_ints(value):
    assert whole("n", value) == int(value) and type(whole("n", value)) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, True, np.True_, "1", None, np.float64(2)])
def test_others_are_no_whole_numbers(value):
    _refused(r"^n: expected a whole number of at least 1, found ", whole, "n", value)


def test_the_least_whole_number_is_the_callers():
    assert whole("n", 0, 0) == 0 and whole("n", -1, -1) == -1
    _refused("at least 0, found -1", whole, "n", -1, 0)
    _refused("at least 2, found 1", whole, "n", 1, 2)


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.25), Fraction(1, 3)])
def test_real_numbers_within_bounds_become_floats(value):
    assert real("r", value, 0.0, 1.0) == float(value) and type(real("r", value, 0.0, 1.0)) is float


@pytest.mark.parametrize("value", [-1e-9, 1.0000001, np.nan, np.inf, -np.inf, True, "0.5", None, 0.5j])
def test_others_are_no_real_numbers_within_bounds(value):
    _refused(r"^r: expected a number in \[0, 1\], found ", real, "r", value, 0.0, 1.0)


def test_an_open_bound_is_not_reached_and_infinity_never():
    assert real("r", 0.999, 0.0, 1.0, open_high=True) == 0.999 and real("r", 1e300) == 1e300
    _refused(r"\[0, 1\), found 1.0", real, "r", 1.0, 0.0, 1.0, open_high=True)
    assert real("r", 0.001, 0.0, 1.0, open_low=True) == 0.001 and real("r", 1.0, 0.0, 1.0, open_low=True) == 1.0
    _refused(r"\(0, 1\], found 0.0", real, "r", 0.0, 0.0, 1.0, open_low=True)
    _refused(r"\(0, 1\), found 1", real, "r", 1, 0.0, 1.0, open_high=True, open_low=True)
    _refused(r"\[0, inf\), found inf", real, "r", np.inf)
    _refused("found -1", real, "r", -1)


def test_choices_and_flags():
    assert choice("c", "b", ("a", "b")) == "b"
    for value in ("c", "", "ab", None, 1, ["a"]):
        _refused("^c: expected one of a, b; found ", choice, "c", value, ("a", "b"))
    assert flag("f", True) is flag("f", np.True_) is True and flag("f", False) is flag("f", np.False_) is False
    for value in (0, 1, "yes", None):
        _refused("^f: expected True or False, found ", flag, "f", value)


@pytest.mark.parametrize("value", [[(0, 0.5), (3, 0.25), (4, 0.0)], ([0, 0.5], [3, 0.25], [np.int64(4), 0])])
def test_a_schedule_holds_each_value_from_its_epoch_on(value):
    steps = schedule("s", value)
    assert steps == ((0, 0.5), (3, 0.25), (4, 0.0))
    assert [value_at(steps, epoch) for epoch in range(6)] == [0.5, 0.5, 0.5, 0.25, 0.0, 0.0]


def test_a_number_is_a_schedule_of_one_step():
    assert schedule("s", 0) == ((0, 0.0),) and schedule("s", np.float32(0.5)) == ((0, 0.5),)
    assert value_at(((0, 0.5),), 10**6) == 0.5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([(0, 0.1), (0, 0.2)], r"start at 0 and increase, found \[0, 0\]"),
        ([(0, 0.1), (2, 0.2), (2, 0.3)], r"found \[0, 2, 2\]"),
        ([(0, 0.1), (3, 0.2), (2, 0.3)], r"found \[0, 3, 2\]"),
        ([(1, 0.1)], r"found \[1\]"),
        ([], r"found \[\]"),
        ([(0, 1.0)], r"\[0, 1\), found 1.0"),
        ([(0, 0.5), (1, -0.1)], "found -0.1"),
        (1.0, r"\[0, 1\), found 1.0"),
        (-0.1, "found -0.1"),
        ([(0.0, 0.1)], " epoch: expected a whole number of at least 0, found 0.0"),
        ([(-1, 0.1)], " epoch: .* found -1"),
        ([0.1, 0.2], "a number or a list of"),
        ([(0, 0.1, 0.2)], "a number or a list of"),
        ("fast", "a number or a list of"),
        (None, "a number or a list of"),
        (True, "found True"),
    ],
)
def test_schedules_that_mean_nothing_are_refused(value, message):
    _refused(rf"^s.*{message}", schedule, "s", value, high=1.0)


def test_seeds():
    assert seed_from(5) == 5 and seed_from(np.int64(0)) == 0 and type(seed_from(np.int64(3))) is int
    assert (
        seed_from(np.random.RandomState(1))
        == seed_from(np.random.RandomState(1))
        != seed_from(np.random.RandomState(2))
    )
    one, same, other = (seed_from(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same != other
    state = np.random.RandomState(1)
    assert seed_from(state) != seed_from(state)
    drawn = {seed_from(None) for _ in range(8)}
    assert len(drawn) > 1 and min(drawn) >= 0
    for value in (-1, 1.0, "1", True):
        _refused("^random_state: ", seed_from, value)


def test_precisions_are_dtypes_of_parameters():
    found = [precision_dtype(name).name for name in ("float32", "bfloat16", "float64")]
    assert found == ["float32", "float32", "float64"]
    for value in ("float16", np.float32, None):
        _refused("^precision: expected one of float32, bfloat16, float64", precision_dtype, value)


def test_line_searches_are_refused_in_bfloat16_alone(monkeypatch):
    for optimizer in ("cg", "lbfgs"):
        check_products("float32", optimizer=optimizer)
        check_products("float64", optimizer=optimizer)
        _refused(f"^finetune_optimizer: {optimizer} ", check_products, "bfloat16", finetune_optimizer=optimizer)
    monkeypatch.setattr("stacked.kernels.engine.bfloat16.obstacle", lambda: "the moon is full")
    _refused("bfloat16 needs .* but the moon is full", check_products, "bfloat16", optimizer="adam")
    check_products("float32", optimizer="adam")
    monkeypatch.setattr("stacked.kernels.engine.bfloat16.obstacle", lambda: None)
    check_products("bfloat16", optimizer="adam", finetune_optimizer="momentum")


def test_threads_are_at_most_those_of_the_process():
    assert thread_count(None) is None and thread_count(max_threads()) == max_threads() and thread_count(1) == 1
    _refused(f"at most {max_threads()}, found {max_threads() + 1}", thread_count, max_threads() + 1)
    _refused("n_threads: expected a whole number of at least 1", thread_count, 0)
