"""Tables as they come: what separates cells, what is a header, a gap, a category, a date, and what is refused with advice."""

import gzip
import logging
import time
import tracemalloc

import numpy as np
import pytest

from stacked import open_data
from stacked.data import TableRows, open_data_for
from stacked.data.cells import is_date, is_missing, is_name, number, word
from stacked.data.choice import ColumnError
from stacked.data.header import reads_as_header, unique_names
from stacked.data.recipe import check_recipe, feature_names, recipe_width
from stacked.errors import DataError

PEOPLE = """age,work,hours,married
39,State,40,True
50,?,13,true
,Private,40,FALSE
53,Private,NA,False
"""


def write(folder, text, name="a.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def refused(path, words, **choice):
    with pytest.raises(DataError, match=words) as caught:
        open_data(path, **choice)
    message = str(caught.value)
    assert "\n" not in message and path.name in message
    return message


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_text_becomes_categories_and_gaps_the_mean_or_a_category(tmp_path, name):
    rows = open_data(write(tmp_path, PEOPLE, name))
    names = ["age", "work=Private", "work=State", "work=missing", "hours", "married=false", "married=true"]
    assert isinstance(rows, TableRows) and feature_names(rows.table) == names and rows.labels is None
    age, hours = np.float32((39 + 50 + 53) / 3), np.float32((40 + 13 + 40) / 3)
    expected = [
        [39, 0, 1, 0, 40, 0, 1], [50, 0, 0, 1, 13, 0, 1], [age, 1, 0, 0, 40, 1, 0], [53, 1, 0, 0, hours, 1, 0],
    ]  # fmt: skip
    np.testing.assert_array_equal(rows.array, np.array(expected, np.float32))
    assert rows.dtype == np.float32 and check_recipe(rows.table) == rows.table and recipe_width(rows.table) == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NA,0\n1,4\n", [[1, 0], [1, 4]]),  # no header: the first line has a gap
        (",5\n1,0\n3,1\n", [[2, 5], [1, 0], [3, 1]]),
        ("1,2\nnan,4\n3,?\n", [[1, 2], [2, 4], [3, 3]]),
        ("a,y,b\n1,1,\n2,1,7\n", [[1, 7], [2, 7]]),
        ("a,b\n1,null\n2,None\n", [[1, 0], [2, 0]]),  # nothing but gaps
    ],
)
def test_gaps_of_numbers(tmp_path, text, expected):
    rows = open_data(write(tmp_path, text))
    np.testing.assert_array_equal(rows.array, expected)
    assert all(column["kind"] == "number" for column in rows.table["columns"])


@pytest.mark.parametrize("gap", ["", "?", "NA", "N/A", "nan", "NULL", "None", "missing", "#N/A", "<NA>"])
def test_words_for_gaps(gap):
    assert is_missing(gap) and is_missing(f" {gap} ") and not is_name(gap) and not is_missing("Nancy")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "a;b\n1,5;2\n0,25;3\n", [[1.5, 2], [0.25, 3]]),
        ("a.csv", "1,5;2,5\n0,25;3,5\n", [[1.5, 2.5], [0.25, 3.5]]),
        ("a.csv", "1.5;2\n3;4\n", [[1.5, 2], [3, 4]]),
        ("a.csv", "a\tb\n1\t2\n", [[1, 2]]),
        ("a.csv", '"a;b",c\n1,2\n', [[1, 2]]),
        ("a.csv", "a, b\n 1, 2\n", [[1, 2]]),
        ("a.tsv", "a\tb\n1\t2\n", [[1, 2]]),
        ("a.csv", "7\n8\n", [[7], [8]]),
        ("a.csv", ",0,1\n0,5,6\n1,7,8\n", [[0, 5, 6], [1, 7, 8]]),  # pandas writes columns without names so
    ],
)
def test_what_separates_cells_is_told_by_the_first_lines(tmp_path, name, text, expected):
    np.testing.assert_array_equal(open_data(write(tmp_path, text, name)).array, expected)


def test_commas_within_text_and_semicolons_within_text(tmp_path):
    rows = open_data(write(tmp_path, 'x,tags\n1,"a,b"\n2,c;d\n3,"a,b"\n'))
    assert feature_names(rows.table) == ["x", "tags=a,b", "tags=c;d"]
    rows = open_data(write(tmp_path, "x;tags\n1,5;a, b\n2;c\n3;c\n"))
    assert feature_names(rows.table) == ["x", "tags=a, b", "tags=c"] and rows.array[0, 0] == 1.5


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("39, State, x\n50, Self, y\n38, State, x\n", ["1", "2", "3"]),  # adult's form: no header
        ("y,n,y\nn,y,n\ny,y,y\n", ["1", "2", "3"]),  # votes: y is a value here, though it is a name for labels
        ("name,city\nBob,Rome\nAnn,Rome\nBob,Bern\n", ["name", "city"]),
        ("age,work\n?,Private\n3,State\n4,State\n", ["age", "work"]),  # a gap right below the header
        ("Rome,1\n?,2\nRome,3\n", ["1", "2"]),
    ],
)
def test_headers_of_text(tmp_path, text, names):
    assert [column["name"] for column in open_data(write(tmp_path, text)).table["columns"]] == names


def test_names_that_are_there_twice_or_not_at_all():
    assert unique_names(["a", "a", "", " b ", "a.1", "a"]) == ["a", "a.2", "column3", "b", "a.1", "a.3"]
    assert reads_as_header(["workclass=Private", "age"]) and not reads_as_header(["2020", "2021"])
    assert not reads_as_header(["2020", "?", "3+"])


def test_the_same_categories_whatever_the_blanks_and_the_case_of_truth(tmp_path):
    rows = open_data(write(tmp_path, "b,t\nTRUE, x\ntrue,x \nFalse,X\n"))
    assert feature_names(rows.table) == ["b=false", "b=true", "t=X", "t=x"]


@pytest.mark.parametrize(
    "text",
    ["2020-01-31", "31.12.2020", "1/2/99", "2020-01-31T12:30:00Z", "2020-01-31 12:30", "12:30", "12:30:01.5", "9:15 pm",
     "3 Mar 2020", "March 3, 2020"],
)  # fmt: skip
def test_dates(tmp_path, text):
    assert is_date(text)
    path = write(tmp_path, "x,when\n" + f'1,"{text}"\n' * 3)
    message = refused(path, "column 'when': expected numbers or categories, found dates or times such as")
    assert message.endswith("turn them into numbers, or leave the column out with drop=['when']")
    assert open_data(path, drop="when").n_columns == 1


@pytest.mark.parametrize("text", ["1-3", "10+", "Bob", "1.2.3.4", "A-12-2000", "12.5", "2020"])
def test_what_is_no_date(text):
    assert not is_date(text)


def test_identifiers_and_free_text_are_refused_with_advice(tmp_path):
    many = write(tmp_path, "x,id\n" + "".join(f"{i % 5},u{i % 1500}\n" for i in range(6000)))
    refused(many, r"column 'id': .* found more than 1,000 different texts, .* leave the column out with drop=\['id'\]")
    each = write(tmp_path, "x,id\n" + "".join(f"{i % 5},u{i}\n" for i in range(50)), "b.csv")
    refused(each, "column 'id': .* found 50 different texts in 50 rows, such as 'u0'")
    long = write(tmp_path, "x,id\n" + f"1,{'word ' * 100}\n2,short\n" * 9, "c.csv")
    refused(long, "column 'id': .* or long ones")
    assert open_data(many, drop=["id"]).n_columns == open_data(many, columns=["x"]).n_columns == 1
    thousand = write(tmp_path, "x,id\n" + "".join(f"{i % 5},u{i % 1000}\n" for i in range(3000)), "d.csv")
    assert open_data(thousand).n_columns == 1001


def test_a_rare_text_among_numbers_is_a_mistake_and_a_frequent_one_makes_categories(tmp_path, caplog):
    rare = write(tmp_path, "a,b\n" + "1,2\n" * 200 + "1,oops\n")
    refused(rare, r"line 202, column 2: expected a finite number, found 'oops'; correct it, or leave .* drop=\['b'\]")
    caplog.set_level(logging.WARNING, "stacked.tables")
    often = write(tmp_path, "a,b\n" + "1,0\n1,1\n1,2\n1,3+\n" * 50, "b.csv")
    assert feature_names(open_data(often).table) == ["a", "b=0", "b=1", "b=2", "b=3+"]
    assert "column 'b' holds numbers and text, such as '3+' in line 5: all its values are taken for" in caplog.text
    refused(write(tmp_path, "a,b\n" + "1,0\n1,inf\n" * 50, "c.csv"), "line 3, column 2: .* found 'inf'")
    refused(write(tmp_path, "a,b\n" + "1,1_0\n" * 50, "d.csv"), "line 2, column 2: .* found '1_0'")


def test_which_column_holds_the_labels(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "stacked.tables")
    path = write(tmp_path, "x,class,kind\n1,a,u\n2,b,v\n3,a,u\n")
    rows = open_data(path)
    assert list(rows.labels) == ["a", "b", "a"] and feature_names(rows.table) == ["x", "kind=u", "kind=v"]
    assert "column 'class' is taken for labels by its name; label_column='none' keeps it among the data" in caplog.text
    caplog.clear()
    rows = open_data(path, label_column="kind")
    assert list(rows.labels) == ["u", "v", "u"] and rows.table["labels"] == "kind" and rows.n_columns == 3
    rows = open_data(path, label_column="none", drop="kind")
    assert rows.labels is None and feature_names(rows.table) == ["x", "class=a", "class=b"]
    assert open_data(path, columns=["x", "class"], drop=["x"]).labels is None  # asked for as data
    assert open_data(path, drop=["class", "kind"]).labels is None
    assert not caplog.text


def test_labels_with_gaps_are_refused_with_the_line(tmp_path):
    refused(write(tmp_path, "x,class\n1,a\n2,\n"), "line 3, column 2: expected a label, found an empty cell")
    refused(write(tmp_path, "x,t,class\n1,u,a\n2,u,?\n", "b.csv"), r"line 3, column 3: expected a label, found '\?'")
    rows = open_data(write(tmp_path, "x,class\n1,none\n2,some\n", "c.csv"))
    assert list(rows.labels) == ["none", "some"]


def test_columns_by_number_where_there_is_no_header(tmp_path):
    path = write(tmp_path, "1,u,5,a\n2,v,6,b\n3,u,7,a\n")
    rows = open_data(path, label_column="4", drop="1")
    assert feature_names(rows.table) == ["column2=u", "column2=v", "column3"] and list(rows.labels) == ["a", "b", "a"]
    with pytest.raises(ColumnError, match="found no 'x' among columns 1 to 4 without names"):
        open_data(path, drop="x")
    with pytest.raises(ColumnError, match=r"found no 'y' among x, z"):
        open_data(write(tmp_path, "x,z\n1,2\n", "b.csv"), columns=["x", "y"])
    with pytest.raises(ColumnError, match=r"digits: expected a table with columns .* to find 'x' in"):
        open_data("digits", label_column="x")


def test_nothing_but_numbers_without_a_header_keeps_no_recipe_and_with_one_it_keeps_names(tmp_path):
    assert open_data(write(tmp_path, "1,2\n3,4\n")).table is None
    named = open_data(write(tmp_path, "a,b\n1,2\n3,4\n")).table
    assert named == {
        "header": True, "labels": None,
        "columns": [{"name": "a", "kind": "number", "fill": 2.0}, {"name": "b", "kind": "number", "fill": 3.0}],
    }  # fmt: skip
    assert open_data(write(tmp_path, "1,2,3\n4,5,6\n"), drop="2").table["columns"][1]["name"] == "3"


@pytest.mark.parametrize("n_columns", [20_000, 30_000])
def test_names_of_very_many_numbers_are_not_kept(tmp_path, n_columns):
    lines = [
        ",".join(f"a_column_with_number_{i}" for i in range(n_columns)),
        *(",".join([value] * n_columns) for value in "12"),
    ]
    rows = open_data(write(tmp_path, "\n".join(lines)))
    assert rows.n_columns == n_columns and rows.table is None
    lines[2] = lines[2].replace("2", "", 1)
    with pytest.raises(
        DataError, match=r"that a model file can hold|at most [0-9,]+ columns where there is text, or gaps"
    ):
        open_data(write(tmp_path, "\n".join(lines)))


def test_wide_tables_of_other_separators(tmp_path):
    for sign in "\t;":
        rows = open_data(write(tmp_path, f"{sign.join(['1.25'] * 20_000)}\n{sign.join(['2'] * 20_000)}\n"))
        assert rows.array.shape == (2, 20_000) and rows.table is None


def test_very_many_columns_of_one_name(soon=20):
    started = time.monotonic()
    names = unique_names(["a"] * 200_000)
    assert len(set(names)) == 200_000 and names[-1] == "a.199999" and time.monotonic() - started < soon


@pytest.mark.parametrize("n_rows", [1, 1023, 1024, 1025, 3000])
def test_blocks_are_no_matter(tmp_path, n_rows):
    rng = np.random.default_rng(n_rows)
    numbers, letters = rng.integers(0, 99, n_rows), rng.choice(list("abc"), n_rows)
    path = write(tmp_path, "n,t\n" + "".join(f"{n},{t}\n" for n, t in zip(numbers, letters, strict=True)))
    array, found = open_data(path).array, sorted(set(letters))
    np.testing.assert_array_equal(array[:, 0], numbers)
    np.testing.assert_array_equal(array[:, 1:], letters[:, None] == np.array(found))


def test_means_of_numbers_near_the_end_of_float64(tmp_path):
    rows = open_data(write(tmp_path, "a,b\n1e308,1\n1.5e308,\n1.7e308,3\n,4\n"))
    assert rows.table["columns"][0]["fill"] == pytest.approx(1.4e308) and np.isfinite(rows.array).all()


def test_a_table_of_text_is_not_kept_as_text(tmp_path):
    """9 MB of text; 1.6 MB of numbers in the end, beside a block of text."""
    line = ",".join(["category number one"] * 20)
    path = write(tmp_path, f"x,{','.join(f't{i}' for i in range(20))}\n" + f"1.5,{line}\n2.5,{line[::-1]}\n" * 10_000)
    tracemalloc.start()
    try:
        rows = open_data(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows.array.shape == (20_000, 41) and rows.dtype == np.float32
    assert peak < 24 << 20, peak


def test_categories_that_do_not_fit_into_memory_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path, "x," + "t" * 300 + "\n" + "".join(f"{i},{'abcdefgh' * 20}{i % 900}\n" for i in range(2000)))
    monkeypatch.setattr("stacked.data.profile.available_memory", lambda: 400_000)
    refused(path, "expected categories that fit in memory, found more")
    monkeypatch.setattr("stacked.data.profile.available_memory", lambda: 4_000)
    refused(path, "expected a table whose columns fit in memory, found 2 of them")


def test_an_encoded_table_that_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, "x,t\n" + "".join(f"{i},t{i % 900}\n" for i in range(2000)))
    monkeypatch.setattr("stacked.data.memory.available_memory", lambda: 10_000_000)
    refused(path, "the memory available")
    monkeypatch.setattr("stacked.data.memory.available_memory", lambda: 15_000_000)
    monkeypatch.setattr("stacked.data.memory.require_memory", lambda name, nbytes: None)
    monkeypatch.setattr("stacked.data.memory.available_memory", lambda: 8_000_000)
    refused(path, "expected a table that fits in memory, found one that becomes 901 columns")


def test_names_and_categories_beyond_what_a_file_holds(tmp_path):
    lines = (",".join([f"{j}{'c' * 150}{i % 900}" for j in range(8)]) for i in range(2000))
    refused(write(tmp_path, "a,b,c,d,e,f,g,h\n" + "\n".join(lines)), "names and categories that a model file can hold")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,x\n2,y,z\n", "line 3: expected 2 cells, found 3"),
        ("a,b\n1,x\n2\n", "line 3: expected 2 cells, found 1"),
        ('a,b\n1,"x\n', "damaged"),
    ],
)
def test_ragged_and_damaged_tables_of_text(tmp_path, text, words):
    refused(write(tmp_path, text), words)


def test_damaged_gzip_and_lines_without_end_in_tables_of_text(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"1,x\n" * 1000)[:-12])
    refused(path, "damaged")
    monkeypatch.setattr("stacked.data.records.LONGEST_LINE", 1000)
    refused(write(tmp_path, "a,b\n" + "1,x\n" * 9 + f"1,{'x' * 2000}\n"), "lines of less than 1000 characters")


@pytest.mark.parametrize("text", ["1 2 3\n4 5 6\n", "a|b\n1|2\n3|4\n", "1:0.5 2:3\n1:1 2:4\n"])
def test_cells_that_something_else_separates(tmp_path, text):
    refused(
        write(tmp_path, text),
        "expected cells separated by commas, tabs or semicolons, found one column of text such as",
    )


def test_random_damage_ends_in_one_line_or_in_a_table(tmp_path):
    rng, whole = np.random.default_rng(0), np.frombuffer((PEOPLE * 3).encode(), np.uint8)
    n_refused = 0
    for _ in range(400):
        content = whole.copy()
        places = rng.integers(0, len(content), rng.integers(1, 6))
        content[places] = rng.choice(np.frombuffer(b'\n,;\t"\0\xff?-_1e9 a', np.uint8), len(places))
        (tmp_path / "a.csv").write_bytes(content.tobytes()[: rng.integers(1, len(content))])
        try:
            rows = open_data(tmp_path / "a.csv")
            assert np.isfinite(rows.array).all() and (rows.table is None or check_recipe(rows.table))
        except DataError as error:
            assert "\n" not in str(error)
            n_refused += 1
    assert 50 < n_refused < 390


def test_numbers_with_a_decimal_comma():
    assert number("1,5", comma=True) == 1.5 and number("1,5") is None and number("1_000") is None
    assert word(" True ") == "true" and word(" Rome ") == "Rome"


def test_a_model_of_numbers_takes_nothing_else(tmp_path):
    assert open_data_for(None, write(tmp_path, "1,2\n3,4\n")).table is None
    with pytest.raises(DataError, match="line 2, column 1: expected a finite number, found an empty cell"):
        open_data_for(None, write(tmp_path, "1,2\n,4\n"))
    with pytest.raises(DataError, match="line 3, column 2: expected a finite number, found 'x'"):
        open_data_for(None, write(tmp_path, "a,b\n1,2\n3,x\n"))
