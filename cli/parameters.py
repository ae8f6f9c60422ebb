"""Types of option values: layer sizes, numbers, schedules, and values that may differ from layer to layer.

Text comes from the command line, numbers and lists from TOML; both end as the Python values that estimators take.
"""

import math
from typing import Any

import click


class Number(click.ParamType):
    """A whole or real number; unlike click's own it takes no 2.5 for 2 and no true for 1."""

    def __init__(self, kind: type[int] | type[float]):
        self.kind, self.name = kind, "integer" if kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            if isinstance(value, bool) or (self.kind is int and not isinstance(value, int | str)):
                raise ValueError
            return self.kind(value)
        except (TypeError, ValueError, OverflowError):
            word = "a whole number" if self.kind is int else "a number"
            self.fail(f"expected {word}, found {value!r}", param, ctx)


INTEGER, REAL = Number(int), Number(float)


class Within(Number):
    """A number from ``low`` to ``high``; unlike click's own ranges it is left out of the help, where defaults are told in words."""

    def __init__(self, kind: type[int] | type[float], low: float, high: float = math.inf):
        super().__init__(kind)
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not self._low <= number <= self._high:
            most = "" if self._high == math.inf else f" and at most {self._high:,}"
            self.fail(f"expected a number of at least {self._low:,}{most}, found {value!r}", param, ctx)
        return number


class Two(click.ParamType):
    """Two numbers, 1:0.5, or a list of them."""

    name = "two numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        parts = value.split(":") if isinstance(value, str) else value
        try:
            first, second = (REAL.convert(part, param, ctx) for part in parts)
        except (click.BadParameter, TypeError, ValueError):
            self.fail(f"expected two numbers such as 1:0.5, found {value!r}", param, ctx)
        return first, second


PAIR = Two()


class Sizes(click.ParamType):
    """Layer sizes from the data upwards: 1000-500-250-30, or a list of whole numbers."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        parts = value.split("-") if isinstance(value, str) else [value] if isinstance(value, int) else value
        try:
            sizes = [INTEGER.convert(part, param, ctx) for part in parts]
        except (click.BadParameter, TypeError):
            sizes = []
        if not sizes or min(sizes) < 1:
            self.fail(f"expected sizes such as 1000-500-250-30, found {value!r}", param, ctx)
        return sizes


LAYERS = Sizes()


class Dimensions(click.ParamType):
    """The shape of a sample: 28x28x3, or a list of whole numbers."""

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        parts = value.split("x") if isinstance(value, str) else [value] if isinstance(value, int) else value
        try:
            sizes = [INTEGER.convert(part, param, ctx) for part in parts]
        except (click.BadParameter, TypeError):
            sizes = []
        if not sizes or min(sizes) < 1:
            self.fail(f"expected a shape such as 28x28 or 28x28x3, found {value!r}", param, ctx)
        return sizes


class Units(click.ParamType):
    """Units of a stack from the data upwards: sizes as above, and texts such as c16k5s2; or a list of them."""

    name = "units"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int | str]:
        from stacked.errors import SettingError
        from stacked.units.layer_text import asked_layers

        parts = value.split("-") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
        found = [int(part) if isinstance(part, str) and part.isdecimal() and len(part) < 19 else part for part in parts]
        if not found:
            self.fail(f"expected sizes such as 1000-500-250-30, found {value!r}", param, ctx)
        try:
            asked_layers("layers", found)
        except SettingError as error:
            self.fail(str(error).removeprefix("layers: "), param, ctx)
        return found


class Schedule(click.ParamType):
    """A number, or values from given epochs on: 0:0.5/5:0.9, or a list of [epoch, value]."""

    name = "schedule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        steps = [step.split(":") for step in value.split("/")] if isinstance(value, str) and ":" in value else value
        if not isinstance(steps, list | tuple):
            return REAL.convert(steps, param, ctx)
        try:
            return [(INTEGER.convert(epoch, param, ctx), REAL.convert(number, param, ctx)) for epoch, number in steps]
        except (click.BadParameter, TypeError, ValueError):
            self.fail(f"expected a number or a schedule such as 0:0.5/5:0.9, found {value!r}", param, ctx)


class Damaged(click.ParamType):
    """A kind of corruption and its level, KIND:LEVEL; becomes a pair."""

    name = "kind:level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        from stacked.corruption import check_level
        from stacked.errors import SettingError

        if isinstance(value, tuple):
            return value
        kind, colon, level = value.partition(":") if isinstance(value, str) else ("", "", "")
        if not colon:
            self.fail(f"expected KIND:LEVEL such as gaussian:0.3, found {value!r}", param, ctx)
        try:
            return kind, check_level(kind, REAL.convert(level, param, ctx))
        except SettingError as error:
            self.fail(str(error), param, ctx)


class OrAuto(click.ParamType):
    """What ``inner`` takes, or the word auto."""

    def __init__(self, inner: click.ParamType):
        self.inner, self.name = inner, f"{inner.name}|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "auto" else self.inner.convert(value, param, ctx)


class PerLayer(click.ParamType):
    """One value for every layer, or one a layer, separated by commas; becomes a list."""

    def __init__(self, inner: click.ParamType):
        self.inner, self.name = inner, f"{inner.name}[,...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or _is_schedule(parts):
            parts = [parts]
        return [self.inner.convert(part, param, ctx) for part in parts]


def _is_schedule(parts: Any) -> bool:
    """Whether a list from TOML is one schedule, [[0, 0.5], [5, 0.9]], and not a list of schedules or numbers."""
    return bool(parts) and all(
        isinstance(part, list) and len(part) == 2 and not any(isinstance(x, list) for x in part) for part in parts
    )


def spread(values: list[Any] | None, n_layers: int, option: str) -> list[Any]:
    """One value a layer (None for unset); a usage error where the number of values is neither 1 nor ``n_layers``."""
    values = [None] if values is None else values
    if len(values) not in (1, n_layers):
        raise click.UsageError(f"{option}: expected 1 value or {n_layers}, one a layer, found {len(values)}")
    return values * n_layers if len(values) == 1 else values
