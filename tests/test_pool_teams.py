"""How threads of the pool come together and part: pools of four beside the process's own, and bodies that wait for each other."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Event, get_native_id

import pytest
from llvmlite import binding

from stacked.kernels import pool

from .pool_teams import PATIENCE_S, Team, holds_in_child, wait_until

SEATS = 4
TASKS = Path("/proc/self/task")
AT_ONCE = 1  # looks before a thread sleeps
SLEEPS, LOOKS = "waiting threads sleep", "waiting threads look"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Numba's own pool stays where there are no POSIX threads")


@pytest.fixture
def team():
    made = Team(pool.compiled(SEATS))
    made.listen()
    return made


@pytest.fixture(params=[SLEEPS, LOOKS])
def patient_team(team, request):
    """A team whose threads sleep at once where they wait, and one whose threads look for some time."""
    team.set("patience", AT_ONCE if request.param == SLEEPS else _looks(team, 0.02))
    return team


def _looks(team, seconds):
    """How often a new team's threads look in so many seconds, which take more where others want the core."""
    return int(team.get("patience") * seconds * 1e6 / pool.SPIN_MICROSECONDS)


def _meet(team, threads):
    """The numbers of so many threads of a team that are in one region at once."""
    together = Barrier(threads)
    return sorted(thread for thread, _ in team.run(lambda number: together.wait(PATIENCE_S / 2), threads, threads))


@pytest.mark.parametrize("threads", range(2, SEATS + 1))
def test_as_many_threads_as_asked_for_take_part_each_under_its_number(patient_team, threads):
    for _ in range(20):
        assert _meet(patient_team, threads) == list(range(threads))


@pytest.mark.parametrize("threads", range(2, SEATS + 1))
def test_workers_are_told_the_limit_before_they_work(team, threads):
    together = Barrier(threads)

    def body(number):
        together.wait(PATIENCE_S)
        assert team.number() == 0 or (team.number(), threads) in team.told

    team.run(body, threads, threads)
    assert sorted(team.told) == [(worker, threads) for worker in range(1, threads)]


@pytest.mark.parametrize("threads", range(2, SEATS + 1))
@pytest.mark.parametrize("n", [SEATS, 23])
def test_every_thread_has_its_own_part_of_a_range(patient_team, threads, n):
    together, parts = Barrier(threads), [range(n * t // threads, n * (t + 1) // threads) for t in range(threads)]

    def body(number):
        if number in [part[0] for part in parts]:  # nobody takes from others before all have begun
            together.wait(PATIENCE_S)
        time.sleep(0.001)

    done = patient_team.run(body, n, threads)
    firsts = {thread: next(number for who, number in done if who == thread) for thread in range(threads)}
    assert firsts == {thread: part[0] for thread, part in enumerate(parts)}
    assert sorted(number for _, number in done) == list(range(n))


@pytest.mark.parametrize("threads", range(2, SEATS + 1))
def test_what_a_thread_does_not_come_to_is_done_by_others(patient_team, threads):
    together, all_else, n = Barrier(threads), Event(), 4 * threads
    rest, late = set(range(n)), n - 4  # the first of the last thread's

    def body(number):
        if number % 4 == 0:
            together.wait(PATIENCE_S)
        rest.discard(number)
        if rest <= {late}:
            all_else.set()
        if number == late:
            assert all_else.wait(PATIENCE_S)

    done = patient_team.run(body, n, threads)
    assert sorted(number for _, number in done) == list(range(n))
    assert [number for thread, number in done if thread == threads - 1] == [late]


def test_nobody_waits_for_a_thread_that_has_not_begun(team):
    team.set("patience", _looks(team, 2 * PATIENCE_S))
    team.set("workers", 1)  # which was never started
    assert team.run(lambda number: None, 6, 2) == [(0, number) for number in (0, 1, 2, 5, 4, 3)]


def test_the_last_piece_of_a_thread_that_has_begun_is_left_to_it():
    team = Team(pool.compiled(2))  # with no more threads than needed, which go on looking after the test
    team.listen()
    team.set("patience", _looks(team, 2))
    together, first_is_done = Barrier(2), Event()

    def body(number):
        if number in (0, 2):
            together.wait(PATIENCE_S)
        if number == 1:
            first_is_done.set()
        if number == 2:
            assert first_is_done.wait(PATIENCE_S)
            time.sleep(0.05)  # long enough for the caller, which has nothing else to do

    assert sorted(team.run(body, 4, 2)) == [(0, 0), (0, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("first, count", [(5, 1), (0, 7), (-3, 1000), (0, (1 << 30) + 1), (11, 3 * (1 << 40) + 17)])
@pytest.mark.parametrize("threads", [2, 3])
def test_ranges_of_any_length_are_given_out_whole(team, first, count, threads):
    pieces = team.run_range(first, count, threads)
    assert pieces[0][0] == first and pieces[-1][1] == first + count - 1
    assert all(last + 1 == start for (_, last), (start, _) in pairwise(pieces))


@pytest.mark.parametrize("threads", [2, SEATS])
def test_a_region_ends_after_the_last_body_of_a_worker(patient_team, threads):
    together, early = Barrier(threads + 1), []

    def body(number):
        together.wait(PATIENCE_S)
        if patient_team.number():
            early.append(region.ended.wait(0.2))

    region = patient_team.start(body, threads, threads)
    together.wait(PATIENCE_S)
    assert len(region.finish()) == threads
    assert early == [False] * (threads - 1)


@pytest.mark.parametrize("threads", [2, SEATS])
def test_a_caller_that_sleeps_is_woken_by_the_last_worker(team, threads):
    team.set("patience", AT_ONCE)
    together = Barrier(threads)

    def body(number):
        together.wait(PATIENCE_S)
        if team.number():
            wait_until(lambda: team.get("sleeping", 0))

    assert len(team.run(body, threads, threads)) == threads


def test_a_second_caller_carries_out_its_region_by_itself(team):
    together, go_on = Barrier(3), Event()

    def stay(number):
        together.wait(PATIENCE_S)
        assert go_on.wait(PATIENCE_S)

    first = team.start(stay, 2, 2)
    together.wait(PATIENCE_S)
    second = team.start(lambda number: time.sleep(0.01), 20, SEATS)  # long enough for workers that are free
    done = second.finish()
    assert second.idents == {second.ident} and sorted(done) == [(0, number) for number in range(20)]
    assert not first.ended.is_set()
    go_on.set()
    assert sorted(number for _, number in first.finish()) == [0, 1]


def test_a_worker_beyond_the_limit_stays_out_even_when_something_wakes_it(team):
    team.set("patience", AT_ONCE)
    _meet(team, SEATS)
    wait_until(lambda: all(team.get("sleeping", worker) for worker in range(1, SEATS)))

    def body(number):
        for worker in (2, 3):
            team.call("rouse", worker)
        time.sleep(0.01)

    done = team.run(body, 20, 2)
    assert sorted(number for _, number in done) == list(range(20)) and {thread for thread, _ in done} <= {0, 1}


def test_a_thread_that_looked_in_vain_skips_looking_for_one_three_and_seven_waits(team):
    half_a_second = _looks(team, 0.5)
    team.set("patience", AT_ONCE)

    def region(rest):
        together = Barrier(2)

        def body(number):
            together.wait(PATIENCE_S)
            if team.number():
                rest()

        team.run(body, 2, 2)
        return team.get("failures"), team.get("skipped")

    in_vain = [region(lambda: wait_until(lambda: team.get("sleeping", 0))) for _ in range(8)]
    assert in_vain == [(1, 0), (2, 1), (2, 0), (3, 3), (3, 2), (3, 1), (3, 0), (4, 7)]

    team.set("patience", half_a_second)
    wait_until(lambda: region(lambda: time.sleep(0.01)) == (0, 0))  # looked with success: forgiven


@pytest.mark.skipif(not TASKS.is_dir(), reason="signals that a thread blocks are read from Linux's /proc")
def test_signals_reach_no_worker_but_those_of_its_own_faults(team):
    together, mine, blocked = Barrier(SEATS), [], {}

    def body(number):
        together.wait(PATIENCE_S)
        if team.number():
            status = (TASKS / str(get_native_id()) / "status").read_text()
            mask = int(status.partition("SigBlk:")[2].split()[0], 16)
            blocked[team.number()] = {number for number in signal.valid_signals() if mask >> (number - 1) & 1}
        else:
            mine.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

    team.run(body, SEATS, SEATS)
    faults = {signal.Signals[f"SIG{name}"] for name in ["SEGV", "BUS", "ILL", "FPE", "TRAP", "SYS", "ABRT"]}
    for_python = signal.valid_signals() - faults - {signal.SIGKILL, signal.SIGSTOP}
    assert blocked == {worker: for_python for worker in range(1, SEATS)}
    assert mine == [signal.pthread_sigmask(signal.SIG_BLOCK, [])]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_after_a_reset_in_a_child_nothing_is_left_of_threads_regions_and_locks(team):
    team.set("patience", AT_ONCE)
    _meet(team, SEATS)
    wait_until(lambda: all(team.get("sleeping", worker) for worker in range(1, SEATS)))
    together, go_on = Barrier(3), Event()

    def stay(number):
        if number < 2:  # and nobody comes for the third
            together.wait(PATIENCE_S)
        assert go_on.wait(2 * PATIENCE_S)

    def meets():
        team.call("reset", 0)
        team.call("start", 0)
        time.sleep(0.05)  # workers could find what is left
        return all(_meet(team, SEATS) for _ in range(10))

    region = team.start(stay, 3, 2)
    together.wait(PATIENCE_S)
    team.lock()
    try:
        assert holds_in_child(meets)
    finally:
        team.unlock()
        go_on.set()
    assert len(region.finish()) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.skipif(pool.max_threads() < 2, reason="one thread in this process")
def test_a_child_has_threads_again_whatever_its_parent_was_doing():
    pool.POOL.connect()
    symbols = {"parallel_for": "numba_parallel_for", "get_thread_id": "get_thread_id"}
    team = Team({name: binding.address_of_symbol(symbol) for name, symbol in symbols.items()})
    together, go_on = Barrier(3), Event()

    def stay(number):
        together.wait(PATIENCE_S)
        assert go_on.wait(2 * PATIENCE_S)

    region = team.start(stay, 2, 2)
    together.wait(PATIENCE_S)
    try:
        assert holds_in_child(lambda: _meet(team, 2))
    finally:
        go_on.set()
    assert len(region.finish()) == 2
