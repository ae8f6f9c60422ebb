"""SIGINT and SIGTERM, as an exception that unwinds the command and as a note that outlives it.

What a handler raises inside ``__del__`` is dropped by Python, and inside a callback from LLVM it crashes the process. There the
handler only takes the note and has itself called again a moment later. Should an exception be dropped elsewhere, the note
is what the loop of a training looks at: there a signal may be late but is never lost.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

RETRY_SECONDS = 0.05
_ALARM = getattr(signal, "SIGALRM", None)  # calls the handler again; where there is none, the note is all
_HANDLED = tuple(number for number in (signal.SIGINT, signal.SIGTERM, _ALARM) if number is not None)


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


class Signals:
    """The signal that has arrived, if one has."""

    def __init__(self) -> None:
        self.arrived: int | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if number != _ALARM:
            self.arrived = number
        if _may_raise(frame):
            self.check()
        else:
            _set_alarm(RETRY_SECONDS)

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived."""
        if self.arrived is not None:
            raise Interrupted(self.arrived)


def _may_raise(frame: FrameType | None) -> bool:
    """Whether an exception here reaches the command: no frame is a destructor's, a weak reference's, or of LLVM's bindings."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if frame.f_code.co_name == "__del__" or module.startswith("llvmlite.") or module in ("weakref", "_weakrefset"):
            return False
        frame = frame.f_back
    return True


def _set_alarm(seconds: float) -> None:
    if _ALARM is not None:
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def stopping() -> Iterator[Signals]:
    """Inside, SIGINT and SIGTERM raise Interrupted and are noted."""
    signals = Signals()
    with handling(signals.receive):
        yield signals


@contextmanager
def handling(handler: Callable[[int, Any], Any] | signal.Handlers) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM have this handler; only the main thread can change it, and elsewhere nothing does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, handler) for number in _HANDLED]
    try:
        yield
    finally:
        _set_alarm(0)
        for number, previous in zip(_HANDLED, before, strict=True):
            signal.signal(number, previous)
