"""``stacked pretrain``."""

from typing import Any

import click

from stacked.parameters import parameters_of
from stacked.units.layer_text import described
from stacked.units.parameters import Run

from . import options as opt
from .boundary import in_flags
from .declared import unit_options
from .parameters import Units
from .table_options import notes_of_table, open_for_training, open_target, training_options
from .units import KINDS, settings_for

_OPTIONS = unit_options(KINDS, chosen=("learning_rate",))
STACK_OPTIONS = tuple(name for name, record in parameters_of(Run).items() if record.option is not None)
UNIT_OPTIONS = tuple(name for name in _OPTIONS if name not in STACK_OPTIONS)
_KEPT_ON_RESUME = (
    "data",
    "target",
    "resume",
    "precision",
    "n_threads",
    "checkpoint_every",
    "quiet",
    "as_json",
    "force",
)

stack_options = opt.together(
    click.option(
        "--layers", type=Units(),
        help="Units in each layer, from the data upwards: 1000-500-250-30. Of other kinds with a letter, on images"
        f" c16k5s2-c32k3s2-d30: {described()}.",
    ),
    click.option(
        "--unit", type=click.Choice(["auto", *KINDS]),
        help="Kind of unit; auto goes by the data: rbm for many rows of drawings, else relu autoencoders by adam."
        "  [default: auto]",
    ),
    click.option(
        "--code", type=click.Choice(["auto", "linear", "same"]),
        help="Top layer: linear units (Gaussian ones of an RBM), or the same as the others.  [default: linear where two or more"
        " layers end in one narrower than the layer below]",
    ),
    *(option for name, option in _OPTIONS.items() if name != "n_threads"),  # which every command takes
)  # fmt: skip


@click.command()
@click.argument("data", metavar="[DATA]", required=False)
@opt.model_output_option
@stack_options
@opt.target_option
@training_options
@opt.resume_option("pretrain")
@opt.run_options
@click.pass_context
def pretrain(ctx: click.Context, **given: Any) -> None:
    """Train the layers of a stack on DATA, one after another, without labels.

    Every training option takes one value, or one a layer separated by commas; a value may be a schedule, epoch:value joined by
    slashes. Upper layers get visible units, or outputs, that suit the codes below them. Learning rates are chosen to suit the
    units; of a single --learning-rate a linear code on binary units takes a hundredth (rbm) or a tenth (autoencoder, dae).

    \b
    Example:
      stacked pretrain digits -o model.h5 --layers 100-50-10 --unit rbm --epochs 20 --seed 0
      stacked pretrain images.npy -o model.h5 --layers 500-250 --unit dae --corruption-level 0.25,0.1
      stacked pretrain images.npy -o model.h5 --layers 500-30 --learning-rate 0.1,0.001 --momentum 0:0.5/5:0.9
      stacked pretrain images.npy -o model.h5 --layers c16k5s2-c32k3s2-d30
      stacked pretrain words.npy -o model.h5 --layers G128 --target others.npy
      stacked pretrain --resume model.h5
    """
    if given["resume"] is not None:
        opt.refuse_settings(ctx, _KEPT_ON_RESUME)
        from .train import resume

        resume("pretrain", given["resume"], given["data"], None, given, given["target"])
    else:
        opt.require(ctx, given, data="DATA", output="-o MODEL.h5", layers="--layers")
        _start(given)


def _start(given: dict[str, Any]) -> None:
    model = build_stack(given)
    from .run import notes_of, notes_of_target
    from .targets import check_output, claimed
    from .train import train

    data, target, path = given["data"], given["target"], given["output"]
    with claimed(path) as signals:
        check_output(path, [data, target], given["force"])
        with open_for_training(data, given) as rows:
            aim = None if target is None else open_target(target, given, rows.table)
            notes = notes_of(rows, data, None, False) | notes_of_table(given) | notes_of_target(target, aim)
            train(model, "pretrain", rows, path, notes, given, signals, target=aim)


def build_stack(given: dict[str, Any]) -> Any:
    """The unfitted stack that the options describe, all its settings checked; a usage error for a bad one."""
    from stacked import SettingError, StackedAutoencoder

    own = {name: given[name] for name in STACK_OPTIONS if given[name] is not None}
    kind, settings = settings_for(
        given["unit"] or "auto", given["layers"], {name: given[name] for name in UNIT_OPTIONS}
    )
    code = given["code"] or "auto"
    model = StackedAutoencoder(given["layers"], unit=kind, code=code, unit_settings=settings, **own)
    try:
        model.plan()
        model.check_target(given["target"])
    except SettingError as error:
        raise click.UsageError(in_flags(str(error))) from error
    return model
