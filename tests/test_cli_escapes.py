r"""What files plant in texts reaches no terminal: escape sequences, line breaks and direction overrides are shown as ``\x1b``."""

import io

import click
import h5py
import numpy as np
import pytest

from stacked import RBM, StackedClassifier
from stacked.cli.boundary import one_line_errors
from stacked.cli.output import write_array
from stacked.cli.targets import Target
from stacked.errors import DataError
from stacked.text import escaped, one_line, shown

from .store_records import naive_digest
from .test_cli_boundary import misused, refused, run_well

CLEAR = "\x1b[2J"  # clears a screen
CLASSES = [f"a{CLEAR}", "b\nc", "d\u202ee"]
SHOWN = ["a\\x1b[2J", "b\\nc", "d\\u202ee"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A classifier whose texts are hostile, and rows for it."""
    path = tmp_path_factory.mktemp("hostile") / f"m{CLEAR}.h5"
    x = np.random.default_rng(0).random((30, 4), np.float32)
    model = StackedClassifier([RBM(3, epochs=1)], finetune_epochs=1, random_state=0)
    model.fit(x, np.array(CLASSES)[np.arange(30) % 3]).save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["stacked_version"] = np.bytes_(f"1.0{CLEAR}\nError: none")
    digest = naive_digest(path)
    with h5py.File(path, "r+") as file:
        file.attrs["digest"] = np.bytes_(digest)
    np.save(path.with_name("x.npy"), x)
    np.save(path.with_name("y.npy"), np.array(CLASSES)[np.arange(30) % 3])
    return path


def assert_printable(text):
    assert text.replace("\n", "").isprintable(), repr(text)


def test_info(hostile):
    text = run_well("info", hostile).stdout
    assert_printable(text)
    assert "stacked 1.0\\x1b[2J\\nError: none\n" in text and ", ".join(SHOWN) in text
    assert str(hostile).replace(CLEAR, "\\x1b[2J") in text
    assert CLEAR not in run_well("info", hostile, "--json").stdout


def test_evaluate(hostile):
    text = run_well("evaluate", hostile, hostile.with_name("x.npy"), "--labels", hostile.with_name("y.npy")).stdout
    assert_printable(text)
    table = text.splitlines()[-4:]
    assert table[0].split() == SHOWN and [line.split()[0] for line in table[1:]] == SHOWN
    assert len({len(line) for line in table}) == 1


def test_errors(hostile):
    np.save(hostile.with_name("other.npy"), np.array(["z", "y", f"x{CLEAR}"])[np.arange(30) % 3])
    assert_printable(
        refused("evaluate", hostile, hostile.with_name("x.npy"), "--labels", hostile.with_name("other.npy"))
    )
    assert_printable(refused("info", f"{hostile}{CLEAR}"))
    assert "\\x1b" in misused("encode", hostile, hostile.with_name("x.npy"), "-o", f"codes{CLEAR}")
    assert "\\x1b" in misused("info", hostile, f"--{CLEAR}")


@pytest.mark.parametrize("error", [DataError, MemoryError, click.UsageError])
def test_every_failure_is_escaped_at_the_boundary(error):
    with pytest.raises(click.ClickException) as caught, one_line_errors():
        raise error(f"x: found {CLEAR}\u202e")
    assert caught.value.format_message().endswith("x: found \\x1b[2J\\u202e")


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.parametrize("kind, line", [(Terminal, "a\\x1b[2J"), (io.TextIOWrapper, f"a{CLEAR}")])
def test_labels_are_escaped_on_a_terminal_only(kind, line, monkeypatch):
    stdout = kind(io.BytesIO())
    monkeypatch.setattr("sys.stdout", stdout)
    write_array(Target("-", ""), np.array(CLASSES[:1]))
    monkeypatch.undo()
    assert stdout.buffer.getvalue().decode() == f"{line}\n"


def test_text():
    assert escaped("plain ä 漢 \\x1b") == "plain ä 漢 \\x1b"
    assert escaped("\x1b\n\t\x7f\x9b\u202e\u2066\udc80") == "\\x1b\\n\\t\\x7f\\x9b\\u202e\\u2066\\udc80"
    assert one_line("a:\n   b\x1b") == "a: b\\x1b"
    assert one_line("x" * 100, 10) == "xxxxxxx..."
    assert shown([1, "\x1b"]) == "[1, '\\x1b']"
    assert shown(np.eye(2)).isprintable()
    assert len(shown("x" * 5000)) == 60
    assert shown(10**5000) == "a value of type int that is too long to print"
