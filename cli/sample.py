"""``stacked sample``: rows that a model makes up."""

from inspect import signature
from typing import Any

import click

from stacked.settings import MAX_COUNT

from . import options as opt
from .parameters import Within
from .pictures import Picture, claimed_picture, picture_option
from .samples import as_in_training
from .table_options import data_names, header_option

SHOWN = 100  # samples in a picture


@click.command()
@opt.model_argument
@click.option("--number", "-n", type=Within(int, 1), default=64, show_default=True, help="How many samples to draw.")
@opt.array_output_option
@header_option
@click.option("--steps", type=Within(int, 1, MAX_COUNT // 2), help="Gibbs steps in the (top) RBM.  [default: 1000]")
@opt.seed_option
@picture_option(f"Picture of the first {SHOWN} samples, of images.")
@opt.replace_or_draw_option
@opt.threads_option
@opt.config_option
def sample(
    model: str,
    number: int,
    output: str,
    header: bool,
    steps: int | None,
    random_state: int | None,
    picture: str | None,
    force: bool,
    n_threads: int | None,
) -> None:
    """Write samples that MODEL draws.

    They have units and shape of the data that it was trained on; images of bytes are whole numbers, 0 to 255.

    An RBM, or a stack of RBMs as they were pretrained (a deep belief net), moves a Markov chain a sample: Gibbs steps in the top
    RBM, then one pass down. A model with a Gaussian code decodes draws from the code's prior. Fewer samples of one seed are the
    first ones of more.

    \b
    Example:
      stacked sample model.h5 -n 64 -o samples.npy --picture samples.png
      stacked sample model.h5 -n 10 --steps 10000 --seed 1
    """
    from .models import load_model, require_sampler
    from .output import write_array
    from .targets import claimed_target

    with (
        claimed_picture(picture, output, [model], force) as drawing,
        claimed_target(output, [model], force) as target,
    ):
        fitted = load_model(model, n_threads)
        require_sampler(fitted, model)
        shape = drawing.shape(model, fitted.scaling_.sample_shape) if drawing else ()
        samples = fitted.sample(number, random_state=random_state or 0, **_steps(fitted, model, steps))
        write_array(target, as_in_training(fitted, samples), data_names(fitted, {"header": header}))
        if drawing is not None:
            _draw(drawing, fitted, samples[:SHOWN], shape)


def _steps(fitted: Any, model: str, steps: int | None) -> dict[str, int]:
    """The argument for a model whose chains take steps; a usage error where there are none to take."""
    from stacked.models.variational import has_gaussian_code

    if steps is not None and ("steps" not in signature(fitted.sample).parameters or has_gaussian_code(fitted)):
        raise click.UsageError(f"--steps: {model} holds a {fitted.kind}, which draws without Gibbs steps; leave it out")
    return {} if steps is None else {"steps": steps}


def _draw(picture: Picture, fitted: Any, samples: Any, shape: tuple[int, ...]) -> None:
    scaled = fitted.scaling_.visible(fitted.scaling_.apply(samples, samples.dtype))
    picture.write(picture.plot.grid_png(scaled, shape, picture.plot.limits(fitted.scaling_.unit_range, scaled)))
