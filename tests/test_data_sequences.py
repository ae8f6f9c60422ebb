"""Sequences of unequal length: every form that they are read from, their lengths, and files that lie about them."""

import gzip
import pickle
import tracemalloc

import h5py
import numpy as np
import pytest

import stacked.data.memory
from stacked.data import ArrayRows, as_rows, fingerprint, lengths_of, open_data, open_data_for, summarize
from stacked.data.sequences import SequenceRows
from stacked.errors import DataError

LENGTHS = np.array([3, 1, 5, 2, 5])
STEPS = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
PARTS = np.split(STEPS, np.cumsum(LENGTHS)[:-1])
NAMES = ["b c", "a", " c ", "d", "e"]


def padded(parts=PARTS):
    """What the rows are, written down step by step."""
    out = np.full((len(parts), max(map(len, parts)), parts[0].shape[1]), np.nan, np.float32)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out


def text(parts, header="p,q"):
    return "\n".join([header, *(f"{a!r},{b!r}" for a, b in np.asarray(parts, np.float64).tolist())]) + "\n"


def folder(path, parts=PARTS, names=None):
    path.mkdir()
    for number, part in enumerate(parts):
        (path / (f"run {number}.csv" if names is None else names[number])).write_text(text(part))
    return path


def long_table(order, header="p,machine name,q"):
    """A table with a step a line, the sequences mixed up but each in its own order."""
    left = [iter(part.astype(np.float64).tolist()) for part in PARTS]
    lines = [header]
    for number in order:
        p, q = next(left[number])
        lines.append(f'{p!r},"{NAMES[number]}",{q!r}')
    return "\n".join(lines) + "\n"


def _npz(path):
    np.savez(path, values=STEPS, lengths=LENGTHS)


def _hdf5(path, group="", **options):
    with h5py.File(path, "a") as file:
        file.create_dataset(f"{group}/values", data=STEPS, **options)
        file[f"{group}/lengths"] = LENGTHS


def _csv(path):
    path.write_text(long_table([0, 2, 1, 2, 3, 2, 0, 4, 4, 4, 4, 2, 0, 4, 3, 2]))


def _as_read(name, **options):
    return lambda path: (WRITERS[name](path / name), open_data(path / name, **options))[1]


WRITERS = {
    "a.npy": lambda path: np.save(path, padded()),
    "a.npz": _npz,
    "a.h5": _hdf5,
    "runs": folder,
}
SOURCES = {
    **{name: _as_read(name) for name in WRITERS},
    "list": lambda path: as_rows(PARTS),
    "tuple of lists": lambda path: as_rows(tuple(part.tolist() for part in PARTS)),
    "array of objects": lambda path: as_rows(_objects(PARTS)),
    "array": lambda path: as_rows(padded()),
    "group": lambda path: (_hdf5(path / "a.h5", "train/own"), open_data(f"{path / 'a.h5'}:/train/own"))[1],
    "compressed": lambda path: (
        _hdf5(path / "a.h5", compression="gzip", chunks=(3, 1)),
        open_data(path / "a.h5"),
    )[1],
    "table": lambda path: (_csv(path / "a.csv"), open_data(path / "a.csv", sequence_column="machine name"))[1],
}


def _objects(parts):
    out = np.empty(len(parts), object)
    out[:] = parts
    return out


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_rows(tmp_path, source):
    rows = SOURCES[source](tmp_path)
    expected = padded()
    if source == "table":  # they come in the order in which they begin
        expected = expected[[0, 2, 1, 3, 4]]
    assert rows.sample_shape == (5, 2) and rows.n_columns == 10 and rows.ragged
    np.testing.assert_array_equal(rows.read(0, 5), expected.reshape(5, 10))
    np.testing.assert_array_equal(lengths_of(rows), LENGTHS[[0, 2, 1, 3, 4]] if source == "table" else LENGTHS)
    assert rows.dtype == (np.float64 if "list" in source and source != "list" else np.float32)
    if source not in ("table", "tuple of lists"):
        assert fingerprint(rows) == fingerprint(ArrayRows(padded()))


def test_lengths_are_those_of_the_last_step_that_has_a_number():
    x = np.full((3, 4, 2), np.nan)
    x[0, 0], x[1, 2, 1], x[2] = 1, 5, 0
    np.testing.assert_array_equal(lengths_of(ArrayRows(x)), [1, 3, 4])
    np.testing.assert_array_equal(lengths_of(ArrayRows(np.ones((2, 6, 3), np.uint8))), [6, 6])
    with pytest.raises(DataError, match=r"expected sequences \(steps, numbers\), found samples of shape \(4,\)"):
        lengths_of(ArrayRows(np.ones((2, 4))))


def test_what_is_no_list_of_sequences_is_read_as_before():
    images = [np.ones((4, 4, 3), np.uint8)] * 3
    rows = as_rows(images)
    assert rows.sample_shape == (4, 4, 3) and rows.dtype == np.uint8 and not rows.ragged
    assert as_rows([[1, 2], [3, 4]]).sample_shape == (2,)
    assert as_rows([np.arange(3), np.arange(3)]).sample_shape == (3,)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            [np.ones((2, 3)), np.ones((2, 4)), np.ones((1, 3))],
            r"sequence 1: expected an array \(steps, 3\).*found shape \(2, 4\)",
        ),
        (
            [np.ones((2, 3)), np.ones((0, 3))],
            r"sequence 1: expected an array \(steps, 3\) of a step or more, found shape \(0, 3\)",
        ),
        ([np.ones((0, 3)), np.ones((0, 3))], r"expected a column or more, found an array of shape \(2, 0, 3\)"),
        ([np.ones((2, 3)), np.ones(3)], r"sequence 1: expected an array \(steps, 3\)"),
        ([np.ones((2, 3, 1)), np.ones((3, 3, 1))], r"sequence 0: expected an array \(steps, numbers\)"),
        ([np.ones((2, 3)), np.full((1, 3), "a")], "expected real numbers"),
        ([np.ones((2, 3)), np.ones((1, 3), complex)], "Complex data not supported"),
        ([[[1, 2], [3, 4]], [[5, 6], [7]]], "expected sequences, arrays"),
        ([np.ones((2, 3)), np.ma.masked_less(np.zeros((1, 3)), 1)], "without missing values"),
    ],
)
def test_lists_of_something_else_are_refused(parts, words):
    with pytest.raises(DataError, match=words) as caught:
        as_rows(parts)
    assert "\n" not in str(caught.value)


def test_one_sequence_and_sequences_of_one_step(tmp_path):
    assert as_rows([STEPS]).sample_shape == (16, 2)
    rows = as_rows([STEPS[:1], STEPS[1:2]])
    assert rows.sample_shape == (1, 2) and not rows.ragged
    np.testing.assert_array_equal(lengths_of(rows), [1, 1])
    one = open_data(folder(tmp_path / "one", PARTS[:1]))
    assert one.sample_shape == (3, 2) and one.n_rows == 1 and not one.ragged
    single = open_data(folder(tmp_path / "single", [PARTS[1], PARTS[1]]))
    assert single.sample_shape == (1, 2)
    np.savez(tmp_path / "a.npz", values=STEPS, lengths=[16])
    assert open_data(tmp_path / "a.npz").sample_shape == (16, 2)
    (tmp_path / "a.csv").write_text("id,p\n7,1\n7,2\n")
    assert open_data(tmp_path / "a.csv", sequence_column="id").sample_shape == (2, 1)


@pytest.mark.parametrize("form", ["npz", "h5"])
def test_labels_lie_beside_the_values(tmp_path, form):
    path, labels = tmp_path / f"a.{form}", np.array([4, 1, 2, 1, 0])
    if form == "npz":
        np.savez(path, values=STEPS, lengths=LENGTHS, labels=labels)
    else:
        _hdf5(path)
        with h5py.File(path, "a") as file:
            file["labels"] = labels
    np.testing.assert_array_equal(open_data(path).labels, labels)


def test_steps_can_still_be_read_as_rows_and_other_data_come_first(tmp_path):
    _npz(tmp_path / "a.npz")
    assert open_data(f"{tmp_path / 'a.npz'}:values").sample_shape == (2,)
    np.savez(tmp_path / "b.npz", values=STEPS, lengths=LENGTHS, X=np.ones((4, 3)))
    assert open_data(tmp_path / "b.npz").sample_shape == (3,)
    _hdf5(tmp_path / "a.h5", "g")
    assert open_data(f"{tmp_path / 'a.h5'}:/g/values").n_rows == 16


def test_bytes_stay_bytes_in_what_they_mean():
    parts = [np.full((n, 2), 200, np.uint8) for n in (3, 1)]
    rows = as_rows(parts)
    assert rows.dtype == np.float32 and rows.value_dtype == np.uint8
    assert as_rows(padded()).value_dtype == np.float32


# What a file may say of its lengths, and the answer.
LIES = {
    "too few": ([3, 1, 5, 2, 4], "expected lengths that add up to the 16 steps that are there, found 15"),
    "too many": ([3, 1, 5, 2, 6], "expected lengths that add up to the 16 steps that are there, found 17"),
    "none": (np.zeros(0, np.int64), r"expected lengths, one whole number a sequence, found shape \(0,\)"),
    "negative": ([3, -1, 14], "sequence 1: expected a step or more, found a length of -1"),
    "empty": ([3, 0, 13], "sequence 1: expected a step or more, found a length of 0"),
    "huge": ([3, 2**62, 13], "add up to the 16 steps that are there, found one of 4,611,"),
    "huger": (np.array([3, 2**64 - 1, 13], np.uint64), "add up to the 16 steps that are there, found one of 18,446,"),
    "floats": ([3.0, 1, 5, 2, 5], "expected lengths, one whole number a sequence, found shape .* of float64"),
    "a table": ([[3, 1], [5, 7]], "found shape"),
    "truth": ([True] * 16, "expected lengths, one whole number a sequence, found shape .* of bool"),
}


@pytest.mark.parametrize("form", ["npz", "h5"])
@pytest.mark.parametrize("lie", LIES)
def test_lengths_that_lie_are_refused_before_anything_is_allocated(tmp_path, form, lie):
    lengths, words = LIES[lie]
    path = tmp_path / f"a.{form}"
    if form == "npz":
        np.savez(path, values=STEPS, lengths=lengths)
    else:
        with h5py.File(path, "w") as file:
            file["values"], file["lengths"] = STEPS, lengths
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=words) as caught:
            open_data(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value) and f"a.{form}" in str(caught.value)


def test_one_long_sequence_among_many_short_ones_is_not_padded_at_once(monkeypatch):
    """Padded, 200 short ones and one of 10,000 steps are 200 times what they hold."""
    parts = [np.ones((10_000, 1), np.float32), *(np.ones((2, 1), np.float32) for _ in range(200))]
    loaded = as_rows(parts)
    monkeypatch.setattr("stacked.data.sequences.available_memory", lambda: 16 << 20)
    rows = as_rows(parts)
    assert isinstance(rows, SequenceRows) and rows.in_memory and rows.ragged
    assert fingerprint(rows) == fingerprint(loaded)
    monkeypatch.setattr("stacked.data.sequences.available_memory", lambda: 1 << 20)
    with pytest.raises(DataError, match="found one of 10,000 steps, to which all are padded; cut the long ones"):
        as_rows(parts)


def test_hdf5_is_streamed_to_the_same_bits(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 9, 5000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("values", data=rng.normal(size=(lengths.sum(), 3)), chunks=(1000, 3), compression="gzip")
        file["lengths"], file["labels"] = lengths, lengths % 3
    loaded = open_data(tmp_path / "a.h5")
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: 3 * loaded.nbytes)
    monkeypatch.setattr("stacked.data.sequences.available_memory", lambda: 3 * loaded.nbytes)
    with open_data(tmp_path / "a.h5") as streamed:
        assert isinstance(streamed, SequenceRows) and not streamed.in_memory and isinstance(loaded, ArrayRows)
        assert fingerprint(streamed) == fingerprint(loaded)
        np.testing.assert_array_equal(streamed.read(4990, 5000), loaded.read(4990, 5000))
        np.testing.assert_array_equal(streamed.read(7, 7), loaded.read(7, 7))
        np.testing.assert_array_equal(lengths_of(streamed), lengths)
        np.testing.assert_array_equal(streamed.labels, loaded.labels)
        one, other = summarize(streamed, sequences=True), summarize(loaded, sequences=True)
        assert one.column_mean.tobytes() == other.column_mean.tobytes() and (one.mean, one.std) == (
            other.mean,
            other.std,
        )
        again = pickle.loads(pickle.dumps(streamed))
        np.testing.assert_array_equal(again.read(0, 20), loaded.read(0, 20))
        again.close()
        with pytest.raises(IndexError, match="not within"):
            streamed.read(4990, 5001)


def test_a_padded_hdf5_array_is_ragged_wherever_it_is(tmp_path, monkeypatch):
    x = np.tile(padded(), (600, 1, 1))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", data=x, compression="gzip")
    monkeypatch.setattr(stacked.data.memory, "available_memory", lambda: 3 * x.nbytes)
    with open_data(tmp_path / "a.h5") as rows:
        assert not rows.in_memory and rows.ragged


def test_a_folder_of_folders_has_their_names_for_labels(tmp_path):
    home = tmp_path / "runs"
    home.mkdir()
    for kind, parts in (("walk", PARTS[:2]), ("run", PARTS[2:])):
        folder(home / kind, parts)
    rows = open_data(home)
    assert list(rows.labels) == ["run", "run", "run", "walk", "walk"]
    np.testing.assert_array_equal(lengths_of(rows), [5, 2, 5, 3, 1])
    assert list(open_data(home, labels=home).labels) == list(rows.labels)


def test_a_folder_goes_by_names_of_files_and_columns(tmp_path):
    home = folder(tmp_path / "runs", PARTS[:2], ["z z.csv", "a b.csv"])
    (home / ".hidden.csv").write_text("no table")
    (home / "notes.txt").write_text("no table")
    (home / "m.tsv").write_text("q\tp\n1\t2\n")
    with gzip.open(home / "n.csv.gz", "wt") as file:
        file.write("p,q\n3,4\n")
    np.testing.assert_array_equal(
        open_data(home).read(0, 4)[:, :2], [PARTS[1][0], [2, 1], [3, 4], PARTS[0][0]]
    )  # fmt: skip
    assert open_data(home, columns=["q"]).sample_shape == (3, 1)
    assert open_data(home, drop=["q"]).sample_shape == (3, 1)


# What the file "run 1.csv" of a folder may be, and the answer.
BAD_FILES = {
    "empty": ("", "run 1.csv: expected a table of numbers, found no lines"),
    "no steps": ("p,q\n", "run 1.csv: expected a table of numbers, found a header and no rows"),
    "other names": ("p,r\n1,2\n", "run 1.csv: expected p, q as in run 0.csv, found p, r"),
    "more columns": ("p,q,r\n1,2,3\n", "run 1.csv: expected p, q as in run 0.csv, found p, q, r"),
    "no names": ("1,2\n", "run 1.csv: expected p, q as in run 0.csv, found 2 columns without names"),
    "a gap": ("p,q\n1,2\n3,\n", "run 1.csv: line 3, column 2: expected a finite number, found an empty cell"),
    "text": ("p,q\n1,x\n3,4\n3,5\n", "run 1.csv: line 2, column 2: expected a finite number, found 'x'"),
    "NaN": ("p,q\n1,nan\n", "run 1.csv: line 2, column 2: expected a finite number, found 'nan'"),
    "infinity": ("p,q\n1,1e999\n", "run 1.csv: line 2, column 2: expected a finite number"),
    "ragged": ("p,q\n1,2\n3\n", "run 1.csv: line 3: expected 2 cells, found 1"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_one_bad_file_of_a_folder_is_named(tmp_path, kind):
    content, words = BAD_FILES[kind]
    home = folder(tmp_path / "runs")
    (home / "run 1.csv").write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        open_data(home)
    assert "\n" not in str(caught.value)


def test_folders_that_are_refused(tmp_path):
    home = folder(tmp_path / "runs")
    folder(home / "below")
    with pytest.raises(DataError, match=r"expected tables or folders of tables, found both: run 0\.csv and below/"):
        open_data(home)
    with pytest.raises(DataError, match=r"no key behind this kind of file, found 'X'"):
        open_data(f"{home / 'below'}:X")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"of sequences .* found no images"):
        open_data(tmp_path / "empty")
    with pytest.raises(DataError, match=r"expected a table with columns .* to find 'id' in"):
        open_data(folder(tmp_path / "more"), sequence_column="id")
    with pytest.raises(DataError, match="expected columns of numbers, the steps of sequences, found none left"):
        open_data(tmp_path / "more", drop=["p", "q"])
    with pytest.raises(DataError, match="expected columns that the table has, found no 'r' among p, q"):
        open_data(tmp_path / "more", drop=["r"])


def test_a_folder_too_large_for_memory_is_refused(tmp_path, monkeypatch):
    home = folder(tmp_path / "runs")
    monkeypatch.setattr("stacked.data.table_sequences.available_memory", lambda: 100)
    with pytest.raises(DataError, match="runs: expected sequences that fit in memory"):
        open_data(home)


def test_images_beside_a_table_are_still_images(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("1\n")
    assert open_data(tmp_path).sample_shape == (4, 5)


def test_a_long_table_in_use_is_read_as_for_training(tmp_path):
    _csv(tmp_path / "a.csv")
    rows = open_data_for(None, tmp_path / "a.csv", sequence_column="machine name")
    assert fingerprint(rows) == fingerprint(open_data(tmp_path / "a.csv", sequence_column="machine name"))
    assert open_data(tmp_path / "a.csv", sequence_column="machine name", columns=["q"]).sample_shape == (5, 1)


def test_names_are_numbers_or_texts_without_blanks_around_them_and_labels_one_a_sequence(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,label,v,y\n2,up,1,9\n1,down,2,9\n02,up,3,9\n1.0,down,4,8\n")
    rows = open_data(path, sequence_column="id", label_column="label")
    assert list(rows.labels) == ["up", "down"]
    np.testing.assert_array_equal(rows.read(0, 2), [[1, 9, 3, 9], [2, 9, 4, 8]])
    path.write_text("id,v\n a b,1\na b ,2\nab,3\n")
    np.testing.assert_array_equal(lengths_of(open_data(path, sequence_column="id")), [2, 1])
    path.write_text("3,7,1\n3,8,2\n4,9,1\n")
    np.testing.assert_array_equal(lengths_of(open_data(path, sequence_column="1")), [2, 1])
    with pytest.raises(DataError, match=r"sequence 0: expected one label at all of its steps, found 1 and 2"):
        open_data(path, sequence_column="1", label_column="3")


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        ("id,v\n1,2\n,3\n", "id", "a.csv: line 3, column 1: expected the name of a sequence, found an empty cell"),
        ("id,v\n1,2\n1,\n", "id", "a.csv: line 3, column 2: expected a finite number, found an empty cell"),
        ("id,v,w\n1,2,x\n1,3,y\n", "id", "a.csv: line 2, column 3: expected a finite number, found 'x'"),
        ("id,v\n1,2\n", "name", "a.csv: expected columns that the table has, found no 'name' among id, v"),
        ("id,v\n", "id", "a.csv: expected a table of numbers, found a header and no rows"),
        ("id\n1\n1\n", "id", "a.csv: expected columns of numbers, the steps of sequences, found none left"),
    ],
)
def test_long_tables_that_are_refused(tmp_path, content, column, words):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        open_data(tmp_path / "a.csv", sequence_column=column)
    assert "\n" not in str(caught.value)


def test_what_is_no_table_has_no_column_of_sequences(tmp_path):
    np.save(tmp_path / "a.npy", padded())
    for spec in (tmp_path / "a.npy", "symbols:5"):
        with pytest.raises(
            DataError, match=r"expected a table with columns .* to find 'id' in, found another kind of data"
        ):
            open_data(spec, sequence_column="id")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ((1, 0), np.nan, "row 1: expected a step or more, found nothing but NaN"),
        ((0, 1), np.nan, r"found NaN at row 0, step 1, column 0 \(counted from 0\); only the steps after the end"),
        ((2, 3, 1), np.nan, "found NaN at row 2, step 3, column 1"),
        ((0, 3, 1), 7.0, "found NaN at row 0, step 3, column 0"),  # a number behind the end
        ((2, 4, 1), np.inf, r"found \+inf at row 2, step 4, column 1"),
        ((0, 4), -np.inf, "found NaN at row 0, step 3, column 0"),
    ],
)
def test_nan_anywhere_but_after_the_end_is_refused(place, value, words):
    x = padded()
    x[place] = value
    with pytest.raises(DataError, match=words):
        summarize(ArrayRows(x), sequences=True)


EARLY_END = (
    r"found row 0 to end after 3 of 5 steps, NaN after it; for sequences of unequal length put a recurrent unit below all others:"
    r" SequenceAutoencoder, in --layers G or L$"
)


def test_only_who_takes_sequences_takes_an_end():
    with pytest.raises(DataError, match=EARLY_END):
        summarize(ArrayRows(padded()))
    x = padded()
    x[0, 1, 1] = np.nan
    with pytest.raises(DataError, match="found NaN at row 0, column 3"):
        summarize(ArrayRows(x))
    for shape in ((5, 10), (5, 5, 2, 1)):
        with pytest.raises(DataError, match="found NaN at row 0, column 6"):
            summarize(ArrayRows(padded().reshape(shape)), sequences=True)
