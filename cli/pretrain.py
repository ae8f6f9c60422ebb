"""``stacked pretrain``."""

from typing import Any

import click

from . import options as opt
from .boundary import in_flags
from .parameters import INTEGER, REAL, PerLayer, Sizes
from .units import AUTOENCODER_OPTIONS, COMMON_OPTIONS, NOISE_OPTIONS, OWN_OPTIONS, RBM_OPTIONS, build_units

UNIT_OPTIONS = (*COMMON_OPTIONS, *RBM_OPTIONS, *AUTOENCODER_OPTIONS, *NOISE_OPTIONS)
STACK_OPTIONS = ("validation_fraction", "patience", "scaling", "precision", "n_threads", "random_state")
_KEPT_ON_RESUME = ("data", "resume", "precision", "n_threads", "checkpoint_every", "quiet", "as_json", "force")

unit_options = opt.together(
    click.option("--layers", type=Sizes(), help="Units in each layer, from the data upwards: 1000-500-250-30."),
    click.option("--unit", type=click.Choice(list(OWN_OPTIONS)), help="Kind of unit.  [default: rbm]"),
    click.option(
        "--code", type=click.Choice(["linear", "same"]),
        help="Top layer: linear units (Gaussian ones of an RBM), or the same as the others.  [default: linear where two or more"
        " layers end in one narrower than the layer below]",
    ),
    click.option("--visible", type=click.Choice(["bernoulli", "gaussian"]), help="rbm: units of the data.  [default: bernoulli]"),
    click.option("--hidden", type=click.Choice(["bernoulli", "rectified"]), help="rbm: units of the codes.  [default: bernoulli]"),
    click.option("--k", type=PerLayer(INTEGER), help="rbm: Gibbs steps of CD-k.  [default: 1]"),
    click.option("--persistent/--no-persistent", default=None, help="rbm: chains that never restart at the data."),
    click.option(
        "--activation", type=click.Choice(["sigmoid", "tanh", "relu", "softplus", "linear"]),
        help="autoencoder, dae: of the codes.  [default: sigmoid]",
    ),
    click.option(
        "--output-activation", type=click.Choice(["sigmoid", "tanh", "relu", "softplus", "linear"]),
        help="autoencoder, dae: of the bottom layer's reconstruction.  [default: sigmoid]",
    ),
    click.option(
        "--loss", type=click.Choice(["auto", "cross_entropy", "squared_error"]),
        help="autoencoder, dae: auto is cross_entropy for sigmoid outputs, else squared_error.  [default: auto]",
    ),
    click.option("--tied/--untied", default=None, help="autoencoder, dae: one matrix for encoder and decoder.  [default: tied]"),
    click.option(
        "--optimizer", type=click.Choice(["momentum", "nesterov", "adam", "cg", "lbfgs"]),
        help="autoencoder, dae: see finetune.  [default: momentum]",
    ),
    click.option("--line-searches", type=INTEGER, help="autoencoder, dae: of cg and lbfgs on each minibatch.  [default: 3]"),
    click.option(
        "--corruption", type=click.Choice(["masking", "salt_and_pepper", "gaussian"]),
        help="dae: noise on the input.  [default: masking]",
    ),
    click.option("--corruption-level", type=PerLayer(REAL), help="dae: its probability, or deviation.  [default: 0.25]"),
    click.option(
        "--scaling", type=click.Choice(["auto", "minmax", "standard", "none"]),
        help="Of the data; auto divides uint8 images by 255.  [default: auto]",
    ),
    click.option(
        "--precision", type=click.Choice(["float32", "bfloat16", "float64"]),
        help="Of weights and products; bfloat16 rounds what products multiply and keeps float32 weights: faster, on a CPU that has"
        " instructions for it.  [default: float32]",
    ),
)  # fmt: skip


@click.command()
@click.argument("data", metavar="[DATA]", required=False)
@opt.model_output_option
@unit_options
@opt.training_options(per_layer=True)
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
      stacked pretrain --resume model.h5
    """
    if given["resume"] is not None:
        opt.refuse_settings(ctx, _KEPT_ON_RESUME)
        from .train import resume

        resume("pretrain", given["resume"], given["data"], None, given)
    else:
        opt.require(ctx, given, data="DATA", output="-o MODEL.h5", layers="--layers")
        _start(given)


def _start(given: dict[str, Any]) -> None:
    model = build_stack(given)
    from stacked.data import open_data

    from .run import notes_of
    from .targets import check_output, claimed
    from .train import train

    data, path = given["data"], given["output"]
    with claimed(path) as signals:
        check_output(path, [data], given["force"])
        with open_data(data) as rows:
            train(model, "pretrain", rows, path, notes_of(rows, data, None, False), given, signals)


def build_stack(given: dict[str, Any]) -> Any:
    """The unfitted stack that the options describe, all its settings checked; a usage error for a bad one."""
    from stacked import SettingError, StackedAutoencoder

    kind = given["unit"] or "rbm"
    units = build_units(kind, given["layers"], given["code"], {name: given[name] for name in UNIT_OPTIONS})
    own = {name: given[name] for name in STACK_OPTIONS if given[name] is not None}
    model = StackedAutoencoder(units, **own)
    try:
        model.plan()
    except SettingError as error:
        raise click.UsageError(in_flags(str(error))) from error
    return model
