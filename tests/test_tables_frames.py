"""Frames of pandas and polars, and Parquet files: text, categories, booleans and gaps become what the same CSV file becomes."""

import builtins

import numpy as np
import pytest

from stacked import Autoencoder, StackedAutoencoder, StackedClassifier, load, open_data
from stacked.data.choice import Choice
from stacked.data.frames import FrameTable, is_frame, is_plain
from stacked.data.recipe import feature_names
from stacked.data.table_rows import fitted_rows
from stacked.errors import DataError

COLUMNS = {
    "age": [39.5, None, 28.0, 53.0, 31.0, 44.0],
    "kids": [1, 2, 3, None, 0, 2],
    "work": ["Private", None, "State", "Private", "?", "State"],
    "married": [True, False, True, None, True, False],
    "size": ["s", "m", "m", "s", "s", "m"],
    "number": [1, 2, 3, 4, 5, 6],
}
LABELS = [0, 1, 0, 1, 1, 0]
QUICK = {"scaling": "minmax", "batch_size": 3, "epochs": 1, "random_state": 0}


def pandas_frame(pd):
    frame = pd.DataFrame(COLUMNS)
    return frame.astype({"size": "category", "kids": "Int64", "married": "boolean"})


def polars_frame(pl):
    return pl.DataFrame(COLUMNS).with_columns(pl.col("size").cast(pl.Categorical), pl.col("number").cast(pl.Int8))


MAKERS = {"pandas": pandas_frame, "polars": polars_frame}


@pytest.fixture(params=MAKERS)
def library(request):
    return pytest.importorskip(request.param)


@pytest.fixture
def frame(library):
    return MAKERS[library.__name__](library)


def csv_of(frame, folder):
    path = folder / "frame.csv"
    path.write_text(frame.to_csv(index=False) if hasattr(frame, "to_csv") else frame.write_csv())
    return path


def test_a_frame_becomes_what_its_csv_becomes(frame, tmp_path):
    assert is_frame(frame) and not is_plain(frame)
    rows, from_text = fitted_rows(FrameTable(frame), Choice("none")), open_data(csv_of(frame, tmp_path))
    assert rows.table == from_text.table and rows.dtype == from_text.dtype
    np.testing.assert_array_equal(rows.array, from_text.array)
    assert feature_names(rows.table) == [
        "age", "kids", "work=Private", "work=State", "work=missing", "married=false", "married=true", "married=missing",
        "size=m", "size=s", "number",
    ]  # fmt: skip


def test_estimators_take_frames(frame, library, tmp_path):
    model = StackedAutoencoder([Autoencoder(3, **QUICK)], finetune_epochs=1, scaling="minmax").fit(frame)
    assert model.n_features_in_ == 11 and model.table_["columns"][2]["categories"] == ["Private", "State"]
    assert not hasattr(model, "feature_names_in_") and model.get_feature_names_out()[0] == "stackedautoencoder0"
    codes = model.transform(frame)
    turned = frame[list(reversed(frame.columns))]
    np.testing.assert_array_equal(model.transform(turned), codes)
    np.testing.assert_array_equal(model.transform(open_data(csv_of(frame, tmp_path))), codes)
    assert model.reconstruct(frame).shape == (6, 11) and np.isfinite(model.score(frame))
    model.save(tmp_path / "m.h5")
    np.testing.assert_array_equal(load(tmp_path / "m.h5").transform(frame), codes)
    with pytest.raises(DataError, match="<frame>: expected the columns age as in the training, found kids, work"):
        model.transform(frame[[name for name in COLUMNS if name != "age"]])


def test_classifiers_take_frames_and_labels(frame, library):
    first = frame[:4] if library.__name__ == "polars" else frame.iloc[:4]
    params = {"finetune_epochs": 1, "finetune_batch_size": 3, "scaling": "minmax"}
    model = StackedClassifier([Autoencoder(3, **QUICK)], **params).fit(frame, LABELS)
    assert model.predict(frame).shape == (6,) and model.table_["labels"] is None
    model.fit(first, LABELS[:4], X_unlabelled=frame)  # categories and means are those of all rows
    assert model.table_ == fitted_rows(FrameTable(frame), Choice("none")).table
    assert 0 <= model.score(frame, LABELS) <= 1


def test_numeric_frames_go_through_scikit_learn(library):
    frame = library.DataFrame({"a": np.arange(6.0), "b": np.arange(6) % 3})
    assert is_plain(frame)
    model = Autoencoder(2, **QUICK).fit(frame)
    assert model.table_ is None and list(model.feature_names_in_) == ["a", "b"]
    np.testing.assert_array_equal(
        model.transform(frame), Autoencoder(2, **QUICK).fit(frame.to_numpy()).transform(frame.to_numpy())
    )
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame[["b", "a"]])
    model.fit(library.DataFrame({"a": [1.5, None, 2.0], "b": [1, 2, 3]}))
    assert model.table_["columns"][0] == {"name": "a", "kind": "number", "fill": 1.75}
    assert not hasattr(model, "feature_names_in_")


def test_a_column_named_like_labels_is_data_in_a_frame(library):
    model = Autoencoder(2, **QUICK).fit(library.DataFrame({"y": ["u", "v", "u"], "x": [1, 2, 3]}))
    assert feature_names(model.table_) == ["y=u", "y=v", "x"]


def test_columns_of_dates_and_of_lists_are_refused(library):
    from datetime import date, datetime, timedelta

    for value in (datetime(2020, 1, 31), timedelta(1), date(2020, 1, 31)):
        frame = library.DataFrame({"x": [1, 2], "when": [value, value]})
        with pytest.raises(DataError, match=r"column 'when': .* dates or times.*; .*leave the column out of the frame"):
            Autoencoder(2).fit(frame)
    if library.__name__ == "polars":
        with pytest.raises(DataError, match=r"column 'l': .* found values of type list"):
            Autoencoder(2).fit(library.DataFrame({"l": [[1], [2]]}))


def test_infinite_values_and_texts_in_columns_of_numbers(library):
    model = Autoencoder(2, **QUICK).fit(library.DataFrame({"x": [1.0, None, 3.0], "t": ["a", "b", "a"]}))
    with pytest.raises(DataError, match="row 1, column 1: expected a finite number, found 'inf'"):
        model.transform(library.DataFrame({"x": [1.0, np.inf], "t": ["a", "b"]}))
    with pytest.raises(DataError, match="row 1, column 1: expected a finite number, found 'no'"):
        model.transform(library.DataFrame({"x": ["1", "no"], "t": ["a", "b"]}))
    assert model.transform(library.DataFrame({"x": ["1", "2"], "t": [None, "c"]})).shape == (2, 2)


def test_infinite_values_in_training(library):
    frame = library.DataFrame({"x": [1.0, None, float("-inf"), float("inf")], "t": ["a", "b", "a", "b"]})
    with pytest.raises(
        DataError, match="row 2, column 1: expected a finite number, found '-inf'; correct it, or leave the"
    ):
        Autoencoder(2).fit(frame)


def test_numbers_for_categories(library):
    model = Autoencoder(2, **QUICK).fit(library.DataFrame({"t": ["1", "2", "b", "b"] * 3, "x": [1, 2, 3, 4] * 3}))
    assert feature_names(model.table_) == ["t=1", "t=2", "t=b", "x"]
    texts, numbers = ({"t": values, "x": [5, 6]} for values in (["1", "2"], [1.0, 2.0]))
    np.testing.assert_array_equal(*(model.transform(library.DataFrame(given)) for given in (texts, numbers)))


def test_empty_frames(library):
    with pytest.raises(ValueError, match="0 sample"):
        Autoencoder(2).fit(library.DataFrame({"t": ["a"], "x": [1]})[:0])


def parquet(folder, columns, name="a.parquet"):
    arrow, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    writer.write_table(arrow.table(columns), folder / name)
    return folder / name


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    columns = COLUMNS | {"size": arrow.array(COLUMNS["size"]).dictionary_encode()}
    rows = open_data(parquet(tmp_path, columns))
    lines = [",".join(COLUMNS)] + [
        ",".join("" if v is None else str(v) for v in row) for row in zip(*COLUMNS.values(), strict=True)
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    expected = open_data(tmp_path / "a.csv")
    assert rows.table == expected.table and rows.dtype == expected.dtype == np.float32
    np.testing.assert_array_equal(rows.array, expected.array)


def test_parquet_of_numbers_and_labels(tmp_path):
    path = parquet(tmp_path, {"a": [1, 2, 3], "b": [0.1, 0.2, 0.3], "class": ["u", "v", "u"]})
    rows = open_data(path)
    assert rows.dtype == np.float64 and list(rows.labels) == ["u", "v", "u"]
    np.testing.assert_array_equal(rows.array, [[1, 0.1], [2, 0.2], [3, 0.3]])
    assert list(open_data(path, label_column="a", drop="class").labels) == [1, 2, 3]
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    assert list(open_data(tmp_path / "x.npy", labels=f"{path}:a").labels) == [1, 2, 3]
    with pytest.raises(DataError, match="expected a label, found an empty cell"):
        open_data(parquet(tmp_path, {"a": [1, 2], "class": ["u", None]}))
    with pytest.raises(DataError, match=r"column 'd': .* dates or times; leave the column out with drop=\['d'\]"):
        from datetime import date

        open_data(parquet(tmp_path, {"a": [1, 2], "d": [date(2020, 1, 1)] * 2}))


def test_damaged_parquet(tmp_path):
    path = parquet(tmp_path, {"a": list(range(1000)), "t": ["x", "y"] * 500})
    whole = path.read_bytes()
    for damaged in (whole[:200], whole[:-20] + b"x" * 20, whole[:50] + b"\xff" * 300 + whole[350:], b"PAR1"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.parquet: expected a Parquet file, found") as caught:
            open_data(path)
        assert "\n" not in str(caught.value)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1" * 9)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        DataError, match=r"expected pyarrow to be there to read Parquet, .* pip install 'stacked\[parquet\]'"
    ):
        open_data(tmp_path / "a.parquet")


def test_parquet_through_memory(tmp_path, monkeypatch):
    path = parquet(tmp_path, {"a": list(range(1000))})
    monkeypatch.setattr("stacked.data.memory.available_memory", lambda: 1000)
    with pytest.raises(DataError, match="the memory available"):
        open_data(path)
