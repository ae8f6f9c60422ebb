"""Bad input: one line that names the thing, exit code 1, no output file, inputs unchanged."""

import errno
import gzip
import shutil

import h5py
import numpy as np
import pytest

from stacked.files import atomic

from .test_cli_boundary import refused, run_well

SMALL = ("--epochs", 1, "--threads", 1, "-q")


def ramp(*shape, dtype=np.float32):
    """Numbers from 0 to 1."""
    return np.linspace(0, 1, int(np.prod(shape)), dtype=dtype).reshape(shape)


def npy(values):
    return lambda path: np.save(path, values)


def idx_gz(path):
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4), np.uint8)
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + images.tobytes())[:300])


def with_value(value):
    values = ramp(20, 6)
    values[7, 3] = value
    return npy(values)


STRICT = ("--visible", "bernoulli", "--scaling", "none")  # what takes values in [0, 1] alone
BAD_DATA = {  # name -> (file name, how it is made, words of the message)
    "missing": ("rows.npy", lambda path: None, "found nothing of this name"),
    "wrong format": ("rows.npy", lambda path: path.write_text("hello, these are no numbers"), "rows.npy: expected"),
    "empty": ("rows.csv", lambda path: path.write_bytes(b""), "found an empty file"),
    "truncated gzip": ("rows-idx3-ubyte.gz", idx_gz, "rows-idx3-ubyte.gz: expected"),
    "truncated": ("rows.npy", lambda path: path.write_bytes(np.zeros(9).data), "rows.npy: expected"),
    "NaN": ("rows.npy", with_value(np.nan), "found NaN at row 7, column 3"),
    "infinite": ("rows.npy", with_value(np.inf), "found +inf at row 7, column 3"),
    "constant": ("rows.npy", npy(np.full((20, 6), 0.5)), "constant data"),
    "out of range": ("rows.npy", npy(ramp(20, 6) * 3 - 1), "expect data in [0, 1], found [-1, 2]"),
    "complex": ("rows.npy", npy(ramp(20, 6) * 1j), "Complex data not supported"),
    "one dimension": (
        "rows.npy",
        npy(ramp(20)),
        "rows.npy: expected an array (samples, columns), found one of one dimension, 20 numbers",
    ),
    "no rows": (
        "rows.npy",
        npy(np.zeros((0, 6))),
        "rows.npy: expected a sample or more, found an array of shape (0, 6)",
    ),
    "text in a table": ("rows.csv", lambda path: path.write_text("1,2\n3,x\n"), "found 'x'"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A 6-4 stack, and a 16-4 one of uint8 images."""
    folder = tmp_path_factory.mktemp("model")
    np.save(folder / "rows.npy", ramp(20, 6))
    run_well("pretrain", folder / "rows.npy", "-o", folder / "model.h5", "--layers", 4, "--unit", "rbm", *SMALL)
    return folder / "model.h5"


@pytest.fixture
def work(tmp_path):
    """Two folders: one for inputs and one where nothing must appear."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_bad_data_ends_training_before_it_starts(work, model, case, command):
    name, make, words = BAD_DATA[case]
    data, out = work / "in" / name, work / "out" / "m.h5"
    make(data)
    before = data.read_bytes() if data.exists() else None
    if command == "pretrain":
        line = refused("pretrain", data, "-o", out, "--layers", 4, *STRICT, *SMALL)
    else:
        line = refused("finetune", model, data, "-o", out, *SMALL)
    assert words in line or (command == "finetune" and "features" in line), line
    assert list((work / "out").iterdir()) == []
    assert before is None or data.read_bytes() == before


@pytest.mark.parametrize("case", [name for name in BAD_DATA if name not in ("constant", "out of range")])
@pytest.mark.parametrize("command", ["encode", "evaluate"])
def test_bad_data_for_a_model(work, model, case, command):
    name, make, _ = BAD_DATA[case]
    make(work / "in" / name)
    out = ("-o", work / "out" / "codes.npy") if command == "encode" else ("--json",)
    assert name in refused(command, model, work / "in" / name, *out)
    assert list((work / "out").iterdir()) == []


@pytest.mark.parametrize("command", ["encode", "decode", "reconstruct", "evaluate", "finetune"])
def test_wrong_width(work, model, command):
    np.save(work / "in" / "wide.npy", ramp(20, 7))
    out = () if command == "evaluate" else ("-o", work / "out" / ("m.h5" if command == "finetune" else "o.npy"))
    line = refused(command, model, work / "in" / "wide.npy", *out)
    assert "wide.npy: X has 7 features, but the model is expecting" in line
    assert list((work / "out").iterdir()) == []


def test_floats_out_of_range_for_a_model_of_images(work):
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4), np.uint8)
    np.save(work / "in" / "images.npy", images)
    np.save(work / "in" / "floats.npy", images.astype(np.float32))
    run_well("pretrain", work / "in" / "images.npy", "-o", work / "m.h5", "--layers", 4, *SMALL)
    line = refused("encode", work / "m.h5", work / "in" / "floats.npy", "-o", work / "out" / "codes.npy")
    assert "floats.npy" in line and "floats in [0, 1], found floats in [0, 255]" in line
    assert list((work / "out").iterdir()) == []


def damaged(path, kind):
    """Make a damaged copy of a model file at ``path``."""
    data = bytearray(path.read_bytes())
    if kind == "missing":
        path.unlink()
    elif kind == "text":
        path.write_text("not a model")
    elif kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "corrupt":
        with h5py.File(path, "r+") as file:
            file["encoder/0/weight"][0, 0] += 1
    elif kind == "newer":
        with h5py.File(path, "r+") as file:
            file.attrs["format_version"] = np.int64(99)
    elif kind == "data":
        with h5py.File(path, "w") as file:
            file["x"] = ramp(20, 6)


@pytest.mark.parametrize(
    "kind, words",
    [
        ("missing", "m.h5"),
        ("text", "m.h5"),
        ("truncated", "m.h5"),
        ("corrupt", "digest"),
        ("newer", "99"),
        ("data", "m.h5"),
    ],
)
@pytest.mark.parametrize("command", ["encode", "evaluate", "info", "finetune", "resume"])
def test_bad_models(work, model, kind, words, command):
    path, data = work / "in" / "m.h5", work / "in" / "rows.npy"
    shutil.copy(model, path)
    np.save(data, ramp(20, 6))
    damaged(path, kind)
    before = path.read_bytes() if path.exists() else None
    args = {
        "encode": ("encode", path, data, "-o", work / "out" / "codes.npy"),
        "evaluate": ("evaluate", path, data),
        "info": ("info", path, "--json"),
        "finetune": ("finetune", path, data, "-o", work / "out" / "tuned.h5", *SMALL),
        "resume": ("pretrain", "--resume", path),
    }
    assert words in refused(*args[command])
    assert list((work / "out").iterdir()) == []
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("command", ["pretrain", "finetune", "encode", "predict"])
def test_full_disk(work, model, command, monkeypatch):
    np.save(work / "in" / "rows.npy", ramp(20, 6))
    np.save(work / "in" / "labels.npy", np.arange(20) % 2)
    data, out = work / "in" / "rows.npy", work / "out" / ("o.npy" if command in ("encode", "predict") else "o.h5")
    classifier = work / "classifier.h5"
    run_well("finetune", model, data, "-o", classifier, "--labels", work / "in" / "labels.npy", *SMALL)

    def full(descriptor, block):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "_write", full)
    args = {
        "pretrain": ("pretrain", data, "-o", out, "--layers", 4, *SMALL),
        "finetune": ("finetune", model, data, "-o", out, *SMALL),
        "encode": ("encode", model, data, "-o", out),
        "predict": ("predict", classifier, data, "-o", out),
    }
    assert "No space left on device" in refused(*args[command])
    assert list((work / "out").iterdir()) == []


@pytest.mark.parametrize("command", ["pretrain", "encode"])
def test_outputs_that_cannot_be_files(model, command, work):
    np.save(work / "in" / "rows.npy", ramp(20, 6))
    if command == "pretrain":
        line = refused("pretrain", work / "in" / "rows.npy", "-o", "/dev/full", "--layers", 4, *SMALL)
        assert "/dev/full: cannot write: it is not a regular file" in line
    else:
        refused("encode", model, work / "in" / "rows.npy", "-o", work / "out" / "no" / "codes.npy")


@pytest.mark.parametrize(
    "labels, words",
    [
        (np.arange(19) % 2, "expected 20 labels"),
        (np.zeros(20, int), "at least two classes"),
        (np.linspace(0, 1, 20), "expected integer or text labels"),
        (None, "found nothing of this name"),
    ],
)
def test_bad_labels(work, model, labels, words):
    np.save(work / "in" / "rows.npy", ramp(20, 6))
    path = work / "in" / "labels.npy"
    if labels is not None:
        np.save(path, labels)
    out = work / "out" / "c.h5"
    assert words in refused("finetune", model, work / "in" / "rows.npy", "-o", out, "--labels", path, *SMALL)
    assert list((work / "out").iterdir()) == []
