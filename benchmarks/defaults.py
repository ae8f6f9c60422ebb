"""Which units suit which data? A table of data sets by recipes, from which `stacked.defaults` was chosen.

Each number is the squared error on rows held out (a fifth, scaled values) over that of PCA of the same size, fitted on the training
rows, and the seconds of training in brackets, on one thread. All recipes have the usual minibatches, epochs, validation
and, with Adam, rates.

    python benchmarks/defaults.py [--sets NAME ...] [--recipes NAME ...] [--layers 3] [--share 1.0] [--seed 0]
"""

import argparse
from typing import Any

import data_sets
from recipes import RECTIFIED, ratio, stack

SIGMOID = ("binary", "ink", "shades", "unit")  # kinds that sigmoid outputs can model
REAL = {**RECTIFIED, "output": "linear"}
RECIPES: dict[str, dict[str, Any]] = {
    "the usual": {"rated": False},
    "RBMs": {"unit": "rbm"},
    "tanh": {"unit": "autoencoder", "values": {**REAL, "activation": "tanh", "start": "random"}},
    "ReLU, linear outputs": {"unit": "autoencoder", "values": REAL},
    "random start": {"unit": "autoencoder", "values": {**REAL, "start": "random"}},
    "ReLU, sigmoid outputs": {"unit": "autoencoder", "values": {**RECTIFIED, "output": "sigmoid"}},
    "ReLU, untied": {"unit": "autoencoder", "values": {**REAL, "tied": False}},
    "ReLU, linear decoder": {"unit": "autoencoder", "values": REAL, "upper": "linear"},
}


def cell(data: data_sets.DataSet, name: str, n_layers: int, share: float, seed: int) -> str:
    """What a recipe reached; nothing where its outputs cannot be the data."""
    recipe = dict(RECIPES[name])
    if name == "ReLU, sigmoid outputs" and data.kind not in SIGMOID:
        return ""
    if name == "RBMs":
        recipe["values"] = {"visible": "bernoulli" if data.kind in SIGMOID else "gaussian"}
    error, seconds = ratio(data, stack(data, data.sizes(n_layers), seed, share=share, **recipe))
    return f"{error:.3f} ({seconds:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=data_sets.SETS, default=list(data_sets.SETS), metavar="NAME")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="NAME")
    parser.add_argument("--layers", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--share", type=float, default=1.0, help="of the usual epochs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| data | rows | layers | " + " | ".join(options.recipes) + " |")
    print("|" + "---|" * (3 + len(options.recipes)))
    for name in options.sets:
        data = data_sets.load(name, options.seed)
        sizes = "-".join(map(str, [data.train.shape[1], *data.sizes(options.layers)]))
        print(f"| {name} ({data.kind}) | {len(data.train)} | {sizes} |", end="", flush=True)
        for recipe in options.recipes:
            print(f" {cell(data, recipe, options.layers, options.share, options.seed)} |", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
