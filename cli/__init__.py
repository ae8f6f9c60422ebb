"""The command line: the only place that prints unasked.

Commands lie in one file each and are imported when they are named, heavy libraries when a command runs, so that help is fast.
"""

from importlib import import_module
from typing import Any

import click

from stacked._version import __version__

from . import notices
from .boundary import one_line_errors
from .streams import secure_streams

COMMANDS = {  # name -> module, in the order of use
    "demo": "demo",
    "pretrain": "pretrain",
    "finetune": "finetune",
    "encode": "encode",
    "decode": "encode",
    "reconstruct": "reconstruct",
    "sample": "sample",
    "predict": "predict",
    "evaluate": "evaluate",
    "score": "score",
    "info": "info",
    "bench": "bench",
}


class LazyGroup(click.Group):
    """A group whose commands are imported by name, with the one boundary between failures and the terminal."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return getattr(import_module(f".{COMMANDS[name]}", __name__), name)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        secure_streams()
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with one_line_errors():  # --help and --version print from here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        notices.show()
        with one_line_errors():
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)  # fmt: skip
@click.version_option(__version__, "--version", "-V", prog_name="stacked")
def main() -> None:
    """Pretrain deep autoencoders layer by layer, fine-tune them, and use them.

    DATA is an IDX file (.gz or not), .npy, .npz[:key], .h5[:/path], .csv or .tsv (.gz or not), .parquet, a folder of images, a
    SciPy sparse .npz, a built-in set (digits, or curves, blocks, rectangles, movies, symbols with [:N[:SEED]]), or - for the
    standard input. Tables may hold text, which becomes categories, and gaps. Sequences are .npy (N, STEPS, NUMBERS) with NaN after
    the end of shorter ones, .npz or .h5 with values and lengths, a folder of .csv, or a table with a --sequence-column.

    \b
    Example:
      stacked pretrain digits -o model.h5 --layers 100-20
      stacked finetune model.h5 digits -o tuned.h5 --epochs 50
      stacked encode tuned.h5 digits -o codes.npy
      stacked evaluate tuned.h5 digits
    """
