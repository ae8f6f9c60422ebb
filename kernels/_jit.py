"""Compilation flags, chosen in this one file, and kernels that call each other by symbol.

Numba compiles whatever a kernel calls into that kernel once more, which for the fused trainers takes minutes. A function that is
`linked` is compiled once, for one signature, and called by the name of a symbol, as C does it. What only kernels call is compiled
without the code that unpacks Python's arguments, which is most of a small function.

That, the cache and the engine's own LLVM code stand on interfaces which Numba calls private. They are used with the versions
that were tested; with any other, kernels run plain, on one thread and uncached: slower, and right.
"""

import inspect
import logging
import re
from collections.abc import Callable
from functools import cache, cached_property, update_wrapper
from typing import Any

import numba
import numpy as np
from llvmlite.binding import add_symbol
from numba import njit
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.types import Array, intp, none, unliteral
from numba.core.typing import signature
from numba.extending import lower_builtin, type_callable

OLDEST, NEWEST = (0, 60), (0, 68)  # of the versions of Numba that the tests passed with


def is_tested(version: str) -> bool:
    """Whether a version of Numba, to its second number, is among those that the tests passed with."""
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    return OLDEST <= tuple(numbers[:2]) <= NEWEST


TESTED = is_tested(numba.__version__)
if not TESTED:
    logging.getLogger("stacked.numba").warning(
        "Numba %s is not among the versions that were tested (%d.%d to %d.%d): kernels run plain, on one thread, and are compiled "
        "at every start; pip install 'numba>=%d.%d,<%d.%d'",
        numba.__version__, *OLDEST, *NEWEST, *OLDEST, NEWEST[0], NEWEST[1] + 1,
    )  # fmt: skip

# "contract" (fused multiply-add) is the only liberty: no reordering of sums, and NaN and infinity keep their meaning.
# error_model="numpy" drops the zero-division branch that would keep loops from being vectorised.
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def runs_in_panels(dtype: np.dtype) -> bool:
    """Whether the engine serves this dtype; the plain kernels serve any."""
    return TESTED and dtype == np.float32


def jit(function: Callable) -> Any:
    """Compile a kernel that runs on the calling thread, without the GIL, and is cached on disk."""
    return _compiled(function, False)


def parallel_jit(function: Callable) -> Any:
    """Compile a kernel whose ``prange`` loops run on all threads of the current limit.

    Loop fusion is off: Numba does not see that neighbouring loops share data through a product.
    """
    return _compiled(function, True)


def _compiled(function: Callable, parallel: bool) -> Any:
    """The kernel for Python, and for other kernels another of the same code."""
    if not TESTED:
        return njit(**_FLAGS)(function)
    kernel = _dispatcher(function, parallel, False)

    @cache
    def inner() -> Any:
        return _dispatcher(function, parallel, True)

    def template_for(args: tuple, kws: dict) -> Any:
        """A kernel that is called with a constant is not compiled for that constant."""
        return inner().get_call_template(tuple(map(unliteral, args)), {name: unliteral(kws[name]) for name in kws})

    kernel.inner, kernel.get_call_template = inner, template_for
    kernel.get_overload = lambda signature: inner().get_overload(signature)
    return kernel


def _dispatcher(function: Callable, parallel: bool, inner: bool) -> Any:
    """A kernel, cached on disk; an ``inner`` one cannot be called from Python.

    Each gets flags of its own, because Numba empties the parallel ones.
    """
    from ._cache import cache_for

    parallel_flags = {"parallel": {"fusion": False}} if parallel else {}
    kernel = njit(**_FLAGS, **parallel_flags, no_cfunc_wrapper=True, no_cpython_wrapper=inner)(function)
    kernel._cache = cache_for(function, _link_needed, inner)
    return kernel


class Linked:
    """A kernel of one signature that other kernels call through a symbol. From Python it is called like any other.

    As with any other, what either needs is there from its first call on.
    """

    def __init__(self, function: Callable, types: tuple, parallel: bool, suffix: str = ""):
        self.types, self.py_func, self._parallel = types, function, parallel
        self.symbol = f"stacked.{function.__module__}.{function.__name__}{suffix}"
        self._result: Any = None
        update_wrapper(self, function)
        self._register()

    def __call__(self, *args: Any) -> Any:
        return self.kernel(*args)

    @cached_property
    def kernel(self) -> Any:
        """What Python calls."""
        return _dispatcher(self.py_func, self._parallel, False)

    @cached_property
    def inner(self) -> Any:
        """What `link` compiles."""
        return _dispatcher(self.py_func, self._parallel, True)

    def link(self) -> Any:
        """Load the kernel from the cache or compile it, and tell the linker its address; what the compiler knows about it."""
        with _link_lock:
            if self._result is None:
                self.inner.compile(self.types)
                result = self.inner.overloads[self.types]
                add_symbol(self.symbol, result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
                self._result = result
        return self._result

    @property
    def address(self) -> int:
        """Where the kernel's code begins, for a `Step`."""
        result = self.link()
        return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))

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
            kind = context.call_conv.get_function_type(sig.return_type, sig.args)
            callee = cgutils.get_or_insert_function(builder.module, kind, self.symbol)
            return _emit_call(context, builder, callee, sig.return_type, sig.args, args)


class Step:
    """A call of a kernel without a result that is known by its address, an intp, the first argument.

    The others have the types of one of the ``signatures``, of which each has a dtype of its own. Such a kernel is compiled when its
    address is asked for (`Linked.address`), so that nobody waits for what his network has not.
    """

    def __init__(self, *signatures: tuple):
        self.__name__, self.signatures = "step", signatures
        self._register()

    def __call__(self, *args: Any) -> Any:
        raise TypeError("only a kernel can call one by its address")

    def _register(self) -> None:
        @type_callable(self)
        def type_call(context: Any) -> Callable:
            def typer(*args: Any) -> Any:
                given = [kind for kind in args[1:] if isinstance(kind, Array)]
                for types in self.signatures:
                    if given == [kind for kind in types if isinstance(kind, Array)]:
                        return signature(none, intp, *types)
                return None

            names = ["address", *(f"argument_{number}" for number in range(len(self.signatures[0])))]
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            typer.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
            return typer

        for types in self.signatures:
            lower_builtin(self, intp, *types)(self._emit)

    @staticmethod
    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = context.call_conv.get_function_type(none, sig.args[1:])
        callee = builder.inttoptr(args[0], kind.as_pointer())
        return _emit_call(context, builder, callee, none, sig.args[1:], args[1:])


def step(*signatures: tuple) -> Any:
    """A `Step`; with a version of Numba that was not tested what kernels can call in its place, though in vain."""
    if TESTED:
        return Step(*signatures)

    @njit(**_FLAGS)
    def unavailable(address, *arguments):
        raise RuntimeError("layers on maps need a version of Numba that was tested")

    return unavailable


def _emit_call(context: Any, builder: Any, callee: Any, returned: Any, types: Any, args: Any) -> Any:
    """Call compiled code by Numba's own convention; an error of it is passed on."""
    convention = context.call_conv
    status, answer = convention.call_function(builder, callee, returned, types, args)
    with cgutils.if_unlikely(builder, status.is_error):
        convention.return_status_propagate(builder, status)
    return answer


_linked: list[Linked] = []
# The compiler holds its lock when it asks for a kernel: with a lock of our own, two threads could wait for each other.
_link_lock = global_compiler_lock


def _link_needed(payload: Any) -> None:
    """Link the kernels whose symbols occur in the object code of a cached kernel, before that is loaded."""
    try:
        code = bytes(payload[0][2][0])
    except (TypeError, IndexError, KeyError):  # another version of Numba: none may be missing
        code = None
    for kernel in _linked:
        if code is None or kernel.symbol.encode() + b"\0" in code:
            kernel.link()


def linked(*types: Any, parallel: bool = False) -> Callable[[Callable], Any]:
    """Compile a kernel once, for arguments of these Numba types, and let other kernels call it by symbol."""

    def decorate(function: Callable) -> Any:
        if not TESTED:
            return jit(function)
        kernel = Linked(function, types, parallel)
        _linked.append(kernel)
        return kernel

    return decorate
