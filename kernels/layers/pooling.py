"""Pooling, its opposites, and their steps on maps, in panels. None has parameters.

    pooling      the largest number of each window of KERNEL pixels, channel by channel; windows do not overlap, the last ones may
    be cut upsampling   every pixel as often as its window has pixels
    unpooling    every number where the pooling layer PARTNER found the largest one of its window, 0 elsewhere; of equal numbers the
                 first counts, row by row (Zeiler et al. 2011)

Each joins a large map with a small one, of which a pixel is a window of the large one (`engine.windows`).
"""

from numba import intp, prange

from .._jit import jit, linked
from ..arithmetic.objective import BATCH, OBJECTIVE
from ..engine.maps import PITCH, map_at, map_shape
from ..engine.packed_network import DELTA, NET, OUTPUT
from ..engine.panels import KERNEL_HEIGHT, KERNEL_WIDTH
from ..engine.windows import LARGEST, PLACED, one_window
from .map_edges import answer_from, answer_to, backward_from, backward_to, finish_samples, forward_from, forward_to


@linked(NET, intp, intp, intp, intp, intp, intp, intp)
def windows(net, what, layer, large_index, small_index, kind, chosen_index, sample):
    """All windows of one sample; ``kind`` says whether outputs or deltas are joined, ``chosen_index`` whose outputs choose."""
    height, width, channels = map_shape(net.table, large_index)
    small_height, small_width, _ = map_shape(net.table, small_index)
    high, wide = net.table[layer, KERNEL_HEIGHT], net.table[layer, KERNEL_WIDTH]
    large, small = map_at(net, large_index, kind, sample), map_at(net, small_index, kind, sample)
    pitch, small_pitch = net.map_table[large_index, PITCH], net.map_table[small_index, PITCH]
    chosen, chosen_pitch = map_at(net, chosen_index, OUTPUT, sample), net.map_table[chosen_index, PITCH]
    for i in range(small_height):
        for j in range(small_width):
            y, x = i * high, j * wide
            one_window(
                what, net.maps, large + y * pitch + x * channels, pitch, min(high, height - y), min(wide, width - x), channels,
                small + i * small_pitch + j * channels, chosen + y * chosen_pitch + x * channels, chosen_pitch,
            )  # fmt: skip


@linked(NET, intp, intp, intp, intp, intp, intp, intp, parallel=True)
def all_windows(net, what, layer, large_index, small_index, kind, chosen_index, n_rows):
    """All windows of a minibatch."""
    for sample in prange(n_rows):
        windows(net, what, layer, large_index, small_index, kind, chosen_index, sample)
        if kind == DELTA:
            finish_samples(net, layer, sample, sample + 1)


@jit
def go_forward(what, net, layer, large_index, small_index, chosen_index, n_rows):
    """One of the layers, forward."""
    forward_from(net, layer, n_rows)
    all_windows(net, what, layer, large_index, small_index, OUTPUT, chosen_index, n_rows)
    forward_to(net, layer, n_rows)


@jit
def go_backward(what, net, layer, large_index, small_index, chosen_index, objective, n_rows):
    """One of the layers, backward."""
    backward_from(net, layer, n_rows, True)
    all_windows(net, what, layer, large_index, small_index, DELTA, chosen_index, n_rows)
    backward_to(net, layer, objective.terms, n_rows)


@jit
def give_answer(what, net, layer, large_index, small_index, chosen_index, block, n_rows):
    """One of the layers, for one block of rows."""
    first = answer_from(net, layer, block, n_rows)
    for sample in range(first, first + n_rows):
        windows(net, what, layer, large_index, small_index, OUTPUT, chosen_index, sample)
    answer_to(net, layer, block, n_rows)


# ---- pooling ---------------------------------------------------------------------------------------------------------


@linked(NET, intp, OBJECTIVE, BATCH)
def forward(net, layer, objective, batch):
    """The largest numbers."""
    go_forward(LARGEST, net, layer, layer, layer + 1, layer, batch.positions.shape[0])


@linked(NET, intp, OBJECTIVE, BATCH)
def backward(net, layer, objective, batch):
    """The deltas, to where those were found."""
    go_backward(PLACED, net, layer, layer, layer + 1, layer, objective, batch.positions.shape[0])


@linked(NET, intp, intp, intp)
def answer(net, layer, block, n_rows):
    """The largest numbers, for one block of rows."""
    give_answer(LARGEST, net, layer, layer, layer + 1, layer, block, n_rows)
