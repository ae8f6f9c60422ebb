"""The estimators: training helps, parameters are checked, inputs stay as they were, answers are consistent."""

import h5py
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from stacked import RBM, Autoencoder, DataError, SettingError, StackedAutoencoder, StackedClassifier
from stacked.kernels.arithmetic.activations import ACTIVATIONS

UNITS = {
    "rbm": RBM(32, epochs=8, random_state=0),
    "rbm cd-3": RBM(32, k=3, epochs=8, random_state=0),
    "rbm persistent": RBM(32, persistent=True, learning_rate=0.1, momentum=0.5, epochs=20, random_state=0),
    "rbm gaussian code": RBM(16, hidden="gaussian", learning_rate=0.02, epochs=20, random_state=0),
    "rbm rectified": RBM(32, hidden="rectified", learning_rate=0.02, epochs=20, random_state=0),
    "rbm gaussian visible": RBM(
        32, visible="gaussian", scaling="standard", learning_rate=0.01, epochs=20, random_state=0
    ),
    "autoencoder": Autoencoder(32, epochs=8, random_state=0),
    "autoencoder untied": Autoencoder(32, tied=False, epochs=8, random_state=0),
    "autoencoder nesterov": Autoencoder(32, optimizer="nesterov", epochs=8, random_state=0),
    "autoencoder adam": Autoencoder(32, optimizer="adam", learning_rate=0.005, epochs=8, random_state=0),
    "autoencoder cg": Autoencoder(32, optimizer="cg", batch_size=300, epochs=8, random_state=0),
    "autoencoder lbfgs": Autoencoder(32, optimizer="lbfgs", batch_size=300, epochs=8, random_state=0),
    "masking": Autoencoder(32, corruption_level=0.25, epochs=8, random_state=0),
    "salt and pepper": Autoencoder(32, corruption="salt_and_pepper", corruption_level=0.1, epochs=8, random_state=0),
    "gaussian noise": Autoencoder(32, corruption="gaussian", corruption_level=0.2, epochs=8, random_state=0),
    "relu to linear": Autoencoder(32, activation="relu", output="linear", learning_rate=0.01, epochs=8, random_state=0),
    "tanh": Autoencoder(32, activation="tanh", output="linear", learning_rate=0.01, epochs=8, random_state=0),
    "softplus": Autoencoder(32, activation="softplus", output="linear", learning_rate=0.002, epochs=8, random_state=0),
    "float64": Autoencoder(32, precision="float64", epochs=8, random_state=0),
}


@pytest.mark.parametrize("name", UNITS)
def test_training_a_unit_reconstructs_better_than_the_mean(name, small):
    before = small.copy()
    unit = clone(UNITS[name]).set_params(batch_size=20 if "cg" not in name else 300)
    unit.fit(small)
    mean_error = ((small - small.mean(0)) ** 2 * unit.scaling_.scale**2).sum(1).mean()
    assert -unit.score(small) < 0.8 * mean_error
    assert unit.history_[-1].loss < unit.history_[0].loss
    assert unit.transform(small).shape == (300, unit.n_hidden)
    assert unit.transform(small).dtype == np.dtype(unit.precision)
    np.testing.assert_array_equal(small, before)


@pytest.mark.parametrize("name", ["rbm", "autoencoder untied", "float64"])
def test_reconstruct_is_decode_after_encode(name, small):
    unit = clone(UNITS[name]).set_params(epochs=1).fit(small)
    np.testing.assert_array_equal(unit.reconstruct(small), unit.inverse_transform(unit.transform(small)))
    error = ((small - unit.reconstruct(small)) ** 2).sum(1).mean()
    assert unit.score(small) == pytest.approx(-error, rel=1e-5)


def test_uint8_images_are_scaled_to_the_unit_range(digits):
    images = np.round(digits.array[:200] * 255).astype(np.uint8)
    from_bytes = RBM(16, epochs=2, random_state=0).fit(images)
    from_floats = RBM(16, epochs=2, random_state=0).fit(images.astype(np.float32) / np.float32(255))
    np.testing.assert_allclose(from_bytes.weight_, from_floats.weight_, atol=1e-4)
    assert from_bytes.scaling_.uniform == (1 / 255, 0.0)
    np.testing.assert_allclose(from_bytes.transform(images), from_bytes.transform(images / np.float32(255)), atol=1e-5)
    assert from_bytes.reconstruct(images).max() > 2  # in the units of X
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        from_bytes.transform(images.astype(np.float32))


@pytest.mark.parametrize("scaling", ["minmax", "standard"])
def test_scaling_is_undone_by_inverse_transform(scaling, small):
    raw = small * 50 - 7
    unit = Autoencoder(
        48, output="linear", learning_rate=0.01, scaling=scaling, epochs=60, batch_size=10, random_state=0
    ).fit(raw.reshape(300, 8, 8))  # of images it is one scaling for all pixels
    codes = unit.transform(raw)
    scaled = codes.astype(np.float64) @ unit.network_.weight(1) + unit.visible_bias_
    low, high, mean, std = (float(f(raw.astype(np.float64))) for f in (np.min, np.max, np.mean, np.std))
    by_hand = scaled * (high - low) + low if scaling == "minmax" else scaled * std + mean
    for found in (unit.inverse_transform(codes), unit.reconstruct(raw)):
        np.testing.assert_allclose(found, by_hand, atol=1e-3)
        assert np.mean((raw - found) ** 2) < 0.25 * raw.var(axis=0).mean()


def test_same_seed_same_bits_and_other_seed_other_weights(small):
    def fit(seed):
        return RBM(16, epochs=2, random_state=seed).fit(small).weight_

    np.testing.assert_array_equal(fit(1), fit(1))
    assert not np.array_equal(fit(1), fit(2))


def test_sparse_images_and_hdf5_rows_train_to_the_same_bits(small, tmp_path):
    reference = RBM(16, epochs=2, random_state=0).fit(small)
    sparse = RBM(16, epochs=2, random_state=0).fit(scipy.sparse.csr_array(small))
    images = RBM(16, epochs=2, random_state=0).fit(small.reshape(300, 8, 8))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = small
    with h5py.File(tmp_path / "x.h5") as file:
        streamed = RBM(16, epochs=2, random_state=0).fit(file["x"])
    for other in (sparse, images, streamed):
        np.testing.assert_array_equal(reference.weight_, other.weight_)
    assert images.scaling_.sample_shape == (8, 8)


def test_stack_beats_pca_of_the_same_size_on_digits(digits):
    from sklearn.decomposition import PCA

    units = [
        RBM(256, epochs=15, batch_size=50),
        RBM(8, hidden="gaussian", learning_rate=0.002, epochs=15, batch_size=50),
    ]
    deep = StackedAutoencoder(units, finetune_epochs=40, finetune_batch_size=50, random_state=0).fit(digits)
    X = digits.array
    pca = PCA(8).fit(X)
    pca_error = ((X - pca.inverse_transform(pca.transform(X))) ** 2).sum(1).mean()
    assert -deep.score(X) < 0.75 * pca_error


def test_classifier_learns_digits_and_keeps_string_labels(digits):
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    y = names[digits.labels]
    units = [Autoencoder(128, corruption_level=0.2, epochs=10, batch_size=20)]
    clf = StackedClassifier(units, finetune_epochs=30, finetune_batch_size=20, random_state=0)
    clf.fit(digits.array[:1200], y[:1200], X_unlabelled=digits.array)
    assert clf.score(digits.array[1200:], y[1200:]) > 0.88
    assert set(clf.predict(digits.array[:10])) <= set(names)
    np.testing.assert_allclose(clf.predict_proba(digits.array[:10]).sum(1), 1, rtol=1e-5)


def test_refitting_a_classifier_with_other_classes_starts_a_new_head(small, digits):
    y = digits.labels[:300]
    clf = StackedClassifier([RBM(8, epochs=1)], finetune_epochs=1, random_state=0).fit(small, y)
    clf.fit(small, y % 2)
    assert clf.predict_proba(small).shape == (300, 2)
    clf.finetune(small, y % 3)
    assert clf.predict_proba(small).shape == (300, 3)


def test_units_given_to_a_stack_are_not_modified(small):
    units = [RBM(16, epochs=1), RBM(4, epochs=1)]
    StackedAutoencoder(units, finetune_epochs=1, random_state=0).fit(small)
    assert not hasattr(units[0], "network_")


def test_finetuning_from_random_weights_works_without_pretraining(small):
    deep = StackedAutoencoder(
        [Autoencoder(32), Autoencoder(8)], finetune_epochs=20, finetune_batch_size=20, random_state=0
    )
    deep.finetune(small)
    finetune = [r.loss for r in deep.history_]
    assert len(finetune) == 20 and finetune[-1] < 0.95 * finetune[0]


def test_callback_gets_a_record_an_epoch_and_may_stop(small):
    seen = []

    def callback(record):
        seen.append(record)
        return record.epoch == 2

    unit = RBM(8, epochs=10, random_state=0).fit(small, callback=callback)
    assert [r.epoch for r in seen] == [0, 1, 2] == [r.epoch for r in unit.history_]
    assert seen[0].phase == "pretrain" and seen[0].samples_per_second > 0 and seen[0].validation_loss is None


def test_early_stopping_restores_the_best_weights(small):
    snapshots = {}
    unit = Autoencoder(
        64,
        learning_rate=[(0, 0.1), (4, 3.0)],
        epochs=30,
        validation_fraction=0.3,
        patience=2,
        batch_size=10,
        random_state=0,
    )
    unit.fit(small, callback=lambda r: snapshots.update({r.epoch: (r.validation_loss, unit.weight_.copy())}))
    losses = [record.validation_loss for record in unit.history_]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 30
    np.testing.assert_array_equal(unit.weight_, snapshots[best][1])


def test_schedules_take_effect_at_their_epoch(small):
    frozen = RBM(8, learning_rate=[(0, 0.1), (1, 0.0)], momentum=0.0, epochs=3, random_state=0)
    weights = []
    frozen.fit(small, callback=lambda r: weights.append(frozen.weight_.copy()))
    np.testing.assert_array_equal(weights[0], weights[2])
    assert not np.array_equal(weights[0], RBM(8, epochs=0, random_state=0).fit(small).weight_)


BAD_SETTINGS = [
    (RBM(0), "n_hidden"),
    (RBM(4, k=0), "k"),
    (RBM(4, visible="binary"), "visible"),
    (RBM(4, momentum=1.0), "momentum"),
    (RBM(4, learning_rate=[(1, 0.1)]), "learning_rate"),
    (RBM(4, learning_rate="fast"), "learning_rate"),
    (RBM(4, patience=3, validation_fraction=0.0), "validation_fraction"),
    (RBM(4, precision="float16"), "precision"),
    (RBM(4, batch_size=2.5), "batch_size"),
    (RBM(4, n_threads=10_000), "NUMBA_NUM_THREADS"),
    (RBM(4, random_state=-1), "random_state"),
    (RBM(4, weight_decay=float("nan")), "weight_decay"),
    (Autoencoder(4, activation="softmax"), "activation"),
    (Autoencoder(4, output="linear", loss="cross_entropy"), "loss"),
    (Autoencoder(4, corruption_level=1.5), "corruption_level"),
    (Autoencoder(4, optimizer="rprop"), "optimizer"),
    (StackedAutoencoder([]), "units"),
    (StackedAutoencoder([RBM(4), "RBM"]), "units"),
    (StackedAutoencoder([RBM(4)], finetune_optimizer="x"), "finetune_optimizer"),
]


@pytest.mark.parametrize(("estimator", "named"), BAD_SETTINGS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_bad_setting_is_named_in_one_line(estimator, named, small):
    with pytest.raises(SettingError, match=named) as caught:
        estimator.fit(small)
    assert "\n" not in str(caught.value)


def test_every_activation_is_offered_to_autoencoders(small):
    for activation in set(ACTIVATIONS) - {"softmax"}:
        Autoencoder(4, activation=activation, learning_rate=0.01, epochs=1, random_state=0).fit(small)


def test_a_classifier_starts_from_the_encoder_as_it_stands(small, digits):
    deep = StackedAutoencoder([RBM(16, epochs=1), RBM(8, epochs=1)], finetune_epochs=2, random_state=0).fit(small)
    classifier = StackedClassifier.on(deep, finetune_epochs=0)
    np.testing.assert_array_equal(classifier.transform(small), deep.transform(small))
    classifier.finetune(small, digits.labels[:300])
    np.testing.assert_array_equal(classifier.transform(small), deep.transform(small))
    np.testing.assert_allclose(classifier.predict_proba(small), 0.1, atol=1e-6)
    assert not hasattr(classifier, "inverse_transform")


def test_concurrent_fits_have_the_bits_of_lone_ones(small):
    from concurrent.futures import ThreadPoolExecutor

    def fit(seed):
        return RBM(64, epochs=20, random_state=seed).fit(small).weight_

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, range(4)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
