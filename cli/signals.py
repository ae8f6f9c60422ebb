"""SIGINT and SIGTERM, as an exception that unwinds the command and as a note that outlives it.

Python drops what a handler raises while ``__del__`` or a callback from C runs. The note is what a loop looks at, so that such a
signal is late but never lost.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


class Signals:
    """The signal that has arrived, if one has."""

    def __init__(self) -> None:
        self.arrived: int | None = None

    def receive(self, number: int, frame: Any) -> None:
        """The handler."""
        self.arrived = number
        raise Interrupted(number)

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived."""
        if self.arrived is not None:
            raise Interrupted(self.arrived)


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
    before = [signal.signal(number, handler) for number in STOPS]
    try:
        yield
    finally:
        for number, previous in zip(STOPS, before, strict=True):
            signal.signal(number, previous)
