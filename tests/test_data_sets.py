"""Built-in sets against a row-by-row twin, IDX and images to the last byte, sparse members, and the memory of control groups."""

import gzip

import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from scipy.interpolate import CubicSpline

from stacked.data import memory, open_data
from stacked.data.idx import is_idx, read_idx
from stacked.data.sparse import rows_from_members
from stacked.errors import DataError

# --- built-in sets -----------------------------------------------------------------------------------------------------------


def uniform(n_rows, width, seed, purpose):
    """The numbers of the first rows, from NumPy's own Philox."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, purpose], np.uint64))).random((n_rows, width))


def blocks_of(u):
    """One image of rectangles and its label, drawn pixel by pixel from 21 numbers."""
    image, count = np.zeros((16, 16), np.uint8), 1 + int(u[0] * 4)
    for quarter in np.argsort(u[1:5])[:count]:
        for_sides, for_place = u[5 + 2 * quarter : 7 + 2 * quarter], u[13 + 2 * quarter : 15 + 2 * quarter]
        height, width = (2 + int(number * 5) for number in for_sides)
        top = int(for_place[0] * (8 - height)) + 8 * (quarter // 2)
        left = int(for_place[1] * (8 - width)) + 8 * (quarter % 2)
        image[top : top + height, left : left + width] = 255
    return image.ravel(), count


def curve_of(u):
    """One inked spline through three points, from 6 numbers: x between 3 and 24 and 4 apart, y squeezed into 3 to 24."""
    knots = 3 + np.sort(u[:3]) * (21 - 8) + 4 * np.arange(3)
    x = np.linspace(knots[0], knots[2], 128)
    y = CubicSpline(knots, 3 + 21 * u[3:], bc_type="natural")(x)
    low, high = max(y.min(), 3), min(y.max(), 24)
    y = low + (y - y.min()) * (high - low) / (y.max() - y.min())
    length = np.hypot(np.gradient(x), np.gradient(y))
    ink = np.zeros((28, 28))
    for row in range(28):
        for column in range(28):
            squares = ((x - column) ** 2 + (27 - y - row) ** 2) / 0.8**2
            ink[row, column] = 1.3 / (0.8 * np.sqrt(2 * np.pi)) * (length * np.exp(-0.5 * squares)).sum()
    return np.rint(255 * np.minimum(1, ink)).ravel()


@pytest.mark.parametrize("spec, seed", [("blocks:40:7", 7), ("blocks:40", 0), (f"blocks:40:{2**64 - 1}", 2**64 - 1)])
def test_blocks_are_drawn_as_the_twin_draws_them(spec, seed):
    rows = open_data(spec)
    images, labels = zip(*map(blocks_of, uniform(40, 21, seed, 2)), strict=True)
    np.testing.assert_array_equal(rows.read(0, 40), images)
    assert rows.labels.tolist() == list(labels)


@pytest.mark.parametrize("spec, seed", [("curves:12:7", 7), ("curves:12", 0)])
def test_curves_are_drawn_as_the_twin_draws_them(spec, seed):
    expected = [curve_of(u) for u in uniform(12, 6, seed, 1)]
    np.testing.assert_allclose(open_data(spec).read(0, 12).astype(float), expected, atol=1)  # a rounding may differ


def rectangle_of(u):
    """One centred rectangle, from its height and width as shares: each pixel by the area of it that is covered."""
    image = np.zeros((28, 28))
    (top, bottom), (left, right) = ((14 - side / 2, 14 + side / 2) for side in 4 + 22 * u)
    for row in range(28):
        for column in range(28):
            down = max(0.0, min(bottom, row + 1) - max(top, row))
            image[row, column] = down * max(0.0, min(right, column + 1) - max(left, column))
    return np.rint(255 * image).ravel()


@pytest.mark.parametrize("spec, seed", [("rectangles:40:7", 7), ("rectangles:40", 0)])
def test_rectangles_are_drawn_as_the_twin_draws_them(spec, seed):
    expected = [rectangle_of(u) for u in uniform(40, 2, seed, 3)]
    np.testing.assert_allclose(open_data(spec).read(0, 40).astype(float), expected, atol=1)  # a rounding may differ


def test_digits_are_the_counts_of_the_file_over_16():
    from sklearn.datasets import load_digits

    rows, bunch = open_data("digits"), load_digits()
    np.testing.assert_array_equal(rows.read(0, 1797) * 16, bunch.data)
    np.testing.assert_array_equal(rows.labels, bunch.target)


def test_arguments_at_their_edges():
    assert open_data("blocks:1").n_rows == open_data("curves:1:0").n_rows == open_data("blocks:01").n_rows == 1
    for spec in ("blocks:0", f"blocks:1:{2**64}", "blocks:1:", "blocks:1:0:0", "blocks:+1", "blocks: 1"):
        with pytest.raises(DataError) as caught:
            open_data(spec)
        assert str(caught.value) == f"{spec}: expected blocks[:N[:SEED]] with N from 1 and SEED from 0, found {spec!r}"
    with pytest.raises(DataError, match=r"^digits:1: expected digits, found 'digits:1'$"):
        open_data("digits:1")


# --- IDX ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, dtype", [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 2), (2, 1, 3, 2)])
def test_idx_is_read_to_the_last_number(code, dtype, packed, shape, tmp_path):
    array = (np.arange(np.prod(shape)).reshape(shape) * 1000 - 500).astype(dtype)
    content = bytes([0, 0, code, len(shape)]) + np.array(shape, ">u4").tobytes() + array.tobytes()
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read_idx(path, "a")
    assert found.shape == shape and found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, array)
    path.write_bytes(gzip.compress(content[:-1]) if packed else content[:-1])
    with pytest.raises(
        DataError, match=f"^a: expected .* {' x '.join(map(str, shape))} numbers of {array.dtype.newbyteorder('=')}"
    ):
        read_idx(path, "a")


@pytest.mark.parametrize(
    "start, found",
    [
        (b"\0\0\x08\x01", True), (b"\0\0\x0e\x20", True), (b"\0\0\x08\x21", False), (b"\0\0\x08\x00", False),
        (b"\0\0\x0a\x01", False), (b"\0\0\x0f\x01", False), (b"\0\0\x07\x01", False), (b"\0\x01\x08\x01", False),
        (b"\x01\0\x08\x01", False), (b"\0\0\x08", False), (b"", False),
    ],
)  # fmt: skip
def test_magic_numbers(start, found):
    assert is_idx(start) is found


# --- images ------------------------------------------------------------------------------------------------------------------


def picture(path, pixels, mode=None):
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    (image.convert(mode) if mode else image).save(path)


def test_pixels_keep_their_places_and_alpha_is_dropped(tmp_path):
    grey = np.arange(6).reshape(2, 3)
    picture(tmp_path / "a.png", grey)
    picture(tmp_path / "b.png", grey + 100, "LA")
    rows = open_data(tmp_path)
    assert (rows.sample_shape, rows.dtype, rows.labels) == ((2, 3), np.uint8, None)
    np.testing.assert_array_equal(rows.read(0, 2), [grey.ravel(), grey.ravel() + 100])


def test_colours_and_palettes(tmp_path):
    colours = np.arange(18).reshape(2, 3, 3)
    picture(tmp_path / "a.png", colours)
    picture(tmp_path / "b.png", np.concatenate([colours + 50, np.full((2, 3, 1), 7)], axis=2))
    picture(tmp_path / "c.png", np.full((2, 3, 3), [255, 0, 0]), "P")
    rows = open_data(tmp_path)
    assert rows.sample_shape == (2, 3, 3)
    np.testing.assert_array_equal(rows.read(0, 2), [colours.ravel(), colours.ravel() + 50])
    np.testing.assert_array_equal(rows.read(2, 3)[0, :3], [255, 0, 0])


def test_black_and_white_is_grey(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert open_data(tmp_path).read(0, 1).tolist() == [[255, 0]]


def test_images_are_sorted_by_name_and_hidden_files_are_none(tmp_path):
    for name, value in (("b.png", 2), ("a.PNG", 1), ("c.tif", 3), (".hidden.png", 9), ("._a.png", 9)):
        picture(tmp_path / name, [[value, value]])
    (tmp_path / ".folder").mkdir()
    picture(tmp_path / ".folder" / "d.png", [[8, 8]])
    (tmp_path / "e.png").mkdir()
    assert open_data(tmp_path).read(0, 3)[:, 0].tolist() == [1, 2, 3] and open_data(tmp_path).n_rows == 3


def test_folders_in_order_and_images_in_them(tmp_path):
    for folder, name, value in (
        ("b", "2.png", 4),
        ("b", "1.png", 3),
        ("a", "9.png", 1),
        ("a", ".0.png", 9),
        (".c", "1.png", 9),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        picture(tmp_path / folder / name, [[value]])
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "a" / "deeper").mkdir()
    picture(tmp_path / "a" / "deeper" / "1.png", [[9]])
    rows = open_data(tmp_path)
    assert rows.read(0, 3).ravel().tolist() == [1, 3, 4] and rows.labels.tolist() == ["a", "b", "b"]


def test_all_images_together_must_fit(tmp_path, monkeypatch):
    for name in "abc":
        picture(tmp_path / f"{name}.png", np.ones((2, 5)))
    monkeypatch.setattr(memory, "available_memory", lambda: 30)
    assert open_data(tmp_path).n_rows == 3
    monkeypatch.setattr(memory, "available_memory", lambda: 29)
    with pytest.raises(DataError, match="the memory available"):
        open_data(tmp_path)


# --- sparse ------------------------------------------------------------------------------------------------------------------

DENSE = np.array([[0, 5, 0, 0], [7, 0, 0, 1], [0, 0, 0, 0]], np.uint8)


def members(layout, **changes):
    matrix = sparse.csr_array(DENSE).asformat(layout)
    parts = ("row", "col") if layout == "coo" else ("indices", "indptr")
    made = {name: np.asarray(getattr(matrix, name)) for name in ("data", *parts)}
    return {**made, "format": np.array(layout), "shape": np.array(matrix.shape), **changes}


@pytest.mark.parametrize("layout", ["csr", "csc", "bsr", "coo"])
def test_members_of_every_layout(layout):
    rows = rows_from_members(members(layout), "a")
    assert (rows.n_rows, rows.n_columns, rows.sample_shape, rows.dtype) == (3, 4, (4,), np.uint8)
    np.testing.assert_array_equal(rows.read(0, 3), DENSE)
    assert rows.read(1, 3).tolist() == DENSE[1:].tolist()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"shape": np.array([-3, 4])}, r"two dimensions, found shape \(-3, 4\)"),
        ({"shape": np.array([3, 4, 1])}, r"two dimensions, found shape \(3, 4, 1\)"),
        ({"shape": np.array([0, 4])}, "."),
        ({"shape": np.array([3, 0])}, "."),
        ({"format": np.array("dia")}, "expected a sparse matrix in CSR form, found form 'dia'"),
        ({"format": np.array("csr")}, "found form 'csr'; save matrix.tocsr"),
        ({"data": np.array([1j, 2, 3])}, "expected real values and integer indices, found complex128 and"),
        ({"row": np.array([0.0, 1, 1])}, "expected real values and integer indices, found uint8 and float64"),
        ({"col": np.array(["1", "0", "3"])}, "expected real values and integer indices"),
    ],
)
def test_members_that_are_no_table(changes, words):
    # what SciPy raises, the reader of the file turns into a DataError
    with pytest.raises((DataError, ValueError), match=words):
        rows_from_members(members("coo", **changes), "a")


# --- memory ------------------------------------------------------------------------------------------------------------------

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A /proc and a /sys of one's own, written by `machine(path, text)`."""
    real = memory.Path

    def moved(path):
        return tmp_path / str(path).lstrip("/") if str(path).startswith("/proc") else real(path)

    monkeypatch.setattr(memory, "Path", moved)
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")

    def write(path, text):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    write(
        "proc/meminfo", f"odd\n\nMemTotal: {99 * GIB // 1024} kB\nMemFree: 1 kB\nMemAvailable:   {8 * GIB // 1024} kB\n"
    )
    return write


def test_what_the_system_calls_available(machine):
    assert memory.available_memory() == 8 * GIB
    machine("proc/self/cgroup", "0::/\n")
    assert memory.available_memory() == 8 * GIB
    machine("proc/meminfo", "MemFree: 1 kB\n")
    assert memory.available_memory() > 0


@pytest.mark.parametrize("above", [False, True])
def test_a_control_group_leaves_its_limit_less_what_is_used(machine, above):
    machine("proc/self/cgroup", "0::/a/b\n")
    folder = "cgroup/a" if above else "cgroup/a/b"
    machine(f"{folder}/memory.max", f"{5 * GIB}\n")
    assert memory.available_memory() == 8 * GIB  # not without the usage
    machine(f"{folder}/memory.current", f"{3 * GIB}\n")
    assert memory.available_memory() == 2 * GIB
    machine(f"{folder}/memory.stat", f"anon 5\ninactive_file {GIB}\nactive_file {2 * GIB}\n")
    assert memory.available_memory() == 3 * GIB
    machine(f"{folder}/memory.current", f"{7 * GIB}\n")
    assert memory.available_memory() == 0
    machine(f"{folder}/memory.max", "max\n")
    assert memory.available_memory() == 8 * GIB


def test_the_tightest_of_nested_groups_counts_and_the_root_too(machine):
    machine("proc/self/cgroup", "0::/a/b\n")
    for folder, limit in (("cgroup/a/b", 7), ("cgroup/a", 5), ("cgroup", 6)):
        machine(f"{folder}/memory.max", str(limit * GIB))
        machine(f"{folder}/memory.current", str(GIB))
    assert memory.available_memory() == 4 * GIB
    machine("cgroup/memory.max", str(2 * GIB))
    assert memory.available_memory() == GIB


def test_control_groups_of_version_1(machine):
    machine("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory,hugetlb:/a\nbroken\n")
    machine("cgroup/memory/a/memory.limit_in_bytes", str(3 * GIB))
    machine("cgroup/memory/a/memory.usage_in_bytes", str(GIB))
    machine("cgroup/x/memory.max", "1")
    machine("cgroup/x/memory.current", "0")
    assert memory.available_memory() == 2 * GIB
