"""What is asked for in a list of layers: 500 for units of the usual kind, and texts for others, as c16k5s2 for filters of 5 x 5.

A text is a letter, a number of units, and marks behind it; letters and marks are those that the kinds declare (`building`), and d
is for dense units whatever the others are. Nothing heavy is imported.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import SettingError
from ..settings import MAX_SIZES, whole
from ..text import shown
from .kinds import KINDS

DENSE = "d"
LETTERS = {letter: word for word, kind in KINDS.items() if not kind.defaults for letter in kind.building.letters}
_PART = re.compile(r"([A-Za-z]?)([0-9]+)((?:[A-Za-z][0-9]*)*)", re.ASCII)
_MARK = re.compile(r"([A-Za-z])([0-9]*)", re.ASCII)
_DIGITS = 18  # of a number that is looked at


class Asked(NamedTuple):
    """One unit: its size, the kind that its letter asks for (None without one, "d" for a dense one), values of its parameters."""

    size: int
    word: str | None = None
    settings: Mapping[str, Any] = {}


def asked_layers(name: str, layers: Any) -> list[Asked]:
    """What a sequence of sizes and texts, from the data upwards, asks for; SettingError in the ``name`` of a parameter."""
    if not isinstance(layers, tuple | list):
        raise SettingError(f"{name}: expected a sequence of whole numbers from 1 on, found {shown(layers)}")
    if len(layers) > MAX_SIZES:
        raise SettingError(f"{name}: expected at most {MAX_SIZES} sizes, found {len(layers)}")
    return [_asked(name, part) if isinstance(part, str) else Asked(whole(name, part)) for part in layers]


def words_of(asked: Sequence[Asked], plain: str = "auto") -> list[str]:
    """The kinds on maps that letters ask for, each once; and that of the others, where numbers alone are of kind ``plain``."""
    words = [plain if one.word is None else one.word for one in asked]
    return [word for word in dict.fromkeys(words) if word in LETTERS.values()]


def described() -> str:
    """The letters and their marks, for help and messages."""
    known = [
        f"{' or '.join(KINDS[word].building.letters)} {_marks(word)}{_meant(word)}"
        for word in dict.fromkeys(LETTERS.values())
    ]
    return ", ".join((*known, f"{DENSE} or a number alone: dense"))


def _meant(word: str) -> str:
    return f" ({word})" if any(KINDS[word].building.letters.values()) else ""


def _marks(word: str) -> str:
    building = KINDS[word].building
    numbers = [f"[{mark} {parameter}]" for mark, parameter in building.marks.items()]
    switches = [f"[{mark}: {' '.join(map(str, values.values()))}]" for mark, values in building.switches.items()]
    return " ".join((f"{building.counts}", *numbers, *switches))


def _asked(name: str, text: str) -> Asked:
    match = _PART.fullmatch(text)
    if match is None or len(max(re.findall("[0-9]+", text), key=len)) > _DIGITS:
        raise _unknown(name, text)
    letter, size, marks = match.groups()
    if letter in LETTERS:
        word = LETTERS[letter]
        settings = {**KINDS[word].building.letters[letter], **_settings(name, text, word, marks)}
        return Asked(whole(name, int(size)), word, settings)
    if marks or letter not in ("", DENSE):
        raise _unknown(name, text)
    return Asked(whole(name, int(size)), letter or None)


def _settings(name: str, text: str, word: str, marks: str) -> dict[str, Any]:
    building = KINDS[word].building
    found: dict[str, Any] = {}
    for mark, number in _MARK.findall(marks):
        if number and mark in building.marks:
            own = {building.marks[mark]: int(number)}
        elif not number and mark in building.switches:
            own = dict(building.switches[mark])
        else:
            raise _unknown(name, text)
        if own.keys() & found.keys():
            raise SettingError(f"{name}: expected each mark once, found {shown(text)}")
        found |= own
    return found


def _unknown(name: str, text: str) -> SettingError:
    return SettingError(f"{name}: expected a number of units, or {described()}; found {shown(text)}")
