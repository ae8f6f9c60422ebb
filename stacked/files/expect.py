"""Checks of parsed JSON: each returns the value with its type known, or refuses and names where it stood."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ..text import shown
from .refusal import refusal

MAX_SIZE = 2**31
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


def table(value: object, where: str, keys: Collection[str] | None = None, most: int = 10_000) -> dict[str, Any]:
    """An object, with exactly ``keys`` where they are given."""
    if not isinstance(value, dict):
        raise refusal(where, f"expected an object, found {shown(value)}")
    if keys is not None and set(value) != set(keys):
        raise refusal(where, f"expected the keys {sorted(keys)}, found {shown(sorted(value))}")
    if len(value) > most:
        raise refusal(where, f"{len(value)} entries, at most {most} are read")
    return value


def sequence(value: object, where: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise refusal(where, f"expected a list, found {shown(value)}")
    if len(value) > most:
        raise refusal(where, f"{len(value)} entries, at most {most} are read")
    return value


def size(value: object, where: str, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= MAX_SIZE:
        raise refusal(where, f"expected a size from {least} to 2**31, found {shown(value)}")
    return value


def whole(value: object, where: str) -> int:
    """A whole number of at most 64 bits."""
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise refusal(where, f"expected a whole number of at most 64 bits, found {shown(value)}")
    return value


def name(value: object, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise refusal(where, f"expected a name of letters, digits and _, found {shown(value)}")
    return value


def one_of(value: object, where: str, choices: Collection[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise refusal(where, f"expected one of {', '.join(choices)}, found {shown(value)}")
    return value
