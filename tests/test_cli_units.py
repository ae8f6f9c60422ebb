"""Every option of ``pretrain`` and ``finetune`` ends in the parameter it stands for, and units suit each other."""

import click
import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    ConvolutionalAutoencoder,
    RecurrentAutoencoder,
    SequenceAutoencoder,
    SettingError,
    StackedAutoencoder,
    VariationalAutoencoder,
    load,
)
from stacked.cli import main
from stacked.cli import train as cli_train
from stacked.cli.table_options import NAMES as TABLE_OPTIONS
from stacked.cli.units import flag_of, refuse_unused, settings_for
from stacked.units.usual import units_for

from .test_cli_boundary import misused, run_well

RBMS = [  # visible and hidden units of the bottom layer, whether its code is linear; its rate by default, and of a given 0.2
    ("bernoulli", "bernoulli", False, 0.1, 0.2),
    ("bernoulli", "rectified", False, 0.01, 0.2),
    ("bernoulli", "bernoulli", True, 1e-3, 0.002),
    ("gaussian", "bernoulli", False, 1e-3, 0.2),
    ("gaussian", "rectified", False, 1e-3, 0.2),
    ("gaussian", "bernoulli", True, 1e-3, 0.2),
]
AUTOENCODERS = [  # activation, output, optimizer, whether the code is linear; the same two rates
    ("sigmoid", "sigmoid", "momentum", False, 0.1, 0.2),
    ("tanh", "sigmoid", "momentum", False, 0.01, 0.2),
    ("relu", "sigmoid", "nesterov", False, 0.01, 0.2),
    ("softplus", "sigmoid", "momentum", False, 0.01, 0.2),
    ("linear", "sigmoid", "momentum", False, 0.01, 0.2),
    ("sigmoid", "sigmoid", "momentum", True, 0.01, 0.02),
    ("sigmoid", "linear", "momentum", False, 1e-3, 0.2),
    ("relu", "tanh", "momentum", False, 1e-3, 0.2),
    ("sigmoid", "linear", "momentum", True, 1e-3, 0.2),
    ("sigmoid", "sigmoid", "adam", False, 1e-3, 0.2),
    ("tanh", "sigmoid", "adam", False, 1e-3, 0.2),
    ("sigmoid", "sigmoid", "adam", True, 1e-3, 0.2),
    ("sigmoid", "linear", "adam", True, 1e-3, 0.2),
]


def build_units(kind, sizes, code, options):
    """The units that the options of `pretrain` become, on data in [0, 1]."""
    word, given = settings_for(kind, sizes, options)
    return units_for(sizes, word, code or "auto", given)


def rates(kind, sizes, code, **options):
    return [rate_of(unit) for unit in build_units(kind, sizes, code, options)]


def rate_of(unit):
    """The learning rate as given, or the one that suits the unit, on as many inputs as Adam's is a thousandth for."""
    return unit.usual_rate(1600) if unit.learning_rate == "auto" else unit.learning_rate


@pytest.mark.parametrize("visible, hidden, linear, default, given", RBMS)
def test_rates_of_machines(visible, hidden, linear, default, given):
    options = {"visible": visible, "hidden": hidden}
    code = "linear" if linear else "same"
    assert rates("rbm", [8], code, **options) == [default]
    assert rates("rbm", [8], code, **options, learning_rate=[0.2]) == [pytest.approx(given)]
    schedule = rates("rbm", [8], code, **options, learning_rate=[[(0, 0.2), (4, 0.1)]])
    assert schedule == [[(0, pytest.approx(given)), (4, pytest.approx(given / 2))]]


@pytest.mark.parametrize("kind", ["autoencoder", "dae"])
@pytest.mark.parametrize("activation, output, optimizer, linear, default, given", AUTOENCODERS)
def test_rates_of_autoencoders(kind, activation, output, optimizer, linear, default, given):
    options = {"activation": activation, "output_activation": output, "optimizer": optimizer}
    code = "linear" if linear else "same"
    (unit,) = build_units(kind, [8], code, options)
    assert (rate_of(unit), unit.optimizer, unit.output) == (default, optimizer, output)
    assert unit.activation == ("linear" if linear else activation)
    assert rates(kind, [8], code, **options, learning_rate=[0.2]) == [pytest.approx(given)]


@pytest.mark.parametrize("kind", ["rbm", "autoencoder", "dae"])
def test_a_rate_for_every_layer_is_taken_as_it_is(kind):
    assert rates(kind, [8, 4], None, learning_rate=[0.2, 0.3]) == [0.2, 0.3]
    assert rates(kind, [8, 4], "linear", learning_rate=[[(0, 0.2)], 0.3]) == [[(0, 0.2)], 0.3]
    assert rates(kind, [8, 4], "same", learning_rate=[0.2]) == [0.2, 0.2]


def test_rates_above_codes_that_are_not_binary():
    assert rates("rbm", [8, 6, 4], None, hidden="rectified") == [0.01, 1e-3, 1e-3]
    assert rates("rbm", [8, 6, 4], None, hidden="rectified", learning_rate=[0.2]) == [0.2, 0.2, 0.2]
    assert rates("autoencoder", [8, 6, 4], None, activation="tanh") == [0.01, 1e-3, 1e-3]
    assert rates("autoencoder", [8, 6, 4], None, activation="relu", learning_rate=[0.2]) == [0.2, 0.2, 0.2]
    assert rates("dae", [8, 6, 4], None) == [0.1, 0.1, pytest.approx(0.01)]


@pytest.mark.parametrize("activation, outputs", [("sigmoid", "sigmoid"), ("tanh", "tanh"), ("relu", "relu"),
                                                 ("softplus", "softplus"), ("linear", "linear")])  # fmt: skip
def test_the_given_output_is_that_of_the_bottom_layer(activation, outputs):
    units = build_units("dae", [8, 6], "same", {"activation": activation, "output_activation": "tanh"})
    assert [unit.output for unit in units] == ["tanh", outputs]
    losses = build_units("dae", [8, 6], "same", {"activation": activation, "loss": "squared_error"})
    assert [unit.loss for unit in losses] == ["squared_error", "squared_error" if outputs == "sigmoid" else "auto"]


@pytest.mark.parametrize("hidden, visible", [("bernoulli", "bernoulli"), ("rectified", "gaussian")])
def test_the_given_visible_units_are_those_of_the_bottom_layer(hidden, visible):
    units = build_units("rbm", [8, 6], "same", {"hidden": hidden, "visible": "gaussian"})
    assert [(unit.visible, unit.hidden) for unit in units] == [("gaussian", hidden), (visible, hidden)]


def test_what_the_given_likelihood_is_of_is_the_data():
    units = build_units("vae", [8, 6], None, {"likelihood": "bernoulli", "binarize": True})
    assert [(unit.output, unit.binarize, rate_of(unit)) for unit in units] == [
        ("bernoulli", True, 1e-3), ("gaussian", False, 1e-3),
    ]  # fmt: skip


PER_LAYER = {
    "epochs": [3, 5], "batch_size": [7, 9], "learning_rate": [0.3, 0.4], "momentum": [0.1, 0.2], "weight_decay": [0.01, 0.02],
    "l1": [0.03, 0.04], "k": [2, 3], "corruption_level": [0.1, 0.3],
}  # fmt: skip


@pytest.mark.parametrize("name", PER_LAYER)
def test_a_value_for_every_layer_from_the_data_upwards(name):
    kind = {"k": "rbm", "corruption_level": "dae"}.get(name, "autoencoder")
    units = build_units(kind, [8, 6], "same", {name: PER_LAYER[name]})
    assert [getattr(unit, name) for unit in units] == PER_LAYER[name]
    assert [unit.n_hidden for unit in units] == [8, 6]
    with pytest.raises(click.UsageError, match=f"{flag_of(name)}: expected 1 value or 3, one a layer, found 2"):
        build_units(kind, [8, 6, 4], "same", {name: PER_LAYER[name]})


def test_what_is_not_given_is_the_unit_s_own_default():
    (machine,) = build_units("rbm", [8], None, {"epochs": None, "k": None})
    assert machine.get_params() == RBM(8).get_params()
    (plain,) = build_units("autoencoder", [8], None, {"tied": None})
    assert plain.get_params() == Autoencoder(8).get_params()
    (generative,) = build_units("vae", [8], None, {"hidden_layers": None, "binarize": None})
    assert generative.get_params() == VariationalAutoencoder(8).get_params()
    (maps,) = build_units("convolutional", [8], None, {"kernel": None, "tied": None})
    assert maps.get_params() == ConvolutionalAutoencoder(8).get_params()
    (sequences,) = build_units("sequence", [8], None, {"reverse": None, "cell": None})
    assert sequences.get_params() == SequenceAutoencoder(8).get_params()
    (states,) = build_units("recurrent", [8], None, {"clip_norm": None})
    assert states.get_params() == RecurrentAutoencoder(8).get_params()
    (noisy,) = build_units("dae", [8], None, {})
    assert noisy.get_params() == Autoencoder(8, corruption="masking", corruption_level=0.25).get_params()


OF_RBM = ("visible", "hidden", "k", "persistent", "sparsity_decay")
FOREIGN = {
    "rbm": ("activation", "output_activation", "loss", "tied", "start", "optimizer", "line_searches", "corruption",
            "corruption_level", "code_l1", "contraction", "emphasis"),
    "autoencoder": (*OF_RBM, "corruption", "corruption_level"),
    "dae": OF_RBM,
    "vae": (*OF_RBM, "output_activation", "loss", "tied", "start", "corruption", "corruption_level", "code_l1", "contraction",
            "emphasis", "sparsity_target", "sparsity_weight"),
    "convolutional": (*OF_RBM, "contraction", "start"),
    "recurrent": (
        *OF_RBM, "activation", "tied", "contraction", "start", "sparsity_target", "sparsity_weight", "reverse", "forcing",
    ),
    "sequence": (*OF_RBM, "activation", "tied", "contraction", "start", "sparsity_target", "sparsity_weight"),
}  # fmt: skip
OF_VAE = ("hidden_layers", "likelihood", "binarize", "samples", "kl_warmup")
OF_MAPS = ("kernel", "stride", "pool", "padding", "unpool")
RECURRENT = ("recurrent", "sequence")
FOREIGN = {kind: names if kind == "vae" else (*names, *OF_VAE) for kind, names in FOREIGN.items()}
FOREIGN["sequence"] = tuple(name for name in FOREIGN["sequence"] if name != "hidden_layers")
FOREIGN |= {kind: (*names, "cell", "clip_norm") for kind, names in FOREIGN.items() if kind not in RECURRENT}
FOREIGN = {kind: names if kind == "convolutional" else (*names, *OF_MAPS) for kind, names in FOREIGN.items()}
TAKERS = {
    **dict.fromkeys(OF_RBM, "rbm"),
    **dict.fromkeys(OF_VAE, "vae"),
    **dict.fromkeys(OF_MAPS, "convolutional"),
    **dict.fromkeys(("cell", "clip_norm"), "recurrent and sequence"),
    "reverse": "sequence",
    "forcing": "sequence",
    "hidden_layers": "vae and sequence",
    "activation": "autoencoder and vae and dae and convolutional",
    "tied": "autoencoder and dae and convolutional",
    **dict.fromkeys(
        ("optimizer", "line_searches"), "autoencoder and vae and dae and convolutional and recurrent and sequence"
    ),
    **dict.fromkeys(("sparsity_target", "sparsity_weight"), "rbm and autoencoder and dae and convolutional"),
    **dict.fromkeys(("corruption", "corruption_level", "emphasis"), "dae and convolutional and recurrent and sequence"),
    **dict.fromkeys(("contraction", "start"), "autoencoder and dae"),
}


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in FOREIGN.items() for name in names])
def test_options_of_other_units_are_named_with_those_that_take_them(kind, name):
    takers = TAKERS.get(name, "autoencoder and dae and convolutional and recurrent and sequence")
    with pytest.raises(click.UsageError, match=f"^{flag_of(name)} is an option of --unit {takers}, not of {kind}$"):
        build_units(kind, [8], None, {name: False})


UNUSED = {
    **{name: ("learning_rate", "momentum", "linear_decay") for name in ("cg", "lbfgs")},
    **{name: ("line_searches",) for name in ("momentum", "nesterov", "adam")},
}


@pytest.mark.parametrize("optimizer", UNUSED)
@pytest.mark.parametrize("name", ["learning_rate", "momentum", "linear_decay", "line_searches", "weight_decay", "l1"])
def test_options_that_an_optimizer_does_not_look_at(optimizer, name):
    refuse_unused(optimizer, {name: None})
    if name in UNUSED[optimizer]:
        with pytest.raises(click.UsageError, match=f"^{flag_of(name)} has no effect with --optimizer {optimizer}$"):
            refuse_unused(optimizer, {name: False})
    else:
        refuse_unused(optimizer, {name: 0.5})


# --- flags -----------------------------------------------------------------------------------------------------------------

PRETRAIN = {  # parameter of the command: the kind of unit, its flags, whose attribute, and value
    "layers": ("rbm", ["--layers", "7-5"], "units", "n_hidden", [7, 5]),
    "epochs": ("rbm", ["--epochs", "3,4"], "units", "epochs", [3, 4]),
    "batch_size": ("rbm", ["--batch-size", "13"], "units", "batch_size", [13, 13]),
    "learning_rate": ("rbm", ["--learning-rate", "0.3,0:0.2/3:0.1"], "units", "learning_rate", [0.3, [(0, 0.2), (3, 0.1)]]),
    "momentum": ("rbm", ["--momentum", "0:0.5/3:0.7"], "units", "momentum", [[(0, 0.5), (3, 0.7)]] * 2),
    "weight_decay": ("rbm", ["--weight-decay", "0.01,0"], "units", "weight_decay", [0.01, 0.0]),
    "l1": ("rbm", ["--l1", "0.02"], "units", "l1", [0.02, 0.02]),
    "visible": ("rbm", ["--visible", "gaussian"], "units", "visible", ["gaussian", "bernoulli"]),
    "hidden": ("rbm", ["--hidden", "rectified"], "units", "hidden", ["rectified", "gaussian"]),
    "code": ("rbm", ["--code", "same"], "units", "hidden", ["bernoulli", "bernoulli"]),
    "k": ("rbm", ["--k", "2,3"], "units", "k", [2, 3]),
    "persistent": ("rbm", ["--persistent"], "units", "persistent", [True, True]),
    "sparsity_target": (
        "rbm", ["--sparsity-target", "0.1,0.2", "--sparsity-weight", "1", "--code", "same"], "units", "sparsity_target", [0.1, 0.2],
    ),
    "sparsity_weight": (
        "rbm", ["--sparsity-weight", "0.3", "--sparsity-target", "0.1", "--code", "same"], "units", "sparsity_weight", [0.3, 0.3],
    ),
    "sparsity_decay": ("rbm", ["--sparsity-decay", "0.95"], "units", "sparsity_decay", [0.95, 0.95]),
    "hidden_layers": ("vae", ["--hidden-layers", "9-7"], "units", "hidden_layers", [[9, 7]] * 2),
    "likelihood": ("vae", ["--likelihood", "gaussian"], "units", "output", ["gaussian", "gaussian"]),
    "binarize": ("vae", ["--binarize"], "units", "binarize", [True, False]),
    "samples": ("vae", ["--samples", "3"], "units", "samples", [3, 3]),
    "kl_warmup": ("vae", ["--kl-warmup", "5"], "units", "kl_warmup", [5, 5]),
    "activation": ("dae", ["--activation", "tanh"], "units", "activation", ["tanh", "linear"]),
    "output_activation": ("dae", ["--output-activation", "linear"], "units", "output", ["linear", "sigmoid"]),
    "loss": ("dae", ["--loss", "squared_error"], "units", "loss", ["squared_error"] * 2),
    "tied": ("dae", ["--untied"], "units", "tied", [False, False]),
    "optimizer": ("dae", ["--optimizer", "adam"], "units", "optimizer", ["adam", "adam"]),
    "line_searches": ("dae", ["--line-searches", "5", "--optimizer", "cg"], "units", "line_searches", [5, 5]),
    "start": ("autoencoder", ["--activation", "relu", "--start", "principal"], "units", "start", ["principal"] * 2),
    "emphasis": ("dae", ["--emphasis", "1:0.5"], "units", "emphasis", [(1.0, 0.5)] * 2),
    "contraction": ("dae", ["--contraction", "0.1"], "units", "contraction", [0.1, 0.1]),
    "code_l1": ("autoencoder", ["--code-l1", "0.1,0.2"], "units", "code_l1", [0.1, 0.2]),
    "corruption": ("dae", ["--corruption", "gaussian"], "units", "corruption", ["gaussian", "gaussian"]),
    "corruption_level": ("dae", ["--corruption-level", "0.1,0.2"], "units", "corruption_level", [0.1, 0.2]),
    "kernel": ("convolutional", ["--kernel", "5,1"], "units", "kernel", [5, 1]),
    "stride": ("convolutional", ["--stride", "2"], "units", "stride", [2, 2]),
    "pool": ("convolutional", ["--pool", "2,0"], "units", "pool", [2, 0]),
    "padding": ("convolutional", ["--padding", "valid"], "units", "padding", ["valid", "valid"]),
    "unpool": ("convolutional", ["--unpool", "switches", "--pool", "2"], "units", "unpool", ["switches", "switches"]),
    "cell": ("sequence", ["--cell", "lstm"], "units", "cell", ["lstm", "lstm"]),
    "clip_norm": ("recurrent", ["--clip-norm", "2,0"], "units", "clip_norm", [2, 0]),
    "reverse": ("sequence", ["--no-reverse"], "units", "reverse", [False, False]),
    "forcing": ("sequence", ["--forcing", "--layers", "8"], "units", "forcing", [True]),
    "validation_fraction": ("rbm", ["--validation", "0.3"], "model", "validation_fraction", 0.3),
    "patience": ("rbm", ["--patience", "4", "--validation", "0.3"], "model", "patience", 4),
    "scaling": ("rbm", ["--scaling", "minmax"], "model", "scaling", "minmax"),
    "precision": ("rbm", ["--precision", "float64"], "model", "precision", "float64"),
    "n_threads": ("rbm", ["--threads", "1"], "model", "n_threads", 1),
    "random_state": ("rbm", ["--seed", "17"], "model", "random_state", 17),
    "checkpoint_every": ("rbm", ["--checkpoint-every", "7"], "given", "checkpoint_every", 7.0),
    "quiet": ("rbm", ["--quiet"], "given", "quiet", True),
    "as_json": ("rbm", ["--json"], "given", "as_json", True),
    "force": ("rbm", ["--force"], "given", "force", True),
}  # fmt: skip
FINETUNE = {
    "epochs": (["--epochs", "3"], "model", "finetune_epochs", 3),
    "batch_size": (["--batch-size", "13"], "model", "finetune_batch_size", 13),
    "learning_rate": (["--learning-rate", "0:0.2/3:0.1"], "model", "finetune_learning_rate", [(0, 0.2), (3, 0.1)]),
    "momentum": (["--momentum", "0.4"], "model", "finetune_momentum", 0.4),
    "weight_decay": (["--weight-decay", "0.01"], "model", "finetune_weight_decay", 0.01),
    "l1": (["--l1", "0.02"], "model", "finetune_l1", 0.02),
    "optimizer": (["--optimizer", "nesterov"], "model", "finetune_optimizer", "nesterov"),
    "line_searches": (["--line-searches", "5", "--optimizer", "lbfgs"], "model", "line_searches", 5),
    "linear_decay": (["--no-linear-decay"], "model", "finetune_linear_decay", False),
    "loss": (["--loss", "squared_error"], "model", "finetune_loss", "squared_error"),
    "code_l1": (["--code-l1", "0.1"], "model", "finetune_code_l1", 0.1),
    "sparsity_target": (["--sparsity-target", "0.1", "--sparsity-weight", "1"], "model", "finetune_sparsity_target", 0.1),
    "sparsity_weight": (
        ["--sparsity-weight", "0.3", "--sparsity-target", "0.1"], "model", "finetune_sparsity_weight", 0.3,
    ),
    "labels": (["--labels", "digits"], "model", "kind", "stacked_classifier"),
    "classify": (["--classify"], "model", "kind", "stacked_classifier"),
    "precision": (["--precision", "float32"], "model", "precision", "float32"),
    "validation_fraction": (["--validation", "0.3"], "model", "validation_fraction", 0.3),
    "patience": (["--patience", "4", "--validation", "0.3"], "model", "patience", 4),
    "n_threads": (["--threads", "1"], "model", "n_threads", 1),
    "random_state": (["--seed", "17"], "model", "seed_", 17),
    "checkpoint_every": (["--checkpoint-every", "7"], "given", "checkpoint_every", 7.0),
    "quiet": (["--quiet"], "given", "quiet", True),
    "as_json": (["--json"], "given", "as_json", True),
    "force": (["--force"], "given", "force", True),
}  # fmt: skip
ELSEWHERE = {
    "data",
    "model",
    "output",
    "unit",
    "resume",
    "config",
    "help",
    "target",
    *TABLE_OPTIONS,
}  # tested by themselves


@pytest.fixture
def trainings(monkeypatch):
    """Commands configure everything, and then note here what they would train."""
    noted = []

    def train(model, phase, rows, path, notes, given, resumed=None, target=None):
        noted.append({"model": model, "phase": phase, "rows": rows, "path": path, "notes": notes, "given": given})

    monkeypatch.setattr(cli_train, "train", train)
    return noted


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A stack of two units that was not trained further than its first weights."""
    path = tmp_path_factory.mktemp("stack") / "model.h5"
    x = np.random.default_rng(0).random((20, 64)).astype(np.float32)
    StackedAutoencoder([RBM(7, epochs=0), RBM(5, epochs=0)], random_state=3).pretrain(x).save(path)
    return path


@pytest.mark.parametrize("name, table", [("pretrain", PRETRAIN), ("finetune", FINETUNE)])
def test_every_option_is_in_the_table(name, table):
    command = main.get_command(click.Context(main), name)
    assert {param.name for param in command.params} == table.keys() | (ELSEWHERE & {p.name for p in command.params})


def found(training, where, name):
    if where == "units":
        return [getattr(unit, name) for unit in training["model"].templates]
    return training["given"][name] if where == "given" else getattr(training["model"], name)


@pytest.mark.parametrize("name", PRETRAIN)
def test_flags_of_pretrain(name, trainings, tmp_path):
    kind, flags, where, attribute, value = PRETRAIN[name]
    layers = [] if name == "layers" else ["--layers", "8-4"]
    run_well("pretrain", "digits", "-o", tmp_path / "m.h5", "--unit", kind, *layers, *flags)
    run_well("pretrain", "digits", "-o", tmp_path / "m.h5", "--unit", kind, "--layers", "8-4")
    assert found(trainings[0], where, attribute) == value
    assert found(trainings[1], where, attribute) != value
    names = {"rbm": "RBM", "vae": "VariationalAutoencoder", "convolutional": "ConvolutionalAutoencoder"}
    names |= {"recurrent": "RecurrentAutoencoder", "sequence": "SequenceAutoencoder"}
    assert type(trainings[0]["model"].templates[0]).__name__ == names.get(kind, "Autoencoder")
    assert (trainings[0]["phase"], trainings[0]["path"]) == ("pretrain", str(tmp_path / "m.h5"))
    assert trainings[0]["rows"].name == "digits" and trainings[0]["notes"]["data"] == "digits"


@pytest.mark.parametrize("name", FINETUNE)
def test_flags_of_finetune(name, trainings, pretrained, tmp_path):
    flags, where, attribute, value = FINETUNE[name]
    run_well("finetune", pretrained, "digits", "-o", tmp_path / "t.h5", *flags)
    assert found(trainings[0], where, attribute) == value
    if name != "precision":
        run_well("finetune", pretrained, "digits", "-o", tmp_path / "t.h5")
        assert found(trainings[1], where, attribute) != value
    assert (trainings[0]["phase"], trainings[0]["path"]) == ("finetune", str(tmp_path / "t.h5"))


def test_what_is_not_given_to_finetune_is_the_model_s(trainings, pretrained, tmp_path):
    model = load(pretrained)
    model.set_params(
        finetune_epochs=4, finetune_learning_rate=0.07, finetune_momentum=0.3, finetune_optimizer="momentum",
        finetune_linear_decay=False, finetune_batch_size=11, finetune_weight_decay=0.01, finetune_l1=0.02,
        finetune_loss="squared_error", validation_fraction=0.2, patience=3,
    )  # fmt: skip
    model.save(tmp_path / "model.h5")
    run_well("finetune", tmp_path / "model.h5", "digits", "-o", tmp_path / "t.h5")
    found, expected = (
        {
            name: value
            for name, value in each.get_params().items()
            if name.count("__") == 2 or not name.startswith("units")
        }
        for each in (trainings[0]["model"], model)
    )
    assert found == expected and {name for name in found if name.startswith("units__1__")}
    assert trainings[0]["model"].seed_ == 3


def test_values_that_fit_no_parameter_are_usage_errors_under_their_flags(pretrained, tmp_path):
    out = ("-o", tmp_path / "out.h5")
    assert "--epochs: expected" in misused("pretrain", "digits", *out, "--layers", "8", "--epochs", -1)
    assert "--batch-size: expected" in misused("finetune", pretrained, "digits", *out, "--batch-size", 0)
    assert "--validation: expected" in misused("finetune", pretrained, "digits", *out, "--validation", 1.5)
    assert "--seed" in misused("pretrain", "digits", *out, "--layers", "8", "--seed", -1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "layers", "others", "instead"),
    [
        ("rbm", "c4k3", "convolutional", ""),
        ("dae", "c4k3-c2k3", "convolutional", "; --corruption-level=0.25 does as much for these"),
        ("convolutional", "g4-G3", "recurrent or sequence", ""),
    ],
)
def test_a_kind_that_no_layer_is_of_is_refused(kind, layers, others, instead, tmp_path):
    line = misused("pretrain", "digits", "-o", tmp_path / "m.h5", "--layers", layers, "--unit", kind)
    assert line == (
        f"Error: --unit: expected a layer without a letter, to be of kind '{kind}', found letters alone, which make all layers"
        f" {others}; leave it out{instead}"
    )
    with pytest.raises(SettingError, match=r"^unit: expected a layer without a letter"):
        StackedAutoencoder(layers.split("-"), unit=kind).plan()
    assert not list(tmp_path.iterdir())


def test_a_kind_that_some_layer_is_of_is_taken():
    assert [type(unit).__name__ for unit in build_units("rbm", ["c4k3", 10], None, {})] == [
        "ConvolutionalAutoencoder",
        "RBM",
    ]
    assert isinstance(build_units("convolutional", ["c4k3"], None, {})[0], ConvolutionalAutoencoder)
    assert isinstance(build_units("autoencoder", ["c4k3", "d10"], None, {})[1], Autoencoder)
