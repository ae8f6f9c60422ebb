"""Option values, TOML files, and the units that options describe."""

import click
import pytest

from stacked.checks import check_chain
from stacked.cli.config import apply_config
from stacked.cli.parameters import INTEGER, REAL, PerLayer, Schedule, Sizes, Within, spread
from stacked.cli.pretrain import pretrain

from .test_cli_boundary import misused, refused, run
from .test_cli_units import build_units, rate_of

RATES = PerLayer(Schedule())


@pytest.mark.parametrize(
    "kind, given, expected",
    [
        (Sizes(), "1000-500-30", [1000, 500, 30]),
        (Sizes(), [64, 16], [64, 16]),
        (Sizes(), 64, [64]),
        (INTEGER, "7", 7),
        (INTEGER, 7, 7),
        (REAL, "1e-3", 1e-3),
        (REAL, 1, 1.0),
        (Schedule(), "0.1", 0.1),
        (Schedule(), "0:0.5/5:0.9", [(0, 0.5), (5, 0.9)]),
        (Schedule(), [[0, 0.5], [5, 0.9]], [(0, 0.5), (5, 0.9)]),
        (RATES, "0.1,0.1,0.001", [0.1, 0.1, 0.001]),
        (RATES, "0:0.5/5:0.9,0.9", [[(0, 0.5), (5, 0.9)], 0.9]),
        (RATES, [[0, 0.5], [5, 0.9]], [[(0, 0.5), (5, 0.9)]]),
        (RATES, [[[0, 0.5], [5, 0.9]], 0.9], [[(0, 0.5), (5, 0.9)], 0.9]),
        (RATES, ["0:0.5/5:0.9", 0.9], [[(0, 0.5), (5, 0.9)], 0.9]),
        (RATES, 0.1, [0.1]),
        (PerLayer(INTEGER), "5,10", [5, 10]),
    ],
)
def test_values_from_text_and_toml(kind, given, expected):
    assert kind.convert(given, None, None) == expected


@pytest.mark.parametrize(
    "kind, given",
    [
        (Sizes(), "1000-"),
        (Sizes(), "0"),
        (Sizes(), [2.5]),
        (Sizes(), []),
        (Sizes(), True),
        (INTEGER, "2.5"),
        (INTEGER, 2.5),
        (INTEGER, True),
        (REAL, "fast"),
        (Schedule(), "0:0.5/x:0.9"),
        (Schedule(), "0:0.5:1"),
        (Schedule(), [0.5, 0.9]),
        (RATES, "0.1,,0.2"),
        (RATES, {"a": 1}),
    ],
)
def test_values_that_are_refused(kind, given):
    with pytest.raises(click.BadParameter):
        kind.convert(given, None, None)


def test_one_value_is_for_every_layer():
    assert spread([0.1], 3, "--momentum") == [0.1] * 3
    assert spread([1, 2], 2, "--momentum") == [1, 2]
    with pytest.raises(click.UsageError, match="--momentum: expected 1 value or 3"):
        spread([1, 2], 3, "--momentum")


def config(tmp_path, text, command=pretrain):
    path = tmp_path / "run.toml"
    path.write_text(text)
    context = click.Context(command, info_name=command.name)
    apply_config(context, None, str(path))
    return context.default_map


def test_config_takes_flags_names_and_a_table_of_the_command(tmp_path):
    text = "seed = 1\nbatch-size = 10\nlearning_rate = 0.1\n[pretrain]\nlayers = [8, 4]\nseed = 2\n[finetune]\nepochs = 3\n"
    assert config(tmp_path, text) == {"random_state": 2, "batch_size": 10, "learning_rate": 0.1, "layers": [8, 4]}


@pytest.mark.parametrize("text", ["rate = 1", "[pretrain]\nrate = 1", "[pretrian]\nseed = 1", "config = 'x'"])
def test_config_names_the_unknown_key(tmp_path, text):
    with pytest.raises(click.UsageError, match=r"pretrain has no option '(rate|pretrian|config)'"):
        config(tmp_path, text)


def test_config_that_cannot_be_read(tmp_path):
    assert "none.toml: expected a TOML file" in refused("pretrain", "digits", "--config", tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = [")
    assert "bad.toml: expected TOML, found" in refused("pretrain", "digits", "--config", tmp_path / "bad.toml")


def test_config_values_are_checked_like_flags(tmp_path):
    (tmp_path / "run.toml").write_text("epochs = 2.5\nlayers = [8]")
    out = ("-o", tmp_path / "m.h5")
    assert "expected a whole number, found 2.5" in misused(
        "pretrain", "digits", *out, "--config", tmp_path / "run.toml"
    )


def units(kind="rbm", sizes=(8, 6, 4), code=None, **options):
    return build_units(kind, list(sizes), code, options)


def described(stack, *names):
    own = [{**unit.get_params(), "learning_rate": rate_of(unit)} for unit in stack]
    return [tuple(values[name] for name in names) for values in own]


def test_a_narrowing_stack_of_rbms_ends_in_a_linear_code():
    assert described(units(), "visible", "hidden", "learning_rate") == [
        ("bernoulli", "bernoulli", 0.1),
        ("bernoulli", "bernoulli", 0.1),
        ("bernoulli", "gaussian", 0.001),
    ]


@pytest.mark.parametrize("sizes, code, linear", [((8,), None, False), ((8, 8), None, False), ((8, 4), "same", False),
                                                ((8,), "linear", True), ((8, 4), None, True)])  # fmt: skip
def test_which_codes_are_linear(sizes, code, linear):
    assert (units(sizes=sizes, code=code)[-1].hidden == "gaussian") == linear
    assert (units("dae", sizes, code)[-1].activation == "linear") == linear


def test_a_linear_code_takes_its_share_of_a_single_rate():
    assert described(units(learning_rate=[0.2]), "learning_rate") == [(0.2,), (0.2,), (0.002,)]
    schedule = [(0, 0.2), (5, 0.1)]
    assert units(learning_rate=[schedule])[-1].learning_rate == [(0, pytest.approx(0.002)), (5, pytest.approx(0.001))]
    assert described(units(learning_rate=[0.2, 0.2, 0.01]), "learning_rate") == [(0.2,), (0.2,), (0.01,)]
    assert units("dae", learning_rate=[0.2])[-1].learning_rate == pytest.approx(0.02)
    assert units("dae", learning_rate=[0.2], optimizer="adam")[-1].learning_rate == 0.2


def test_upper_rbms_are_gaussian_over_rectified_codes():
    assert described(units(hidden="rectified"), "visible", "hidden", "learning_rate") == [
        ("bernoulli", "rectified", 0.01),
        ("gaussian", "rectified", 0.001),
        ("gaussian", "gaussian", 0.001),
    ]


@pytest.mark.parametrize(
    "options, rates",
    [
        ({}, [0.1, 0.1, 0.01]),
        ({"activation": "relu"}, [0.01, 0.001, 0.001]),
        ({"output_activation": "linear", "loss": "squared_error"}, [0.001, 0.1, 0.01]),
        ({"optimizer": "adam"}, [0.001] * 3),
    ],
)
def test_learning_rates_of_autoencoders_suit_their_codes_and_outputs(options, rates):
    assert described(units("autoencoder", **options), "learning_rate") == [(rate,) for rate in rates]


@pytest.mark.parametrize(
    "activation, output", [("sigmoid", "sigmoid"), ("tanh", "tanh"), ("relu", "relu"), ("linear", "linear")]
)
def test_upper_autoencoders_reconstruct_the_codes_below(activation, output):
    stack = units("autoencoder", activation=activation, loss="cross_entropy")
    assert described(stack, "output") == [("sigmoid",), (output,), (output,)]
    assert described(stack, "loss")[1:] == [("cross_entropy" if output == "sigmoid" else "auto",)] * 2


SIDES = [{"hidden": h, "visible": v} for h in ("bernoulli", "rectified") for v in ("bernoulli", "gaussian")]
NAMES = ("sigmoid", "tanh", "relu", "softplus", "linear")


@pytest.mark.parametrize(
    "kind, options",
    [
        *(("rbm", sides) for sides in SIDES),
        *(("dae", {"activation": name}) for name in NAMES),
        *(("autoencoder", {"output_activation": name, "loss": "squared_error"}) for name in NAMES),
    ],
)
@pytest.mark.parametrize("code", ["linear", "same"])
def test_every_choice_gives_units_that_fit(kind, options, code):
    stack = units(kind, code=code, **options)
    check_chain(stack)
    for unit in stack:
        unit.validate()


def test_denoising_and_plain_autoencoders():
    assert described(units("dae"), "corruption", "corruption_level") == [("masking", 0.25)] * 3
    assert described(units("dae", corruption_level=[0.1, 0.2, 0.3]), "corruption_level") == [(0.1,), (0.2,), (0.3,)]
    assert described(units("autoencoder"), "corruption_level") == [(0.0,)] * 3


@pytest.mark.parametrize(
    "args, flag",
    [
        (["--unit", "rbm", "--corruption", "masking"], "--corruption"),
        (["--unit", "rbm", "--tied"], "--tied"),
        (["--unit", "dae", "--k", "2"], "--k"),
        (["--unit", "autoencoder", "--corruption-level", "0.1"], "--corruption-level"),
        (["--unit", "dae", "--persistent"], "--persistent"),
        (["--unit", "dae", "--sparsity-decay", "0.5"], "--sparsity-decay"),
        (["--sparsity-target", "1"], "--sparsity-target: expected a number in (0, 1), found 1"),
        (
            ["--unit", "rbm", "--sparsity-target", "0.1,0.1,0.1", "--sparsity-weight", "1,1,1"],
            "--sparsity-target: expected hidden='bernoulli'",
        ),  # of a linear code, too
        (
            ["--hidden", "rectified", "--sparsity-target", "0.1", "--sparsity-weight", "1"],
            "--sparsity-target: expected hidden='bernoulli'",
        ),
        (["--unit", "vae", "--sparsity-target", "0.1"], "--sparsity-target"),
        (["--unit", "rbm", "--hidden-layers", "20"], "--hidden-layers"),
        (["--sparsity-weight", "0.1"], "--sparsity-weight: has no effect without a target; set --sparsity-target too"),
        (["--unit", "dae", "--optimizer", "cg", "--momentum", "0.5"], "--momentum"),
        (["--unit", "dae", "--line-searches", "2"], "--line-searches"),
        (["--epochs", "1,2"], "--epochs"),
        (["--epochs", "-1"], "epochs"),
        (["--patience", "2", "--validation", "0"], "patience"),
        (["--momentum", "1.5"], "momentum"),
        (["--unit", "dae", "--corruption-level", "2"], "--corruption-level"),
        (["--threads", "0"], "--threads"),
        (["--unit", "dae", "--output-activation", "tanh", "--loss", "cross_entropy"], "loss"),
    ],
)
def test_options_that_do_not_apply_are_usage_errors(tmp_path, args, flag):
    out = tmp_path / "m.h5"
    assert flag in misused("pretrain", "digits", "-o", out, "--layers", "8-6-4", *args)
    assert not out.exists()


@pytest.mark.parametrize(
    "text, words",
    [
        ("a = " + "[" * 100_000, "lists within lists without end"),
        ("layers = " + "[" * 900 + "]" * 900, None),
        ("#" * (1 << 20) + "\n", "at most 1,048,576 bytes"),
    ],
    ids=["deep", "closed", "long"],
)
def test_configurations_without_end(tmp_path, text, words):
    (tmp_path / "c.toml").write_text(text)
    result = run("pretrain", "digits", "-o", tmp_path / "m.h5", "--layers", 3, "--config", tmp_path / "c.toml")
    assert result.exit_code in (1, 2) and "Traceback" not in result.stderr
    assert words is None or words in result.stderr


@pytest.mark.parametrize("value", ["0", "6", "nan", "x", "2.5", True])
def test_numbers_within_bounds(value):
    with pytest.raises(click.BadParameter, match="expected a"):
        Within(int, 1, 5).convert(value, None, None)
    assert Within(int, 1, 5).convert("5", None, None) == 5 and Within(float, 0).convert(1e300, None, None) == 1e300
    with pytest.raises(click.BadParameter, match=r"^expected a number of at least 0 and at most 1, found 'nan'$"):
        Within(float, 0, 1).convert("nan", None, None)
