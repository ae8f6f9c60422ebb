"""Data: every form of DATA becomes `Rows`, read by blocks, in the dtype of its file."""

from .builtin import BUILTIN_NAMES
from .convert import as_rows
from .h5rows import H5Rows
from .lengths import lengths_of
from .readers import open_codes_for, open_data, open_data_for, open_targets_for
from .rows import BLOCK_ROWS, ArrayRows, Rows
from .sparse import SparseRows
from .summary import Summary, fingerprint, summarize
from .table_rows import TableRows

__all__ = [
    "BLOCK_ROWS",
    "BUILTIN_NAMES",
    "ArrayRows",
    "H5Rows",
    "Rows",
    "SparseRows",
    "Summary",
    "TableRows",
    "as_rows",
    "fingerprint",
    "lengths_of",
    "open_codes_for",
    "open_data",
    "open_data_for",
    "open_targets_for",
    "summarize",
]
