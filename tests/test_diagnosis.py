"""What phases came to: findings of sick runs, none of healthy ones, and a loss that explodes only where it does."""

import logging

import numpy as np
import pytest

from stacked import RBM, Autoencoder, DivergedError, StackedAutoencoder, StackedClassifier
from stacked.comparison import at_the_end, compared, verdict
from stacked.data import ArrayRows, summarize
from stacked.training.guard import LEAST, LossGuard, careless_loss

LONG = {"epochs": 20, "batch_size": 20, "random_state": 0}
ADAM = {"output": "linear", "optimizer": "adam", "learning_rate": 1e-3, **LONG}


@pytest.fixture
def warned(caplog):
    """The warnings of training so far."""
    caplog.set_level(logging.WARNING, "stacked.training")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "stacked.training"]


def _one(lines, *words):
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1 and "\n" not in found[0], lines
    return found[0]


HEALTHY = {
    "RBMs": [RBM(32, **LONG), RBM(16, **LONG)],
    "sigmoid": [Autoencoder(32, **LONG), Autoencoder(16, **LONG)],
    "relu": [Autoencoder(32, activation="relu", **ADAM), Autoencoder(16, activation="linear", **ADAM)],
    "tanh": [Autoencoder(32, activation="tanh", **ADAM), Autoencoder(16, activation="tanh", **ADAM)],
    "denoising": [Autoencoder(32, corruption_level=0.2, **LONG)],
}


@pytest.mark.parametrize("name", HEALTHY)
def test_of_healthy_units_nothing_is_said(name, small, warned):
    StackedAutoencoder(HEALTHY[name], random_state=0).pretrain(small)
    assert warned() == []


@pytest.mark.parametrize("epochs", [0, 1])
def test_of_runs_that_have_only_begun_nothing_is_said(epochs, small, warned):
    short = {"epochs": epochs, "random_state": 0, "learning_rate": 1e-9}
    StackedAutoencoder([RBM(8, **short), RBM(4, **short)], finetune_epochs=epochs, random_state=0).fit(small)
    StackedClassifier([Autoencoder(8, **short)], finetune_epochs=epochs, random_state=0).fit(small, np.arange(300) % 3)
    Autoencoder(8, **short).fit(small[:5])
    assert warned() == []


def test_units_that_never_answer_are_counted(small, warned):
    unit = Autoencoder(32, activation="relu", output="linear", learning_rate=1e-4, **LONG)

    def kill(record):
        unit.network_.bias(0)[:24] = -1e3

    unit.fit(small, callback=kill)
    line = _one(warned(), "relu units never answer")
    dead = np.mean(~(unit.transform(small) > 0).any(axis=0))
    assert 0.75 <= dead < 1 and "lower learning_rate" in line
    assert line.startswith(f"unit 1 (Autoencoder, 64-32): {dead:.0%} of the 32 relu units never answer; ")


def test_saturated_units_are_named_with_a_remedy(small, warned):
    Autoencoder(8, learning_rate=3.0, **{**LONG, "epochs": 8}).fit(small)
    line = _one(warned(), "at the ends of the range of sigmoid")
    assert "lower learning_rate, or set optimizer='adam'" in line


def test_codes_and_reconstructions_that_do_not_vary(small, warned):
    unit = Autoencoder(8, output="linear", learning_rate=1e-6, **LONG)

    def still(record):
        unit.weight_[:] = 0

    unit.fit(small, callback=still)
    for words in ("100% of the codes do not vary", "reconstructions of all rows are alike"):
        assert "train longer: raise epochs, for it took 300 minibatches only" in _one(warned(), words)


def test_a_loss_that_did_not_fall(small, warned):
    unit = Autoencoder(8, learning_rate=1e-4, **{**LONG, "epochs": 8})

    def worsen(record):
        unit.visible_bias_[:] += 0.5

    unit.fit(small, callback=worsen)
    assert "lower learning_rate" in _one(warned(), "the loss did not fall")


def test_persistent_chains_may_raise_the_loss(small, warned):
    RBM(8, persistent=True, learning_rate=[(0, 0.01), (1, 0.2)], epochs=8, batch_size=20, random_state=0).fit(small)
    assert not any("did not fall" in line for line in warned())


def test_finetuning_is_diagnosed_under_its_own_settings(small, warned):
    model = StackedAutoencoder([Autoencoder(16, **LONG)], finetune_epochs=8, finetune_batch_size=20, random_state=0)
    model.set_params(finetune_optimizer="momentum", finetune_learning_rate=3.0)
    model.fit(small)
    line = _one(warned(), "fine-tuning", "at the ends")
    assert "lower finetune_learning_rate, or set finetune_optimizer='adam'" in line


# --- against a constant answer and PCA ---------------------------------------------------------------------------------------


def test_a_comparison_is_by_hand(small):
    model = StackedAutoencoder([Autoencoder(6, activation="linear", **ADAM)], finetune_epochs=5, random_state=0).fit(
        small[:200]
    )
    found = compared(model, ArrayRows(small[200:]), (1.0, 0.0))
    x, baseline = small[200:].astype(np.float64), model.baseline_
    centred = x - small[:200].astype(np.float64).mean(axis=0)
    assert found.constant == pytest.approx(np.square(centred).sum(axis=1).mean(), rel=1e-5)
    components = baseline.components[:6]
    rest = centred - centred @ components.T @ components
    assert found.pca == pytest.approx(np.square(rest).sum(axis=1).mean(), rel=1e-4)
    assert found.squared_error == pytest.approx(-model.score(small[200:]))
    assert found.n_components == 6


def test_the_end_of_training_looks_at_rows_held_out(small):
    model = StackedAutoencoder(
        [Autoencoder(6, **ADAM)], finetune_epochs=1, validation_fraction=0.1, random_state=0
    ).fit(small)
    assert at_the_end(model, ArrayRows(small), (1.0, 0.0))[1] == "30 rows held out"
    model.set_params(validation_fraction=0.0)
    assert at_the_end(model, ArrayRows(small), (1.0, 0.0))[1] == "300 training rows"


def test_worse_than_pca_is_said_of_what_is_fine_tuned(small, warned):
    units = [RBM(16, learning_rate=1e-3, **{**LONG, "epochs": 4})]
    model = StackedAutoencoder(
        units, finetune_epochs=10, finetune_learning_rate=1e-5, finetune_batch_size=20, random_state=0
    )
    model.pretrain(small)
    assert not any("PCA" in line for line in warned())
    model.finetune(small)
    assert "train longer" in _one(warned(), "StackedAutoencoder: its squared error of", "components (")


def test_a_code_as_wide_as_the_data_is_not_compared_with_pca(small, warned):
    unit = Autoencoder(64, activation="relu", **ADAM).fit(small)
    found = compared(unit, ArrayRows(small), (1.0, 0.0))
    assert found.pca is None and found.worse_than == [] and verdict(unit, found) is None


def test_verdicts_name_what_is_better(small):
    model = StackedAutoencoder([RBM(8, epochs=0)], finetune_epochs=0, random_state=0).pretrain(small)
    found = compared(model, ArrayRows(small), (1.0, 0.0))._replace(squared_error=50.0)
    assert found.worse_than == ["constant", "pca"]
    assert verdict(model, found).endswith(": fine-tune the whole network")
    assert verdict(model, found._replace(squared_error=found.pca, constant=99.0)) is None


# --- the guard ---------------------------------------------------------------------------------------------------------------


def _nearly_constant(middle, deviation, n_columns=20):
    return (middle + deviation * np.random.default_rng(0).normal(size=(200, n_columns))).astype(np.float32)


NEARLY_CONSTANT = {
    "RBM": (RBM(50, learning_rate=0.1, **LONG), _nearly_constant(0.5, 1e-5)),
    "Gaussian RBM": (RBM(200, visible="gaussian", learning_rate=1e-3, **LONG), _nearly_constant(0.0, 1e-5)),
    "sigmoid": (Autoencoder(50, corruption_level=0.3, learning_rate=0.1, **LONG), _nearly_constant(0.5, 1e-5)),
    "linear": (Autoencoder(50, activation="relu", **ADAM), _nearly_constant(2.0, 1e-6)),
}


@pytest.mark.parametrize("name", NEARLY_CONSTANT)
def test_rows_that_hardly_vary_do_not_explode(name):
    unit, rows = NEARLY_CONSTANT[name]
    unit.fit(rows)
    assert np.isfinite(unit.network_.params).all()


def test_what_explodes_is_caught_on_such_rows_too():
    with pytest.raises(DivergedError, match=r"exploded|became"):
        Autoencoder(50, activation="relu", output="linear", **{**LONG, "learning_rate": 5.0}).fit(
            _nearly_constant(2.0, 1e-6)
        )


def test_a_careless_answer_errs_by_the_size_of_the_data():
    data, scaled = summarize(ArrayRows(np.array([[1.0, 3.0], [5.0, 3.0]]))), (0.5, 0.0)
    assert careless_loss("squared_error", data, scaled, False) == pytest.approx(0.25 * (1 + 9 + 25 + 9) / 4 * 2)
    assert careless_loss("cross_entropy", data, scaled, True) == pytest.approx(2 * np.log(2))
    assert careless_loss("softmax_cross_entropy", data, scaled, True) == 0
    tiny = summarize(ArrayRows(np.array([[1e-6, 0.0], [0.0, 0.0]])))
    assert careless_loss("squared_error", tiny, scaled, False) == pytest.approx(2 * LEAST)
    assert careless_loss("squared_error", tiny, scaled, True) == pytest.approx(2 * 0.25)


def test_the_guard_takes_the_largest_of_three_levels():
    for levels in ((1.0, 2.0, 3.0), (1.0, 3.0, 2.0), (3.0, 2.0, 1.0)):
        trivial, reference, careless = levels
        guard = LossGuard("unit 0", "lower it", trivial, False, reference, careless)
        guard.check(30.0, 0)
        with pytest.raises(DivergedError, match="exploded from"):
            guard.check(30.1, 0)
