"""A folder of images as data: all of one size, and the names of its sub-folders, if it has any, as labels."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..text import one_line
from . import memory
from .files import reading
from .folders import labels_of, members_of
from .rows import ArrayRows, Rows

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".pbm", ".tif", ".tiff", ".webp"}
_FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "PPM",
    "TIFF",
    "WEBP",
)  # of those suffixes; Pillow goes by content, and starts a program for some
_MODES = {"1": "L", "LA": "L", "La": "L", "I;16B": "I;16", "I;16L": "I;16"}  # all the other modes become RGB
_KEPT = {"L", "I;16", "I", "F"}


def open_images(folder: Path, name: str) -> Rows:
    """The images of a folder, sorted by name: (n, h, w) for greyscale ones, (n, h, w, 3) for colour (alpha is dropped).

    Images lie in the folder itself, or one level down in folders that are their labels. `DataError` when there are
    none, when Pillow is missing, and for an image that is damaged or of another size or kind than the first.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            f"{name}: expected Pillow to be there to read images, found that it is not: pip install pillow"
        ) from error
    with reading(name, "a folder of images"):
        files = members_of(folder, name, is_image, "images")
        if not files:
            kinds = " ".join(sorted(_SUFFIXES))
            raise DataError(
                f"{name}: expected a folder of images ({kinds}), of sequences (.csv .tsv), or of one folder a class, found no"
                " images"
            )
        array: np.ndarray | None = None
        for i, path in enumerate(files):
            pixels = _decode(Image, path, array)
            if array is None:
                memory.require_memory(name, len(files) * pixels.nbytes)
                array = np.empty((len(files), *pixels.shape), pixels.dtype)
            array[i] = pixels
    assert array is not None
    return ArrayRows(array, name, labels_of(files, folder))


def is_image(path: Path) -> bool:
    """Whether a file has the suffix of an image."""
    return path.suffix.lower() in _SUFFIXES


def _decode(image: Any, path: Path, others: np.ndarray | None) -> np.ndarray:
    """The pixels of one file, (h, w) or (h, w, 3); the size is compared before anything is decoded."""
    name = one_line(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", image.DecompressionBombWarning)
            with image.open(path, formats=_FORMATS) as picture:
                height, width = picture.height, picture.width
                if others is not None and others.shape[1:3] != (height, width):
                    raise DataError(
                        f"{name}: expected {others.shape[2]} x {others.shape[1]} pixels as in the first image, found "
                        f"{width} x {height}"
                    )
                mode = _MODES.get(picture.mode, picture.mode if picture.mode in _KEPT else "RGB")
                pixels = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise types of their own, and some of everything else
        raise DataError(f"{name}: expected an image, found a damaged one ({one_line(error)})") from error
    if others is not None and (pixels.shape, pixels.dtype) != (others.shape[1:], others.dtype):
        raise DataError(f"{name}: expected {_kind(others[0])} as in the first image, found {_kind(pixels)}")
    return pixels


def _kind(pixels: np.ndarray) -> str:
    return f"a {'colour' if pixels.ndim == 3 else 'greyscale'} image of {pixels.dtype}"
