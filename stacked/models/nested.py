"""Parameters of a stack's units under names of their own, as scikit-learn's searches want them: ``units__0__n_hidden``."""

from typing import Any

from sklearn.base import BaseEstimator, clone

from ..errors import SettingError

PREFIX = "units__"


class NestedUnits(BaseEstimator):
    """Base of estimators with a list of ``units``, each of which is a parameter, too: ``units__0`` is the lowest.

    An entry that is an estimator has its parameters behind its name.
    """

    units: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with ``deep`` the units and their parameters besides."""
        params = super().get_params(deep)
        for index, unit in enumerate(_listed(self.units) if deep else []):
            params[f"{PREFIX}{index}"] = unit
            if isinstance(unit, BaseEstimator):
                own = unit.get_params(deep)
                params |= {f"{PREFIX}{index}__{name}": value for name, value in own.items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name: ``units`` itself first, then ``units__0``, then ``units__0__n_hidden``.

        A unit is never changed in place, for other stacks may have it, too: a changed copy takes its place in a new list.
        SettingError for a unit that is not there, ValueError for an unknown name.
        """
        super().set_params(**{name: value for name, value in params.items() if not name.startswith(PREFIX)})
        nested = {name: value for name, value in params.items() if name.startswith(PREFIX)}
        if nested:
            self.units = type(self.units)(_changed(_listed(self.units), nested))
        return self


def _listed(units: Any) -> list[Any]:
    return list(units) if isinstance(units, list | tuple) else []


def _changed(units: list[Any], nested: dict[str, Any]) -> list[Any]:
    """The list with whole entries replaced, and copies of the units of which single parameters change."""
    inner: dict[int, dict[str, Any]] = {}
    for name, value in nested.items():
        index, _, parameter = name.removeprefix(PREFIX).partition("__")
        if index not in map(str, range(len(units))):
            raise SettingError(f"{name}: expected the number of one of {len(units)} units in a list, found {index!r}")
        if parameter:
            inner.setdefault(int(index), {})[parameter] = value
        else:
            units[int(index)] = value
    for place, values in inner.items():
        if not isinstance(units[place], BaseEstimator):
            raise SettingError(
                f"{PREFIX}{place}__{next(iter(values))}: expected a unit in this place, found {units[place]!r}, which has no"
                f" parameters; set {PREFIX}{place} to another size, or give a unit, such as RBM(100)"
            )
        units[place] = clone(units[place]).set_params(**values)
    return units
