"""Inference on the engine: every thread takes whole blocks of rows through all layers, from the rows of the file to the answers."""

import numpy as np
from numba import get_thread_id, prange

from .._jit import linked
from ..arithmetic.samples import SAMPLES, declared_writable, load_packed, longest_first
from ..cpu import max_threads
from ..layers import steps
from .instructions import PANEL
from .packed_network import NET, OUTPUT, Packed, block_panels, keep_block, pack_network
from .panels import (
    CHANNELS,
    MATRIX,
    N_IN,
    NUMBERS,
    OUT_CHANNELS,
    ROWS,
    answers_end,
    gather_row,
    is_map_layer,
    panel_count,
    scatter_row,
)  # fmt: skip
from .words import pack_params


@linked(NET, SAMPLES, NUMBERS, MATRIX, parallel=True)
def infer(net, samples, positions, out):
    """out (n, n_out) = the network's answer to rows ``positions`` (n,) of ``samples``.

    Every thread takes whole blocks of rows through all layers, in its own block of ``net.activations``.
    """
    n_layers, n_rows = net.table.shape[0], positions.shape[0]
    inputs, outputs = block_panels(net, 0, OUTPUT), block_panels(net, n_layers, OUTPUT)
    n_visible, n_workers = net.table[0, N_IN], net.n_blocks
    size = min(net.rows, max(1, panel_count(-(-n_rows // n_workers))) * PANEL)  # few rows: smaller blocks
    for block in prange(-(-n_rows // size)):
        thread, first, row = get_thread_id(), block * size, np.empty(n_visible, np.float32)
        n = min(size, n_rows - first)
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
        for layer in range(n_layers):
            steps.answer(net, layer, thread, n)
        for r in range(n):
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
