"""Inference on the engine: every thread takes whole blocks of rows through all layers, from the rows of the file to the answers."""

import numpy as np
from numba import get_thread_id, intp, prange

from .._jit import jit, linked
from ..arithmetic.activations import SOFTMAX
from ..arithmetic.samples import SAMPLES, declared_writable, load_packed, longest_first
from ..layers import steps
from ..pool import max_threads, thread_count
from .instructions import PANEL
from .packed_network import NET, OUTPUT, Packed, block_panels, keep_block, layer_panel, pack_network
from .panels import (
    ACTIVATION,
    CHANNELS,
    DENSE,
    KIND,
    MATRIX,
    N_IN,
    N_OUT,
    NUMBERS,
    OUT_CHANNELS,
    ROWS,
    answers_end,
    gather_row,
    is_map_layer,
    panel_count,
    panel_width,
    scatter_row,
)  # fmt: skip
from .parts import WHOLE
from .words import pack_params


@jit
def last_is_written_at_once(net):
    """Whether panels of the last layer's outputs are answers as they are: softmax needs whole rows, ragged ones are sorted."""
    last = net.table.shape[0] - 1
    return net.table[last, KIND] == DENSE and net.table[last, ACTIVATION] != SOFTMAX and net.lengths.shape[0] == 0


@linked(NET, intp, intp, MATRIX)
def answer_into(net, block, n_rows, out):
    """out (n_rows, n_out) = the outputs of the last layer, panel by panel while they are in the cache."""
    layer = net.table.shape[0] - 1
    n_out, activation = net.table[layer, N_OUT], net.table[layer, ACTIVATION]
    panels = block_panels(net, layer + 1, OUTPUT)[block]
    for panel in range(panel_count(n_out)):
        layer_panel(net, layer, activation, block, n_rows, panel, WHOLE)
        column, width = panel * PANEL, panel_width(panel, n_out)
        for r in range(n_rows):
            for c in range(width):
                out[r, column + c] = panels[panel, r, c]


@linked(NET, SAMPLES, NUMBERS, MATRIX, parallel=True)
def infer(net, samples, positions, out):
    """out (n, n_out) = the network's answer to rows ``positions`` (n,) of ``samples``.

    Every thread takes whole blocks of rows through all layers, in its own block of ``net.activations``.
    """
    n_layers, n_rows = net.table.shape[0], positions.shape[0]
    inputs, outputs = block_panels(net, 0, OUTPUT), block_panels(net, n_layers, OUTPUT)
    n_visible, n_threads = net.table[0, N_IN], thread_count()
    n_blocks = -(-n_rows // net.rows)
    n_blocks = min(n_rows, -(-n_blocks // n_threads) * n_threads)  # as many for each thread, of as many rows
    ends_dense = 1 if last_is_written_at_once(net) else 0
    for block in prange(n_blocks):
        thread, row = get_thread_id(), np.empty(n_visible, np.float32)
        first = n_rows * block // n_blocks
        n = n_rows * (block + 1) // n_blocks - first
        places = positions[first : first + n]
        order = np.arange(n)
        if net.lengths.shape[0]:
            order = longest_first(samples, places, net.table[0, CHANNELS], net.lengths[thread * net.rows :])
        for r in range(n):
            load_packed(samples, places[order[r]], row)
            if net.lengths.shape[0]:
                row[net.lengths[thread * net.rows + r] * net.table[0, CHANNELS] :] = 0
            scatter_row(row, inputs[thread], r)
        keep_block(net, 0, OUTPUT, thread, n)
        for layer in range(n_layers - ends_dense):
            steps.answer(net, layer, thread, n)
        if ends_dense:
            answer_into(net, thread, n, out[first : first + n])
        for r in range(0 if ends_dense else n):
            answer = out[first + order[r]]
            gather_row(outputs[thread], r, answer)
            if net.lengths.shape[0] and answers_end(net.table):
                answer[net.lengths[thread * net.rows + r] * net.table[n_layers - 1, OUT_CHANNELS] :] = np.nan


def prepare(table: np.ndarray, params: np.ndarray, bfloat16: bool, ragged: bool = False) -> Packed:
    """A network packed for `infer`."""
    rows = PANEL if any(is_map_layer.py_func(table, layer) for layer in range(len(table))) else ROWS  # maps are large
    packed = pack_network(table, rows * max_threads(), bfloat16, training=False, most_rows=rows, ragged=ragged)
    net = steps.equip(packed, training=False)
    pack_params(table, declared_writable(params), net)
    if net.maps.size:
        steps.make_ready(net)
    return net
