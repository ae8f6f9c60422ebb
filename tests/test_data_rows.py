"""Rows, their conversion to the three dtypes, statistics, and fingerprints."""

import pickle
import threading

import h5py
import numpy as np
import pytest
from scipy import sparse

from stacked.data import BLOCK_ROWS, ArrayRows, H5Rows, SparseRows, as_rows, fingerprint, summarize
from stacked.errors import DataError

RTOL_MEAN = 1e-12  # float64 sums of a few thousand numbers, in another order than NumPy's
RTOL_STD = 1e-9  # what float64 keeps of a spread that is 5e7 times smaller than the values


def arrays():
    rng = np.random.default_rng(0)
    integers = rng.integers(0, 100, (6, 4))
    return {
        "uint8": (integers.astype(np.uint8), np.uint8),
        "float32": (rng.random((6, 4), np.float32), np.float32),
        "float64": (rng.random((6, 4)), np.float64),
        "float16": (rng.random((6, 4)).astype(np.float16), np.float32),
        "big-endian": (rng.random((6, 4)).astype(">f4"), np.float32),
        "fortran": (np.asfortranarray(rng.random((6, 4))), np.float64),
        "every other column": (rng.random((6, 8))[:, ::2], np.float64),
        "bool": (integers > 50, np.float32),
        "int8": (integers.astype(np.int8) - 50, np.float32),
        "uint16": (integers.astype(">u2"), np.float32),
        "int64": (integers, np.float32),
        "2**24": (np.full((2, 2), 2**24), np.float32),
        "beyond 2**24": (np.full((2, 2), -(2**24) - 1), np.float64),
        "uint64": (np.full((2, 2), 2**63, np.uint64), np.float64),
        "long double": (integers.astype(np.longdouble), np.float64),
        "objects": (integers.astype(object), np.float64),
        "images": (integers.reshape(6, 2, 2).astype(np.uint8), np.uint8),
    }


def h5(tmp_path, array, **options):
    path = tmp_path / "rows.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=array, **options)
    return H5Rows(path, "X")


@pytest.mark.parametrize("case", arrays())
def test_every_real_dtype_becomes_one_of_three_and_the_source_stays(case):
    array, dtype = arrays()[case]
    before = array.copy()
    rows = as_rows(array)
    block = rows.read(1, rows.n_rows)
    summarize(rows), fingerprint(rows)
    assert rows.dtype == block.dtype == dtype and block.dtype.isnative and block.flags.c_contiguous
    assert rows.sample_shape == array.shape[1:] and rows.n_columns == np.prod(array.shape[1:]) and rows.in_memory
    np.testing.assert_array_equal(block, array[1:].reshape(len(array) - 1, -1).astype(dtype))
    np.testing.assert_array_equal(array, before)
    assert array.dtype == before.dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_arrays_of_the_three_dtypes_are_not_copied(dtype):
    array = np.ones((5, 3, 2), dtype)
    assert np.shares_memory(as_rows(array).array, array)


@pytest.mark.parametrize("case", [name for name, (array, _) in arrays().items() if array.dtype.kind != "O"])
@pytest.mark.parametrize("options", [{}, {"chunks": True, "compression": "gzip"}])
def test_streamed_rows_are_the_rows_in_memory(tmp_path, case, options):
    array, dtype = arrays()[case]
    if array.dtype == np.longdouble:
        options = {}
    in_memory, expected = as_rows(array), summarize(as_rows(array))
    with h5(tmp_path, array, **options) as rows:
        assert (rows.dtype, rows.sample_shape, rows.in_memory) == (dtype, array.shape[1:], False)
        np.testing.assert_array_equal(rows.read(1, rows.n_rows), in_memory.read(1, rows.n_rows))
        assert fingerprint(rows) == fingerprint(in_memory)
        found = summarize(rows)
    np.testing.assert_array_equal(found.column_mean, expected.column_mean)
    assert (found.mean, found.std, found.minimum) == (expected.mean, expected.std, expected.minimum)


@pytest.mark.parametrize("n_rows", [1, BLOCK_ROWS, 3 * BLOCK_ROWS + 7])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_summary_is_numpy_s(n_rows, offset):
    array = np.random.default_rng(1).normal(offset, 2, (n_rows, 5))
    summary = summarize(as_rows(array))
    assert (summary.minimum, summary.maximum, summary.n_rows) == (array.min(), array.max(), n_rows)
    assert summary.constant is False and summary.column_mean.dtype == np.float64
    np.testing.assert_allclose(summary.mean, array.mean(), rtol=RTOL_MEAN)
    np.testing.assert_allclose(summary.std, array.std(), rtol=RTOL_STD)
    np.testing.assert_allclose(summary.column_mean, array.mean(axis=0), rtol=RTOL_MEAN)


def test_constant_data_are_said_to_be_constant():
    summary = summarize(as_rows(np.full((9, 2), 0.1)))
    assert summary.constant and summary.std == 0


def test_very_wide_rows_are_read_in_shorter_blocks():
    array = np.arange(2 * 3_000_000, dtype=np.float32).reshape(2, -1)
    rows = as_rows(array)
    assert list(rows.slices()) == [(0, 1), (1, 2)]
    assert summarize(rows).maximum == array.max()


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "+inf"), (-np.inf, "-inf")])
def test_summary_names_the_first_value_that_is_not_finite(value, word):
    array = np.zeros((BLOCK_ROWS + 10, 4), np.float32)
    array[BLOCK_ROWS + 3, 2] = array[BLOCK_ROWS + 5, 0] = value
    with pytest.raises(DataError) as caught:
        summarize(as_rows(array, "some.npy"))
    assert str(caught.value).startswith(
        f"some.npy: expected finite numbers, found {word} at row {BLOCK_ROWS + 3}, column 2"
    )


def test_fingerprint_tells_content_shape_and_dtype_apart():
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    other = array.copy()
    other[3, 5] += 1
    variants = [array, other, array.reshape(4, 3, 2), array.reshape(3, 8), array.astype(np.float32)]
    assert len({fingerprint(as_rows(variant)) for variant in variants}) == len(variants)


def test_fingerprint_samples_large_rows_and_sees_the_last():
    array = np.zeros((300 * BLOCK_ROWS, 256), np.uint8)
    before = fingerprint(as_rows(array))
    array[-1, -1] = 1
    assert fingerprint(as_rows(array)) != before


@pytest.mark.parametrize(
    ("layout", "dtype", "kept"), [("csr", "f4", "f4"), ("csc", "f8", "f8"), ("coo", "u1", "u1"), ("csr", "i8", "f4")]
)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_rows_are_made_dense_by_the_block(layout, dtype, kept, kind):
    dense = (np.random.default_rng(2).random((20, 7)) * 4).astype(dtype)
    dense[dense < 2] = 0
    matrix = getattr(sparse, f"{layout}_{kind}")(dense)
    rows = as_rows(matrix)
    assert isinstance(rows, SparseRows) and rows.dtype == np.dtype(kept) and rows.sample_shape == (7,)
    assert type(rows.read(3, 9)) is np.ndarray and rows.read(3, 9).flags.c_contiguous
    np.testing.assert_array_equal(rows.read(3, 9), dense[3:9])
    assert fingerprint(rows) == fingerprint(as_rows(dense.astype(kept)))
    np.testing.assert_array_equal(matrix.toarray(), dense)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            np.zeros(3),
            r"^thing: expected an array \(samples, columns\), found one of one dimension, 3 numbers; reshape it",
        ),
        (np.float64(3), r"^thing: expected an array \(samples, columns\), found a single number; reshape it"),
        (np.zeros((0, 3)), r"^thing: expected a sample or more, found an array of shape \(0, 3\)$"),
        (np.zeros((3, 0)), r"^thing: expected a column or more, found an array of shape \(3, 0\)$"),
        (np.zeros((3, 2), complex), "Complex data not supported"),
        (np.array([["a", "b"]]), "expected real numbers"),
        (np.array([["1", 2]], object), "found text"),
        (np.array([[{}, 2]], object), "argument must be .* string.* number"),
        (np.zeros((2, 2), "M8[s]"), "expected real numbers"),
        ([[1, 2], [3]], "rows of different lengths"),
        (np.ma.masked_equal([[1, 2]], 2), "missing values"),
        (sparse.csr_array(np.zeros((2, 2), complex)), "Complex data not supported"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(bad, words):
    with pytest.raises(DataError, match=words) as caught:
        as_rows(bad, "thing")
    assert str(caught.value).startswith("thing: ") and "\n" not in str(caught.value)


def test_rows_pass_through_and_lists_are_taken():
    rows = as_rows([[1, 2], [3, 4]])
    assert isinstance(rows, ArrayRows) and rows.name == "<array>" and as_rows(rows) is rows


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, 4)])
def test_reading_outside_the_table_is_an_index_error(tmp_path, start, stop):
    for rows in (as_rows(np.zeros((3, 2))), h5(tmp_path, np.zeros((3, 2))), as_rows(sparse.csr_array(np.eye(3)))):
        with rows, pytest.raises(IndexError):
            rows.read(start, stop)


def test_hdf5_rows_are_read_from_threads_after_closing_and_pickling(tmp_path):
    array = np.random.default_rng(3).random((4000, 8))
    rows = h5(tmp_path, array, chunks=(100, 8), compression="gzip")
    rows.close()
    copies = [rows, pickle.loads(pickle.dumps(rows))]
    wrong = []

    def check(start):
        for copy in copies:
            if not np.array_equal(copy.read(start, start + 500), array[start : start + 500]):
                wrong.append(start)

    threads = [threading.Thread(target=check, args=(start,)) for start in range(0, 3500, 250)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    for copy in copies:
        copy.close()


def test_an_open_dataset_stays_the_callers(tmp_path):
    h5(tmp_path, np.eye(3)).close()
    with h5py.File(tmp_path / "rows.h5", "r") as file:
        rows = as_rows(file["X"])
        np.testing.assert_array_equal(rows.read(0, 3), np.eye(3))
        rows.close()
        assert file["X"].shape == (3, 3) and rows.read(1, 2)[0, 1] == 1
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(rows)


def test_a_file_that_changes_under_the_rows_is_noticed(tmp_path):
    rows = h5(tmp_path, np.eye(3))
    rows.close()
    h5(tmp_path, np.eye(4)).close()
    with rows, pytest.raises(DataError, match=r"rows\.h5.* expected \(3, 3\) as before, found \(4, 4\)"):
        rows.read(0, 1)
