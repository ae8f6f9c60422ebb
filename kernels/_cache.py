"""The cache of compiled kernels on disk: never stale, never trusted blindly, never in the way.

Numba's own watches only the file that defines a function, so a cached kernel would keep calling the old body of a helper that
was edited or upgraded in another file, and one truncated file ends every later start. Here the name of an entry carries the
digest of all kernel sources: change any of them and every kernel is compiled anew. Entries are pickles, so what another user
could have written is not read; each begins with the SHA-256 of what follows, and whatever cannot be read for any other reason
counts as missing. What cannot be written (a full disk, a read-only one) is compiled again at the next start.

What a user should know is logged, once a process: ``stacked.compilation`` says that kernels are compiled, ``stacked.cache`` what
is wrong with the cache. Python prints both on the standard error unless logging is configured.
"""

import hashlib
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import dumps, loads
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache

from .pool import POOL

COMPILATION, CACHE = logging.getLogger("stacked.compilation"), logging.getLogger("stacked.cache")
_DIGEST_BYTES = 32
_STALE_SECONDS = 600


@cache
def source_digest() -> str:
    """SHA-256 over the names and contents of every kernel source file."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def cache_for(function: Callable, link: Callable[[Any], None], inner: bool = False) -> Any:
    """The cache of a kernel, or of the ``inner`` one that only kernels call; `link` sees what was cached before it is loaded.

    Without a folder to write to, nothing is kept.
    """
    try:
        return KernelCache(function, link, inner)
    except RuntimeError as error:  # Numba found no folder
        _say_unwritable(str(error))
        return _NoCache()


class KernelCache(FunctionCache):
    """Numba's cache of one function, with entries of our own."""

    def __init__(self, function: Callable, link: Callable[[Any], None], inner: bool = False):
        super().__init__(function)
        self._link, self._inner = link, inner
        self._cache_file = _Entries(Path(self._cache_path), self._impl.filename_base)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None where it has to be compiled."""
        POOL.connect()
        target_context.refresh()
        try:
            payload = self._cache_file.load(self._index_key(sig, target_context.codegen()))
            if payload is not None:
                self._link(payload)
                return self._impl.rebuild(target_context, payload)
        except Exception:  # a damaged entry can make pickle and Numba raise anything
            pass
        _announce()
        return None

    def _index_key(self, sig: Any, codegen: Any) -> tuple:
        """What only kernels call must never be loaded for Python, which cannot call it."""
        return (*super()._index_key(sig, codegen), self._inner)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function for the next start, if the disk takes it."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _say_unwritable(f"{self._cache_path}: {error.strerror or error}")


class _NoCache(NullCache):
    """Keeps nothing."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        POOL.connect()
        _announce()


class _Entries:
    """The files of one function, one a signature: ``<module>.<function>-<line>.<Python>.<sources>.<key>.nbc``."""

    def __init__(self, folder: Path, base: str):
        self._folder, self._base = folder, base

    def load(self, key: Any) -> Any:
        """What was saved under ``key``, or None."""
        block = _read(self._path(key))
        if block is None or hashlib.sha256(block[_DIGEST_BYTES:]).digest() != block[:_DIGEST_BYTES]:
            return None
        saved, payload = loads(block[_DIGEST_BYTES:])
        return payload if saved == key else None

    def save(self, key: Any, payload: Any) -> None:
        """Write an entry, whole or not at all, and remove those of other sources."""
        body, path = dumps((key, payload), protocol=5), self._path(key)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._sweep()

    def flush(self) -> None:
        """Forget everything about the function."""
        self._sweep(stale_only=False)

    def _path(self, key: Any) -> Path:
        name = hashlib.sha256(repr((numba.__version__, key)).encode()).hexdigest()[:16]
        return self._folder / f"{self._base}.{source_digest()[:16]}.{name}.nbc"

    def _sweep(self, stale_only: bool = True) -> None:
        kernel, python = self._base.rpartition("-")[0], self._base.rpartition(".")[2]
        fresh = f".{source_digest()[:16]}."
        oldest = time.time() - _STALE_SECONDS
        for path in self._folder.glob(f"{kernel}-*.{python}.*.nbc*"):
            with suppress(OSError):
                temporary = path.suffix == ".tmp"  # of a process that was killed, or is writing
                stale = path.stat().st_mtime < oldest if temporary else fresh not in path.name
                if stale or not stale_only:
                    path.unlink()


# ---- whom to trust ---------------------------------------------------------------------------------------------------


def _read(path: Path) -> bytes | None:
    """The bytes of a cache file, or None where it is missing or another user could have written it."""
    _check_folder(path.parent)
    with suppress(OSError), open(path, "rb", opener=_open_plainly) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        if not _others_may_write(status):
            return file.read()
        _say(CACHE, f"{path}: another user could have written this compiled kernel; it is not read, but compiled anew")
    return None


def _open_plainly(path: str, flags: int) -> int:
    """Waits for no pipe and follows no link that somebody put in the place of an entry."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


@cache
def _check_folder(folder: Path) -> None:
    with suppress(OSError):
        if _others_may_write(folder.stat()):
            _say(
                CACHE,
                f"{folder}: other users may write to this folder of compiled kernels, and what is theirs there is not read;"
                " set NUMBA_CACHE_DIR to a folder of your own",
            )


def _others_may_write(status: os.stat_result) -> bool:
    """Whether a file is, or can be made, the work of a user who is neither this one, nor root, nor who installed this package."""
    if not hasattr(os, "geteuid"):
        return False
    shared_group = bool(status.st_mode & stat.S_IWGRP) and status.st_gid not in _own_groups()
    stranger = status.st_uid not in (os.geteuid(), 0, Path(__file__).stat().st_uid)
    return stranger or shared_group or bool(status.st_mode & stat.S_IWOTH)


def _own_groups() -> tuple[int, ...]:
    """Groups whose members are trusted: many systems give each user one of their own, and let it write."""
    return (os.getegid(), 0)


# ---- what is said, once a process -------------------------------------------------------------------------------------

_said: set[str] = set()


def _say(logger: logging.Logger, text: str, once: str = "") -> None:
    if (once or text) not in _said:
        _said.add(once or text)
        logger.warning(text)


def _announce() -> None:
    _say(COMPILATION, "compiling kernels (first run of this kind, about 30 s)...")


def _say_unwritable(reason: str) -> None:
    reason = " ".join(reason.split())
    text = f"compiled kernels cannot be kept for the next start ({reason}); set NUMBA_CACHE_DIR to a folder that can be written"
    _say(CACHE, text, once="unwritable")
