"""A column of labels out of a table."""

import numpy as np

from ..errors import DataError
from ..text import one_line
from .choice import Choice, select
from .table import Labels, Table


def read_table_labels(table: Table, key: str | None) -> np.ndarray:
    """The column called ``key`` of a table, or its only column, or the one with a usual name for labels."""
    if key is None and len(table.names) == 1:
        at: int | None = 0
    elif key is None:
        at = select(table.names, table.named, Choice(), table.name).label
    else:
        at = table.names.index(key) if key in table.names else None
    if at is None:
        found = f"columns {', '.join(table.names)}" if table.named else f"{len(table.names)} columns without a header"
        raise DataError(
            f"{table.name}: expected one column of labels or a {one_line(key or 'label')!r} column, found {found}"
        )
    labels, n_rows = Labels(table, at), 0
    for block in table.blocks([at]):
        labels.add(block.columns[0], block.lines)
        n_rows += len(block.lines)
    if not n_rows:
        raise DataError(f"{table.name}: expected labels, found no rows")
    return labels.values()
