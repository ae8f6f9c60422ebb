"""The two things that the loop can train: an RBM by contrastive divergence, and a dense network by backpropagation."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import SettingError
from ..kernels import backprop
from ..kernels import rbm as rbm_kernel
from ..kernels.arithmetic.corruption import NO_CORRUPTION, Corruption, emphasises
from ..kernels.arithmetic.losses import LOSSES
from ..kernels.arithmetic.objective import Objective
from ..kernels.arithmetic.penalties import PENALTIES
from ..kernels.arithmetic.random import CHAINS, CORRUPTION, SAMPLING, stream_key
from ..kernels.arithmetic.samples import as_samples
from ..kernels.arithmetic.terms import LAYER, MAX_TERMS, NO_TERMS, Terms, as_terms, joined
from ..kernels.arithmetic.updates import Update
from ..network import Network, numbers_of, require_room
from ..settings import LINE_SEARCHES
from .feed import Window
from .phase import Source
from .plan import Plan

if TYPE_CHECKING:
    from .solvers import Batch


VALIDATION = 2**32 - 1  # the epoch from which validation takes its random numbers


class Stochastic(NamedTuple):
    """How stochastic layers are trained: draws for each row, or 0 for their means; epochs until their terms count in full."""

    n_samples: int = 1
    warmup: int = 0

    def weight(self, epoch: int) -> float:
        """What the terms of stochastic layers count in an epoch (warm-up: Bowman et al. 2016, Sonderby et al. 2016)."""
        return min(1.0, (epoch + 1) / self.warmup) if self.warmup else 1.0


ONE_DRAW, MEANS = Stochastic(), Stochastic(0)


class _Scratch:
    """The workspace for the largest minibatch so far, allocated once."""

    def __init__(self, make: Callable[[int], Any]):
        self._make, self._size, self._workspace = make, 0, None

    def get(self, batch_size: int) -> Any:
        if batch_size > self._size:
            self._workspace, self._size = self._make(batch_size), batch_size
        return self._workspace


class RBMTrainee:
    """An RBM. Arrays: ``params``, ``velocity`` (P,), for persistent chains ``chains`` (batch size, H), for a sparsity target
    ``activity`` (H,).
    """

    def __init__(
        self,
        network: Network,
        machine: rbm_kernel.Machine,
        source: Source,
        n_chains: int,
    ):
        self.network, self.machine, self.params = network, machine, network.params
        self.loss, self.n_clipped = "squared_error", 0
        self.source = source
        self._key = stream_key(source.seed, SAMPLING, source.stream)
        self._chain_key = stream_key(source.seed, CHAINS, source.stream)
        chains = np.zeros((n_chains if machine.persistent else 0, machine.n_hidden), self.params.dtype)
        activity = np.zeros(machine.n_hidden if machine.sparsity_target else 0, self.params.dtype)
        carried = rbm_kernel.Carried(np.zeros_like(self.params), chains, activity)
        self._nothing = rbm_kernel.Carried(*(array[:0] for array in carried))
        self.arrays = {"params": self.params, **{n: array for n, array in carried._asdict().items() if array.size}}
        self._scratch = _Scratch(self._workspace)

    @property
    def _carried(self) -> rbm_kernel.Carried:
        return self._nothing._replace(**{name: array for name, array in self.arrays.items() if name != "params"})

    def _workspace(self, size: int) -> rbm_kernel.Workspace:
        return rbm_kernel.workspace(self.machine, size, self.params.dtype, self.network.bfloat16)

    def train(
        self, window: Window, rows: slice, batch_size: int, epoch: int, step: int, update: Update
    ) -> tuple[float, float]:
        """Contrastive divergence on ``rows`` of a window; the summed squared reconstruction error."""
        carried = self._carried
        error = rbm_kernel.train(
            self.machine, self.params, update, window.samples, window.positions[rows], window.row_ids[rows], batch_size,
            self._key, self._chain_key, epoch, step, carried, self._scratch.get(max(batch_size, len(carried.chains))),
        )  # fmt: skip
        return error, 0.0

    def validation_loss(self, subset: np.ndarray) -> float:
        """Squared error per row of the mean-field reconstruction."""
        return self.network.loss(self.source.rows, *self.source.scaled, self.loss, subset=subset)


class DenseTrainee:
    """A network under a loss. Arrays: ``params``, ``velocity`` and, for Adam, ``squares`` (P,)."""

    def __init__(
        self,
        network: Network,
        loss: str,
        plan: Plan,
        source: Source,
        corruption: Corruption = NO_CORRUPTION,
        terms: Terms = NO_TERMS,
        stochastic: Stochastic = ONE_DRAW,
    ):
        self.network, self.loss, self.plan, self.params = network, loss, plan, network.params
        self.source, self._stochastic = source, stochastic
        self._key = stream_key(source.seed, CORRUPTION, source.stream)
        ragged = network.takes_sequences and (source.data.ragged or source.aim[0].ragged)
        self.objective = Objective(
            LOSSES[loss], corruption, network.n_weights, terms, stochastic.n_samples, int(ragged)
        )
        self._check_terms()
        self._squares = np.zeros_like(self.params) if plan.optimizer == "adam" else np.zeros(0, self.params.dtype)
        self.arrays = {"params": self.params}
        if not self._by_line_search:
            self.arrays["velocity"] = np.zeros_like(self.params)
        if plan.optimizer == "adam":
            self.arrays["squares"] = self._squares
        self._scratch = _Scratch(self._workspace)
        self.n_clipped = 0

    def _workspace(self, size: int) -> backprop.Workspace:
        ragged, has_target = bool(self.objective.ragged), self.loss != "softmax_cross_entropy"
        emphasis = emphasises.py_func(self.objective.corruption) or (ragged and has_target)
        form = (self.params.dtype, self.network.bfloat16, emphasis)
        measured = [int(layer) for layer in self._objective(1.0).terms.places[:, LAYER]]
        n_rows = size * self._repeats
        require_room(self.network.layers, n_rows, self.params.itemsize, training=True)
        return backprop.workspace(
            self.network.table, len(self.params), n_rows, *form, measured_layers=measured, plain=self._by_line_search,
            ragged=ragged, targets=self.source.goal is not None,
        )  # fmt: skip

    @property
    def _by_line_search(self) -> bool:
        return self.plan.optimizer in LINE_SEARCHES

    @property
    def _repeats(self) -> int:
        """Rows of a minibatch that are one row of the data."""
        return max(1, self.objective.n_samples)

    def _check_terms(self) -> None:
        """SettingError for more terms than the kernels, which check no bounds, have room for."""
        found = len(self._objective(1.0).terms.places)
        if found > MAX_TERMS:
            raise SettingError(
                f"units: expected at most {MAX_TERMS} penalties on the codes of a network, one a Gaussian code among them, found"
                f" {found}; use fewer units with a Gaussian code"
            )

    def _objective(self, weight: float) -> Objective:
        """The objective with the terms that stochastic layers need, at this weight."""
        own = self._own_terms(weight)
        return self.objective._replace(terms=joined(self.objective.terms, own)) if len(own.places) else self.objective

    def _own_terms(self, weight: float) -> Terms:
        """The terms that stochastic layers need, at this weight: none where they answer with their means."""
        if not self.objective.n_samples:
            return NO_TERMS
        asked = [term for index, layer in enumerate(self.network.layers) for term in layer.terms(index)]
        return as_terms(*((PENALTIES[kind], layer, weight, target) for kind, layer, target in asked))

    def train(
        self, window: Window, rows: slice, batch_size: int, epoch: int, step: int, update: Update
    ) -> tuple[float, float]:
        """Backpropagation on ``rows`` of a window; the summed losses, and the terms added to them."""
        objective = self._objective(self._stochastic.weight(epoch))
        if self._by_line_search:
            return self._line_searches(objective, window, rows, batch_size, epoch)
        positions, row_ids = (np.repeat(numbers[rows], self._repeats) for numbers in (window.positions, window.row_ids))
        loss, terms, *clipped = backprop.train(
            self.network.table, self.params, objective, self._of_sums(update), window.samples, window.labels, positions, row_ids,
            batch_size * self._repeats, self._key, epoch, step, self.arrays["velocity"], self._squares,
            self._scratch.get(batch_size),
        )  # fmt: skip
        self.n_clipped += int(sum(clipped))
        return float(loss) / self._repeats, float(terms) / self._repeats

    def _of_sums(self, update: Update) -> Update:
        """Settings whose longest gradient is that of a loss summed over the outputs, not of its mean over them."""
        if not update.clip_norm:
            return update
        n_out = 1 if self.loss == "softmax_cross_entropy" else self.network.layers[-1].n_out
        return update._replace(clip_norm=update.clip_norm * n_out)

    def _line_searches(
        self, objective: Objective, window: Window, rows: slice, batch_size: int, epoch: int
    ) -> tuple[float, float]:
        """A few line searches of conjugate gradient or L-BFGS on each minibatch, as Hinton & Salakhutdinov 2006 did."""
        from .solvers import loss_at, minimize_batch

        totals, work = np.zeros(2), self._scratch.get(batch_size)
        if rows.start == rows.stop:  # on no rows it only compiles, as the kernels of `train` do
            batch = self._batch(objective, window, rows, epoch, work)
            loss_at(self.params, self.network, objective, self.plan, batch, work)
        for start in range(rows.start, rows.stop, batch_size):
            chosen = slice(start, min(start + batch_size, rows.stop))
            batch = self._batch(objective, window, chosen, epoch, work)
            totals += minimize_batch(self.network, objective, self.plan, batch, work)
        loss, terms = totals / self._repeats
        return float(loss), float(terms)

    def _batch(
        self, objective: Objective, window: Window, rows: slice, epoch: int, work: backprop.Workspace
    ) -> "Batch":
        """A minibatch, loaded into the workspace."""
        positions, row_ids = (np.repeat(numbers[rows], self._repeats) for numbers in (window.positions, window.row_ids))
        backprop.load_minibatch(
            self.network.table, objective, window.samples, positions, row_ids, self._key, epoch, work
        )  # fmt: skip
        corrupted, target = work.corrupted[: len(positions)], backprop.target_of(window.samples, work, len(positions))
        return corrupted, target, window.labels[positions] if len(window.labels) else window.labels

    def validation_loss(self, subset: np.ndarray) -> float:
        """Mean loss over clean validation rows; with stochastic layers, their terms in full included."""
        rows, scaled, labels, own = self.source.rows, self.source.scaled, self.source.labels, self._own_terms(1.0)
        if not len(own.places):
            return self.network.loss(rows, *scaled, self.loss, labels, subset, self.source.goal)
        noise = NO_CORRUPTION._replace(binarize=self.objective.corruption.binarize)
        objective = self.objective._replace(corruption=noise, terms=own, n_samples=1)
        total, count, size = 0.0, 0, min(self.plan.batch_size, len(subset))
        for start, block in self.network.blocks(rows, *scaled, subset):
            order, ids = np.arange(len(block)), numbers_of(start, len(block), rows, subset)
            no_labels, work = np.zeros(0, np.int64), self._scratch.get(size)
            sums = backprop.evaluate(
                self.network.table, self.params, objective, as_samples(block), no_labels, order, ids, size, self._key,
                VALIDATION, work,
            )  # fmt: skip
            total, count = total + float(sums.sum()), count + len(block)
        return total / count
