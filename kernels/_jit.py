"""Compilation flags, chosen in this one file, and a cache that cannot run stale code.

Numba's on-disk cache watches only the file that defines a function, so a cached kernel would keep calling the old body of
a helper that was edited or upgraded in another file. Here every cached kernel carries the digest of all kernel sources:
change any of them and every kernel is compiled anew.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

# "contract" (fused multiply-add) is the only liberty: no reordering of sums, and NaN and infinity keep their meaning.
# error_model="numpy" drops the zero-division branch that would keep loops from being vectorised.
_FLAGS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@cache
def source_digest() -> str:
    """SHA-256 over the names and contents of every kernel source file."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamp(kernel: Any) -> Any:
    """Replace the per-file stamp of a kernel's cache by the digest of all sources; without one, do not cache."""
    cache_file = getattr(kernel._cache, "_cache_file", None)
    if cache_file is not None and hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = source_digest()
    else:
        kernel._cache.disable()
    return kernel


def jit(function: Callable) -> Any:
    """Compile a kernel that runs on the calling thread, without the GIL, and is cached on disk."""
    return _stamp(njit(**_FLAGS)(function))


def parallel_jit(function: Callable) -> Any:
    """Compile a kernel whose ``prange`` loops run on all threads of the current limit.

    Loop fusion is off: Numba does not see that neighbouring loops share data through a product. Each function gets its own
    option dict, because Numba empties the one it is given.
    """
    return _stamp(njit(**_FLAGS, parallel={"fusion": False})(function))


def is_cached(kernel: Any, dtype: str) -> bool:
    """Whether a compilation of this kernel for arrays of ``dtype``, from these very sources, lies in the on-disk cache."""
    try:
        known = [*kernel.signatures, *kernel._cache._cache_file._load_index()]
        return any(f"rray({dtype}," in str(signature) for signature in known)  # "array(...)" or "Array(...)"
    except (AttributeError, OSError):
        return False
