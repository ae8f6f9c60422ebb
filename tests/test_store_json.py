"""JSON of the greatest size that is read, made to be slow: every text takes linear time."""

import sys
import time

import pytest

from stacked.errors import ModelFileError
from stacked.files.strict_json import MAX_BYTES, parse

SECONDS = 5  # each takes a fraction of one; quadratic time is minutes
MAX_DIGITS = 4300


def filled(start, unit, end=""):
    """``unit`` again and again between ``start`` and ``end``, as often as fits."""
    return start + unit * ((MAX_BYTES - len(start) - len(end)) // len(unit)) + end


SLOW = {
    "a string of escaped quotes that never ends": filled('"', '\\"'),
    "a string of backslashes that never ends": filled('"', "\\"),
    "a string after a string": filled('["', '","', '"]'),
    "quotes": filled("", '"'),
    "quotes behind brackets": filled("", '["'),
    "backslashes": filled("", "\\"),
    "quotes and backslashes": filled("", '"\\'),
    "open brackets": filled("", "["),
    "open braces": filled("", '{"a":'),
    "closed brackets": filled("", "]"),
    "pairs of brackets": filled("[", "[],", "1]"),
    "an integer": filled("", "9"),
    "a negative integer": filled("-", "9"),
    "integers as long as may be": filled("[", "9" * MAX_DIGITS + ",", "1]"),
    "integers": filled("[", "1,", "1]"),
    "a float": filled("0.", "1"),
    "a float out of range": filled("", "9", ".5"),
    "an exponent": filled("1e", "9"),
    "a tiny exponent": filled("1e-", "9"),
    "one key": filled("{", '"a":1,', '"a":1}'),
    "many keys": "{" + ",".join(f'"{i}":0' for i in range(90_000)) + "}",
    "escapes": filled('"', "\\u00e9", '"'),
    "line feeds": filled("", "\n"),
    "constants": filled("[", "NaN,", "1]"),
}


@pytest.mark.parametrize("name", SLOW)
def test_any_text_takes_linear_time(name):
    text = SLOW[name]
    assert len(text) <= MAX_BYTES
    started = time.process_time()
    try:
        parse(text, "/@config")
    except ModelFileError as error:
        assert str(error).startswith("/@config: ") and str(error).isprintable() and len(str(error)) < 300
    assert time.process_time() - started < SECONDS


def test_long_integers_are_refused_where_python_would_read_them():
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(ModelFileError, match="4300 digits"):
            parse(SLOW["an integer"], "/@config")
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("text", ['"', '"\\', '["a\\', '{"a":"[[[\\"'])
def test_brackets_in_a_string_that_never_ends_are_none(text):
    with pytest.raises(ModelFileError, match="malformed JSON"):
        parse(text + "[" * 100, "/@config")


def test_brackets_in_strings_do_not_count():
    assert parse('["' + "[" * 100 + '\\"' + "[" * 100 + '"]', "/@config") == ["[" * 100 + '"' + "[" * 100]
