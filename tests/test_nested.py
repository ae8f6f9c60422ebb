"""Parameters of the units of a stack under names of their own: what searches set, and that nothing else changes."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from stacked import RBM, Autoencoder, SettingError, StackedAutoencoder, StackedClassifier

X = np.random.default_rng(0).random((60, 6)).astype(np.float32)
Y = np.arange(60) % 2
SHORT = {"epochs": 1, "batch_size": 20}
STACKS = [StackedAutoencoder, StackedClassifier]


def stack(make=StackedAutoencoder, **own):
    units = [RBM(4, **SHORT), Autoencoder(3, **SHORT)]
    return make(units, finetune_epochs=1, n_threads=1, random_state=0, **own)


@pytest.mark.parametrize("make", STACKS)
def test_deep_parameters_are_those_of_the_units(make):
    model = stack(make)
    deep, shallow = model.get_params(), model.get_params(deep=False)
    assert shallow == {name: value for name, value in deep.items() if not name.startswith("units__")}
    expected = {}
    for index, unit in enumerate(model.units):
        expected[f"units__{index}"] = unit
        expected |= {f"units__{index}__{name}": value for name, value in unit.get_params().items()}
    assert deep == shallow | expected and deep["units__1"] is model.units[1]
    assert deep["units__0__n_hidden"] == 4 and deep["units__1__activation"] == "sigmoid"


@pytest.mark.parametrize(
    "units, nested", [(None, set()), ("x", set()), ([500, 100], set()), ([500, RBM(3)], {"1"})], ids=str
)
def test_only_entries_that_are_units_have_parameters(units, nested):
    deep = StackedAutoencoder(units).get_params()
    assert {name.split("__")[1] for name in deep if name.count("__") == 2} == nested
    entries = units if isinstance(units, list) else []
    assert [deep[f"units__{index}"] for index in range(len(entries))] == entries


@pytest.mark.parametrize("make", STACKS)
@pytest.mark.parametrize("container", [list, tuple])
def test_setting_changes_a_copy_of_the_unit_in_a_new_list(make, container):
    first, second = RBM(4), Autoencoder(3)
    units = container([first, second])
    model, other = make(units), make(units)
    assert model.set_params(units__0__n_hidden=7, units__0__momentum=0.5, finetune_epochs=3) is model
    assert (model.units[0].n_hidden, model.units[0].momentum, model.finetune_epochs) == (7, 0.5, 3)
    assert isinstance(model.units, container) and model.units[1] is second
    assert (first.n_hidden, first.momentum) == (4, 0.9) and other.units is units and units[0] is first


def test_a_unit_that_stands_twice_is_changed_once():
    model = StackedAutoencoder([Autoencoder(4)] * 2).set_params(units__1__n_hidden=2)
    assert [unit.n_hidden for unit in model.units] == [4, 2]


def test_whole_entries_are_set_before_their_parameters_and_the_list_before_both():
    model = stack().set_params(units__0__k=3, units__0=RBM(9), units=[RBM(1), RBM(2), RBM(5)])
    assert [unit.n_hidden for unit in model.units] == [9, 2, 5] and model.units[0].k == 3
    sizes = StackedAutoencoder([500, 100]).set_params(units__1=20)
    assert sizes.units == [500, 20]


def test_what_is_refused():
    model = stack()
    with pytest.raises(
        SettingError, match=r"^units__2__n_hidden: expected the number of one of 2 units in a list, found '2'"
    ):
        model.set_params(units__2__n_hidden=3)
    for name in ("units__-1", "units__00", "units__x__n_hidden", "units__"):
        with pytest.raises(SettingError, match="expected the number of one of 2 units"):
            model.set_params(**{name: 3})
    with pytest.raises(SettingError, match="of one of 0 units"):
        StackedAutoencoder().set_params(units__0__n_hidden=3)
    with pytest.raises(SettingError, match=r"^units__1__k: expected a unit in this place, found 20, which has no"):
        StackedAutoencoder([RBM(3), 20]).set_params(units__1__k=3)
    with pytest.raises(ValueError, match="Invalid parameter 'size' for estimator RBM"):
        model.set_params(units__0__size=3)
    with pytest.raises(ValueError, match="Invalid parameter 'layer' for estimator Stacked"):
        model.set_params(layer__0__n_hidden=3)
    assert [unit.n_hidden for unit in model.units] == [4, 3]


@pytest.mark.parametrize("make", STACKS)
def test_clones_have_units_of_their_own(make):
    model = stack(make).set_params(units__0__n_hidden=5)
    again = clone(model)
    assert again.units is not model.units and again.units[0] is not model.units[0]
    assert [unit.get_params() for unit in again.units] == [unit.get_params() for unit in model.units]
    again.set_params(units__0__n_hidden=6)
    assert model.units[0].n_hidden == 5


def test_a_search_over_the_sizes_of_units():
    grid = {
        "units__0__n_hidden": [2, 5],
        "units__1__learning_rate": [0.1],
        "units__1": [Autoencoder(2, **SHORT), RBM(3, **SHORT)],
    }
    search = GridSearchCV(stack(), grid, cv=2).fit(X)
    assert len(search.cv_results_["params"]) == 4 and not np.isnan(search.cv_results_["mean_test_score"]).any()
    best, chosen = search.best_estimator_, search.best_params_
    assert best.network_.layers[0].n_out == best.units_[0].n_hidden == chosen["units__0__n_hidden"]
    np.testing.assert_array_equal(best.network_.params, clone(stack()).set_params(**chosen).fit(X).network_.params)
    search = GridSearchCV(stack(StackedClassifier), {"units__0__n_hidden": [2, 5]}, cv=2).fit(X, Y)
    assert search.best_estimator_.network_.layers[0].n_out == search.best_params_["units__0__n_hidden"]


def test_in_a_pipeline_and_on_a_page():
    line = make_pipeline(stack())
    line.set_params(stackedautoencoder__units__1__n_hidden=2).fit(X)
    assert line.transform(X).shape == (60, 2)
    assert "StackedAutoencoder" in line._repr_html_() and "RBM" in repr(line)
