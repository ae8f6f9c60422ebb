"""Parquet files as tables, read by pyarrow where it is installed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import memory
from .files import reading
from .frames import FrameTable
from .table import Block, Labels, Table

MAGIC = b"PAR1"
_MOST_COLUMNS = 100_000


def open_parquet(path: Path, name: str) -> Table:
    """The table in a Parquet file, loaded; `DataError` where it is damaged, or pyarrow is missing."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            f"{name}: expected pyarrow to be there to read Parquet, found that it is not: pip install 'stacked[parquet]'"
        ) from error
    with reading(name, "a Parquet file"), parquet.ParquetFile(path) as file:
        found = file.metadata
        if found.num_columns > _MOST_COLUMNS:
            raise DataError(f"{name}: expected at most {_MOST_COLUMNS:,} columns, found {found.num_columns:,}")
        groups = sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups))
        memory.require_memory(name, 2 * max(groups, 8 * found.num_rows * found.num_columns))
        return _ArrowTable(file.read(), name)


class _ArrowTable(FrameTable):
    """Arrow's errors in converting a column, too, are those of the file."""

    def leave_out(self, column: int) -> str:
        return Table.leave_out(self, column)

    def blocks(self, wanted: Sequence[int]) -> Iterator[Block]:
        with reading(self.name, "a Parquet file"):
            yield from super().blocks(wanted)

    def numbers(self, features: Sequence[int], labels: Labels | None) -> np.ndarray | None:
        with reading(self.name, "a Parquet file"):
            return super().numbers(features, labels)
