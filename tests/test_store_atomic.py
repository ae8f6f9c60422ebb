"""Whatever fails while a file is written: afterwards the old or the new one is there, whole, and nothing beside it."""

import errno
import os
import stat
import time

import numpy as np
import pytest

from stacked.errors import ModelFileError
from stacked.files import atomic, check_writable, read_model, write_atomically, write_model

from .store_records import make_record

OLD, NEW = b"old" * 1000, os.urandom(3 * atomic.BLOCK + 17)
PRIMITIVES = {"_write": 4, "_fsync": 2, "_rename": 1}  # how often each is called to write NEW
POINTS = [(name, n) for name, count in PRIMITIVES.items() for n in range(count)]
FOLDER_SYNC = ("_fsync", 1)  # the one point behind the rename


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(OLD)
    return path


def fail(monkeypatch, name, nth, error, after=False):
    """Makes the ``nth`` call of a primitive raise, before or after it has done its work."""
    real, calls = getattr(atomic, name), []

    def primitive(*arguments):
        calls.append(name)
        if len(calls) - 1 != nth:
            return real(*arguments)
        if after:
            real(*arguments)
        raise error

    monkeypatch.setattr(atomic, name, primitive)
    return calls


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_whole(target, *contents):
    assert target.read_bytes() in contents
    assert names(target.parent) == [target.name]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_points_of_failure_are_all_there_are(target, monkeypatch, name):
    calls = fail(monkeypatch, name, -1, None)
    write_atomically(target, NEW)
    assert len(calls) == PRIMITIVES[name]
    assert_whole(target, NEW)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "nth"), POINTS)
def test_failure_at_every_point(target, monkeypatch, name, nth, after):
    fail(monkeypatch, name, nth, OSError(errno.EIO, "Input/output error"), after)
    with pytest.raises(ModelFileError) as caught:
        write_atomically(target, NEW)
    message = str(caught.value)
    assert message.startswith(f"{target}: ") and "Input/output error" in message and "\n" not in message
    renamed = (name, nth) == FOLDER_SYNC or (name, after) == ("_rename", True)
    assert_whole(target, NEW if renamed else OLD)
    assert renamed or message.endswith("the previous file is unchanged")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("name", "nth"), POINTS)
def test_interrupt_at_every_point(target, monkeypatch, name, nth, stop):
    fail(monkeypatch, name, nth, stop())
    with pytest.raises(stop):
        write_atomically(target, NEW)
    assert_whole(target, NEW if (name, nth) == FOLDER_SYNC else OLD)


@pytest.mark.parametrize(("name", "nth"), [point for point in POINTS if point != FOLDER_SYNC])
def test_failure_with_no_file_before(tmp_path, monkeypatch, name, nth):
    fail(monkeypatch, name, nth, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(ModelFileError, match="No space left on device; nothing was written"):
        write_atomically(tmp_path / "new.h5", NEW)
    assert not names(tmp_path)


def test_full_disk_keeps_the_model(tmp_path, monkeypatch):
    path, record = tmp_path / "model.h5", make_record()
    write_model(path, record)
    before = path.read_bytes()
    monkeypatch.setattr(os, "write", raising(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(ModelFileError) as caught:
        write_model(path, record)
    monkeypatch.undo()
    assert str(caught.value) == f"{path}: cannot write: No space left on device; the previous file is unchanged"
    assert_whole(path, before)
    read_model(path)


def raising(error):
    def function(*_):
        raise error

    return function


def test_short_writes(target, monkeypatch):
    monkeypatch.setattr(atomic, "_write", lambda fd, block: os.write(fd, block[: 1 + len(block) // 3]))
    write_atomically(target, NEW)
    assert_whole(target, NEW)


def test_a_device_that_takes_nothing_is_not_asked_forever(target, monkeypatch):
    monkeypatch.setattr(atomic, "_write", lambda fd, block: 0)
    with pytest.raises(ModelFileError, match="takes no more bytes"):
        write_atomically(target, NEW)
    assert_whole(target, OLD)


def test_a_folder_that_cannot_be_synced(target, monkeypatch):
    fail(monkeypatch, "_fsync", 1, OSError(errno.EINVAL, "Invalid argument"))
    write_atomically(target, NEW)
    assert_whole(target, NEW)


@pytest.mark.parametrize("data", [b"", np.arange(10.0).data, bytearray(b"abc")])
def test_any_bytes(target, data):
    write_atomically(target, data)
    assert_whole(target, bytes(data))


def test_a_link_stays_a_link(target, tmp_path):
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / "link.h5"
    link.symlink_to("../model.h5")
    write_atomically(link, NEW)
    assert link.is_symlink() and target.read_bytes() == NEW and not target.is_symlink()
    assert names(link.parent) == ["link.h5"]


def test_a_link_to_nothing_makes_the_file(tmp_path):
    (tmp_path / "link.h5").symlink_to("real.h5")
    write_atomically(tmp_path / "link.h5", NEW)
    assert names(tmp_path) == ["link.h5", "real.h5"] and (tmp_path / "real.h5").read_bytes() == NEW


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_what_the_umask_leaves(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new.h5", NEW)
    finally:
        os.umask(old)
    assert mode(tmp_path / "new.h5") == 0o640


def test_the_mode_of_the_replaced_file_stays(target):
    target.chmod(0o604)
    write_atomically(target, NEW)
    assert mode(target) == 0o604


def test_a_long_name(tmp_path):
    name = "é" * 125 + ".h5"
    write_atomically(tmp_path / name, NEW)
    assert names(tmp_path) == [name]


def refusal_of(path):
    with pytest.raises(ModelFileError) as caught:
        check_writable(path)
    with pytest.raises(ModelFileError) as again:
        write_atomically(path, NEW)
    assert str(caught.value) == str(again.value)
    return str(caught.value)


def test_what_cannot_be_written_is_refused_up_front(tmp_path):
    assert refusal_of(tmp_path) == f"{tmp_path}: cannot write: it is a folder, expected a file name"
    path = tmp_path / "none" / "m.h5"
    assert refusal_of(path) == f"{path}: cannot write: there is no folder {tmp_path / 'none'}"
    (tmp_path / "file").write_bytes(b"")
    assert "there is no folder" in refusal_of(tmp_path / "file" / "m.h5")
    assert "it is not a regular file" in refusal_of("/dev/null")
    assert "too long" in refusal_of(tmp_path / ("x" * 300))
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot write: " in refusal_of(tmp_path / "loop")
    assert "cannot write: " in refusal_of("a\0b")


def test_permissions(target, monkeypatch):
    # The tests may run as root, to whom every folder is writable.
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != str(target.parent))
    assert refusal_of(target) == f"{target}: cannot write: no permission to write in the folder {target.parent}"
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != str(target))
    assert refusal_of(target) == f"{target}: cannot write: the file is write-protected"


def test_a_refusal_of_the_system_itself(target, monkeypatch):
    monkeypatch.setattr(os, "open", raising(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(ModelFileError, match=r"cannot write: Permission denied; the previous file is unchanged"):
        write_atomically(target, NEW)
    monkeypatch.undo()
    assert_whole(target, OLD)


def test_checking_changes_nothing(target, tmp_path):
    check_writable(target)
    check_writable(tmp_path / "new.h5")
    assert_whole(target, OLD)


def test_what_killed_writers_left_is_swept(tmp_path):
    """Old temporary files of this very target go; young ones and those of other files stay."""
    names = {
        f".model.h5.{'0' * 16}.tmp": 3600,
        f".model.h5.{'1' * 16}.tmp": 1,
        f".other.h5.{'2' * 16}.tmp": 3600,
        ".model.h5.backup.tmp": 3600,
    }
    for name, age in names.items():
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write_atomically(tmp_path / "model.h5", b"new")
    assert {path.name for path in tmp_path.iterdir()} == {*list(names)[1:], "model.h5"}


@pytest.mark.parametrize("length", [1, 49, 50, 51, 200])
def test_what_writers_leave_is_found_again_whatever_the_length_of_the_name(tmp_path, monkeypatch, length):
    target, left = tmp_path / ("m" * length), []

    def killed():
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "_rename", lambda source, target: left.append(source) or killed())
    monkeypatch.setattr(atomic.Path, "unlink", lambda path, **options: None)  # killed: it could not tidy up
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, NEW)
    monkeypatch.undo()
    (temporary,) = left
    os.utime(temporary, (0, 0))
    write_atomically(target, NEW)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
