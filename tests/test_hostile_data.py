"""Small files that would take all memory or all day, and pictures that are none: one line, soon."""

import gzip
import io
import time
import tracemalloc

import h5py
import numpy as np
import pytest
from scipy import sparse

from stacked.data import open_data
from stacked.data.rows import check_shape
from stacked.errors import DataError

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF"


@pytest.fixture
def soon():
    """Seconds of this process that a refusal may take."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 6


def refused(path, words):
    with pytest.raises(DataError, match=words) as caught:
        open_data(str(path))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_picture_that_is_a_program_is_not_run(tmp_path):
    (tmp_path / "a.png").write_bytes(POSTSCRIPT)
    refused(tmp_path, r"a\.png: expected an image, found a damaged one \(cannot identify")


@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP"])
def test_every_format_that_is_read_goes_by_its_content(tmp_path, suffix):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 5), np.uint8)).convert("L").save(stream, suffix)
    (tmp_path / "a.png").write_bytes(stream.getvalue())
    assert open_data(str(tmp_path)).n_rows == 1


def test_a_chunk_far_larger_than_its_table(tmp_path, soon):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (4, 256), "u1", maxshape=(None, None), chunks=(16384, 16384), compression="gzip")[
            0
        ] = 1
    refused(tmp_path / "a.h5", "cut into chunks of 268,435,456 bytes, for a table of 1,024")


def test_a_table_that_can_still_grow_may_have_larger_chunks(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", data=np.eye(4), maxshape=(None, 4), chunks=(100_000, 4), compression="gzip")
    np.testing.assert_array_equal(open_data(str(tmp_path / "a.h5")).read(0, 4), np.eye(4))


@pytest.mark.parametrize("rows", [10**7, 10**14])
def test_a_table_of_nothing_but_fill_values(tmp_path, soon, rows):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (rows, 256), "f4", chunks=(1 << 16, 256), fillvalue=0.5)
    refused(tmp_path / "a.h5", r"expected the [\d,]+ bytes that 'X' declares, found 0 stored")


def test_a_small_table_of_fill_values_is_one(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (30, 4), "f4", fillvalue=0.5)
    assert (open_data(str(tmp_path / "a.h5")).read(0, 30) == 0.5).all()


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_a_sparse_matrix_of_hardly_anything(tmp_path, soon, layout):
    path = tmp_path / "a.npz"
    row, column, value = np.array([3]), np.array([2]), np.ones(1, "f4")
    np.savez(path, format=np.array(layout.encode()), shape=np.array([3 * 10**8, 300]), data=value, row=row, col=column,
             indices=column, indptr=np.array([0, 1]))  # fmt: skip
    refused(path, "expected rows and columns with numbers in them, found 1 for the shape")
    sparse.save_npz(path, sparse.random_array((2000, 30), density=0.01, rng=0).tocsr())
    assert open_data(str(path)).n_rows == 2000


def test_a_record_of_line_breaks_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("stacked.data.records.LONGEST_LINE", 100_000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'"1\n",' * 1_000_000))
    tracemalloc.start()
    try:
        refused(tmp_path / "a.csv.gz", "expected lines of less than 100000 characters, found a longer one")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_records_are_counted_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("stacked.data.records.LONGEST_LINE", 100)
    (tmp_path / "a.csv").write_text("1.25,2.5,3\n" * 50)
    assert open_data(str(tmp_path / "a.csv")).n_rows == 50


@pytest.mark.parametrize("kind", ["deep", "many", "round"])
def test_groups_in_groups_are_not_walked_for_ever(tmp_path, soon, kind):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = np.eye(3)
        if kind == "deep":
            file.create_group("/".join("g" * 60))
        elif kind == "many":
            for i in range(101):
                file.create_group(f"g{i}")
        else:
            file["g/g"] = file.create_group("g")
    if kind == "many":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stacked.data.h5gate.MAX_OBJECTS", 100)
            refused(tmp_path / "a.h5", "expected at most 100 things, 32 groups deep")
    else:
        refused(tmp_path / "a.h5", "32 groups deep, to look for data in; name the dataset as FILE:/path")
    assert open_data(f"{tmp_path}/a.h5:/X").n_rows == 3


def test_samples_of_more_dimensions_than_a_model_file_keeps():
    check_shape((2,) * 9, "rows")
    with pytest.raises(DataError, match="expected samples of at most 8 dimensions, found 9"):
        check_shape((2,) * 10, "rows")


def test_what_lies_in_the_place_of_a_lock_is_told(tmp_path, caplog):
    from stacked.files import locked

    (tmp_path / ".model.h5.lock").mkdir()
    with locked(tmp_path / "model.h5"):
        pass
    (said,) = {record.getMessage() for record in caplog.records}
    assert "model.h5.lock: is no lock that this process can take" in said
    caplog.clear()
    with locked(tmp_path / "other.h5"):
        assert not caplog.records
