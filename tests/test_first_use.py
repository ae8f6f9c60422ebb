"""Several Python threads that use the kernels of different models for the first time, at once."""

import os
import subprocess
import sys

FIRST_USES = """
import threading
import numpy as np
from stacked import RBM, Autoencoder, VariationalAutoencoder
x = np.random.default_rng(0).random((100, 20), dtype=np.float32)
settings = {"epochs": 1, "batch_size": 20, "random_state": 0}
units = [VariationalAutoencoder(4, hidden_layers=(8,), **settings), RBM(8, **settings), Autoencoder(8, **settings)]
threads = [threading.Thread(target=unit.fit, args=(x,)) for unit in units]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(all(np.isfinite(unit.transform(x)).all() for unit in units))
"""


def test_no_thread_waits_for_another_that_waits_for_it():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "ignore", "-c", FIRST_USES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.stdout.strip() == "True", done.stderr
