"""The digest of a model file: SHA-256 over everything in it but the digest itself.

Every dataset and attribute is one element, named ``/encoder/0/weight`` or ``/encoder/0@activation`` (``/@kind`` on the
root). The elements are taken in the order of their names' bytes. Each adds one line of UTF-8, ended by a line feed,

    <name> <type> <shape>

and then its bytes: little-endian and in C order. Type and shape are

    datasets     NumPy's type string (<f4, <f8, <i8, |u1, |S5) and the lengths joined by commas: ``<f4 784,1000``;
                 a scalar has the shape ``-``; rows of a history have the type ``<i8,<f8,<f8,<f8,<f8,<f8``
    texts        ``utf-8`` and the number of bytes, without padding
    integers     ``<i8 -``; floats ``<f8 -``; lists of integers ``<i8 <length>``

The digest is written in lower-case hexadecimal. Trainings that come to the same bits differ in it, as histories say how long epochs
took; the digest of the result, which `result_digest_of` gives, is taken as if they had taken no time.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from .elements import Elements
from .manifest import type_text

TIMES = ("seconds", "samples_per_second")  # fields of a history


def digest_of(elements: Elements) -> str:
    """The digest of these elements, 64 hexadecimal digits."""
    named = elements.arrays | elements.attributes
    total = hashlib.sha256()
    for name in sorted(named, key=str.encode):
        value = named[name]
        if isinstance(value, str):
            block = value.encode()
            total.update(f"{name} utf-8 {len(block)}\n".encode() + block)
        else:
            array = _little(value)
            total.update(f"{name} {type_text(array.dtype)} {_shape(array.shape)}\n".encode())
            total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def result_digest_of(elements: Elements) -> str:
    """The digest that these elements had if all times in the histories were 0: the same for trainings that come to the same."""
    return digest_of(replace(elements, arrays={name: _timeless(array) for name, array in elements.arrays.items()}))


def _timeless(array: np.ndarray) -> np.ndarray:
    if array.dtype.names is None:
        return array
    out = array.copy()
    for name in TIMES:
        out[name] = 0
    return out


def _little(value: Any) -> np.ndarray:
    array = np.asarray(value, order="C")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _shape(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape)) or "-"
