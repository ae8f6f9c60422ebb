"""Making a unit ready to train: its network, its trainee, and where they start."""

from typing import TYPE_CHECKING

from ..data import Rows, Summary
from ..network import Network
from ..scaling import InputScaling, identity
from ..training.loop import Phase, Progress
from ..training.phase import Source, prepare
from ..training.start import Resume, initial_output_bias

if TYPE_CHECKING:
    from .base import Unit


def prepare_unit(
    unit: "Unit",
    rows: Rows,
    scaling: InputScaling,
    data: Summary,
    seed: int,
    index: int,
    resume: Resume | None = None,
) -> tuple[Phase, Progress]:
    """Make a unit ready to train on rows (the data, or the codes of the unit below) and set its fitted attributes.

    They are set before training, so that after an error in `run` the unit holds the last good weights.
    """
    plan = unit.validate()
    scaled = (scaling.scale, scaling.offset) if index == 0 else (1.0, 0.0)
    halves = unit.layers(rows.n_columns)
    network = Network.zeros(halves.whole, unit.precision)
    trainee = unit.trainee(network, rows, scaled, data, seed, index, plan)
    if resume is None:
        unit.draw_weights(network, seed, index)
        network.bias(len(network.layers) - 1)[:] = initial_output_bias(
            unit.output_activation, scaling if index == 0 else None, data
        )
    sizes = "-".join(str(size) for size in (rows.n_columns, *(layer.n_out for layer in halves.encoder)))
    where = f"unit {index} ({type(unit).__name__}, {sizes})"
    source = Source(rows, scaled, data, seed, index)
    phase, progress = prepare("pretrain", index, where, plan, trainee, source, resume)
    own = scaling if index == 0 else identity(rows.n_columns, rows.dtype.name)
    unit.network_, unit.scaling_, unit.n_code_layers_, unit.seed_ = network, own, len(halves.encoder), seed
    unit.n_features_in_, unit.history_ = rows.n_columns, progress.history
    return phase, progress
