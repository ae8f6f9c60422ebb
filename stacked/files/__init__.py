"""Model files: one HDF5 file, format version 1, written whole and atomically, read through one gate.

``record`` holds the typed record that callers see, ``manifest`` every name, shape and type in a file, which its config lists,
``cursor`` what is known of unfinished training, ``elements`` the record as flat arrays and attributes, ``image`` those as
HDF5 bytes, ``gate`` (with ``attributes``, ``datasets`` and ``chunks``) the only way back, ``digest`` the checksum,
``atomic`` the write to disk, ``lock`` what keeps a second process from it. Nothing here knows an estimator, and nothing here
runs a model: the layer above evaluates the probe.
"""

from .atomic import check_writable, write_atomically
from .cursor import CURSOR
from .info import read_info
from .lock import locked
from .manifest_rules import MAX_LAYERS
from .reader import read_model
from .record import (
    FORMAT_VERSION,
    HISTORY_DTYPE,
    Baseline,
    Checkpoint,
    InputSpec,
    LayerArrays,
    ModelRecord,
    Probe,
    UnitArrays,
    weights_dtype,
)
from .refusal import file_name, of_file, refusal
from .writer import write_model

__all__ = [
    "CURSOR",
    "FORMAT_VERSION",
    "HISTORY_DTYPE",
    "MAX_LAYERS",
    "Baseline",
    "Checkpoint",
    "InputSpec",
    "LayerArrays",
    "ModelRecord",
    "Probe",
    "UnitArrays",
    "check_writable",
    "file_name",
    "locked",
    "of_file",
    "read_info",
    "read_model",
    "refusal",
    "weights_dtype",
    "write_atomically",
    "write_model",
]
