"""``stacked reconstruct``: rows encoded and decoded, corrupted first if one wants to see them repaired."""

from typing import Any

import click

from . import options as opt
from .encode import applied, apply_options
from .output import echo, print_json
from .parameters import Damaged
from .pictures import Picture, claimed_picture, picture_option
from .samples import as_in_data
from .table_options import data_names

SHOWN = 10  # rows in a picture
Damage = tuple[str, float]


@click.command()
@apply_options
@click.option(
    "--corrupt", "damage", type=Damaged(), metavar="KIND:LEVEL",
    help="Corrupt the rows first: gaussian, masking, salt_and_pepper; of images also blocks, blur.",
)  # fmt: skip
@opt.seed_option
@picture_option(f"Picture of the first {SHOWN} rows: as they are, corrupted, reconstructed.")
@opt.json_option
def reconstruct(
    damage: Damage | None, random_state: int | None, picture: str | None, as_json: bool, **given: Any
) -> None:
    """Write what MODEL makes of the rows of DATA.

    That is what comes of encoding and decoding them, in the units of DATA and the shape of its samples. Images of bytes stay
    such: whole numbers, 0 to 255.

    With --corrupt it is given damaged rows, and how far they and the reconstructions are from the clean ones is reported, on the
    standard error. Levels are in scaled units (images in [0, 1]): gaussian, the noise's standard deviation; masking and
    salt_and_pepper, the probability that a value becomes 0, or the lowest or highest; blocks, the share of the image that one
    block of zeros covers; blur, a standard deviation in pixels.

    \b
    Example:
      stacked reconstruct tuned.h5 digits -o reconstructions.npy
      stacked reconstruct tuned.h5 digits -o repaired.npy --corrupt blocks:0.25 --picture repaired.png
    """
    from .output import write_array

    _check_json(as_json, damage, given["output"])
    if random_state is not None and damage is None:
        raise click.UsageError("--seed: has no effect without --corrupt")
    seed = random_state or 0
    inputs = [given["model"], given["data"]]
    with claimed_picture(picture, given["output"], inputs, given["force"]) as drawing, applied(given, True) as opened:
        fitted, rows, target = opened
        if drawing is not None:
            _draw(drawing, fitted, rows, damage, seed)
        if damage is None:
            write_array(target, as_in_data(fitted, rows, fitted.reconstruct(rows)), data_names(fitted, given))
            return
        reconstructions, report = _repaired(fitted, rows, damage, seed)
        write_array(target, as_in_data(fitted, rows, reconstructions), data_names(fitted, given))
    report = {"model": given["model"], "data": rows.name, **report, "output": given["output"], "picture": picture}
    print_json(report) if as_json else echo(_line(report), err=True)


def _check_json(as_json: bool, damage: Damage | None, output: str) -> None:
    if as_json and damage is None:
        raise click.UsageError("--json: expected --corrupt too; without it there is nothing to report")
    if as_json and output == "-":
        raise click.UsageError("--json: expected -o FILE too; the reconstructions go to the standard output")


def _repaired(fitted: Any, rows: Any, damage: Damage, seed: int) -> tuple[Any, dict[str, Any]]:
    """Reconstructions (n, V) of the corrupted rows, and a report."""
    from stacked.corruption import repair

    found = repair(fitted, rows, *damage, seed)
    return found.reconstructions, {
        "n_samples": rows.n_rows, "corruption": damage[0], "level": damage[1], "seed": seed,
        "corrupted_error": found.corrupted_error, "squared_error": found.error,
    }  # fmt: skip


def _draw(picture: Picture, fitted: Any, rows: Any, damage: Damage | None, seed: int) -> None:
    """The first rows, corrupted or not, over what the model makes of them."""
    from stacked.corruption import examples

    shape = picture.shape(rows.name, rows.sample_shape, fitted.scaling_.sample_shape)
    blocks = next(examples(fitted, rows, *(damage or ("gaussian", 0.0)), seed))
    clean, *others = (fitted.scaling_.visible(block[:SHOWN]) for block in blocks)
    titled = [("original", clean), *zip(("corrupted", "reconstructed"), others, strict=True)]
    if damage is None:
        del titled[1]
    picture.write(picture.plot.rows_png(titled, shape, picture.plot.limits(fitted.scaling_.unit_range, clean)))


def _line(report: dict[str, Any]) -> str:
    errors = f"{report['corrupted_error']:.5g} corrupted, {report['squared_error']:.5g} reconstructed"
    return f"{report['corruption']}:{report['level']:g}  squared error a sample, summed over features: {errors}"
