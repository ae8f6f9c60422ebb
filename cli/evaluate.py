"""``stacked evaluate``."""

from typing import Any

import click

from stacked.registry import CLASSIFIER
from stacked.text import escaped

from . import options as opt
from .output import echo, print_json
from .parameters import Within
from .table_options import open_for, open_target, table_options

MOST_CLASSES = 20  # of a confusion matrix that is printed


@click.command()
@opt.model_argument
@opt.data_argument
@opt.labels_option
@table_options
@opt.target_option
@click.option(
    "--likelihood", type=Within(int, 1), metavar="K",
    help="Models with a Gaussian code: a bound on the log likelihood, from K samples a row.",
)  # fmt: skip
@opt.precision_option
@opt.threads_option
@opt.json_option
@opt.config_option
def evaluate(
    model: str,
    data: str,
    labels: str | None,
    target: str | None,
    likelihood: int | None,
    precision: str | None,
    n_threads: int | None,
    as_json: bool,
    **table: Any,
) -> None:
    """Measure how well MODEL does on DATA.

    That is how well it reconstructs or, for a classifier, predicts, and how sparse its codes are. The error is compared with
    those of a constant answer (the mean of the training rows; of a classifier their most frequent class) and of PCA with as many
    components as the code. With --labels of 0 and 1 (anomalies) anomaly scores are measured, too.

    Errors are per sample, summed over features, of the data as the model sees them (images scaled to [0, 1]). A unit of the code
    is active where its answer exceeds 0.1 (sigmoid, tanh) or 0.001 (other codes) in size, and dead if it never is. Lifetime
    sparseness is 0 for a unit that answers alike to all rows and 1 for one that answers to a single row. Of sequences that end
    early the steps that are there count, in codes, too, and there is no PCA. A decoder that is told its own answers is told the
    right ones for errors; shares of symbols that are right are those of its own.

    \b
    Example:
      stacked evaluate tuned.h5 digits
      stacked evaluate tuned.h5 parts.csv --labels faulty.csv
      stacked evaluate vae.h5 images.npy --likelihood 5000
      stacked evaluate translator.h5 words.npy --target others.npy
      stacked evaluate classifier.h5 images.npy --labels labels.npy --json
    """
    from .models import load_model, require_gaussian_code

    fitted = load_model(model, n_threads, precision)
    if likelihood is not None:
        require_gaussian_code(fitted, model)
    with open_for(fitted, data, labels, table) as rows:
        aim = None if target is None else open_target(target, table, fitted.table_)
        found = _measure(fitted, rows, likelihood, labels, aim)
        report = {"model": model, "kind": fitted.kind, "data": rows.name, **found}
    print_json(report) if as_json else echo(*_lines(report))


def _measure(fitted: Any, rows: Any, likelihood: int | None, labels: str | None, target: Any) -> dict[str, Any]:
    from stacked import metrics
    from stacked.sparsity import code_sparsity

    own = {} if likelihood is None else {"likelihood": metrics.likelihood_metrics(fitted, rows, likelihood)}
    if fitted.kind == CLASSIFIER:
        if target is not None:
            raise click.UsageError("--target: expected none for a classifier; give its classes with --labels")
        found = metrics.classification_metrics(fitted, rows)
        own |= metrics.majority_metrics(fitted, rows, found["accuracy"])
    else:
        found = metrics.reconstruction_metrics(fitted, rows, target)
        own |= metrics.comparison_metrics(fitted, rows) | metrics.symbol_metrics(fitted, rows, target)
        if labels is not None:
            own["anomaly"] = metrics.anomaly_metrics(fitted, rows, rows.labels)
    return {**found, **own, "code": code_sparsity(fitted, rows)}


def _lines(report: dict[str, Any]) -> list[str]:
    start = (
        f"{report['model']} on {report['data']}: {report['n_samples']:,} samples of {report['n_features']:,} features"
    )
    if "accuracy" in report:
        return [
            start,
            f"accuracy       {report['accuracy']:.2%}  ({report['errors']:,} errors){_majority(report)}",
            *_verdict(report),
            f"cross-entropy  {report['cross_entropy']:.5g} a sample",
            *_code_lines(report["code"]),
            *_confusion(report["classes"], report["confusion"]),
        ]
    lines = [
        start,
        f"squared error  {report['squared_error']:.5g} a sample, summed over features",
        *_comparison(report),
    ]
    if report["cross_entropy"] is not None:
        lines.append(f"cross-entropy  {report['cross_entropy']:.5g} a sample, summed over features")
    if "steps_right" in report:
        lines.append(
            f"symbols right  {report['steps_right']:.2%} of the steps, {report['sequences_right']:.2%} of whole sequences"
        )
    if "likelihood" in report:
        found = report["likelihood"]
        error = f"± {found['standard_error']:.2g}, by {found['samples']:,} draws"
        lines.append(f"log likelihood {found['bound']:.5g} nats a sample at least, {error}")
    if "anomaly" in report:
        found = report["anomaly"]
        about = f"of {found['anomalies']:,} anomalies; average precision {found['average_precision']:.4f}"
        lines.append(f"ROC AUC        {found['roc_auc']:.4f} {about}")
    return [*lines, f"RMSE           {report['rmse']:.5g} a feature", *_code_lines(report["code"])]


def _comparison(report: dict[str, Any]) -> list[str]:
    """What a constant answer and PCA would do, and whether the model is worse."""
    if report["constant_squared_error"] is None:
        return []
    others = f"{report['constant_squared_error']:.5g} by a constant answer"
    if report["pca_squared_error"] is not None:
        others += f", {report['pca_squared_error']:.5g} by PCA with {report['pca_components']:,} components"
    return [f"compare with   {others}", *_verdict(report)]


def _majority(report: dict[str, Any]) -> str:
    constant = report["constant_accuracy"]
    return "" if constant is None else f"; always the most frequent class {constant:.2%}"


def _verdict(report: dict[str, Any]) -> list[str]:
    return [] if report["verdict"] is None else [f"               {report['verdict']}"]


def _code_lines(code: dict[str, Any]) -> list[str]:
    sparseness, quartiles = code["lifetime_sparseness"], [f"{value:.4g}" for value in code["mean_activation"]]
    lines = [
        f"code           {code['units']:,} units, {code['active']:.2%} active, {code['dead_units']:,} dead",
        f"activation     mean over the rows: {quartiles[1]} in the median unit, half of all in [{quartiles[0]}, {quartiles[2]}]",
    ]
    return (
        lines
        if sparseness is None
        else [*lines, f"sparseness     {sparseness:.4f} over a unit's lifetime, in the mean"]
    )


def _confusion(classes: list[Any], confusion: list[list[int]]) -> list[str]:
    """The table, unless it would be wider than a screen."""
    if len(classes) > MOST_CLASSES:
        return [f"confusion      of {len(classes):,} classes: see --json"]
    return ["confusion (rows: true, columns: predicted)", *_table(classes, confusion)]


def _table(classes: list[Any], confusion: list[list[int]]) -> list[str]:
    names = [escaped(name) for name in classes]
    cells = [["", *names], *([name, *map(str, row)] for name, row in zip(names, confusion, strict=True))]
    width = 1 + max(len(cell) for row in cells for cell in row)
    return ["".join(cell.rjust(width) for cell in row) for row in cells]
