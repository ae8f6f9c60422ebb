"""Making a unit ready to train: its network, its trainee, and where they start."""

from typing import TYPE_CHECKING

from ..network import Network
from ..scaling import InputScaling
from ..training.loop import Phase, Progress
from ..training.phase import Name, Source, prepare
from ..training.plan import Plan
from ..training.start import Resume, initial_output_bias
from .chain import Halves

if TYPE_CHECKING:
    from .base import Unit


def prepare_unit(
    unit: "Unit", source: Source, scaling: InputScaling, resume: Resume | None = None, plan: Plan | None = None
) -> tuple[Phase, Progress]:
    """Make a unit ready to train on its source, the data or the codes of the unit below, and set its fitted attributes.

    ``scaling`` is that of the source's rows, and has the shape of their samples. The attributes are set before training, so that
    after an error in `run` the unit holds the last good weights.
    """
    n_visible = source.rows.n_columns
    plan, halves = unit.validate() if plan is None else plan, unit.layers(scaling.sample_shape)
    n_weights = sum(layer.n_weights for layer in halves.encoder)
    plan = plan.on(source.rows.n_rows, unit.usual_rate(n_visible), n_weights)
    network = Network.zeros(halves.whole, unit.precision)
    trainee = unit.trainee(network, source, plan)
    if resume is None:
        unit.draw_weights(network, source.seed, source.stream)
        data, scaled = source.aim
        start = initial_output_bias(unit.output_activation, scaled, data)
        network.bias(len(network.layers) - 1)[:] = network.layers[-1].output_bias(start)
    phase, progress = prepare(name_of(unit, source, halves), plan, trainee, source, resume)
    if resume is None:
        phase.start_counts = unit.start_at_data(network, source, phase.feed.subset)
    unit.network_, unit.scaling_, unit.n_code_layers_ = network, scaling, len(halves.encoder)
    unit.n_features_in_, unit.seed_, unit.history_ = n_visible, source.seed, progress.history
    unit.__dict__.pop("baseline_", None)  # of an earlier training
    return phase, progress


def name_of(unit: "Unit", source: Source, halves: Halves) -> Name:
    """What the training of a unit is called, by its place, counted from 1, class and sizes."""
    sizes = "-".join(str(size) for size in (source.rows.n_columns, *(layer.n_out for layer in halves.encoder)))
    return Name("pretrain", source.stream, f"unit {source.stream + 1} ({type(unit).__name__}, {sizes})")
