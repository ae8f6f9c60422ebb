"""The number of threads leaves no trace: training ends with the same bits on one, two, three and four."""

import copy
import hashlib
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numba
import numpy as np
import pytest

from stacked.kernels import backprop, cpu, rbm
from stacked.kernels.arithmetic.losses import CROSS_ENTROPY
from stacked.kernels.arithmetic.objective import Objective

from .cases_elementwise import corruption_of, key, samples_of, update_of
from .cases_machines import carried, machine_of, machine_params
from .cases_products import dense_network, dense_params

FLOAT32 = np.dtype(np.float32)
REPETITIONS = 3
# (n_visible, n_hidden, rows, batch): the second has products of several tiles in rows and in columns, the third sums in two parts.
SHAPES = {"small": (37, 21, 50, 8), "several tiles": (530, 300, 1030, 520), "two parts": (530, 300, 130, 40)}
PLAIN = ("dense", "rbm", "persistent rbm", "sparse rbm")
TRAINERS = (*PLAIN, "untied dense", *(f"bfloat16 {trainer}" for trainer in PLAIN))
NAMES = [
    f"{trainer} {shape}" for trainer in TRAINERS for shape in ("small", "several tiles") if trainer != "untied dense"
]
NAMES += [f"{trainer} two parts" for trainer in (*PLAIN, "untied dense")]  # in float32 alone


def _dense_args(n_visible, n_hidden, n, batch_size, bfloat16, tied):
    table, n_weights, n_params = dense_network((n_visible, n_hidden, n_visible), ("sigmoid", "sigmoid"), tied)
    params = dense_params(FLOAT32, 1, table, n_weights, n_params)
    objective = Objective(CROSS_ENTROPY, corruption_of("masking"), n_weights)
    rows = np.arange(n)[::-1].copy()
    flat = np.zeros((2, n_params), FLOAT32)
    args = (table, params, objective, update_of("adam"), samples_of("uint8", 1, n, n_visible), rows[:0], rows, rows + 9)
    return (*args, batch_size, key(1), 2, 0, *flat, backprop.workspace(table, n_params, batch_size, FLOAT32, bfloat16))


def _rbm_args(n_visible, n_hidden, n, batch_size, bfloat16, persistent, sparsity):
    machine = machine_of("bernoulli", "bernoulli", n_visible, n_hidden, 2, persistent, sparsity)
    params = machine_params(FLOAT32, 1, machine)
    rows = np.arange(n)[::-1].copy()
    chains = np.zeros((batch_size if persistent else 0, n_hidden), FLOAT32)
    args = (machine, params, update_of("momentum"), samples_of("uint8", 1, n, n_visible), rows, rows + 9, batch_size)
    work = rbm.workspace(machine, batch_size, FLOAT32, bfloat16)
    return (*args, key(1), key(2), 2, 0, carried(machine, np.zeros_like(params), chains), work)


def _digest(name, n_threads):
    """Digest of the parameters after training."""
    trainer, shape = next((t, s) for t in TRAINERS for s in SHAPES if name == f"{t} {s}")
    bfloat16 = trainer.startswith("bfloat16")
    if trainer.endswith("dense"):
        train, args = backprop.train, _dense_args(*SHAPES[shape], bfloat16, "untied" not in trainer)
    else:
        sparsity = (0.1, 0.5, 0.9) if "sparse" in trainer else ()
        train, args = rbm.train, _rbm_args(*SHAPES[shape], bfloat16, "persistent" in trainer, sparsity)
    args = copy.deepcopy(args)
    with cpu.thread_limit(n_threads) as count:
        assert count == n_threads
        loss = train(*args)
    params = args[1]
    assert np.isfinite(params).all()
    return hashlib.sha256(params.tobytes() + np.float64(loss).tobytes()).hexdigest()


def print_digests():
    """Entry point of the subprocess with four threads."""
    for name in NAMES:
        for n_threads in (1, 2, 3, 4):
            print(_digest(name, n_threads), name, n_threads, sep="\t")


def print_digests_elsewhere():
    """Entry point of the subprocess that trains in two Python threads at once, in forked children, and in a child's child."""
    here = {name: _digest(name, 2) for name in NAMES}
    with ThreadPoolExecutor(2) as pool:
        threads = dict(zip(NAMES, pool.map(_digest, NAMES, [2] * len(NAMES)), strict=True))
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        children = dict(zip(NAMES, pool.map(_digest, NAMES, [2] * len(NAMES)), strict=True))
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        grandchild = pool.submit(_digest_in_child, NAMES[0]).result()
    print(numba.threading_layer(), here == threads == children, grandchild == here[NAMES[0]])
    print(here[NAMES[0]])


def _digest_in_child(name):
    _digest(name, 2)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        return pool.submit(_digest, name, 2).result()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_forked_processes_and_threads_give_the_same_bits_with_and_without_openmp(layer):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-W", "ignore", "-c", f"import {__name__} as module; module.print_digests_elsewhere()"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if "No threading layer could be loaded" in answer.stderr:
        pytest.skip(f"Numba has no {layer} here")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [layer, "True", "True", _digest(NAMES[0], 1)]


FORK_WHILE_BUSY = """
import os, threading, time, numba
import numpy as np
from stacked.kernels import cpu
first = np.zeros(8)
@numba.njit(parallel=True)
def fill(x):
    for i in numba.prange(8): x[i] = 1
fill(first)  # somebody else's pool, before ours
busy = threading.Event()
def hold():
    with cpu.thread_limit(1):
        busy.set()
        time.sleep(3)
threading.Thread(target=hold, daemon=True).start()
busy.wait()
child = os.fork()
if child == 0:
    with cpu.thread_limit(2):
        pass
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_a_fork_while_another_thread_is_busy(layer):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-W", "ignore", "-c", FORK_WHILE_BUSY]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    if "No threading layer could be loaded" in answer.stderr:
        pytest.skip(f"Numba has no {layer} here")
    assert answer.stdout.strip() == "7", answer.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(cpu.max_threads() < 2, reason="one thread in this process; the subprocess has four")
def test_two_threads_give_the_bits_of_one(name):
    expected = _digest(name, 1)
    assert all(_digest(name, n_threads) == expected for n_threads in (1, 2) for _ in range(REPETITIONS))


def test_up_to_four_threads_give_the_bits_of_this_process():
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", f"import {__name__} as module; module.print_digests()"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split("\t") for line in answer.stdout.splitlines()]
    assert len(lines) == 4 * len(NAMES)
    expected = {name: _digest(name, 1) for name in NAMES}
    assert not [(name, n_threads) for digest, name, n_threads in lines if digest != expected[name]]


def test_thread_limit_is_lifted_afterwards():
    before = numba.get_num_threads()
    with pytest.raises(KeyError), cpu.thread_limit(1):
        assert numba.get_num_threads() == 1
        raise KeyError
    assert numba.get_num_threads() == before


def test_without_a_number_all_available_cores_are_used():
    with cpu.thread_limit(None) as count:
        assert count == min(cpu.available_cores(), cpu.max_threads())
