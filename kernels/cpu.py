"""What the CPU offers this process: cores, threads, and products that use one thread per call.

Everything that is specific to Linux lives in this file and has a fallback.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from ctypes import CDLL, c_long
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numba

from ._jit import TESTED
from .pool import POOL, max_threads


def available_cores() -> int:
    """Number of cores this process may use: its affinity, capped by the control group's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(affinity, _quota_cores() or affinity))


def _quota_cores() -> int | None:
    """Whole cores granted by cgroup v2 ``cpu.max`` or v1 ``cpu.cfs_*``, or None without a limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            folder = Path("/sys/fs/cgroup/cpu")
            quota, period = (folder / "cpu.cfs_quota_us").read_text(), (folder / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return max(1, int(quota) // int(period)) if int(quota) > 0 else None
    except ValueError:  # "max": no limit
        return None


def permit_amx() -> bool:
    """Ask the system to keep the state of AMX tiles for this process and its children; False where it refuses.

    Linux wants to be asked, once a process (arch_prctl, "XSTATE permissions"); other systems are not known.
    """
    if sys.platform != "linux":
        return False
    request, tile_data = 0x1023, 18  # ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return CDLL(None).syscall(c_long(158), c_long(request), c_long(tile_data)) == 0


class _SingleThreadedBlas:
    """Holds every BLAS library of the process to one thread while anyone is inside.

    The limit is the libraries' own, for the whole process: it is set by whoever enters, whatever their Python thread, and lifted
    when the last one leaves. threadpoolctl finds the libraries; its own context manager would obey one Python thread only.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._owed = Lock(), 0, False
        self._before: list[tuple[Any, int]] = []

    def __enter__(self) -> None:
        with self._lock:
            libraries = _blas_libraries()
            if self._inside == 0 and not self._owed:
                self._before = [(library, library.num_threads) for library in libraries]
            self._inside, self._owed = self._inside + 1, False
            try:
                for library in libraries:
                    _set_threads(library, 1)
            except BaseException:
                self._leave()
                raise

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._leave()

    def forked(self) -> None:
        """In the child of a fork, where nobody is inside: the next to leave gives BLAS its threads back."""
        self._lock, self._owed, self._inside = Lock(), self._owed or self._inside > 0, 0

    def _leave(self) -> None:
        self._inside = max(0, self._inside - 1)
        if self._inside == 0:
            for library, count in self._before:
                _set_threads(library, count)


_single_threaded_blas = _SingleThreadedBlas()


@cache
def _blas_libraries() -> list[Any]:
    """Controllers of the BLAS libraries in this process, SciPy's among them."""
    import scipy.linalg.cython_blas  # noqa: F401  (the library that products call)
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def _set_threads(library: Any, count: int) -> None:
    getattr(library, "_real_set_num_threads", library.set_num_threads)(count)
    if count == 1 and library.num_threads not in (1, None):
        raise RuntimeError(f"{library.filepath}: cannot hold BLAS to one thread, on which equal results depend")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_single_threaded_blas.forked)


@contextmanager
def thread_limit(n_threads: int | None) -> Iterator[int]:
    """Run kernels on ``n_threads`` threads (None: all available cores) inside the ``with`` block.

    BLAS is held to one thread for the time being: kernels split their products into tiles whose shapes do not depend on
    the number of threads, so the result does not either. Where the thread pool can only serve one caller (without OpenMP, or in a
    forked process), other Python threads wait here.
    """
    if not TESTED:  # kernels that run on the calling thread need no pool
        with _single_threaded_blas:
            yield 1
        return
    count = min(available_cores(), max_threads()) if n_threads is None else n_threads
    POOL.connect()
    with POOL.lock if POOL.exclusive else nullcontext():
        before = numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            with _single_threaded_blas:
                yield count
        finally:
            numba.set_num_threads(before)
