"""The gate that an HDF5 dataset passes before it is read.

h5py follows silently what a file plants: soft and external links, virtual datasets, external raw storage. The gate
takes each component of a path by hard link only and refuses the rest, as it does filters that are not decoded here: nobody
bounds what those make of a chunk.
"""

import math
from collections.abc import Iterable
from typing import Any

from ..errors import DataError
from ..text import one_line
from .keys import Shape, listing

MAX_OBJECTS, MAX_DEPTH = 10_000, 32  # in which data are looked for
MOST_UNSTORED = 1 << 30  # bytes that a dataset may declare whatever is stored of it
MAX_RATIO = 1100  # declared by stored bytes of others; gzip reaches 1032


def dataset_at(file: Any, path: str, name: str) -> Any:
    """The h5py dataset at ``path``, reached by hard links only, whose numbers lie in this file.

    `DataError` for a missing name (it lists those there are), a link of another kind, a group, a dataset without a
    shape, a virtual one, external storage, or a foreign filter.
    """
    import h5py

    node = file
    for part in filter(None, path.split("/")):
        if not isinstance(node, h5py.Group) or not node.id.links.exists(part.encode()):
            raise DataError(f"{name}: expected a dataset at {path!r}, found {listing(shapes(file))}")
        if node.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise DataError(f"{name}: expected a dataset of this file at {path!r}, found a soft or external link")
        node = node[part]
    if not isinstance(node, h5py.Dataset):
        raise DataError(f"{name}: expected a dataset at {path!r}, found a group; there are {listing(shapes(file))}")
    # First of all, because even asking a virtual dataset for its shape opens the files that it names.
    if node.is_virtual or node.external:
        raise DataError(f"{name}: expected numbers stored in this file at {path!r}, found a reference to other files")
    if node.shape is None:
        raise DataError(f"{name}: expected a dataset with numbers at {path!r}, found an empty one")
    _check_filters(node, path, name)
    return node


def holds(file: Any, path: str, names: Iterable[str]) -> bool:
    """Whether hard links lead to a group at ``path`` in which there are things of all these names."""
    import h5py

    node = file
    for part in filter(None, path.split("/")):
        if not isinstance(node, h5py.Group) or not node.id.links.exists(part.encode()):
            return False
        if node.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            return False
        node = node[part]
    return isinstance(node, h5py.Group) and all(node.id.links.exists(name.encode()) for name in names)


def _check_filters(node: Any, path: str, name: str) -> None:
    from ..chunks import FILTERS, filters_of

    _check_stored(node, path, name)
    for code, filter_name in filters_of(node.id.get_create_plist()):
        if code not in FILTERS:
            raise DataError(
                f"{name}: expected {path!r} compressed by {', '.join(FILTERS.values())} or not at all, found the filter "
                f"{code} {one_line(filter_name)[:40]}; repack it: h5repack -f GZIP=4 OLD NEW"
            )


def _check_stored(dataset: Any, path: str, name: str) -> None:
    """What is not stored reads as the fill value: a file of a few bytes may declare more of that than anybody can wait for."""
    declared, stored = math.prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    if declared > max(MOST_UNSTORED, MAX_RATIO * stored):
        raise DataError(f"{name}: expected the {declared:,} bytes that {path!r} declares, found {stored:,} stored")


def shapes(file: Any) -> dict[str, Shape]:
    """Every dataset that hard links lead to, by path; a virtual one with the shape that its first part claims for it."""
    import h5py

    found: dict[str, Shape] = {}
    groups, seen = [("", file, 0)], 0
    while groups:
        above, group, depth = groups.pop()
        for part in group:
            seen += 1
            if seen > MAX_OBJECTS or depth > MAX_DEPTH:
                raise DataError(
                    f"{file.filename}: expected at most {MAX_OBJECTS:,} things, {MAX_DEPTH} groups deep, to look for data"
                    " in; name the dataset as FILE:/path"
                )
            if group.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
                continue
            path, node = f"{above}{part}", group[part]
            if isinstance(node, h5py.Group):
                groups.append((f"{path}/", node, depth + 1))
            elif isinstance(node, h5py.Dataset):
                _note_shape(path, node, found)
    return found


def _note_shape(path: str, node: Any, found: dict[str, Shape]) -> None:
    if node.is_virtual:
        found[path] = node.id.get_create_plist().get_virtual_vspace(0).get_simple_extent_dims()
    elif node.shape is not None:
        found[path] = node.shape
