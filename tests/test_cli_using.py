"""Commands that use a model: encode, decode, reconstruct, predict, evaluate, info, and where they write."""

import json
import os

import h5py
import numpy as np
import pytest

from stacked import StackedAutoencoder, load
from stacked.cli.output import write_array
from stacked.cli.targets import Target, target_of
from stacked.metrics import classification_metrics, reconstruction_metrics
from stacked.units.rbm import RBM

from .test_cli_boundary import misused, refused, run_well, start

FAST = ("--epochs", 1, "--threads", 1, "-q")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with digits (100 rows), a tuned autoencoder and a classifier of them."""
    from stacked import open_data

    folder = tmp_path_factory.mktemp("models")
    digits = open_data("digits")
    np.save(folder / "digits.npy", digits.array[:100])
    np.save(folder / "labels.npy", digits.labels[:100])
    run_well("pretrain", "digits", "-o", folder / "model.h5", "--layers", "16-6", "--seed", 0, *FAST)
    run_well("finetune", folder / "model.h5", "digits", "-o", folder / "tuned.h5", *FAST)
    run_well("finetune", folder / "model.h5", "digits", "-o", folder / "classifier.h5", "--classify", *FAST)
    return folder


@pytest.fixture
def tuned(home):
    return load(home / "tuned.h5")


@pytest.fixture
def rows(home):
    return np.load(home / "digits.npy")


def read(path):
    """What was written, from any of the forms."""
    if path.suffix == ".npy":
        return np.load(path)
    return np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)


@pytest.mark.parametrize("name", ["codes.npy", "codes.csv"])
def test_encode_decode_and_reconstruct(home, tuned, rows, tmp_path, name):
    codes, again = tmp_path / name, tmp_path / f"again{name}"
    run_well("encode", home / "tuned.h5", home / "digits.npy", "-o", codes, "--threads", 1)
    assert np.array_equal(read(codes), tuned.transform(rows))
    run_well("decode", home / "tuned.h5", codes, "-o", again)
    shape = (100, 8, 8) if name == "codes.npy" else (100, 64)  # digits are images, in text a line each
    assert np.array_equal(read(again), tuned.inverse_transform(tuned.transform(rows)).reshape(shape))
    run_well("reconstruct", home / "tuned.h5", home / "digits.npy", "-o", again)
    assert np.array_equal(read(again), tuned.reconstruct(rows))


def test_hdf5_output_has_a_path_and_replaces_only_by_force(home, tuned, rows, tmp_path):
    out = tmp_path / "codes.h5"
    run_well("encode", home / "tuned.h5", home / "digits.npy", "-o", f"{out}:/a/codes")
    with h5py.File(out) as file:
        assert np.array_equal(file["a/codes"][()], tuned.transform(rows))
    assert "--force" in refused("encode", home / "tuned.h5", home / "digits.npy", "-o", out)
    run_well("encode", home / "tuned.h5", home / "digits.npy", "-o", out, "--force")
    with h5py.File(out) as file:
        assert list(file) == ["data"]
    run_well("decode", home / "tuned.h5", f"{out}:/data", "-o", tmp_path / "images.npy")


def test_standard_output_is_csv(home, tuned, rows):
    for extra in ((), ("-o", "-")):
        lines = run_well("encode", home / "tuned.h5", home / "digits.npy", *extra).stdout.splitlines()
        assert np.array_equal([np.float32(line.split(",")) for line in lines], tuned.transform(rows))


def test_a_full_standard_output_is_one_line(home):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = start("encode", home / "tuned.h5", home / "digits.npy", stdout=full)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr.splitlines()[-1]) == (1, "Error: No space left on device")
    assert "Traceback" not in stderr and "Exception" not in stderr


def test_a_reader_that_leaves_is_no_error_message(home):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as pipe:
        process = start("encode", home / "tuned.h5", home / "digits.npy", stdout=pipe)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1 and stderr == ""


@pytest.mark.parametrize("spec", ["codes.txt", "codes", "codes.npy:/a", "codes.csv:a"])
def test_other_output_names_are_usage_errors(home, tmp_path, spec):
    assert "expected FILE.npy" in misused("encode", home / "tuned.h5", "digits", "-o", tmp_path / spec)


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a,b", 'c"d', "é"]),
        np.array(["a\rb", "c\nd", "\r"]),
        np.array([3, -1]),
        np.array([[0.1, 1e-30], [2, np.pi]]),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".csv", ".h5"])
def test_every_kind_of_array_is_written_as_it_is(tmp_path, array, suffix):
    import csv

    path = tmp_path / f"out{suffix}"
    write_array(target_of(str(path), [], False), array)
    if suffix == ".npy":
        found = np.load(path)
    elif suffix == ".h5":
        with h5py.File(path) as file:
            found = np.char.decode(file["data"][()], "utf-8") if array.dtype.kind == "U" else file["data"][()]
    else:
        with path.open(newline="", encoding="utf-8") as stream:
            found = np.array(list(csv.reader(stream))).astype(array.dtype).reshape(array.shape)
    assert np.array_equal(found, array)


def test_a_path_that_hdf5_refuses(tmp_path):
    from stacked import ModelFileError

    with pytest.raises(ModelFileError, match="no path for a data set"):
        write_array(Target(str(tmp_path / "a.h5"), "/"), np.zeros(2))
    assert list(tmp_path.iterdir()) == []


def test_predict_and_probabilities(home, tmp_path):
    classifier, rows = load(home / "classifier.h5"), np.load(home / "digits.npy")
    run_well("predict", home / "classifier.h5", home / "digits.npy", "-o", tmp_path / "labels.csv")
    assert np.array_equal(np.loadtxt(tmp_path / "labels.csv", dtype=int), classifier.predict(rows))
    run_well(
        "predict", home / "classifier.h5", home / "digits.npy", "--proba", "-o", tmp_path / "p.npy", "--threads", 1
    )
    assert np.array_equal(np.load(tmp_path / "p.npy"), classifier.predict_proba(rows))


def test_commands_refuse_models_of_the_wrong_kind(home, tmp_path):
    out = ("-o", tmp_path / "out.npy")
    assert "expected a classifier" in refused("predict", home / "tuned.h5", "digits", *out)
    for command in ("decode", "reconstruct"):
        line = refused(command, home / "classifier.h5", "digits", *out)
        assert "classifier.h5: expected a model with a decoder, found a classifier" in line
    assert "for a classifier" in refused("evaluate", home / "tuned.h5", "digits", "--labels", "digits")
    RBM(4, epochs=1, random_state=0).fit(np.load(home / "digits.npy")).save(tmp_path / "rbm.h5")
    assert "a single rbm" in refused("finetune", tmp_path / "rbm.h5", "digits", "-o", tmp_path / "out.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["rbm.h5"]
    run_well("encode", tmp_path / "rbm.h5", "digits", *out)
    assert not (tmp_path / "out.h5").exists()


def test_evaluate_an_autoencoder(home, tuned, rows):
    report = json.loads(run_well("evaluate", home / "tuned.h5", home / "digits.npy", "--json", "--threads", 1).stdout)
    difference = (tuned.reconstruct(rows) - rows).astype(np.float64)
    assert report["n_samples"] == 100 and report["n_features"] == 64
    assert report["squared_error"] == pytest.approx(np.square(difference).sum(axis=1).mean(), rel=1e-5)
    assert report["rmse"] == pytest.approx(np.sqrt(np.square(difference).mean()), rel=1e-5)
    r = tuned.reconstruct(rows).astype(np.float64)
    expected = -(rows * np.log(r) + (1 - rows) * np.log1p(-r)).sum(axis=1).mean()
    assert report["cross_entropy"] == pytest.approx(expected, rel=1e-4)
    text = run_well("evaluate", home / "tuned.h5", home / "digits.npy").stdout
    assert "squared error" in text and "cross-entropy" in text and "RMSE" in text


def test_evaluate_a_classifier(home):
    given = ("--labels", home / "labels.npy")
    report = json.loads(run_well("evaluate", home / "classifier.h5", home / "digits.npy", *given, "--json").stdout)
    classifier, labels = load(home / "classifier.h5"), np.load(home / "labels.npy")
    predicted = classifier.predict(np.load(home / "digits.npy"))
    assert report["accuracy"] == pytest.approx((predicted == labels).mean())
    assert report["errors"] == (predicted != labels).sum()
    confusion = np.array(report["confusion"])
    assert confusion[labels[0], predicted[0]] > 0 and confusion.sum() == 100
    assert np.array_equal(confusion.sum(axis=1), np.bincount(labels, minlength=10))
    text = run_well("evaluate", home / "classifier.h5", "digits").stdout
    assert "accuracy" in text and "confusion" in text


def test_evaluate_needs_labels_that_the_classifier_knows(home, tmp_path):
    assert "found none" in refused("evaluate", home / "classifier.h5", home / "digits.npy")
    np.save(tmp_path / "labels.npy", np.full(100, 77))
    line = refused("evaluate", home / "classifier.h5", home / "digits.npy", "--labels", tmp_path / "labels.npy")
    assert "expected labels among 0, 1" in line and "found 77 at row 0" in line


def test_metrics_do_not_depend_on_streaming_or_scaling(tmp_path):
    images = (np.random.default_rng(0).random((3000, 3, 3)) * 255).astype(np.uint8)
    model = StackedAutoencoder(
        [RBM(5, visible="gaussian", epochs=1, learning_rate=0.001)], finetune_epochs=1, random_state=0
    )
    model.fit(images)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["x"] = images
        assert reconstruction_metrics(model, file["x"]) == reconstruction_metrics(model, images)
    found = reconstruction_metrics(model, images)
    difference = (model.reconstruct(images) - images.reshape(3000, 9)) / 255
    assert found["squared_error"] == pytest.approx(np.square(difference).sum(axis=1).mean(), rel=1e-4)
    assert found["cross_entropy"] is None


def test_classification_metrics_of_text_labels():
    from stacked import DataError, StackedClassifier

    x = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    y = np.where(x[:, 0] > 0.5, "high", "low")
    model = StackedClassifier([RBM(4, epochs=1)], finetune_epochs=30, random_state=0).fit(x, y)
    found = classification_metrics(model, x, y)
    assert found["classes"] == ["high", "low"] and found["accuracy"] == pytest.approx(model.score(x, y))
    with pytest.raises(DataError, match="expected 60 labels"):
        classification_metrics(model, x, y[:5])


def test_info(home):
    report = json.loads(run_well("info", home / "tuned.h5", "--json").stdout)
    assert report["kind"] == "stacked_autoencoder" and report["parameters"] > 1000
    lines = run_well("info", home / "classifier.h5").stdout.splitlines()
    assert "stacked_classifier" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == [
        "input", "encoder", "encoder", "head", "classes", "units", "history", "history", "history", "digest", "result",
    ]  # fmt: skip
