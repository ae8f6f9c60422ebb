"""Compressed chunks: what HDF5 wrote is read back, and nothing inflates, repeats or lies beyond what is declared."""

import itertools
import time
import zlib

import h5py
import numpy as np
import pytest

from stacked.chunks import ChunkError, Chunks
from stacked.errors import ModelFileError
from stacked.files.chunks import read_chunks
from stacked.files.manifest import ArraySpec

TABLE = np.random.default_rng(0).integers(0, 40, (7, 9))
GZIP = {"compression": "gzip"}
ALL = {"shuffle": True, "fletcher32": True}


def chunks_of(file, name="x"):
    dataset = file[name].id
    return Chunks(dataset, dataset.get_create_plist())


def assembled(chunks, dtype):
    """All chunks side by side, in their full size."""
    out = np.zeros(np.multiply(chunks.counts, chunks.chunk), dtype)
    for place in itertools.product(*map(range, chunks.counts)):
        part = tuple(slice(at * step, (at + 1) * step) for at, step in zip(place, chunks.chunk, strict=True))
        out[part] = np.frombuffer(chunks.read(place), dtype).reshape(chunks.chunk)
    return out


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i4", "<f8", "S3"])
@pytest.mark.parametrize("options", [GZIP, GZIP | ALL, ALL, {"compression": "lzf"}, {"compression": "lzf"} | ALL])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_every_filter_is_undone(tmp_path, dtype, options, libver):
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file.create_dataset("x", data=TABLE.astype(dtype), chunks=(3, 4), **options)
        np.testing.assert_array_equal(assembled(chunks_of(file), dtype)[:7, :9], TABLE.astype(dtype))


@pytest.mark.parametrize("options", [{"compression": "lzf"}, {"fletcher32": True}, GZIP])
@pytest.mark.parametrize("kind", ["zeros", "noise", "repeats"])
def test_long_chunks(tmp_path, options, kind):
    """Copies that reach into themselves, far back, and literals only; sums of many and of an odd number of bytes."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, 300_001, dtype=np.uint8)
    table = {"zeros": np.zeros_like(noise), "noise": noise, "repeats": np.tile(noise[:7000], 43)[:300_001]}[kind]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=table, chunks=table.shape, **options)
        np.testing.assert_array_equal(assembled(chunks_of(file), "u1"), table)


def test_many_chunks_take_linear_time(tmp_path):
    """Looked up one by one, 20,000 chunks take some 10 s."""
    table = np.random.default_rng(2).random((20_000, 2))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=table, chunks=(1, 2), compression="gzip")
        begin = time.process_time()
        found = read_chunks(dataset.id, dataset.id.get_create_plist(), "/x", ArraySpec(np.dtype("f8"), table.shape))
        assert time.process_time() - begin < 3
    np.testing.assert_array_equal(found, table)


BOMB = zlib.compress(bytes(1 << 20), 9)
WHOLE = zlib.compress(bytes(16))
BAD_BLOCKS = [
    ("gzip", BOMB, "holds 21 bytes, expected 16"),
    ("gzip", zlib.compress(bytes(15)), "holds 15 bytes, expected 16"),
    ("gzip", WHOLE[:-1], "cut short"),
    ("gzip", bytes(3 << 20), "stores 3,145,728 bytes for a chunk of 16"),
    ("lzf", b"\0a" + b"\xe0\xff\0" * 9000, "holds 265 bytes, expected 16"),
    ("lzf", b"\0a\x20\x05", "damaged"),
    ("lzf", b"\0a\xe0", "cut short"),
    ("lzf", b"\0a", "holds 1 bytes"),
]


@pytest.mark.parametrize(("compression", "block", "words"), BAD_BLOCKS)
def test_chunks_that_are_not_what_they_should_be(tmp_path, compression, block, words):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (4, 4), "u1", chunks=(4, 4), compression=compression).id.write_direct_chunk(
            (0, 0), block
        )
        with pytest.raises(ChunkError, match=words):
            chunks_of(file).read((0, 0))


def test_a_wrong_checksum_and_one_that_was_left_out(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=TABLE, chunks=TABLE.shape, fletcher32=True)
        block = dataset.id.read_direct_chunk((0, 0))[1]
        for name, content, mask in (("wrong", bytes([block[0] ^ 1]) + block[1:], 0), ("without", block[:-4], 1)):
            dataset = file.create_dataset(name, TABLE.shape, TABLE.dtype, chunks=TABLE.shape, fletcher32=True)
            dataset.id.write_direct_chunk((0, 0), content, mask)
    with h5py.File(tmp_path / "a.h5") as file:
        assert chunks_of(file).read((0, 0)) == chunks_of(file, "without").read((0, 0)) == TABLE.tobytes()
        with pytest.raises(ChunkError, match="checksum"):
            chunks_of(file, "wrong").read((0, 0))


def test_chunks_that_are_not_stored(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (7, 9), "u1", chunks=(3, 4), **GZIP)[4, 4] = 1
        file.create_dataset("huge", (2**20, 2**20), "u1", chunks=(1, 1), **GZIP)
        chunks = chunks_of(file)
        stored = [place for place in itertools.product(range(3), range(3)) if chunks.read(place) is not None]
        assert stored == [(1, 1)]
        with pytest.raises(ChunkError, match="expected at most"):
            chunks_of(file, "huge")


@pytest.mark.parametrize("left_out", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)], ids=str)
def test_each_filter_may_be_left_out_for_a_chunk(tmp_path, left_out):
    """Shuffle, gzip, fletcher32 in this order; a bit of a chunk's mask for each that was not applied."""
    table = np.arange(300, 312, dtype="<i4").reshape(3, 4)
    whole = {}
    for name, options in (("plain", {}), ("shuffled", {"shuffle": True})):
        with h5py.File(tmp_path / "parts.h5", "w") as file:
            file.create_dataset("x", data=table, chunks=(3, 4), **options)
            whole[name] = file["x"].id.read_direct_chunk((0, 0))[1]
    block = whole["plain" if 0 in left_out else "shuffled"]
    if 1 not in left_out:
        block = zlib.compress(block)
    if 2 not in left_out:
        with h5py.File(tmp_path / "parts.h5", "w") as file:
            file.create_dataset("x", data=np.frombuffer(block, "u1"), chunks=(len(block),), fletcher32=True)
            block = file["x"].id.read_direct_chunk((0,))[1]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", table.shape, "<i4", chunks=(3, 4), **GZIP, **ALL)
        dataset.id.write_direct_chunk((0, 0), block, sum(1 << i for i in left_out))
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(assembled(chunks_of(file), "<i4"), table)


def test_more_chunks_than_stored_bytes_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", (5000, 1), "u1", chunks=(1, 1), **GZIP)
        dataset[0] = 1
        with pytest.raises(ModelFileError, match=r"^/x: is cut into 5,000 chunks, but only \d+ bytes are stored"):
            read_chunks(dataset.id, dataset.id.get_create_plist(), "/x", ArraySpec(np.dtype("u1"), (5000, 1)))
