"""Which columns of a table are samples, and which one holds the labels."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ..errors import DataError
from ..text import one_line

LABEL_NAMES = ("label", "labels", "class", "target", "y")
NO_LABELS = "none"  # as the name of a column of labels
_SHOWN = 20


class ColumnError(DataError):
    """A column was named that the table does not have, or DATA is no table."""


class Choice(NamedTuple):
    """What the user says of a table's columns: names or, where there is no header, numbers counted from 1.

    ``label_column`` None goes by the usual names, "none" takes no column for labels. ``sequence_column`` names the sequence that a
    row is a step of.
    """

    label_column: str | None = None
    drop: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    sequence_column: str | None = None

    @property
    def names(self) -> list[str]:
        """All that must be there."""
        label = [] if self.label_column in (None, NO_LABELS) else [str(self.label_column)]
        sequence = [] if self.sequence_column is None else [self.sequence_column]
        return [*sequence, *label, *self.drop, *(self.columns or ())]


class Selected(NamedTuple):
    """Positions of the label column, if any, and of the others that were chosen, in the order of the table."""

    label: int | None
    features: list[int]
    by_name: bool  # the label column was found by its name alone


def choice_of(
    label_column: str | None, drop: Iterable[str], columns: Iterable[str] | None, sequence_column: str | None = None
) -> Choice:
    """A `Choice` of what callers pass; one name may stand for a list of one."""
    return Choice(label_column, _listed(drop), None if columns is None else _listed(columns), sequence_column)


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(str(name) for name in names)


def select(names: Sequence[str], named: bool, choice: Choice, name: str, kept: Collection[str] = ()) -> Selected:
    """The columns meant of those called ``names``; ``kept`` are no labels by their name alone. `ColumnError` for unknown ones."""
    for wanted in choice.names:
        if wanted not in names:
            there = listing(names) if named else f"columns 1 to {len(names)} without names"
            raise ColumnError(
                f"{name}: expected columns that the table has, found no {one_line(wanted)!r} among {there}"
            )
    left = {*choice.drop}
    label, by_name = None, choice.label_column is None
    if choice.label_column not in (None, NO_LABELS):
        label = names.index(str(choice.label_column))
    elif by_name and named:
        free = [n for n in names if n not in left and n not in kept and n not in (choice.columns or ())]
        label = next((names.index(n) for usual in LABEL_NAMES for n in free if n.lower() == usual), None)
    features = [
        i
        for i, column in enumerate(names)
        if i != label and column not in left and (choice.columns is None or column in choice.columns)
    ]
    return Selected(label, features, by_name and label is not None)


def refuse_choice(choice: Choice, name: str) -> None:
    """`ColumnError` for names of columns where DATA has none."""
    if choice != Choice() and choice.names:
        raise ColumnError(
            f"{name}: expected a table with columns (CSV, TSV or Parquet) to find {one_line(choice.names[0])!r} in, found"
            " another kind of data"
        )


def listing(names: Sequence[str]) -> str:
    """The names for a message, cut after twenty."""
    shown = ", ".join(one_line(name, 40) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
