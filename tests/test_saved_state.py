"""What a file keeps: every parameter, every fitted attribute, every unit in its place, and where an unfinished run stood."""

import dataclasses

import numpy as np
import pytest

from stacked import RBM, Autoencoder, StackedAutoencoder, StackedClassifier, VariationalAutoencoder, load
from stacked.files import Baseline
from stacked.models.loading import KINDS
from stacked.models.saving import jsonable
from stacked.network import Network
from stacked.scaling import identity
from stacked.training.checkpoint import Checkpointer, load_checkpoint
from stacked.training.loop import Progress, Record

X = (np.random.default_rng(0).random((60, 6)) * 4 - 1).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (60, 2, 3)).astype(np.uint8)
Y = np.arange(60) % 3
SHORT = {"epochs": 1, "batch_size": 20}
COMMON = {
    "n_hidden": 5, "learning_rate": [[0, 0.002], [1, 0.001]], "momentum": [[0, 0.3], [1, 0.4]], "weight_decay": 0.003,
    "l1": 0.0004, "batch_size": 17, "epochs": 2, "validation_fraction": 0.3, "patience": 4, "scaling": "standard",
    "precision": "float64", "random_state": 11,
}  # fmt: skip
FINETUNING = {
    "finetune_epochs": 3, "finetune_optimizer": "nesterov", "finetune_learning_rate": [[0, 0.02], [2, 0.01]],
    "finetune_momentum": [[0, 0.6], [1, 0.7]], "finetune_linear_decay": False, "finetune_batch_size": 19,
    "finetune_weight_decay": 0.005, "finetune_l1": 0.0006, "line_searches": 2, "validation_fraction": 0.25,
    "patience": 5, "scaling": "minmax", "precision": "float64", "random_state": 12,
}  # fmt: skip
RECURRENT = {
    **COMMON, "cell": "lstm", "output": "linear", "loss": "squared_error", "corruption": "salt_and_pepper", "corruption_level": 0.1,
    "emphasis": [1.5, 0.5], "code_l1": 0.01, "clip_norm": 0.5, "optimizer": "nesterov", "line_searches": 4,
}  # fmt: skip
OTHERS = {  # a value other than the default for every parameter of every estimator
    "rbm": {
        **COMMON, "visible": "gaussian", "hidden": "rectified", "k": 2, "persistent": True, "sparsity_target": None,
        "sparsity_weight": 0.0, "sparsity_decay": 0.8,
    },
    "autoencoder": {
        **COMMON, "activation": "tanh", "output": "linear", "loss": "squared_error", "corruption": "salt_and_pepper",
        "corruption_level": 0.1, "emphasis": [1.5, 0.5], "code_l1": 0.01, "contraction": 0.02,
        "sparsity_target": 0.2, "sparsity_weight": 0.03, "tied": False, "start": "random", "optimizer": "adam", "line_searches": 4,
    },
    "convolutional": {
        **COMMON, "activation": "tanh", "output": "linear", "loss": "squared_error", "corruption": "salt_and_pepper",
        "corruption_level": 0.1, "emphasis": [1.5, 0.5], "code_l1": 0.01, "sparsity_target": 0.2, "sparsity_weight": 0.03,
        "kernel": 2, "stride": 2, "padding": "valid", "pool": 2, "unpool": "switches", "tied": True, "sample_shape": [2, 3],
        "optimizer": "nesterov", "line_searches": 4,
    },
    "recurrent": RECURRENT,
    "sequence": {**RECURRENT, "hidden_layers": [4], "reverse": False, "forcing": True},
    "vae": {
        **COMMON, "hidden_layers": [6, 4], "activation": "relu", "output": "gaussian", "binarize": False, "samples": 2,
        "kl_warmup": 3, "optimizer": "nesterov", "line_searches": 4,
    },
    "stacked_autoencoder": {
        **FINETUNING, "finetune_loss": "squared_error", "finetune_code_l1": 0.02, "finetune_sparsity_target": 0.3,
        "finetune_sparsity_weight": 0.04,
    },
    "stacked_classifier": FINETUNING,
}  # fmt: skip
SPARSE = {**OTHERS["rbm"], "hidden": "bernoulli", "sparsity_target": 0.2, "sparsity_weight": 0.3}
PRINCIPAL = {
    **OTHERS["autoencoder"], "activation": "relu", "start": "principal", "sparsity_target": None, "sparsity_weight": 0.0,
}  # fmt: skip
BINARY = {**OTHERS["vae"], "output": "bernoulli", "binarize": True, "scaling": "minmax"}
# A target excludes other hidden units, and binary draws exclude other outputs.
SETS = [*OTHERS.items(), ("autoencoder", PRINCIPAL), ("rbm", SPARSE), ("vae", BINARY)]


OF_UNITS = ("units", "unit", "code", "unit_settings", "n_threads", "verbose")


def own_params(model):
    """Parameters that belong to the model: not its units, nor what they were made from, the machine's threads, and who watches."""
    params = model.get_params(deep=False)
    return {name: jsonable(value) for name, value in params.items() if name not in OF_UNITS}


def made(kind, params):
    """A fitted estimator with these parameters; a stack's units have none at its default."""
    if not kind.startswith("stacked"):
        return KINDS[kind](n_threads=1, verbose=1, **params).fit(X)
    lower = Autoencoder(**{**OTHERS["autoencoder"], "activation": "sigmoid"})
    upper = RBM(**{**SPARSE, "visible": "gaussian", "n_hidden": 3})
    return KINDS[kind]([lower, upper], n_threads=1, **params).fit(X, Y)


def assert_same(found, expected, where="model"):
    """Two values, compared to the last bit with all that they hold."""
    assert type(found) is type(expected), where
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype, where
        np.testing.assert_array_equal(found, expected, err_msg=where)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    elif hasattr(expected, "get_params"):
        assert own_params(found) == own_params(expected), where
        params = expected.get_params(deep=False).keys()
        assert vars(found).keys() - params == vars(expected).keys() - params, where
        for name in vars(expected).keys() - params | ({"units"} & params):
            assert_same(getattr(found, name), getattr(expected, name), f"{where}.{name}")
    elif isinstance(expected, Baseline):
        assert found.arrays().keys() == expected.arrays().keys() != set(), where
        for name, array in expected.arrays().items():
            assert_same(found.arrays()[name], array, f"{where}.{name}")
    elif isinstance(expected, Network):
        assert (found.layers, found.bfloat16) == (expected.layers, expected.bfloat16), where
        assert_same(found.params, expected.params, f"{where}.params")
    else:
        assert found == expected, where


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_here_is_a_default_and_no_parameter_is_missing(kind):
    defaults, sets = own_params(KINDS[kind]()), [params for known, params in SETS if known == kind]
    assert all(params.keys() == defaults.keys() for params in sets)
    assert [name for name in defaults if all(params[name] == defaults[name] for params in sets)] == []


@pytest.mark.parametrize(("kind", "params"), SETS)
def test_every_parameter_and_every_fitted_attribute_survives(kind, params, tmp_path):
    model = made(kind, params)
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert own_params(again) == params and (again.n_threads, again.verbose) == (None, 0)
    assert_same(again, model)


@pytest.mark.parametrize("phase", ["pretrain", "finetune"])
@pytest.mark.parametrize("kind", ["stacked_autoencoder", "stacked_classifier"])
def test_a_checkpoint_keeps_every_parameter_too(kind, phase, tmp_path):
    model = made(kind, OTHERS[kind])
    if phase == "pretrain":
        model.pretrain(X, checkpoint=Checkpointer(tmp_path / "run.h5", 0))
    else:
        model.finetune(X, Y, checkpoint=Checkpointer(tmp_path / "run.h5", 0))
    again = load_checkpoint(tmp_path / "run.h5").model
    assert own_params(again) == own_params(model)
    assert_same(again.units, model.units)
    for name in ("seed_", "scaling_", "n_features_in_", "n_code_layers_"):
        assert_same(getattr(again, name), getattr(model, name), name)


@pytest.mark.parametrize("x, scaling", [(IMAGES, "auto"), (X, "minmax")])
def test_units_are_loaded_with_the_scaling_of_their_own_data(x, scaling, tmp_path):
    model = StackedAutoencoder([RBM(4, **SHORT), RBM(3, **SHORT)], scaling=scaling, random_state=0).pretrain(x)
    model.save(tmp_path / "model.h5")
    first, second = load(tmp_path / "model.h5").units_
    assert first.scaling_ == model.scaling_ and second.scaling_ == identity((4,), "float32")
    codes = first.transform(x)
    np.testing.assert_array_equal(codes, model.units_[0].transform(x))
    np.testing.assert_array_equal(second.transform(codes), model.transform(x))
    np.testing.assert_array_equal(second.reconstruct(codes), model.units_[1].reconstruct(codes))


def test_a_dozen_units_keep_their_order(tmp_path):
    sizes = [9, 4, 8, 3, 7, 2, 6, 12, 5, 11, 10, 13]  # in an order of their own: another one shows
    units = [RBM(size, batch_size=30, epochs=1 + index % 2) for index, size in enumerate(sizes)]
    model = StackedAutoencoder(units, scaling="minmax", finetune_epochs=2, random_state=0).fit(X)
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert_same(again, model)
    assert [unit.n_hidden for unit in again.units_] == sizes
    assert [layer.n_out for layer in again.network_.layers] == [*sizes, *sizes[-2::-1], 6]
    expected = [(unit, epoch) for unit in range(12) for epoch in range(1 + unit % 2)] + [(-1, 0), (-1, 1)]
    assert [(record.unit, record.epoch) for record in again.history_] == expected
    again.save(tmp_path / "again.h5")
    assert_same(load(tmp_path / "again.h5"), model)


def test_a_run_in_its_twelfth_unit_goes_on_there(tmp_path):
    def stack():
        units = [RBM(2 + index, batch_size=30, epochs=2) for index in range(12)]
        return StackedAutoencoder(units, scaling="minmax", random_state=0)

    def stop(record):
        if (record.unit, record.epoch) == (11, 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack().pretrain(X, callback=stop, checkpoint=Checkpointer(tmp_path / "run.h5", 0))
    run = load_checkpoint(tmp_path / "run.h5")
    assert (run.resume.unit, run.resume.progress.epoch) == (11, 1)
    assert [(record.unit, record.epoch) for record in run.model.history_] == [(u, e) for u in range(11) for e in (0, 1)]
    assert [(record.unit, record.epoch) for record in run.resume.progress.history] == [(11, 0)]
    run.model.pretrain(X, resume=run.resume)
    np.testing.assert_array_equal(run.model.network_.params, stack().pretrain(X).network_.params)


class Spy(Checkpointer):
    """Also keeps what the newest checkpoint was made from."""

    def at(self, stack, phase, unit):
        write = super().at(stack, phase, unit)

        def reached(progress, arrays):
            kept = {**dataclasses.asdict(progress), "history": list(progress.history)}
            self.progress, self.arrays = kept, {name: array.copy() for name, array in arrays.items()}
            self.place = (phase, unit)
            write(progress, arrays)

        return reached


RUNS = {
    "persistent chains": (RBM(4, persistent=True, epochs=3, batch_size=20), {}),
    "sparsity target": (RBM(4, sparsity_target=0.1, sparsity_weight=0.2, epochs=3, batch_size=20), {}),
    "validation": (RBM(4, epochs=3, batch_size=20), {"validation_fraction": 0.2, "patience": 3}),
    "variational": (VariationalAutoencoder(4, hidden_layers=(5,), kl_warmup=2, epochs=3, batch_size=20), {}),
    "adam": (Autoencoder(4, optimizer="adam", learning_rate=0.01, epochs=3, batch_size=20), {}),
}


@pytest.mark.parametrize("phase", ["pretrain", "finetune"])
@pytest.mark.parametrize("name", RUNS)
def test_everything_that_a_run_knows_of_its_progress_is_in_the_checkpoint(name, phase, tmp_path):
    unit, settings = RUNS[name]
    model = StackedAutoencoder([unit], scaling="minmax", finetune_epochs=3, random_state=0, **settings)
    spy = Spy(tmp_path / "run.h5", 0, {"data": "rows"})
    if phase == "finetune":
        model.pretrain(X)
    getattr(model, phase)(X, checkpoint=spy)
    run = load_checkpoint(tmp_path / "run.h5")
    assert (run.phase, run.resume.unit, run.notes) == (*spy.place, {"data": "rows"})
    assert spy.progress["reference_loss"] > 0 and spy.progress["epoch"] == 3
    found = run.resume.progress
    for name in {field.name for field in dataclasses.fields(Progress)} - {"best_params"}:
        assert getattr(found, name) == spy.progress[name], name
    arrays = dict(run.resume.arrays)
    best = arrays.pop("best_params", None)
    assert (best is None) == (spy.progress["best_params"] is None) == (not settings)
    if best is not None:
        np.testing.assert_array_equal(best, spy.progress["best_params"])
    assert arrays.keys() == spy.arrays.keys()
    for name, array in spy.arrays.items():
        assert_same(arrays[name], array, name)


def test_every_field_of_a_record_survives_with_its_validation_loss_or_none(tmp_path):
    model = RBM(3, epochs=2, scaling="minmax", random_state=0).fit(X)
    model.history_ = [
        Record("pretrain", 0, 0, 2, 5.5, None, 0.25, 240.0),
        Record("pretrain", 0, 1, 2, 4.5, 4.25, 0.5, 120.0),
    ]
    model.save(tmp_path / "model.h5")
    assert load(tmp_path / "model.h5").history_ == model.history_


ORIGINALS = {
    "unit": lambda x: RBM(5, random_state=0, **SHORT).fit(x),
    "stack": lambda x: StackedAutoencoder([RBM(5, **SHORT)], finetune_epochs=1, random_state=0).fit(x),
}


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("name", ORIGINALS)
@pytest.mark.parametrize("trained_on", ["images", "floats"])
def test_reconstructions_come_in_the_units_of_the_rows_and_decoded_codes_in_those_of_the_training(
    name, trained_on, saved, tmp_path
):
    floats = (IMAGES / 255).astype(np.float32).reshape(60, 6)
    model = ORIGINALS[name](IMAGES if trained_on == "images" else floats)
    if saved:
        model.save(tmp_path / "model.h5")
        model = load(tmp_path / "model.h5")
    in_unit, in_bytes = model.reconstruct(floats), model.reconstruct(IMAGES)
    assert in_unit.min() > 0 and in_unit.max() < 1
    np.testing.assert_allclose(in_bytes, in_unit * 255, rtol=1e-4)
    decoded = model.inverse_transform(model.transform(IMAGES))
    np.testing.assert_allclose(decoded, in_bytes if trained_on == "images" else in_unit, rtol=1e-4)
    np.testing.assert_allclose(model.transform(floats), model.transform(IMAGES), rtol=1e-4)
    assert model.score(IMAGES) == pytest.approx(model.score(floats), rel=1e-4)
    assert -model.score(floats) == pytest.approx(np.square(in_unit - floats).sum(axis=1).mean(), rel=1e-4)


@pytest.mark.parametrize("scaling", ["minmax", "standard"])
def test_a_fitted_scaling_is_undone_for_other_rows_too(scaling):
    model = Autoencoder(5, output="linear", learning_rate=0.01, scaling=scaling, random_state=0, **SHORT).fit(X)
    scale, offset = model.scaling_.scale, model.scaling_.offset
    other = X[:7] * 1.5
    hidden = 1 / (1 + np.exp(-((other * scale + offset) @ model.weight_ + model.hidden_bias_)))
    scaled = hidden @ model.weight_.T + model.visible_bias_
    np.testing.assert_allclose(model.reconstruct(other), (scaled - offset) / scale, rtol=1e-4, atol=1e-4)


def classifier():
    return StackedClassifier([RBM(4, **SHORT)], finetune_epochs=3, scaling="minmax", random_state=0).fit(X, Y)


@pytest.mark.parametrize("labels", [Y + 1, Y * 2, np.array(["a", "b", "c"])[Y], Y % 2])
@pytest.mark.parametrize("saved", [False, True])
def test_other_classes_get_a_new_head_on_the_same_encoder(labels, saved, tmp_path):
    model = classifier()
    if saved:
        model.save(tmp_path / "model.h5")
        model = load(tmp_path / "model.h5")
    encoder = [model.network_.weight(0).copy(), model.network_.bias(0).copy()]
    assert np.abs(model.network_.weight(1)).max() > 0
    model.set_params(finetune_epochs=0).finetune(X, labels)
    assert model.classes_.tolist() == np.unique(labels).tolist()
    assert model.network_.weight(1).shape == (4, len(model.classes_))
    assert not model.network_.weight(1).any() and not model.network_.bias(1).any()
    assert_same([model.network_.weight(0).copy(), model.network_.bias(0).copy()], encoder)
    np.testing.assert_allclose(model.predict_proba(X), 1 / len(model.classes_), rtol=1e-6)


def test_the_same_classes_keep_their_head():
    model = classifier()
    before = model.network_.params.copy()
    model.set_params(finetune_epochs=0).finetune(X, Y[::-1].copy())
    np.testing.assert_array_equal(model.network_.params, before)
