"""Recurrent units: what they learn, alone and stacked, of sequences that end early too; files, resuming, and what is refused."""

import h5py
import numpy as np
import pytest
from sklearn.base import clone

from stacked import (
    Autoencoder,
    DataError,
    RecurrentAutoencoder,
    SequenceAutoencoder,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    load,
)
from stacked.data import ArrayRows
from stacked.training.checkpoint import Checkpointer, load_checkpoint
from stacked.units.usual import units_for

from . import naive_recurrent

N_STEPS, WIDTH = 9, 2


def waves(n=120, seed=0):
    """Sequences (n, T, 2) in [0, 1], each of a frequency and a phase of its own."""
    draw = np.random.default_rng(seed)
    angle = draw.uniform(0.3, 1.0, (n, 1)) * np.arange(N_STEPS) + draw.uniform(0, 6, (n, 1))
    return (0.5 + 0.4 * np.stack([np.sin(angle), np.cos(angle)], axis=2)).astype(np.float32)


def ragged(n=120, seed=0):
    """The same, each of a length of its own, NaN after its end."""
    x, lengths = waves(n, seed), np.random.default_rng(seed + 1).integers(3, N_STEPS + 1, n)
    x[np.arange(N_STEPS) >= lengths[:, None]] = np.nan
    return x, lengths


UNITS = {
    "code": SequenceAutoencoder(6, epochs=3, batch_size=20, random_state=0),
    "deep code": SequenceAutoencoder(
        5, hidden_layers=(7, 6), cell="lstm", reverse=False, epochs=3, batch_size=20, random_state=0
    ),
    "states": RecurrentAutoencoder(6, epochs=3, batch_size=20, random_state=0),
    "noise": RecurrentAutoencoder(
        6, cell="lstm", corruption_level=0.2, emphasis=(1.0, 0.5), code_l1=1e-3, epochs=3, batch_size=20, random_state=0
    ),
}
MODELS = {
    **UNITS,
    "stack": StackedAutoencoder(
        [RecurrentAutoencoder(7, epochs=2, batch_size=20), SequenceAutoencoder(5, output="tanh", epochs=2, batch_size=20)],
        finetune_epochs=2, finetune_batch_size=20, random_state=0,
    ),
}  # fmt: skip


def fresh(name):
    return clone(MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_codes_and_reconstructions_have_the_shapes_of_sequences(name):
    x, (y, _) = waves(), ragged()
    model = fresh(name).fit(x)
    codes = model.transform(x)
    assert codes.shape == (120, {"code": 6, "deep code": 5, "stack": 5}.get(name, 6 * N_STEPS))
    assert model.reconstruct(x).shape == (120, N_STEPS * WIDTH)
    np.testing.assert_array_equal(model.reconstruct(x.reshape(120, -1)), model.reconstruct(x))
    np.testing.assert_array_equal(np.isnan(model.reconstruct(y)), np.isnan(y.reshape(120, -1)))
    assert (np.abs(codes) <= 1).all()


@pytest.mark.parametrize("name", MODELS)
def test_losses_of_sequences_that_end_early_count_what_is_there(name):
    x, lengths = ragged()
    model = fresh(name).fit(x)
    again = model.reconstruct(x).reshape(x.shape)
    there = ~np.isnan(x)
    expected = ((again[there] - x[there]) ** 2).sum() / len(x)
    assert -model.score(x) == pytest.approx(expected, rel=1e-4)
    assert there.sum() == lengths.sum() * WIDTH
    first = [record.loss for record in model.history_ if record.unit == model.history_[0].unit]
    assert first[-1] < first[0]


@pytest.mark.parametrize("data", ["even", "ragged"])
@pytest.mark.parametrize("name", MODELS)
def test_float64_trains_to_the_same(name, data):
    x = waves() if data == "even" else ragged()[0]
    one, other = fresh(name).fit(x), fresh(name).set_params(precision="float64").fit(x)
    for a, b in zip(one.history_, other.history_, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-4)


@pytest.mark.parametrize("name", ["code", "stack"])
def test_rows_that_are_streamed_train_to_the_same_bits(name):
    x, _ = ragged(300)

    class Streamed(ArrayRows):
        in_memory = False

    one, other = (fresh(name).fit(rows) for rows in (ArrayRows(x), Streamed(x)))
    assert one.network_.layers == other.network_.layers
    assert [record.loss for record in one.history_] == [record.loss for record in other.history_]


@pytest.mark.parametrize("name", ["code", "states"])
def test_passes_over_the_data_come_to_the_bits_of_one_fit(name):
    x, _ = ragged()
    whole, parts = fresh(name).set_params(learning_rate=0.01).fit(x), fresh(name).set_params(learning_rate=0.01)
    for _ in range(3):
        parts.partial_fit(x)
    assert whole.network_.params.tobytes() == parts.network_.params.tobytes()


@pytest.mark.parametrize("reverse", [False, True])
def test_the_step_that_is_made_first_is_the_hardest(reverse):
    x = waves(400, 3)
    unit = SequenceAutoencoder(8, reverse=reverse, epochs=25, batch_size=20, learning_rate=0.01, random_state=0).fit(x)
    errors = ((unit.reconstruct(x).reshape(x.shape) - x) ** 2).mean(axis=(0, 2))
    assert errors.mean() < 0.1 * x.var() and errors.argmax() == (N_STEPS - 1 if reverse else 0)


# ---- files -----------------------------------------------------------------------------------------------------------


def layers_of(file, half):
    """(kind, attributes, arrays) of each layer of half a network, as h5py reads them."""
    for number in range(len(file[half])):
        group = file[half][str(number)]
        attributes = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in group.attrs.items()
        }
        yield attributes.pop("kind"), attributes, {name: group[name][:] for name in group}


def answer_of_file(path, x):
    """What a model of recurrent layers and dense ones over time answers to one sequence (T, D)."""
    n_steps = len(x)
    with h5py.File(path) as file:
        for kind, sizes, arrays in (*layers_of(file, "encoder"), *layers_of(file, "decoder")):
            if kind in naive_recurrent.CELLS:
                x = naive_recurrent.answer(
                    kind, arrays, x, sizes["out_width"] == 1 < sizes["width"], sizes["backwards"]
                )
            elif kind == "upsampling":
                x = np.tile(x, (n_steps, 1))
            else:
                x = x @ arrays["weight"][0, 0] + arrays["bias"]
                x = {"sigmoid": naive_recurrent._s, "tanh": np.tanh, "linear": lambda a: a}[sizes["activation"]](x)
    return x


@pytest.mark.parametrize("name", MODELS)
def test_a_file_says_all_that_an_answer_takes(name, tmp_path):
    x, (y, lengths) = waves(), ragged()
    model = fresh(name).fit(y)
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    for data in (x, y):
        np.testing.assert_array_equal(again.reconstruct(data), model.reconstruct(data))
    found = again.reconstruct(y).reshape(y.shape)
    for row in range(5):
        n = lengths[row]
        np.testing.assert_allclose(found[row, :n], answer_of_file(tmp_path / "model.h5", y[row, :n]), atol=1e-5)


# ---- settings --------------------------------------------------------------------------------------------------------


def test_letters_ask_for_either_cell_and_either_code():
    units = units_for(["g12", "l10", "G8"])
    assert [type(unit).__name__ for unit in units] == [
        "RecurrentAutoencoder",
        "RecurrentAutoencoder",
        "SequenceAutoencoder",
    ]
    assert [(unit.n_hidden, unit.cell) for unit in units] == [(12, "gru"), (10, "lstm"), (8, "gru")]
    assert [unit.output for unit in units[1:]] == ["tanh", "tanh"]
    (lstm,) = units_for(["L7"])
    assert (lstm.cell, lstm.n_hidden) == ("lstm", 7)


def test_dense_units_follow_a_code_of_a_sequence():
    x = waves()
    stack = StackedAutoencoder(
        [SequenceAutoencoder(8, epochs=1), Autoencoder(3, output="tanh", epochs=1)], finetune_epochs=1, random_state=0
    ).fit(x)
    assert stack.transform(x).shape == (120, 3) and stack.reconstruct(x).shape == (120, N_STEPS * WIDTH)


def test_a_classifier_reads_sequences_that_end_early():
    x, lengths = ragged(200)
    y = (lengths > 6).astype(int)
    model = StackedClassifier(
        [SequenceAutoencoder(8, epochs=1)],
        finetune_epochs=40,
        finetune_learning_rate=0.01,
        finetune_batch_size=20,
        random_state=0,
    ).fit(x, y)
    assert model.score(x, y) > 0.9


def test_a_code_is_no_sequence():
    units = [SequenceAutoencoder(4), RecurrentAutoencoder(3, output="tanh")]
    with pytest.raises(
        SettingError, match=r"^units: expected sequences below unit 2, which is recurrent, found \(1, 1, 4\)"
    ):
        StackedAutoencoder(units).fit(waves())


@pytest.mark.parametrize(
    ("units", "shape"), [([RecurrentAutoencoder(3)], (4, 4, 3)), ([SequenceAutoencoder(3)], (2, 3, 4))]
)
def test_samples_that_are_no_sequences_are_refused(units, shape):
    x = np.random.default_rng(0).random((20, *shape)).astype(np.float32)
    with pytest.raises(DataError, match="expected sequences"):
        StackedAutoencoder(units).fit(x)


def test_a_target_for_states_is_refused():
    model = StackedAutoencoder([SequenceAutoencoder(4)], finetune_sparsity_target=0.1, finetune_sparsity_weight=1.0)
    with pytest.raises(SettingError, match=r"^finetune_sparsity_target: expected sigmoid or tanh codes"):
        model.fit(waves())


@pytest.mark.parametrize(
    ("name", "value"), [("cell", "rnn"), ("clip_norm", -1), ("n_hidden", 0), ("reverse", 2), ("hidden_layers", (0,))]
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(SettingError, match=f"^{name}: expected"):
        SequenceAutoencoder(4).set_params(**{name: value}).fit(waves())


def test_gradients_that_are_often_cut_are_spoken_of(caplog):
    SequenceAutoencoder(4, epochs=60, clip_norm=1e-4, batch_size=20, random_state=0).fit(waves())
    assert any("of the gradients were longer than clip_norm allows" in record.message for record in caplog.records)
    caplog.clear()
    RecurrentAutoencoder(4, epochs=60, batch_size=20, random_state=0).fit(waves())
    assert not any("clip_norm" in record.message for record in caplog.records)


def test_gradients_without_a_limit_are_followed_as_they_are():
    free, held = (
        SequenceAutoencoder(4, epochs=2, clip_norm=limit, random_state=0).fit(waves()) for limit in (0.0, 1e5)
    )
    assert free.network_.params.tobytes() == held.network_.params.tobytes()


def test_steps_that_training_has_no_memory_for_are_refused(monkeypatch):
    monkeypatch.setattr("stacked.network.available_memory", lambda: 2**20)
    with pytest.raises(
        SettingError, match=r"^batch_size: expected answers of at most 0\.0 GiB, the memory available, found"
    ):
        RecurrentAutoencoder(40, batch_size=100, epochs=1).fit(waves(150))
    RecurrentAutoencoder(40, batch_size=20, epochs=1).fit(waves(150))


class _Stop(Exception):
    pass


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    x, _ = ragged()
    whole, path, seen = fresh("stack").pretrain(x), tmp_path / "model.h5", []

    def stop(record):
        seen.append(record)
        if len(seen) == 3:
            raise _Stop

    with pytest.raises(_Stop):
        fresh("stack").pretrain(x, callback=stop, checkpoint=Checkpointer(path, 0))
    unfinished = load_checkpoint(path)
    assert (unfinished.resume.unit, unfinished.resume.progress.epoch) == (1, 0)
    model = unfinished.model.pretrain(x, resume=unfinished.resume)
    assert model.network_.params.tobytes() == whole.network_.params.tobytes()
