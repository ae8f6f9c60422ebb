"""Fixtures in common: small data, the optional real data, and quiet threads on small machines."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

# Waiting threads of OpenMP, which others use, sleep instead of spinning: test machines are small and shared.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def pytest_collection_modifyitems(items):
    """First what compiles for a CPU of its own, for a minute: meanwhile other workers compile for this one, and not twice."""
    items.sort(key=lambda item: item.name != "test_amx_tiles")


@pytest.fixture(autouse=True)
def hints(monkeypatch):
    """Every hint is due, and none is noted in the cache folder of whoever runs the tests."""
    monkeypatch.setattr("stacked.cli.hints._is_due", lambda hint: True)


def _as_imported(name):
    """A logger as the library leaves it: a command that runs in this process turns it to the standard error, or off."""
    log = logging.getLogger(name)
    log.propagate, log.disabled, log.handlers[:] = True, False, []
    log.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def notices():
    """No test finds loggers as a command left them, be it one of another test, or of a fixture that many tests share."""
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "stacked"]:
        _as_imported(name)


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's 1,797 digits in [0, 1] with labels."""
    from stacked import open_data

    return open_data("digits")


@pytest.fixture(scope="session")
def small(digits):
    """(300, 64) float32 rows in [0, 1]."""
    return np.ascontiguousarray(digits.array[:300])


@pytest.fixture(scope="session")
def mnist():
    """Folder of MNIST's IDX files; the test is skipped where it is absent."""
    folder = DATA / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        pytest.skip(f"MNIST is not in {folder}")
    return folder
