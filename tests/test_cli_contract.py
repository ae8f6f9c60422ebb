"""What commands print and write: reports against NumPy, exact lines, JSON's keys, and exit codes."""

import json

import h5py
import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, StackedClassifier, load, metrics
from stacked.cli import output as cli_output
from stacked.cli.evaluate import _code_lines, _comparison, _table
from stacked.cli.output import write_array
from stacked.cli.targets import Target, target_of
from stacked.kernels import _cache
from stacked.sparsity import code_sparsity

from .test_cli_boundary import misused, refused, run, run_well

X = np.random.default_rng(0).random((90, 6)).astype(np.float32)
NAMES = np.array(["ant", "bee", "a cat"])[(X[:, 0] * 2 + X[:, 1]).astype(int)]
SHORT = {"epochs": 2, "batch_size": 30}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Rows, labels, and models of them: a tuned stack, one of linear outputs, a classifier, a single unit."""
    folder = tmp_path_factory.mktemp("home")
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", NAMES)
    units = [RBM(5, **SHORT), RBM(3, **SHORT)]
    tuned = StackedAutoencoder(units, finetune_epochs=4, validation_fraction=0.2, random_state=0)
    tuned.fit(X).save(folder / "tuned.h5")
    linear = Autoencoder(4, output="linear", learning_rate=0.01, **SHORT)
    StackedAutoencoder([linear], finetune_epochs=1, random_state=0).fit(X * 3).save(folder / "linear.h5")
    classifier = StackedClassifier([RBM(5, **SHORT)], finetune_epochs=15, finetune_learning_rate=0.02, random_state=0)
    classifier.fit(X, NAMES).save(folder / "classifier.h5")
    RBM(4, random_state=0, **SHORT).fit(X).save(folder / "rbm.h5")
    return folder


def report(*args):
    return json.loads(run_well(*args).stdout)


# --- evaluate ----------------------------------------------------------------------------------------------------------------


def test_a_classifier_s_numbers_are_numpy_s(home):
    found = report("evaluate", home / "classifier.h5", home / "x.npy", "--labels", home / "y.npy", "--json")
    model = load(home / "classifier.h5")
    probabilities, classes = model.predict_proba(X).astype(float), np.unique(NAMES).tolist()
    predicted = np.array(classes)[probabilities.argmax(axis=1)]
    confusion = [[int(((true == NAMES) & (guess == predicted)).sum()) for guess in classes] for true in classes]
    assert confusion != np.transpose(confusion).tolist()  # or the orientation would not show
    errors = int((predicted != NAMES).sum())
    most = classes[np.argmax([(name == NAMES).sum() for name in classes])]
    worse = bool(1 - errors / 90 <= (most == NAMES).mean())
    of_truth = probabilities[np.arange(90), [classes.index(name) for name in NAMES]]
    assert found == {
        "model": str(home / "classifier.h5"), "kind": "stacked_classifier", "data": str(home / "x.npy"),
        "n_samples": 90, "n_features": 6, "accuracy": pytest.approx(1 - errors / 90), "errors": errors,
        "cross_entropy": pytest.approx(-np.log(of_truth).mean(), rel=1e-4), "classes": classes, "confusion": confusion,
        "constant_accuracy": (most == NAMES).mean(), "worse_than": ["constant"] * worse,
        "verdict": f"no better than always answering {most} ({(most == NAMES).mean():.2%}): train longer, or on more labelled rows"
        if worse else None, "code": code_sparsity(model, X),
    }  # fmt: skip


def test_a_classifier_s_report_in_words(home):
    args = ("evaluate", home / "classifier.h5", home / "x.npy", "--labels", home / "y.npy")
    found, lines = report(*args, "--json"), run_well(*args).stdout.splitlines()
    constant = f"always the most frequent class {found['constant_accuracy']:.2%}"
    verdict = [] if found["verdict"] is None else [f"               {found['verdict']}"]
    above = 7 + len(verdict)
    assert lines[:above] == [
        f"{home / 'classifier.h5'} on {home / 'x.npy'}: 90 samples of 6 features",
        f"accuracy       {found['accuracy']:.2%}  ({found['errors']} errors); {constant}",
        *verdict,
        f"cross-entropy  {found['cross_entropy']:.5g} a sample",
        *_code_lines(found["code"]),
        "confusion (rows: true, columns: predicted)",
    ]
    table = lines[above + 1 :]
    assert [line.rsplit(maxsplit=3)[0] for line in table] == [" a cat", "   ant", "   bee"]
    assert [[int(cell) for cell in line.split()[-3:]] for line in table] == found["confusion"]


def test_a_code_s_sparsity_in_words():
    code = {
        "units": 1200,
        "active": 0.0512,
        "dead_units": 3,
        "lifetime_sparseness": 0.87654,
        "mean_activation": [0, 0.05, 1],
    }
    lines = [
        "code           1,200 units, 5.12% active, 3 dead",
        "activation     mean over the rows: 0.05 in the median unit, half of all in [0, 1]",
        "sparseness     0.8765 over a unit's lifetime, in the mean",
    ]
    assert _code_lines(code) == lines and _code_lines({**code, "lifetime_sparseness": None}) == lines[:2]


def test_columns_of_the_confusion_stand_under_their_classes():
    assert _table(["x", "long"], [[1, 20], [300, 4]]) == ["         x long", "    x    1   20", " long  300    4"]
    assert _table([0, 1], [[12345, 0], [0, 1]]) == ["           0     1", "     0 12345     0", "     1     0     1"]


def test_an_autoencoder_s_report_is_of_scaled_data_in_json_and_in_words(home):
    found = report("evaluate", home / "linear.h5", home / "x.npy", "--json")
    model = load(home / "linear.h5")
    difference = model.scaling_.apply(model.reconstruct(X), np.float64) - model.scaling_.apply(X, np.float64)
    assert found == {
        "model": str(home / "linear.h5"), "kind": "stacked_autoencoder", "data": str(home / "x.npy"), "n_samples": 90,
        "n_features": 6, "squared_error": pytest.approx(np.square(difference).sum(axis=1).mean(), rel=1e-5),
        "cross_entropy": None, "rmse": pytest.approx(np.sqrt(np.square(difference).mean()), rel=1e-5),
        "code": code_sparsity(load(home / "linear.h5"), X), **metrics.comparison_metrics(load(home / "linear.h5"), X),
    }  # fmt: skip
    for name in ("linear.h5", "tuned.h5"):
        args = ("evaluate", home / name, home / "x.npy")
        found, lines = report(*args, "--json"), run_well(*args).stdout.splitlines()
        expected = [
            f"{home / name} on {home / 'x.npy'}: 90 samples of 6 features",
            f"squared error  {found['squared_error']:.5g} a sample, summed over features",
            *_comparison(found),
            f"cross-entropy  {found['cross_entropy'] or 0:.5g} a sample, summed over features",
            f"RMSE           {found['rmse']:.5g} a feature",
            *_code_lines(found["code"]),
        ]
        assert lines == [line for line in expected if name == "tuned.h5" or not line.startswith("cross-entropy")]


def test_json_is_not_mixed_with_news_of_compilation(home, monkeypatch):
    real = metrics.reconstruction_metrics

    def uncached(*args):
        _cache._announce()
        return real(*args)

    monkeypatch.setattr(_cache, "_said", set())
    monkeypatch.setattr(metrics, "reconstruction_metrics", uncached)
    result = run_well("evaluate", home / "tuned.h5", home / "x.npy", "--json")
    assert json.loads(result.stdout)["n_samples"] and result.stderr.startswith("compiling kernels")


# --- info --------------------------------------------------------------------------------------------------------------------


def test_info_in_json(home):
    found, model = report("info", home / "tuned.h5", "--json"), load(home / "tuned.h5")
    assert found.keys() == {
        "format", "version", "stacked_version", "kind", "precision", "params", "layers", "parameters", "units", "classes",
        "input", "target", "history", "probe_rows", "baseline", "checkpoint", "digest", "result_digest", "file_size",
    }  # fmt: skip
    assert found["parameters"] == 6 * 5 + 5 * 3 + 3 * 5 + 5 * 6 + 5 + 3 + 5 + 6
    assert found["file_size"] == (home / "tuned.h5").stat().st_size
    assert [(x["part"], x["n_in"], x["n_out"]) for x in found["layers"]] == [
        ("encoder", 6, 5), ("encoder", 5, 3), ("decoder", 3, 5), ("decoder", 5, 6),
    ]  # fmt: skip
    assert found["units"] == [
        {"kind": "RBM", "n_visible": 6, "n_hidden": 5, "n_code_layers": 1},
        {"kind": "RBM", "n_visible": 5, "n_hidden": 3, "n_code_layers": 1},
    ]  # fmt: skip
    assert found["input"] == {
        "scale": 1.0, "offset": 0.0, "log": 0, "constant": 0.0, "sample_shape": [6], "dtype": "float32", "scaling": "auto",
        "method": "as they are", "table": None,
    }  # fmt: skip
    tuning = [record for record in model.history_ if record.phase == "finetune"]
    assert found["history"]["finetune"] == {
        "epochs": 4, "loss": tuning[-1].loss, "validation_loss": tuning[-1].validation_loss,
        "seconds": pytest.approx(sum(record.seconds for record in tuning)),
    }  # fmt: skip
    assert (found["classes"], found["checkpoint"], found["probe_rows"]) == (None, None, 4)
    assert found["baseline"] == {name: list(array.shape) for name, array in model.baseline_.arrays().items()}
    assert found["baseline"]["mean"] == [6] and found["baseline"]["components"] == [5, 6]
    classifier = report("info", home / "classifier.h5", "--json")
    assert classifier["classes"] == ["a cat", "ant", "bee"] and classifier["layers"][-1]["part"] == "head"
    assert (
        run_well("info", home / "rbm.h5").stdout.splitlines()[1]
        == "input       6 of float32, as they are: times 1 plus 0"
    )


# --- where arrays go ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, path, key",
    [
        ("a.npy", "a.npy", "/data"),
        ("a.CSV", "a.CSV", "/data"),
        ("a.h5", "a.h5", "/data"),
        ("a.hdf5", "a.hdf5", "/data"),
        ("a.h5:codes", "a.h5", "codes"),
        ("a.H5:/x/y", "a.H5", "/x/y"),
        ("b:c.npy", "b:c.npy", "/data"),
        ("b:c.h5:/x", "b:c.h5", "/x"),
    ],
)
def test_output_names(spec, path, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert target_of(spec, [], False) == Target(path, key)


@pytest.mark.parametrize(
    "spec",
    ["a", "a.txt", "a.npz", "a.npy:x", "a.csv:x", "a.h5:/", "a.h5:x//y", "a.h5:../x", "a.h5:x/.", "a.txt:x", ":x.y"],
)
def test_output_names_that_are_refused(home, spec):
    line = misused("encode", home / "tuned.h5", home / "x.npy", "-o", spec)
    assert line == f"Error: -o {spec}: expected FILE.npy, FILE.csv or FILE.h5[:/path]"


@pytest.mark.parametrize("command", ["encode", "decode", "reconstruct", "predict"])
@pytest.mark.parametrize("which", ["model", "data"])
def test_no_input_is_replaced(command, which, tmp_path):
    for name in ("model.h5", "data.h5"):
        (tmp_path / name).write_bytes(b"precious")
    data = f"{tmp_path / 'data.h5'}:/x"
    line = refused(command, tmp_path / "model.h5", data, "-o", tmp_path / f"{which}.h5", "--force")
    assert f"{which}.h5: the output would replace the input; give another name with -o" in line
    assert (tmp_path / f"{which}.h5").read_bytes() == b"precious"


ARRAYS = {
    "numbers": np.array([[0.1, 1e-30], [1 / 3, -2]], np.float32),
    "doubles": np.array([[0.1, 1e300], [1 / 3, -2]]),
    "labels": np.array([3, -1, 2]),
    "words": np.array(["a", 'say "b"', "c, d", "e\nf", "ä"]),
    "many": np.arange(2 * (4096 + 3), dtype=np.float64).reshape(-1, 2),
}
TEXT = {
    "numbers": "0.1,1e-30\n0.33333334,-2.0\n",
    "doubles": "0.1,1e+300\n0.3333333333333333,-2.0\n",
    "labels": "3\n-1\n2\n",
    "words": 'a\n"say ""b"""\n"c, d"\n"e\nf"\nä\n',
    "many": "".join(f"{2.0 * i},{2.0 * i + 1}\n" for i in range(4096 + 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_in_every_form(name, tmp_path, capfdbinary):
    array = ARRAYS[name]
    for path in ("a.csv", "a.npy", "a.h5"):
        write_array(Target(str(tmp_path / path), "/deep/key"), array)
    assert (tmp_path / "a.csv").read_text("utf-8") == TEXT[name]
    again = np.load(tmp_path / "a.npy")
    assert again.dtype == array.dtype and np.array_equal(again, array)
    with h5py.File(tmp_path / "a.h5") as file:
        stored = file["deep/key"][()]
    assert np.array_equal(np.char.decode(stored, "utf-8") if name == "words" else stored, array)
    write_array(Target("-", ""), array)
    assert capfdbinary.readouterr().out.decode() == TEXT[name]


def test_labels_written_are_labels_read(home, tmp_path):
    for name in ("labels.csv", "labels.npy", "labels.h5"):
        run_well("predict", home / "classifier.h5", home / "x.npy", "-o", tmp_path / name)
    predicted = load(home / "classifier.h5").predict(X)
    from stacked import open_data

    for name in ("labels.csv", "labels.npy"):
        assert open_data(home / "x.npy", labels=tmp_path / name).labels.tolist() == predicted.tolist()
    found = report("evaluate", home / "classifier.h5", home / "x.npy", "--labels", tmp_path / "labels.csv", "--json")
    assert (found["accuracy"], found["errors"]) == (1.0, 0)


def test_probabilities_have_a_column_a_class(home):
    lines = run_well("predict", home / "classifier.h5", home / "x.npy", "--proba").stdout.splitlines()
    found = np.array([line.split(",") for line in lines], np.float32)
    np.testing.assert_array_equal(found, load(home / "classifier.h5").predict_proba(X))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


# --- settings of those that use a model --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["encode", "decode", "reconstruct", "predict", "evaluate"])
def test_threads_and_precision_reach_the_model(command, home, monkeypatch):
    from stacked.cli import models

    seen = []
    loaded = models.load_model

    def note(*args, **settings):
        seen.append(loaded(*args, **settings))
        return seen[-1]

    monkeypatch.setattr(models, "load_model", note)
    name = "classifier.h5" if command == "predict" else "tuned.h5"
    data = home / ("codes.npy" if command == "decode" else "x.npy")
    np.save(home / "codes.npy", X[:, :3])
    run_well(command, home / name, data, "--threads", 1, "--precision", "float32")
    run_well(command, home / name, data)
    assert [model.n_threads for model in seen] == [1, None]
    refusal = misused(command, _as_float64(home), data, "--precision", "float32")
    assert "--precision float32: " in refusal and "holds a model in float64; leave it out" in refusal


def _as_float64(home):
    path = home / "float64.h5"
    if not path.exists():
        StackedClassifier([RBM(3, epochs=0)], precision="float64", random_state=0).pretrain(X).save(path)
    return path


def test_what_commands_want_of_a_model(home, tmp_path):
    out = ("-o", tmp_path / "out.npy")
    for command in ("decode", "reconstruct"):
        line = refused(command, home / "classifier.h5", home / "x.npy", *out)
        assert line.endswith("expected a model with a decoder, found a classifier; it can encode and predict")
    for name, kind in (("tuned.h5", "stacked_autoencoder"), ("rbm.h5", "rbm")):
        line = refused("predict", home / name, home / "x.npy", *out)
        assert (
            f"{name}: expected a classifier, found a {kind}; make one with `stacked finetune {home / name} DATA" in line
        )
        line = refused("evaluate", home / name, home / "x.npy", "--labels", home / "y.npy")
        assert line.endswith("found a cat, ant, bee; labels of classes are for a classifier")
    line = refused("finetune", home / "rbm.h5", home / "x.npy", "-o", tmp_path / "out.h5")
    assert "rbm.h5: expected a stack of units, found a single rbm; pretrain a stack first" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["encode", "decode", "reconstruct", "predict", "evaluate", "info"])
def test_exit_codes(command, home, tmp_path):
    rest = () if command == "info" else (home / "x.npy",)
    assert run(command, "--help").exit_code == 0
    assert run(command, home / "none.h5", *rest).exit_code == 1
    assert run(command).exit_code == run(command, home / "tuned.h5", *rest, "--no-such").exit_code == 2
    assert run(command, home / "tuned.h5", *rest, "--config", tmp_path / "none.toml").exit_code == 1


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="JSON"):
        cli_output.print_json({"loss": float("nan")})
