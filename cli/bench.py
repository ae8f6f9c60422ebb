"""``stacked bench``: every kernel timed, set against the products that this machine can do, and checked against its twin."""

import time
from typing import TYPE_CHECKING, Any

import click

from . import options as opt
from .output import print_json

if TYPE_CHECKING:
    import numpy as np

PRODUCT_SIZES = (512, 1024, 2048)  # of square products; the best rate of them is the machine's
REPEATS, SECONDS = 15, 1.0  # of each case, at most; three at least
QUICK_REPEATS, QUICK_SECONDS = 3, 0.1
_OTHER = {"float32": "float64", "float64": "float32"}


@click.command()
@click.argument("kernels", metavar="[KERNEL]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Three repeats of each case.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Of the numbers.",
)
@opt.threads_option
@opt.json_option
@opt.config_option
def bench(kernels: tuple[str, ...], quick: bool, precision: str, n_threads: int | None, as_json: bool) -> None:
    """Time the kernels on cases of MNIST's size and check each against its plain NumPy twin.

    KERNEL is a name such as backprop.train, or a part of one. Times are medians. The share is of this machine's product rate, the
    best of a few square products with the same threads and precision, measured in the same run; bfloat16.* may pass that of
    float32. The check shows the largest difference from the twin relative to the largest number expected; a failed check ends with
    exit code 1.

    \b
    Example:
      stacked bench --quick
      stacked bench rbm.train backprop.train --threads 1 --json
    """
    from llvmlite.binding import get_host_cpu_name

    from stacked.kernels.cpu import thread_limit
    from stacked.settings import precision_dtype, thread_count

    chosen = _in_precision(_chosen(kernels), precision)
    dtype = precision_dtype(precision)
    with thread_limit(thread_count(n_threads)) as threads:
        rate = product_rate(dtype)
        report = {
            "cpu": get_host_cpu_name(),
            "precision": precision,
            "threads": threads,
            "product_gflops": round(rate, 2),
        }
        if not as_json:
            click.echo(f"{report['cpu']}, {threads} threads, {precision}, products at {rate:.1f} GFLOP/s\n{_HEADER}")
        results = []
        for case in chosen:
            results.append(measure(case, dtype, rate, quick))
            if not as_json:
                click.echo(_line(results[-1]))
        after = product_rate(dtype)
        if after > 1.15 * rate or rate > 1.15 * after:
            click.echo(
                f"the product rate was {rate:.0f} GFLOP/s before and {after:.0f} after: the machine is busy, so are the shares",
                err=True,
            )
    if as_json:
        print_json({**report, "cases": results})
    failed = [result["kernel"] for result in results if not result["passed"]]
    if failed:
        raise click.ClickException(f"{len(failed)} of {len(results)} checks failed: {', '.join(sorted(set(failed)))}")


def _chosen(kernels: tuple[str, ...]) -> list[Any]:
    from stacked.tests.cases import cases

    table = cases("bench")
    for name in kernels:
        if not any(name in case.kernel for case in table):
            known = ", ".join(sorted({case.kernel for case in table}))
            raise click.UsageError(f"{name}: expected a kernel among {known}")
    return [case for case in table if not kernels or any(name in case.kernel for name in kernels)]


def _in_precision(cases: list[Any], precision: str) -> list[Any]:
    """The cases in a precision; which kernels have none is said, and a usage error if all of them have none."""
    chosen = [case for case in cases if precision in case.dtypes]
    left_out = sorted({case.kernel for case in cases} - {case.kernel for case in chosen})
    text = f"--precision {precision}: {', '.join(left_out)}: made for {_OTHER[precision]} alone"
    if not chosen:
        raise click.UsageError(f"{text}; choose that precision, or other kernels")
    if left_out:
        click.echo(f"{text}, and left out", err=True)
    return chosen


def product_rate(dtype: "np.dtype") -> float:
    """GFLOP/s of inference through one linear layer: the best of the products of `PRODUCT_SIZES`."""
    import numpy as np

    from stacked.kernels import backprop
    from stacked.kernels.arithmetic.samples import as_samples
    from stacked.layers import Dense

    best = 0.0
    for n in PRODUCT_SIZES:
        x, weight = np.random.default_rng(0).random((2, n, n)).astype(dtype)
        table = np.array([Dense(n, n, "linear").row(0, n * n)])
        params, out = np.concatenate([weight.ravel(), np.zeros(n, dtype)]), np.empty((n, n), dtype)
        prepared, samples, rows = backprop.prepare(table, params), as_samples(x), np.arange(n)
        for _ in range(6):
            started = time.perf_counter()
            backprop.infer(table, params, prepared, samples, rows, out)
            best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best


def measure(case: Any, dtype: "np.dtype", rate: float, quick: bool) -> dict[str, Any]:
    """Time one case and compare one call with its twin's."""
    passed, difference = check(case, dtype)
    seconds = _median_seconds(case, dtype, *((QUICK_REPEATS, QUICK_SECONDS) if quick else (REPEATS, SECONDS)))
    gflops = case.flops / seconds / 1e9 if case.flops else None
    return {
        "kernel": case.kernel,
        "case": case.label,
        "seconds": seconds,
        "gflops": gflops,
        "share": None if gflops is None else gflops / rate,
        "max_relative_error": difference,
        "passed": passed,
    }


def check(case: Any, dtype: "np.dtype") -> tuple[bool, float | None]:
    """Whether all outputs agree with the twin's within their tolerances, and the largest relative difference (None: no number)."""
    import math

    from stacked.tests.cases import agreement

    tolerances = case.make(dtype, 0).outputs
    excess = agreement(case, dtype)
    allowed = {name: getattr(tolerances[name], dtype.name) for name in excess}
    differences = [value * allowed[name] if value else 0.0 for name, value in excess.items()]
    worst = max(differences)
    return max(excess.values()) <= 1, worst if math.isfinite(worst) else None


def _median_seconds(case: Any, dtype: "np.dtype", repeats: int, limit: float) -> float:
    """Median over fresh copies of the arguments; the copying is not timed."""
    from copy import deepcopy
    from statistics import median

    from stacked.tests.cases import compiled

    kernel, problem = compiled(case.kernel), case.make(dtype, 0)
    times: list[float] = []
    while len(times) < 3 or (len(times) < repeats and sum(times) < limit):
        args = deepcopy(problem.args)
        started = time.perf_counter()
        kernel(*args)
        times.append(time.perf_counter() - started)
    return median(times)


_HEADER = f"{'kernel':30} {'case':60} {'time':>10} {'GFLOP/s':>8} {'share':>6} {'check':>9}"


def _line(result: dict[str, Any]) -> str:
    seconds = result["seconds"]
    shown = f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
    rate = f"{'':8} {'':6}" if result["gflops"] is None else f"{result['gflops']:8.1f} {result['share']:6.0%}"
    error = "no number" if result["max_relative_error"] is None else f"{result['max_relative_error']:.1e}"
    verdict = error if result["passed"] else f"{error} FAILED"
    return f"{result['kernel']:30} {result['case']:60} {shown:>10} {rate} {verdict:>9}"
