"""The wheel holds one import package, with everything that the program needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names inside the wheel, built from a copy of the sources so that nothing is left in the checkout."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a source checkout")
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "stacked", "kernels", "cli", "tests"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy)], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(folder), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_stacked_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (info,) = {top for top in tops if top.endswith(".dist-info")}
    assert tops == {"stacked", info}


def test_every_source_file_is_in_the_wheel(wheel):
    names = set(wheel.namelist())
    for folder, inside in (("stacked", "stacked"), ("kernels", "stacked/kernels"), ("cli", "stacked/cli")):
        for path in (ROOT / folder).rglob("*.py"):
            assert f"{inside}/{path.relative_to(ROOT / folder)}" in names
    assert {
        "stacked/py.typed",
        "stacked/tests/naive.py",
        "stacked/tests/naive_panels.py",
        "stacked/tests/cases.py",
    } <= names


def test_the_command_is_an_entry_point(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "stacked = stacked.cli:main" in wheel.read(name).decode()
