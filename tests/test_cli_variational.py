"""Variational models from the command line: pretraining, fine-tuning, samples, bounds, codes and reconstructions."""

import json

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, StackedClassifier, load

from .test_cli_boundary import misused, refused, run_well

UNIT = ("--unit", "vae", "--hidden-layers", "60", "--layers", "8", "--epochs", "2", "--seed", "0", "--quiet")


@pytest.fixture(scope="module")
def home(tmp_path_factory, digits):
    """Images, the model of the first command, and that fine-tuned; models without a Gaussian code."""
    folder = tmp_path_factory.mktemp("vae")
    images = (255 * digits.array[:120]).astype(np.uint8).reshape(-1, 8, 8)
    np.save(folder / "x.npy", images)
    run_well("pretrain", folder / "x.npy", "-o", folder / "vae.h5", *UNIT)
    run_well("finetune", folder / "vae.h5", folder / "x.npy", "-o", folder / "tuned.h5", "--epochs", 2, "--quiet")
    StackedAutoencoder([RBM(5, epochs=0)], random_state=0).pretrain(images).save(folder / "rbms.h5")
    StackedClassifier([RBM(5, epochs=0)], random_state=0).pretrain(images).save(folder / "classifier.h5")
    Autoencoder(5, epochs=0, random_state=0).fit(images).save(folder / "autoencoder.h5")
    return folder


def test_pretraining_makes_the_unit_that_is_asked_for(home):
    model = load(home / "vae.h5")
    (unit,) = model.units_
    assert (unit.kind, unit.n_hidden, list(unit.hidden_layers), unit.epochs) == ("vae", 8, [60], 2)
    assert [layer.n_out for layer in model.network_.layers] == [60, 16, 8, 60, 64]
    assert [record.penalty > 0 for record in model.history_] == [True, True]


def test_fine_tuning_goes_on_from_the_units_with_divergence_and_likelihood(home):
    before, model = load(home / "vae.h5"), load(home / "tuned.h5")
    records = [record for record in model.history_ if record.phase == "finetune"]
    assert len(records) == 2 and all(record.penalty > 0 for record in records)
    assert model.network_.layers == before.network_.layers
    assert not np.array_equal(model.network_.params, before.network_.params)


def test_a_fine_tuned_stack_without_pretraining_of_its_own_epochs(home, tmp_path):
    run_well("pretrain", home / "x.npy", "-o", tmp_path / "m.h5", *UNIT, "--samples", 2, "--kl-warmup", 4, "--binarize")
    (unit,) = load(tmp_path / "m.h5").units_
    assert (unit.samples, unit.kl_warmup, unit.binarize) == (2, 4, True)


@pytest.mark.parametrize("name", ["vae.h5", "tuned.h5"])
def test_samples_are_the_model_s(name, home, tmp_path):
    run_well("sample", home / name, "-n", 9, "-o", tmp_path / "s.npy", "--seed", 4)
    found = np.load(tmp_path / "s.npy")
    expected = load(home / name).sample(9, random_state=4)
    np.testing.assert_array_equal(found, np.rint(expected).reshape(9, 8, 8))
    assert found.dtype == np.uint8 and 0 <= expected.min() < expected.max() <= 255


def test_a_gaussian_code_takes_no_gibbs_steps(home):
    line = misused("sample", home / "vae.h5", "--steps", 3)
    assert line.endswith("vae.h5 holds a stacked_autoencoder, which draws without Gibbs steps; leave it out")


def test_a_bound_on_the_likelihood(home):
    found = json.loads(run_well("evaluate", home / "tuned.h5", home / "x.npy", "--likelihood", 50, "--json").stdout)[
        "likelihood"
    ]
    values = load(home / "tuned.h5").bound(np.load(home / "x.npy"), 50)
    assert found == {
        "samples": 50, "bound": float(values.mean()), "standard_error": float(values.std() / len(values) ** 0.5),
    }  # fmt: skip
    lines = run_well("evaluate", home / "tuned.h5", home / "x.npy", "--likelihood", 50).stdout.splitlines()
    (line,) = (line for line in lines if line.startswith("log likelihood"))
    assert (
        line
        == f"log likelihood {values.mean():.5g} nats a sample at least, ± {found['standard_error']:.2g}, by 50 draws"
    )
    assert "likelihood" not in run_well("evaluate", home / "tuned.h5", home / "x.npy", "--json").stdout


@pytest.mark.parametrize("name", ["rbms.h5", "classifier.h5", "autoencoder.h5"])
def test_models_without_a_likelihood_are_named(name, home):
    line = refused("evaluate", home / name, home / "x.npy", "--likelihood", 50)
    assert f"{name}: expected a variational model, with one Gaussian layer, its code; found a " in line
    assert "--likelihood" in misused("evaluate", home / "vae.h5", home / "x.npy", "--likelihood", 0)


def test_codes_are_means_and_reconstructions_those_of_the_means(home, tmp_path):
    model, x = load(home / "tuned.h5"), np.load(home / "x.npy")
    run_well("encode", home / "tuned.h5", home / "x.npy", "-o", tmp_path / "c.npy")
    run_well("reconstruct", home / "tuned.h5", home / "x.npy", "-o", tmp_path / "r.npy")
    run_well("decode", home / "tuned.h5", tmp_path / "c.npy", "-o", tmp_path / "d.npy")
    codes, rebuilt = np.load(tmp_path / "c.npy"), np.load(tmp_path / "r.npy")
    np.testing.assert_array_equal(codes, model.transform(x))
    means = model.inverse_transform(codes)
    np.testing.assert_allclose(means, model.reconstruct(x), rtol=1e-5)
    np.testing.assert_array_equal(rebuilt, np.rint(model.reconstruct(x)).reshape(120, 8, 8))
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), np.rint(means).reshape(120, 8, 8))


def test_a_classifier_on_the_means(home, tmp_path, digits):
    np.save(tmp_path / "y.npy", digits.labels[:120])
    flags = ("--labels", tmp_path / "y.npy", "--epochs", 3, "--quiet")
    run_well("finetune", home / "vae.h5", home / "x.npy", "-o", tmp_path / "c.h5", *flags)
    model = load(tmp_path / "c.h5")
    assert [layer.kind for layer in model.network_.layers] == ["dense", "dense", "gaussian", "dense"]
    assert all(record.penalty == 0 for record in model.history_ if record.phase == "finetune")
    run_well("predict", tmp_path / "c.h5", home / "x.npy", "-o", tmp_path / "p.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), model.predict(np.load(home / "x.npy")))


def test_info_shows_the_layers(home):
    lines = run_well("info", home / "vae.h5").stdout.splitlines()
    assert [line for line in lines if line.startswith(("encoder", "decoder", "units"))] == [
        "encoder     64 -> 60 tanh",
        "encoder     60 -> 16 linear",
        "encoder     16 -> 8 kind=gaussian",
        "decoder     8 -> 60 tanh",
        "decoder     60 -> 64 sigmoid",
        "units       VariationalAutoencoder 64-8",
    ]


@pytest.mark.parametrize(
    "sizes, expected", [("[60]", [60]), ("[30, 20]", [30, 20]), ('"30-20"', [30, 20]), ("60", [60])]
)
def test_settings_from_toml(sizes, expected, home, tmp_path):
    settings = (
        f'unit = "vae"\nlayers = [8]\nhidden-layers = {sizes}\nepochs = 1\nlikelihood = "gaussian"\nsamples = 3\n'
    )
    (tmp_path / "run.toml").write_text(settings + "kl-warmup = 2\nquiet = true\nseed = 0\n")
    run_well("pretrain", home / "x.npy", "-o", tmp_path / "m.h5", "--config", tmp_path / "run.toml")
    (unit,) = load(tmp_path / "m.h5").units_
    assert (list(unit.hidden_layers), unit.output, unit.samples, unit.kl_warmup) == (expected, "gaussian", 3, 2)


def test_the_same_hidden_layers_for_every_unit_of_a_stack(home, tmp_path):
    flags = ("--unit", "vae", "--hidden-layers", "30-20", "--layers", "8-4", "--epochs", "1,0", "--binarize", "--quiet")
    run_well("pretrain", home / "x.npy", "-o", tmp_path / "m.h5", *flags)
    lower, upper = load(tmp_path / "m.h5").units_
    assert list(lower.hidden_layers) == list(upper.hidden_layers) == [30, 20]
    assert (lower.output, lower.binarize, lower.epochs) == ("bernoulli", True, 1)
    assert (upper.output, upper.binarize, upper.epochs) == ("gaussian", False, 0)


@pytest.mark.parametrize("sizes", ["", "a", "30-", "0", "30,20", "-3"])
def test_hidden_layers_that_are_no_sizes(sizes, home, tmp_path):
    line = misused(
        "pretrain", home / "x.npy", "-o", tmp_path / "m.h5", "--unit", "vae", "--layers", 8, "--hidden-layers", sizes
    )
    assert "--hidden-layers" in line and "expected sizes such as 1000-500-250-30" in line


def test_binary_draws_of_other_data(home, tmp_path):
    flags = ("--unit", "vae", "--layers", 8, "--binarize")
    line = misused("pretrain", home / "x.npy", "-o", tmp_path / "m.h5", *flags, "--likelihood", "gaussian")
    assert line.startswith("Error: binarize: expected binary data") and not (tmp_path / "m.h5").exists()
    np.save(tmp_path / "y.npy", np.random.default_rng(0).standard_normal((20, 5)))
    line = refused("pretrain", tmp_path / "y.npy", "-o", tmp_path / "m.h5", "-q", *flags)
    assert "binarize: expected binary data" in line and not (tmp_path / "m.h5").exists()
