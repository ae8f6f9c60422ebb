"""Variational autoencoders: the values of what they minimise and of bounds, what is drawn, and what they are part of."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from stacked import (
    RBM,
    SettingError,
    StackedAutoencoder,
    VariationalAutoencoder,
)  # fmt: skip
from stacked.kernels.arithmetic.corruption import draw_binary
from stacked.kernels.arithmetic.random import CORRUPTION, SAMPLING, stream_key
from stacked.kernels.engine.bfloat16 import obstacle
from stacked.models import variational
from stacked.training.checkpoint import Checkpointer, load_checkpoint
from stacked.training.feed import split_rows
from stacked.training.trainees import ONE_DRAW, VALIDATION, Stochastic

from . import naive
from .variational_models import (
    divergence,
    drawn,
    forward,
    linear_model,
    log_bernoulli,
    log_normal,
    moved,
    noise_of,
    small_vae,
    some_vae,
    unit_rows,
)


@pytest.fixture(scope="module")
def rows():
    return unit_rows()


# ---- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("samples", [1, 128, 300])
def test_a_bound_is_the_mean_weight_of_its_draws(output, samples, rows):
    model = moved(small_vae(output=output, epochs=0).fit(rows))
    below, key = forward(model.network_, 0, 2, rows), stream_key(7, SAMPLING, variational._STREAM + 1)
    log_weights = np.empty((samples, len(rows)))
    for i in range(samples):
        noise = noise_of(key, i, range(len(rows)), 0, 3)
        z = drawn(below, noise)
        logits = forward(model.network_, 3, 5, z)
        likelihood = (log_bernoulli if output == "bernoulli" else log_normal)(rows, logits)
        log_q = log_normal(noise, 0) - np.split(below, 2, axis=1)[1].sum(axis=1) / 2
        log_weights[i] = likelihood + log_normal(z, 0) - log_q
    expected = np.logaddexp.reduce(log_weights, axis=0) - np.log(samples)
    np.testing.assert_allclose(model.bound(rows, samples, 7), expected, rtol=1e-10)


def exact(model, rows):
    """log N(x; b, W' W + I) under a linear decoder W (K, V), b."""
    weight, bias = model.network_.weight(2), model.network_.bias(2)
    return multivariate_normal(bias, weight.T @ weight + np.eye(len(bias))).logpdf(rows)


def test_the_bound_of_a_linear_model_approaches_its_known_likelihood_from_below(rows):
    x = 2 * rows[:, :5]
    model = moved(linear_model(x, epochs=0))
    model.network_.weight(0)[:, 2:], model.network_.bias(0)[2:] = (
        0,
        1,
    )  # draws wider than the posterior, so that no weight is huge
    means = [model.bound(x, k).mean() for k in (1, 10, 200, 20000)]
    truth = exact(model, x).mean()
    assert means == sorted(means) and means[0] < truth - 0.5 and abs(means[-1] - truth) < 0.02
    np.testing.assert_allclose(model.bound(x, 20000), exact(model, x), atol=0.15)


def test_training_tightens_the_bound_and_raises_the_likelihood(rows):
    x = rows[:, :5] @ np.random.default_rng(1).standard_normal((5, 8))
    short, long = (linear_model(x, epochs=n, learning_rate=0.01, batch_size=30) for n in (1, 150))
    gaps = [exact(model, x).mean() - model.bound(x, 1).mean() for model in (short, long)]
    assert exact(long, x).mean() > exact(short, x).mean() + 0.5
    assert abs(gaps[1]) < 0.15 < gaps[0]


def test_a_score_is_the_mean_bound_by_a_hundred_draws(rows):
    model = small_vae(epochs=1).fit(rows)
    assert model.score(rows) == model.bound(rows, 100).mean()


def test_bounds_depend_on_seed_and_row_alone(rows):
    model = moved(small_vae(epochs=0, precision="float32").fit(rows))
    found = model.bound(rows, 20, 3)
    assert found.shape == (90,) and found.dtype == np.float64
    np.testing.assert_array_equal(model.bound(rows[:7], 20, 3), found[:7])
    np.testing.assert_array_equal(model.set_params(n_threads=1).bound(rows, 20, 3), found)
    assert (model.bound(rows, 20, 4) != found).all()


def test_rows_that_are_probabilities_are_drawn_before_they_are_bounded(rows):
    model = moved(small_vae(epochs=0, binarize=True).fit(rows))
    key, binary = stream_key(3, CORRUPTION, variational._STREAM), rows.copy()
    for number, row in enumerate(binary):
        draw_binary(key, 0, number, row)
    found = model.bound(rows, 20, 3)
    np.testing.assert_array_equal(found, moved(small_vae(epochs=0).fit(rows)).bound(binary, 20, 3))
    assert not np.array_equal(found, moved(small_vae(epochs=0).fit(rows)).bound(rows, 20, 3))


# ---- what training minimises -----------------------------------------------------------------------------------------


def epoch_of(model, rows, n_samples, epoch=0, numbers=slice(None)):
    """Mean loss and mean divergence of an epoch on some rows, from the numbers that the documentation says are drawn."""
    ids, rows = np.arange(len(rows))[numbers], rows[numbers]
    below, key = forward(model.network_, 0, 2, rows), stream_key(model.seed_, CORRUPTION, 0)
    losses = []
    for number in range(n_samples):
        noise = noise_of(key, epoch, ids, naive.CODE_DRAW + 2 + naive.SAMPLE_STRIDE * number, 3)
        losses.append(-log_bernoulli(rows, forward(model.network_, 3, 5, drawn(below, noise))))
    return np.mean(losses), divergence(below).mean()


@pytest.mark.parametrize("n_samples", [1, 3])
def test_an_epoch_averages_over_draws_of_the_code(n_samples, rows):
    model = small_vae(samples=n_samples, epochs=2, batch_size=20).fit(rows)
    for record in model.history_:
        loss, penalty = epoch_of(model, rows, n_samples, record.epoch)
        assert record.loss == pytest.approx(loss, rel=1e-10) and record.penalty == pytest.approx(penalty, rel=1e-10)
    assert model.history_[0].loss != model.history_[1].loss  # drawn anew


def test_warm_up_lets_the_divergence_count_by_and_by(rows):
    assert [Stochastic(1, 4).weight(epoch) for epoch in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert ONE_DRAW.weight(0) == 1.0
    penalties = [record.penalty for record in small_vae(epochs=5, kl_warmup=3).fit(rows).history_]
    np.testing.assert_allclose(np.array(penalties) / penalties[-1], [1 / 3, 2 / 3, 1, 1, 1], rtol=1e-12)


def test_rows_held_out_are_measured_with_the_divergence_in_full(rows):
    model = small_vae(epochs=2, kl_warmup=9, validation_fraction=0.3, batch_size=20).fit(rows)
    first, second = (record.validation_loss for record in model.history_)
    assert first == second  # by the same draws, whatever the warm-up
    held_out = split_rows(90, 0.3, model.seed_)[1]
    assert first == pytest.approx(sum(epoch_of(model, rows, 1, VALIDATION, held_out)), rel=1e-10)


def test_gradients_do_not_need_many_draws_to_learn(digits):
    model = VariationalAutoencoder(8, hidden_layers=(40,), epochs=30, learning_rate=0.003, random_state=0).fit(digits)
    totals = [record.loss + record.penalty for record in model.history_]
    assert totals[-1] < totals[0] - 5 and model.history_[-1].penalty > 1
    assert model.score(digits) > -totals[-1]  # more draws, a tighter bound


@pytest.mark.parametrize("binary", [False, True])
def test_output_biases_start_with_the_logit_of_the_mean(binary, rows):
    model = small_vae(epochs=0, binarize=binary).fit(rows)
    mean = rows.mean(axis=0)
    np.testing.assert_allclose(model.network_.bias(4), np.log(mean / (1 - mean)), rtol=1e-6)


# ---- binary draws ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_draws_have_the_frequencies_of_the_data(dtype):
    p = np.array([0.0, 0.1, 0.5, 0.9, 1.0], dtype)
    key, n = stream_key(0, CORRUPTION, 0), 4000
    found = np.tile(p, (n, 1))
    for epoch, row in enumerate(found):
        draw_binary(key, epoch, 7, row)
    assert set(np.unique(found)) == {0.0, 1.0}
    assert (found[:, 0] == 0).all() and (found[:, 4] == 1).all()
    assert (np.abs(found.mean(axis=0) - p) <= 4 * np.sqrt(p * (1 - p) / n)).all()
    assert np.abs(np.corrcoef(found[:-1, 2], found[1:, 2])[0, 1]) < 0.1  # epoch by epoch anew


def test_each_epoch_trains_on_other_binary_draws(rows):
    gray, binary = (small_vae(epochs=3, binarize=b, batch_size=90).fit(rows) for b in (False, True))
    losses = [record.loss for record in binary.history_]
    assert len(set(losses)) == 3
    key = stream_key(0, CORRUPTION, 0)
    for record in binary.history_:
        drawn_rows = rows.copy()
        for number, row in enumerate(drawn_rows):
            draw_binary(key, record.epoch, number, row)
        assert record.loss == pytest.approx(epoch_of(binary, drawn_rows, 1, record.epoch)[0], rel=1e-10)
    assert gray.history_[0].loss != losses[0]


# ---- same bits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "cg"])
def test_threads_leave_no_trace(optimizer, small):
    one, two = (some_vae(optimizer=optimizer, random_state=1, n_threads=n).fit(small) for n in (1, 2))
    assert one.network_.params.tobytes() == two.network_.params.tobytes()
    assert [r.loss for r in one.history_] == [r.loss for r in two.history_]


def interrupted(model, phase, x, path, last):
    """The model after a run that was interrupted in an epoch and went on from its file."""

    def stop(record):
        if (record.unit, record.epoch) == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        getattr(model, phase)(x, callback=stop, checkpoint=Checkpointer(path, 0))
    run = load_checkpoint(path)
    return getattr(run.model, phase)(x, resume=run.resume)


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_an_interrupted_run_goes_on_to_the_same_bits(optimizer, small, tmp_path):
    def stack():
        units = [RBM(12, epochs=1), some_vae(optimizer=optimizer)]
        own = {"finetune_optimizer": optimizer, "finetune_epochs": 4, "validation_fraction": 0.2}
        return StackedAutoencoder(units, random_state=0, **own)

    whole = stack().pretrain(small)
    resumed = interrupted(stack(), "pretrain", small, tmp_path / "run.h5", (1, 2))
    assert resumed.network_.params.tobytes() == whole.network_.params.tobytes()
    again = interrupted(resumed, "finetune", small, tmp_path / "tuned.h5", (-1, 1))
    whole.finetune(small)
    assert again.network_.params.tobytes() == whole.network_.params.tobytes()
    assert [r[:6] for r in again.history_] == [r[:6] for r in whole.history_]


@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
def test_precisions_learn_alike(precision, digits):
    if precision == "bfloat16" and obstacle() is not None:
        pytest.skip("bfloat16: this CPU cannot")
    params = {"hidden_layers": (30,), "random_state": 0, "epochs": 3}
    one, other = (VariationalAutoencoder(5, precision=p, **params).fit(digits) for p in ("float32", precision))
    for a, b in zip(one.history_, other.history_, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-3) and b.penalty == pytest.approx(a.penalty, rel=0.05)
    np.testing.assert_allclose(other.bound(digits.array[:50], 50), one.bound(digits.array[:50], 50), rtol=0.05)


@pytest.mark.parametrize("optimizer", ["cg", "lbfgs"])
def test_line_searches_descend(optimizer, small):
    params = {"hidden_layers": (20,), "batch_size": 300, "random_state": 0, "line_searches": 5}
    model = VariationalAutoencoder(4, optimizer=optimizer, epochs=6, samples=2, **params).fit(small)
    totals = [record.loss + record.penalty for record in model.history_]
    assert totals[-1] < totals[0] - 3


# ---- samples ---------------------------------------------------------------------------------------------------------


def test_fewer_samples_are_the_first_of_more(small):
    model = some_vae(random_state=0, epochs=1).fit(small)
    many = model.sample(700, 3)
    assert many.shape == (700, 64) and many.min() >= 0 and many.max() <= 1
    np.testing.assert_array_equal(model.sample(5, 3), many[:5])
    np.testing.assert_array_equal(model.set_params(n_threads=1).sample(700, 3), many)
    assert not np.array_equal(model.sample(5, 4), many[:5])


def test_samples_are_means_of_normal_codes_in_the_units_of_the_data(rows):
    x = 10 * rows - 3
    model = moved(linear_model(x, epochs=0, scaling="minmax"))
    found = model.sample(20000, 0)
    scale, offset = model.scaling_.scale, model.scaling_.offset
    weight, bias = model.network_.weight(2), model.network_.bias(2)
    scaled = found * scale + offset
    np.testing.assert_allclose(scaled.mean(axis=0), bias, atol=0.05)
    np.testing.assert_allclose(np.cov(scaled.T), weight.T @ weight, atol=0.1)
    np.testing.assert_allclose(model.inverse_transform(np.zeros((1, 2)))[0], (bias - offset) / scale, rtol=1e-10)


@pytest.mark.parametrize("n", [0, -1, 2.5, "x", None])
def test_numbers_of_samples_that_are_refused(n, rows):
    with pytest.raises(SettingError, match=r"^n: expected a whole number"):
        small_vae(epochs=0).fit(rows).sample(n)
