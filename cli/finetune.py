"""``stacked finetune``."""

from typing import Any

import click

from stacked.registry import CLASSIFIER

from . import options as opt
from .boundary import in_flags
from .parameters import INTEGER
from .units import refuse_unused

FINETUNE_OPTIONS = (
    "epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "l1", "optimizer", "linear_decay", "loss",
)  # fmt: skip
SHARED_OPTIONS = ("line_searches", "validation_fraction", "patience", "n_threads", "random_state")
_KEPT_ON_RESUME = (
    "model", "data", "labels", "resume", "precision", "n_threads", "checkpoint_every", "quiet", "as_json", "force",
)  # fmt: skip

finetune_options = opt.together(
    click.option(
        "--optimizer", type=click.Choice(["adam", "momentum", "nesterov", "cg", "lbfgs"]),
        help="cg and lbfgs make --line-searches iterations on each minibatch.  [default: the model's, at first adam]",
    ),
    click.option("--line-searches", type=INTEGER, help="Of cg and lbfgs.  [default: the model's, at first 3]"),
    click.option("--linear-decay/--no-linear-decay", default=None, help="Let the learning rate fall to zero over the epochs."),
    click.option(
        "--loss", type=click.Choice(["auto", "cross_entropy", "squared_error"]), help="Of an autoencoder.  [default: auto]"
    ),
    click.option("--labels", metavar="DATA", help="Make a classifier: one label a row, in any form of DATA."),
    click.option("--classify", is_flag=True, help="Make a classifier with the labels that DATA carries, as digits does."),
    opt.precision_option,
)  # fmt: skip


@click.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.argument("data", metavar="[DATA]", required=False)
@opt.model_output_option
@finetune_options
@opt.training_options(per_layer=False)
@opt.resume_option("finetune")
@opt.run_options
@click.pass_context
def finetune(ctx: click.Context, **given: Any) -> None:
    """Train the whole network of MODEL on DATA: an autoencoder, or with labels a classifier on its encoder.

    What is not given keeps the value that the model holds.

    \b
    Example:
      stacked finetune model.h5 digits -o tuned.h5 --epochs 50
      stacked finetune model.h5 digits -o classifier.h5 --classify --epochs 30
      stacked finetune model.h5 images.npy -o tuned.h5 --optimizer cg --batch-size 1000
      stacked finetune --resume tuned.h5
    """
    if given["resume"] is not None:
        opt.refuse_settings(ctx, _KEPT_ON_RESUME)
        if given["data"] is not None:
            raise click.UsageError("--resume FILE takes no MODEL, only DATA that has moved", ctx)
        from .train import resume

        resume("finetune", given["resume"], given["model"], given["labels"], given)
    else:
        opt.require(ctx, given, model="MODEL", data="DATA", output="-o MODEL.h5")
        _start(given)


def _start(given: dict[str, Any]) -> None:
    from stacked.data import open_data

    from .run import notes_of
    from .targets import check_output, claimed
    from .train import train

    source, data, labels, path = given["model"], given["data"], given["labels"], given["output"]
    with claimed(path) as signals:
        check_output(path, [source, data, labels], given["force"])
        model = configured(source, given)
        with open_data(data, labels) as rows:
            notes = notes_of(rows, data, labels, _classifies(model))
            train(model, "finetune", rows, path, notes, given, signals)


def configured(source: str, given: dict[str, Any]) -> Any:
    """The model to fine-tune, with the given settings, all checked; a usage error for a bad one."""
    from stacked import SettingError, StackedClassifier, load

    from .models import require_stack, set_precision

    model = load(source)
    require_stack(model, source)
    if (given["labels"] is not None or given["classify"]) and not isinstance(model, StackedClassifier):
        model = StackedClassifier.on(model)
    if given["loss"] is not None and isinstance(model, StackedClassifier):
        raise click.UsageError("--loss is for autoencoders; a classifier has one loss, softmax cross-entropy")
    settings = {"finetune_" + name: given[name] for name in FINETUNE_OPTIONS}
    settings |= {name: given[name] for name in SHARED_OPTIONS}
    model.set_params(**{name: value for name, value in settings.items() if value is not None})
    if given["random_state"] is not None:
        model.seed_ = given["random_state"]
    set_precision(model, source, given["precision"])
    refuse_unused(model.finetune_optimizer, given)
    try:
        model.plan()
    except SettingError as error:
        raise click.UsageError(in_flags(str(error))) from error
    return model


def _classifies(model: Any) -> bool:
    return bool(model.kind == CLASSIFIER)
