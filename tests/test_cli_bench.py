"""``stacked bench``: what it reports, and that a kernel which disagrees with its twin fails it."""

import json

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_name

import stacked.tests.cases
from stacked.cli import bench

from . import naive, naive_panels
from .cases import cases
from .test_cli_boundary import misused, run, run_well


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    monkeypatch.setattr(bench, "PRODUCT_SIZES", (64,))


def test_json_report():
    report = json.loads(
        run_well("bench", "blas.column_sums", "updates.apply", "--quick", "--json", "--threads", 1).stdout
    )
    assert report["threads"] == 1 and report["precision"] == "float32" and report["product_gflops"] > 0
    assert {case["kernel"] for case in report["cases"]} == {"blas.column_sums", "updates.apply_update"}
    for case in report["cases"]:
        assert case["seconds"] > 0 and case["passed"] and case["max_relative_error"] < 1e-5
        assert case["gflops"] is None and case["share"] is None


def test_table_shows_rates_and_shares_of_products():
    lines = run_well(
        "bench", "blas.layer_forward", "--quick", "--threads", 1, "--precision", "float64"
    ).stdout.splitlines()
    assert lines[0].startswith(f"{get_host_cpu_name()}, 1 threads, float64, products at ") and "GFLOP/s" in lines[1]
    assert all("%" in line and "FAILED" not in line for line in lines[2:]) and len(lines) > 2


def test_a_failed_check_is_exit_code_1(monkeypatch):
    def wrong(x, out):
        out[:] = x.sum(axis=0) + 1

    monkeypatch.setitem(stacked.tests.cases.TWINS, "blas.column_sums", wrong)
    result = run("bench", "blas.column_sums", "--quick", "--threads", 1)
    assert result.exit_code == 1 and "FAILED" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("Error: 2 of 2 checks failed: blas.column_sums")


def test_kernels_that_a_precision_does_not_have_are_named():
    error = misused("bench", "bfloat16.", "panels.", "--quick", "--threads", 1, "--precision", "float64")
    assert (
        error.startswith("Error: --precision float64: bfloat16.multiply_words, ") and "panels.transpose_panel" in error
    )
    assert error.endswith(": made for float32 alone; choose that precision, or other kernels")
    assert "likelihood.add_exponentials: made for float64 alone" in misused("bench", "add_exponentials", "--json")
    result = run_well("bench", "column_sums", "transpose_panel", "--quick", "--threads", 1, "--precision", "float64")
    assert result.stderr.splitlines()[0] == (
        "--precision float64: panels.transpose_panel: made for float32 alone, and left out"
    )
    assert "blas.column_sums" in result.stdout and "transpose_panel" not in result.stdout


def test_unknown_kernels_and_threads():
    assert "expected a kernel among" in misused("bench", "blas.nothing")
    assert run("bench", "blas.column_sums", "--threads", 0).exit_code in (1, 2)


def test_twins_are_those_of_the_tests():
    assert set(stacked.tests.cases.TWINS) == set(naive.TWINS) | set(naive_panels.TWINS)


@pytest.mark.parametrize("case", cases("bench"), ids=str)
def test_the_check_of_every_case_passes(case):
    passed, difference = bench.check(case, np.dtype(np.float32))
    assert passed, difference
