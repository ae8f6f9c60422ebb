"""Every value in the JSON of good files replaced by nasty ones: the file loads and shows, or is refused in one line."""

import copy
import json

import numpy as np
import pytest

from stacked import RBM, Autoencoder, ModelFileError, StackedAutoencoder, StackedClassifier, load
from stacked.cli import info as cli_info
from stacked.files import info, read_info, read_model, reader
from stacked.files.elements import Elements, check_array
from stacked.files.header import parse_header
from stacked.files.pack import pack, unpack
from stacked.files.refusal import of_file, refusal
from stacked.network import Network
from stacked.training.checkpoint import Checkpointer, load_checkpoint

CONFIG, CURSOR = "/@config", "/checkpoint@cursor"
HUGE = [10**400, 2**62]
NASTY = [
    -(10**400), 2**63, 2**31, -1, 0, 1, 1e300, -0.5, float("nan"), True, None, "", "nan", "x" * 5000,
    "\x1b[2J\n\u202e\ud800", [], {}, [[0, 10**400]], [[0, 0.1], [2**70, 0.1]], {"a": [1]}, [10**400], [[]], ["RBM"],
]  # fmt: skip
EVERY = 6  # a place gets the huge values and one in so many of the others


@pytest.fixture(scope="module")
def elements(tmp_path_factory):
    """Name -> elements of a good file: a stack in training, a finished classifier, and a unit of each kind."""
    folder, x = tmp_path_factory.mktemp("good"), np.random.default_rng(0).random((20, 4), np.float32)
    short = {"epochs": 1, "batch_size": 10}

    def stop(record):
        if record.unit == 1:
            raise InterruptedError

    units = [RBM(3, **short), Autoencoder(2, momentum=[(0, 0.5), (2, 0.9)], **short)]
    stack = StackedAutoencoder(units, validation_fraction=0.2, patience=3, random_state=0)
    with pytest.raises(InterruptedError):
        stack.pretrain(x, callback=stop, checkpoint=Checkpointer(folder / "stack.h5", 0, {"data": "x.npy"}))
    classifier = StackedClassifier([RBM(3, **short)], finetune_epochs=1, random_state=0)
    classifier.fit(x, np.array(["a", "b"])[np.arange(20) % 2]).save(folder / "classifier.h5")
    for unit in (RBM, Autoencoder):
        unit(3, epochs=0, random_state=0).fit(x).save(folder / f"{unit.__name__}.h5")
    return {path.stem: pack(read_model(path)) for path in folder.glob("*.h5")}


@pytest.fixture
def stored(monkeypatch):
    """The file that is read, whatever its name, as elements in a list: no HDF5, for the sake of time."""
    box = []

    def read_verified(path):
        with of_file(path):
            header = parse_header(box[0].attributes)
            arrays = {}
            for name, spec in header.manifest.arrays.items():
                if name not in box[0].arrays:
                    raise refusal(name, "missing")
                arrays[name] = check_array(name, box[0].arrays[name], spec)
            for name in header.manifest.attributes():
                if name not in box[0].attributes:
                    raise refusal(name, "missing")
            elements = Elements(arrays, box[0].attributes)
            return reader.Verified(unpack(header, elements), "0" * 64, 1000, elements)

    monkeypatch.setattr(reader, "read_verified", read_verified)
    monkeypatch.setattr(info, "read_verified", read_verified)
    return box


def places(value, above=()):
    """The path of every value in a JSON value, and of the containers too."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from places(inner, (*above, key))


def replaced(value, path, nasty):
    value = copy.deepcopy(value)
    place = value
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = nasty
    return value


def shown(path):
    found = read_info(path)
    json.dumps(found, allow_nan=False)
    return "\n".join(cli_info._lines(path, found))


def tried(read):
    """What ``read`` gives for the stored file, or None for one that is refused in one printable line that names it."""
    try:
        return read("model.h5")
    except ModelFileError as error:
        assert str(error).startswith("model.h5: ") and str(error).isprintable() and len(str(error)) < 600, str(error)
        return None


def cases(good, key):
    value = json.loads(good.attributes[key])
    for number, path in enumerate(places(value)):
        for nasty in HUGE + NASTY[number % EVERY :: EVERY]:
            yield path, nasty, json.dumps(replaced(value, path, nasty))


@pytest.mark.parametrize(
    "name, key",
    [("stack", CONFIG), ("stack", "/units/1@params"), ("stack", CURSOR), ("classifier", CONFIG)],
)
def test_nasty_values(name, key, elements, stored):
    good, refused, taken = elements[name], 0, 0
    for path, nasty, text in cases(good, key):
        stored[:] = [Elements(good.arrays, good.attributes | {key: text})]
        try:
            line = tried(shown)
            model = tried(load_checkpoint if name == "stack" else load)
        except Exception as error:
            raise AssertionError(f"{path} = {nasty!r:.60}") from error
        refused, taken = refused + (model is None), taken + (model is not None)
        assert line is None or line.replace("\n", "").isprintable()
    assert refused > taken > 0


PLACES = {
    "rate": (
        CONFIG,
        ("params", "estimator", "units", 0, "params", "learning_rate"),
        10**400,
        "/@config: .*learning_rate",
    ),
    "size": (
        CONFIG,
        ("params", "estimator", "units", 0, "params", "n_hidden"),
        2**62,
        "/@config: .*parameters mean .*4611686018427387904",
    ),
    "vast size": (
        CONFIG,
        ("params", "estimator", "units", 0, "params", "n_hidden"),
        10**8,
        "/@config: .*parameters mean .*100000000",
    ),
    "seed": (CONFIG, ("params", "seed"), 10**400, "/@config: .*seed"),
    "precision": (CONFIG, ("params", "estimator", "precision"), "float64", "/@config: .*weights of float32"),
    "unit's rate": ("/units/0@params", ("learning_rate",), 10**400, "/units/0@params: .*learning_rate"),
    "unit's size": ("/units/1@params", ("n_hidden",), 10**8, "/units/1@params: .*100000000"),
    "best loss": (CURSOR, ("best_loss",), 10**400, f"{CURSOR}: .*best_loss"),
    "epoch": (CURSOR, ("epoch",), 10**400, f"{CURSOR}: epoch: expected a whole number"),
    "phase": (CURSOR, ("phase",), "pretrain; curl evil", f"{CURSOR}: phase: expected one of pretrain, finetune"),
    "unit": (CURSOR, ("unit",), "0", f"{CURSOR}: unit: expected a whole number"),
}


@pytest.mark.parametrize("case", PLACES)
def test_the_line_names_file_and_place(case, elements, stored):
    (key, path, nasty, words), good = PLACES[case], elements["stack"]
    text = json.dumps(replaced(json.loads(good.attributes[key]), path, nasty))
    stored.append(Elements(good.arrays, good.attributes | {key: text}))
    with pytest.raises(ModelFileError, match=f"^model.h5: {words}"):
        load_checkpoint("model.h5")


@pytest.mark.parametrize("n_hidden", [10**8, 2**62])
@pytest.mark.parametrize("name", ["RBM", "Autoencoder"])
def test_sizes_are_compared_before_anything_is_allocated(name, n_hidden, elements, stored, monkeypatch):
    config = json.loads(elements[name].attributes[CONFIG])
    text = json.dumps(replaced(config, ("params", "estimator", "n_hidden"), n_hidden))
    stored.append(Elements(elements[name].arrays, elements[name].attributes | {CONFIG: text}))
    monkeypatch.setattr(Network, "zeros", lambda *args: pytest.fail("allocated"))
    with pytest.raises(ModelFileError, match=f"^model.h5: /@config: .* where its parameters mean .*{n_hidden}"):
        load("model.h5")


@pytest.mark.parametrize("read", [load, read_info, load_checkpoint])
@pytest.mark.parametrize("phase", ["pretrain; curl evil", ["pretrain"], None, "\x1b[2J"])
def test_no_advice_repeats_an_unknown_phase(read, phase, elements, stored):
    good = elements["stack"]
    cursor = json.dumps(json.loads(good.attributes[CURSOR]) | {"phase": phase})
    stored.append(Elements(good.arrays, good.attributes | {CURSOR: cursor}))
    with pytest.raises(ModelFileError, match="phase: expected one of pretrain, finetune") as caught:
        read("model.h5")
    assert "go on with" not in str(caught.value)


@pytest.mark.parametrize("labels", [["a", "a"], ["b", "a"]])
def test_classes_are_sorted_and_each_once(labels, elements, stored):
    good = elements["classifier"]
    stored.append(Elements(good.arrays | {"/classes": np.array(labels, "S1")}, good.attributes))
    with pytest.raises(ModelFileError, match=f"^model.h5: /classes: .* found '{labels[1]}' after '{labels[0]}'"):
        read_model("model.h5")


def test_a_checkpoint_for_other_rows_names_its_file(tmp_path):
    def stop(record):
        raise InterruptedError

    x, path = np.random.default_rng(0).random((20, 4), np.float32), tmp_path / "run.h5"
    with pytest.raises(InterruptedError):
        stack = StackedAutoencoder([RBM(3, persistent=True, batch_size=10, epochs=1)], random_state=0)
        stack.pretrain(x, callback=stop, checkpoint=Checkpointer(path, 0))
    run = load_checkpoint(path)
    with pytest.raises(ModelFileError) as caught:
        run.model.pretrain(x[:5], resume=run.resume)
    assert str(caught.value).startswith(f"{path}: /checkpoint: chains: ")
