"""Compiled code on disk is used again, but never after a kernel source changed, be it in another file."""

import json
import os
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
from stacked.kernels import _jit, corruption, random
kernel, out = corruption.corrupt, np.empty(64, np.float32)
was_cached = _jit.is_cached(kernel, "float32")
masking = corruption.Corruption(corruption.MASKING, 0.5, 0.0, 1.0)
kernel(masking, random.stream_key(0, 0), 0, 0, np.ones(64, np.float32), out)
hits, misses = (sum(count.values()) for count in (kernel.stats.cache_hits, kernel.stats.cache_misses))
print(json.dumps({"file": corruption.__file__, "was_cached": was_cached, "hits": hits, "misses": misses,
                  "ones": int(out.sum())}))
"""
ORIGINAL, EDITED = "part[i] = numbers[i]", "part[i] = 0"  # every number drawn is 0: everything is masked


@pytest.fixture
def checkout(tmp_path):
    """A copy of the package with nothing but its kernels, and an empty cache."""
    package = tmp_path / "copy" / "stacked"
    (package / "kernels").mkdir(parents=True)
    for source, target in ((stacked, package), (kernels, package / "kernels")):
        for path in Path(source.__file__).parent.glob("*.py"):
            shutil.copy(path, target)
    return tmp_path / "copy"


def _run(checkout):
    environment = {**os.environ, "PYTHONPATH": str(checkout), "NUMBA_CACHE_DIR": str(checkout.parent / "cache")}
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=checkout, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert result.pop("file").startswith(str(checkout))
    return result


def test_stale_compiled_code_is_impossible(checkout):
    first = _run(checkout)
    assert 0 < first["ones"] < 64
    assert first == {"was_cached": False, "hits": 0, "misses": 1, "ones": first["ones"]}
    assert _run(checkout) == {"was_cached": True, "hits": 1, "misses": 0, "ones": first["ones"]}

    helper = checkout / "stacked" / "kernels" / "random.py"
    text = helper.read_text()
    assert ORIGINAL in text
    stamp = helper.stat()
    helper.write_text(text.replace(ORIGINAL, EDITED))
    os.utime(helper, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # not even the time of the change gives it away
    assert _run(checkout) == {"was_cached": False, "hits": 0, "misses": 1, "ones": 0}
