"""Loading a model for a command, and refusing one that the command cannot use."""

from typing import Any

import click

from stacked.errors import ModelFileError
from stacked.registry import CLASSIFIER, is_stack


def load_model(path: str, n_threads: int | None, precision: str | None = None) -> Any:
    """The finished model in a file, to run on so many threads with products of a precision."""
    from stacked import load

    model = load(path)
    model.n_threads = n_threads
    set_precision(model, path, precision)
    return model


def set_precision(model: Any, path: str, precision: str | None) -> None:
    """Let a loaded model multiply in another precision; a usage error where its parameters are of another."""
    if precision is not None and (precision == "float64") != (model.precision == "float64"):
        raise click.UsageError(f"--precision {precision}: {path} holds a model in {model.precision}; leave it out")
    if precision is not None:
        model.set_params(precision=precision)


def require_stack(model: Any, path: str) -> None:
    """ModelFileError for a single unit."""
    if not is_stack(model.kind):
        raise ModelFileError(f"{path}: expected a stack of units, found a single {model.kind}; pretrain a stack first")


def require_decoder(model: Any, path: str) -> None:
    """ModelFileError for a classifier, which has no decoder."""
    if model.kind == CLASSIFIER:
        raise ModelFileError(f"{path}: expected a model with a decoder, found a classifier; it can encode and predict")


def require_sampler(model: Any, path: str) -> None:
    """ModelFileError for a model that does not say how its data are distributed."""
    if not hasattr(model, "sample"):
        raise ModelFileError(
            f"{path}: expected a model that draws samples, found a {model.kind}; RBMs, stacks of them and variational"
            " autoencoders do: pretrain with --unit rbm, or a single layer with --unit vae"
        )


def require_gaussian_code(model: Any, path: str) -> None:
    """ModelFileError for a model without a likelihood that can be bounded."""
    from stacked.models.variational import has_gaussian_code

    if not has_gaussian_code(model) or not hasattr(model, "bound"):
        raise ModelFileError(
            f"{path}: expected a variational model, with one Gaussian layer, its code; found a {model.kind} that is not"
        )


def require_classifier(model: Any, path: str) -> None:
    """ModelFileError for a model that knows no classes."""
    if model.kind != CLASSIFIER:
        raise ModelFileError(
            f"{path}: expected a classifier, found a {model.kind}; make one with `stacked finetune {path} DATA --labels DATA`"
        )
