"""What a run does that is told nothing but its data and the sizes of its layers; `benchmarks/defaults.py` has the evidence.

Kinds of data, as the model sees them: "binary" (0 and 1), "ink" (in [0, 1], most values near an end, as drawings have them), "unit"
(other values in [0, 1]), "counts" (centred logarithms), "real" (all else).
"""

from collections.abc import Sequence
from typing import Any

KINDS = ("binary", "ink", "unit", "counts", "real")


def usual_units(kind: str, n_rows: int, sizes: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """The kind of unit, as the command line's --unit, and its parameters, for layers of ``sizes`` on ``n_rows`` rows."""
    if kind in ("binary", "ink"):
        return "rbm", {}
    return "autoencoder", {"activation": "relu", "output": "linear", "optimizer": "adam", "tied": False}


def usual_batch(n_rows: int) -> int:
    """Rows in a minibatch."""
    return 100 if n_rows >= 10_000 else 50


def usual_epochs(n_rows: int, batch_size: int, phase: str) -> int:
    """Passes over the data, of "pretrain" for each unit or of "finetune": small data get more, to make as many updates."""
    least, updates = (10, 2000) if phase == "pretrain" else (20, 6000)
    return max(least, -(-updates // -(-n_rows // min(batch_size, n_rows))))


def usual_validation(n_rows: int) -> tuple[float, int | None]:
    """(share of the rows held out, epochs without improvement after which training stops); (0, None) for none."""
    return (0.1, 20) if 50 <= n_rows < 20_000 else (0.0, None)
