"""Model files: one HDF5 file, format version 1, written whole and atomically, read through one gate.

``record`` holds the typed record that callers see, ``layout`` every name, shape and type that a file of that record has,
``elements`` the record as flat arrays and attributes, ``image`` those as HDF5 bytes, ``gate`` (with ``attributes``,
``datasets`` and ``chunks``) the only way back, ``digest`` the checksum, ``atomic`` the write to disk, ``lock`` what keeps a
second process from it. Nothing here knows an estimator, and nothing here runs a model: the layer above evaluates the probe.
"""

from .atomic import check_writable, write_atomically
from .info import read_info
from .lock import locked
from .reader import read_model
from .record import (
    FORMAT_VERSION,
    HISTORY_DTYPE,
    Checkpoint,
    InputSpec,
    LayerArrays,
    ModelRecord,
    Probe,
    UnitArrays,
    weights_dtype,
)
from .writer import write_model

__all__ = [
    "FORMAT_VERSION",
    "HISTORY_DTYPE",
    "Checkpoint",
    "InputSpec",
    "LayerArrays",
    "ModelRecord",
    "Probe",
    "UnitArrays",
    "check_writable",
    "locked",
    "read_info",
    "read_model",
    "weights_dtype",
    "write_atomically",
    "write_model",
]
