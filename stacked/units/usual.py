"""The units of a stack from the sizes of its layers: of one kind but where letters say other, each able to model the codes below.

What is not given is chosen: kind and parameters by the data (`defaults`), what models codes and how fast to learn by the units.
"""

from collections.abc import Mapping, Sequence, Set
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..defaults import usual_units
from ..errors import SettingError
from ..parameters import parameters_of
from ..registry import PACKAGE, UNITS
from ..text import shown
from .autoencoder_parameters import STARTING
from .kinds import KINDS, Kind
from .layer_text import DENSE, Asked, asked_layers, words_of

if TYPE_CHECKING:
    from .base import Unit

_REAL = ("real", "counts")  # kinds of data that need outputs of any size
CODES = ("auto", "linear", "same")
Given = Mapping[str, Any]  # a parameter's value for all units, or with `Each` one for each


class Each(tuple):
    """Values of one parameter for the units, from the data upwards."""


def units_for(
    sizes: Sequence[int | str],
    kind: str = "auto",
    code: str = "auto",
    given: Given | None = None,
    data: str = "unit",
    n_rows: int = 0,
    n_columns: int = 0,
    classifies: bool = False,
) -> "list[Unit]":
    """Units of ``sizes`` from the data upwards, each a number or a text (`layer_text`).

    ``kind`` is that of numbers alone, one of `KINDS`, or "auto" for what suits the data, of those that take all parameters
    ``given``; a kind that is asked for on data in [0, 1] has the defaults that it declares. Of what is given each unit has what its
    kind takes. ``code``: the uppermost unit is "linear", the "same" as the others, or with "auto" linear where it is narrower than
    the layer below (of a kind that the data decide, or than the data), but neither in a classifier nor where it is one on maps.
    ``data`` is a kind of data, ``n_rows`` and ``n_columns`` their numbers, and
    ``classifies`` tells whether a classifier is to be built of the units, as `defaults` has them.
    """
    given = dict(given or {})
    for name, value in given.items():
        if isinstance(value, Each) and len(value) != len(sizes):
            raise SettingError(f"{name}: expected {len(sizes)} values, one for each unit, found {len(value)}")
    asked = asked_layers("units", sizes)
    usual, chosen = usual_units(data, n_rows, classifies, bool(words_of(asked, kind)))
    words = _words(asked, kind, given, usual)
    suits = (kind == "auto" or data in _REAL) and not given.keys() & set(KINDS[words[-1]].building.not_linear)
    linear = code == "linear" or (
        code == "auto" and not classifies and _narrows(asked, words, n_columns if suits else 0)
    )
    common = {name for name, value in given.items() if not isinstance(value, Each)}
    units: list[Any] = []
    for index, (one, word) in enumerate(zip(asked, words, strict=True)):
        defaults = chosen if suits and word == usual else _outputs(KINDS[word], data)
        if given.get("activation", "relu") not in STARTING:
            defaults = {name: value for name, value in defaults.items() if name != "start"}
        own = _given_to(index, words, given) | dict(one.settings)
        below = units[-1].code_activation if units else None
        units.append(_unit(KINDS[word], one.size, below, linear and index == len(asked) - 1, common, defaults, own))
    return units


def _words(asked: Sequence[Asked], kind: str, given: Given, usual: str) -> list[str]:
    """The kind of each unit."""
    others = words_of(asked)
    if others and all(one.word in others for one in asked):
        if kind not in ("auto", *others):
            raise SettingError(_without_use(kind, others))
        kind = others[0]
        _refuse_untaken(given.keys() - {name for word in others for name in _taken(word)}, given)
    plain = _kind_taking(given, usual, others) if kind == "auto" else kind
    dense = _kind_taking(given, usual, [plain, *others]) if KINDS[plain].building.letters else plain
    return [{None: plain, DENSE: dense}.get(one.word, str(one.word)) for one in asked]


def _without_use(kind: str, others: Sequence[str]) -> str:
    """What is wrong with a kind beside layers of letters alone, which are of the ``others``."""
    tables = [KINDS[word].parameters(word) for word in others]
    settings = [
        f"{name}={value!r}"
        for name, value in KINDS[kind].defaults.items()
        if all(name in table and table[name].default != value for table in tables)
    ]
    instead = f"; {' and '.join(settings)} does as much for these" if settings else ""
    return (
        f"unit: expected a layer without a letter, to be of kind {shown(kind)}, found letters alone, which make all layers"
        f" {' or '.join(others)}; leave it out{instead}"
    )


def _given_to(index: int, words: Sequence[str], given: Given) -> dict[str, Any]:
    """What is given to one unit: its own values, without those of parameters that other kinds take and its own does not."""
    own = {name: value[index] if isinstance(value, Each) else value for name, value in given.items()}
    foreign = {name for word in words for name in _taken(word)} - _taken(words[index])
    if index:
        foreign |= set(KINDS[words[index]].building.lowest)
    return {name: value for name, value in own.items() if value is not None and name not in foreign}


def _narrows(asked: Sequence[Asked], words: Sequence[str], n_columns: int) -> bool:
    """Whether the uppermost layer is narrower than the one below; a single one is narrower than its data, if their width counts.

    Feature maps on top do not count as narrow, and what is on them does.
    """
    on_maps = [bool(KINDS[word].building.letters) for word in words]
    if on_maps[-1] or len(asked) == 1:
        return not on_maps[-1] and asked[-1].size < n_columns
    return on_maps[-2] or asked[-1].size < asked[-2].size


def _kind_taking(given: Given, usual: str, others: Sequence[str] = ()) -> str:
    """The kind, the usual one before all others, that takes all parameters given but for those that ``others`` take beside it.

    Of several the first that takes most; SettingError where there is none.
    """
    left = given.keys() - {name for word in others for name in _taken(word)}
    words = [word for word in (usual, *KINDS) if left <= _taken(word) and not (others and KINDS[word].building.letters)]
    _refuse_untaken(left if not words else set(), given)
    return max(words, key=lambda word: len(given.keys() & _taken(word)))


def _taken(word: str) -> set[str]:
    """Names of the parameters that may be given for units of a kind."""
    return {*KINDS[word].parameters(word), *KINDS[word].building.lowest}


def _refuse_untaken(left: Set[str], given: Given) -> None:
    if left:
        raise SettingError(f"unit: expected parameters that one kind of unit takes, found {', '.join(sorted(given))}")


def _outputs(kind: Kind, data: str) -> dict[str, Any]:
    """What makes units of a kind that was asked for model real values, where the data are such."""
    if data not in _REAL:
        return {}
    linear = [value for value, mean in kind.building.means.items() if mean == "linear"]
    return {kind.building.outputs: linear[0]} if linear else {}


def _unit(
    kind: Kind, size: int, below: str | None, linear: bool, common: set[str], defaults: Given, given: Given
) -> Any:
    """A unit on codes of activation ``below``, with a linear code or not.

    ``given`` are its parameters by name, of which the ``common`` ones were given for all units alike; ``defaults`` those that the
    data suggest.
    """
    building = kind.building
    own = {**kind.defaults, **defaults, **given}
    if below is not None:
        own = building.on(below, own)
    if linear:
        if common.intersection(building.not_linear):
            own = {name: value for name, value in own.items() if name not in building.not_linear}
        own |= building.linear_code
    values = {name: record.default for name, record in parameters_of(kind.declares).items()} | own
    if linear and "learning_rate" in common and building.linear_share is not None:
        own["learning_rate"] = _scaled(own["learning_rate"], building.linear_share(values))
    module = import_module(f"{PACKAGE}.{UNITS[kind.unit].module}")
    return getattr(module, kind.unit)(size, **own)


def _scaled(rate: Any, share: float) -> Any:
    if isinstance(rate, list | tuple):
        return [(epoch, value * share) for epoch, value in rate]
    return rate * share
