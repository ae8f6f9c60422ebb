"""The sets that benchmarks draw: equal at every call, of the kind that they are said to be, and split without overlap."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stacked.defaults import KINDS, kind_in_unit_range

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "data_sets.py"


@pytest.fixture(scope="module")
def sets():
    spec = importlib.util.spec_from_file_location("data_sets", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


SHAPES = {
    "spectra": (500, 200), "heartbeats": (2000, 140), "few rows": (200, 30), "wide": (400, 2000), "words, yes or no": (3000, 500),
    "digits": (1797, 64), "digits, 300": (300, 64), "wine": (178, 13),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_sets_are_scaled_as_their_kind_asks(sets, name):
    data, again = sets.load(name), sets.load(name)
    np.testing.assert_array_equal(data.train, again.train)
    np.testing.assert_array_equal(data.test, again.test)
    n_rows, n_columns = SHAPES[name]
    assert len(data.test) == round(sets.HELD_OUT * n_rows) and len(data.train) + len(data.test) == n_rows
    assert data.train.shape[1] == data.test.shape[1] == n_columns and data.train.dtype == np.float32
    x = data.train.astype(np.float64)
    within = x.min() >= 0 and x.max() <= 1
    assert data.kind == (kind_in_unit_range(x.mean(), x.std()) if within else "real")


def test_kinds_and_sizes(sets):
    assert {kind for kind, _ in sets.SETS.values()} == set(KINDS) and set(sets.SETS) >= sets.TABLES
    for n in (2, 10, 16, 30, 144, 784, 10_304):
        sizes = sets.DataSet("", "real", np.zeros((1, n)), np.zeros((1, n))).sizes()
        assert sizes == sorted(sizes, reverse=True) and sizes[-1] >= 2


@pytest.mark.parametrize("script", ["defaults", "pretraining_pays"])
def test_comparisons_of_recipes_run(script):
    """On a small set for a few epochs, as a user runs them."""
    options = ["--recipes", "the usual", "RBMs"] if script == "defaults" else ["--seeds", "2", "--rates", "0.001"]
    command = [sys.executable, PATH.with_name(f"{script}.py"), "--sets", "wine", "--share", "0.05", *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PATH.parent.parent), *sys.path]))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0 and "| wine" in done.stdout, done.stderr


ROW = """
import argparse, sys, time
sys.path.insert(0, sys.argv[1])
import map_epochs
from epochs import Task
task = Task("nothing", 10, 1e6, {"ours": lambda: time.sleep(0.001), "torch": lambda: time.sleep(0.01)})
print(map_epochs.row_of(task, argparse.Namespace(threads=1, rounds=2)))
"""


def test_epochs_of_networks_on_maps_are_a_row_of_times():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PATH.parent.parent), *sys.path]))}
    command = [sys.executable, "-W", "ignore", "-c", ROW, str(PATH.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    name, installed, best, _, seconds = (cell.strip() for cell in done.stdout.strip().strip("|").split("|"))
    assert name == "nothing" and installed == best and float(best) > 1
    assert seconds.startswith("ours ") and ", torch " in seconds
