"""Compilation flags, chosen in this one file, and a cache that cannot run stale code.

Numba's on-disk cache watches only the file that defines a function, so a cached kernel would keep calling the old body of
a helper that was edited or upgraded in another file. Here every cached kernel carries the digest of all kernel sources:
change any of them and every kernel is compiled anew.

Numba compiles whatever a kernel calls into that kernel once more, which for the fused trainers takes minutes. A function that is
`linked` is compiled once, for one signature, and called by the name of a symbol, as C does it.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache, update_wrapper
from pathlib import Path
from threading import RLock
from typing import Any

from llvmlite.binding import add_symbol
from numba import njit
from numba.core import cgutils
from numba.core.typing import signature
from numba.extending import lower_builtin, type_callable

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
    load_index, rebuild = cache_file._load_index, kernel._cache._impl.rebuild

    def load_readable_index() -> Any:
        try:
            return load_index()
        except (AttributeError, ImportError):  # written by another version, whose types have moved since
            return {}

    def link_and_rebuild(context: Any, payload: Any) -> Any:
        _link_needed(payload)
        return rebuild(context, payload)

    cache_file._load_index, kernel._cache._impl.rebuild = load_readable_index, link_and_rebuild
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


class Linked:
    """A kernel of one signature that other kernels call through a symbol. From Python it is called like any other."""

    def __init__(self, kernel: Any, types: tuple):
        self.kernel, self.types, self.py_func = kernel, types, kernel.py_func
        self.symbol = f"stacked.{kernel.py_func.__module__}.{kernel.py_func.__name__}"
        self._result: Any = None
        update_wrapper(self, kernel.py_func)
        self._register()

    def __call__(self, *args: Any) -> Any:
        return self.kernel(*args)

    def link(self) -> Any:
        """Load the kernel from the cache or compile it, and tell the linker its address; what the compiler knows about it."""
        with _link_lock:
            if self._result is None:
                self.kernel.compile(self.types)
                result = self.kernel.overloads[self.types]
                add_symbol(self.symbol, result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
                self._result = result
        return self._result

    def _register(self) -> None:
        """Teach Numba the type of a call and the code for it."""

        @type_callable(self)
        def type_call(context: Any) -> Callable:
            def typer(*args: Any) -> Any:
                return signature(self.link().signature.return_type, *self.types)

            typer.__signature__ = inspect.signature(self.py_func)  # type: ignore[attr-defined]
            return typer

        @lower_builtin(self, *self.types)
        def code_call(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            convention = context.call_conv
            kind = convention.get_function_type(sig.return_type, sig.args)
            callee = cgutils.get_or_insert_function(builder.module, kind, self.symbol)
            status, answer = convention.call_function(builder, callee, sig.return_type, sig.args, args)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return answer


_linked: list[Linked] = []
_link_lock = RLock()


def _link_needed(payload: Any) -> None:
    """Link the kernels whose symbols occur in the object code of a cached kernel, before that is loaded."""
    try:
        code = bytes(payload[0][2][0])
    except (TypeError, IndexError, KeyError):  # another version of Numba: none may be missing
        code = None
    for kernel in _linked:
        if code is None or kernel.symbol.encode() + b"\0" in code:
            kernel.link()


def linked(*types: Any, parallel: bool = False) -> Callable[[Callable], Linked]:
    """Compile a kernel once, for arguments of these Numba types, and let other kernels call it by symbol."""

    def decorate(function: Callable) -> Linked:
        kernel = Linked((parallel_jit if parallel else jit)(function), types)
        _linked.append(kernel)
        return kernel

    return decorate


def is_cached(kernel: Any, dtype: str) -> bool:
    """Whether a compilation of this kernel for arrays of ``dtype``, from these very sources, lies in the on-disk cache.

    A function that chooses among kernels by dtype says so in its ``kernels``.
    """
    kernel = getattr(kernel, "kernels", {}).get(dtype, kernel)
    kernel = getattr(kernel, "kernel", kernel)  # of a linked one
    try:
        known = [*kernel.signatures, *kernel._cache._cache_file._load_index()]
        return any(f"rray({dtype}," in str(signature) for signature in known)  # "array(...)" or "Array(...)"
    except (AttributeError, OSError):
        return False
