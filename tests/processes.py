"""Commands in processes of their own that can be killed, without the second that each would take to import everything.

They are forked from a server that has imported the command line and has trained nothing: no threads, no kernels loaded.
"""

import multiprocessing
import os
import signal
import tempfile
import time
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "h5py", "pytest", "scipy.optimize", "scipy.linalg.cython_blas", "threadpoolctl", "stacked.training.checkpoint",
        "stacked.models.stacked_autoencoder", "stacked.models.stacked_classifier", "stacked.data.builtin",
        "stacked.kernels.backprop", "stacked.kernels.rbm", "stacked.cli.pretrain", "stacked.cli.finetune", "stacked.cli.train",
        "stacked.cli.run", "stacked.cli.progress", __name__,
    ]
)  # fmt: skip


class Command:
    """``stacked`` with these arguments, started at once. ``returncode`` is None until it has ended, and negative for a signal."""

    def __init__(self, *args):
        self._stderr = tempfile.NamedTemporaryFile("r", suffix=".err")  # noqa: SIM115 - lives as long as the process
        words = [str(arg) for arg in args]
        self._process = _CONTEXT.Process(
            target=_main, args=(words, self._stderr.name, str(Path.cwd()), dict(os.environ)), daemon=True
        )
        self._process.start()

    @property
    def returncode(self):
        return self._process.exitcode

    def send_signal(self, number):
        """Signal the process, unless it has ended."""
        if self._process.is_alive():
            os.kill(self._process.pid, number)

    def finish(self, seconds):
        """Wait for the end; what was printed on the standard error."""
        self._process.join(seconds)
        if self._process.is_alive():
            self.send_signal(signal.SIGKILL)
            raise TimeoutError(f"still running after {seconds} s")
        with self._stderr:
            return Path(self._stderr.name).read_text()


def _main(words, stderr, folder, environment):
    from stacked.cli import main

    os.chdir(folder)
    os.environ.update(environment)
    for descriptor, path in ((1, os.devnull), (2, stderr)):
        opened = os.open(path, os.O_WRONLY)
        os.dup2(opened, descriptor)
        os.close(opened)
    main(args=words, prog_name="stacked")


def wait_until(condition, command, seconds=240, step=0.005):
    """Wait until the condition holds, or the command has ended."""
    deadline = time.monotonic() + seconds
    while not condition() and command.returncode is None and time.monotonic() < deadline:
        time.sleep(step)
