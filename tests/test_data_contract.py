"""Small promises of the readers, each at its edges: keys, labels, names of DATA, dtypes, blocks, fingerprints, memory."""

import hashlib

import h5py
import numpy as np
import pytest
from scipy import sparse

from stacked.data import ArrayRows, Rows, SparseRows, as_rows, fingerprint, memory, open_data, readers, summarize
from stacked.data import labels as labelling
from stacked.data.keys import choose_data, choose_labels, label_keys, listing
from stacked.data.rows import BLOCK_ROWS, beyond_float32, block_rows, row_dtype
from stacked.errors import DataError

TABLE, COLUMN = (5, 4), (5,)
DATA_NAMES = ["X", "x", "data", "x_train", "X_train", "train_x", "train_images", "images", "features", "train", "arr_0"]
LABEL_NAMES = ["y", "labels", "label", "y_train", "train_labels"]

# --- keys --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(len(DATA_NAMES)))
def test_usual_names_of_data_in_their_order(first):
    names = DATA_NAMES[first:]
    assert choose_data({name: TABLE for name in ["other", *names[::-1]]}, "a") == names[0]


@pytest.mark.parametrize("first", range(len(LABEL_NAMES)))
def test_usual_names_of_labels_in_their_order(first):
    names = LABEL_NAMES[first:]
    assert choose_labels({name: COLUMN for name in ["other", *names[::-1]]}, "a") == names[0]


def test_the_only_array_that_can_be_meant():
    assert choose_data({"strange": TABLE, "X": COLUMN}, "a") == "strange"
    assert choose_data({"deep": (5, 2, 2), "y": COLUMN}, "a") == "deep"
    assert choose_labels({"strange": COLUMN, "X": TABLE}, "a") == "strange"
    assert choose_labels({"columns": (5, 1)}, "a") == "columns"
    assert choose_labels({"y": (5, 1), "X": TABLE, "labels": TABLE}, "a") == "y"
    assert choose_labels({"y": (5, 1), "strange": COLUMN}, "a") == "strange"


def test_what_cannot_be_chosen_is_listed():
    with pytest.raises(DataError) as caught:
        choose_data({"p": TABLE, "q": TABLE, "y": COLUMN}, "a.npz")
    assert str(caught.value) == (
        "a.npz: expected one array with two or more dimensions, found p (5, 4), q (5, 4), y (5,); name one as a.npz:KEY"
    )
    with pytest.raises(DataError) as caught:
        choose_data({"y": COLUMN, "z": ()}, "a.npz")
    assert str(caught.value) == "a.npz: expected one array with two or more dimensions, found y (5,), z ()"
    with pytest.raises(DataError) as caught:
        choose_labels({}, "a.npz")
    assert str(caught.value) == "a.npz: expected one column of labels, found no arrays"


def test_a_listing_is_cut_after_a_dozen():
    shapes = {f"k{i}": (i,) for i in range(14)}
    dozen = dict(list(shapes.items())[:12])
    assert listing(dozen) == ", ".join(f"k{i} ({i},)" for i in range(12))
    assert listing(shapes) == listing(dozen) + " and 2 more" and listing({"a\nb": ()}) == "a b ()"


@pytest.mark.parametrize(
    "key, names",
    [
        ("x_train", ["y_train", "y", "labels", "label"]),
        ("X_test", ["y_test", "y", "labels", "label"]),
        ("train_images", ["train_labels", "y", "labels", "label"]),
        ("data", ["labels", "y", "labels", "label"]),
        ("x_x", ["y_x", "y", "labels", "label"]),
        ("y", ["labels", "label"]),
        ("arr_0", ["y", "labels", "label"]),
    ],
)
def test_names_of_the_labels_beside_an_array(key, names):
    assert label_keys(key) == names


# --- labels ------------------------------------------------------------------------------------------------------------------

LARGEST = 2**63 - 1
BIG_ENDIAN = np.array([1, 300], ">i4")


@pytest.mark.parametrize(
    "given, expected",
    [
        ([3, 1], [3, 1]),
        ([[3], [1]], [3, 1]),
        ([True, False], [1, 0]),
        ([1.0, -2.0], [1, -2]),
        (BIG_ENDIAN, [1, 300]),
        (np.array([LARGEST], np.uint64), [LARGEST]),
        (np.array([-(2**53)], np.float64), [-(2**53)]),
        (np.array([7], np.int8), [7]),
        (np.array([-(2**63), LARGEST], object), [-(2**63), LARGEST]),
        (["b", "a"], ["b", "a"]),
        (np.array(["b", "ä"]).astype(">U1"), ["b", "ä"]),
        (np.array([["b"], ["a"]], object), ["b", "a"]),
        (np.array(["ä".encode(), b"a"]), ["ä", "a"]),
        ([5], [5]),
    ],
)
def test_labels_that_are_taken(given, expected):
    before = np.array(given, copy=True)
    found = labelling.as_labels(given, "l")
    assert found.tolist() == expected and found.flags.c_contiguous and found.dtype.isnative
    assert found.dtype == np.int64 if isinstance(expected[0], int) else found.dtype.kind == "U"
    assert np.array_equal(before, np.asarray(given))


@pytest.mark.parametrize(
    "given, words",
    [
        ([], r"one column with at least one value, found shape \(0,\)"),
        (3, r"found shape \(\)"),
        ([[1, 2]], r"found shape \(1, 2\)"),
        ([[[1]]], r"found shape \(1, 1, 1\)"),
        ([1, 2, 0.5, 0.25], "integer or text labels, found 0.5 at row 2"),
        ([1, np.inf], "found inf at row 1"),
        ([np.nan, 1], "found nan at row 0"),
        (np.array([1.0, 2.0**63]), r"found 9.223.*e\+18 at row 1"),
        (np.array([LARGEST + 1], np.uint64), f"labels within int64, found {LARGEST + 1}"),
        (np.array([LARGEST + 1, 0], object), "labels within int64, found larger ones"),
        (np.array([-LARGEST - 2, 0], object), "labels within int64, found larger ones"),
        (np.array(["a", 1], object), "found one of type int"),
        (np.array([None, "a"], object), "found one of type NoneType"),
        ([1j], "found dtype complex128"),
        (np.array(["2020"], "M8[D]"), "found dtype datetime64"),
    ],
)
def test_labels_that_are_refused(given, words):
    with pytest.raises(DataError, match=f"^l: expected .*{words}"):
        labelling.as_labels(given, "l")


@pytest.mark.parametrize(
    "cells, expected",
    [
        (["1", "2"], [1, 2]),
        (["1", "2.0"], [1, 2]),
        (["1e2", "-3"], [100, -3]),
        ([str(LARGEST)], [LARGEST]),
        ([" a", "1 "], ["a", "1"]),
        (["1", "x"], ["1", "x"]),
        ([" 7 "], [7]),
    ],
)
def test_labels_from_cells(cells, expected):
    found = labelling.from_text(cells, "l")
    assert found.tolist() == expected and found.dtype.kind == ("i" if isinstance(expected[0], int) else "U")


@pytest.mark.parametrize("cells", [["1", "0.5"], ["nan"], [str(LARGEST + 1)]])
def test_cells_that_are_no_labels(cells):
    with pytest.raises(DataError, match=r"^l: expected integer or text labels"):
        labelling.from_text(cells, "l")


def test_labels_that_lie_beside_rows_must_fit_or_are_left():
    assert labelling.optional_labels([1, 2, 3], 3, "l").tolist() == [1, 2, 3]
    for values, n_rows in (([1, 2, 3], 4), ([1, 2, 3], 2), ([0.5, 1], 2), (np.array([b"\xff"]), 1), ([[1, 2]], 1)):
        assert labelling.optional_labels(values, n_rows, "l") is None
    labelling.check_count(np.zeros(3), 3, "l", "r")
    for n_rows in (2, 4):
        with pytest.raises(DataError, match=f"^l: expected {n_rows} labels, one for each row of r, found 3$"):
            labelling.check_count(np.zeros(3), n_rows, "l", "r")
    with pytest.raises(DataError, match="labels of rows: expected 2 labels, one for each row of rows, found 3"):
        ArrayRows(np.ones((2, 2)), "rows", [1, 2, 3])


# --- names of DATA -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a few files."""
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", X=np.ones((3, 2)), Z=np.ones((4, 2)), y=np.arange(3))
    np.save("a.npy", np.ones((5, 2)))
    np.savez("b:c.npz", X=np.ones((6, 2)))
    np.savez("b", X=np.ones((7, 2)))
    return tmp_path


@pytest.mark.parametrize(
    "spec, n_rows",
    [("a.npz", 3), ("a.npz:Z", 4), ("./a.npz:X", 3), ("a.npy", 5), ("b:c.npz", 6), ("b:c.npz:X", 6), ("b.npz:X", 7)],
)
def test_a_name_and_the_key_behind_it(folder, spec, n_rows):
    rows = open_data(spec)
    assert (rows.n_rows, rows.name) == (n_rows, spec)
    assert open_data(folder / spec).n_rows == n_rows


def test_a_key_may_hold_colons(folder):
    with h5py.File("a.h5", "w") as file:
        file["k:l"] = np.ones((2, 2))
        file["k:m"] = np.ones((3, 2))
    assert open_data("a.h5:k:m").n_rows == 3 and open_data("a.h5:/k:l").n_rows == 2


def test_a_file_of_the_very_name_comes_before_a_built_in_set_with_arguments(folder):
    assert open_data("blocks:4").n_rows == 4
    np.savez("blocks:4", X=np.ones((9, 2)))
    (folder / "blocks:4.npz").rename(folder / "blocks:4")
    (folder / "digits").write_bytes(b"no data")
    assert (
        open_data("blocks:4").n_rows == 9 and open_data("blocks:5").n_rows == 5 and open_data("digits").n_rows == 1797
    )
    np.save("x.npy", np.ones((9, 2)))
    with pytest.raises(DataError, match=r"expected 9 labels, one for each row of x\.npy, found 3"):
        open_data("x.npy", labels="a.npz:y")


@pytest.mark.parametrize(
    "name, text, found",
    [("a.CSV", "1,2\n", True), ("a.tsv", "1\t2\n", True), ("a.b.csv", "1,2\n", True), ("a.csv.txt", "1,2\n", False),
     ("csv", "1,2\n", False), ("a.txt", "1,2\n", False), ("a.gz", "1,2\n", False)],
)  # fmt: skip
def test_tables_are_told_by_their_suffix(tmp_path, name, text, found):
    (tmp_path / name).write_text(text)
    if found:
        assert open_data(tmp_path / name).read(0, 1).tolist() == [[1, 2]]
    else:
        with pytest.raises(DataError, match=r"expected IDX .*, found a file that starts with 31 2c 32 0a"):
            open_data(tmp_path / name)


def test_what_a_file_holds_is_told_by_its_bytes_and_not_by_its_name(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((5, 2)))
    (tmp_path / "a.npy").rename(tmp_path / "a.csv")
    assert open_data(tmp_path / "a.csv").n_rows == 5
    for name in ("b.hdf5", "b.h5", "b.H5"):
        with h5py.File(tmp_path / name, "w", userblock_size=512) as file:
            file["X"] = np.ones((4, 2))
        assert open_data(tmp_path / name).n_rows == 4
    (tmp_path / "b.hdf5").rename(tmp_path / "b.dat")
    with pytest.raises(DataError, match="expected IDX"):
        open_data(tmp_path / "b.dat")


@pytest.mark.parametrize("spec", ["a.npy:k", "t.csv:k", ".:k"])
def test_forms_that_take_no_key(folder, spec):
    (folder / "t.csv").write_text("k,l\n1,2\n")
    with pytest.raises(
        DataError, match=r"expected no key behind this kind of file, found 'k'; \.npz and \.h5 take one"
    ):
        open_data(spec)


def test_rows_are_closed_when_their_labels_are_bad(folder, monkeypatch):
    closed = []
    monkeypatch.setattr(ArrayRows, "close", lambda self: closed.append(self.name))
    with pytest.raises(DataError):
        open_data("a.npy", labels="none.npy")
    assert closed == ["a.npy"]


def test_given_labels_replace_those_in_the_file(folder):
    np.save("y.npy", [7, 8, 9])
    assert open_data("a.npz").labels.tolist() == [0, 1, 2]
    assert open_data("a.npz", labels="y.npy").labels.tolist() == [7, 8, 9]
    assert open_data("a.npz:Z").labels is None
    assert readers._locate("a.npz:Z", "a.npz:Z")[1] == "Z"


# --- rows --------------------------------------------------------------------------------------------------------------------


class Made(Rows):
    """Rows of zeros that note which blocks are read."""

    def __init__(self, n_rows, n_columns, dtype=np.uint8):
        self._describe("made", (n_rows, n_columns), np.dtype(dtype), None)
        self.reads = []

    def read(self, start, stop):
        self.reads.append((start, stop))
        return np.zeros((stop - start, self.n_columns), self.dtype)


@pytest.mark.parametrize("n_columns, step", [(1, 1024), (4096, 1024), (4097, 1023), (2**22, 1), (2**23, 1)])
def test_blocks_hold_four_million_numbers(n_columns, step):
    assert block_rows(n_columns) == step
    slices = list(Made(2 * step + 1, n_columns).slices())
    assert slices == [(0, step), (step, 2 * step), (2 * step, 2 * step + 1)]
    assert list(Made(step, n_columns).slices()) == [(0, step)]


@pytest.mark.parametrize(
    "dtype, expected",
    [("u1", "u1"), ("f4", "f4"), (">f8", "f8"), ("i1", "f4"), ("?", "f4"), ("u2", "f4"), ("f2", "f4")],
)
def test_dtypes_that_do_not_depend_on_values(dtype, expected):
    assert row_dtype(np.dtype(dtype), "a", lambda: 1 / 0) == np.dtype(expected)


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8", ">i4"])
def test_wide_integers_become_what_holds_them_exactly(dtype):
    for beyond, expected in ((False, np.float32), (True, np.float64)):
        assert row_dtype(np.dtype(dtype), "a", lambda beyond=beyond: beyond) == expected


def test_float32_holds_integers_up_to_two_to_the_24():
    for value, beyond in ((2**24, False), (2**24 + 1, True), (-(2**24), False), (-(2**24) - 1, True)):
        assert beyond_float32(np.array([0, value])) is beyond
        assert as_rows(np.array([[0, value]])).dtype == (np.float64 if beyond else np.float32)
        assert as_rows(sparse.csr_array(np.array([[0, value]]))).dtype == (np.float64 if beyond else np.float32)
    assert beyond_float32(np.array([], int)) is False


def test_rows_describe_themselves():
    rows = ArrayRows(np.ones((3, 2, 4), np.float32), "a", [1, 2, 3])
    assert (len(rows), rows.n_rows, rows.n_columns, rows.sample_shape, rows.nbytes) == (3, 3, 8, (2, 4), 96)
    assert repr(rows) == "ArrayRows('a', 3 x (2, 4), float32)"
    assert rows.read(1, 1).shape == (0, 8) and rows.read(0, 3).shape == (3, 8)
    for start, stop in ((-1, 0), (2, 1), (3, 4)):
        with pytest.raises(IndexError, match=f"a: rows {start}:{stop} are not within 0:3"):
            rows.read(start, stop)


def test_leaving_rows_closes_them(monkeypatch):
    closed = []
    monkeypatch.setattr(ArrayRows, "close", lambda self: closed.append(self.name))
    with ArrayRows(np.ones((2, 2)), "a") as rows:
        assert rows.n_rows == 2 and closed == []
    assert closed == ["a"]


def test_a_fingerprint_is_the_sha_256_of_shape_dtype_and_bytes():
    array = np.arange(3 * 1100 * 2, dtype=np.float32).reshape(-1, 3, 2)
    header = repr((1100, 6, "float32", (3, 2))).encode()
    assert fingerprint(as_rows(array)) == hashlib.sha256(header + array.tobytes()).hexdigest()
    flat = repr((1100, 6, "float32", (6,))).encode()
    assert fingerprint(as_rows(array.reshape(1100, 6))) == hashlib.sha256(flat + array.tobytes()).hexdigest()


def test_up_to_64_mib_all_rows_count_and_of_more_64_blocks():
    whole = Made(BLOCK_ROWS * 64, 1024)
    fingerprint(whole)
    assert whole.reads == [(start, start + BLOCK_ROWS) for start in range(0, 64 * BLOCK_ROWS, BLOCK_ROWS)]
    large = Made(BLOCK_ROWS * 129 + 5, 512)
    fingerprint(large)
    blocks = [start // BLOCK_ROWS for start, _ in large.reads]
    assert blocks == [i * 129 // 63 for i in range(64)] and blocks[-1] == 129
    assert large.reads[-1] == (129 * BLOCK_ROWS, 129 * BLOCK_ROWS + 5)


def test_a_summary_of_blocks_of_unequal_sizes():
    array = np.random.default_rng(0).normal(3, 2, (BLOCK_ROWS + 1, 3)).astype(np.float32)
    array[-1] = 90  # the last block, of a single row, is far from the rest
    found = summarize(as_rows(array))
    exact = array.astype(np.float64)
    assert (found.mean, found.std) == (pytest.approx(exact.mean(), rel=1e-12), pytest.approx(exact.std(), rel=1e-12))
    np.testing.assert_allclose(found.column_mean, exact.mean(axis=0), rtol=1e-12)
    assert (found.minimum, found.maximum, found.n_rows, found.constant) == (array.min(), 90, BLOCK_ROWS + 1, False)
    assert summarize(as_rows(np.array([[0, 0], [0, 1]], np.uint8))).std == pytest.approx(np.sqrt(3) / 4)


# --- memory ------------------------------------------------------------------------------------------------------------------


def test_memory_is_wanted_up_to_what_there_is(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 3 << 29)
    memory.require_memory("a", 3 << 29)
    with pytest.raises(DataError) as caught:
        memory.require_memory("a", (3 << 29) + (1 << 30))
    assert str(caught.value) == (
        "a: expected at most 1.5 GiB, the memory available, found 2.5 GiB; store the rows in an HDF5 file, which is read by"
        " blocks"
    )
    with pytest.raises(DataError):
        memory.require_memory("a", (3 << 29) + 1)
    open_data("curves:10")
    monkeypatch.setattr(memory, "available_memory", lambda: 10 * 28 * 28)
    open_data("curves:10")
    with pytest.raises(DataError, match="curves:11: expected at most"):
        open_data("curves:11")


def test_a_block_of_sparse_rows_must_fit(monkeypatch):
    matrix = sparse.csr_array((3000, 100))
    monkeypatch.setattr(memory, "available_memory", lambda: BLOCK_ROWS * 100 * 8)
    assert SparseRows(matrix).n_rows == 3000
    monkeypatch.setattr(memory, "available_memory", lambda: BLOCK_ROWS * 100 * 8 - 1)
    with pytest.raises(DataError, match="the memory available"):
        SparseRows(matrix)
    monkeypatch.setattr(memory, "available_memory", lambda: 7 * 100 * 8)
    assert SparseRows(sparse.csr_array((7, 100))).n_rows == 7
