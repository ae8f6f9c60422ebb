"""Networks that are given what they answered before (`layers.forcing`): step by step in use, all steps at once in training.

Greedy decoding, as of Sutskever et al. 2014 with a beam of one: at each step the layers above the code go once more through the
steps so far, and what they answer to the last is fed back. A loss is that of the targets fed in (teacher forcing).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .answers import Answerer
from .data import Summary
from .kernels import backprop
from .kernels.arithmetic.corruption import NO_CORRUPTION
from .kernels.arithmetic.objective import Objective
from .kernels.arithmetic.random import Key
from .kernels.arithmetic.samples import NO_TARGETS, Samples, Targets, as_samples, as_targets, load_rows
from .kernels.engine.panels import N_IN, WHOLE, is_recurrent
from .layers import Forcing, Layer

_AT_ONCE = 512  # rows that are decoded together
_TAUGHT = 64  # rows of a minibatch whose loss is measured


class Goal(NamedTuple):
    """What rows should be answered with: a table (N, n_out), the (scale, offset) to load it with, and the summary of its values."""

    table: np.ndarray
    scaled: tuple[float, float]
    data: Summary

    def of(self, chosen: np.ndarray | slice) -> Targets:
        """The targets of some rows."""
        return as_targets(np.ascontiguousarray(self.table[chosen]), *self.scaled)


class Decoder(NamedTuple):
    """Layers of a network from one below a forcing layer, or that one itself, to the last one, as `network.Answerer` has them."""

    forcing: Forcing
    below: Answerer | None  # up to the code, unless that is what is given
    above: Answerer
    ends: int  # numbers a step of rows with which the answers end, 0 where they always have all steps

    @property
    def n_out(self) -> int:
        """Numbers in an answer."""
        return self.above.n_out

    def block(self, table: np.ndarray, scale: float, offset: float) -> np.ndarray:
        """Answers (n, n_out) to raw rows (n, V)."""
        out = np.empty((len(table), self.n_out), self.above.params.dtype)
        self(as_samples(table, scale, offset), np.arange(len(table)), out)
        return out

    def __call__(self, samples: Samples, positions: np.ndarray, out: np.ndarray) -> None:
        """out (n, n_out) = the answers to rows ``positions`` (n,) of ``samples``, with NaN where a sequence has ended."""
        for start in range(0, len(positions), _AT_ONCE):
            chosen = positions[start : start + _AT_ONCE]
            codes = np.empty((len(chosen), self.forcing.n_in), out.dtype)
            if self.below is None:
                load_rows(samples, chosen, codes)
            else:
                self.below(samples, chosen, codes)
            out[start : start + len(chosen)] = self._decoded(codes, self._lengths(samples, chosen))

    def _lengths(self, samples: Samples, chosen: np.ndarray) -> np.ndarray:
        """Steps (n,) of the answers."""
        if not self.ends or self.below is None:
            return np.full(len(chosen), self.forcing.out_width)
        rows = np.empty((len(chosen), int(self.below.table[0, N_IN])), self.above.params.dtype)
        load_rows(samples, chosen, rows)
        return np.maximum((~np.isnan(rows[:, :: self.ends])).sum(axis=1), 1)

    def _decoded(self, codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Answers (n, n_out) from codes (n, K)."""
        layer, n = self.forcing, len(codes)
        given = np.zeros((n, layer.out_width, layer.out_channels), codes.dtype)
        given[:, :, : layer.channels] = codes[:, None]
        out = np.full((n, layer.out_width, layer.n_forced), np.nan, codes.dtype)
        for step in range(int(lengths.max())):
            there = np.flatnonzero(lengths > step)
            answer = self._next(given[there, : step + 1])
            out[there, lengths[there] - 1 - step if layer.backwards else step] = answer
            if step + 1 < layer.out_width:
                given[there, step + 1, layer.channels :] = answer
        return out.reshape(n, -1)

    def _next(self, so_far: np.ndarray) -> np.ndarray:
        """What comes after steps (n, s, K + D) in the order of decoding, (n, D)."""
        layer, (n, steps, _) = self.forcing, so_far.shape
        rows = np.full((n, layer.out_width, layer.out_channels), np.nan, so_far.dtype)
        rows[:, :steps] = so_far[:, ::-1] if layer.backwards else so_far
        answers = self.above.block(rows.reshape(n, -1), 1.0, 0.0).reshape(n, layer.out_width, layer.n_forced)
        answer = answers[:, 0 if layer.backwards else steps - 1]
        return np.eye(layer.n_forced, dtype=answer.dtype)[answer.argmax(axis=1)] if layer.one_hot else answer


def forcing_in(layers: Sequence[Layer]) -> int | None:
    """Index of the forcing layer among these."""
    return next((index for index, layer in enumerate(layers) if isinstance(layer, Forcing)), None)


def decoder_of(
    forcing: Layer, below: Answerer | None, table: np.ndarray, params: np.ndarray, bfloat16: bool, ends: int
) -> Decoder:
    """The decoder of a forcing layer, of what is ``below`` it, and of the layers above, of which ``table`` is the kernels' own."""
    assert isinstance(forcing, Forcing)
    for layer in range(len(table)):
        if is_recurrent.py_func(table, layer):
            table[layer, WHOLE] = 0  # they end with the steps so far
    above = Answerer(table, params, backprop.prepare(table, params, bfloat16, True))
    return Decoder(forcing, below, above, ends)


def taught_loss(
    table: np.ndarray,
    n_weights: int,
    params: np.ndarray,
    bfloat16: bool,
    loss: int,
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    goal: Goal | None,
) -> float:
    """Mean loss a row of a network that is told as it goes what it should answer: the rows themselves, or those of a ``goal``.

    ``blocks`` are numbers (n,) of rows, and the scaled rows (n, V), which may end early, in NaN.
    """
    objective = Objective(loss, NO_CORRUPTION, n_weights, ragged=1)
    work = backprop.workspace(
        table, len(params), _TAUGHT, params.dtype, bfloat16, emphasis=True, ragged=True, targets=goal is not None
    )
    total, count, key, no_labels = 0.0, 0, Key(np.uint64(0), np.uint64(0)), np.zeros(0, np.int64)
    for numbers, block in blocks:
        samples = as_samples(block, targets=NO_TARGETS if goal is None else goal.of(numbers))
        order = np.arange(len(block))
        found = backprop.evaluate(table, params, objective, samples, no_labels, order, order, _TAUGHT, key, 0, work)
        total, count = total + float(found[0]), count + len(block)
    return total / count
