"""What is measured of sequences that end early: of each row that which is there, whatever the other rows and the padding are."""

import json

import numpy as np
import pytest

from stacked import DataError, RecurrentAutoencoder, SequenceAutoencoder, StackedAutoencoder, load
from stacked.corruption import repair
from stacked.metrics import anomaly_metrics, comparison_metrics, reconstruction_metrics, symbol_metrics
from stacked.sparsity import code_sparsity

from .test_cli_boundary import refused, run_well
from .test_recurrent_units import N_STEPS, WIDTH, ragged, waves

SHORT = {"epochs": 2, "batch_size": 20, "random_state": 0}
MODELS = {
    "code": lambda: SequenceAutoencoder(5, **SHORT),
    "forced": lambda: SequenceAutoencoder(5, forcing=True, **SHORT),
    "states": lambda: RecurrentAutoencoder(4, **SHORT),
    "states, code": lambda: stack(RecurrentAutoencoder(4, epochs=1), SequenceAutoencoder(3, output="tanh", epochs=1)),
    "states, states": lambda: stack(
        RecurrentAutoencoder(4, epochs=1), RecurrentAutoencoder(3, output="tanh", epochs=1)
    ),
}
LONGEST = 7  # steps of the rows that are looked at; those of training have two more


def stack(*units):
    return StackedAutoencoder(list(units), finetune_epochs=1, random_state=0)


def short_rows():
    """Sequences (60, 9, 2), of which none has the last two steps, and which values are there."""
    x = ragged(60, 5)[0]
    x[:, LONGEST:] = np.nan
    return x, ~np.isnan(x)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]().fit(ragged()[0])


def forced(model):
    return model.target_ is not None


def test_errors_are_those_of_the_values_that_are_there(model):
    x, there = short_rows()
    found = reconstruction_metrics(model, x)
    alone = [reconstruction_metrics(model, x[row : row + 1]) for row in range(len(x))]
    for name in ("squared_error", "cross_entropy"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in alone]), rel=1e-6)
    assert found["rmse"] == pytest.approx(np.sqrt(found["squared_error"] * len(x) / there.sum()))
    if not forced(model):
        apart = (model.reconstruct(x).reshape(x.shape) - x)[there]
        assert found["squared_error"] == pytest.approx(np.square(apart).sum() / len(x), rel=1e-4)
        assert found["rmse"] == pytest.approx(np.sqrt(np.square(apart).mean()), rel=1e-4)


def test_padding_changes_nothing(model):
    x, _ = short_rows()
    alone = [row[~np.isnan(row[:, 0])] for row in x]
    for measure in (reconstruction_metrics, comparison_metrics, code_sparsity):
        assert measure(model, x) == measure(model, x[:, :LONGEST]) == measure(model, alone)
    np.testing.assert_array_equal(model.score_samples(x[:, :LONGEST]), model.score_samples(x))


def test_shares_of_symbols_are_of_the_steps_that_are_there():
    x = np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(3, size=(40, 6))]
    x[::2, 3:] = np.nan
    aim = x[:, ::-1].copy()
    aim[::2] = x[::2]
    for form in ({}, {"target": aim}):
        model = SequenceAutoencoder(6, forcing=True, **SHORT).fit(x, **form)
        found = symbol_metrics(model, x, **form)
        alone = [
            symbol_metrics(model, x[row : row + 1], **{k: v[row : row + 1] for k, v in form.items()})
            for row in range(40)
        ]
        weights = (~np.isnan(form.get("target", x)[..., 0])).sum(axis=1)
        assert found["steps_right"] == pytest.approx(np.average([one["steps_right"] for one in alone], weights=weights))
        assert found["sequences_right"] == pytest.approx(np.mean([one["sequences_right"] for one in alone]))


def test_targets_that_end_early_count_as_far_as_they_go():
    x, aim = ragged()[0], waves(seed=4)[:, :4]
    aim[::2, 1:] = np.nan
    model = SequenceAutoencoder(5, output="linear", scaling="none", **SHORT).fit(x, target=aim)
    apart = (model.reconstruct(x).reshape(aim.shape) - aim)[~np.isnan(aim)]
    found = reconstruction_metrics(model, x, aim)
    assert found["rmse"] == pytest.approx(np.sqrt(np.square(apart).mean()), rel=1e-4) and found["n_features"] == 8


def test_codes_of_steps_that_are_not_there_are_none(model):
    x, _ = short_rows()
    codes = model.transform(x).astype(np.float64)
    known = codes[:, ~np.isnan(codes).all(axis=0)]
    assert np.isnan(codes).any() == (codes.shape[1] % N_STEPS == 0)
    n, size = (~np.isnan(known)).sum(axis=0), np.abs(known)
    answers = size > 0.1
    alive = answers.any(axis=0) & (n > 1)
    ratio = np.square(np.nanmean(size, axis=0)) / np.nanmean(np.square(known), axis=0)
    found = code_sparsity(model, x)
    assert (found["units"], found["dead_units"]) == (known.shape[1], (~answers.any(axis=0)).sum())
    assert found["active"] == pytest.approx(answers.sum() / n.sum())
    assert found["lifetime_sparseness"] == pytest.approx(((1 - ratio) / (1 - 1 / n))[alive].mean(), rel=1e-6)
    means = np.quantile(np.nanmean(known, axis=0), [0.25, 0.5, 0.75])
    assert found["mean_activation"] == pytest.approx(means.tolist(), rel=1e-6)


def test_the_constant_answer_is_the_mean_of_what_is_there(model):
    (x, there), train = short_rows(), ragged()[0]
    found = comparison_metrics(model, x)
    if forced(model):
        assert found["constant_squared_error"] is None
        return
    np.testing.assert_allclose(model.baseline_.mean, np.nanmean(train, axis=0).ravel(), rtol=1e-5)
    apart = np.square(x - np.nanmean(train, axis=0))[there].sum() / len(x)
    assert found["constant_squared_error"] == pytest.approx(apart, rel=1e-5)
    assert found["pca_squared_error"] is None and found["pca_components"] is None
    worse = reconstruction_metrics(model, x)["squared_error"] > apart
    assert found["worse_than"] == (["constant"] if worse else [])


def test_a_model_of_whole_sequences_is_held_against_the_constant_answer_alone():
    x, there = short_rows()
    found = comparison_metrics(SequenceAutoencoder(5, **SHORT).fit(waves()), x)
    apart = np.square(x - waves().mean(axis=0))[there].sum() / len(x)
    assert found["constant_squared_error"] == pytest.approx(apart, rel=1e-4)
    assert found["pca_squared_error"] is None and found["pca_components"] is None


def test_a_row_s_score_is_that_of_the_row_alone(model):
    x, whole = short_rows()[0], waves(5, 6)
    found = model.score_samples(np.concatenate([x, whole]))
    np.testing.assert_array_equal(found[:60:7], [model.score_samples(x[row : row + 1])[0] for row in range(0, 60, 7)])
    np.testing.assert_array_equal(found[60:], model.score_samples(whole))


def test_no_row_is_strange_for_its_length(model):
    (x, there), errors = short_rows(), np.empty(60)
    apart = np.where(there, model.reconstruct(x).reshape(x.shape) - x, 0).astype(np.float64)
    errors = np.square(apart).sum(axis=(1, 2)) * N_STEPS * WIDTH / there.sum(axis=(1, 2))
    if forced(model):
        np.testing.assert_allclose(-model.score_samples(x), errors, rtol=1e-4)
        return
    assert model.baseline_.distances.shape == (1, 3) and model.baseline_.neighbours is None
    usual, mean, std = model.baseline_.distances[0]
    np.testing.assert_allclose(-model.score_samples(x), (np.log(errors / usual + 1e-3) - mean) / std, atol=1e-3)
    assert (-model.score_samples(ragged()[0])).mean() == pytest.approx(0, abs=1e-6)


def test_scores_are_kept_in_a_file(model, tmp_path):
    x = short_rows()[0]
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.score_samples(x), model.score_samples(x))
    assert comparison_metrics(again, x) == comparison_metrics(model, x)


def test_scores_of_whole_sequences_are_not_for_others():
    model = RecurrentAutoencoder(4, **SHORT).fit(waves())
    x = np.concatenate([waves(3), short_rows()[0][:3]])
    assert np.isfinite(model.score_samples(x[:3])).all()
    with pytest.raises(DataError, match=r"for anomaly scores; row 3 ends early; train on such sequences, too$"):
        model.score_samples(x)


@pytest.mark.parametrize("kind", ["masking", "gaussian", "salt_and_pepper", "blocks"])
def test_noise_does_not_lengthen_a_sequence(model, kind):
    x, there = short_rows()
    found = repair(model, x, kind, 0.3, 0)
    again = np.asarray(found[0]).reshape(x.shape)
    np.testing.assert_array_equal(~np.isnan(again), there)
    assert found[1] > 0 and found[2] == pytest.approx(np.square((again - x)[there]).sum() / len(x), rel=1e-4)


def test_evaluate_and_score_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, there = short_rows()
    np.save("train.npy", ragged()[0])
    np.save("x.npy", x)
    np.save("labels.npy", np.arange(60) % 2)
    run_well("pretrain", "train.npy", "-o", "model.h5", "--layers", "g4-G3", "--epochs", "1", "--seed", "0", "--quiet")
    found = json.loads(run_well("evaluate", "model.h5", "x.npy", "--labels", "labels.npy", "--json").stdout)
    model = load("model.h5")
    assert found["rmse"] == pytest.approx(np.sqrt(found["squared_error"] * 60 / there.sum()))
    assert found["constant_squared_error"] > 0 and found["pca_squared_error"] is None
    assert found["anomaly"] == anomaly_metrics(model, x, np.arange(60) % 2)
    assert found["code"] == code_sparsity(model, x)
    assert "by a constant answer" in run_well("evaluate", "model.h5", "x.npy").stdout
    run_well("score", "model.h5", "train.npy", "-o", "scores.npy", "--flag", "--quantile", "0.9")
    assert np.load("scores.npy")[:, 1].sum() == pytest.approx(12, abs=1)
    np.save("whole.npy", waves())
    run_well("pretrain", "whole.npy", "-o", "whole.h5", "--layers", "g4", "--epochs", "1", "--seed", "0", "--quiet")
    assert "x.npy: expected sequences that go on to the last step" in refused(
        "score", "whole.h5", "x.npy", "-o", "s.npy"
    )


@pytest.mark.parametrize("layers", ["G6", "g6", "g6-G5-4"])
def test_training_on_ragged_rows_ends_with_a_comparison(layers, tmp_path):
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.standard_normal((60, 7, 2)), axis=1)
    x[np.arange(7) >= rng.integers(2, 8, 60)[:, None]] = np.nan
    np.save(tmp_path / "x.npy", x)
    said = run_well(
        "pretrain", tmp_path / "x.npy", "-o", tmp_path / "m.h5", "--layers", layers, "--epochs", "25", "--seed", "0"
    )
    assert "squared error of" in said.output
    assert StackedAutoencoder(layers.split("-"), finetune_epochs=3, random_state=0).fit(x).transform(x).shape[0] == 60
