"""The README tells the truth: its commands run, its Python runs, and its reader of weights reproduces `encode`."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is in the source checkout only")


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Folder in which the README's two-minute commands were run, word for word."""
    folder = tmp_path_factory.mktemp("readme")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    (block,) = (block for block in _blocks("sh") if block.startswith("stacked"))
    for line in block.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "stacked"
        command = [sys.executable, "-m", "stacked.cli", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_two_minute_commands_run_and_learn(tuned):
    from stacked import load, open_data

    codes = np.load(tuned / "codes.npy")
    assert codes.shape == (1797, 10)
    model, digits = load(tuned / "tuned.h5"), open_data("digits")
    variance = ((digits.array - digits.array.mean(0)) ** 2).sum(1).mean()
    assert -model.score(digits) < 0.3 * variance


def test_twelve_lines_of_numpy_reproduce_encode(tuned):
    (code,) = (block for block in _blocks("python") if "import h5py" in block)
    assert "stacked" not in code
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 12
    names = {}
    exec(code, names)
    from stacked import open_data

    codes = names["encode"](tuned / "tuned.h5", open_data("digits").array)
    np.testing.assert_allclose(codes, np.load(tuned / "codes.npy"), atol=1e-4)


def test_the_python_example_runs_as_written(tmp_path, monkeypatch, capsys):
    (code,) = (block for block in _blocks("python") if "StackedClassifier" in block)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    assert names["codes"].shape == (1797, 10) and names["images"].shape == (1797, 64)
    assert float(capsys.readouterr().out) > 0.75


def test_every_command_is_in_the_readme():
    from stacked.cli import main

    text = README.read_text()
    for name in main.list_commands(None):
        assert re.search(rf"`(stacked )?{name}\b", text), name


RESULTS = ROOT / "benchmarks" / "RESULTS.md"
COMMAND = re.compile(
    r"`python (benchmarks/\w+\.py)([^`]*)`|with `(--[^`]*)`"
)  # of a run, or of the same script with options
NUMBER = re.compile(r"(?<![\w.-])[+-]?\d+(?:,\d{3})*(?:\.\d+)?|(?<=-)\d+")


def _tables():
    """The tables of the README's results: lists of rows, a row a list of cells; headers are left out."""
    section = README.read_text().split("## Results")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]] for block in blocks
    ]


def _printed():
    """What every command printed, by the command, as RESULTS.md shows it."""
    text, found, script = RESULTS.read_text(), {}, None
    matches = list(COMMAND.finditer(text))
    for match, after in zip(matches, [*matches[1:], None], strict=True):
        script = match[1] or script
        command = f"{script} {(match[2] or match[3] or '').strip()}".strip()
        found[command] = text[match.end() : after.start() if after else None]
    return found


def _numbers(text):
    """Value and decimals of every number in a text."""
    words = [word.replace(",", "") for word in NUMBER.findall(text)]
    return [(float(word), len(word.partition(".")[2])) for word in words]


def _missing(cell, settings, printed):
    """Numbers of a cell that are neither settings nor, rounded as they are there, among those printed."""
    values = [value for value, _ in _numbers(printed)]
    return [
        number
        for number, decimals in _numbers(cell)
        if (number, decimals) not in _numbers(settings) and all(round(value, decimals) != number for value in values)
    ]


def test_every_number_in_the_results_was_printed_by_the_script_that_its_row_names():
    results, _, _ = _tables()
    printed = _printed()
    assert len(results) > 5
    for what, result, by in results:
        (command,) = re.findall(r"`(benchmarks/\w+\.py[^`]*)`", by)
        assert (ROOT / command.split()[0]).exists(), command
        assert command in printed, f"{command} is not in RESULTS.md"
        assert _numbers(result), what
        assert _missing(result, what, printed[command]) == [], f"{what}: not printed by {command}"


def test_the_table_of_epochs_is_the_one_that_its_script_printed():
    _, _, epochs = _tables()
    (printed,) = (text for command, text in _printed().items() if command.startswith("benchmarks/epochs.py"))
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line.startswith("|")
    ]
    assert len(epochs) > 10 and [row[: len(epochs[0])] for row in rows[2:]] == epochs
    (before,) = re.findall(r"`(benchmarks/\w+\.py)` prints the table", README.read_text())
    assert before == "benchmarks/epochs.py" and (ROOT / before).exists()


def test_the_table_of_pretraining_is_taken_from_the_one_that_its_script_printed():
    _, pays, _ = _tables()
    printed = next(text for command, text in _printed().items() if command.startswith("benchmarks/pretraining_pays.py"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line[:2] == "| "]
    assert len(pays) > 10 and [[row[i] for i in (0, 1, 2, 4, 5)] for row in rows[1:]][: len(pays)] == pays


def test_every_command_of_the_results_has_its_script():
    commands = _printed()
    assert len(commands) > 8
    for command in commands:
        assert (ROOT / command.split()[0]).exists(), command


@pytest.mark.parametrize(
    "cell, missing",
    [
        ("3.59 (PCA with 30 components: 13.87)", []), ("12 or 1,050", []), ("0.4 %, -0.3 %", []),
        ("3.58", [3.58]), ("0.3 %", [0.3]), ("1,060; 12", [1060]), ("13.8", [13.8]), ("50", [50]),
    ],
)  # fmt: skip
def test_a_number_that_was_not_printed_is_found(cell, missing):
    printed = "3.594 pretrained, 13.868 PCA, 12.4 + 1050.0 s, +0.41%, -0.27%"
    assert _missing(cell, "784-20-30", printed) == missing


def test_every_link_to_a_file_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target
