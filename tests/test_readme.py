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


def test_every_number_in_the_results_names_its_script():
    section = README.read_text().split("## Results")[1].split("\n## ")[0]
    scripts = set(re.findall(r"benchmarks/\w+\.py", section))
    assert scripts
    for script in scripts:
        assert (ROOT / script).exists()


def test_every_link_to_a_file_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target
