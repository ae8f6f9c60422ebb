"""Compiled code on disk is used again, but never after a kernel source changed, be it in another file."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stacked
from stacked import kernels

# `corrupt` lives in corruption.py and calls `fill_uniform` of random.py. Half of the ones are masked.
SCRIPT = """
import json
import numpy as np
from stacked.kernels.arithmetic import corruption
from stacked.kernels.arithmetic import random
kernel, out = corruption.corrupt, np.empty(64, np.float32)
masking = type(corruption.NO_CORRUPTION)(corruption.MASKING, 0.5, 0.0, 1.0)
kernel(masking, random.stream_key(0, 0), 0, 0, np.ones(64, np.float32), out)
hits, misses = (sum(count.values()) for count in (kernel.stats.cache_hits, kernel.stats.cache_misses))
print(json.dumps({"file": corruption.__file__, "hits": hits, "misses": misses, "ones": int(out.sum())}))
"""
ORIGINAL, EDITED = "part[i] = numbers[i]", "part[i] = 0"  # every number drawn is 0: everything is masked


@pytest.fixture
def checkout(tmp_path):
    """A copy of the package with nothing but its kernels, and an empty cache."""
    package = tmp_path / "copy" / "stacked"
    shutil.copytree(Path(kernels.__file__).parent, package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    for path in Path(stacked.__file__).parent.glob("*.py"):
        shutil.copy(path, package)
    return tmp_path / "copy"


def _run(checkout):
    environment = {**os.environ, "PYTHONPATH": str(checkout), "NUMBA_CACHE_DIR": str(checkout.parent / "cache")}
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=checkout, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert result.pop("file").startswith(str(checkout))
    return {"was_cached": "compiling kernels" not in answer.stderr, **result}


def test_stale_compiled_code_is_impossible(checkout):
    first = _run(checkout)
    assert 0 < first["ones"] < 64
    assert first == {"was_cached": False, "hits": 0, "misses": 1, "ones": first["ones"]}
    assert _run(checkout) == {"was_cached": True, "hits": 1, "misses": 0, "ones": first["ones"]}

    helper = checkout / "stacked" / "kernels" / "arithmetic" / "random.py"
    text = helper.read_text()
    assert ORIGINAL in text
    stamp = helper.stat()
    helper.write_text(text.replace(ORIGINAL, EDITED))
    os.utime(helper, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # not even the time of the change gives it away
    assert _run(checkout) == {"was_cached": False, "hits": 0, "misses": 1, "ones": 0}


def test_a_type_that_has_moved_since_the_cache_was_written_does_no_harm(checkout):
    before = _run(checkout)
    changed = 0
    for path in (checkout / "stacked" / "kernels").rglob("*.py"):
        text = path.read_text()
        path.write_text(re.sub(r"\bCorruption\b", "Noise", text))
        changed += path.read_text() != text
    assert changed >= 2  # where it lives, and where it is used
    assert _run(checkout) == before  # compiled anew


# A product of the engine, whose tiles, and the layout with them, depend on the CPU that Numba compiles for.
PRODUCT = """
import json
import numpy as np
from stacked.kernels.engine.instructions import PANEL
from stacked.kernels.engine.panels import aligned_zeros
from stacked.kernels.engine.products import multiply, multiply_transposed
x, weight, out = aligned_zeros(1, 3, PANEL), aligned_zeros(1, 2, PANEL), aligned_zeros(1, 3, PANEL)
x[0, :, :2], weight[0] = [[1, 2], [3, 4], [5, 6]], 1
multiply(x, 0, 3, 0, 2, weight, 0, PANEL, 0, out, 0)
turned, scratch = aligned_zeros(1, PANEL, PANEL), aligned_zeros(1, PANEL, PANEL)
bias = weight[0, 0, :0]
multiply_transposed(x[:0], weight, 0, PANEL, 0, 2, x, 0, 3, bias, scratch, turned)  # calls `multiply` through its symbol
hits = [sum(kernel.kernel.stats.cache_hits.values()) for kernel in (multiply, multiply_transposed)]
print(json.dumps({"panel": PANEL, "hits": hits, "products": out[0, :, 0].tolist(), "turned": turned[0, 0, :3].tolist()}))
"""


def _product(cache, **environment):
    package = Path(stacked.__file__).resolve().parent.parent
    answer = subprocess.run(
        [sys.executable, "-c", PRODUCT],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment},
        cwd=package,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert result.pop("products") == result.pop("turned") == [3, 7, 11]
    return result


def test_two_kinds_of_cpu_share_a_cache(tmp_path):
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    other = {"NUMBA_CPU_NAME": "nocona", "NUMBA_CPU_FEATURES": "+sse3"}
    here = _product(tmp_path, **other)
    assert here == {"panel": 8, "hits": [0, 0]}
    assert _product(tmp_path, **generic) == {"panel": 8, "hits": [0, 0]}
    assert _product(tmp_path, **other) == {**here, "hits": [1, 1]}
    assert _product(tmp_path, **generic) == {"panel": 8, "hits": [1, 1]}


def test_a_kernel_links_what_it_calls_even_if_that_is_gone_from_the_cache(tmp_path):
    here = _product(tmp_path)
    gone = [path for path in tmp_path.rglob("*") if path.name.startswith("products.multiply-")]
    assert gone
    for path in gone:
        path.unlink()
    assert _product(tmp_path) == {**here, "hits": [0, 1]}
