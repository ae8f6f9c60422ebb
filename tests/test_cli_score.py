"""`stacked score`, and what `evaluate` and the end of training say of a model beside answers that need none."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stacked import Autoencoder, StackedAutoencoder, StackedClassifier, load
from stacked.files import write_model
from stacked.models.saving import to_record

from .test_cli_boundary import misused, refused, run_well

ADAM = {"output": "linear", "optimizer": "adam", "learning_rate": 1e-3, "epochs": 10, "batch_size": 20}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Rows, as many strange ones, their labels, and models of the first."""
    path = tmp_path_factory.mktemp("score")
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(300, 8))).astype(np.float32)
    strange = 2 * rng.normal(size=(100, 8)).astype(np.float32)
    np.save(path / "x.npy", x)
    np.save(path / "both.npy", np.vstack([x[200:], strange]))
    np.save(path / "labels.npy", np.repeat([0, 1], 100))
    np.save(path / "classes.npy", (x[:, 0] > -1).astype(int))
    units = [Autoencoder(16, activation="relu", **ADAM), Autoencoder(2, activation="linear", **ADAM)]
    model = StackedAutoencoder(units, finetune_epochs=20, finetune_batch_size=20, scaling="none", random_state=0).fit(
        x[:200]
    )
    model.save(path / "m.h5")
    StackedAutoencoder(units, scaling="none", random_state=0).pretrain(x).save(path / "p.h5")
    few = {"finetune_epochs": 0, "random_state": 0}
    StackedClassifier([Autoencoder(4, **ADAM)], **few).fit(x, (x[:, 0] > -1).astype(int)).save(path / "c.h5")
    return path


def _bare(home):
    """The model without what it knows of its training rows."""
    write_model(home / "bare.h5", replace(to_record(load(home / "m.h5")), baseline=None))
    return home / "bare.h5"


def test_scores_are_written_a_row_a_line_higher_for_stranger_rows(home, tmp_path):
    lines = run_well("score", home / "m.h5", home / "both.npy").stdout.splitlines()
    scores = np.array([float(line) for line in lines])
    np.testing.assert_allclose(scores, -load(home / "m.h5").score_samples(np.load(home / "both.npy")))
    assert np.median(scores[100:]) > np.median(scores[:100]) + 3
    run_well("score", home / "m.h5", home / "both.npy", "-o", tmp_path / "s.npy")
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), scores)


@pytest.mark.parametrize(("given", "quantile"), [((), 0.99), (("--quantile", 0.5), 0.5)])
def test_flags_are_of_rows_beyond_the_quantile_of_the_training(home, tmp_path, given, quantile):
    run_well("score", home / "m.h5", home / "both.npy", "--flag", *given, "-o", tmp_path / "s.npy")
    found, kept = np.load(tmp_path / "s.npy"), load(home / "m.h5").baseline_.scores
    assert found.shape == (200, 2)
    np.testing.assert_array_equal(found[:, 1], found[:, 0] > kept[round(1000 * quantile)])
    assert found[100:, 1].mean() > 0.8


def test_every_kind_of_model_scores(home, tmp_path):
    run_well(
        "pretrain", home / "x.npy", "-o", tmp_path / "r.h5", "--layers", 4, "--scaling", "minmax", "--epochs", 1, "-q"
    )
    for model in (tmp_path / "r.h5", home / "c.h5", home / "p.h5"):
        run_well("score", model, home / "x.npy", "--flag", "-o", tmp_path / "s.npy")
        assert np.isfinite(np.load(tmp_path / "s.npy")).all()


def test_wrong_use(home):
    assert "--quantile: has no effect without --flag" in misused(
        "score", home / "m.h5", home / "x.npy", "--quantile", 0.9
    )
    assert "--quantile" in misused("score", home / "m.h5", home / "x.npy", "--flag", "--quantile", 1.5)
    assert "holds no scores of its training rows" in refused("score", _bare(home), home / "x.npy", "--flag")


# --- evaluate ----------------------------------------------------------------------------------------------------------------


def report(*args):
    return json.loads(run_well("evaluate", *args, "--json").stdout)


def test_evaluate_compares_with_a_constant_answer_and_pca(home):
    found = report(home / "m.h5", home / "x.npy")
    x = np.load(home / "x.npy").astype(np.float64)
    centred = x - x[:200].mean(axis=0)
    assert found["constant_squared_error"] == pytest.approx(np.square(centred).sum(axis=1).mean(), rel=1e-4)
    directions = np.linalg.svd(x[:200] - x[:200].mean(axis=0))[2][:2]
    rest = centred - centred @ directions.T @ directions
    assert found["pca_squared_error"] == pytest.approx(np.square(rest).sum(axis=1).mean(), rel=1e-3)
    assert found["pca_components"] == 2
    worse = [name for name in ("constant", "pca") if found["squared_error"] > found[f"{name}_squared_error"]]
    assert found["worse_than"] == worse == ["pca"]
    assert found["verdict"].startswith("worse than PCA with 2 components (")
    text = run_well("evaluate", home / "m.h5", home / "x.npy").stdout
    assert f"{found['constant_squared_error']:.5g} by a constant answer" in text and found["verdict"] in text


def test_a_stack_that_is_not_fine_tuned_is_to_be(home):
    assert report(home / "p.h5", home / "x.npy")["verdict"].endswith("fine-tune the whole network")


def test_of_a_model_that_does_not_know_its_rows_nothing_is_said(home):
    found = report(_bare(home), home / "x.npy")
    assert (found["constant_squared_error"], found["pca_squared_error"], found["worse_than"]) == (None, None, [])
    assert "constant" not in run_well("evaluate", home / "bare.h5", home / "x.npy").stdout


def test_labels_of_anomalies_judge_the_scores(home):
    found = report(home / "m.h5", home / "both.npy", "--labels", home / "labels.npy")["anomaly"]
    assert 0.9 < found["roc_auc"] <= 1 and 0.9 < found["average_precision"] <= 1 and found["anomalies"] == 100
    text = run_well("evaluate", home / "m.h5", home / "both.npy", "--labels", home / "labels.npy").stdout
    assert f"ROC AUC        {found['roc_auc']:.4f} of 100 anomalies; average precision" in text
    assert "anomaly" not in report(home / "m.h5", home / "both.npy")
    np.save(home / "other.npy", np.arange(200) % 3)
    line = refused("evaluate", home / "m.h5", home / "both.npy", "--labels", home / "other.npy")
    assert "expected labels 0 (usual) and 1 (anomaly)" in line


def test_a_classifier_is_compared_with_its_most_frequent_class(home):
    found = report(home / "c.h5", home / "x.npy", "--labels", home / "classes.npy")
    share = np.load(home / "classes.npy").mean()
    assert found["constant_accuracy"] == pytest.approx(max(share, 1 - share))
    assert found["accuracy"] <= found["constant_accuracy"] and found["worse_than"] == ["constant"]
    assert found["verdict"].startswith(f"no better than always answering {int(share > 0.5)} (")
    text = run_well("evaluate", home / "c.h5", home / "x.npy", "--labels", home / "classes.npy").stdout
    assert found["verdict"] in text and "always the most frequent class" in text


# --- the end of training -----------------------------------------------------------------------------------------------------


def test_training_ends_with_the_comparison_and_warnings_in_flags(home, tmp_path):
    rate = (
        "--unit",
        "autoencoder",
        "--learning-rate",
        3,
        "--epochs",
        8,
        "--batch-size",
        20,
        "--seed",
        0,
        "--threads",
        1,
    )
    result = run_well("pretrain", "digits", "-o", tmp_path / "m.h5", "--layers", "20-5", *rate)
    lines = result.stderr.splitlines()
    (told,) = _compared(result.stderr)
    assert "its squared error of" in told and "on 1,797 training rows is worse than a constant answer" in told
    saturated = [line for line in lines if "at the ends of the range" in line]
    assert saturated and "lower --learning-rate, or set --optimizer adam" in saturated[0]
    quiet = run_well("pretrain", "digits", "-o", tmp_path / "q.h5", "--layers", "20-5", *rate, "--quiet").stderr
    assert "at the ends of the range" in quiet and told in quiet.splitlines()


def _compared(stderr):
    return [line for line in stderr.splitlines() if "squared error of" in line and "constant answer" in line]


def test_training_ends_with_a_line_that_compares(tmp_path):
    flags = ("-o", tmp_path / "m.h5", "--layers", "20-5", "--epochs", 1, "--seed", 0)
    (line,) = _compared(run_well("pretrain", "digits", *flags).stderr)
    assert line.startswith("squared error of 1,797 training rows: ") and "by PCA with 5 components" in line
    assert line.partition("by PCA with 5 components ")[2].replace(".", "").isdecimal()
    assert "squared error" not in run_well("pretrain", "digits", *flags, "--force", "--quiet").stderr


@pytest.mark.parametrize(
    ("data", "layers", "epochs", "warned"),
    [
        ("digits", "20-5", 2, True),
        *(("symbols:200", layers, *run) for layers in ("G2", "g2") for run in ((1, False), (25, True))),
    ],
)
def test_what_is_worse_than_a_constant_answer_is_said_once_of_every_kind_of_model(
    data, layers, epochs, warned, tmp_path
):
    unit = ("--unit", "rbm") if layers == "20-5" else ()
    still = ("--epochs", epochs, "--learning-rate", 1e-9, "--force")
    run_well("pretrain", data, "-o", tmp_path / "m.h5", "--layers", layers, "--seed", 0, "-q", *unit, *still)
    said = run_well("finetune", tmp_path / "m.h5", data, "-o", tmp_path / "t.h5", "--batch-size", 100, *still).stderr
    (line,) = _compared(said)
    assert (
        line.count("worse than a constant answer") == 1 and "it has learnt nothing of these rows; train longer" in line
    )
    assert line.startswith("StackedAutoencoder: its squared error of" if warned else "squared error of")


@pytest.mark.parametrize(("epochs", "start"), [(1, "squared error of"), (60, "StackedAutoencoder: its squared error")])
def test_what_is_fine_tuned_and_worse_than_pca_says_so_once(home, epochs, start, tmp_path):
    run_well(
        "pretrain", home / "x.npy", "-o", tmp_path / "m.h5", "--layers", "16-2", "--unit", "autoencoder", "--seed", 0, "-q",
        "--epochs", 1 + epochs // 2, "--activation", "tanh", "--optimizer", "adam", "--scaling", "standard",
    )  # fmt: skip
    flags = ("--epochs", epochs, "--learning-rate", 1e-9, "--batch-size", 20)
    said = run_well("finetune", tmp_path / "m.h5", home / "x.npy", "-o", tmp_path / "t.h5", *flags).stderr
    (line,) = [line for line in said.splitlines() if "PCA" in line]
    assert line.startswith(start) and "worse than PCA with 2 components (" in line
