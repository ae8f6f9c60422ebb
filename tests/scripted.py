"""A trainee that only follows a script: the loop around it can be tested without a training."""

from dataclasses import replace

import numpy as np

from stacked.data import ArrayRows
from stacked.layers import Dense
from stacked.network import Network
from stacked.training.feed import Feed
from stacked.training.loop import Phase
from stacked.training.plan import Plan

PLAN = Plan(epochs=3, batch_size=4, optimizer="momentum", learning_rate=((0, 0.1),), momentum=((0, 0.5),))


class Scripted:
    """Answers the mean loss ``loss(call)`` and ``validation(epoch)``; adds 1 to every parameter a call; notes what it was asked.

    ``calls`` holds (rows, batch size, epoch, step, update, row numbers) of every pass over some rows.
    """

    loss = "squared_error"

    def __init__(self, loss=lambda call: 1.0, validation=lambda epoch: 1.0, reference=1.0, output="sigmoid"):
        self.network = Network.zeros([Dense(3, 2, "sigmoid"), Dense(2, 3, output, 0)], "float64")
        self.params = self.network.params
        self.arrays = {"params": self.params}
        self.calls, self.validated, self.compiled = [], [], 0
        self._answers, self._reference = (loss, validation), reference

    def train(self, window, rows, batch_size, epoch, step, update):
        """Note the call and answer the script's loss for every row."""
        if rows == slice(0, 0):
            self.compiled += 1
            return 0.0, 0.0
        self.params += 1
        self.calls.append((rows, batch_size, epoch, step, update, window.row_ids[rows]))
        return self._answers[0](len(self.calls) - 1) * (rows.stop - rows.start), 0.0

    def validation_loss(self, subset):
        """The script's loss of the epoch that was just trained; before training the reference."""
        self.validated.append(subset)
        return self._answers[1](self.calls[-1][2]) if self.calls else self._reference


def phase_of(trainee, n_rows=10, validation=None, subset=None, trivial=1.0, **plan):
    """A phase that trains ``trainee`` on ``n_rows`` rows of three numbers by `PLAN` with some changes."""
    rows = ArrayRows(np.arange(3 * n_rows, dtype=np.float64).reshape(n_rows, 3))
    feed = Feed(rows, 1.0, 0.0, seed=0, unit=2, subset=subset)
    return Phase("pretrain", 2, replace(PLAN, **plan), feed, trainee, "unit 2", "lower it", trivial, validation)
