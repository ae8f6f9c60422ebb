"""How much memory a data set may take: what Linux calls available, cut by the limits of control groups."""

import os
from pathlib import Path

from ..errors import DataError

_FALLBACK = 4 << 30
_CGROUPS = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes that can be allocated without swapping: the least of /proc/meminfo and the control groups' headroom."""
    return min([_system_memory(), *_cgroup_headrooms()])


def require_memory(name: str, nbytes: int) -> None:
    """`DataError` when an array of ``nbytes`` bytes does not fit into the memory that is available."""
    available = available_memory()
    if nbytes > available:
        raise DataError(
            f"{name}: expected at most {available / 2**30:.1f} GiB, the memory available, found {nbytes / 2**30:.1f} "
            "GiB; store the rows in an HDF5 file, which is read by blocks"
        )


def _system_memory() -> int:
    fields = _fields(Path("/proc/meminfo"))
    if "MemAvailable:" in fields:
        return fields["MemAvailable:"] * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _FALLBACK


def _cgroup_headrooms() -> list[int]:
    """What each control group of this process leaves, version 2 or 1; droppable page cache counts as free."""
    try:
        entries = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    found = []
    for entry in entries:
        if len(entry) != 3:
            continue
        _, controllers, group = entry
        if controllers == "":
            root, limit_file, usage_file = _CGROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit_file, usage_file = _CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        leaf = root / group.strip("/")
        for folder in (leaf, *leaf.parents):
            limit, usage = _number(folder / limit_file), _number(folder / usage_file)
            if limit is not None and usage is not None:
                found.append(max(0, limit - usage + _fields(folder / "memory.stat").get("inactive_file", 0)))
            if folder == root:
                break
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _fields(path: Path) -> dict[str, int]:
    """The "name number ..." lines of a /proc file; empty when it cannot be read."""
    try:
        words = [line.split() for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return {}
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()}
