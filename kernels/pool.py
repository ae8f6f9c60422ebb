"""The threads that carry out parallel regions.

Numba leaves a parallel loop to a function of its thread pool, ``numba_parallel_for``. Compiled code finds another one here, made
for regions of some ten to some hundred microseconds that follow each other closely:

- Threads that wait look again and again for some ten microseconds before they sleep, and do not look while that was in vain
  lately, as it is where another process wants the core. Threads that always sleep cost up to a quarter of an epoch's time;
  threads that always look cost more as soon as another process is busy.
- A loop's range is given out in pieces that become smaller, to whoever comes. Nobody waits for a thread that has not come, so
  the caller does all the work where the others get no core.
- One region runs at a time. A second caller, or a loop inside a loop, carries out its range by itself.

No result depends on any of it: kernels never split a sum among threads.

The code, `pool.ll`, is in LLVM's language, for atomic operations and for a start within milliseconds; threads are POSIX's. Where
there are none (Windows), Numba's own pool stays. Compiled code reaches the pool through symbols of the process, which a user's own
parallel loops find too if they are loaded later: it serves any of Numba's, reductions and universal functions included.
"""

import os
import platform
import signal
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int64
from importlib import import_module
from pathlib import Path
from threading import RLock

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

SPIN_MICROSECONDS = 50  # that a thread looks for work before it sleeps
_FAULTS = (
    "SIGSEGV",
    "SIGBUS",
    "SIGILL",
    "SIGFPE",
    "SIGTRAP",
    "SIGSYS",
    "SIGABRT",
)  # meant for the thread that they happen in
_SEATS = int(numba.config.NUMBA_NUM_THREADS)  # of threads: the caller's, number 0, and those of workers


class Pool:
    """The pool of this process, and that of a child after a fork, where threads do not survive: they are started anew."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._connected = self._started = False
        self._functions: dict[str, Callable[[int], int]] = {}

    @property
    def exclusive(self) -> bool:
        """Whether only one Python thread may run kernels at a time."""
        return not self._functions and numba.threading_layer() == "workqueue"

    def connect(self) -> None:
        """Make sure that code which is linked from now on finds this pool. Two would give two threads one number."""
        if not self._connected:
            with self.lock:
                numba.get_num_threads()  # loads Numba's pool, of which all else is used
                if os.name == "posix" and not self._functions:
                    self._functions = _functions()
                self._connected = True

    def start(self) -> None:
        """Make sure that this very process has threads."""
        self.connect()
        with self.lock:
            if not self._started and self._functions:
                self._start()
            self._started = True

    def forked(self) -> None:
        """In the child of a fork: threads are gone, and so is whoever held a lock."""
        self.lock, self._started = RLock(), False
        if self._functions:
            self._functions["reset"](0)

    def _start(self) -> None:
        for_python = signal.valid_signals() - {getattr(signal, name) for name in _FAULTS if hasattr(signal, name)}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, for_python)
        try:
            self._functions["start"](_SEATS - 1)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


POOL = Pool()


def _code() -> str:
    lines = Path(__file__).with_name("pool.ll").read_text().replace("SEATS", str(_SEATS)).splitlines()
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")  # others have no such instruction
    return "\n".join(line for line in lines if on_x86 or "sse2.pause" not in line)


def _functions() -> dict[str, Callable[[int], int]]:
    """Functions of the pool's code that Python calls, once those that compiled code calls have their symbols."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(_code()), machine)
    engine.finalize_object()
    kind, names = CFUNCTYPE(c_int64, c_int64), ("make_key", "reset", "start", "look")
    functions: dict[str, Callable[[int], int]] = {name: kind(engine.get_function_address(name)) for name in names}
    functions["make_key"](0)
    functions["reset"](0)
    library = import_module(
        "numba.np.ufunc." + {"omp": "omppool", "tbb": "tbbpool"}.get(numba.threading_layer(), "workqueue")
    )
    c_int64.from_address(engine.get_global_value_address("set_num_threads")).value = library.set_num_threads
    patience = int(SPIN_MICROSECONDS * _looks_a_microsecond(functions["look"]))
    c_int64.from_address(engine.get_global_value_address("patience")).value = patience
    for symbol, name in (("numba_parallel_for", "parallel_for"), ("get_thread_id", "get_thread_id")):
        binding.add_symbol(symbol, engine.get_function_address(name))
    engine.detach()  # never freed: its threads run until the process ends
    return functions


def _looks_a_microsecond(look: Callable[[int], int]) -> float:
    """How often a waiting thread looks in a microsecond."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        look(4096)
        times.append(time.perf_counter() - started)
    return 4096e-6 / min(times)


@intrinsic
def thread_count(typing):
    """The current limit on threads, as `numba.get_num_threads` gives it, which a kernel on disk cannot call."""

    def code(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(types.intp.bitwidth), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "get_num_threads"), [])

    return types.intp(), code
