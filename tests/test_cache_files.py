"""Whatever happens to the files of compiled kernels, kernels run: damaged, foreign and unwritable ones cost time only."""

import importlib.util
import os
import resource
import stat
import sys

import numba
import pytest

from stacked.kernels import _cache, _jit
from stacked.kernels._cache import KernelCache, cache_for

SOURCE = "def triple(x):\n    return 3 * x\n"


@pytest.fixture
def said(caplog, monkeypatch):
    """What is logged, with nothing said before."""
    monkeypatch.setattr(_cache, "_said", set())
    _cache._check_folder.cache_clear()
    return lambda logger: [record.getMessage() for record in caplog.records if record.name == f"stacked.{logger}"]


class Starts:
    """Starts of a program with one kernel, whose cache lies in ``folder``."""

    def __init__(self, folder):
        self.source = folder / "tiny.py"
        self.source.write_text(SOURCE)
        self.folder = folder / "__pycache__"

    def files(self):
        return sorted(self.folder.glob("*.nbc"))

    def again(self, value=2.0):
        """Run the kernel as a new process would; how often it came from the cache."""
        spec = importlib.util.spec_from_file_location("tiny", self.source)
        module = sys.modules["tiny"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        kernel = numba.njit(module.triple)
        kernel._cache = cache_for(module.triple, lambda payload: None)
        assert kernel(value) == 3 * value
        return sum(kernel.stats.cache_hits.values())


@pytest.fixture
def starts(tmp_path, said):
    yield Starts(tmp_path)
    sys.modules.pop("tiny", None)


def test_a_second_start_reads_what_the_first_wrote_and_only_the_first_says_so(starts, said):
    assert starts.again() == 0
    assert len(starts.files()) == 1 and said("compilation") == [
        "compiling kernels (first run of this kind, about 30 s)..."
    ]
    assert starts.again() == 1 and len(said("compilation")) == 1
    assert starts.again(2) == 0 and len(starts.files()) == 2  # a signature each
    assert (starts.again(), starts.again(2)) == (1, 1)
    assert said("cache") == []


DAMAGES = {
    "empty": lambda block: b"",
    "a byte": lambda block: block[:1],
    "half": lambda block: block[: len(block) // 2],
    "a flipped bit": lambda block: block[:-200] + bytes([block[-200] ^ 4]) + block[-199:],
    "text": lambda block: b"no pickle",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_counts_as_missing(damage, starts, said):
    starts.again()
    (path,) = starts.files()
    path.write_bytes(damage(path.read_bytes()))
    assert starts.again() == 0
    assert starts.again() == 1 and starts.files() == [path]  # written anew
    assert said("cache") == []


def test_a_payload_that_numba_cannot_rebuild_counts_as_missing(starts, monkeypatch):
    starts.again()
    (path,) = starts.files()
    save = _cache._Entries.save
    monkeypatch.setattr(_cache._Entries, "save", lambda self, key, payload: save(self, key, ("nothing", 1)))
    path.unlink()
    starts.again()
    monkeypatch.undo()
    assert starts.again() == 0 and starts.again() == 1


def test_an_entry_of_another_key_is_not_taken_for_ones_own(starts):
    starts.again()
    (first,) = starts.files()
    starts.again(2)
    (second,) = set(starts.files()) - {first}
    second.write_bytes(first.read_bytes())
    assert starts.again(2) == 0  # compiled for an integer, not run for a float


def test_entries_of_other_sources_are_removed(starts, monkeypatch):
    starts.again()
    (before,) = starts.files()
    monkeypatch.setattr(_cache, "source_digest", lambda: "f" * 64)
    assert starts.again() == 0
    (after,) = starts.files()
    assert after != before


@pytest.mark.parametrize("others", [stat.S_IWOTH, stat.S_IWGRP])
def test_a_file_that_others_may_write_is_not_read(others, starts, said, monkeypatch):
    starts.again()
    (path,) = starts.files()
    path.chmod(path.stat().st_mode | others)
    if others == stat.S_IWGRP:  # of a group that is not one's own
        monkeypatch.setattr(_cache, "_own_groups", lambda: ())
    assert starts.again() == 0
    (line,) = said("cache")
    assert line.startswith(f"{path}: another user could have written")


def test_a_file_that_another_user_owns_is_not_read(starts, said, monkeypatch):
    starts.again()
    (path,) = starts.files()
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:  # the file's owner becomes a stranger
        monkeypatch.setattr(_cache.os, "geteuid", lambda: path.stat().st_uid + 1)
        monkeypatch.setattr(_cache, "__file__", "/")
    assert starts.again() == 0
    assert any("another user could have written" in line for line in said("cache"))


def test_a_folder_that_others_may_write_to_is_told(starts, said):
    starts.again()
    starts.folder.chmod(0o777)
    _cache._check_folder.cache_clear()
    assert starts.again() == 1  # one's own files are read
    (line,) = said("cache")
    assert line.startswith(f"{starts.folder}: other users may write") and "NUMBA_CACHE_DIR" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_a_link_in_the_place_of_an_entry_is_not_waited_for(starts):
    starts.again()
    (path,) = starts.files()
    entry = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    assert starts.again() == 0
    assert starts.again() == 1  # replaced by a file
    (starts.folder / "elsewhere").write_bytes(entry)
    path.unlink()
    path.symlink_to(starts.folder / "elsewhere")
    assert starts.again() == 0


def test_temporary_files_of_killed_processes_are_swept(starts):
    starts.again()
    (path,) = starts.files()
    old, young = (path.with_name(f"{path.name}.{i}.tmp") for i in "12")
    for left in (old, young):
        left.write_bytes(b"")
    os.utime(old, (0, 0))
    starts.again(2)
    assert not old.exists() and young.exists()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(starts, said):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        assert starts.again() == starts.again() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(starts.folder.glob("*.nbc*")) == []
    (line,) = said("cache")
    assert "cannot be kept" in line and str(starts.folder) in line
    assert starts.again() == 0 and starts.again() == 1


def test_no_folder_to_write_to_is_told(starts, said, monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    assert starts.again() == 0
    assert starts.files() == [] and len(said("compilation")) == 1
    (line,) = said("cache")
    assert "cannot be kept" in line


def test_every_kernel_has_this_cache():
    from stacked.kernels.engine import fused_rbm, products

    assert isinstance(fused_rbm.train._cache, KernelCache)
    assert isinstance(products.multiply.kernel._cache, KernelCache)
    assert _jit.TESTED
