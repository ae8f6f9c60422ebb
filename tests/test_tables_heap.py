"""Labels that are text of variable length in HDF5 files, and heaps that lie."""

import h5py
import numpy as np
import pytest

from stacked import open_data
from stacked.errors import DataError

NAMES = ["cat", "dög", "", "a longer name of a class", "cat"] * 7


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((len(NAMES), 2)))
    return tmp_path / "a.h5"


def written(path, **kwargs):
    with h5py.File(path, "w") as file:
        file["X"] = np.ones((len(NAMES), 2))
        file.create_dataset("y", data=NAMES, dtype=h5py.string_dtype(kwargs.pop("encoding", "utf-8")), **kwargs)
    return path


def labels(path):
    return open_data(path.parent / "x.npy", labels=f"{path}:y").labels


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"chunks": (8,)},
        {"chunks": (8,), "compression": "gzip", "shuffle": True},
        {"chunks": (64,), "maxshape": (None,)},
    ],
)
def test_text_of_variable_length(path, kwargs):
    assert list(labels(written(path, **kwargs))) == NAMES
    assert list(open_data(path).labels) == NAMES  # beside the rows


def test_ascii(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("y", data=["a", "b"] * 17 + ["a"], dtype=h5py.string_dtype("ascii"))
    assert list(labels(path)) == ["a", "b"] * 17 + ["a"]


def test_texts_over_several_collections(path):
    names = [f"class {i} {'x' * 3000}" for i in range(len(NAMES))]
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("y", shape=(len(NAMES),), dtype=h5py.string_dtype())
        for i, name in enumerate(names):
            dataset[i] = name
    assert path.read_bytes().count(b"GCOL") > 1 and list(labels(path)) == names


def refused(path, words):
    with pytest.raises(DataError, match=words) as caught:
        labels(path)
    assert "\n" not in str(caught.value)


def patched(path, change):
    """The file with its references, or its heap, changed."""
    with h5py.File(written(path)) as file:
        at = file["y"].id.get_offset()
    content = bytearray(path.read_bytes())
    change(content, at, content.index(b"GCOL"))
    path.write_bytes(content)
    return path


def put(offset, value, size, heap=False):
    def change(content, references, collection):
        at = (collection if heap else references) + offset
        content[at : at + size] = value.to_bytes(size, "little")

    return change


HOSTILE = {
    "length": (put(0, 2**31, 4), "labels of at most 4,096 bytes, found 2,147,483,648"),
    "beyond its object": (put(0, 99, 4), "expected text of 99 bytes, found a damaged heap"),
    "beyond the file": (put(4, 2**60, 8), "an address beyond its end"),
    "no heap there": (put(4, 8, 8), "expected a heap of text, found a damaged one"),
    "no such object": (put(12, 60_000, 4), "expected text of 3 bytes, found a damaged heap"),
    "signature": (put(0, 0, 4, heap=True), "found a damaged one"),
    "version": (put(4, 9, 1, heap=True), "found a damaged one"),
    "size": (put(8, 2**40, 8, heap=True), "found a damaged one"),
    "no size": (put(8, 0, 8, heap=True), "found a damaged one"),
    "size of an object": (put(24, 2**63, 8, heap=True), "found a damaged heap"),
    "no text": (put(32, 0xFF, 1, heap=True), "found a damaged one .*can't decode"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_heaps(path, name):
    change, words = HOSTILE[name]
    refused(patched(path, change), words)


def test_the_same_collection_under_many_addresses_is_read_once_through(path):
    """References into one another's middle: each collection may claim what is left of the file, all together no more than it."""

    def change(content, references, collection):
        forged = bytearray()
        for _ in range(64):
            forged += b"GCOL\1\0\0\0" + (60_000).to_bytes(8, "little") + bytes(16)
        start = len(content)
        content += forged + bytes(60_000)
        for i in range(len(NAMES)):
            at = references + 16 * i
            content[at : at + 16] = (1).to_bytes(4, "little") + (start + 32 * i).to_bytes(8, "little") + bytes(4)

    refused(patched(path, change), "damaged")


def test_a_file_with_a_user_block(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("y", data=NAMES, dtype=h5py.string_dtype())
    refused(path, "no user block, found another one")
