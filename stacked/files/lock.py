"""One writer at a time: an advisory lock (flock) on ``.NAME.lock`` beside a file; the kernel releases it when its holder dies."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ModelFileError
from .atomic import check_writable
from .refusal import file_name

try:
    import fcntl
except ImportError:  # no POSIX
    fcntl = None  # type: ignore[assignment]

_logger = logging.getLogger("stacked.files")
# NFS locks only what is open for writing; a link is not followed, a pipe not waited for.
_FLAGS = ("O_RDWR", "O_CREAT", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK")


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Inside, no other process that asks for this lock writes ``path``; ModelFileError if one does already.

    Where the file system knows no locks, there is none.
    """
    target = check_writable(path)
    lock = target.with_name(f".{target.name}.lock")
    try:
        descriptor = _acquire(lock)
    except BlockingIOError:
        raise ModelFileError(
            f"{file_name(path)}: another process is writing this file; wait for it, or give another name"
        ) from None
    if descriptor is None and os.path.lexists(lock):
        _logger.warning(
            "%s: is no lock that this process can take; nothing keeps another one from writing %s meanwhile",
            file_name(lock), file_name(path),
        )  # fmt: skip
    try:
        yield
    finally:
        if descriptor is not None:
            _release(descriptor, lock)


def _acquire(lock: Path) -> int | None:
    """A descriptor that holds the lock, or None where there are no locks; BlockingIOError if another process holds it."""
    while fcntl is not None and (descriptor := _open(lock)) is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:  # the file system has no locks
            _release(descriptor, lock)
            return None
        if _lies_at(descriptor, lock):
            return descriptor
        os.close(descriptor)  # its holder has removed it since it was opened
    return None


def _open(lock: Path) -> int | None:
    """A descriptor of the lock file, made if there is none; None where there can be none."""
    try:
        descriptor = os.open(lock, sum(getattr(os, name) for name in _FLAGS), 0o666)
    except OSError:  # a name too long, a folder or a link in its place
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _release(descriptor: int, lock: Path) -> None:
    """Remove the file while it is still held, so that nobody can lock it in between, and let it go."""
    if _lies_at(descriptor, lock):
        with suppress(OSError):
            lock.unlink()
    os.close(descriptor)


def _lies_at(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.lstat())
    except OSError:
        return False
