"""The start at principal components: it is PCA, of any depth, and the same bits however the rows are read."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from stacked import Autoencoder, SettingError, StackedAutoencoder
from stacked.data import open_data

RECTIFIED = {"scaling": "none", "activation": "relu", "start": "principal", "optimizer": "adam", "epochs": 0}


def rows(n=60, n_columns=12, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 5)) @ rng.normal(size=(5, n_columns)) + rng.normal(size=(n, n_columns)) + 3).astype(
        np.float32
    )


def by_pca(x, k):
    pca = PCA(k).fit(x)
    return pca.inverse_transform(pca.transform(x))


def untrained(*sizes, **own):
    units = [Autoencoder(size, output="relu", **RECTIFIED | own) for size in sizes]
    units[0].set_params(output="linear")
    if len(units) > 1:
        units[-1].set_params(activation="linear")
    return StackedAutoencoder(units, scaling="none", random_state=0)


@pytest.mark.parametrize(("n", "n_columns"), [(60, 12), (9, 40)])
@pytest.mark.parametrize("tied", [True, False])
def test_a_unit_of_pairs_starts_as_pca(n, n_columns, tied):
    x = rows(n, n_columns)
    unit = Autoencoder(8, output="linear", tied=tied, random_state=0, **RECTIFIED).fit(x)
    np.testing.assert_allclose(unit.reconstruct(x), by_pca(x, 4), atol=1e-4)
    codes = unit.transform(x)
    assert (codes >= 0).all() and (np.minimum(codes[:, :4], codes[:, 4:]) == 0).all()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("sizes", [(10, 8, 3), (10, 6, 3), (24, 3)])
def test_a_stack_starts_as_pca(sizes, tied):
    x = rows()
    stack = untrained(*sizes, tied=tied).pretrain(x)
    np.testing.assert_allclose(stack.reconstruct(x), by_pca(x, 3), atol=2e-4)


def test_an_odd_unit_left_over_hardly_matters():
    x = rows()
    error, pca = (np.square(x - again).sum() for again in (untrained(9, 7, 3).pretrain(x).reconstruct(x), by_pca(x, 3)))
    assert error < 1.001 * pca


def test_a_linear_unit_starts_as_pca():
    x = rows()
    unit = Autoencoder(3, output="linear", random_state=0, **RECTIFIED | {"activation": "linear"}).fit(x)
    np.testing.assert_allclose(unit.reconstruct(x), by_pca(x, 3), atol=1e-4)


def test_units_beyond_the_components_start_small_but_not_dead():
    unit = Autoencoder(40, output="linear", random_state=0, **RECTIFIED).fit(rows())
    lengths = np.linalg.norm(unit.weight_, axis=0)
    assert (lengths > 0.01).all() and (np.sort(lengths)[16:] > 0.99).all() and (np.sort(lengths)[:16] < 0.5).all()


def test_sigmoid_outputs_start_near_pca():
    x = (0.5 + 0.02 * (rows() - 3)).clip(0, 1)
    unit = Autoencoder(8, output="sigmoid", random_state=0, **RECTIFIED).fit(x)
    difference = np.abs(unit.reconstruct(x) - by_pca(x, 4)).max()
    assert difference < 0.05 * np.abs(x - x.mean(axis=0)).max()


def test_rows_held_out_do_not_count():
    x = rows()
    held_out = Autoencoder(8, output="linear", random_state=0, validation_fraction=0.2, **RECTIFIED)
    before = held_out.fit(x).weight_.copy()
    from stacked.training.feed import split_rows

    _, validation = split_rows(len(x), 0.2, held_out.seed_)
    x[validation] *= -7
    np.testing.assert_array_equal(held_out.fit(x).weight_, before)


def test_equal_bits_for_any_threads_and_from_a_file(tmp_path):
    x = rows(3000)
    np.save(tmp_path / "x.npy", x)
    one, two = (Autoencoder(8, output="linear", random_state=0, n_threads=n, **RECTIFIED).fit(x) for n in (1, None))
    with open_data(str(tmp_path / "x.npy")) as streamed:
        three = Autoencoder(8, output="linear", random_state=0, **RECTIFIED).fit(streamed)
    for other in (two, three):
        np.testing.assert_array_equal(one.network_.params, other.network_.params)


@pytest.mark.parametrize("x", [np.ones((1, 4)) * [0, 1, 2, 3], np.eye(2, 3), rows(5, 1)])
@pytest.mark.parametrize("width", [1, 2, 7])
def test_odd_shapes_are_taken(x, width):
    stack = untrained(width, width, 1).pretrain(x)
    assert np.isfinite(stack.network_.params).all()


def test_other_codes_are_refused():
    with pytest.raises(SettingError, match="start: principal is for relu or linear codes, found tanh"):
        Autoencoder(3, activation="tanh", start="principal").validate()


def test_training_from_there_is_better_than_pca():
    x = rows(200)
    x = np.hstack([x, np.abs(x - 3)])
    unit = Autoencoder(10, output="linear", random_state=0, **RECTIFIED | {"epochs": 100, "batch_size": 20}).fit(x)
    assert np.square(unit.reconstruct(x) - x).sum() < 0.9 * np.square(by_pca(x, 5) - x).sum()


def test_training_never_ends_worse_than_it_began_on_the_rows_held_out():
    x = rows(200)
    wild = {"learning_rate": 0.1, "epochs": 2}
    unit = Autoencoder(8, output="linear", random_state=0, validation_fraction=0.2, **RECTIFIED)
    start = unit.fit(x).network_.params.copy()
    np.testing.assert_array_equal(unit.set_params(**wild).fit(x).network_.params, start)
    stack = untrained(10, 8, 3).set_params(validation_fraction=0.2, finetune_learning_rate=0.1, finetune_epochs=2)
    before = stack.pretrain(x).network_.params.copy()
    np.testing.assert_array_equal(stack.finetune(x).network_.params, before)


def test_values_whose_squares_no_number_holds_have_no_components():
    x = rows().astype(np.float64) * 1e200
    unit = Autoencoder(8, output="linear", precision="float64", random_state=0, **RECTIFIED).fit(x)
    assert np.isfinite(unit.network_.params).all()
