"""One hand-made hostile file for each thing that a model file may plant, down to the message."""

import fcntl
import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from stacked.errors import ModelFileError
from stacked.files import read_info, read_model, write_model

from .store_hostile import WEIGHT
from .store_records import assert_same, make_record, naive_digest, with_attributes
from .store_threats import HOSTILE


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "model.h5"
    record = make_record("stacked_classifier")
    units = (with_attributes(record.units[0], share=0.5), *record.units[1:])  # a number that is not whole
    write_model(path, replace(record, units=units))
    return path


def refusal_of(path, read=read_model):
    """The message with which ``path`` is refused: one line that begins with the file's name."""
    with pytest.raises(ModelFileError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 500 + len(str(path))
    return message[len(f"{path}: ") :]


def sign(path):
    digest = naive_digest(path)
    with h5py.File(path, "r+") as file:
        file.attrs["digest"] = np.bytes_(digest)


# Not a model file ----------------------------------------------------------------------------------------------------


def test_missing(tmp_path):
    assert refusal_of(tmp_path / "none.h5") == "no such file"


def test_folder(tmp_path):
    assert refusal_of(tmp_path) == "is a folder, expected a model file"


def test_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal_of(tmp_path / "pipe") == "is not a regular file, expected a model file"


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"PK\3\4 something else", b"\0" * 4096])
def test_not_hdf5(tmp_path, content):
    (tmp_path / "m.h5").write_bytes(content)
    assert refusal_of(tmp_path / "m.h5").startswith("is not an HDF5 file")


def test_user_block(good):
    good.write_bytes(b"\0" * 512 + good.read_bytes())
    assert refusal_of(good) == "is not an HDF5 file"


@pytest.mark.parametrize("left", [8, 40, 200, 0.5, 0.99])
def test_truncated(good, left):
    content = good.read_bytes()
    good.write_bytes(content[: left if isinstance(left, int) else int(len(content) * left)])
    assert "truncated" in refusal_of(good)


def test_foreign_hdf5(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["x"] = np.zeros(3)
    assert refusal_of(tmp_path / "m.h5") == "is an HDF5 file, but not a stacked model (/@format: missing)"
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs["format"] = np.bytes_("other")
    assert refusal_of(tmp_path / "m.h5") == "is an HDF5 file, but not a stacked model (/@format: 'other')"


def test_names_with_line_breaks_stay_on_one_line(tmp_path):
    with pytest.raises(ModelFileError) as caught:
        read_model(tmp_path / "two\nlines.h5")
    assert "\n" not in str(caught.value)


def test_a_file_name_that_cannot_be():
    assert "null" in refusal_of_any("a\0b")
    assert "too long" in refusal_of_any("a" * 5000)


def refusal_of_any(path):
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    return str(caught.value)


# Planted in a good file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threat", HOSTILE)
def test_hostile(good, tmp_path, threat):
    edit, message = HOSTILE[threat]
    with h5py.File(good, "r+", libver=("v108", "latest")) as file:
        edit(file, tmp_path)
    assert message in refusal_of(good)
    assert message in refusal_of(good, read_info)


def test_changed_number(good):
    with h5py.File(good, "r+") as file:
        file[WEIGHT][0, 0] += 1
    assert refusal_of(good).startswith("/@digest: the content has the digest ")
    sign(good)
    read_model(good)


def test_changed_parameter(good):
    with h5py.File(good, "r+") as file:
        file["units/0"].attrs["params"] = np.bytes_("{}")
    assert refusal_of(good).startswith("/@digest: ")


def test_what_nobody_asks_for_is_never_opened(good):
    with h5py.File(good, "r+") as file:
        file["encoder/extra"] = h5py.ExternalLink("/etc/passwd", "/")
        file["loop"] = file["/"]
        file.attrs["extra"] = "x"
    read_model(good)


def test_what_the_manifest_does_not_list_is_not_read(good):
    expected = read_model(good)
    with h5py.File(good, "r+") as file:
        file["encoder/0/extra"] = np.full(3, np.nan)
        file["encoder/7/weight"] = np.zeros((2, 2), "c8")
        file["encoder/0"].attrs["extra"] = np.nan
    assert_same(read_model(good), expected)


def test_a_file_larger_than_what_it_declares_reads_the_same(good):
    expected = read_model(good)
    good.write_bytes(good.read_bytes() + b"\xff" * (1 << 20))
    assert_same(read_model(good), expected)


def test_read_only_media(good):
    good.chmod(0o444)
    good.parent.chmod(0o555)
    try:
        read_model(good)
    finally:
        good.parent.chmod(0o755)


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("locking", [None, False, True, "best-effort"])
def test_a_file_that_the_same_program_has_open(good, mode, locking):
    with h5py.File(good, mode, locking=locking):
        try:
            read_model(good)
        except ModelFileError as error:  # which of these HDF5 lets share a handle depends on its version
            assert locking
            assert str(error).endswith("is open elsewhere in this program with other locking: close it there")


def test_a_lock_of_another_program_does_not_matter(good):
    with good.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        read_model(good)
