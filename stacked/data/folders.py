"""Folders of files of one kind, a sample each: in the folder itself, or one level down in folders that are their labels."""

from collections.abc import Callable
from pathlib import Path

from ..errors import DataError
from ..text import one_line


def members_of(folder: Path, name: str, belongs: Callable[[Path], bool], what: str) -> list[Path]:
    """The files that belong, sorted by name; none is no error, `DataError` for some in the folder and others below it.

    ``what`` they are is said in the plural. Hidden files do not count.
    """
    entries = _shown(folder)
    flat = [entry for entry in entries if _is_member(entry, belongs)]
    nested = [file for entry in entries if entry.is_dir() for file in _shown(entry) if _is_member(file, belongs)]
    if flat and nested:
        raise DataError(
            f"{name}: expected {what} or folders of {what}, found both: {one_line(flat[0].name)} and "
            f"{one_line(nested[0].parent.name)}/"
        )
    return flat or nested


def labels_of(files: list[Path], folder: Path) -> list[str] | None:
    """The names of the folders that the files lie in, None for those of the folder itself."""
    return None if files[0].parent == folder else [path.parent.name for path in files]


def _shown(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _is_member(path: Path, belongs: Callable[[Path], bool]) -> bool:
    return belongs(path) and path.is_file()
