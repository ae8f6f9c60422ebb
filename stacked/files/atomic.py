"""Files written whole or not at all: a temporary file in the same folder, fsync, rename, fsync of the folder.

POSIX ``rename`` replaces a file in one step, so that a reader, and a machine that lost its power, sees the old file or the
new one. The three primitives at the top are all that touches the disk.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
import time
from pathlib import Path

from ..errors import ModelFileError
from ..text import one_line
from .refusal import file_name

BLOCK = 1 << 20
STALE_SECONDS = 600  # a temporary file this old is what a killed process left
_PathLike = str | os.PathLike[str]


def _write(descriptor: int, block: memoryview) -> int:
    return os.write(descriptor, block)


def _fsync(descriptor: int) -> None:
    os.fsync(descriptor)


def _rename(source: Path, target: Path) -> None:
    source.replace(target)


def check_writable(path: _PathLike) -> Path:
    """Refuses up front, before hours of work, what cannot end in a file at ``path``; the file it would be, links resolved."""
    return _target(path)


def write_atomically(path: _PathLike, data: bytes | bytearray | memoryview) -> None:
    """Make ``path`` hold ``data``. On failure the file that was there is there still, and no temporary file is.

    A symbolic link stays one: the file that it points to is replaced. The new file has the mode of the one that it
    replaces, or what the umask leaves. Raises :class:`~stacked.errors.ModelFileError` where the disk refuses.
    """
    target = _target(path)
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.tmp")
    _sweep(target)
    kept = "the previous file is unchanged" if target.exists() else "nothing was written"
    try:
        _write_new(temporary, memoryview(data).cast("B"), _mode(target))
        _rename(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, f"{_reason(error)}; {kept}") from error
        raise
    try:
        _sync_folder(target.parent)
    except OSError as error:
        text = f"is written, but its folder could not be flushed to disk: {_reason(error)}"
        raise ModelFileError(f"{file_name(path)}: {text}") from error


def _sweep(target: Path) -> None:
    """Remove the temporary files that processes killed while writing ``target`` have left, as far as that can be done."""
    oldest = time.time() - STALE_SECONDS
    for left in target.parent.glob(f".{glob.escape(target.name[:50])}.{'[0-9a-f]' * 16}.tmp"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < oldest:
                left.unlink()


def _target(path: _PathLike) -> Path:
    """The file to replace, links resolved; a refusal where that cannot be done."""
    try:
        target = Path(path).resolve()
        folder = target.parent
        if target.is_symlink():
            raise _cannot_write(path, "it is a link in a loop of links")
        if target.is_dir():
            raise _cannot_write(path, "it is a folder, expected a file name")
        if target.exists() and not target.is_file():
            raise _cannot_write(path, "it is not a regular file")
        if not folder.is_dir():
            raise _cannot_write(path, f"there is no folder {file_name(folder)}")
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a zero byte, a loop of links
        if isinstance(error, ModelFileError):
            raise
        raise _cannot_write(path, _reason(error)) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _cannot_write(path, f"no permission to write in the folder {file_name(folder)}")
    if target.exists() and not os.access(target, os.W_OK):
        raise _cannot_write(path, "the file is write-protected")
    return target


def _mode(target: Path) -> int | None:
    """The permissions of the file to replace, None where there is none."""
    return stat.S_IMODE(target.stat().st_mode) & 0o777 if target.exists() else None


def _write_new(path: Path, data: memoryview, mode: int | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        while data:
            written = _write(descriptor, data[:BLOCK])
            if written <= 0:
                raise OSError(errno.EIO, "the device takes no more bytes")
            data = data[written:]
        _fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def _reason(error: BaseException) -> str:
    return one_line(getattr(error, "strerror", None) or error)


def _cannot_write(path: _PathLike, text: str) -> ModelFileError:
    return ModelFileError(f"{file_name(path)}: cannot write: {text}")
