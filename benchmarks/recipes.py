"""Stacked autoencoders by recipe, for comparisons on `data_sets`: the usual units of `stacked.defaults`, or others."""

import time
from itertools import pairwise
from typing import Any

import numpy as np
from data_sets import DataSet
from sklearn.decomposition import PCA

from stacked import StackedAutoencoder
from stacked.defaults import usual_batch, usual_epochs, usual_rate, usual_units, usual_validation
from stacked.errors import DivergedError
from stacked.units.usual import Each, units_for

RECTIFIED = {"activation": "relu", "start": "principal", "optimizer": "adam"}


def stack(
    data: DataSet, sizes: list[int], seed: int, unit: str | None = None, values: dict[str, Any] | None = None,
    upper: str | None = None, share: float = 1.0, rated: bool = True,
) -> StackedAutoencoder:  # fmt: skip
    """An untrained stack with the usual minibatches, epochs (``share`` of them) and validation, on data that are scaled.

    Its units are the usual ones, or of kind ``unit`` with these ``values`` of their parameters; ``upper`` are the outputs of upper
    units where they are not those that `stacked.units.building` chooses. The rate of fine-tuning is the usual one of its width, or
    where it is not ``rated`` the one that is chosen when nothing is said, which also goes by what pretraining leaves.
    """
    n = len(data.train)
    if unit is None:
        unit, values = usual_units(data.kind, n)
    fraction, patience = usual_validation(n)
    batch = usual_batch(n)
    widths = [data.train.shape[1], *sizes]
    weights = [below * above for below, above in pairwise(widths)]
    epochs = [max(1, round(share * usual_epochs(n, batch, "pretrain", count))) for count in weights]
    finetune_epochs = max(1, round(share * usual_epochs(n, batch, "finetune", sum(weights))))
    given = {**(values or {}), "batch_size": batch, "epochs": Each(epochs)}
    if given.get("optimizer") == "adam":
        given["learning_rate"] = Each(usual_rate(max(pair), "pretrain") for pair in pairwise(widths))
    units = units_for(sizes, unit, "linear" if widths[-1] < widths[-2] else "same", given)
    for above in units[1:] if upper else []:
        above.set_params(output=upper)
    rate = usual_rate(max(widths), "finetune") if rated else "auto"
    return StackedAutoencoder(
        units, finetune_epochs=finetune_epochs, finetune_batch_size=batch, finetune_learning_rate=rate, scaling="none",
        validation_fraction=fraction, patience=patience, n_threads=1, random_state=seed,
    )  # fmt: skip


def squared_error(model: StackedAutoencoder, x: np.ndarray) -> float:
    """Squared error per row of reconstructions, summed over columns, of scaled values."""
    return float(np.square(x - model.reconstruct(x), dtype=np.float64).sum(axis=1).mean())


def pca_error(data: DataSet, n_components: int) -> float:
    """`squared_error` on the rows held out, of as many principal components of the training rows."""
    pca = PCA(n_components, svd_solver="full").fit(data.train.astype(np.float64))
    again = pca.inverse_transform(pca.transform(data.test))
    return float(np.square(data.test - again).sum(axis=1).mean())


def ratio(data: DataSet, model: StackedAutoencoder) -> tuple[float, float]:
    """(squared error of a stack on the rows held out over that of PCA, seconds of its training); infinite if it diverged."""
    start = time.perf_counter()
    try:
        model.fit(data.train)
    except DivergedError:
        return float("inf"), time.perf_counter() - start
    seconds = time.perf_counter() - start
    return squared_error(model, data.test) / pca_error(data, model.units[-1].n_hidden), seconds
