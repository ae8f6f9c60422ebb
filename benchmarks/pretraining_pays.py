"""Does greedy pretraining pay? Deep autoencoders of the usual units, pretrained and from random weights.

Every set is trained three ways: pretrained, then fine-tuned; from random weights for as many updates as the pretrained stack took
in all, those of its units among them (each is cheaper than one of the whole network); and from random weights for as many seconds.
The rate of fine-tuning is tuned for each way on the rows that validation holds out, by the first seed, on the same grid. The table
has the squared error on rows held out over that of PCA, mean and range over seeds, and what pretraining saves of the error of a
random start: mean and 95 % interval (Student's t, paired by seed). The usual units start at principal components, which counts as
pretraining here; with ``--start random`` they do not, and what is left is greedy training's own.

    python benchmarks/pretraining_pays.py [--sets NAME ...] [--seeds 3] [--share 0.5] [--rates 0.001 0.003 0.01] [--start random]
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy

import data_sets
import numpy as np
from recipes import pca_error, squared_error, stack
from scipy.stats import t as student

from stacked import StackedAutoencoder

WAYS = ("pretrained", "random, equal updates", "random, equal time")


class Contest:
    """One set and one seed: what the three ways reach with a rate of fine-tuning."""

    def __init__(self, data: data_sets.DataSet, share: float, seed: int, start: str):
        self.data = data
        self.start = stack(data, data.sizes(), seed, share=share)
        for unit in self.start.units:
            unit.set_params(start=start)
        self.pretrained = deepcopy(self.start)
        self.pretraining = _seconds(lambda: self.pretrained.pretrain(data.train))
        self.epochs = sum(unit.epochs for unit in self.start.units)

    def run(self, rate: float) -> dict[str, tuple[float, float]]:
        """{way: (validation loss, squared error on the rows held out)}."""
        tuned = deepcopy(self.pretrained)
        budget = self.pretraining + self._finetune(tuned, tuned.finetune_epochs, rate)
        random = deepcopy(self.start)
        epochs = random.finetune_epochs + self.epochs
        seconds = self._finetune(random, epochs, rate)
        timed = deepcopy(self.start)
        self._finetune(timed, max(1, round(epochs * budget / seconds)), rate)
        return dict(zip(WAYS, map(self._result, (tuned, random, timed)), strict=True))

    def _finetune(self, model: StackedAutoencoder, epochs: int, rate: float) -> float:
        model.set_params(finetune_epochs=epochs, finetune_learning_rate=rate)
        return _seconds(lambda: model.finetune(self.data.train))

    def _result(self, model: StackedAutoencoder) -> tuple[float, float]:
        losses = [record.validation_loss for record in model.history_ if record.phase == "finetune"]
        return min(losses), squared_error(model, self.data.test)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def contest(name: str, seeds: int, share: float, rates: list[float], start: str) -> dict[str, np.ndarray]:
    """{way: errors (seeds,) over that of PCA} with the rate that the first seed's validation rows choose."""
    data = data_sets.load(name)
    first = Contest(data, share, 0, start)
    tried = {rate: first.run(rate) for rate in rates}
    best = {way: min(rates, key=lambda rate: tried[rate][way][0]) for way in WAYS}
    errors = {way: [tried[best[way]][way][1]] for way in WAYS}
    for seed in range(1, seeds):
        again = Contest(data, share, seed, start)
        found = {rate: again.run(rate) for rate in sorted(set(best.values()))}
        for way in WAYS:
            errors[way].append(found[best[way]][way][1])
    pca = pca_error(data, data.sizes()[-1])
    return {way: np.array(values) / pca for way, values in errors.items()}


def saved(pretrained: np.ndarray, random: np.ndarray) -> str:
    """The share of a random start's error that pretraining saves, in percent: mean and 95 % interval."""
    shares = 100 * (1 - pretrained / random)
    half = student.ppf(0.975, len(shares) - 1) * shares.std(ddof=1) / np.sqrt(len(shares))
    return f"{shares.mean():.0f} ± {half:.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=data_sets.SETS, default=list(data_sets.SETS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="at least 2")
    parser.add_argument("--share", type=float, default=0.5, help="of the usual epochs")
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-3, 3e-3, 1e-2])
    parser.add_argument(
        "--start", choices=("principal", "random"), default="principal", help="of the units that are pretrained"
    )
    options = parser.parse_args()
    print("| data | " + " | ".join(WAYS) + " | saved, equal updates | saved, equal time |")
    print("|" + "---|" * (len(WAYS) + 3))
    for name in options.sets:
        errors = contest(name, options.seeds, options.share, options.rates, options.start)
        cells = [f"{e.mean():.3f} ({e.min():.3f} to {e.max():.3f})" for e in errors.values()]
        pretrained, *random = errors.values()
        print(f"| {name} | " + " | ".join([*cells, *(saved(pretrained, other) for other in random)]) + " |", flush=True)


if __name__ == "__main__":
    main()
