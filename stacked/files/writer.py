"""A record to disk: packed, checked by the reader's rules, laid out in memory, then written atomically."""

from __future__ import annotations

import os

from .atomic import check_writable, write_atomically
from .image import image_of
from .pack import pack
from .record import ModelRecord
from .refusal import of_file


def write_model(path: str | os.PathLike[str], record: ModelRecord) -> None:
    """Write ``record`` as a model file; on any failure the file that was there is still there.

    Raises :class:`~stacked.errors.ModelFileError` where the record breaks a rule of the format (a wrong shape or type,
    NaN in a weight, parameters that are no JSON) and where the disk refuses.
    """
    check_writable(path)
    with of_file(path):
        image = image_of(pack(record))
    write_atomically(path, image)
