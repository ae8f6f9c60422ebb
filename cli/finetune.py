"""``stacked finetune``."""

from dataclasses import replace
from typing import Any

import click

from stacked.models.parameters import StackedAutoencoderParameters, StackedClassifierParameters
from stacked.parameters import Parameter, parameters_of
from stacked.registry import CLASSIFIER
from stacked.units.parameters import Run

from . import options as opt
from .boundary import in_flags
from .declared import name_of, option, sentence, shown_default
from .output import echo
from .table_options import notes_of_table, open_labelled, table_options
from .units import flag_of, refuse_unused

PREFIX = "finetune_"
_OTHERS = ("scaling", "precision", "n_threads")  # fixed by the model, or with words of their own
_FINETUNED = {
    name: replace(record, name=name.removeprefix(PREFIX))
    for name, record in parameters_of(StackedAutoencoderParameters).items()
    if record.option is not None and name not in _OTHERS
}
SETTINGS = {name: name_of(record) for name, record in _FINETUNED.items()} | {"n_threads": "n_threads"}  # -> option
_KEPT_ON_RESUME = (
    "model", "data", "labels", "resume", "precision", "n_threads", "checkpoint_every", "quiet", "as_json", "force",
)  # fmt: skip


def _option(name: str, record: Parameter) -> opt.Decorator:
    """The option of a setting that the model already has a value of."""
    of = "" if name in parameters_of(StackedClassifierParameters) else "autoencoder"
    first = "" if name in parameters_of(Run) else f", at first {shown_default(record, record.default)}"
    return option(record, f"{sentence(record, of)}  [default: the model's{first}]")


finetune_options = opt.together(
    *(_option(name, record) for name, record in _FINETUNED.items()),
    click.option("--labels", metavar="DATA", help="Make a classifier: one label a row, in any form of DATA."),
    click.option("--classify", is_flag=True, help="Make a classifier with the labels that DATA carries, as digits does."),
    opt.precision_option,
)  # fmt: skip


@click.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.argument("data", metavar="[DATA]", required=False)
@opt.model_output_option
@finetune_options
@table_options
@opt.resume_option("finetune")
@opt.run_options
@click.pass_context
def finetune(ctx: click.Context, **given: Any) -> None:
    """Train the whole network of MODEL on DATA.

    It stays an autoencoder, or with labels becomes a classifier on its encoder. What is not given keeps the value that the model
    holds.

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
    from .run import notes_of
    from .targets import check_output, claimed
    from .train import train

    source, data, labels, path = given["model"], given["data"], given["labels"], given["output"]
    with claimed(path) as signals:
        check_output(path, [source, data, labels], given["force"])
        model = configured(source, given)
        with open_labelled(model, data, labels, given) as rows:
            _tell_of_labels(model, rows, given)
            notes = notes_of(rows, data, labels, _classifies(model)) | notes_of_table(given)
            train(model, "finetune", rows, path, notes, given, signals)


def _tell_of_labels(model: Any, rows: Any, given: dict[str, Any]) -> None:
    """Say that labels are left out, where a column of them was named and an autoencoder is trained."""
    if given["label_column"] not in (None, "none") and rows.labels is not None and not _classifies(model):
        echo(f"{rows.name}: the labels are left out; --classify makes a classifier of them", err=True)


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
    known = model.get_params(deep=False)
    for name, key in SETTINGS.items():
        if given[key] is not None and name not in known:
            raise click.UsageError(f"{flag_of(key)} is for autoencoders, not for a classifier")
    model.set_params(**{name: given[key] for name, key in SETTINGS.items() if given[key] is not None})
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
