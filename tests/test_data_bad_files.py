"""Damaged, hostile and mistaken files: each ends in a `DataError` of one line that names the file."""

import builtins
import gzip
import io
import os
import re
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import sparse

from stacked.data import open_data
from stacked.errors import DataError

IMAGES = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
IDX = bytes([0, 0, 8, 3]) + np.array(IMAGES.shape, ">u4").tobytes() + IMAGES.tobytes()


def idx(*sizes, body=b"", code=8):
    return bytes([0, 0, code, len(sizes)]) + np.array(sizes, ">u4").tobytes() + body


def npy(array, **changes):
    """An .npy file's bytes with some fields of its header changed to lies."""
    header = np.lib.format.header_data_from_array_1_0(array) | changes
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


def npz(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            content = content if isinstance(content, bytes) else npy(content)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def h5(build):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        build(file)
    return stream.getvalue()


def sparse_npz(indices):
    parts = dict(format=np.array(b"csr"), shape=np.array([2, 3]), data=np.ones(2), indptr=np.array([0, 1, 2]))
    return npz(indices=np.array(indices), **parts)


def coo_npz(row, column, shape=(2, 3)):
    parts = dict(format=np.array(b"coo"), shape=np.array(shape), data=np.ones(1))
    return npz(row=np.array([row]), col=np.array([column]), **parts)


def virtual(file):
    layout = h5py.VirtualLayout((5, 3), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "X", (5, 3))
    file.create_virtual_dataset("X", layout)


def group_link(file):
    file.create_group("real")["X"] = IMAGES
    file["alias"] = h5py.SoftLink("/real")


def with_dataset(**options):
    return h5(lambda file: file.create_dataset("X", **options))


OBJECTS = npy(np.zeros(1, np.uint8), descr="|O")
X_AND_Z = dict(P=IMAGES, Z=IMAGES)

BAD_FILES = [
    ("empty.idx", b"", "found an empty file"),
    ("empty.csv.gz", gzip.compress(b""), "found no lines"),
    ("nothing.gz", gzip.compress(b""), "starts with nothing"),
    ("unknown.bin", b"hello world", "expected IDX .* found a file that starts with 68 65"),
    ("short.idx", IDX[:-1], "found 75 bytes: the file is truncated"),
    ("long.idx", IDX + b"x", "found 77 bytes: the file is followed by"),
    ("header.idx", IDX[:9], "truncated"),
    ("short.idx.gz", gzip.compress(IDX[:-1]), "found 59: the file is truncated"),
    ("long.idx.gz", gzip.compress(IDX + b"x"), "found more behind them"),
    ("cut.idx.gz", gzip.compress(IDX)[:-12], "found a damaged one"),
    ("crc.idx.gz", gzip.compress(IDX)[:-8] + b"\0" * 8, "CRC"),
    ("cut.gz", gzip.compress(IDX)[:6], "found a damaged one"),
    ("garbage.gz", gzip.compress(IDX)[:10] + b"\xff" * 40, "found a damaged one"),
    ("lie.idx", idx(2**32 - 1, 2**32 - 1, 2**32 - 1), "found 16 bytes"),
    ("lie.idx.gz", gzip.compress(idx(2**32 - 1, 2**32 - 1)), "too short for them"),
    ("bomb.idx.gz", gzip.compress(idx(2, 2, body=bytes(10**7))), "found more behind them"),
    ("none.idx", idx(0, 28, 28), r"expected a sample or more, found an array of shape \(0, 28, 28\)"),
    ("labels.idx", idx(4, body=b"abcd"), "found one of one dimension, 4 numbers"),
    ("short.npy", npy(IMAGES)[:-1], "truncated"),
    ("header.npy", npy(IMAGES)[:30], "damaged"),
    ("lie.npy", npy(IMAGES, shape=(2**40, 2**20)), "truncated"),
    ("negative.npy", npy(IMAGES, shape=(-1, 3)), "sizes of 0 or more"),
    ("objects.npy", OBJECTS, "found dtype object"),
    ("structured.npy", npy(np.zeros(2, "u1,u1")), "found dtype"),
    ("text.npy", npy(np.array([["a"]])), "expected real numbers"),
    ("complex.npy", npy(np.eye(2, dtype=complex)), "Complex data not supported"),
    ("v3.npy", b"\x93NUMPY\x03\x00" + npy(IMAGES)[8:], "found 3.0"),
    ("notnumpy.npy", b"PICKLE and so on", "starts with"),
    ("cut.npz", npz(X=IMAGES)[:-30], "damaged"),
    ("magic.npz", npz(X=npy(IMAGES).replace(b"NUMPY", b"NOTPY")), "damaged"),
    ("empty.npz", npz(), "found no arrays"),
    ("which.npz", npz(**X_AND_Z), r"found P \(5, 4, 3\), Z \(5, 4, 3\); name one as"),
    ("columns.npz", npz(a=np.zeros(3)), r"found a \(3,\)"),
    ("objects.npz", npz(X=npy(np.zeros((1, 1), np.uint8), descr="|O")), "found dtype object"),
    ("lie.npz", npz(X=npy(IMAGES, shape=(2**40, 2**10))), "in the archive"),
    ("range.npz", sparse_npz([0, 3]), "damaged one .*ind"),
    ("negative.npz", sparse_npz([0, -1]), "damaged one .*ind"),
    ("coo.npz", coo_npz(2, 3), "damaged one .*ind"),
    ("wide.npz", coo_npz(0, 0, shape=(2, 2**50)), "rows and columns with numbers in them"),
    ("escape.npz", npz(**{"a\n\x1b[31m": np.zeros(3)}), r"found a \\x1b\[31m \(3,\)"),
    ("dia.npz", npz(format=np.array(b"dia"), shape=np.array([2, 2]), data=np.eye(2)), "form 'dia'"),
    ("cut.h5", h5(lambda file: file.create_dataset("X", data=np.zeros((900, 9))))[:5000], "damaged"),
    ("not.h5", b"certainly no HDF5 file", "damaged"),
    ("none.h5", h5(lambda file: file.create_group("g")), "found no arrays"),
    ("which.h5", h5(lambda file: [file.create_dataset(k, data=IMAGES) for k in "PQ"]), r"found P \(5, 4, 3\), Q"),
    ("virtual.h5", h5(virtual), "reference to other files"),
    (
        "external.h5",
        with_dataset(shape=(2, 2), dtype="u1", external=[("/etc/passwd", 0, 4)]),
        "reference to other files",
    ),
    ("references.h5", with_dataset(shape=(2, 2), dtype=h5py.ref_dtype), "found dtype object"),
    ("strings.h5", with_dataset(data=[["a"]], dtype=h5py.string_dtype()), "found dtype object"),
    ("wide.h5", with_dataset(shape=(2, 2**50), dtype="u1", chunks=(1, 2**20)), "declares, found 0 stored"),
    ("header.csv", "a,b\n", "found a header and no rows"),
    ("blank.csv", "\n\n", "found no lines"),
    ("ragged.csv", "1,2\n3,4\n5\n", "line 3: expected 2 cells, found 1"),
    ("typo.csv", "1.O,2\n2,3\n", "line 1: expected names of columns or numbers, found both, '1.O' and '2'"),
    ("word.csv", "a,b\n1,2\n\n3,oops\n", "line 4, column 2: expected a finite number, found 'oops'"),
    ("infinite.csv", "1,2\ninf,4\n", "line 2, column 1: .* found 'inf'"),
    ("inf.tsv", "label\ta\tb\n1\t2\t-inf\n", "line 2, column 3: .* found '-inf'"),
    ("gap.csv", "a,y,b\n1,1,2\n2,,3\n", "line 3, column 2: expected a label, found an empty cell"),
    ("underscore.csv", "1,2\n1_000,3\n", "line 2, column 1: .* found '1_000'"),
    ("reals.csv", "y,a\n0.5,2\n", "column 'y': expected integer or text labels, found 0.5"),
    ("only.csv", "label\n1\n", r"expected a column or more, found an array of shape \(1, 0\)"),
    ("latin.csv", b"a,b\n1,\xff\n", "expected a table in UTF-8, found text in another encoding; save it as UTF-8"),
    ("quote.csv", 'a,b\n1,"2\n', "damaged"),
    ("cut.csv.gz", gzip.compress(b"1,2\n" * 1000)[:-12], "damaged"),
    ("endless.csv.gz", gzip.compress(b"1" * (1 << 24)), "lines of less than"),
]


def refused(spec, words, labels=None, named=None):
    with pytest.raises(DataError, match=words) as caught:
        open_data(spec, labels=labels)
    message = str(caught.value)
    assert "\n" not in message and os.path.basename(named or spec) in message  # noqa: PTH119 - a spec may hold a key


@pytest.mark.parametrize(("name", "content", "words"), BAD_FILES, ids=[case[0] for case in BAD_FILES])
def test_a_bad_file_is_named_in_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    refused(str(path), words)


WHOLE = dict(npy=npy(IMAGES), npz=npz(X=IMAGES), h5=with_dataset(data=IMAGES), idx=gzip.compress(IDX, mtime=0))


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_no_cut_and_no_flipped_byte_gives_another_error(tmp_path, content):
    """Whatever is damaged, the file opens or is refused in one line; h5py and zipfile never get to raise."""
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.h5"
    for trial in range(120):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged if trial % 2 else content[: rng.integers(1, len(content))])
        try:
            open_data(path).close()
        except DataError as error:
            assert "damaged.h5" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("missing.npy", "found nothing of this name"),
        ("missing.npz:X", "found nothing of this name"),
        ("", "found nothing of this name"),
        ("a\nb", "found nothing of this name"),
        ("x" * 5000, "found nothing of this name"),
        ("a.npz:W", r"expected an array called 'W', found X \(5, 4, 3\)"),
        ("a.h5:W", r"expected a dataset at 'W', found real/X \(5, 4, 3\)"),
        ("a.h5:/real", "found a group"),
        ("a.h5:/alias/X", "soft or external link"),
        ("a.npy:X", "expected no key"),
        ("a.csv:X", "expected no key"),
        ("fifo", "expected a regular file"),
    ],
)
def test_names_and_keys_that_lead_nowhere(tmp_path, monkeypatch, spec, words):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", IMAGES)
    (tmp_path / "a.npz").write_bytes(npz(X=IMAGES))
    (tmp_path / "a.h5").write_bytes(h5(group_link))
    (tmp_path / "a.csv").write_text("1,2\n")
    os.mkfifo("fifo")
    refused(spec, words, named=re.sub(r"\s", " ", spec) or "DATA")


def test_an_external_link_is_not_followed(tmp_path):
    (tmp_path / "secret.h5").write_bytes(with_dataset(data=IMAGES))
    (tmp_path / "a.h5").write_bytes(h5(lambda file: file.__setitem__("X", h5py.ExternalLink("secret.h5", "/X"))))
    refused(f"{tmp_path}/a.h5", "found no arrays", named="a.h5")
    refused(f"{tmp_path}/a.h5:X", "soft or external link", named="a.h5")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(IMAGES))
    (tmp_path / "a.npy").chmod(0)
    refused(str(tmp_path / "a.npy"), "Permission denied")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("four.npy", r"four\.npy: expected 5 labels, one for each row of .*rows\.npy, found 4"),
        ("reals.npy", "expected integer or text labels, found 0.5 at row 1"),
        ("nan.npy", "found nan at row 0"),
        ("rows.npy", r"one column with at least one value, found shape \(5, 4, 3\)"),
        ("wide.csv", "found columns a, b"),
        ("wide.csv:c", "a 'c' column, found columns a, b"),
        ("bare.csv", "found 2 columns without a header"),
        ("gap.csv:b", "line 3, column 2: expected a label, found an empty cell"),
        ("two.npz", r"expected one column of labels, found p \(5,\), q \(5,\)"),
        ("heap.h5", "expected a heap of text, found a damaged one"),
        ("curves:5", "expected labels, found rows without any"),
        ("gone.npy", "found nothing of this name"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, monkeypatch, labels, words):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", IMAGES)
    np.save("four.npy", np.arange(4))
    np.save("reals.npy", np.array([1, 0.5, 1, 1, 1]))
    np.save("nan.npy", np.full(5, np.nan))
    np.savez("two.npz", p=np.arange(5), q=np.arange(5))
    (tmp_path / "heap.h5").write_bytes(
        with_dataset(data=list("abcde"), dtype=h5py.string_dtype()).replace(b"GCOL", b"COLG")
    )
    (tmp_path / "wide.csv").write_text("a,b\n" + "1,2\n" * 5)
    (tmp_path / "gap.csv").write_text("a,b\n1,x\n1,\n")
    (tmp_path / "bare.csv").write_text("1,2\n" * 5)
    refused("rows.npy", words, labels=labels, named=labels)


def image(path, shape=(4, 3), dtype=np.uint8):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros(shape, dtype)).save(path)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda d: (d / "notes.txt").write_text("x"), "found no images"),
        (lambda d: (image(d / "a.png"), image(d / "b.png", (4, 4))), "b.png: expected 3 x 4 pixels .* found 4 x 4"),
        (lambda d: (image(d / "a.png"), image(d / "b.png", (4, 3, 3))), "b.png: expected a greyscale image .* colour"),
        (lambda d: (image(d / "a.png"), image(d / "c" / "b.png")), "found both: a.png and c/"),
        (lambda d: (d / "a.png").write_bytes(b"no image"), "a.png: expected an image, found a damaged one"),
        (lambda d: (image(d / "a.bmp"), (d / "a.bmp").write_bytes((d / "a.bmp").read_bytes()[:60])), "a.bmp: expected"),
    ],
)
def test_folders_that_are_no_data_set_of_images(tmp_path, build, words):
    build(tmp_path)
    refused(str(tmp_path), words)


def test_an_image_too_large_to_be_true(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 60000 60000 255\n" + bytes(100))
    refused(str(tmp_path), "a.pgm: expected an image, found a damaged one")


def test_images_without_pillow_say_what_to_install(tmp_path, monkeypatch):
    image(tmp_path / "a.png")
    real = builtins.__import__

    def without_pillow(name, *rest):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    refused(str(tmp_path), re.escape("pip install pillow"))


def test_a_sparse_matrix_of_many_dimensions_is_refused(tmp_path):
    sparse.save_npz(tmp_path / "s.npz", sparse.coo_array(np.ones((2, 2))))
    content = npz(format=np.array(b"coo"), shape=np.array([2, 2, 2]), data=np.ones(1), coords=np.zeros((3, 1), int))
    (tmp_path / "s.npz").write_bytes(content)
    refused(str(tmp_path / "s.npz"), r"found shape \(2, 2, 2\)")
