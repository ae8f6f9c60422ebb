"""What the text of one cell of a table means: a finite number, a gap, a word, or a date."""

import math
import re
from collections.abc import Sequence

import numpy as np

MISSING = frozenset(("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "missing"))
_NAN = "nan"
_GAPS = MISSING | {word.upper() for word in MISSING} | {word.title() for word in MISSING}  # as most write them
_NO_LABEL = MISSING - {"none", "missing"}  # which may well be classes
_TRUTH = frozenset(("true", "false"))
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAYS = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}",
    rf"\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}",
    rf"{_MONTH} \d{{1,2}},? \d{{4}}",
)
_DAY = f"(?:{'|'.join(_DAYS)})"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:z|utc|[+-]\d{2}:?\d{2}))?"
_DATE = re.compile(rf"(?:{_DAY}(?:[t ,]+{_TIME})?|{_TIME})", re.IGNORECASE)
_LONGEST_DATE = 40


def number(cell: str, comma: bool = False) -> float | None:
    """The number in a cell, NaN and infinity included, or None; with ``comma`` decimals may stand behind one."""
    if "_" in cell:  # Python takes 1_000 for a number, no other reader of tables does
        return None
    try:
        return float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return None


def finite(cell: str, comma: bool = False) -> float | None:
    """The finite number in a cell, or None."""
    value = number(cell, comma)
    return value if value is not None and math.isfinite(value) else None


def numbers(cells: Sequence[str], comma: bool = False) -> np.ndarray | None:
    """The cells as numbers (n,) float64, NaN for gaps, or None where one is neither a finite number nor a gap."""
    known = [_NAN if cell in _GAPS else cell for cell in cells]
    if comma:
        known = [cell.replace(",", ".") for cell in known]
    try:
        values = np.array(list(map(float, known)), np.float64)
    except ValueError:
        return None
    return values if not np.isinf(values).any() and "_" not in "".join(known) else None


def is_missing(cell: str) -> bool:
    """Whether a cell is empty, or says with a usual word that its value is missing."""
    return cell.strip().lower() in MISSING


def is_no_label(cell: str) -> bool:
    """As `is_missing`, but for words that may name a class."""
    return cell.strip().lower() in _NO_LABEL


def word(cell: str) -> str:
    """A cell of text as a category: without blanks around it, true and false in small letters."""
    text = cell.strip()
    return text.lower() if text.lower() in _TRUTH else text


def is_date(text: str) -> bool:
    """Whether a text is a day or a time of day in one of the usual ways of writing them."""
    return len(text) <= _LONGEST_DATE and _DATE.fullmatch(text) is not None


def is_name(cell: str) -> bool:
    """Whether a cell may be the name of a column: it begins with a letter, and is no usual word for a missing value."""
    text = cell.strip()
    return text[:1].isalpha() and not is_missing(text)
