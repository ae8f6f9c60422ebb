"""A pool whose bodies are functions of Python, which can wait for each other: who carries out what needs no clock.

A body's threads are the pool's: `threading` sees those of workers only while they are inside one.
"""

import os
import signal
import time
import warnings
from ctypes import CDLL, CFUNCTYPE, POINTER, addressof, c_int32, c_int64, c_void_p, cast
from threading import Event, Thread, get_ident

PATIENCE_S = 60  # for what comes at once, unless something is broken or the machine is very busy
_BODY = CFUNCTYPE(None, POINTER(c_void_p), c_void_p, c_void_p, c_void_p)
_REGION = CFUNCTYPE(None, *[c_void_p] * 5, *[c_int64] * 3)
_CALL, _NUMBER = CFUNCTYPE(None, c_int64), CFUNCTYPE(c_int32)


def wait_until(condition):
    """Wait until the condition holds; fail where it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


def holds_in_child(condition):
    """Whether the condition holds in the child of a fork; False where that hangs."""
    with warnings.catch_warnings():  # Python's own, of a fork beside threads, which is the point
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if condition() else 1)
        finally:
            os._exit(2)
    try:
        wait_until(lambda: os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    except AssertionError:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Team:
    """The threads of a pool, whose functions and variables lie at ``addresses``."""

    def __init__(self, addresses):
        self._addresses = addresses
        self.number = _NUMBER(addresses["get_thread_id"])
        self.parallel_for = _REGION(addresses["parallel_for"])
        self.told = []  # (number of a thread, limit that it was told)
        self._tell = _CALL(lambda limit: self.told.append((self.number(), limit)))

    def listen(self):
        """Have workers tell their limits here. The pool needs some function for that."""
        self.set("set_num_threads", cast(self._tell, c_void_p).value)

    def get(self, name, index=0):
        """One of a variable's numbers."""
        return c_int64.from_address(self._addresses[name] + 8 * index).value

    def set(self, name, value):
        """Give a variable a value."""
        c_int64.from_address(self._addresses[name]).value = value

    def call(self, name, number):
        """Call a function of the pool's."""
        _CALL(self._addresses[name])(number)

    def lock(self):
        """Take the lock under which threads go to sleep."""
        CDLL(None).pthread_mutex_lock(c_void_p(self._addresses["mutex"]))

    def unlock(self):
        """Give the lock back."""
        CDLL(None).pthread_mutex_unlock(c_void_p(self._addresses["mutex"]))

    def start(self, body, n, threads):
        """Carry out body(number) for every number below n on at most so many threads, for a Python thread of its own."""
        region = Region(self, body, n, threads)
        region.start()
        return region

    def run(self, body, n, threads):
        """`start`, and wait for the end: who carried out what, as [(number of the thread, number), ...]."""
        return self.start(body, n, threads).finish()

    def run_range(self, first, count, threads):
        """Carry out a loop without reductions over so many numbers: the pieces that were given out, as [(start, last), ...]."""
        n, pieces = threads, []  # Numba gives as many parts as there may be threads
        cuts = [first + count * part // n for part in range(n + 1)]
        bounds = [number for part in range(n) for number in (cuts[part], cuts[part + 1] - 1)]
        parts, dimensions, steps = (c_int64 * (2 * n))(*bounds), c_int64(n), c_int64(16)
        body = _BODY(lambda places, *_: pieces.append(tuple((c_int64 * 2).from_address(places[0]))))
        arguments = c_void_p(addressof(parts))
        places = [addressof(value) for value in (arguments, dimensions, steps)]
        self.parallel_for(cast(body, c_void_p), *places, None, 0, 1, threads)
        return sorted(pieces)


class Region(Thread):
    """A parallel loop on a team, of the kind that is given out number by number."""

    def __init__(self, team, body, n, threads):
        super().__init__(daemon=True)  # one that never ends keeps no test from failing
        self._team, self._body, self._n, self._threads = team, body, n, threads
        self._done, self._errors = [], []
        self.idents, self.ended = (
            set(),
            Event(),
        )  # Python's numbers of the threads that took part; whether the loop is over

    def run(self):
        """What the thread of the caller does."""
        numbers, dimensions, steps = (c_int64 * self._n)(*range(self._n)), c_int64(self._n), c_int64(8)
        arguments, function = c_void_p(addressof(numbers)), _BODY(self._carry_out)
        places = [addressof(value) for value in (arguments, dimensions, steps)]
        self._team.parallel_for(cast(function, c_void_p), *places, None, 0, 1, self._threads)
        self.ended.set()

    def finish(self):
        """Wait for the end."""
        assert self.ended.wait(PATIENCE_S), "the region never ends"
        self.join()
        for error in self._errors:
            raise error
        return self._done

    def _carry_out(self, places, *_):
        number = c_int64.from_address(places[0]).value
        self.idents.add(get_ident())
        try:
            self._body(number)
        except Exception as error:
            self._errors.append(error)
        self._done.append((self._team.number(), number))
