"""Foreign text made fit for a terminal: what would move the cursor, break a line or turn the writing round becomes an escape."""

from __future__ import annotations


def escaped(text: object) -> str:
    r"""The text, with every character that is not printable written as Python writes it: ``\x1b``, ``\n``, ``\u202e``."""
    found = str(text)
    if found.isprintable():
        return found
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in found)


def one_line(text: object, most: int | None = None) -> str:
    """A message of another library on one line: its line breaks become blanks, other unprintable characters escapes."""
    return _cut(escaped(" ".join(str(text).split())), most)


def shown(value: object, most: int = 60) -> str:
    """A foreign value, short and on one line."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        text = f"a value of type {type(value).__name__} that is too long to print"
    return one_line(text, most)


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else text[: most - 3] + "..."
