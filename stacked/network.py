"""The network: a chain of layers of any kind, as the kernels' table and one flat parameter vector with named views.

Weights of all layers come first in the vector and biases after them. A tied layer owns no weights: it uses an earlier layer's
matrix transposed. An RBM with weights W, hidden biases b and visible biases c is the two-layer tied network
``x -> f(x W + b) -> g(h W^T + c)``, and shares its flat vector with the RBM trainer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from math import prod

import numpy as np

from .answers import Answerer
from .checks import check_width
from .data import BLOCK_ROWS, Rows
from .data.finite import sums_up, values_there
from .data.memory import available_memory
from .decoding import Decoder, Goal, decoder_of, forcing_in, taught_loss
from .errors import DataError, SettingError
from .kernels import backprop
from .kernels.arithmetic.losses import LOSSES, forward_activation, loss_and_delta
from .kernels.arithmetic.random import WEIGHTS, stream_key
from .kernels.arithmetic.samples import as_samples, load_rows
from .kernels.engine import panels
from .kernels.engine.instructions import PANEL
from .kernels.pool import max_threads
from .layers.base import Layer, Shapes
from .layers.maps import MapLayer
from .settings import check_bfloat16, precision_dtype
from .text import one_line

_ANSWERED_ROWS = 8 * BLOCK_ROWS  # rows a call


@dataclass
class Network:
    """Layers and their parameters. ``params`` (P,) float32 or float64 is the only storage; views share it.

    With ``bfloat16`` products round what they multiply (float32 only).
    """

    layers: tuple[Layer, ...]
    params: np.ndarray
    bfloat16: bool = False
    table: np.ndarray = field(init=False)
    n_weights: int = field(init=False)

    def __post_init__(self) -> None:
        for index, layer in enumerate(self.layers):  # kernels check no bounds
            layer.check_after(self.layers[:index])
            layer.check_before(self.layers[-1])
        self.table, self.n_weights = _layer_table(self.layers)
        expected = _n_params(self.layers)
        if self.params.shape != (expected,):
            raise ValueError(f"expected {expected} parameters for these layers, found shape {self.params.shape}")

    @classmethod
    def zeros(cls, layers: Sequence[Layer], precision: str) -> "Network":
        """A network with all parameters zero; SettingError where they do not fit into the memory that is available."""
        require_parameters(layers, precision)
        params = np.zeros(_n_params(layers), precision_dtype(precision))
        return cls(tuple(layers), params, precision == "bfloat16")

    def at(self, precision: str) -> "Network":
        """This network with products of another precision, the parameters shared; SettingError for one of another dtype."""
        if precision_dtype(precision) != self.params.dtype:
            raise SettingError(
                f"precision: expected {self.params.dtype}, which the model was trained in, found {precision}; set it back,"
                " or train again"
            )
        return replace(self, bfloat16=precision == "bfloat16")

    def arrays(self, index: int) -> dict[str, np.ndarray]:
        """Views of a layer's arrays, by the names and in the shapes that its kind gives.

        Weights of a tied layer are transposed views of those that it shares.
        """
        layer, row = self.layers[index], self.table[index]
        if layer.tied_to is None:
            weights = self._views(row[panels.WEIGHT], layer.weights)
        else:
            shared = self._views(row[panels.WEIGHT], layer.owner_weights)
            weights = {name: layer.of_owner(view) for name, view in shared.items()}
        return weights | self._views(row[panels.BIAS], layer.biases)

    def _views(self, start: int, shapes: Shapes) -> dict[str, np.ndarray]:
        """Views of arrays that lie one after another from ``start`` on."""
        views, position = {}, int(start)
        for name, shape in shapes.items():
            stop = position + prod(shape)
            views[name], position = self.params[position:stop].reshape(shape), stop
        return views

    @property
    def takes_sequences(self) -> bool:
        """Whether samples may end early, with NaN after the last step."""
        return self._reads_sequences(0)

    def _reads_sequences(self, first: int, last: int | None = None) -> bool:
        """Whether what layer ``first`` reads may end early: it is recurrent, and all such up to ``last`` have as many steps."""
        layers = [layer for layer in self.layers[first:last] if layer.takes_sequences]
        return self.layers[first].takes_sequences and len({layer.shape_in[:2] for layer in layers}) == 1

    def weight(self, index: int) -> np.ndarray:
        """View of the weights of a layer that has one array of them; a dense one's are (n_in, n_out)."""
        return self.arrays(index)["weight"]

    def bias(self, index: int) -> np.ndarray:
        """View of a layer's biases; a dense one's are (n_out,)."""
        return self.arrays(index)["bias"]

    def writable(self) -> "Network":
        """This network, or a copy if its parameters are read-only, for example mapped from a file."""
        return self if self.params.flags.writeable else replace(self, params=self.params.copy())

    def regrown(self, layers: Sequence[Layer]) -> "Network":
        """A network of other ``layers``, all parameters zero but those of the leading layers that this one has too."""
        other = Network.zeros(layers, "bfloat16" if self.bfloat16 else self.params.dtype.name)
        for index, (mine, its) in enumerate(zip(self.layers, other.layers, strict=False)):
            if mine != its:
                break
            fill(other.arrays(index), self.arrays(index))
        return other

    def randomize(self, seed: int, unit: int) -> None:
        """Draw starting values for all layers, each as its kind does; what a kind does not draw is 0."""
        key = stream_key(seed, WEIGHTS, unit)
        self.params[:] = 0
        for index, layer in enumerate(self.layers):
            if layer.tied_to is None:
                layer.draw(self.arrays(index), key, index)

    def apply(
        self, rows: Rows, scale: float = 1.0, offset: float = 0.0, first: int = 0, last: int | None = None
    ) -> np.ndarray:
        """Outputs (n_rows, n_out) of layers ``first`` to ``last`` (exclusive) for rows given to layer ``first``.

        Rows are taken in parts of fixed size, so a row's answer does not depend on whether its table is streamed.
        """
        check_width(rows, self.layers[first].n_in)
        answer = self.answerer(first, last)
        out = np.empty((rows.n_rows, answer.n_out), self.params.dtype)
        for start in range(0, rows.n_rows, _ANSWERED_ROWS):
            stop = min(start + _ANSWERED_ROWS, rows.n_rows)
            table = read_finite(rows, start, stop, self._reads_sequences(first, last))
            part = out[start : start + len(table)]
            answer(as_samples(table, scale, offset), np.arange(len(table)), part)
            if not (sums_up(part) or _ends_early(table, part)):
                raise DataError(
                    f"{rows.name}: the answer to rows from {start} on is not finite; their values are too large"
                )
        return out

    def answerer(self, first: int = 0, last: int | None = None, logits_of: str | None = None) -> Answerer | Decoder:
        """Layers ``first`` to ``last`` (exclusive), ready for many calls; the last stays linear under a loss on logits.

        With one among them that is given what the network should answer, these go step by step by what they answered before.
        """
        if self.bfloat16:
            check_bfloat16()
        forced = forcing_in(self.layers[first:last])
        if forced is not None:
            return self._decoder(first, first + forced, last)
        table = self._slice(first, last)
        require_room(self.layers[first:last], PANEL * max_threads(), self.params.itemsize)
        if logits_of is not None:
            table[-1, panels.ACTIVATION] = forward_activation(LOSSES[logits_of], table[-1, panels.ACTIVATION])
        prepared = backprop.prepare(table, self.params, self.bfloat16, self._reads_sequences(first, last))
        return Answerer(table, self.params, prepared)

    def _decoder(self, first: int, forced: int, last: int | None) -> Decoder:
        """Layers ``first`` to the last one, that at ``forced`` being given the answers; SettingError for an end before that."""
        if len(self.layers[:last]) < len(self.layers):
            raise SettingError(
                f"layers: expected all up to layer {len(self.layers) - 1}, whose answers layer {forced} is given, found layers"
                f" up to {len(self.layers[:last]) - 1}; ask for those below layer {forced}, or for all"
            )
        below = self.answerer(first, forced) if first < forced else None
        assert below is None or isinstance(below, Answerer)
        require_room(self.layers[forced:], PANEL * max_threads(), self.params.itemsize)
        ended = self.layers[first].takes_sequences and self.layers[forced + 1].takes_sequences
        ends = self.layers[first].shape_in[-1] if ended else 0
        return decoder_of(self.layers[forced], below, self._slice(forced + 1, None), self.params, self.bfloat16, ends)

    def _slice(self, first: int, last: int | None) -> np.ndarray:
        """The table of some layers; SettingError where one of them needs what a layer before them was given."""
        chosen = list(enumerate(self.layers))[first:last]
        lost = [layer.kind for index, layer in chosen if layer.needs_from(index) < first]
        if lost:
            raise SettingError(
                f"unpool: expected codes that can be decoded by themselves, found {lost[0]} layers, which put numbers where pooling"
                " found them in the input; reconstruct instead, or train units with unpool='upsample'"
            )
        return np.stack(
            [layer.moved(-first).row(*self.table[index, [panels.WEIGHT, panels.BIAS]]) for index, layer in chosen]
        )

    def loss(
        self,
        rows: Rows,
        scale: float,
        offset: float,
        loss: str,
        labels: np.ndarray | None = None,
        subset: np.ndarray | None = None,
        goal: Goal | None = None,
    ) -> float:
        """Mean loss per row over all rows, or over those in ``subset`` (sorted row numbers), without corruption.

        Rows should be answered with those of the ``goal``, if there is one. Layers that are given what the network should answer
        are given it here, too.
        """
        total, count, code = 0.0, 0, LOSSES[loss]
        check_width(rows, self.layers[0].n_in)
        if goal is not None or forcing_in(self.layers) is not None:
            blocks = self.blocks(rows, scale, offset, subset)
            told = ((numbers_of(start, len(block), rows, subset), block) for start, block in blocks)
            return taught_loss(self.table, self.n_weights, self.params, self.bfloat16, code, told, goal)
        no_target = np.zeros((0, 0), self.params.dtype)
        answer = self.answerer(logits_of=loss)
        for start, block in self.blocks(rows, scale, offset, subset):
            n = len(block)
            outputs = np.empty((n, answer.n_out), self.params.dtype)
            answer(as_samples(block), np.arange(n), outputs)
            classes = np.zeros(0, np.int64) if labels is None else labels[numbers_of(start, n, rows, subset)]
            target = block if labels is None else no_target
            weights = _without_ended(outputs, target) if self.takes_sequences and labels is None else no_target
            activation = self.table[-1, panels.ACTIVATION]
            total += loss_and_delta(code, activation, outputs, target, classes, weights, np.empty_like(outputs))
            count += n
        return total / count

    def blocks(
        self, rows: Rows, scale: float = 1.0, offset: float = 0.0, subset: np.ndarray | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, block of at most `BLOCK_ROWS` scaled rows in the network's dtype); NaN in the rows is a DataError.

        With ``subset``, a block holds the members of the subset among those rows, and its start is the raw block's.
        """
        for start in range(0, rows.n_rows, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, rows.n_rows)
            chosen = np.arange(stop - start)
            if subset is not None:
                chosen = subset[np.searchsorted(subset, start) : np.searchsorted(subset, stop)] - start
                if not len(chosen):
                    continue
            table = read_finite(rows, start, stop, self.takes_sequences)
            block = np.empty((len(chosen), rows.n_columns), self.params.dtype)
            load_rows(as_samples(table, scale, offset), chosen, block)
            yield start, block


def read_finite(rows: Rows, start: int, stop: int, sequences: bool = False) -> np.ndarray:
    """Raw rows (n, V); NaN or infinity among them is a DataError, but for NaN after the end of ``sequences``."""
    table = rows.read(start, stop)
    values_there(rows, table, start, sequences)
    return table


def _ends_early(table: np.ndarray, answers: np.ndarray) -> bool:
    """Whether answers (n, n_out) that are no finite numbers may be those of sequences that end early in the table (n, V)."""
    return table.dtype.kind == "f" and bool(np.isnan(table).any()) and not np.isinf(answers).any()


def _without_ended(outputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights of single losses, 0 where sequences have ended, (0, 0) if none has; NaN gives way to 0 there."""
    ended = np.isnan(target)
    if not ended.any():
        return target[:0, :0]
    outputs[ended], target[ended] = 0, 0
    return (~ended).astype(target.dtype)


def numbers_of(start: int, n: int, rows: Rows, subset: np.ndarray | None) -> np.ndarray:
    """Row numbers (n,) of a block that `Network.blocks` gave."""
    if subset is None:
        return np.arange(start, start + n)
    stop = min(start + BLOCK_ROWS, rows.n_rows)
    return subset[np.searchsorted(subset, start) : np.searchsorted(subset, stop)]


def fill(views: dict[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy arrays into the views of the same names."""
    for name, view in views.items():
        view[:] = arrays[name]


def _n_params(layers: Sequence[Layer]) -> int:
    """Number of weights and biases."""
    return sum(layer.n_weights + layer.n_biases for layer in layers)


def require_parameters(layers: Sequence[Layer], precision: str) -> None:
    """SettingError where the parameters of a chain of layers do not fit into the memory that is available."""
    nbytes, available = _n_params(layers) * precision_dtype(precision).itemsize, available_memory()
    if nbytes > available:
        sizes = "-".join(str(size) for size in (layers[0].n_in, *(layer.n_out for layer in layers)))
        raise SettingError(
            f"n_hidden: expected parameters of at most {available / 2**30:.1f} GiB, the memory available, found"
            f" {nbytes / 2**30:.1f} GiB for layers {one_line(sizes, 60)}; use fewer hidden units"
        )


def require_room(layers: Sequence[Layer], n_rows: int, itemsize: int, training: bool = False) -> None:
    """SettingError where the maps of so many rows do not fit into the memory that is available; nothing else is as large."""
    maps = [layer for layer in layers if isinstance(layer, MapLayer)]
    sizes = [layer.n_kept if training else layer.n_in + layer.n_out for layer in maps]
    nbytes, available = n_rows * itemsize * sum(sizes), available_memory()
    if nbytes > available:
        largest = max(layer.n_out for layer in layers)
        raise SettingError(
            f"batch_size: expected answers of at most {available / 2**30:.1f} GiB, the memory available, found"
            f" {nbytes / 2**30:.1f} GiB for {n_rows:,} rows of up to {largest:,} numbers; use smaller minibatches or layers"
        )


def _layer_table(layers: Sequence[Layer]) -> tuple[np.ndarray, int]:
    """The kernels' layer table (L, N_COLUMNS) int64 and the total number of weights."""
    weights = list(accumulate((layer.n_weights for layer in layers), initial=0))
    biases = list(accumulate((layer.n_biases for layer in layers), initial=weights[-1]))
    rows: list[np.ndarray] = []
    for index, layer in enumerate(layers):
        weight = weights[index] if layer.tied_to is None else int(rows[layer.tied_to][panels.WEIGHT])
        rows.append(layer.row(weight, biases[index]))
    return np.stack(rows), weights[-1]
