"""With a version of Numba that was not tested, kernels run plain, on one thread and uncached, and one line says so."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import stacked
from stacked import RBM, Autoencoder
from stacked.kernels import _jit, backprop, rbm
from stacked.kernels.engine import bfloat16, fused_network, fused_rbm, inference

ROOT = Path(stacked.__file__).resolve().parent.parent
ROWS = np.random.default_rng(0).integers(0, 256, (40, 12), np.uint8)
SCRIPT = """
import json, os, sys
import numba
numba.__version__ = sys.argv[1]
import numpy as np
from stacked.kernels import _jit
from stacked.kernels import cpu
from stacked.kernels.plain import blas
from stacked.kernels.plain import steps
from stacked.kernels.arithmetic import samples
@numba.njit
def step(address):  # as networks compile it that have no layers on maps
    if address:
        steps._forward(address, 1)
    return address
rows, out = np.arange(12.0).reshape(4, 3), np.zeros((4, 3))
def load():
    with cpu.thread_limit(None) as threads:
        samples.load_rows(samples.as_samples(rows), np.arange(4)[::-1], out)
    return threads
threads, child = load(), os.fork()
if child == 0:
    os._exit(load() - 1)
print(json.dumps({"tested": _jit.TESTED, "step": step(0), "threads": threads, "fork": os.waitpid(child, 0)[1], "out": out.tolist(),
                  "cached": list(map(type(blas.layer_forward._cache).__name__.__eq__, ["NullCache"]))}))
"""


def test_an_untested_numba_is_told_and_nothing_private_is_used(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, "1.7.0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = np.arange(12.0).reshape(4, 3)[::-1].tolist()
    assert json.loads(done.stdout) == {
        "tested": False,
        "step": 0,
        "threads": 1,
        "fork": 0,
        "out": rows,
        "cached": [True],
    }
    (line,) = done.stderr.splitlines()
    assert "Numba 1.7.0 is not among the versions that were tested" in line and "pip install" in line
    assert list(tmp_path.rglob("*.nb*")) == []


def test_float32_goes_to_the_plain_kernels(monkeypatch):
    called = []

    def spy(name, answer, *args):
        called.append((name, args[1].dtype.name))
        if name == "infer_plain":
            args[-1][:] = 0
        return answer

    for module, name, answer in (
        (rbm, "train_plain", 0.0),
        (backprop, "train_plain", np.zeros(2)),
        (backprop, "infer_plain", None),
    ):
        monkeypatch.setattr(module, name, partial(spy, name, answer))
    for module, name in (
        (fused_network, "train"),
        (fused_network, "train_dense"),
        (fused_rbm, "train"),
        (inference, "prepare"),
    ):
        monkeypatch.setattr(module, name, None)  # they are not asked
    monkeypatch.setattr(_jit, "TESTED", False)
    few = {"epochs": 1, "batch_size": 15, "random_state": 0}
    RBM(6, **few).fit(ROWS)
    assert set(called) == {("train_plain", "float32"), ("infer_plain", "float32")}
    called.clear()
    Autoencoder(6, **few).fit(ROWS).transform(ROWS)
    assert set(called) == {("train_plain", "float32"), ("infer_plain", "float32")}


def test_an_untested_numba_multiplies_no_bfloat16(monkeypatch):
    monkeypatch.setattr(bfloat16, "TESTED", False)
    with pytest.raises(stacked.SettingError, match="not tested with this version of Numba"):
        RBM(3, precision="bfloat16").fit(ROWS)


@pytest.mark.parametrize(
    "version, tested", [("0.59.1", False), ("0.60.0", True), ("0.68.9", True), ("0.69.0rc1", False), ("1.0", False)]
)
def test_which_versions_count_as_tested(version, tested):
    assert _jit.is_tested(version) is tested


def test_the_oldest_tested_version_is_the_lower_bound_of_the_package():
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a source checkout")
    assert f'"numba>={_jit.OLDEST[0]}.{_jit.OLDEST[1]}"' in (ROOT / "pyproject.toml").read_text()
