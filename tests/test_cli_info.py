"""What `stacked info` shows of a file: lines of layers, history and checkpoint; its JSON is in `test_cli_contract`."""

import pytest

from stacked.cli import info as cli_info

from .test_cli_boundary import run_well


def test_lines_of_info():
    history = {"loss": 1.23456, "validation_loss": None, "seconds": 2.06}
    found = {
        "kind": "stacked_classifier", "parameters": 1234, "precision": "bfloat16", "file_size": 56789, "version": 1,
        "stacked_version": "0.9", "input": {"sample_shape": [28, 27], "dtype": "uint8", "scale": 1 / 255, "offset": -0.0,
                  "log": 0, "method": "images", "table": None}, "target": None,
        "layers": [
            {"part": "encoder", "n_in": 756, "n_out": 9, "activation": "relu"},
            {"part": "head", "n_in": 9, "n_out": 2, "activation": "softmax"},
        ],
        "classes": ["no", "yes"], "units": [{"kind": "RBM", "n_visible": 756, "n_hidden": 9}] * 2,
        "history": {
            "finetune": {**history, "epochs": 3, "validation_loss": 2.5},
            "unit_10": {**history, "epochs": 2},
            "unit_2": {**history, "epochs": 0},
        },
        "checkpoint": None, "digest": "abc", "result_digest": "def",
    }  # fmt: skip
    lines = [
        "m.h5: stacked_classifier, 1,234 parameters in float32 (products in bfloat16), 56,789 bytes, format 1, stacked 0.9",
        "input       28 x 27 of uint8, images: times 0.00392157 plus 0",
        "encoder     756 -> 9 relu",
        "head        9 -> 2 softmax",
        "classes     no, yes",
        "units       RBM 756-9, RBM 756-9",
        "history     unit 3: 0 epochs",
        "history     unit 11: 2 epochs, loss 1.2346, 2.1 s",
        "history     finetune: 3 epochs, loss 1.2346, validation 2.5, 2.1 s",
        "digest      abc",
        "result      def, without times",
    ]
    assert cli_info._lines("m.h5", found) == lines
    columns = {**found["input"], "scale": [1.0, 2.0], "method": "each column to [0, 1]"}
    assert (
        cli_info._lines("m.h5", {**found, "input": columns})[1] == "input       28 x 27 of uint8, each column to [0, 1]"
    )
    bare = {**found, "classes": None, "units": [], "precision": "float64"}
    assert cli_info._lines("m.h5", bare)[1:] == [line for line in lines[1:] if line[:5] not in ("class", "units")]
    assert "parameters in float64, " in cli_info._lines("m.h5", bare)[0]
    cursor = {"phase": "pretrain", "unit": 1, "epoch": 4}
    unfinished = cli_info._lines("m.h5", {**found, "checkpoint": {"cursor": cursor}})
    assert unfinished[-3:-1] == [
        "unfinished  pretrain, unit 2, 4 epochs done; go on with `stacked pretrain --resume m.h5`", "digest      abc",
    ]  # fmt: skip
    diverged = cli_info._lines("m.h5", {**found, "checkpoint": {"cursor": {**cursor, "diverged": True}}})
    assert diverged[-3] == "diverged    after pretrain, unit 2, 4 epochs done; these are the last good weights"
    whole = cli_info._lines("m.h5", {**found, "checkpoint": {"cursor": {"phase": "finetune", "unit": -1, "epoch": 4}}})
    assert whole[-3] == "unfinished  finetune, 4 epochs done; go on with `stacked finetune --resume m.h5`"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ("--layers", "g2-G3"),
            [
                "1x30x8 -> 1x30x2 kind=gru", "1x30x2 -> 1x1x3 kind=gru", "1x1x3 -> 1x30x3 kind=upsampling kernel=1x30",
                "1x30x3 -> 1x30x3 kind=gru backwards", "1x30x3 -> 1x30x2 tanh kind=convolution", "1x30x2 -> 1x30x2 kind=gru",
                "1x30x2 -> 1x30x8 sigmoid kind=convolution",
            ],
        ),
        (
            ("--layers", "L2", "--forcing", "--target", "symbols:60"),
            [
                "1x30x8 -> 1x1x2 kind=lstm", "1x1x2 -> 1x30x10 kind=forcing answering in symbols",
                "1x30x10 -> 1x30x2 kind=lstm over all steps", "1x30x2 -> 1x30x8 sigmoid kind=convolution",
            ],
        ),
    ],
)  # fmt: skip
def test_info_of_sequences_shows_what_is_so_and_leaves_out_what_is_not(flags, expected, tmp_path):
    run_well("pretrain", "symbols:60", "-o", tmp_path / "m.h5", "--epochs", 0, "--quiet", *flags)
    lines = run_well("info", tmp_path / "m.h5").stdout.splitlines()
    assert [line[12:] for line in lines if line.startswith(("encoder", "decoder"))] == expected
