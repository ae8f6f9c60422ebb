"""Hostile .npz and .npy files: no more is inflated, or read, than the header that was checked needs."""

import io
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

from stacked.data import SparseRows, open_data
from stacked.errors import DataError

TABLE = np.arange(12.0).reshape(4, 3)
CSR = dict(
    format=np.array(b"csr"),
    shape=np.array([2, 3]),
    data=np.ones(2),
    indices=np.array([0, 2]),
    indptr=np.array([0, 1, 2]),
)
METHODS = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def long_header(length=32 << 20):
    """Version 2.0, whose header has a length of four bytes: blanks behind a good one."""
    text = repr(np.lib.format.header_data_from_array_1_0(TABLE)).encode()
    return b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little") + text.ljust(length) + TABLE.tobytes()


def write(path, members, bomb=None, method=zipfile.ZIP_DEFLATED):
    """An .npz file. The member ``bomb`` holds 8 MiB of zeros more than the archive's directory says."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            content = content if isinstance(content, bytes) else npy(content)
            size = len(content)
            if name == bomb:
                content += bytes(8 << 20)
            archive.writestr(f"{name}.npy", content, method if bomb in (None, name) else None)
            archive.getinfo(f"{name}.npy").file_size = size
    return str(path)


def refused(words, *args, most=4 << 20):
    """One line of an error, and little memory on the way to it."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=words) as caught:
            open_data(*args)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bomb", ["X", "y"])
def test_a_member_whose_entry_lies_is_not_inflated(tmp_path, bomb, method):
    path = write(tmp_path / "a.npz", {"X": TABLE, "y": np.arange(4)}, bomb, METHODS[method])
    words = rf"a\.npz.* \({bomb}\): expected a stored or deflated member, found compression method \d+; numpy"
    refused(words, path)
    refused(words, f"{path}:{bomb}")
    np.save(tmp_path / "rows.npy", TABLE)
    refused(words, str(tmp_path / "rows.npy"), f"{path}:{bomb}")


@pytest.mark.parametrize("part", CSR)
def test_nor_is_a_part_of_a_sparse_matrix(tmp_path, part):
    refused(rf"\({part}\): expected a stored or deflated", write(tmp_path / "a.npz", CSR, part, zipfile.ZIP_BZIP2))


@pytest.mark.parametrize("bomb", ["X", "y"])
def test_a_deflated_member_is_read_as_far_as_its_entry_says(tmp_path, bomb):
    refused("Bad CRC-32", write(tmp_path / "a.npz", {"X": TABLE, "y": np.arange(4)}, bomb), most=8 << 20)


@pytest.mark.parametrize("name", ["X", "y", "other"])
def test_a_long_header_is_not_inflated(tmp_path, name):
    path = write(tmp_path / "a.npz", {"X": TABLE, "y": np.arange(4)} | {name: long_header()})
    refused(rf"a\.npz \({name}\): expected a header of at most 10000 bytes, found one of 33554432", path)


def test_nor_is_that_of_an_npy_file_read(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(long_header(200)[:8] + (32 << 20).to_bytes(4, "little"))
        file.truncate(64 << 20)
    refused(r"a\.npy: expected a header of at most 10000 bytes, found one of 33554432", tmp_path / "a.npy")


def test_a_header_of_version_2_is_read(tmp_path):
    (tmp_path / "a.npy").write_bytes(long_header(200))
    np.testing.assert_array_equal(open_data(tmp_path / "a.npy").array, TABLE)


def test_two_members_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's, of the second one
        archive.writestr("X.npy", npy(TABLE))
        archive.writestr("X.npy", npy(-TABLE))
    refused(r"a\.npz: expected one array called 'X', found several", tmp_path / "a.npz")


def test_a_stored_member_longer_than_its_bytes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        header = npy(np.zeros((0, 1 << 10)))[:128].replace(b"(0, 1024)", b"(8192, 1024)").replace(b"   \n", b"\n")
        archive.writestr("X.npy", header)
        archive.getinfo("X.npy").file_size = len(header) + (64 << 20)
    refused(r"a\.npz \(X\): expected \d+ bytes|damaged", tmp_path / "a.npz")


def test_the_parts_of_a_sparse_matrix_must_fit_together(tmp_path, monkeypatch):
    path = write(tmp_path / "a.npz", CSR | {"more": np.zeros(1 << 20)})
    assert isinstance(open_data(path), SparseRows)  # what is no part of it is not read
    parts = CSR | {name: np.zeros(20_000, int) for name in ("data", "indices")}
    monkeypatch.setattr("stacked.data.memory.available_memory", lambda: 200_000)
    refused(r"a\.npz: expected at most 0\.0 GiB, the memory available", write(tmp_path / "a.npz", parts))


def test_a_sparse_matrix_of_few_numbers_and_many_rows(tmp_path):
    one = dict(
        format=np.array(b"coo"), shape=np.array([1 << 50, 2]), data=np.ones(1), row=np.array([0]), col=np.array([0])
    )
    refused("rows and columns with numbers in them", write(tmp_path / "a.npz", one))
