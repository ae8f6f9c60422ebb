"""Mutation testing: small random changes in `stacked/` and `cli/`, and how many of them the tests notice.

    make mutants                                    150 of them, about an hour on two cores
    python benchmarks/mutants.py --sample 20 --seed 7

Cosmic Ray makes the mutants. A sample is drawn place by place, so that an operator with a dozen replacements counts as one. Each
mutant meets the tests that run its line (those of its file where it runs on import only), the quick ones first, up to the first
that fails; what takes ten minutes counts as noticed. Prints the survivors as patches, to be looked at one by one, and a table.
"""

import argparse
import ast
import difflib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
FOLDERS = ("stacked", "cli")
LIMIT_S = 600  # for the tests of one mutant
NOTICED = "noticed"
MANY_TESTS = 2000  # of those that reach a line; more are hardly new to it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--keep-coverage", action="store_true", help="Use the coverage of the last call: the tests are the same."
    )
    given = parser.parse_args()
    copies = [_copy(number) for number in range(given.workers)]
    if not (given.keep_coverage and (WORK / "reached.json").exists()):
        _measure_coverage(copies[0], given.workers)
    reached, durations = json.loads((WORK / "reached.json").read_text())
    chosen = _sample(given.sample, given.seed)
    spawn = get_context("spawn")
    free = spawn.Queue()
    for copy in copies:
        free.put(str(copy))
    with ProcessPoolExecutor(given.workers, spawn, _enter, (free,)) as pool:
        jobs = {pool.submit(_try, mutant, _tests(mutant, reached, durations)): mutant for mutant in chosen}
        results = []
        for job in as_completed(jobs):
            results.append((jobs[job], *job.result()))
            print(f"{len(results)}/{len(chosen)} {_where(jobs[job])}: {results[-1][1]}", file=sys.stderr, flush=True)
    _report(results)


# ---- what is tried ---------------------------------------------------------------------------------------------------


def _sample(size: int, seed: int) -> list[dict[str, Any]]:
    """Mutants at places chosen at random, one a place; annotations, which nobody runs, are no places."""
    from cosmic_ray.commands.init import _all_work_items

    places: dict[tuple, list] = defaultdict(list)
    os.chdir(ROOT)
    files = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py"))]
    skipped = {str(path): _annotations(path) for path in files}
    for item in _all_work_items(files, {}):
        (spec,) = item.mutations
        if not any(start <= spec.start_pos < end for start, end in skipped[str(spec.module_path)]):
            operator = spec.operator_name.split("_")[0]
            places[str(spec.module_path), spec.start_pos, operator].append(spec)
    drawn = random.Random(seed)
    chosen = [drawn.choice(places[place]) for place in drawn.sample(sorted(places), min(size, len(places)))]
    return [
        {"path": str(spec.module_path), "operator": spec.operator_name, "number": spec.occurrence,
         "first": spec.start_pos[0], "last": spec.end_pos[0], "spec": spec}
        for spec in chosen
    ]  # fmt: skip


def _annotations(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """(start, end) of the annotations in a file, and of blocks for type checkers."""
    spans = []
    for node in ast.walk(ast.parse(path.read_text())):
        parts = [getattr(node, name, None) for name in ("annotation", "returns")]
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "_TYPE_CHECKING"):
            parts.append(node)
        for part in parts:
            if isinstance(part, ast.AST):
                spans.append(((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)))
    return spans


# ---- which tests reach what ------------------------------------------------------------------------------------------


def _measure_coverage(copy: Path, workers: int) -> None:
    """Run the whole suite once; keep which test runs which line, and how long each takes."""
    settings = copy / "coverage.ini"
    settings.write_text(f"[run]\nsource =\n    {copy}/stacked\n    {copy}/cli\ndata_file = {copy}/coverage.db\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--cov-config={settings}", "--cov",
               "--cov-context=test", "-n", str(workers), "--cov-report=", "--durations=0", "-vv"]  # fmt: skip
    print("measuring which test reaches which line ...", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=copy, env=_environment(copy), capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode:
        sys.exit("\n".join(lines[-30:]))
    durations: dict[str, float] = defaultdict(float)
    for line in lines:
        seconds, _, rest = line.strip().partition("s ")
        phase, _, test = rest.partition(" ")
        if phase in ("call", "setup", "teardown") and seconds.replace(".", "").isdigit():
            durations[test.strip()] += float(seconds)
    (WORK / "reached.json").write_text(json.dumps([_read_coverage(copy), durations]))


def _read_coverage(copy: Path) -> dict[str, dict[int, list[str]]]:
    from coverage.numbits import numbits_to_nums

    reached: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    with sqlite3.connect(copy / "coverage.db") as base:
        rows = base.execute(
            "select file.path, context.context, line_bits.numbits from line_bits"
            " join file on file.id = line_bits.file_id join context on context.id = line_bits.context_id"
        )
        for path, context, bits in rows:
            for line in numbits_to_nums(bits) if context else ():
                reached[str(Path(path).relative_to(copy))][line].append(context.partition("|")[0])
    return reached


def _tests(mutant: dict[str, Any], reached: dict, durations: dict[str, float]) -> list[str]:
    """The tests that run the mutant's lines, or, where none does, anything of its file; the quick ones first."""
    lines = reached.get(mutant["path"], {})
    found = {test for line in range(mutant["first"], mutant["last"] + 1) for test in lines.get(str(line), ())}
    found = found or {test for tests in lines.values() for test in tests}
    return sorted(found, key=lambda test: (durations.get(test, 0.0), test))[:MANY_TESTS]


# ---- trying ----------------------------------------------------------------------------------------------------------


def _copy(number: int) -> Path:
    """A copy of the working tree with its compiled kernels, to be mutated in place."""
    copy = WORK / f"copy{number}"
    shutil.rmtree(copy, ignore_errors=True)
    kept = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in kept.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    compiled = ROOT / "kernels" / "__pycache__"
    if compiled.is_dir():
        shutil.copytree(compiled, copy / "kernels" / "__pycache__", dirs_exist_ok=True)
    return copy


def _environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_WAIT_POLICY": "passive"}


def _enter(queue: Any) -> None:
    """A worker takes a copy for itself."""
    copy = Path(queue.get())
    os.chdir(copy)
    os.environ.update(_environment(copy))


def _try(mutant: dict[str, Any], tests: list[str]) -> tuple[str, str]:
    """(NOTICED, or what happened instead; the patch). pytest ends with 1 for a failure, with 2 where a file is not imported."""
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    spec = mutant["spec"]
    with use_mutation(spec.module_path, get_operator(spec.operator_name)(**spec.operator_args), spec.occurrence) as (
        old,
        new,
    ):
        patch = "\n".join(difflib.unified_diff(old.splitlines(), (new or "").splitlines(), lineterm="", n=2))
        if not tests:
            return "no test reaches it", patch
        Path("chosen.txt").write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "@chosen.txt"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return NOTICED, patch
    if done.returncode in (1, 2) or "ERROR collecting" in done.stdout:
        return NOTICED, patch
    return "survived" if done.returncode == 0 else f"pytest ended with {done.returncode}", patch


def _where(mutant: dict[str, Any]) -> str:
    return f"{mutant['path']}:{mutant['first']} {mutant['operator'].partition('/')[2]}"


def _report(results: list[tuple[dict[str, Any], str, str]]) -> None:
    for mutant, outcome, patch in results:
        if outcome != NOTICED:
            print(f"---- {outcome}: {_where(mutant)}\n{patch}\n")
    print("| folder | mutants | noticed | share |\n|---|---|---|---|")
    for folder in (*FOLDERS, ""):
        counts = Counter(outcome == NOTICED for m, outcome, _ in results if m["path"].startswith(folder))
        total = sum(counts.values())
        if total:
            print(f"| {folder or 'both'} | {total} | {counts[True]} | {counts[True] / total:.0%} |")


if __name__ == "__main__":
    main()
