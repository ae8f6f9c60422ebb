"""What is asked for in a list of layers: 500 for units of the usual kind, and texts for others, as c16k5s2 for filters of 5 x 5.

A text is a letter, a number of units, and marks behind it; letters and marks are those that the kinds declare (`building`), and d
is for dense units whatever the others are. Nothing heavy is imported.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import SettingError
from ..parameters import parameters_of
from ..settings import MAX_SIZES, whole
from ..text import shown
from .building import Building
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
    return [
        _asked(name, called(index, part), part) if isinstance(part, str) else Asked(whole(name, part))
        for index, part in enumerate(layers)
    ]


def called(index: int, text: str) -> str:
    """A layer that was asked for by a text, as messages call it; they count from 1."""
    return f"layer {index + 1}, {shown(text)}"


def in_marks(message: str, text: str) -> str:
    """What a unit says of its parameters, where a text gave them: no parameter in front, and marks to leave out as the remedy."""
    letter, _, marks = _parted(text)
    message = message.removeprefix("units: ")
    building = KINDS[LETTERS[letter]].building if letter in LETTERS else Building()
    for mark, _ in _MARK.findall(marks):
        if mark in building.marks:
            message = message.removeprefix(f"{building.marks[mark]}: ")
        for parameter in building.switches.get(mark, {}):
            message = re.sub(rf"\b{parameter}='\w+'", f"no {mark}", message)
    return message


def _parted(text: str) -> tuple[str, str, str]:
    """The letter, the number and the marks of a text, empty ones where it is none."""
    match = _PART.fullmatch(text)
    if match is None or len(max(re.findall("[0-9]+", text), key=len)) > _DIGITS:
        return "", "", ""
    letter, size, marks = match.groups()
    return letter, size, marks


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


def _asked(name: str, place: str, text: str) -> Asked:
    letter, size, marks = _parted(text)
    if letter in LETTERS:
        word = LETTERS[letter]
        settings = {**KINDS[word].building.letters[letter], **_settings(name, place, text, marks)}
        return Asked(whole(f"{name}: {place}", int(size)), word, settings)
    if not size or marks or letter not in ("", DENSE):
        raise _unknown(name, text)
    return Asked(whole(f"{name}: {place}", int(size)), letter or None)


def _settings(name: str, place: str, text: str, marks: str) -> dict[str, Any]:
    """The values of parameters that marks give."""
    kind = KINDS[LETTERS[text[0]]]
    building, known = kind.building, parameters_of(kind.declares)
    found: dict[str, Any] = {}
    for mark, number in _MARK.findall(marks):
        if number and mark in building.marks:
            parameter = building.marks[mark]
            own = {parameter: known[parameter].check(f"{name}: {place}: {parameter}", int(number))}
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
