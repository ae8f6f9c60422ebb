"""JSON from a file that nobody vouches for: size and depth are bounded before it is parsed, in linear time for any text.

Refused besides what RFC 8259 refuses: NaN and Infinity (also spelled 1e999), integers of more than 4300 digits, duplicate keys,
more than 32 levels.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from ..text import one_line, shown
from .refusal import refusal

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_DIGITS = 4300  # of an integer, as Python has it by default: reading one takes quadratic time

# A string that never ends is a token too, and no quantifier gives back what it took: each character is looked at once.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|[\[\]{}]', re.DOTALL)


def dump(value: object, where: str) -> str:
    """Canonical text (sorted keys, no blanks, ASCII) that :func:`parse` accepts."""
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise refusal(where, f"cannot be stored as JSON: {one_line(error)}") from error
    parse(text, where)
    return text


def parse(text: str, where: str) -> Any:
    """The value, or a refusal that names ``where``."""
    if len(text) > MAX_BYTES:
        raise refusal(where, f"JSON of {len(text):,} characters, at most {MAX_BYTES:,} are read")
    if _depth(text) > MAX_DEPTH:
        raise refusal(where, f"JSON nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(text, **_STRICT)
    except (ValueError, RecursionError) as error:
        raise refusal(where, f"malformed JSON: {one_line(error)}") from error


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in "]}":
            depth -= 1
    return deepest


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__}")


def _no_constant(name: str) -> None:
    raise ValueError(f"the constant {name} is not JSON")


def _short(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"Exceeds the limit of {MAX_DIGITS} digits: an integer of {len(text):,} characters")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {shown(text)} is out of range")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("an object holds the same key twice")
    return table


_STRICT: dict[str, Any] = {
    "parse_constant": _no_constant,
    "parse_int": _short,
    "parse_float": _finite,
    "object_pairs_hook": _unique,
}
