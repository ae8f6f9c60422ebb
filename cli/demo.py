"""``stacked demo``: a deep autoencoder of scikit-learn's digits in half a minute, with a picture of what it learnt."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options as opt
from .hints import shell_command
from .output import echo, print_json

if TYPE_CHECKING:
    import numpy as np

SIZES = (128, 64, 8)
N_TRAIN = 1500  # of 1,797; the rest is held out
SEED = 0
THREADS = 1  # layers this small gain nothing from more


@click.command()
@click.option(
    "--output",
    "-o",
    default="model.h5",
    show_default=True,
    metavar="MODEL.h5",
    callback=opt.model_file,
    help="Model file to write.",
)
@click.option(
    "--plot",
    default="demo.png",
    show_default=True,
    metavar="FILE.png",
    callback=opt.file_only,
    help="Picture to write.",
)
@opt.force_option
@opt.quiet_option
@opt.json_option
@opt.config_option
def demo(output: str, plot: str, force: bool, quiet: bool, as_json: bool) -> None:
    """Train a small deep autoencoder on handwritten digits, and compare it with PCA.

    Three RBMs are trained one on another and unrolled into a 64-128-64-8-64-128-64 autoencoder, which is fine-tuned. It has never
    seen the digits that it is measured on and drawn with.

    \b
    Example:
      stacked demo
      stacked demo -o digits.h5 --plot digits.png
    """
    from stacked.data import open_data
    from stacked.files import locked

    from .pictures import check_name, check_replaced
    from .targets import claimed

    check_name(plot, "--plot", output)
    with claimed(output), locked(plot):
        _check_output(output, force)
        check_replaced(plot, "--plot", [], force)
        images = open_data("digits").read(0, 1797)
        train, test = images[:N_TRAIN], images[N_TRAIN:]
        model = trained(train, quiet)
        model.save(output)
        drawn = _draw(plot, model, test)
    errors = {"deep autoencoder": -model.score(test), "PCA": _error_of_pca(train, test)}
    if as_json:
        print_json({"model": output, "plot": plot if drawn else None, "squared_error": errors})
    elif not quiet:
        echo(*_lines(output, plot if drawn else None, errors))


def _lines(output: str, plot: str | None, errors: dict[str, float]) -> list[str]:
    lines = [f"squared error per held-out digit, summed over 64 pixels in [0, 1], with a code of {SIZES[-1]} numbers:"]
    lines += [f"  {name:18}{error:.3f}" for name, error in errors.items()]
    if plot is None:
        lines.append(f"wrote {output}; no picture, for matplotlib is not installed: pip install matplotlib")
    else:
        lines.append(
            f"wrote {output} and {plot}: held-out digits, and below them what {SIZES[-1]} numbers keep of each"
        )
    classify = ["-o", "classifier.h5", "--classify", "--epochs", "30"]
    commands = [
        shell_command("info", output),
        shell_command("encode", output, "digits", options=["-o", "codes.npy"]),
        shell_command("finetune", output, "digits", options=classify),
        shell_command("evaluate", "classifier.h5", "digits"),
    ]
    return [*lines, *(f"{'     ' if index else 'next:'} {line}" for index, line in enumerate(commands))]


def trained(train: "np.ndarray", quiet: bool) -> Any:
    """The demo's autoencoder, pretrained and fine-tuned on rows (n, 64)."""
    from stacked import RBM, StackedAutoencoder

    from .progress import reporter

    momentum = [(0, 0.5), (5, 0.9)]
    binary = [RBM(size, epochs=20, batch_size=20, learning_rate=0.05, momentum=momentum) for size in SIZES[:-1]]
    code = RBM(SIZES[-1], hidden="gaussian", epochs=20, batch_size=20, learning_rate=0.001, momentum=momentum)
    model = StackedAutoencoder(
        [*binary, code], finetune_epochs=200, finetune_batch_size=50, finetune_learning_rate=3e-3, n_threads=THREADS,
        random_state=SEED,
    )  # fmt: skip
    callback = reporter(model, quiet)
    try:
        return model.fit(train, callback=callback)
    finally:
        if callback is not None:
            callback.close()


def _check_output(path: str, force: bool) -> None:
    """The demo replaces its own model, and any other only with --force."""
    from stacked.errors import ModelFileError
    from stacked.files import read_info

    from .targets import refuse_inputs

    refuse_inputs(path, [])
    if force or not Path(path).exists():
        return
    try:
        own = [layer.get("n_out") for layer in read_info(path)["layers"]] == [*SIZES, *SIZES[-2::-1], 64]
    except ModelFileError:
        own = False
    if not own:
        raise ModelFileError(
            f"{path}: exists, and is not the demo's; give another name with -o, or replace it with --force"
        )


def _error_of_pca(train: "np.ndarray", test: "np.ndarray") -> float:
    """Squared error per held-out digit of PCA with a code of the same size."""
    import numpy as np
    from sklearn.decomposition import PCA

    pca = PCA(SIZES[-1]).fit(train)
    return float(np.square(pca.inverse_transform(pca.transform(test)) - test).sum(axis=1).mean())


def _draw(plot: str, model: Any, test: "np.ndarray") -> bool:
    """Write the picture; False where matplotlib is missing."""
    try:
        from .plot import reconstruction_png
    except ImportError:
        return False
    from stacked.files import write_atomically

    shown = test[:10]
    write_atomically(plot, reconstruction_png(shown, model.reconstruct(shown), (8, 8)))
    return True
