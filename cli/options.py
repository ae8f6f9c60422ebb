"""Options that commands share, written once. An option that is not given is None, and the estimator's default holds."""

from typing import Any

import click

from stacked.parameters import parameters_of
from stacked.units.parameters import Run

from .config import apply_config
from .declared import Decorator, option
from .notices import hush
from .parameters import Within


def together(*decorators: Decorator) -> Decorator:
    """Several decorators as one, in reading order."""

    def apply(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


model_argument = click.argument("model", metavar="MODEL")
data_argument = click.argument("data", metavar="DATA")

config_option = click.option(
    "--config", metavar="FILE.toml", expose_value=False, is_eager=True, callback=apply_config,
    help="Read options from a TOML file; those on the command line win.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on the standard output.")
quiet_option = click.option("--quiet", "-q", is_flag=True, callback=hush, help="Print no progress.")
threads_option = option(
    parameters_of(Run)["n_threads"], "Threads; the result does not depend on them.  [default: all cores]"
)
precision_option = click.option(
    "--precision", type=click.Choice(["float32", "bfloat16"]),
    help="Of the products; bfloat16 is faster where the CPU has it.  [default: as MODEL was trained]",
)  # fmt: skip
seed_option = option(parameters_of(Run)["random_state"], "Same seed, same bits.  [default: 0]")
labels_option = click.option(
    "--labels", metavar="DATA", help="One label a row, in any form of DATA.  [default: those that DATA carries]"
)
target_option = click.option(
    "--target", metavar="DATA",
    help="What the rows should be answered with, a row for each, of SequenceAutoencoder units.  [default: themselves]",
)  # fmt: skip
array_output_option = click.option(
    "--output", "-o", default="-", metavar="FILE",
    help="Where to: FILE.npy, FILE.csv or FILE.h5[:/path]; - or nothing for CSV on the standard output.",
)  # fmt: skip
force_option = click.option(
    "--force",
    is_flag=True,
    help="Replace an output that holds unfinished training, or is no file of this kind; a finished model is replaced anyway.",
)


def _replacing(more: str = "") -> Decorator:
    return click.option(
        "--force", is_flag=True,
        help=f"Replace an .h5 file that is there, which may hold other data{more}; other outputs are replaced anyway.",
    )  # fmt: skip


replace_option = _replacing()
replace_or_draw_option = _replacing(", or with a picture what is none")


def file_only(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A usage error for "-": what is written whole or not at all needs a file."""
    if value == "-":
        raise click.BadParameter(
            "expected a file name, found -; this output cannot go to the standard output", ctx, param
        )
    return value


OTHER_FILES = (".npy", ".npz", ".csv", ".tsv", ".parquet", ".png", ".toml", ".json")  # names that no model should have


def model_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """As `file_only`; a usage error, too, for the name of a kind of file that no model is."""
    if value is not None and value.lower().endswith(OTHER_FILES):
        raise click.BadParameter(
            f"expected the name of a model file, as MODEL.h5, found {value}, which is that of another kind of file",
            ctx,
            param,
        )
    return file_only(ctx, param, value)


model_output_option = click.option(
    "--output", "-o", metavar="MODEL.h5", callback=model_file, help="Model file to write."
)  # fmt: skip


def resume_option(name: str) -> Decorator:
    """``--resume`` for a training command."""
    text = f"Go on with the unfinished training in this file; settings and DATA come from it: stacked {name} --resume FILE."
    return click.option("--resume", metavar="FILE", help=text)


checkpoint_option = click.option(
    "--checkpoint-every", type=Within(float, 0, 1e9), default=60, show_default=True, metavar="SECONDS",
    help="Write a checkpoint at the end of an epoch when the last one is this old; 0 for every epoch.",
)  # fmt: skip

run_options = together(checkpoint_option, force_option, threads_option, quiet_option, json_option, config_option)


def require(ctx: click.Context, given: dict[str, Any], **names: str) -> None:
    """A usage error for the first of the named parameters that is missing, under the name that the user knows."""
    for name, shown in names.items():
        if given[name] is None:
            raise click.UsageError(f"{shown} is missing (or go on with an unfinished run: --resume FILE)", ctx)


def refuse_settings(ctx: click.Context, kept: tuple[str, ...]) -> None:
    """A usage error for settings given beside ``--resume``: they are those of the file."""
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name or "")
        given = source in (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP)
        if given and param.name not in (*kept, "config"):  # what a configuration file gives is seen option by option
            raise click.UsageError(f"--resume takes its settings from the file; leave out {param.opts[-1]}", ctx)
