"""A recipe applied to other tables: columns by name, unseen categories, gaps, tables that were encoded before; hostile recipes."""

import copy
import logging

import numpy as np
import pytest

from stacked import Autoencoder, StackedAutoencoder, StackedClassifier, load, open_data
from stacked.data import open_data_for
from stacked.data.recipe import MAX_CATEGORIES, check_recipe, described, feature_names, same_columns
from stacked.errors import DataError, ModelFileError
from stacked.files import read_info, read_model, write_model

TEXT = "x,t,class\n1,a,yes\n2,b,no\n3,a,yes\n,?,no\n5,b,yes\n6,a,no\n"
QUICK = {"scaling": "minmax", "batch_size": 3}


def write(folder, text, name="a.csv"):
    (folder / name).write_text(text)
    return folder / name


@pytest.fixture
def train(tmp_path):
    return open_data(write(tmp_path, TEXT))


def applied(train, folder, text, **choice):
    return open_data_for(train.table, write(folder, text, "b.csv"), **choice)


def test_columns_are_found_by_name_and_others_ignored(train, tmp_path):
    rows = applied(train, tmp_path, "when,t,class,x\n2020-01-01,b,no,7\n2020-01-02,a,yes,8\n")
    np.testing.assert_array_equal(rows.array, [[7, 0, 1, 0], [8, 1, 0, 0]])
    assert list(rows.labels) == ["no", "yes"] and same_columns(rows.table, train.table)
    assert applied(train, tmp_path, "t,x\nb,7\n").labels is None
    assert applied(train, tmp_path, "t,x,class\nb,7,yes\n", drop="class").labels is None


def test_missing_columns_are_named(train, tmp_path):
    with pytest.raises(DataError, match=r"b\.csv: expected the columns x, t as in the training, found a, b"):
        applied(train, tmp_path, "a,b\n1,2\n")
    with pytest.raises(DataError, match="expected the columns t as in the training, found x, t"):
        applied(train, tmp_path, "x,t\n1,a\n", drop="t")


def test_unseen_categories_are_zeros_and_told_once(train, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "stacked.tables")
    rows = applied(train, tmp_path, "x,t\n1,c\n2,a\n3,d\n" + "4,c\n" * 3000)
    np.testing.assert_array_equal(rows.array[:3], [[1, 0, 0, 0], [2, 1, 0, 0], [3, 0, 0, 0]])
    (record,) = caplog.records
    told = "3,002 cells with categories that the training did not have, such as 'c'; they are taken for none of those"
    assert record.message.endswith(f"b.csv: column 't': {told}")


def test_gaps_take_the_trainings_mean_and_its_category(train, tmp_path, caplog):
    np.testing.assert_array_equal(
        applied(train, tmp_path, "x,t\n,a\n9,NA\n").array, np.array([[3.4, 1, 0, 0], [9, 0, 0, 1]], np.float32)
    )
    whole = open_data(write(tmp_path, "x,t\n1,a\n2,b\n3,a\n"))
    caplog.clear()
    np.testing.assert_array_equal(applied(whole, tmp_path, "x,t\n4,\n").array, [[4, 0, 0]])
    assert "1 cell with categories that the training did not have, such as an empty cell" in caplog.text


def test_a_number_column_must_be_numbers_and_a_category_may_look_like_one(train, tmp_path):
    with pytest.raises(DataError, match="line 3, column 1: expected a finite number, found 'a lot'"):
        applied(train, tmp_path, "x,t\n1,a\na lot,b\n")
    mixed = open_data(write(tmp_path, "t,x\n" + "0,1\n1,2\n3+,3\n" * 9))
    np.testing.assert_array_equal(applied(mixed, tmp_path, "t,x\n0,4\n1,5\n").array, [[1, 0, 0, 4], [0, 1, 0, 5]])


def test_by_position_where_either_table_has_no_header(tmp_path, train):
    np.testing.assert_array_equal(applied(train, tmp_path, "7,b\n8,a\n9,b\n").array[:, :2], [[7, 0], [8, 1], [9, 0]])
    bare = open_data(write(tmp_path, "1,a,u\n2,b,v\n3,a,u\n"), label_column="3")
    rows = applied(bare, tmp_path, "4,b\n5,a\n5,a\n")
    np.testing.assert_array_equal(rows.array, [[4, 0, 1], [5, 1, 0], [5, 1, 0]])
    assert (
        list(applied(bare, tmp_path, "4,b,w\n5,a,w\n5,a,w\n").labels) == ["w"] * 3
    )  # the column that the training named
    with pytest.raises(DataError, match="expected the columns 2 as in the training, found 1 columns without names"):
        applied(bare, tmp_path, "4\n5\n")


def test_a_table_that_was_encoded_before_is_taken_as_it_is(tmp_path, train):
    text = ",".join(feature_names(train.table)) + "\n0.5,0.25,0.75,0\n1,2,3,4\n"
    rows = applied(train, tmp_path, text)
    np.testing.assert_array_equal(rows.array, [[0.5, 0.25, 0.75, 0], [1, 2, 3, 4]])
    assert same_columns(rows.table, train.table)
    np.testing.assert_array_equal(applied(train, tmp_path, "0.5,0.25,0.75,0\n1,2,3,4\n").array, rows.array)


def test_a_label_name_that_the_model_takes_for_data_stays_one(tmp_path):
    train = open_data(write(tmp_path, TEXT), label_column="none")
    rows = applied(train, tmp_path, TEXT)
    assert rows.labels is None and rows.n_columns == 6
    np.testing.assert_array_equal(rows.array, train.array)


def test_estimators_remember_the_recipe_in_files_too(tmp_path, train):
    model = StackedAutoencoder([Autoencoder(3, epochs=1, **QUICK)], finetune_epochs=1, scaling="minmax").fit(train)
    assert model.table_ == train.table and model.n_features_in_ == 4
    other = open_data(write(tmp_path, "t,x\nc,2\na,1\nb,2\n", "b.csv"))
    codes = model.transform(other)
    np.testing.assert_array_equal(codes[1:], model.transform(train)[:2])
    model.save(tmp_path / "m.h5")
    loaded = load(tmp_path / "m.h5")
    assert loaded.table_ == train.table and read_info(tmp_path / "m.h5")["input"]["table"] == train.table
    np.testing.assert_array_equal(loaded.transform(other), codes)
    np.testing.assert_array_equal(loaded.transform(train.array), loaded.transform(train))  # encoded columns
    with pytest.raises(DataError, match="expected the columns x as in the training"):
        loaded.transform(open_data(write(tmp_path, "t,z\nc,2\na,1\n", "c.csv")))


def test_a_classifier_on_a_stack_has_its_recipe(tmp_path, train):
    stack = StackedAutoencoder([Autoencoder(3, epochs=1, **QUICK)], scaling="minmax").pretrain(train)
    classifier = StackedClassifier.on(stack, finetune_epochs=1).finetune(train)
    assert classifier.table_ == train.table and set(classifier.predict(train)) <= {"yes", "no"}


def test_a_model_of_numbers_refuses_what_was_filled_in(tmp_path, train):
    model = Autoencoder(2, epochs=0, **QUICK).fit(np.arange(12.0).reshape(6, 2))
    assert model.table_ is None
    with pytest.raises(DataError, match="line 2, column 1: expected a finite number, found an empty cell"):
        model.transform(open_data(write(tmp_path, "1,2\n,3\n", "b.csv")))
    with pytest.raises(DataError, match="line 2, column 2: expected a finite number, found 'a'"):
        model.transform(train)
    named = open_data(write(tmp_path, "p,q\n1,2\n4,3\n", "b.csv"))
    np.testing.assert_array_equal(model.transform(named), model.transform(named.array))


def test_training_again_on_an_array_forgets_the_recipe(train):
    model = Autoencoder(2, epochs=0, **QUICK).fit(train)
    model.fit(np.arange(12.0).reshape(6, 2))
    assert model.table_ is None and model.n_features_in_ == 2


def changed(recipe, **values):
    return {**copy.deepcopy(recipe), **values}


def column(recipe, at, **values):
    found = copy.deepcopy(recipe)
    found["columns"][at] |= values
    return found


HOSTILE = {
    "a list": (lambda r: {"columns": []}, "with the keys"),
    "no columns": (lambda r: changed(r, columns=[]), "a list of columns"),
    "text for columns": (lambda r: changed(r, columns="x"), "a list of columns"),
    "header": (lambda r: changed(r, header=1), "header: true or false"),
    "labels": (lambda r: changed(r, labels=["class"]), "a name or null"),
    "kind": (lambda r: column(r, 0, kind="date"), "a column of kind number or category"),
    "kind of kind": (lambda r: column(r, 0, kind=["number"]), "a column of kind number or category"),
    "more keys": (lambda r: column(r, 0, eval="x"), "a column with the keys"),
    "name": (lambda r: column(r, 0, name=3), "the name of a column"),
    "fill": (lambda r: column(r, 0, fill="3"), "a finite number to fill"),
    "true": (lambda r: column(r, 0, fill=True), "a finite number to fill"),
    "huge": (lambda r: column(r, 0, fill=10**400), "a finite number to fill"),
    "categories": (lambda r: column(r, 1, categories="ab"), "a list of texts"),
    "numbers": (lambda r: column(r, 1, categories=[1, 2]), "a list of texts"),
    "twice": (lambda r: column(r, 1, categories=["a", "a"]), "different categories"),
    "many": (lambda r: column(r, 1, categories=[str(i) for i in range(MAX_CATEGORIES + 1)]), "at most 1000"),
    "missing": (lambda r: column(r, 1, missing=2), "missing: true or false"),
    "nothing": (lambda r: column(r, 1, categories=[], missing=False), "at least one category"),
    "same names": (lambda r: column(r, 1, name="x"), "a name twice"),
    "positions": (lambda r: changed(r, header=False), "numbered from 1"),
    "long": (lambda r: column(r, 0, name="x" * 2_000_000), "at most 1,048,576 are read"),
    "width": (lambda r: column(r, 1, categories=["a", "b", "c"]), "become 4 as the encoder takes, found 5"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_recipes_in_model_files_are_refused(name, tmp_path, train):
    from dataclasses import replace

    change, words = HOSTILE[name]
    path = tmp_path / "m.h5"
    Autoencoder(3, epochs=0, **QUICK).fit(train).save(path)
    record = read_model(path)
    with pytest.raises(ModelFileError, match=f"/input@table: .*{words}") as caught:
        write_model(path, replace(record, input=replace(record.input, table=change(train.table))))
        load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_in_words(train):
    assert described(train.table) == "2 columns (1 of numbers, 1 of text with 3 categories) become 4"
    assert check_recipe(copy.deepcopy(train.table)) == train.table


@pytest.mark.parametrize(
    "text",
    [
        "k,k=x,c\nx,100,1\ny,101,2\nx,102,3\ny,99,5\n",  # a column called as a category's
        'city,b,c\nNew  York,1,2\nRome,2,2\nNew  York,3,5\n"a\nb",4,1\n',  # two blanks, a line break
    ],
)
def test_names_of_encoded_columns_are_each_once_and_read_back(text, tmp_path):
    rows = open_data(write(tmp_path, text))
    names = feature_names(rows.table)
    assert len(set(names)) == len(names) == rows.n_columns
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows.array.tolist())]
    again = open_data_for(rows.table, write(tmp_path, "\n".join(lines) + "\n", "o.csv"))
    np.testing.assert_array_equal(again.read(0, again.n_rows), rows.read(0, rows.n_rows))
