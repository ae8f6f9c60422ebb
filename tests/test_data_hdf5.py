"""HDF5 as data: compressed datasets past the guard, and files that change while they are read."""

import os
import pickle
import time
import tracemalloc
import zlib

import h5py
import numpy as np
import pytest

import stacked.data.memory
from stacked.data import ArrayRows, H5Rows, fingerprint, open_data
from stacked.errors import DataError

from .test_cli_boundary import refused

TABLE = np.random.default_rng(0).integers(0, 250, (40, 6, 5)).astype(np.uint8)


def stored(path, name="X", **options):
    with h5py.File(path, "a") as file:
        return file.create_dataset(name, **options).id


def bomb(path, name, shape, dtype="u1"):
    """A small dataset over a chunk that inflates to 64 MiB."""
    with h5py.File(path, "a") as file:
        dataset = file.create_dataset(name, shape, dtype, chunks=shape, compression="gzip")
        dataset.id.write_direct_chunk((0,) * len(shape), zlib.compress(bytes(1 << 26), 1))


def refused_in_little_memory(call, words):
    """HDF5's own buffers do not show here; that the message is this guard's shows that HDF5 decoded nothing."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=words) as caught:
            call()
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value) and "a.h5" in str(caught.value)


def test_a_chunk_that_inflates_too_far_is_not_inflated(tmp_path):
    bomb(tmp_path / "a.h5", "X", (4, 4))
    refused_in_little_memory(lambda: open_data(tmp_path / "a.h5"), "a chunk holds 21 bytes, expected 16")


@pytest.mark.parametrize("labels", [None, "y"])
def test_nor_one_of_labels(tmp_path, labels):
    path = tmp_path / "a.h5"
    stored(path, data=TABLE)
    bomb(path, "y", (40,), "i8")
    given = labels and f"{path}:{labels}"
    refused_in_little_memory(lambda: open_data(f"{path}:X", labels=given), "a chunk holds 325 bytes, expected 320")


@pytest.mark.parametrize("chunks", [(7, 4, 5), (40, 6, 5), (1, 6, 2), (3000, 6, 5)])
@pytest.mark.parametrize("compression", ["gzip", "lzf"])
@pytest.mark.parametrize("dtype", ["u1", ">u2", "<f8", "?"])
def test_compressed_rows_of_any_chunks(tmp_path, dtype, chunks, compression):
    table = TABLE.astype(dtype)
    options = {"maxshape": (None, 6, 5), "shuffle": True, "fletcher32": True}
    stored(tmp_path / "a.h5", data=table, chunks=chunks, compression=compression, **options)
    expected = ArrayRows(table)
    with H5Rows(tmp_path / "a.h5", "X") as rows:
        for start, stop in ((0, 40), (3, 3), (5, 9), (13, 40), (39, 40)):
            np.testing.assert_array_equal(rows.read(start, stop), expected.read(start, stop))
    assert fingerprint(open_data(tmp_path / "a.h5")) == fingerprint(expected)


LZF_BLOCKS = {
    "longer": b"\0a" + b"\xe0\xff\0" * 300_000,
    "shorter": b"\0a",
    "damaged": b"\0a\x20\x05",
    "cut short": b"\0a\xe0",
}


@pytest.mark.parametrize("block", LZF_BLOCKS.values(), ids=LZF_BLOCKS)
def test_lzf_chunks_that_are_not_what_they_should_be(tmp_path, block):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (4, 4), "u1", chunks=(4, 4), compression="lzf").id.write_direct_chunk((0, 0), block)
    refused_in_little_memory(lambda: open_data(str(tmp_path / "a.h5")), "(holds|lzf)")


def test_a_table_of_chunks_that_are_not_stored_is_not_walked(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("X", (1024, 2048), "u1", chunks=(1, 1), compression="gzip", fillvalue=7)
        dataset[3, 5] = 9
    begin = time.process_time()
    with H5Rows(tmp_path / "a.h5", "X") as rows:
        table = rows.read(0, 1024)
    assert time.process_time() - begin < 2
    assert table[3, 5] == 9 and (table == 7).sum() == table.size - 1


def test_few_decoded_chunks_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("stacked.data.h5table._KEPT_BYTES", 3 * 7 * 30)
    stored(tmp_path / "a.h5", data=TABLE, chunks=(7, 6, 5), compression="gzip")
    with H5Rows(tmp_path / "a.h5", "X") as rows:
        for start in range(39):
            np.testing.assert_array_equal(rows.read(start, start + 1), TABLE[start : start + 1].reshape(1, -1))
            assert len(rows._dataset._kept) <= 3


def test_what_was_never_written_holds_the_fill_value(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (10, 4), "f4", chunks=(3, 2), compression="gzip", fillvalue=0.5)[4] = 2
    expected = np.full((10, 4), 0.5)
    expected[4] = 2
    np.testing.assert_array_equal(open_data(tmp_path / "a.h5").array, expected)


def test_compressed_text_is_taken_whatever_it_is_padded_with(tmp_path):
    """Blanks, as Fortran writes it: HDF5 converts it, as it does where nothing is compressed."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(4)
    kind.set_strpad(h5py.h5t.STR_SPACEPAD)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((16,))
    plist.set_deflate(4)
    stored(tmp_path / "a.h5", data=TABLE)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        dataset = h5py.h5d.create(file.id, b"y", kind, h5py.h5s.create_simple((40,)), plist)
        h5py.Dataset(dataset)[...] = np.arange(40).astype("S4")
    assert list(open_data(tmp_path / "a.h5").labels) == [str(i) for i in range(40)]


@pytest.mark.parametrize("options", [{"scaleoffset": 0}, {"compression": "szip"}])
def test_filters_that_are_not_decoded_here_are_refused(tmp_path, options):
    if "compression" in options and not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        pytest.skip("this h5py carries no szip")
    stored(tmp_path / "a.h5", data=TABLE.astype("i4"), chunks=(8, 6, 5), **options)
    words = (
        r"a\.h5: expected 'X' compressed by gzip, shuffle, fletcher32, lzf or not at all, found the filter .* h5repack"
    )
    with pytest.raises(DataError, match=words):
        open_data(tmp_path / "a.h5")


def test_a_virtual_dataset_is_not_asked_for_its_shape(tmp_path, monkeypatch):
    """HDF5 would open the files that it names, and wait for a writer if one of them is a pipe."""
    layout = h5py.VirtualLayout((6, 4), "u1", maxshape=(None, 4))
    source = h5py.VirtualSource(str(tmp_path / "pipe"), "X", (6, 4), "u1", maxshape=(None, 4))
    layout[: h5py.h5s.UNLIMITED, :] = source[: h5py.h5s.UNLIMITED, :]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("X", layout)
    monkeypatch.setattr(h5py.Dataset, "shape", property(lambda dataset: pytest.fail("asked for the shape")))
    for spec in (tmp_path / "a.h5", f"{tmp_path}/a.h5:X"):
        with pytest.raises(DataError, match="found a reference to other files"):
            open_data(spec)


# A file that changes -----------------------------------------------------------------------------------------------


def shrink(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.write(content[:2048] + bytes(len(content) - 2048))


def touch(path):
    os.utime(path, ns=(0, 1))


def put_another_in_its_place(path):
    other = path.with_name("other.h5")
    stored(other, data=TABLE[::-1], **OPTIONS[path.stem])
    other.replace(path)


OPTIONS = {"plain": {}, "packed": {"chunks": (4, 6, 5), "compression": "gzip"}}
CHANGES = [shrink, overwrite, touch, put_another_in_its_place]
CHANGED = "expected the file that was opened, found that it changed while it was read"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", OPTIONS)
def test_a_file_that_changes_while_it_is_read(tmp_path, name, change):
    path = tmp_path / f"{name}.h5"
    stored(path, data=TABLE, **OPTIONS[name])
    with H5Rows(path, "X") as rows:
        rows.read(0, 4)
        change(path)
        for _ in range(2):
            with pytest.raises(DataError, match=f"{name}.h5:X: {CHANGED}"):
                rows.read(36, 40)


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_closed(tmp_path, change):
    path = tmp_path / "plain.h5"
    stored(path, data=TABLE)
    with H5Rows(path, "X") as rows:
        pickled = pickle.dumps(rows)
    change(path)
    for other in (rows, pickle.loads(pickled)):
        with other, pytest.raises(DataError, match=CHANGED):
            other.read(0, 4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_process_that_was_forked_knows_the_file(tmp_path):
    path = tmp_path / "plain.h5"
    stored(path, data=TABLE)
    rows = H5Rows(path, "X")
    touch(path)
    rows._pid = -1  # as in the child: its first read opens the file anew
    with rows, pytest.raises(DataError, match=CHANGED):
        rows.read(0, 4)


def test_a_file_that_is_removed_while_it_is_open_is_read_to_its_end(tmp_path):
    path = tmp_path / "plain.h5"
    stored(path, data=TABLE)
    with H5Rows(path, "X") as rows:
        path.unlink()
        np.testing.assert_array_equal(rows.read(0, 40), TABLE.reshape(40, -1))
    with pytest.raises(DataError, match=r"plain\.h5:X: .*No such file"):
        rows.read(0, 4)


@pytest.mark.parametrize("change", [shrink, overwrite])
def test_training_on_a_file_that_changes_ends_in_the_error(tmp_path, monkeypatch, change):
    """Streamed, because there seems to be room for the network only; 9 reads come before training, 3 an epoch."""
    path, model = tmp_path / "plain.h5", tmp_path / "model.h5"
    stored(path, data=np.random.default_rng(1).integers(0, 250, (3000, 2, 4)).astype(np.uint8))
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: 4096)
    monkeypatch.setattr("stacked.data.h5rows.require_memory", lambda *args: None)
    reads, read = [], H5Rows.read

    def read_and_change(rows, start, stop):
        reads.append(start)
        if len(reads) == 20:
            change(path)
        return read(rows, start, stop)

    monkeypatch.setattr(H5Rows, "read", read_and_change)
    message = refused("pretrain", path, "-o", model, "--layers", "4", "--epochs", "9", "--quiet")
    assert CHANGED in message and len(reads) == 20
    with h5py.File(model) as file:  # what was there after the last epoch of good rows, to go on from
        assert "checkpoint" in file
