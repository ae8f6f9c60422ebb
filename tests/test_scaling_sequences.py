"""Sequences that end early: their summary, their scaling by channel, and what models take of them in training and in use."""

import shlex

import h5py
import numpy as np
import pytest

import stacked.data.memory
from stacked import Autoencoder, StackedAutoencoder, load
from stacked.data import ArrayRows, H5Rows, as_rows, fingerprint, lengths_of, open_data, summarize
from stacked.data.columns import describe_channels, describe_columns
from stacked.errors import DataError
from stacked.inputs import rows_for
from stacked.layers import Dense
from stacked.network import Network, read_finite
from stacked.scaling_rules import fit_scaling, kind_of

from .test_cli_boundary import refused, run, run_well
from .test_cli_training import interrupt_after

FLOAT64 = np.dtype(np.float64)
SHORT = {"epochs": 1, "batch_size": 10, "random_state": 0}


def ragged(n_rows=40, n_steps=6, width=3, seed=0):
    """Sequences (n_rows, n_steps, width) of channels of very different size, and their lengths."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_steps, width)) * 10.0 ** np.arange(width) + np.arange(width)
    lengths = np.append(rng.integers(1, n_steps + 1, n_rows - 1), n_steps)
    x[np.arange(n_steps) >= lengths[:, None]] = np.nan
    return x, lengths


def steps_of(x):
    """The steps (S, D) that are there."""
    return x[~np.isnan(x).all(axis=2)]


class Sequential(Autoencoder):
    """A dense unit that says of itself that it takes sequences; it can train on those of one length alone."""

    takes_sequences = True


def test_a_summary_is_that_of_the_steps_that_are_there():
    x, lengths = ragged()
    found, steps = summarize(ArrayRows(x), sequences=True), steps_of(x)
    assert found.ragged and not summarize(ArrayRows(x[lengths == 6]), sequences=True).ragged
    assert (found.minimum, found.maximum) == (steps.min(), steps.max())
    assert found.mean == pytest.approx(steps.mean(), rel=1e-12) and found.std == pytest.approx(steps.std(), rel=1e-12)
    np.testing.assert_allclose(found.column_mean, np.nanmean(x.reshape(40, -1), axis=0), rtol=1e-12)
    assert found.n_rows == 40 and not found.constant


def test_the_mean_of_a_step_that_no_row_has_is_zero():
    x = np.full((2, 4, 2), np.nan)
    x[:, :2] = 5
    found = summarize(ArrayRows(x), sequences=True)
    np.testing.assert_array_equal(found.column_mean, [5, 5, 5, 5, 0, 0, 0, 0])
    assert found.constant and found.std == 0


def test_the_summary_does_not_depend_on_what_lies_in_memory(tmp_path):
    x, _ = ragged(3000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = x
    one = summarize(ArrayRows(x), sequences=True)
    with H5Rows(tmp_path / "a.h5", "X") as rows:
        other = summarize(rows, sequences=True)
    assert (one.mean, one.std, one.column_mean.tobytes()) == (other.mean, other.std, other.column_mean.tobytes())


def test_the_statistics_of_channels_are_those_of_a_table_of_steps():
    x, _ = ragged()
    one, other = describe_channels(ArrayRows(x)), describe_columns(ArrayRows(steps_of(x)))
    for name, value in vars(one).items():
        np.testing.assert_allclose(value, vars(other)[name], rtol=1e-12, err_msg=name)


def _scaling(mode, x, bounded=False):
    rows = as_rows(x)
    return fit_scaling(mode, rows, summarize(rows, sequences=True), FLOAT64, bounded, sequences=True)


@pytest.mark.parametrize("mode", ["auto", "standard", "minmax", "center", "log"])
def test_sequences_are_scaled_by_channel_as_a_table_of_steps_is(mode):
    x, _ = ragged()
    rows = ArrayRows(steps_of(x))
    found, expected = _scaling(mode, x), fit_scaling(mode, rows, summarize(rows), FLOAT64)
    assert found.sample_shape == (6, 3) and found.method == expected.method and found.unit_range == expected.unit_range
    for name in ("scale", "offset", "log", "constant"):
        np.testing.assert_allclose(getattr(found, name), np.tile(getattr(expected, name), 6), rtol=1e-9, err_msg=name)


def test_values_in_range_and_images_are_taken_as_they_are_meant():
    bits = np.where(np.isnan(ragged()[0]), np.nan, 1.0)
    bits[0, 0] = 0
    assert _scaling("auto", bits).uniform == (1.0, 0.0)
    movie = [np.full((n, 5), 255, np.uint8) for n in (3, 1)]
    movie[0][0] = 0
    found = _scaling("auto", movie)
    assert (found.uniform, found.dtype, found.method) == ((1 / 255, 0.0), "uint8", "images")
    assert _scaling("none", ragged()[0]).uniform == (1.0, 0.0)


def test_a_single_channel_is_scaled_by_two_numbers():
    x, _ = ragged(width=1)
    for mode in ("auto", "standard", "minmax"):
        assert _scaling(mode, x + 100).uniform is not None
    assert _scaling("auto", x + 100, bounded=True).unit_range


def test_bounded_sequences_come_to_the_unit_range_by_channel():
    x, _ = ragged()
    found = _scaling("auto", x, bounded=True)
    scaled = steps_of(found.apply(x.reshape(40, -1), FLOAT64).reshape(x.shape))
    np.testing.assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], [[0] * 3, [1] * 3], atol=1e-12)


def test_a_channel_that_does_not_vary_is_set_aside_at_every_step():
    x, _ = ragged()
    x[..., 1] = np.where(np.isnan(x[..., 1]), np.nan, 7)
    found = _scaling("standard", x)
    np.testing.assert_array_equal(found.scale.reshape(6, 3)[:, 1], 0)
    np.testing.assert_array_equal(found.undo(np.zeros((1, 18))).reshape(6, 3)[:, 1], 7)


@pytest.mark.parametrize("mode", ["auto", "minmax", "none", "log"])
def test_what_is_after_the_end_stays_nan(mode):
    x, lengths = ragged()
    rows = ArrayRows(x)
    prepared = _scaling(mode, x).for_training(rows, summarize(rows, sequences=True), FLOAT64)
    np.testing.assert_array_equal(lengths_of(prepared.rows), lengths)
    assert prepared.data.ragged and prepared.rows.ragged and prepared.rows.sample_shape == (6, 3)
    assert kind_of(_scaling("minmax", x), *prepared[1:])


def test_scaled_in_pieces_or_at_once_the_bits_are_the_same(monkeypatch):
    x, _ = ragged(3000)
    rows, scaling = ArrayRows(x), _scaling("standard", x)
    data = summarize(rows, sequences=True)
    kept = scaling.for_training(rows, data, FLOAT64)
    monkeypatch.setattr("stacked.data.encoded.available_memory", lambda: 0)
    streamed = scaling.for_training(rows, data, FLOAT64)
    assert not streamed.rows.in_memory and streamed.rows.ragged
    assert fingerprint(streamed.rows) == fingerprint(kept.rows) and streamed.data.std == kept.data.std


@pytest.mark.parametrize("stack", [False, True])
def test_a_model_takes_no_early_end_unless_it_says_so(stack):
    x, lengths = ragged()
    model = StackedAutoencoder([Autoencoder(2, **SHORT)]) if stack else Autoencoder(2, **SHORT)
    first = int(np.argmax(lengths < 6))
    with pytest.raises(DataError, match=f"found row {first} to end after {lengths[first]} of 6 steps, NaN after it"):
        model.fit(list(map(steps_of, x[:, None])))
    assert not hasattr(model, "network_")
    model.fit(np.nan_to_num(x))
    with pytest.raises(DataError, match="put a recurrent unit below"):
        model.transform(x)
    with pytest.raises(DataError, match="X has 9 features, but the model is expecting 18"):
        model.transform(x[:, :3])


def test_the_shape_of_sequences_is_that_of_the_steps():
    x, _ = ragged()
    flat = rows_for(Sequential(2), np.nan_to_num(x).reshape(40, -1), reset=True)
    assert flat.sample_shape == (18, 1)
    assert rows_for(Sequential(2), x, reset=True).sample_shape == (6, 3)
    with pytest.raises(DataError, match="expected sequences"):
        rows_for(Sequential(2), np.zeros((3, 4, 5, 2)), reset=True)


@pytest.fixture(scope="module")
def fitted():
    """A unit of sequences of six steps of three numbers, one of which varies a thousand times as much."""
    return Sequential(2, output="linear", activation="tanh", optimizer="adam", **SHORT).fit(np.nan_to_num(ragged()[0]))


def test_sequences_are_scaled_by_channel_where_the_model_takes_them(fitted):
    assert fitted.scaling_.sample_shape == (6, 3)
    np.testing.assert_array_equal(fitted.scaling_.scale, np.tile(fitted.scaling_.scale[:3], 6))
    assert len(set(fitted.scaling_.scale)) == 3
    images = Autoencoder(2, output="linear", activation="tanh", optimizer="adam", **SHORT).fit(
        np.nan_to_num(ragged()[0])
    )
    assert len(set(images.scaling_.scale)) == 1


def test_shorter_sequences_are_padded_in_use(fitted):
    x, lengths = ragged(n_rows=7, n_steps=4, seed=1)
    rows, scaled = fitted._fitted_rows(x)
    assert rows.sample_shape == (6, 3) and rows.ragged and scaled == (1.0, 0.0)
    np.testing.assert_array_equal(lengths_of(rows), lengths)
    whole = np.concatenate([x, np.full((7, 2, 3), np.nan)], axis=1)
    for other in (whole, list(map(steps_of, x[:, None])), whole.reshape(7, -1)):
        again, _ = fitted._fitted_rows(other)
        np.testing.assert_array_equal(again.read(0, 7), rows.read(0, 7))
    np.testing.assert_array_equal(fitted._fitted_rows(x[:1])[0].read(0, 1), rows.read(0, 1))


def test_longer_and_wider_sequences_are_refused_in_use(fitted):
    with pytest.raises(
        DataError, match="expected sequences of at most 6 steps, the longest in the training, found 7; cut"
    ):
        fitted.transform(np.zeros((2, 7, 3)))
    with pytest.raises(DataError, match="expected sequences of 3 numbers a step as in the training, found 2"):
        fitted.transform(np.zeros((2, 6, 2)))
    with pytest.raises(DataError, match="expected sequences of 3 numbers a step as in the training, found 9"):
        fitted.transform(np.zeros((2, 2, 9)))
    with pytest.raises(ValueError, match="X has 12 features"):
        fitted.transform(np.zeros((2, 12)))
    with pytest.raises(DataError, match="X has 24 features, but the model is expecting 18"):
        fitted.transform(np.zeros((2, 2, 2, 6)))


def test_shorter_movies_of_bytes_mean_what_they_did_in_training():
    x = np.random.default_rng(0).integers(0, 256, (30, 4, 20), dtype=np.uint8)
    model = Sequential(2, **SHORT).fit(x)
    rows, scaled = model._fitted_rows(x[:, :2])
    assert scaled == (1 / 255, 0.0) and rows.dtype == np.float32 and rows.value_dtype == np.uint8
    np.testing.assert_array_equal(rows.read(0, 30)[:, :40], x[:, :2].reshape(30, -1))
    np.testing.assert_array_equal(lengths_of(rows), 2)


def test_a_streamed_file_is_padded_to_the_same_bits(tmp_path, monkeypatch, fitted):
    x, lengths = ragged(n_rows=3000, n_steps=4, seed=2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = x
    expected = fitted._fitted_rows(x)[0].read(0, 3000)
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: 3 * x.nbytes)
    with open_data(tmp_path / "a.h5") as rows:
        assert not rows.in_memory
        found = fitted._fitted_rows(rows)[0]
        np.testing.assert_array_equal(found.read(0, 3000), expected)
        np.testing.assert_array_equal(found.read(1500, 1501), expected[1500:1501])
        np.testing.assert_array_equal(lengths_of(found), lengths)


class Recurrent(Dense):
    """A layer that says of itself that it takes sequences."""

    takes_sequences = True


def test_a_network_reads_ends_where_its_first_layer_takes_them():
    x, _ = ragged()
    rows = ArrayRows(x)
    dense, other = (Network.zeros((kind(18, 4, "tanh"),), "float64") for kind in (Dense, Recurrent))
    assert other.takes_sequences and not dense.takes_sequences
    ((_, block),) = other.blocks(rows)
    np.testing.assert_array_equal(block, x.reshape(40, -1))
    for call in (lambda: list(dense.blocks(rows)), lambda: dense.apply(rows), lambda: read_finite(rows, 0, 40)):
        with pytest.raises(DataError, match="put a recurrent unit below"):
            call()
    assert other.apply(rows).shape == (40, 4)
    x[0, 0, 0] = np.inf
    with pytest.raises(DataError, match=r"found \+inf at row 0, step 0, column 0"):
        other.apply(rows)


TRAIN = ("--layers", 2, "--unit", "autoencoder", "--epochs", 1, "-q", "--threads", 1)


@pytest.fixture
def table(tmp_path):
    """A CSV file of ten sequences of three steps, a column with a blank in its name."""
    rng = np.random.default_rng(0)
    lines = ["run id,p,q", *(f"r {i},{rng.random()},{rng.random()}" for _ in range(3) for i in range(10))]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(lines))
    return path


def test_the_command_line_reads_a_long_table(tmp_path, table):
    out, column = tmp_path / "m.h5", ("--sequence-column", "run id")
    run_well("pretrain", table, "-o", out, *column, *TRAIN)
    assert "3 x 2" in run_well("info", out).stdout
    run_well("encode", out, table, "-o", tmp_path / "codes.npy")
    assert np.load(tmp_path / "codes.npy").shape == (10, 2)
    (tmp_path / "c.toml").write_text('sequence-column = "run id"\n')
    run_well("encode", out, table, "-o", tmp_path / "again.npy", "--config", tmp_path / "c.toml")
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), np.load(tmp_path / "codes.npy"))
    line = refused("pretrain", table, "-o", tmp_path / "n.h5", *column, *TRAIN, "--drop", "p,q")
    assert line.endswith("expected columns of numbers, the steps of sequences, found none left")


@pytest.mark.parametrize(
    "options",
    [("--sequence-column", "run id"), ("--drop", "run id", "--shape", "2x1"), ("--columns", "p,q", "--shape", "1x2")],
)
def test_a_run_that_was_stopped_goes_on_with_the_same_samples(tmp_path, monkeypatch, table, options):
    train = [*(2 if word == 1 else word for word in TRAIN[:-2]), "--seed", 0]
    whole, stopped = tmp_path / "whole.h5", tmp_path / "stopped.h5"
    run_well("pretrain", table, "-o", whole, *options, *train)
    interrupt_after(monkeypatch, 1)
    assert run("pretrain", table, "-o", stopped, *options, *train, "--checkpoint-every", 0).exit_code == 130
    monkeypatch.undo()
    run_well("pretrain", "--resume", stopped, "-q")
    one, other = load(whole), load(stopped)
    assert one.scaling_ == other.scaling_ and len(one.scaling_.sample_shape) == 2
    assert one.network_.params.tobytes() == other.network_.params.tobytes()


def test_the_next_command_goes_on_without_the_column(tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quiet = [word for word in TRAIN if word != "-q"]
    stderr = run_well("pretrain", table, "-o", "m.h5", "--sequence-column", "run id", *quiet).stderr
    (command,) = [line.partition("next: stacked ")[2] for line in stderr.splitlines() if "next: " in line]
    assert "run id" not in command
    run_well(*shlex.split(command), "--epochs", 1, "-q")
    assert load("tuned.h5").table_["sequences"] == "run id"
