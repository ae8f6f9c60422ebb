"""Units that do not fit the data, or each other, are refused before the first of them trains, and no file is begun."""

import numpy as np
import pytest

from stacked import (
    Autoencoder,
    ConvolutionalAutoencoder,
    RecurrentAutoencoder,
    SequenceAutoencoder,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
)
from stacked.training.checkpoint import Checkpointer

from .test_cli_boundary import run

IMAGES = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
EVEN = np.random.default_rng(1).random((40, 6, 2)).astype(np.float32)
RAGGED = EVEN.copy()
RAGGED[::3, 4:] = np.nan
SHORT = {"epochs": 1}
ON_STEPS = (
    r"^units: expected units for sequences of unequal length above unit 1, found unit 2, Autoencoder; put one with one code a"
    r" sequence there, or below it: SequenceAutoencoder, in --layers G or L$"
)
ON_STATES = (
    r"^units: expected images or maps below unit 2, a convolution, found what unit 1 gives, which is recurrent; let"
    r" convolutions follow convolutions, or the data$"
)
MISFITS = {
    "a kernel larger than the maps below": (
        [ConvolutionalAutoencoder(4), ConvolutionalAutoencoder(3, output="relu", kernel=9, padding="valid")],
        IMAGES,
        r"^kernel: a kernel of 9 does not fit 8 pixels",
    ),
    "maps of another shape": (
        [ConvolutionalAutoencoder(4), ConvolutionalAutoencoder(3, output="relu", sample_shape=(16, 16))],
        IMAGES,
        r"^sample_shape: expected \(8, 8, 4\)",
    ),
    "images for a recurrent unit": (
        [ConvolutionalAutoencoder(4), RecurrentAutoencoder(3, output="relu")],
        IMAGES,
        r"^units: expected sequences of \(steps, numbers\)",
    ),
    "a code for a recurrent unit": (
        [SequenceAutoencoder(4), RecurrentAutoencoder(3, output="tanh")],
        EVEN,
        r"^units: expected sequences below unit 2",
    ),
    "states for a convolution": ([RecurrentAutoencoder(4), ConvolutionalAutoencoder(3, output="tanh")], EVEN, ON_STATES),
    "steps that end early for a dense unit": ([RecurrentAutoencoder(4), Autoencoder(3, output="tanh")], RAGGED, ON_STEPS),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
@pytest.mark.parametrize("stack", [StackedAutoencoder, StackedClassifier])
def test_units_that_do_not_fit_are_refused_before_any_trains(name, stack, tmp_path):
    units, x, message = MISFITS[name]
    told = []
    model = stack([unit.set_params(**SHORT) for unit in units])
    with pytest.raises(SettingError, match=message):
        model.pretrain(x, callback=told.append, checkpoint=Checkpointer(tmp_path / "m.h5", 0))
    assert not told and not list(tmp_path.iterdir()) and not hasattr(model, "scaling_")


@pytest.mark.parametrize("pretrained", [False, True], ids=["from random weights", "pretrained on even ones"])
@pytest.mark.parametrize("stack", [StackedAutoencoder, StackedClassifier])
def test_fine_tuning_refuses_steps_that_end_early_for_a_dense_unit_as_pretraining_does(stack, pretrained):
    model = stack([RecurrentAutoencoder(4, **SHORT), Autoencoder(3, output="tanh", **SHORT)], finetune_epochs=1)
    if pretrained:
        model.pretrain(EVEN)
    told, y = [], np.arange(len(RAGGED)) % 2 if stack is StackedClassifier else None
    with pytest.raises(SettingError, match=ON_STEPS):
        model.finetune(RAGGED, y, callback=told.append)
    assert not told and hasattr(model, "network_") == pretrained


def test_a_unit_without_memory_for_its_weights_is_refused_before_any_trains(monkeypatch):
    monkeypatch.setattr("stacked.network.available_memory", lambda: 2**20)
    told = []
    with pytest.raises(SettingError, match=r"^n_hidden: expected parameters of at most 0\.0 GiB, .* 10-200000-10"):
        StackedAutoencoder([Autoencoder(10, **SHORT), Autoencoder(200000, **SHORT)]).pretrain(
            IMAGES.reshape(40, 64), callback=told.append
        )
    assert not told


def test_what_reads_sequences_that_end_early_is_let_through():
    units = [RecurrentAutoencoder(4), SequenceAutoencoder(3, output="tanh"), Autoencoder(2, output="tanh")]
    model = StackedAutoencoder([unit.set_params(**SHORT) for unit in units], random_state=0)
    assert model.pretrain(RAGGED).transform(RAGGED).shape == (40, 2)
    dense = [RecurrentAutoencoder(4, **SHORT), Autoencoder(3, output="tanh", **SHORT)]
    assert StackedAutoencoder(dense, random_state=0).pretrain(EVEN).transform(EVEN).shape == (40, 3)


@pytest.mark.parametrize(
    ("data", "layers", "message"),
    [
        (
            "digits",
            "c4k3-c3k9v",
            "Error: layer 2, 'c3k9v': a kernel of 9 does not fit 8 pixels; use a smaller one, or no v",
        ),
        ("symbols:60", "g4-10", "found unit 2, Autoencoder; put one with one code a sequence there"),
        ("digits", "g4-c3k3", "expected images or maps below unit 2, a convolution, found what unit 1 gives"),
    ],
)
def test_the_command_leaves_no_file_that_blocks_the_next_try(data, layers, message, tmp_path):
    out = tmp_path / "m.h5"
    result = run("pretrain", data, "-o", out, "--layers", layers, "--epochs", "1")
    assert result.exit_code == 1 and message in result.stderr.splitlines()[-1] and "epoch" not in result.stderr
    assert not list(tmp_path.iterdir())
