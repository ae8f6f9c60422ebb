"""Parameters of estimators, each declared once: default, check, help text, and how the command line asks for it.

A declaring class is a dataclass whose fields are made by `parameter`; ``__init__`` and its signature, the checks, the docstring's
section and the options of commands follow from them. Nothing heavy is imported, for the command line's help reads declarations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from inspect import cleandoc
from textwrap import fill
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast, dataclass_transform

from .errors import SettingError
from .settings import MAX_WHOLE, check_seed, choice, flag, pair, real, schedule, sizes, thread_count, whole
from .text import shown

Class = TypeVar("Class", bound=type)


class Check(Protocol):
    """What a parameter's values may be: ``expects`` says it in the docstring; the call returns the value or raises SettingError."""

    @property
    def expects(self) -> str: ...

    def __call__(self, name: str, value: Any) -> Any: ...


@dataclass(frozen=True)
class Whole:
    """A whole number; None, too, if ``optional``."""

    minimum: int = 1
    maximum: int = MAX_WHOLE
    optional: bool = False

    @property
    def expects(self) -> str:
        return "int or None" if self.optional else "int"

    def __call__(self, name: str, value: Any) -> int | None:
        return None if self.optional and value is None else whole(name, value, self.minimum, self.maximum)


@dataclass(frozen=True)
class Real:
    """A number in [low, high], without a bound that is open; None, too, if ``optional``."""

    low: float = 0.0
    high: float = float("inf")
    open_high: bool = False
    open_low: bool = False
    optional: bool = False

    @property
    def expects(self) -> str:
        return "float or None" if self.optional else "float"

    def __call__(self, name: str, value: Any) -> float | None:
        if self.optional and value is None:
            return None
        return real(name, value, self.low, self.high, self.open_high, self.open_low)


@dataclass(frozen=True)
class Sizes:
    """Numbers of units of layers, as a tuple; it may be empty."""

    expects = "tuple of int"

    def __call__(self, name: str, value: Any) -> tuple[int, ...]:
        return sizes(name, value)


@dataclass(frozen=True)
class MapShape:
    """Height, width and, where there are several, channels of a sample; or None."""

    expects = "(height, width) or (height, width, channels), or None"

    def __call__(self, name: str, value: Any) -> tuple[int, ...] | None:
        found = None if value is None else sizes(name, value)
        if found is not None and len(found) not in (2, 3):
            raise SettingError(f"{name}: expected {self.expects}, found {shown(value)}")
        return found


@dataclass(frozen=True)
class Pair:
    """Two numbers from 0 on that are not both 0, as a tuple."""

    expects = "pair of floats"

    def __call__(self, name: str, value: Any) -> tuple[float, float]:
        return pair(name, value)


@dataclass(frozen=True)
class Steps:
    """A number in [0, high), or a schedule of such."""

    high: float = float("inf")
    expects = "float or list of (epoch, value)"

    def __call__(self, name: str, value: Any) -> Any:
        return schedule(name, value, self.high)


@dataclass(frozen=True)
class Choice:
    """One of some words; the ``reserved`` ones are not for the command line, which gives them in other ways."""

    names: tuple[str, ...]
    reserved: tuple[str, ...] = ()

    @property
    def expects(self) -> str:
        return "{" + ", ".join(f'"{name}"' for name in self.names) + "}"

    def __call__(self, name: str, value: Any) -> str:
        return choice(name, value, self.names)


@dataclass(frozen=True)
class Flag:
    """True or False."""

    expects = "bool"

    def __call__(self, name: str, value: Any) -> bool:
        return flag(name, value)


@dataclass(frozen=True)
class Verbosity:
    """0 or 1, or whether to print as a bool."""

    expects = "{0, 1}"

    def __call__(self, name: str, value: Any) -> int:
        return int(value) if isinstance(value, bool) else whole(name, value, 0, 1)


@dataclass(frozen=True)
class Threads:
    """A number of threads that this process can use, or None."""

    expects = "int or None"

    def __call__(self, name: str, value: Any) -> int | None:
        return thread_count(value)


@dataclass(frozen=True)
class Seed:
    """What random numbers start from; nothing is drawn from a generator."""

    expects = "int, NumPy generator or None"

    def __call__(self, name: str, value: Any) -> Any:
        return check_seed(value)


@dataclass(frozen=True)
class Auto:
    """What another check takes, or "auto": chosen when the data are known."""

    other: Check

    @property
    def expects(self) -> str:
        return f'"auto" or {self.other.expects}'

    def __call__(self, name: str, value: Any) -> Any:
        return value if isinstance(value, str) and value == "auto" else self.other(name, value)


@dataclass(frozen=True)
class Unchecked:
    """What the estimator checks itself; ``expects`` says what."""

    expects: str

    def __call__(self, name: str, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``help`` is a sentence that starts in lower case.

    ``option`` holds what click declares the option by, by default the name as a flag, and None keeps it off the command line;
    ``kinds`` are the values of ``--unit`` that take it, by default all of the class; ``per_layer`` lets it differ from layer to
    layer of a stack.
    """

    default: Any
    check: Check
    help: str
    per_layer: bool = False
    option: tuple[str, ...] | None = ()
    kinds: tuple[str, ...] = ()
    metavar: str | None = None
    name: str = ""  # set by `parameters_of`


def parameter(
    default: Any,
    check: Check,
    help: str,
    *,
    per_layer: bool = False,
    option: tuple[str, ...] | None = (),
    kinds: tuple[str, ...] = (),
    metavar: str | None = None,
) -> Any:
    """A field of a declaring class, described as in `Parameter`."""
    return _field(Parameter(default, check, help, per_layer, option, kinds, metavar))


def like(source: type, name: str, default: Any, **changes: Any) -> Any:
    """A field that is another class's but for its default, and what else ``changes``."""
    return _field(replace(parameters_of(source)[name], default=default, **changes))


def _field(record: Parameter) -> Any:
    return field(default=record.default, metadata={Parameter: record})


@dataclass_transform(eq_default=False)
def declared(cls: Class) -> Class:
    """Give a class that declares, or inherits, parameters its ``__init__``, and its docstring their section.

    Parameters come in the order of the classes' declarations, those of the last base first.
    """
    dataclass(eq=False, repr=False)(cast(type, cls))
    if cls.__doc__:
        summary, *rest = cleandoc(cls.__doc__).split("\n\n", 1)
        cls.__doc__ = "\n\n".join([summary, _section(cls), *rest])
    return cls


def parameters_of(cls: type) -> Mapping[str, Parameter]:
    """The parameters that a declared class declares or inherits, by name, in the order of its signature."""
    return _collected(cls)


@cache  # of a call of `partial_fit` on few rows this was half the time
def _collected(cls: type) -> Mapping[str, Parameter]:
    return MappingProxyType({made.name: replace(made.metadata[Parameter], name=made.name) for made in fields(cls)})


def checked(estimator: Any) -> dict[str, Any]:
    """Every parameter's value as its own check returns it; SettingError for the first that is refused."""
    return {name: value_of(estimator, name) for name in parameters_of(type(estimator))}


def value_of(estimator: Any, name: str) -> Any:
    """One parameter's value as its check returns it."""
    return parameters_of(type(estimator))[name].check(name, getattr(estimator, name))


def _section(cls: type) -> str:
    lines = ["Parameters", "----------"]
    for name, record in parameters_of(cls).items():
        default = f'"{record.default}"' if isinstance(record.default, str) else record.default
        lines.append(f"{name} : {record.check.expects}, default {default}")
        text = record.help[:1].upper() + record.help[1:]
        lines.append(fill(text, 120, initial_indent=" " * 4, subsequent_indent=" " * 4))
    return "\n".join(lines)
