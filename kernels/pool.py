"""The threads that carry out parallel regions.

Numba leaves a parallel loop to a function of its thread pool, ``numba_parallel_for``. Compiled code finds another one here, made
for regions of some ten to some hundred microseconds that follow each other closely:

- Threads that wait look again and again for some ten microseconds before they sleep, and do not look while that was in vain
  lately, as it is where another process wants the core. Threads that always sleep cost up to a quarter of an epoch's time;
  threads that always look cost more as soon as another process is busy.
- Every thread has its own part of a loop's range, always the same: what it wrote in one region is in its core's cache when it
  reads it in the next. It takes pieces that become smaller from the beginning, and when none is left takes from the end of what
  others have. So nobody waits for a thread that has not come, and the caller does all the work where the others get no core.
- One region runs at a time. A second caller, or a loop inside a loop, carries out its range by itself.
- Threads start with the first region that asks for several, in the child of a fork anew.

No result depends on any of it: kernels cut no sum by the number of threads.

The code, `pool.ll`, is in LLVM's language, for atomic operations and for a start within milliseconds; threads are POSIX's. Where
there are none (Windows), Numba's own pool stays. Compiled code reaches the pool through symbols of the process, which a user's own
parallel loops find too if they are loaded later: it serves any of Numba's, reductions and universal functions included.
"""

import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from ctypes import CDLL, CFUNCTYPE, c_int64, c_void_p
from importlib import import_module
from pathlib import Path
from threading import RLock

import numba
from llvmlite import binding, ir
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


def max_threads() -> int:
    """Most threads the compiled kernels can use in this process (set by NUMBA_NUM_THREADS before the start)."""
    return int(numba.config.NUMBA_NUM_THREADS)


class Pool:
    """The pool of this process, and that of a child after a fork, where threads do not survive."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._connected = False
        self._reset: Callable[[int], int] | None = None

    @property
    def exclusive(self) -> bool:
        """Whether only one Python thread may run kernels at a time."""
        return self._reset is None and numba.threading_layer() == "workqueue"

    def connect(self) -> None:
        """Make sure that code which is linked from now on finds this pool. Two would give two threads one number."""
        if not self._connected:
            with self.lock:
                numba.get_num_threads()  # loads Numba's pool, of which all else is used
                if os.name == "posix" and self._reset is None:
                    self._reset = _publish()
                self._connected = True

    def forked(self) -> None:
        """In the child of a fork: threads are gone, and so is whoever held a lock."""
        self.lock = RLock()
        if self._reset is not None:
            self._reset(0)


POOL = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forked)

_FUNCTION = CFUNCTYPE(c_int64, c_int64)  # what Python calls of the pool's code


def _publish() -> Callable[[int], int]:
    """Give compiled code the symbols of a pool; the function that resets it."""
    addresses = compiled(max_threads())
    library = import_module(
        "numba.np.ufunc." + {"omp": "omppool", "tbb": "tbbpool"}.get(numba.threading_layer(), "workqueue")
    )
    c_int64.from_address(addresses["set_num_threads"]).value = library.set_num_threads
    for symbol, name in (("numba_parallel_for", "parallel_for"), ("get_thread_id", "get_thread_id")):
        binding.add_symbol(symbol, addresses[name])
    return _FUNCTION(addresses["reset"])


def compiled(seats: int) -> dict[str, int]:
    """Where the functions and variables of a pool of ``seats`` threads lie, by name. Its threads have not started.

    Workers are told the limit on threads by the function whose address is in ``set_num_threads``.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(_text(seats))
    functions = [function.name for function in module.functions if not function.is_declaration]
    variables = [variable.name for variable in module.global_variables]
    engine = binding.create_mcjit_compiler(module, binding.Target.from_default_triple().create_target_machine())
    engine.finalize_object()
    addresses = {name: engine.get_function_address(name) for name in functions}
    addresses |= {name: engine.get_global_value_address(name) for name in variables}
    engine.detach()  # never freed: its threads run until the process ends
    _set_up(addresses)
    return addresses


def _text(seats: int) -> str:
    """The code, as this system needs it."""
    key = "i64" if sys.platform == "darwin" else "i32"
    words = {"SEATS": seats, "KEY": key, "SIG_BLOCK": signal.SIG_BLOCK.value, "SIG_SETMASK": signal.SIG_SETMASK.value}
    text = Path(__file__).with_name("pool.ll").read_text()
    for word, meaning in words.items():
        text = text.replace(word, str(meaning))
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")  # others have no such instruction
    return "\n".join(line for line in text.splitlines() if on_x86 or "sse2.pause" not in line)


def _set_up(addresses: dict[str, int]) -> None:
    """Give a pool's variables their values."""
    for name in ("make_key", "reset"):
        _FUNCTION(addresses[name])(0)
    patience = int(SPIN_MICROSECONDS * _looks_a_microsecond(_FUNCTION(addresses["look"])))
    c_int64.from_address(addresses["patience"]).value = patience
    library, blocked = CDLL(None), c_void_p(addresses["blocked"])
    library.sigfillset(blocked)
    for name in _FAULTS:
        if hasattr(signal, name):
            library.sigdelset(blocked, getattr(signal, name).value)


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
