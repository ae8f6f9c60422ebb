"""The elements of a model file as HDF5 bytes, built in memory: no folder ever holds half of it.

Plain contiguous datasets and fixed-length texts in the HDF5 1.8 format, which every reader in use knows and whose
metadata carries checksums. No times are stored, so equal records give equal bytes.
"""

from __future__ import annotations

import io
from typing import Any

from h5py import h5d, h5f, h5fd, h5g, h5p, h5s, h5t

from .attributes import write_attribute
from .digest import digest_of
from .elements import Elements


def image_of(elements: Elements) -> bytes:
    """The whole file, with its digest."""
    image = io.BytesIO()
    file = _new_file(image)
    try:
        groups: dict[str, Any] = {"": file}
        for key, value in (elements.attributes | {"/@digest": digest_of(elements)}).items():
            path = key.rpartition("@")[0].rstrip("/")
            write_attribute(_group(groups, path), key, value)
        for path, array in elements.arrays.items():
            above, _, name = path.rpartition("/")
            _write_dataset(_group(groups, above), name, array)
        h5f.flush(file)
    finally:
        file.close()
    return image.getvalue()


def _new_file(image: io.BytesIO) -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    # Not the core driver: the image that HDF5 1.14 makes of it has a wrong checksum in its superblock.
    access.set_fileobj_driver(h5fd.fileobj_driver, image)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V18)
    return h5f.create(b"model", h5f.ACC_TRUNC, _timeless(h5p.FILE_CREATE), access)


def _timeless(kind: Any) -> Any:
    plist = h5p.create(kind)
    plist.set_obj_track_times(False)
    return plist


def _group(groups: dict[str, Any], path: str) -> Any:
    """The open group at ``path``, made with all groups above it where it is new."""
    if path not in groups:
        above, _, name = path.rpartition("/")
        groups[path] = h5g.create(_group(groups, above), name.encode(), None, _timeless(h5p.GROUP_CREATE))
    return groups[path]


def _write_dataset(group: Any, name: str, array: Any) -> None:
    plist = _timeless(h5p.DATASET_CREATE)
    plist.set_layout(h5d.CONTIGUOUS)
    stored = h5t.py_create(array.dtype)
    space = h5s.create_simple(array.shape) if array.shape else h5s.create(h5s.SCALAR)
    dataset = h5d.create(group, name.encode(), stored, space, plist)
    if array.size:
        dataset.write(h5s.ALL, h5s.ALL, array, stored)
