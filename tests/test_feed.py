"""What the feed deals: which rows, in which order and windows, beside which labels; the split; codes as data."""

import numpy as np
import pytest

from stacked import DataError
from stacked.data import ArrayRows, Rows
from stacked.data import encoded as encoded_rows
from stacked.data.encoded import EncodedRows, encoded
from stacked.kernels.arithmetic.random import SHUFFLE, SPLIT, shuffle, stream_key
from stacked.training import feed
from stacked.training.feed import Feed, split_rows

N_ROWS, N_COLUMNS, BLOCK = 22, 3, 4  # six blocks, the last one short


class Streamed(Rows):
    """Rows that are not in memory, and the slices that were read."""

    in_memory = False

    def __init__(self, array, labels=None):
        self.table, self.reads = array, []
        self._describe("<streamed>", array.shape, array.dtype, labels)

    def read(self, start, stop):
        self._check_slice(start, stop)
        self.reads.append((start, stop))
        return self.table[start:stop].copy()


def _double(table):
    return 2 * table + 1


@pytest.fixture
def table():
    """(22, 3) float32: row i holds i, i + 1/4 and i + 1/2."""
    return (np.arange(N_ROWS)[:, None] + [0.0, 0.25, 0.5]).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of four rows, two blocks a window."""
    for module in (feed, encoded_rows):
        monkeypatch.setattr(module, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(feed, "WINDOW_VALUES", 2 * BLOCK * N_COLUMNS)


KINDS = {
    "memory": ArrayRows,
    "streamed": Streamed,
    "codes": lambda table: EncodedRows(Streamed((table - 1) / 2), _double, N_COLUMNS, table.dtype),
}


def _shuffled(key, epoch, part, order):
    order = np.array(order)
    shuffle(key, epoch, part, order)
    return order


def _expected(seed, unit, epoch, subset=None, window_blocks=2):
    """Row numbers of the windows of an epoch, after the module's docstring."""
    key = stream_key(seed, SHUFFLE, unit)
    blocks = _shuffled(key, epoch, 0, np.arange(6))
    windows = []
    for part, first in enumerate(range(0, 6, window_blocks)):
        dealt = sorted(blocks[first : first + window_blocks])
        ids = [i for block in dealt for i in range(BLOCK * block, min(BLOCK * block + BLOCK, N_ROWS))]
        ids = [i for i in ids if subset is None or i in subset]
        windows.append(_shuffled(key, epoch, 1 + part, ids))
    return windows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subset", [None, [0, 3, 5, 8, 9, 10, 13, 17, 20, 21]])
@pytest.mark.parametrize(("seed", "unit", "epoch"), [(0, 0, 0), (0, 0, 1), (0, 1, 0), (5, 0, 0), (7, 3, 9)])
def test_rows_are_dealt_by_blocks_then_shuffled_within_a_window(kind, subset, seed, unit, epoch, table):
    chosen = None if subset is None else np.array(subset)
    windows = list(Feed(KINDS[kind](table), 1.0, 0.0, seed, unit, subset=chosen).epoch(epoch))
    expected = _expected(seed, unit, epoch, subset)
    assert len(windows) == 3
    for window, ids in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(window.row_ids, ids)
        rows = window.samples.bytes.view(np.float32)[window.positions]
        np.testing.assert_array_equal(rows, table[ids])


def _block_order(table, seed, unit, epoch):
    windows = Feed(ArrayRows(table), 1.0, 0.0, seed, unit).epoch(epoch)
    return [sorted({int(i) // BLOCK for i in window.row_ids}) for window in windows]


def test_the_order_of_the_blocks_depends_on_seed_unit_and_epoch(table):
    orders = [_block_order(table, *where) for where in ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (1, 0, 0))]
    assert all(orders[i] != orders[j] for i in range(5) for j in range(i))
    assert all(sorted(block for blocks in order for block in blocks) == list(range(6)) for order in orders)


def test_every_window_has_its_own_shuffle(table, monkeypatch):
    monkeypatch.setattr(feed, "WINDOW_VALUES", 1)
    windows = Feed(ArrayRows(table), 1.0, 0.0, 0, 0).epoch(0)
    orders = {tuple(window.row_ids % BLOCK) for window in windows if len(window.row_ids) == BLOCK}
    assert len(orders) > 1


@pytest.mark.parametrize(
    ("values", "window_blocks"), [(1, 1), (12, 1), (23, 1), (24, 2), (35, 2), (36, 3), (71, 5), (72, 6), (10**6, 6)]
)
def test_a_window_holds_as_many_blocks_as_its_values_allow(values, window_blocks, table, monkeypatch):
    monkeypatch.setattr(feed, "WINDOW_VALUES", values)
    windows = list(Feed(ArrayRows(table), 1.0, 0.0, 0, 0).epoch(3))
    for window, ids in zip(windows, _expected(0, 0, 3, window_blocks=window_blocks), strict=True):
        np.testing.assert_array_equal(window.row_ids, ids)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_stay_beside_their_rows(kind, table):
    labels = 100 + np.arange(N_ROWS)
    dealer = Feed(KINDS[kind](table), 1.0, 0.0, 0, 0, labels, np.arange(1, N_ROWS, 2))
    assert dealer.n_rows == 11
    for epoch in range(3):
        for window in dealer.epoch(epoch):
            np.testing.assert_array_equal(window.labels[window.positions], 100 + window.row_ids)


@pytest.mark.parametrize("kind", KINDS)
def test_scale_and_offset_travel_with_the_samples(kind, table):
    for window in Feed(KINDS[kind](table), 0.5, -3.0, 0, 0).epoch(0):
        assert (window.samples.scale, window.samples.offset) == (0.5, -3.0)
        assert len(window.labels) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_without_chosen_rows_is_not_dealt(kind, table):
    windows = list(Feed(KINDS[kind](table), 1.0, 0.0, 0, 0, subset=np.array([21])).epoch(0))
    assert [window.row_ids.tolist() for window in windows] == [[21]]


def test_a_streamed_epoch_reads_every_row_once(table):
    rows = Streamed(table)
    list(Feed(rows, 1.0, 0.0, 0, 0).epoch(0))
    assert sorted(rows.reads) == [(start, min(start + BLOCK, N_ROWS)) for start in range(0, N_ROWS, BLOCK)]


def test_codes_are_encoded_in_whole_blocks_wherever_they_are_read(table):
    sizes = []

    def encode(block):
        sizes.append(len(block))
        return _double(block)[:, :2]

    codes = EncodedRows(Streamed(table), encode, 2, np.dtype(np.float32))
    for start, stop in ((0, 22), (0, 1), (3, 4), (4, 8), (3, 9), (5, 21), (20, 22), (21, 22)):
        np.testing.assert_array_equal(codes.read(start, stop), _double(table)[start:stop, :2])
    list(Feed(codes, 1.0, 0.0, 0, 0).epoch(0))
    assert set(sizes) == {BLOCK, N_ROWS % BLOCK}
    assert (codes.n_rows, codes.n_columns, codes.sample_shape) == (22, 2, (2,))


@pytest.mark.parametrize("free", [0, 4 * N_ROWS * 2 * 4 - 1, 4 * N_ROWS * 2 * 4])
def test_codes_are_kept_if_they_fit_in_a_quarter_of_the_free_memory(free, table, monkeypatch):
    monkeypatch.setattr(encoded_rows, "available_memory", lambda: free)
    below = Streamed(table, labels=np.arange(N_ROWS))
    codes = encoded(below, lambda block: _double(block)[:, :2], 2, np.dtype(np.float32))
    assert isinstance(codes, ArrayRows) == (free == 4 * N_ROWS * 2 * 4)
    np.testing.assert_array_equal(codes.read(0, N_ROWS), _double(table)[:, :2])
    np.testing.assert_array_equal(codes.labels, below.labels)
    assert codes.name == below.name and codes.dtype == np.float32 and codes.n_columns == 2


def test_codes_of_codes_are_computed_from_the_rows_in_the_right_order(table, monkeypatch):
    monkeypatch.setattr(encoded_rows, "available_memory", lambda: 0)
    rows = Streamed(table)
    once = encoded(rows, _double, 3, np.dtype(np.float32))
    twice = encoded(once, lambda block: -block[:, :1], 1, np.dtype(np.float64))
    assert twice.below is rows and twice.n_columns == 1 and twice.dtype == np.float64
    np.testing.assert_array_equal(twice.read(0, N_ROWS), -_double(table)[:, :1])


@pytest.mark.parametrize(
    ("n_rows", "fraction", "n_validation"),
    [(10, 0.2, 2), (10, 0.26, 3), (10, 0.99, 9), (10, 0.01, 1), (2, 0.1, 1), (2, 0.9, 1), (7, 0.5, 4), (300, 0.3, 90)],
)
def test_the_split_has_the_asked_for_share_and_at_least_a_row_on_each_side(n_rows, fraction, n_validation):
    training, validation = split_rows(n_rows, fraction, 0)
    assert len(validation) == n_validation
    np.testing.assert_array_equal(np.sort(np.concatenate([training, validation])), np.arange(n_rows))
    for part in (training, validation):
        np.testing.assert_array_equal(part, np.sort(part))


def test_the_split_is_drawn_by_the_seed_from_a_stream_of_its_own():
    order = _shuffled(stream_key(3, SPLIT), 0, 0, np.arange(50))
    np.testing.assert_array_equal(split_rows(50, 0.2, 3)[1], np.sort(order[:10]))
    assert not np.array_equal(split_rows(50, 0.2, 3)[1], split_rows(50, 0.2, 4)[1])
    assert split_rows(50, 0.0, 3) == (None, None)


def test_one_row_is_not_split():
    with pytest.raises(DataError, match="at least 2 rows, found 1"):
        split_rows(1, 0.5, 0)
