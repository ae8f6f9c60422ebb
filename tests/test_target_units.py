"""Units that are trained towards targets, or told what came before: fitted, kept in files, resumed, streamed, and mistakes."""

import json

import h5py
import numpy as np
import pytest

from stacked import (
    Autoencoder,
    DataError,
    SequenceAutoencoder,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    load,
)
from stacked.data import H5Rows, open_data
from stacked.data.builtin_sequences import SYMBOL_NUMBERS, symbols
from stacked.metrics import reconstruction_metrics, symbol_metrics
from stacked.training import feed
from stacked.training.checkpoint import Checkpointer, load_checkpoint

from .test_cli_boundary import misused, refused, run_well

N, STEPS, OUT_STEPS = 60, 6, 4
RNG = np.random.default_rng(0)
X = RNG.random((N, STEPS, 3)).astype(np.float32)
RAGGED = X.copy()
RAGGED[::3, 4:] = np.nan
Y = (20 * RNG.random((N, OUT_STEPS, 2)) - 5).astype(np.float32)
RAGGED_Y = Y.copy()
RAGGED_Y[1::2, 2:] = np.nan
SYMBOLS = symbols(np.random.default_rng(1).random((N, SYMBOL_NUMBERS)))
SETTINGS = {"epochs": 2, "random_state": 0, "batch_size": 16, "output": "linear"}


def reversed_in_time(x):
    """Each sequence from its end to its beginning, NaN after it."""
    lengths = (~np.isnan(x[..., 0])).sum(axis=1)
    out = np.full_like(x, np.nan)
    for row, length in enumerate(lengths):
        out[row, :length] = x[row, :length][::-1]
    return out


def unit(forcing=False, **more):
    return SequenceAutoencoder(5, forcing=forcing, **{**SETTINGS, **more})


# ---- fitted ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("forcing", [False, True])
@pytest.mark.parametrize("target", [Y, RAGGED_Y])
def test_a_unit_learns_to_answer_with_targets_in_their_own_units(target, forcing, precision):
    model = unit(forcing, precision=precision, epochs=30, learning_rate=0.03, validation_fraction=0.2).fit(
        RAGGED, target=target
    )
    assert model.history_[-1].loss < 0.95 * model.history_[0].loss
    assert model.history_[-1].validation_loss is not None
    answers = model.reconstruct(RAGGED)
    assert answers.shape == (N, OUT_STEPS * 2) and np.isfinite(answers).all()
    assert abs(answers.mean() - np.nanmean(target)) < 3  # in raw units, of which the deviation is 6
    assert model.transform(RAGGED).shape == (N, 5)
    np.testing.assert_array_equal(model.inverse_transform(model.transform(RAGGED)), answers)
    found = reconstruction_metrics(model, RAGGED, target)
    assert found["n_features"] == OUT_STEPS * 2 and found["squared_error"] == -model.score(RAGGED, target=target)
    assert found["cross_entropy"] is None and symbol_metrics(model, RAGGED, target) == {}


def test_losses_of_targets_are_in_scaled_units():
    model = unit(scaling="standard").fit(X, target=Y)
    assert 0.5 < -model.score(X, target=Y) / (OUT_STEPS * 2) < 1.5
    np.testing.assert_allclose(model.score(X, target=Y), model.score(X, target=Y.reshape(N, -1)))


@pytest.mark.parametrize("forcing", [False, True])
def test_answers_to_copies_end_with_the_input(forcing):
    model = unit(forcing).fit(RAGGED)
    answers = model.reconstruct(RAGGED).reshape(RAGGED.shape)
    np.testing.assert_array_equal(np.isnan(answers), np.isnan(RAGGED))
    assert model.history_[-1].loss < model.history_[0].loss


@pytest.mark.parametrize("reverse", [False, True])
def test_symbols_are_answered_as_symbols_where_answers_are_fed_back(reverse):
    model = unit(True, reverse=reverse, output="sigmoid").fit(SYMBOLS)
    answers = model.reconstruct(SYMBOLS).reshape(SYMBOLS.shape)
    there = ~np.isnan(SYMBOLS[..., 0])
    assert (np.sort(answers[there], axis=1) == np.eye(8)[7]).all() and np.isnan(answers[~there]).all()
    found = symbol_metrics(model, SYMBOLS)
    right = answers.argmax(axis=2) == np.nan_to_num(SYMBOLS).argmax(axis=2)
    assert found == {"steps_right": right[there].mean(), "sequences_right": (right | ~there).all(axis=1).mean()}
    assert 0.05 < found["steps_right"] < 0.5


def test_symbols_of_targets_are_counted_on_the_steps_that_are_there():
    aim = reversed_in_time(SYMBOLS)
    model = unit(output="sigmoid").fit(SYMBOLS, target=aim)
    answers = model.reconstruct(SYMBOLS).reshape(SYMBOLS.shape)
    assert np.isfinite(answers).all()  # nothing tells where a target ends
    there = ~np.isnan(aim[..., 0])
    expected = (answers.argmax(axis=2) == np.nan_to_num(aim).argmax(axis=2))[there].mean()
    assert symbol_metrics(model, SYMBOLS, aim)["steps_right"] == expected


def test_passes_come_to_the_bits_of_one_fit():
    whole = unit(True, epochs=3, learning_rate=0.01).fit(RAGGED, target=RAGGED_Y)
    parts = unit(True, epochs=3, learning_rate=0.01)
    for _ in range(3):
        parts.partial_fit(RAGGED, target=RAGGED_Y)
    assert parts.network_.params.tobytes() == whole.network_.params.tobytes()


def test_a_fit_without_targets_forgets_those_of_the_last():
    model = unit().fit(X, target=Y)
    assert model.reconstruct(X).shape == (N, OUT_STEPS * 2)
    assert model.fit(X).reconstruct(X).shape == (N, STEPS * 3) and model.target_ is None


def test_a_stream_trains_to_the_bits_of_a_table_in_memory(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = np.tile(RAGGED, (60, 1, 1))
    monkeypatch.setattr(feed, "WINDOW_VALUES", 2000 * STEPS * 3)
    aim = np.tile(RAGGED_Y, (60, 1, 1))
    found = []
    for rows in (H5Rows(tmp_path / "x.h5", "/x"), np.tile(RAGGED, (60, 1, 1))):
        found.append(unit(True, epochs=1, validation_fraction=0.1).fit(rows, target=aim))
    assert found[0].network_.params.tobytes() == found[1].network_.params.tobytes()
    assert found[0].history_[0].loss == found[1].history_[0].loss


# ---- kept and resumed ------------------------------------------------------------------------------------------------

MODELS = {
    "target": lambda: unit().fit(RAGGED, target=RAGGED_Y),
    "told targets": lambda: unit(True, scaling="standard").fit(X, target=Y),
    "told the input": lambda: unit(True, cell="lstm").fit(RAGGED),
    "told symbols": lambda: unit(True, output="sigmoid").fit(SYMBOLS),
    "in a stack": lambda: StackedAutoencoder([unit(True)], random_state=0).pretrain(X, target=Y),
    "symbols in a stack": lambda: StackedAutoencoder([unit(True, output="sigmoid")], random_state=0).pretrain(SYMBOLS),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_survive_in_a_file(name, tmp_path):
    model, x = MODELS[name](), SYMBOLS if "symbols" in name else RAGGED if name in ("target", "told the input") else X
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.reconstruct(x), model.reconstruct(x))
    assert again.target_ == model.target_ and again.network_.layers == model.network_.layers
    again.save(tmp_path / "again.h5")
    assert load(tmp_path / "again.h5").target_ == model.target_
    with h5py.File(tmp_path / "model.h5") as file:
        assert ("target" in file) == (name in ("target", "told targets", "in a stack"))
        if "target" in file:
            assert set(file["target"]) == {"scale", "offset", "log", "constant"}
            assert tuple(file["target"].attrs["sample_shape"]) == (OUT_STEPS, 2)


@pytest.mark.parametrize("form", [{"target": RAGGED_Y}, {}])
def test_a_resumed_run_ends_with_the_same_bits(form, tmp_path):
    def stack():
        return StackedAutoencoder([unit(True, epochs=4)], random_state=0)

    def stop(record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    whole, path = stack().pretrain(RAGGED, **form), tmp_path / "model.h5"
    with pytest.raises(KeyboardInterrupt):
        stack().pretrain(RAGGED, **form, callback=stop, checkpoint=Checkpointer(path, 0))
    unfinished = load_checkpoint(path)
    unfinished.model.pretrain(RAGGED, **form, resume=unfinished.resume)
    assert unfinished.model.network_.params.tobytes() == whole.network_.params.tobytes()
    assert [record.loss for record in unfinished.model.history_] == [record.loss for record in whole.history_]


def test_a_told_stack_is_fine_tuned_and_makes_a_classifier():
    stack = StackedAutoencoder([unit(True)], random_state=0, finetune_epochs=2).pretrain(RAGGED)
    before = -stack.score(RAGGED)
    assert -stack.finetune(RAGGED).score(RAGGED) < before
    classifier = StackedClassifier([unit(True)], random_state=0, finetune_epochs=1).fit(RAGGED, np.arange(N) % 2)
    assert classifier.predict(RAGGED).shape == (N,)


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Y[:-1], "expected 60 targets, one for each row of <array>, found 59"),
        (np.where(np.arange(OUT_STEPS)[:, None] == 1, np.nan, Y), "row 0, step 1, column 0"),
        (np.full_like(Y, np.nan), "row 0: expected a step or more, found nothing but NaN"),
        (np.zeros_like(Y), "every value is 0; constant data cannot be learnt"),
        (Y[..., None], "expected sequences, samples"),
    ],
)
def test_targets_that_are_none(target, message):
    model = unit().fit(X)
    before = model.network_.params.copy()
    with pytest.raises(DataError, match=message):
        model.fit(X, target=target)
    np.testing.assert_array_equal(model.network_.params, before)
    assert model.target_ is None


def test_targets_beyond_the_range_of_the_outputs():
    with pytest.raises(DataError, match="<target>"):
        unit(output="sigmoid", scaling="none").fit(X, target=Y)


def test_targets_that_are_read_by_blocks(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["y"] = Y
    with pytest.raises(DataError, match="expected targets that are held in memory"):
        unit().fit(X, target=H5Rows(tmp_path / "y.h5", "/y"))


def test_units_that_take_no_targets():
    with pytest.raises(
        SettingError, match=r"target: expected a unit that can answer .* found Autoencoder; leave it out"
    ):
        Autoencoder(3, epochs=1).fit(X.reshape(N, -1), target=Y)
    with pytest.raises(
        SettingError, match=r"target: expected a unit that can answer .* found Autoencoder; leave it out"
    ):
        StackedAutoencoder([Autoencoder(3, epochs=1)]).pretrain(X.reshape(N, -1), target=Y)
    with pytest.raises(
        SettingError, match="target: expected one unit of an autoencoder, found 1 of a stacked_classifier"
    ):
        StackedClassifier([unit()]).pretrain(X, target=Y)


def test_settings_that_do_not_go_with_targets():
    with pytest.raises(SettingError, match="emphasis: expected none with targets"):
        unit(corruption_level=0.1, emphasis=(1.0, 0.5)).fit(X, target=Y)
    with pytest.raises(SettingError, match=r"forcing: expected one unit, .* found 2"):
        StackedAutoencoder([Autoencoder(8), unit(True)]).pretrain(X.reshape(N, -1))


def test_models_are_asked_for_what_they_were_trained_for():
    own, other = unit().fit(X), unit().fit(X, target=Y)
    for call in (own.score, own.partial_fit):
        with pytest.raises(SettingError, match="target: expected none, for the model answers with its input"):
            call(X, target=Y)
    for call in (other.score, other.partial_fit):
        with pytest.raises(
            SettingError, match=r"target: expected what the rows should be answered with, .* found none"
        ):
            call(X)
    with pytest.raises(DataError, match="expected sequences of 2 numbers a step as in the training, found 3"):
        other.score(X, target=X)
    with pytest.raises(DataError, match="expected 60 targets"):
        other.score(X, target=Y[:3])
    with pytest.raises(SettingError, match="expected one that answers with its input, for anomaly scores"):
        other.score_samples(X)
    stack = StackedAutoencoder([unit()], random_state=0).pretrain(X, target=Y)
    with pytest.raises(SettingError, match="model: expected a stack that answers with its input, as fine-tuning does"):
        stack.finetune(X)


# ---- on the command line ---------------------------------------------------------------------------------------------

PRETRAIN = ("pretrain", "x.npy", "-o", "model.h5", "--layers", "G5", "--epochs", "2", "--seed", "0", "--forcing")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, table in (("x", SYMBOLS), ("y", reversed_in_time(SYMBOLS)), ("other", SYMBOLS[::-1])):
        np.save(f"{name}.npy", table)
    return tmp_path


def test_pretrain_evaluate_and_reconstruct_with_targets(home):
    told = run_well(*PRETRAIN, "--target", "y.npy").stderr
    assert "next: stacked evaluate model.h5 x.npy --target y.npy" in told
    report = json.loads(run_well("evaluate", "model.h5", "x.npy", "--target", "y.npy", "--json").stdout)
    model = load("model.h5")
    expected = symbol_metrics(model, SYMBOLS, reversed_in_time(SYMBOLS))
    assert {name: report[name] for name in expected} == expected and report["n_features"] == 240
    assert report["squared_error"] == pytest.approx(-model.score(SYMBOLS, target=reversed_in_time(SYMBOLS)))
    lines = run_well("evaluate", "model.h5", "x.npy", "--target", "y.npy").stdout
    assert f"symbols right  {expected['steps_right']:.2%} of the steps" in lines
    run_well("reconstruct", "model.h5", "x.npy", "-o", "out.npy")
    answers = np.load("out.npy")
    np.testing.assert_array_equal(answers.reshape(N, -1), model.reconstruct(SYMBOLS))
    assert set(np.unique(answers)) == {0, 1}
    assert "target      30 x 8 of float32" in run_well("info", "model.h5").stdout


def test_targets_are_noted_and_found_again(home, monkeypatch):
    def stop(record):
        raise KeyboardInterrupt

    from stacked.cli import run as cli_run

    rows, aim = open_data("x.npy"), open_data("y.npy")
    notes = cli_run.notes_of(rows, "x.npy", None, False) | cli_run.notes_of_target("y.npy", aim)
    assert notes["target"] == f"{home}/y.npy"
    stack = StackedAutoencoder([unit(True, output="sigmoid")], random_state=0)
    with pytest.raises(KeyboardInterrupt):
        stack.pretrain(rows, target=aim, callback=stop, checkpoint=Checkpointer("model.h5", 0, notes))
    message = refused("pretrain", "--resume", "model.h5", "--target", "other.npy")
    assert "targets of other.npy: these are not the data that model.h5 was training on" in message
    run_well("pretrain", "--resume", "model.h5")
    whole = StackedAutoencoder([unit(True, output="sigmoid")], random_state=0).pretrain(rows, target=aim)
    assert load("model.h5").network_.params.tobytes() == whole.network_.params.tobytes()


def test_mistakes_on_the_command_line(home):
    dense = ("pretrain", "x.npy", "-o", "m.h5", "--layers", "5", "--unit", "autoencoder", "--target", "y.npy")
    assert "--target: expected a unit that can answer" in misused(*dense)
    assert "found 2 of a" in misused("pretrain", "x.npy", "-o", "m.h5", "--layers", "g5-G4", "--target", "y.npy")
    np.save("few.npy", SYMBOLS[:5])
    assert "few.npy: expected 60 targets" in refused(*PRETRAIN, "--quiet", "--target", "few.npy")
    run_well(*PRETRAIN)
    assert "--target: expected none" in refused("evaluate", "model.h5", "x.npy", "--target", "y.npy")
