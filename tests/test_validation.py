"""Validation rows: never trained on, the same in every phase, and what the validation loss is the mean over."""

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, StackedClassifier, network
from stacked.training.feed import split_rows
from stacked.training.trainees import DenseTrainee, RBMTrainee

N_ROWS, FRACTION, SEED = 90, 0.2, 5
SHORT = {"epochs": 2, "batch_size": 20}
HELD = {"validation_fraction": FRACTION, "random_state": SEED}


@pytest.fixture
def x():
    """(90, 12) float32 in [0, 1]."""
    return np.random.default_rng(0).random((N_ROWS, 12), np.float32)


@pytest.fixture
def y():
    """(90,) labels 3, 5 or 9, in no order."""
    return np.array([3, 5, 9])[np.random.default_rng(1).integers(0, 3, N_ROWS)]


@pytest.fixture
def trained(monkeypatch):
    """(number of the trainee, epoch, row numbers) of everything that is trained on."""
    seen, known = [], []  # trainees are kept: another could have the address of one that is gone
    for kind in (RBMTrainee, DenseTrainee):

        def train(self, window, rows, batch_size, epoch, *rest, original=kind.train):
            if len(window.row_ids):
                if not any(self is other for other in known):
                    known.append(self)
                number = next(n for n, other in enumerate(known) if self is other)
                seen.append((number, epoch, window.row_ids[rows]))
            return original(self, window, rows, batch_size, epoch, *rest)

        monkeypatch.setattr(kind, "train", train)
    return seen


def _units():
    return [RBM(6, **SHORT), Autoencoder(4, corruption_level=0.3, **SHORT)]


def _deep(**settings):
    return StackedAutoencoder(_units(), finetune_epochs=2, finetune_batch_size=20, **HELD, **settings)


def _classifier():
    return StackedClassifier(_units(), finetune_epochs=2, finetune_batch_size=20, **HELD)


MODELS = {
    "rbm": (lambda x, y: RBM(6, **SHORT, **HELD).fit(x), 1),
    "autoencoder": (lambda x, y: Autoencoder(6, **SHORT, **HELD).fit(x), 1),
    "line searches": (lambda x, y: Autoencoder(6, optimizer="cg", **SHORT, **HELD).fit(x), 1),
    "stack": (lambda x, y: _deep().fit(x), 3),
    "unpretrained": (lambda x, y: _deep().finetune(x), 1),
    "classifier": (lambda x, y: _classifier().fit(x, y), 3),
    "stack, then classifier": (lambda x, y: StackedClassifier.on(_deep().fit(x), finetune_epochs=2).finetune(x, y), 4),
    "another seed after pretraining": (lambda x, y: _deep().pretrain(x).set_params(random_state=1).finetune(x), 3),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_phase_trains_on_all_rows_but_the_same_held_out_ones(name, x, y, trained):
    make, phases = MODELS[name]
    make(x, y)
    training, validation = split_rows(N_ROWS, FRACTION, SEED)
    assert len(validation) == 18
    passes = {}
    for trainee, epoch, ids in trained:
        passes.setdefault((trainee, epoch), []).append(ids)
    assert len(passes) == 2 * phases
    for ids in passes.values():
        np.testing.assert_array_equal(np.sort(np.concatenate(ids)), training)


def _squared(x, r):
    return ((x.astype(np.float64) - r) ** 2).sum(1).mean()


def _entropy(x, r):
    x, r = x.astype(np.float64), r.astype(np.float64)
    return -(x * np.log(r) + (1 - x) * np.log1p(-r)).sum(1).mean()


def _best(history, *start, **of):
    losses = [r.validation_loss for r in history if all(getattr(r, name) == value for name, value in of.items())]
    assert len(losses) == 2
    return pytest.approx(min(*losses, *start), rel=1e-5)


@pytest.fixture
def held(monkeypatch):
    """The validation rows' numbers, of a table that is read in blocks of seven rows."""
    monkeypatch.setattr(network, "BLOCK_ROWS", 7)
    return split_rows(N_ROWS, FRACTION, SEED)[1]


@pytest.mark.parametrize(
    ("unit", "loss"),
    [
        (RBM(6), _squared),
        (RBM(6, visible="gaussian", learning_rate=0.01), _squared),
        (Autoencoder(6, corruption_level=0.5), _entropy),
        (Autoencoder(6, loss="squared_error"), _squared),
        (Autoencoder(6, output="linear", optimizer="lbfgs"), _squared),
    ],
)
def test_the_validation_loss_of_a_unit_is_the_mean_over_clean_validation_rows(unit, loss, x, held):
    unit.set_params(**SHORT, **HELD).fit(x)
    assert loss(x[held], unit.reconstruct(x[held])) == _best(unit.history_)
    others = np.setdiff1d(np.arange(N_ROWS), held)
    assert loss(x[others], unit.reconstruct(x[others])) != _best(unit.history_)


def test_the_validation_loss_of_images_is_in_scaled_units(x, held):
    images = (255 * x).astype(np.uint8)
    unit = RBM(6, **SHORT, **HELD).fit(images)
    assert -unit.score(images[held]) == _best(unit.history_)


def test_the_validation_losses_of_a_stack(x, held):
    deep = _deep().pretrain(x)
    lower, upper = deep.units_
    codes = lower.transform(x)
    assert _squared(x[held], lower.reconstruct(x[held])) == _best(deep.history_, unit=0)
    assert _entropy(codes[held], upper.reconstruct(codes[held])) == _best(deep.history_, unit=1)
    before = _entropy(x[held], deep.reconstruct(x[held]))
    deep.finetune(x)
    assert _entropy(x[held], deep.reconstruct(x[held])) == _best(deep.history_, before, phase="finetune")
    squared = _deep(finetune_loss="squared_error").pretrain(x)
    before = _squared(x[held], squared.reconstruct(x[held]))
    squared.finetune(x)
    assert _squared(x[held], squared.reconstruct(x[held])) == _best(squared.history_, before, phase="finetune")


def test_the_validation_loss_of_a_classifier_takes_each_rows_own_label(x, y, held):
    clf = _classifier().fit(x, y)
    right = np.searchsorted([3, 5, 9], y)
    of_right = clf.predict_proba(x)[np.arange(N_ROWS), right].astype(np.float64)
    assert -np.log(of_right[held]).mean() == _best(clf.history_, phase="finetune")
