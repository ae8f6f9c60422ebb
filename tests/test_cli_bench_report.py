"""What ``stacked bench`` makes of times: medians, rates, shares, lines, and the word on a busy machine."""

import json

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_name

from stacked.cli import bench

from .cases import cases
from .test_cli_boundary import run, run_well

FLOAT32 = np.dtype(np.float32)
RESULT = {
    "kernel": "backprop.train", "case": "a case", "seconds": 0.0123456, "gflops": 123.456, "share": 0.789,
    "max_relative_error": 1.23e-6, "passed": True,
}  # fmt: skip


class Clock:
    """Calls of a kernel that take these seconds, one after another; what is not timed takes none."""

    def __init__(self, *seconds):
        self.steps, self.now, self.calls = list(seconds), 0.0, 0

    def perf_counter(self):
        return self.now

    def call(self, *args):
        self.now += self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1


@pytest.fixture
def case():
    return next(case for case in cases("small") if case.kernel == "blas.layer_forward")


def timed(case, monkeypatch, clock, repeats, limit):
    monkeypatch.setattr(bench, "time", clock)
    monkeypatch.setattr("stacked.tests.cases.compiled", lambda kernel: clock.call)
    return bench._median_seconds(case, FLOAT32, repeats, limit)


@pytest.mark.parametrize(
    "seconds, repeats, limit, calls, median",
    [
        ((0.2, 0.1, 0.4), 15, 0.1, 3, 0.2),  # three at least
        ((0.1,), 15, 1.0, 10, 0.1),  # then until the time is used up
        ((0.125,), 15, 0.5, 4, 0.125),
        ((0.01,), 5, 1.0, 5, 0.01),  # or the repeats are
    ],
)
def test_calls_are_repeated_until_time_or_repeats_are_used_up(
    case, monkeypatch, seconds, repeats, limit, calls, median
):
    clock = Clock(*seconds)
    assert timed(case, monkeypatch, clock, repeats, limit) == pytest.approx(median)
    assert clock.calls in (calls, calls + (limit == 1.0))  # ten times 0.1 may be less than 1


@pytest.mark.parametrize("quick, expected", [(False, (15, 1.0)), (True, (3, 0.1))])
def test_rates_and_shares_follow_from_the_time(case, monkeypatch, quick, expected):
    asked = []
    monkeypatch.setattr(bench, "_median_seconds", lambda case, dtype, *limits: asked.append(limits) or 0.25)
    result = bench.measure(case, FLOAT32, 2.0, quick)
    assert asked == [expected]
    assert result["gflops"] == pytest.approx(case.flops / 0.25 / 1e9) and case.flops > 0
    assert result["share"] == pytest.approx(result["gflops"] / 2.0)
    assert (result["kernel"], result["case"], result["seconds"]) == (case.kernel, case.label, 0.25)


def test_kernels_without_products_have_no_rate(monkeypatch):
    monkeypatch.setattr(bench, "_median_seconds", lambda *args: 0.25)
    elementwise = next(case for case in cases("small") if case.kernel == "blas.column_sums")
    result = bench.measure(elementwise, FLOAT32, 2.0, True)
    assert result["gflops"] is None and result["share"] is None


def test_the_product_rate_is_the_best_of_all(monkeypatch):
    clock = Clock(0.5, 0.25, 0.5)
    monkeypatch.setattr(bench, "time", clock)
    monkeypatch.setattr(bench, "PRODUCT_SIZES", (8, 16))
    monkeypatch.setattr("stacked.kernels.backprop.infer", clock.call)
    assert bench.product_rate(FLOAT32) == pytest.approx(max(2 * 8**3 / 0.25, 2 * 16**3 / 0.5) / 1e9)


@pytest.mark.parametrize(
    "changes, end",
    [
        ({}, "  12.35 ms    123.5    79%   1.2e-06"),
        ({"seconds": 0.00099994}, "  999.9 us    123.5    79%   1.2e-06"),
        ({"seconds": 0.001}, "   1.00 ms    123.5    79%   1.2e-06"),
        ({"gflops": None, "share": None}, "  12.35 ms                   1.2e-06"),
        ({"passed": False}, "  12.35 ms    123.5    79% 1.2e-06 FAILED"),
        ({"max_relative_error": None, "passed": False}, "  12.35 ms    123.5    79% no number FAILED"),
    ],
)
def test_lines(changes, end):
    line = bench._line({**RESULT, **changes})
    assert line == f"{'backprop.train':30} {'a case':60} {end}"


@pytest.mark.parametrize(
    "rates, told",
    [((100, 100), False), ((100, 114), False), ((100, 116), True), ((114, 100), False), ((116, 100), True)],
)
def test_a_busy_machine_is_told(monkeypatch, rates, told):
    left = list(map(float, rates))
    monkeypatch.setattr(bench, "product_rate", lambda dtype: left.pop(0))
    monkeypatch.setattr(bench, "_median_seconds", lambda *args: 0.25)
    result = run_well("bench", "blas.column_sums", "--threads", 1)
    said = (
        f"the product rate was {rates[0]} GFLOP/s before and {rates[1]} after: the machine is busy, so are the shares"
    )
    assert (said in result.stderr) == told
    assert (
        result.stdout.splitlines()[0]
        == f"{get_host_cpu_name()}, 1 threads, float32, products at {rates[0]:.1f} GFLOP/s"
    )


def test_the_cases_chosen_are_those_whose_kernels_have_the_names(monkeypatch):
    monkeypatch.setattr(bench, "product_rate", lambda dtype: 1.0)
    monkeypatch.setattr(bench, "_median_seconds", lambda *args: 0.25)
    every = [str(case) for case in cases("bench")]
    assert [str(case) for case in bench._chosen(())] == every
    report = json.loads(run_well("bench", "column_sums", "losses.", "--json", "--precision", "float64").stdout)
    kernels = {entry["kernel"] for entry in report["cases"]}
    assert kernels == {
        case.kernel for case in cases("bench") if "column_sums" in case.kernel or "losses." in case.kernel
    }


@pytest.mark.parametrize("output", [(), ("--json",)])
def test_a_failed_check_is_exit_code_1_in_any_form(monkeypatch, output):
    monkeypatch.setattr(bench, "product_rate", lambda dtype: 1.0)
    monkeypatch.setattr(bench, "_median_seconds", lambda *args: 0.25)
    monkeypatch.setattr(bench, "check", lambda case, dtype: (False, 0.5))
    result = run("bench", "blas.column_sums", "--threads", 1, *output)
    assert result.exit_code == 1 and "2 of 2 checks failed: blas.column_sums" in result.stderr
