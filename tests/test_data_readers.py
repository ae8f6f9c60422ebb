"""Every form of DATA, written and read back, with the labels that come with it or beside it."""

import gzip
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import sparse

import stacked.data.memory
from stacked.data import ArrayRows, H5Rows, SparseRows, fingerprint, open_data
from stacked.errors import DataError

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
IDX_CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
LABELS = np.array([3, 1, 2, 1, 0])


def idx_bytes(array):
    header = bytes([0, 0, IDX_CODES[array.dtype.str[1:]], array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, content):
    """Bytes or text into a file, compressed if its name says so; the path as DATA."""
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


@pytest.mark.parametrize("dtype", IDX_CODES)
@pytest.mark.parametrize("name", ["images-idx3", "images-idx3.gz"])
def test_idx_of_any_dtype(tmp_path, dtype, name):
    array = IMAGES.astype(dtype)
    rows = open_data(write(tmp_path / name, idx_bytes(array)))
    assert rows.sample_shape == (4, 3) and rows.labels is None and rows.name == str(tmp_path / name)
    np.testing.assert_array_equal(rows.read(0, 5), array.reshape(5, -1))


def test_gzip_is_told_by_content_and_not_by_name(tmp_path):
    path = tmp_path / "plain-name"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES)))
    assert open_data(path).n_rows == 5


@pytest.mark.parametrize("array", [IMAGES, np.asfortranarray(IMAGES.astype(">i4")), IMAGES.astype(np.float16)])
def test_npy_and_npz(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", only=array)
    expected = fingerprint(ArrayRows(array))
    assert fingerprint(open_data(tmp_path / "a.npy")) == expected
    assert fingerprint(open_data(tmp_path / "a.npz")) == fingerprint(open_data(f"{tmp_path}/a.npz:only")) == expected


@pytest.mark.parametrize(
    ("names", "key", "chosen", "labels"),
    [
        (("X", "y"), None, "X", "y"),
        (("X", "other", "labels"), None, "X", "labels"),
        (("x_train", "y_train", "x_test", "y_test"), None, "x_train", "y_train"),
        (("x_train", "y_train", "x_test", "y_test"), "x_test", "x_test", "y_test"),
        (("anything", "label"), None, "anything", "label"),
        (("anything", "weights_1d"), None, "anything", None),
    ],
)
@pytest.mark.parametrize("form", ["npz", "h5"])
def test_the_array_meant_and_the_labels_beside_it(tmp_path, form, names, key, chosen, labels):
    columns = {"y", "labels", "label", "y_train", "y_test", "weights_1d"}
    made = {name: LABELS + i if name in columns else IMAGES + np.uint8(i) for i, name in enumerate(names)}
    path = tmp_path / f"a.{form}"
    if form == "npz":
        np.savez(path, **made)
    else:
        with h5py.File(path, "w") as file:
            for name, array in made.items():
                file[f"group/{name}" if key else name] = array
        key = key and f"/group/{key}"
    rows = open_data(f"{path}:{key}" if key else path)
    np.testing.assert_array_equal(rows.read(0, 5), made[chosen].reshape(5, -1))
    if labels is None:
        assert rows.labels is None
    else:
        np.testing.assert_array_equal(rows.labels, made[labels])


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr"])
def test_sparse_npz(tmp_path, layout):
    dense = np.random.default_rng(1).integers(0, 2, (6, 4)).astype(np.float32)
    sparse.save_npz(tmp_path / "s.npz", sparse.csr_array(dense).asformat(layout))
    rows = open_data(tmp_path / "s.npz")
    assert isinstance(rows, SparseRows)
    np.testing.assert_array_equal(rows.read(0, 6), dense)


def test_hdf5_of_which_no_block_fits_in_memory_is_refused(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = IMAGES
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: IMAGES.nbytes)
    with pytest.raises(DataError, match=r"a\.h5: .* the memory available"):
        open_data(tmp_path / "a.h5")


def test_streamed_and_loaded_hdf5_are_the_same_rows(tmp_path, monkeypatch):
    array = np.random.default_rng(2).integers(0, 2**30, (40, 300))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = array, np.arange(40)
    loaded = open_data(tmp_path / "a.h5")
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: 3 * loaded.nbytes)
    with open_data(tmp_path / "a.h5") as streamed:
        assert isinstance(streamed, H5Rows) and isinstance(loaded, ArrayRows)
        assert fingerprint(streamed) == fingerprint(loaded) and streamed.dtype == np.float64
        np.testing.assert_array_equal(streamed.labels, loaded.labels)


@pytest.mark.parametrize(
    ("text", "rows", "labels"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]], None),
        ("a,b\n1,2\n\n3,4", [[1, 2], [3, 4]], None),
        ("\ufeffid,2020\r\n1, 2.5\r\n", [[1, 2.5]], None),
        ('"a","Label"\n"1","x, y"\n2,z\n', [[1], [2]], ["x, y", "z"]),
        ("class,a,y\n1.0,5,6\n0,7,8\n", [[5, 6], [7, 8]], [1, 0]),
        ("y,0,1\n7,1,2\n", [[1, 2]], [7]),
        ("0.1,1e-3\n", [[0.1, 1e-3]], None),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz"])
def test_tables(tmp_path, name, text, rows, labels):
    text = text if name == "a.csv" else text.replace("x, y", "x; y").replace(",", "\t").replace("x; y", "x, y")
    table = open_data(write(tmp_path / name, text))
    np.testing.assert_array_equal(table.read(0, len(rows)), np.array(rows))
    assert table.dtype == (np.float64 if rows[0][0] == 0.1 else np.float32)
    assert (table.labels is None) if labels is None else list(table.labels) == labels


@pytest.mark.parametrize(
    ("mode", "suffix", "shape", "dtype"),
    [
        ("L", ".png", (4, 3), np.uint8),
        ("L", ".PGM", (4, 3), np.uint8),
        ("RGB", ".bmp", (4, 3, 3), np.uint8),
        ("RGBA", ".png", (4, 3, 3), np.uint8),
        ("I;16", ".png", (4, 3), np.float32),
    ],
)
def test_a_folder_of_images(tmp_path, mode, suffix, shape, dtype):
    for i in range(3):
        size = {"RGB": (4, 3, 3), "RGBA": (4, 3, 4)}.get(mode, (4, 3))
        pixels = np.full(size, 10 + i, np.uint16 if mode == "I;16" else np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"image{2 - i}{suffix}")
    (tmp_path / "README.txt").write_text("no image")
    rows = open_data(tmp_path)
    assert (rows.n_rows, rows.sample_shape, rows.dtype, rows.labels) == (3, shape, dtype, None)
    np.testing.assert_array_equal(rows.read(0, 3)[:, 0], [12, 11, 10])


def test_folders_of_images_are_labels(tmp_path):
    for folder, value in (("dog", 1), ("cat", 2), ("cat", 3)):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(np.full((2, 2), value, np.uint8)).save(tmp_path / folder / f"{value}.png")
    rows = open_data(tmp_path, labels=tmp_path)
    assert list(rows.labels) == ["cat", "cat", "dog"] and list(rows.read(0, 3)[:, 0]) == [2, 3, 1]


def label_files(folder):
    np.save(folder / "l.npy", LABELS.astype(np.float32))
    np.savez(folder / "l.npz", a=LABELS, b=LABELS[::-1], y=LABELS[:, None])
    with h5py.File(folder / "l.h5", "w") as file:
        file["deep/names"], file["only"] = np.array(["d", "b", "c", "b", "a"], "S"), IMAGES
    write(folder / "l.csv", "\n".join(map(str, LABELS)))
    write(folder / "l.tsv.gz", "id\tname\n" + "\n".join(f"{i}\t{letter}" for i, letter in enumerate("dbcba")))
    write(folder / "l-idx1.gz", idx_bytes(LABELS.astype("u1")))


@pytest.mark.parametrize(
    "name", ["l.npy", "l.npz", "l.npz:a", "l.h5:deep/names", "l.csv", "l.tsv.gz:name", "l-idx1.gz"]
)
def test_labels_from_another_file(tmp_path, name):
    label_files(tmp_path)
    np.savez(tmp_path / "x.npz", X=IMAGES, y=LABELS + 1)
    labels = open_data(tmp_path / "x.npz", labels=f"{tmp_path}/{name}").labels
    expected = list("dbcba") if labels.dtype.kind == "U" else list(LABELS)
    assert labels.dtype.kind == "U" or labels.dtype == np.int64
    assert list(labels) == expected


def test_labels_of_a_built_in_set_may_be_given_to_another(tmp_path):
    assert list(open_data("curves:20", labels="blocks:20").labels) == list(open_data("blocks:20").labels)


@pytest.mark.parametrize("name", ["a:b.npz", "C:\\a.npz", "a.npz:X"])
def test_colons_in_file_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    np.savez("plain.npz", X=IMAGES, Z=IMAGES[:2])
    shutil.move("plain.npz", name)
    assert open_data(name).n_rows == open_data(f"{tmp_path}/{name}:X").n_rows == 5
    assert open_data(f"{name}:Z").n_rows == 2


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"MNIST's own files are not in {MNIST}")
def test_mnist_as_it_is_distributed():
    rows = open_data(MNIST / "t10k-images-idx3-ubyte.gz", labels=MNIST / "t10k-labels-idx1-ubyte.gz")
    assert (rows.n_rows, rows.sample_shape, rows.dtype) == (10_000, (28, 28), np.uint8)
    assert list(rows.labels[:5]) == [7, 2, 1, 0, 4]
