"""Same bits: streamed or in memory, in one window or many, in chunks of any size, on any number of threads."""

import h5py
import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, StackedClassifier, VariationalAutoencoder
from stacked.data import ArrayRows, H5Rows, encoded
from stacked.kernels.pool import max_threads
from stacked.training import feed
from stacked.training import loop as training
from stacked.training.trainees import RBMTrainee

UNITS = {
    "rbm": lambda: RBM(24, epochs=3, batch_size=32, random_state=0),
    "persistent": lambda: RBM(24, epochs=3, batch_size=32, persistent=True, random_state=0),
    "sparse": lambda: RBM(24, epochs=3, batch_size=32, sparsity_target=0.1, sparsity_weight=0.2, random_state=0),
    "variational": lambda: VariationalAutoencoder(
        6, hidden_layers=(24,), binarize=True, samples=2, kl_warmup=2, epochs=3, batch_size=32, random_state=0
    ),
    "denoising": lambda: Autoencoder(24, epochs=3, batch_size=32, corruption_level=0.3, random_state=0),
}


@pytest.fixture
def table():
    """(3000, 20) uint8: three blocks, the last one short."""
    return np.random.default_rng(0).integers(0, 256, (3000, 20), dtype=np.uint8)


@pytest.fixture
def stored(table, tmp_path):
    """The table in an HDF5 file, as streamed rows."""
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        file["x"] = table
    return H5Rows(path, "/x")


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of a single block, so that a small table has several."""
    monkeypatch.setattr(feed, "WINDOW_VALUES", 1)


def _stack():
    units = [RBM(24, epochs=2), Autoencoder(10, epochs=2, corruption_level=0.2), RBM(4, hidden="gaussian", epochs=2)]
    units[2].learning_rate = 0.001
    return StackedAutoencoder(units, finetune_epochs=2, validation_fraction=0.2, random_state=0)


@pytest.mark.parametrize("name", UNITS)
def test_a_streamed_unit_has_the_bits_of_one_in_memory(name, table, stored, small_windows):
    in_memory, streamed = UNITS[name]().fit(table), UNITS[name]().fit(stored)
    np.testing.assert_array_equal(in_memory.network_.params, streamed.network_.params)
    np.testing.assert_array_equal(in_memory.transform(table), streamed.transform(stored))
    assert in_memory.history_[-1].loss == streamed.history_[-1].loss


def test_a_streamed_stack_whose_codes_do_not_fit_has_the_same_bits(table, stored, small_windows, monkeypatch):
    reference = _stack().fit(table)
    monkeypatch.setattr(encoded, "available_memory", lambda: 0)  # codes are computed on the fly
    streamed = _stack().fit(stored)
    np.testing.assert_array_equal(reference.network_.params, streamed.network_.params)
    assert [r.validation_loss for r in reference.history_] == [r.validation_loss for r in streamed.history_]


def test_a_streamed_classifier_keeps_rows_and_labels_together(table, stored, small_windows):
    labels = (table[:, 0].astype(int) + table[:, 1] > 255).astype(int)
    settings = {"finetune_epochs": 12, "finetune_learning_rate": 0.01, "random_state": 0}
    in_memory = StackedClassifier([Autoencoder(16, epochs=1)], **settings).fit(table, labels)
    streamed = StackedClassifier([Autoencoder(16, epochs=1)], **settings).fit(stored, labels)
    np.testing.assert_array_equal(in_memory.network_.params, streamed.network_.params)
    assert streamed.score(stored, labels) > 0.93


def test_every_row_is_dealt_once_an_epoch_and_epochs_differ(table, stored, small_windows):
    subset = np.flatnonzero(np.arange(3000) % 3)
    for rows in (ArrayRows(table), stored):
        dealer = feed.Feed(rows, 1.0, 0.0, seed=0, unit=0, subset=subset)
        epochs = [list(dealer.epoch(epoch)) for epoch in (0, 1)]
        for windows in epochs:
            assert len(windows) == 3
            ids = np.concatenate([window.row_ids for window in windows])
            np.testing.assert_array_equal(np.sort(ids), subset)
            for window in windows:
                np.testing.assert_array_equal(window.samples.bytes[window.positions], table[window.row_ids])
        first, second = (np.concatenate([w.row_ids for w in windows]) for windows in epochs)
        assert not np.array_equal(first, second)


def test_a_small_data_set_is_shuffled_whole(table):
    (window,) = feed.Feed(ArrayRows(table), 1.0, 0.0, seed=0, unit=0).epoch(0)
    blocks = window.row_ids[:1024] // 1024
    assert set(blocks) == {0, 1, 2}
    assert np.corrcoef(np.arange(3000), window.row_ids)[0, 1] < 0.1


@pytest.mark.parametrize("name", ["persistent", "sparse"])
@pytest.mark.parametrize("chunk", [1, 100, 1_000_000])
def test_chunk_size_does_not_change_the_bits(chunk, name, table, monkeypatch):
    reference, calls = UNITS[name]().fit(table), []
    monkeypatch.setattr(training, "CHUNK_ROWS", chunk)
    original = RBMTrainee.train

    def train(self, window, rows, batch_size, epoch, step, update):
        calls.append((rows.stop - rows.start, step))
        return original(self, window, rows, batch_size, epoch, step, update)

    monkeypatch.setattr(RBMTrainee, "train", train)
    np.testing.assert_array_equal(reference.weight_, UNITS[name]().fit(table).weight_)
    sizes, steps = zip(*calls[1:], strict=True)  # the first call, on no rows, compiles
    minibatches = [len(range(0, size, 32)) for size in sizes]
    assert steps == tuple(np.cumsum([0, *minibatches[:-1]]))
    assert sum(minibatches) == 3 * 94 and len(calls) - 1 == {1: 3 * 94, 100: 3 * 32, 1_000_000: 3}[chunk]


@pytest.mark.parametrize("name", UNITS)
def test_number_of_threads_does_not_change_the_bits(name):
    wide = np.random.default_rng(1).random((700, 300), np.float32)  # several tiles in every product
    fits = []
    for n_threads in range(1, min(max_threads(), 4) + 1):
        unit = UNITS[name]().set_params(n_hidden=520, n_threads=n_threads, batch_size=100).fit(wide)
        fits.append((unit.network_.params.copy(), unit.transform(wide)))
    for params, codes in fits[1:]:
        np.testing.assert_array_equal(fits[0][0], params)
        np.testing.assert_array_equal(fits[0][1], codes)


def test_a_read_only_array_is_accepted_and_not_copied(table):
    table.flags.writeable = False
    np.testing.assert_array_equal(UNITS["rbm"]().fit(table).weight_, UNITS["rbm"]().fit(table.copy()).weight_)
