"""Convolutional autoencoders: shapes, units, stacks of them, classifiers, and their files."""

import logging

import numpy as np
import pytest

from stacked import (
    RBM,
    Autoencoder,
    ConvolutionalAutoencoder,
    DataError,
    SettingError,
    StackedAutoencoder,
    StackedClassifier,
    VariationalAutoencoder,
    load,
)
from stacked import network as network_module
from stacked.choices import CHOICES
from stacked.data import ArrayRows
from stacked.data import encoded as encoded_module
from stacked.kernels.engine.bfloat16 import obstacle
from stacked.layers import Convolution, Dense, Pooling, TransposedConvolution, Unpooling
from stacked.layers.base import Layer
from stacked.training.checkpoint import Checkpointer, load_checkpoint
from stacked.units.chain import chained, decoders, encoders
from stacked.units.principal import start_at_components

SHORT = {"epochs": 2, "batch_size": 50}


@pytest.fixture(scope="module")
def images(small):
    """(300, 8, 8) digits in [0, 1]."""
    return small.reshape(-1, 8, 8)


def stack_units(unpool="upsample", **own):
    """Pooled feature maps, others on them, and a dense code."""
    return [
        ConvolutionalAutoencoder(4, pool=2, unpool=unpool, **SHORT | own),
        ConvolutionalAutoencoder(3, kernel=2, stride=2, output="relu", **SHORT),
        Autoencoder(5, output="relu", activation="linear", start="principal", optimizer="adam", **SHORT),
    ]


# ---- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "own", "code"),
    [
        ((8, 8), {}, (8, 8, 4)),
        ((8, 8, 3), {"stride": 2}, (4, 4, 4)),
        ((7, 9), {"stride": 2, "kernel": 4}, (4, 5, 4)),
        ((7, 9), {"padding": "valid", "kernel": 3}, (5, 7, 4)),
        ((7, 9), {"pool": 2}, (4, 5, 4)),
        ((8, 8), {"pool": 1}, (8, 8, 4)),
        ((12,), {"stride": 3}, (1, 4, 4)),
        ((1, 12, 5), {"stride": 2, "pool": 4}, (1, 2, 4)),
        ((64,), {"sample_shape": (8, 8)}, (8, 8, 4)),
        ((4, 16), {"sample_shape": [2, 8, 4]}, (2, 8, 4)),
    ],
)
def test_shapes_of_codes(shape, own, code):
    halves = ConvolutionalAutoencoder(4, **own).layers(shape)
    assert halves.code_shape == code and halves.n_code == np.prod(code)
    assert halves.encoder[0].n_in == halves.decoder[-1].n_out == np.prod(shape)
    assert halves.decoder[-1].shape_out == halves.encoder[0].shape_in
    assert len(halves.encoder) == len(halves.decoder) == 1 + (own.get("pool", 0) > 1)


def test_layers_of_a_unit():
    (convolution, pooling), (back, last) = ConvolutionalAutoencoder(4, pool=2, tied=True).layers((8, 8))
    assert (convolution, pooling) == (Convolution.on((8, 8, 1), 4, 3), Pooling.on((8, 8, 4), 2))
    assert back == pooling.upsampling() and last == convolution.mirror("sigmoid", 0)
    switched = ConvolutionalAutoencoder(4, pool=2, unpool="switches").layers((8, 8))
    assert switched.decoder == (pooling.unpooling(1), convolution.mirror("sigmoid"))


def test_the_partner_of_unpooling_is_found_in_the_whole_chain():
    units = [
        ConvolutionalAutoencoder(4, pool=2, unpool="switches"),
        ConvolutionalAutoencoder(3, pool=2, unpool="switches"),
        RBM(5),
    ]
    chain = chained(units, (8, 8))
    layers = [*encoders(chain), *decoders(chain)]
    kinds = [Convolution, Pooling, Convolution, Pooling, Dense, Dense]
    kinds += [Unpooling, TransposedConvolution, Unpooling, TransposedConvolution]
    assert [type(layer) for layer in layers] == kinds
    assert (layers[6].partner, layers[8].partner) == (3, 1)
    for index, layer in enumerate(layers):
        layer.check_after(layers[:index])
    assert [layer.needs_from(index) for index, layer in enumerate(layers)] == [0, 1, 2, 3, 4, 5, 3, 7, 1, 9]


def test_layers_that_do_not_follow_one_another_make_no_network():
    convolution, pooling = Convolution.on((4, 6, 1), 2, 3), Pooling.on((4, 6, 2), 2)
    small = Pooling.on((2, 3, 2), 2)
    for layers, message in (
        ((convolution, Convolution.on((4, 5, 2), 2, 3)), "takes 40 inputs, but the layer below gives 48"),
        (
            (convolution, Convolution.on((6, 4, 2), 2, 3)),
            r"takes maps of \(6, 4, 2\), but the layer below gives \(4, 6, 2\)",
        ),
        ((convolution, pooling, pooling.unpooling(0)), "a pooling layer as partner 0, found a convolution layer"),
        ((convolution, pooling, pooling.unpooling(2)), "partner 2, found no layer before this one"),
        ((convolution, pooling, pooling.unpooling(-1)), "partner -1, found no layer before this one"),
        ((pooling, small, small.unpooling(0)), r"its partner 0 pools maps of \(4, 6, 2\), or by other windows"),
    ):
        with pytest.raises(ValueError, match=message):
            network_module.Network.zeros(layers, "float32")


@pytest.mark.parametrize(
    ("own", "shape", "message"),
    [
        (
            {"sample_shape": (8, 9)},
            (8, 8),
            "sample_shape: expected the shape of samples of 64 numbers, found 8 x 9, which are 72",
        ),
        ({"sample_shape": 64}, (8, 8), "sample_shape: expected a sequence of whole numbers"),
        (
            {"sample_shape": (64,)},
            (8, 8),
            "sample_shape: expected \\(height, width\\) or \\(height, width, channels\\), or None",
        ),
        ({"sample_shape": (8, 0)}, (8, 8), "sample_shape: expected a whole number of at least 1, found 0"),
        ({}, (2, 2, 4, 4), "sample_shape: expected samples of \\(height, width\\) or .* found 2 x 2 x 4 x 4; reshape"),
        ({"kernel": 9, "padding": "valid"}, (8, 8), "kernel: a kernel of 9 does not fit 8 pixels; use a smaller one"),
        ({"kernel": 5000}, (8, 8), "kernel: expected a whole number of at most 4096"),
        ({"stride": 0}, (8, 8), "stride: expected a whole number of at least 1"),
        ({"pool": -1}, (8, 8), "pool: expected a whole number of at least 0"),
        ({"padding": "full"}, (8, 8), "padding: expected one of same, valid"),
        ({"unpool": "switches"}, (8, 8), "unpool: switches has no effect without pooling; set pool too"),
        ({"emphasis": (1, 0)}, (8, 8), "emphasis: has no effect without noise"),
        ({"sparsity_target": 0.1, "sparsity_weight": 1}, (8, 8), "sparsity_target: expected sigmoid or tanh codes"),
    ],
)
def test_settings_that_cannot_be_are_refused(own, shape, message):
    x = np.random.default_rng(0).random((5, *shape)).astype(np.float32)
    with pytest.raises(SettingError, match="^" + message) as caught:
        ConvolutionalAutoencoder(4, **own).fit(x)
    assert "\n" not in str(caught.value)


def test_an_upper_unit_reads_the_maps_below_in_their_shape(images):
    units = [ConvolutionalAutoencoder(4), ConvolutionalAutoencoder(3, output="relu", sample_shape=(16, 16))]
    with pytest.raises(
        SettingError, match=r"^sample_shape: expected \(8, 8, 4\), the maps that unit 1 gives, found \(16, 16, 1\)"
    ):
        StackedAutoencoder(units).fit(images)


def test_flat_rows_are_signals_unless_they_are_told_to_be_images(images, small, caplog):
    caplog.set_level(logging.INFO, CHOICES)
    signals = ConvolutionalAutoencoder(3, random_state=0, **SHORT).fit(small)
    assert signals.network_.layers[0].shape_in == (1, 64, 1) and signals.scaling_.sample_shape == (1, 64, 1)
    assert "flat rows of 64 numbers are taken for signals, maps of 1 x 64; images need sample_shape" in caplog.text
    caplog.clear()
    told = ConvolutionalAutoencoder(3, random_state=0, sample_shape=(8, 8), **SHORT).fit(small)
    given = ConvolutionalAutoencoder(3, random_state=0, **SHORT).fit(images)
    assert told.scaling_.sample_shape == given.scaling_.sample_shape == (8, 8) and not caplog.text
    np.testing.assert_array_equal(told.transform(small), given.transform(images))
    np.testing.assert_array_equal(given.transform(small), given.transform(images))  # the trained shape counts


def test_images_of_several_channels_and_bytes():
    x = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)
    unit = ConvolutionalAutoencoder(4, random_state=0, **SHORT).fit(x)
    assert unit.network_.layers[0].shape_in == (6, 5, 3) and unit.scaling_.method == "images"
    assert unit.reconstruct(x).shape == (40, 90)
    with pytest.raises(DataError, match="X has 75 features, but the model is expecting 90"):
        unit.transform(x[:, :5])


# ---- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [{}, {"tied": True}, {"stride": 2, "kernel": 4}, {"pool": 2}, {"pool": 2, "unpool": "switches"},
                                 {"corruption_level": 0.3}, {"optimizer": "momentum"}, {"padding": "valid", "activation": "tanh"},
                                 {"code_l1": 1e-3}, {"output": "linear"}])  # fmt: skip
def test_a_unit_learns(own, images):
    unit = ConvolutionalAutoencoder(6, epochs=12, batch_size=20, random_state=0, **own).fit(images)
    losses = [record.loss for record in unit.history_]
    constant = np.square(images - images.mean(axis=0)).sum(axis=(1, 2)).mean()
    assert losses[-1] < 0.8 * losses[0] and -unit.score(images) < constant
    assert unit.weight_.shape == (own.get("kernel", 3),) * 2 + (1, 6) and unit.hidden_bias_.shape == (6,)
    assert unit.visible_bias_.shape == (1,)


@pytest.mark.parametrize("pool", [0, 2])
@pytest.mark.parametrize("own", [{"code_l1": 0.01}, {"sparsity_target": 0.1, "sparsity_weight": 0.3}])
def test_penalties_are_on_the_maps_before_pooling(own, pool, images):
    def codes(**settings):
        unit = ConvolutionalAutoencoder(
            4, pool=pool, activation="sigmoid", epochs=8, batch_size=20, random_state=0, **settings
        )
        return unit.fit(images).feature_maps(images, 0), unit

    (plain, _), (sparse, unit) = codes(), codes(**own)
    assert sparse.mean() < plain.mean() and unit.history_[-1].penalty > 0
    layer = np.float64(unit.feature_maps(images, 0).reshape(300, -1))
    if "code_l1" in own:
        per_row = 0.01 * np.abs(layer).sum(axis=1).mean()
        assert unit.history_[-1].penalty == pytest.approx(per_row, rel=0.3)  # of the weights on the way


def test_the_same_bits_in_float32_for_any_number_of_threads(images):
    one, two = (
        ConvolutionalAutoencoder(4, pool=2, corruption_level=0.2, n_threads=n, random_state=0, **SHORT).fit(images)
        for n in (1, 2)
    )
    assert one.network_.params.tobytes() == two.network_.params.tobytes()
    assert one.transform(images).tobytes() == two.transform(images).tobytes()


def test_passes_come_to_the_bits_of_one_fit(images):
    whole = ConvolutionalAutoencoder(4, random_state=0, validation_fraction=0, epochs=3, batch_size=50).fit(images)
    passes = ConvolutionalAutoencoder(4, random_state=0, batch_size=50)
    for x in (images, images.reshape(300, -1), images[..., None]):
        passes.partial_fit(x)
    np.testing.assert_array_equal(whole.network_.params, passes.network_.params)


def test_line_searches_and_float64(images):
    for own in ({"optimizer": "lbfgs"}, {"precision": "float64", "pool": 2}):
        unit = ConvolutionalAutoencoder(3, random_state=0, epochs=2, **own).fit(images)
        assert np.isfinite(unit.score(images)) and unit.history_[-1].loss < unit.history_[0].loss


@pytest.mark.skipif(obstacle() is not None, reason="bfloat16: this CPU cannot")
def test_products_of_convolutions_stay_float32(images):
    one, two = (
        ConvolutionalAutoencoder(3, precision=name, random_state=0, **SHORT).fit(images)
        for name in ("float32", "bfloat16")
    )
    np.testing.assert_array_equal(one.network_.params, two.network_.params)
    stack = StackedAutoencoder(stack_units(), precision="bfloat16", finetune_epochs=1, random_state=0).fit(images)
    other = StackedAutoencoder(stack_units(), finetune_epochs=1, random_state=0).fit(images)
    assert 0 < np.abs(stack.network_.params - other.network_.params).max() < 0.1


def test_codes_of_switches_are_not_decoded_alone(images):
    unit = ConvolutionalAutoencoder(4, pool=2, unpool="switches", random_state=0, **SHORT).fit(images)
    codes = unit.transform(images)
    with pytest.raises(
        SettingError, match=r"^unpool: expected codes that can be decoded by themselves, found unpooling layers"
    ):
        unit.inverse_transform(codes)
    assert unit.reconstruct(images).shape == (300, 64) and np.isfinite(unit.score_samples(images)).all()
    copies = ConvolutionalAutoencoder(4, pool=2, random_state=0, **SHORT).fit(images)
    np.testing.assert_allclose(
        copies.inverse_transform(copies.transform(images)), copies.reconstruct(images), rtol=1e-5, atol=1e-6
    )


def test_feature_maps_and_filters(images):
    stack = StackedAutoencoder(stack_units(), random_state=0).pretrain(images)
    maps = stack.feature_maps(images, 0)
    assert maps.shape == (300, 8, 8, 4) and stack.feature_maps(images, 1).shape == (300, 4, 4, 4)
    np.testing.assert_array_equal(maps.reshape(300, 4, 2, 4, 2, 4).max(axis=(2, 4)), stack.feature_maps(images, 1))
    np.testing.assert_array_equal(stack.feature_maps(images, -2), stack.feature_maps(images, 2))
    filters = stack.filters()
    assert filters.shape == (4, 3, 3, 1) and stack.filters(2).shape == (3, 2, 2, 4)
    np.testing.assert_array_equal(filters[1, ..., 0], stack.network_.weight(0)[..., 0, 1])
    for layer, message in (
        (3, "found layer 3, which is dense"),
        (-1, "found layer -1, which is dense"),
        (4, "at most 3"),
        (0.5, "whole"),
    ):
        with pytest.raises(SettingError, match=rf"^layer: .*{message}"):
            stack.feature_maps(images, layer)
    with pytest.raises(SettingError, match=r"^layer: expected a convolution, found layer 1, which is pooling$"):
        stack.filters(1)


# ---- stacks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unpool", ["upsample", "switches"])
def test_a_stack_is_its_units_one_on_another(unpool, images):
    stack = StackedAutoencoder(stack_units(unpool), random_state=0).pretrain(images)
    codes = images
    for unit in stack.units_:
        codes = unit.transform(codes)
    np.testing.assert_array_equal(stack.transform(images), codes)
    for unit in stack.units_[:0:-1]:
        codes = unit.inverse_transform(codes)
    if unpool == "upsample":
        np.testing.assert_allclose(
            stack.units_[0].inverse_transform(codes),
            stack.inverse_transform(stack.transform(images)),
            rtol=1e-4,
            atol=1e-5,
        )
    assert [unit.n_features_in_ for unit in stack.units_] == [64, 64, 12]


def test_each_unit_trains_on_the_clean_maps_of_the_one_below(images):
    units = stack_units(corruption_level=0.4)
    stack = StackedAutoencoder(units, random_state=0).pretrain(images)
    below = stack.units_[0].feature_maps(images)
    alone = ConvolutionalAutoencoder(3, kernel=2, stride=2, output="relu", scaling="none", random_state=0, **SHORT).fit(
        below
    )
    assert alone.network_.layers == stack.units_[1].network_.layers
    assert alone.history_[0].loss == pytest.approx(stack.units_[1].history_[0].loss, rel=0.5)


@pytest.mark.parametrize("unpool", ["upsample", "switches"])
def test_a_stack_is_fine_tuned_saved_and_loaded(unpool, images, tmp_path):
    stack = StackedAutoencoder(stack_units(unpool), finetune_epochs=5, random_state=0).pretrain(images)
    before = stack.score(images)
    stack.finetune(images).save(tmp_path / "model.h5")
    assert stack.score(images) > before
    again = load(tmp_path / "model.h5")
    assert again.network_.layers == stack.network_.layers and again.scaling_ == stack.scaling_
    assert [unit.network_.layers for unit in again.units_] == [unit.network_.layers for unit in stack.units_]
    for one, other in zip(again.units_, stack.units_, strict=True):
        np.testing.assert_array_equal(one.network_.params, other.network_.params)
    np.testing.assert_array_equal(again.reconstruct(images), stack.reconstruct(images))
    np.testing.assert_array_equal(again.transform(images.reshape(300, -1)), stack.transform(images))
    again.finetune(images)


def test_a_classifier_on_maps(images, digits, tmp_path):
    labels = digits.labels[:300]
    classifier = StackedClassifier(stack_units(), finetune_epochs=30, random_state=0).fit(images, labels)
    assert classifier.score(images, labels) > 0.85
    classifier.save(tmp_path / "model.h5")
    np.testing.assert_array_equal(load(tmp_path / "model.h5").predict_proba(images), classifier.predict_proba(images))
    stack = StackedAutoencoder(stack_units(), random_state=0).pretrain(images)
    on = StackedClassifier.on(stack, finetune_epochs=2, finetune_learning_rate=0.003).finetune(images, labels)
    assert on.network_.layers[:4] == stack.network_.layers[:4] and on.predict(images).shape == (300,)


def test_an_untrained_stack_is_fine_tuned_from_random_weights(images):
    stack = StackedAutoencoder(stack_units(), finetune_epochs=8, finetune_batch_size=20, random_state=0).finetune(
        images
    )
    losses = [record.loss for record in stack.history_]
    assert losses[-1] < 0.9 * losses[0] and stack.network_.layers[0].shape_in == (8, 8, 1)


def test_other_units_above_and_below_maps(images):
    above = [
        ConvolutionalAutoencoder(3, **SHORT),
        VariationalAutoencoder(2, hidden_layers=(9,), output="gaussian", **SHORT),
    ]
    stack = StackedAutoencoder(above, finetune_epochs=1, random_state=0).fit(images)
    assert stack.sample(3, random_state=0).shape == (3, 64)
    below = [RBM(36, **SHORT), ConvolutionalAutoencoder(3, sample_shape=(6, 6), **SHORT)]
    stack = StackedAutoencoder(below, finetune_epochs=1, random_state=0).fit(images)
    assert [layer.shape_in for layer in stack.network_.layers[:2]] == [(64,), (6, 6, 1)]


def test_maps_are_not_taken_for_pairs_of_mirrored_units(images, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "stacked.units.autoencoder.start_at_components", lambda network, source, subset: seen.append(source.paired)
    )
    relu = {"activation": "relu", "start": "principal", **SHORT}
    units = [
        ConvolutionalAutoencoder(3, **SHORT),
        Autoencoder(8, output="relu", **relu),
        Autoencoder(4, output="relu", **relu),
    ]
    StackedAutoencoder(units, random_state=0).pretrain(images)
    assert seen == [False, True] and start_at_components is not None


# ---- runs ------------------------------------------------------------------------------------------------------------


def test_a_streamed_set_trains_to_the_bits_of_one_in_memory(images, monkeypatch):
    whole = StackedAutoencoder(stack_units(), finetune_epochs=2, random_state=0).fit(images)
    monkeypatch.setattr(encoded_module, "available_memory", lambda: 0)  # codes are computed on the fly

    class Streamed(ArrayRows):
        in_memory = False

    streamed = StackedAutoencoder(stack_units(), finetune_epochs=2, random_state=0).fit(Streamed(images))
    np.testing.assert_array_equal(streamed.network_.params, whole.network_.params)


@pytest.mark.parametrize("records", [1, 3, 5, 7])
def test_an_interrupted_run_goes_on_to_the_same_bits(records, images, tmp_path):
    """Two epochs of each of three units, then fine-tuning; rows are given flat when it goes on."""
    path, seen = tmp_path / "run.h5", []

    def stop(record):
        seen.append(record)
        if len(seen) == records:
            raise InterruptedError

    def units():
        return stack_units("switches", corruption_level=0.2)

    whole = StackedAutoencoder(units(), finetune_epochs=3, random_state=0).fit(images)
    stack = StackedAutoencoder(units(), finetune_epochs=3, random_state=0)
    with pytest.raises(InterruptedError):
        stack.pretrain(images, callback=stop, checkpoint=Checkpointer(path, 0))
        stack.finetune(images, callback=stop, checkpoint=Checkpointer(path, 0))
    run = load_checkpoint(path)
    flat = images.reshape(300, -1)
    getattr(run.model, run.phase)(flat, resume=run.resume)
    if run.phase == "pretrain":
        run.model.finetune(flat)
    np.testing.assert_array_equal(run.model.network_.params, whole.network_.params)


def test_answers_that_do_not_fit_into_memory_are_refused_in_a_line(images, tmp_path, monkeypatch):
    unit = ConvolutionalAutoencoder(3, random_state=0, **SHORT).fit(images)
    unit.save(tmp_path / "model.h5")
    monkeypatch.setattr(network_module, "available_memory", lambda: 50_000)
    with pytest.raises(
        SettingError, match=r"^batch_size: expected answers of at most 0.0 GiB, the memory available, found"
    ):
        ConvolutionalAutoencoder(3, random_state=0, batch_size=200, epochs=1).fit(images)
    with pytest.raises(SettingError, match=r"^batch_size: "):
        unit.transform(images)
    with pytest.raises(ValueError, match="the loaded model cannot answer"):
        load(tmp_path / "model.h5")


def test_layers_say_what_a_chain_must_know_of_them():
    assert Layer(4, 3).shape_in == (4,) and Layer(4, 3).shape_out == (3,) and Layer(4, 3).reach == 4
    assert Convolution.on((8, 8, 2), 5, 3).reach == 45 and Convolution.on((8, 8, 7), 5, 3).mirror("relu").reach == 63
    assert Pooling.on((8, 8, 2), 2).reach == 4
    assert Dense(3, 4, "relu", 1).moved(2).tied_to == 3 and Dense(3, 4, "relu").moved(2) == Dense(3, 4, "relu")
